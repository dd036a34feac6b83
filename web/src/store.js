/* A value that the parts of the page watch. */
import { useEffect, useState } from "preact/hooks";

export function createStore(state) {
  const watchers = new Set();
  return {
    get: () => state,
    set(patch) {
      state = { ...state, ...patch };
      for (const watcher of watchers) watcher(state);
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

export function useStore(store) {
  const [state, setState] = useState(store.get());
  useEffect(() => {
    setState(store.get());
    return store.watch(setState);
  }, [store]);
  return state;
}
