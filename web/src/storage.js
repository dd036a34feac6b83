/* What the browser keeps. A page in a frame, or one opened in private, may be refused its storage: then it is kept
 * for as long as the page is open, and everything goes on. */
const memory = new Map();

function attempt(area, action, fallback) {
  try {
    return action(globalThis[area]);
  } catch {
    return fallback();
  }
}

export function load(area, key) {
  return attempt(
    area,
    (s) => s.getItem(key),
    () => memory.get(key) ?? null,
  );
}

export function save(area, key, value) {
  attempt(
    area,
    (s) => s.setItem(key, value),
    () => memory.set(key, value),
  );
}

export function forget(area, key) {
  memory.delete(key);
  attempt(
    area,
    (s) => s.removeItem(key),
    () => {},
  );
}
