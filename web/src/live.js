/* Keeps the list of meters true: by the stream where the gateway grants it, else by asking every two seconds. The
 * full list is asked for now and then as well, because only it has ages that ran out, notices and origins. */
import { ask, NeedsToken, token } from "./api.js";
import { fromAnswer, withSample } from "./readings.js";
import { createStore } from "./store.js";
import { readStream } from "./stream.js";

const POLL_MS = 2000;
const SYNC_MS = 10000; /* of the full list, beside a stream */
const STATE_DELAY_MS = 50; /* states of several meters change together */
const RETRY_MS = 1500;
const RESUME_MS = 600000; /* away for longer: what was missed is for the history, not to be played through */
const STREAM_AGAIN_MS = 60000; /* after a refusal: it may have been the limit of connections */

export const gateway = createStore({
  phase: "connecting" /* connecting, live, lost, token */,
  way: null /* stream or poll, while live */,
  refusedToken: false,
  error: null,
  service: null,
  quantities: new Map() /* key -> { label, unit, kind } */,
  meters: [],
  health: null,
  firstVersion: null /* of the gateway that served this page */,
});

let session = null; /* AbortController of what runs now */
let syncTimer = 0;
let clockOffsetMs = 0; /* the gateway's clock less ours */

function reached(patch) {
  gateway.set({ phase: "live", error: null, heardMs: Date.now(), refusedToken: false, ...patch });
}

async function askService(signal) {
  const service = await ask("api/v1", signal);
  if (service.time_ms) clockOffsetMs = service.time_ms - Date.now();
  gateway.set({
    service,
    quantities: new Map(service.quantities.map((q) => [q.key, q])),
    firstVersion: gateway.get().firstVersion ?? service.version,
  });
}

async function sync(signal) {
  const wanted = [ask("api/v1/meters", signal), ask("healthz", signal)];
  if (!gateway.get().service || gateway.get().phase === "lost") wanted.push(askService(signal));
  const [{ meters }, health] = await Promise.all(wanted);
  reached({ meters: fromAnswer(meters, Date.now()), health });
  if (health.history === "failing") await askService(signal);
}

function failed(error, signal) {
  if (signal.aborted) return;
  if (error instanceof NeedsToken) {
    gateway.set({ phase: "token", refusedToken: token() !== null, meters: [], error: null });
    stop();
  } else {
    gateway.set({ phase: "lost", error: error.status ? error.message : null });
  }
}

function scheduleSync(signal, delayMs) {
  clearTimeout(syncTimer);
  syncTimer = setTimeout(async () => {
    try {
      await sync(signal);
    } catch (error) {
      failed(error, signal);
    }
    if (!signal.aborted && gateway.get().phase !== "token") scheduleSync(signal, SYNC_MS);
  }, delayMs);
}

function onSample(sample) {
  const bornMs = Math.min(Date.now(), sample.at_ms - clockOffsetMs);
  gateway.set({
    meters: gateway.get().meters.map((m) => (m.id === sample.meter ? withSample(m, sample, bornMs) : m)),
  });
}

function onEvent(signal, type, data) {
  if (type === "sample") onSample(data);
  else scheduleSync(signal, STATE_DELAY_MS);
}

/* The signal lives for days: it must not keep a listener of each pause. */
const pause = (ms, signal) =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });

async function pollFor(durationMs, signal) {
  const end = performance.now() + durationMs;
  gateway.set({ way: "poll" });
  while (!signal.aborted && performance.now() < end) {
    await sync(signal);
    await pause(POLL_MS, signal);
  }
}

/* One connection: the list first, so that the page shows something at once, then what changes. */
async function connect(position, signal) {
  await sync(signal);
  try {
    await readStream({
      position,
      signal,
      parameters: {},
      onOpen: () => {
        gateway.set({ way: "stream" });
        scheduleSync(signal, SYNC_MS);
      },
      onEvent: (type, data) => onEvent(signal, type, data),
    });
  } catch (error) {
    clearTimeout(syncTimer);
    if (!error.status) throw error;
    await pollFor(STREAM_AGAIN_MS, signal);
  }
}

async function run(signal) {
  const position = { id: null };
  while (!signal.aborted) {
    if (Date.now() - (gateway.get().heardMs ?? 0) > RESUME_MS) position.id = null;
    try {
      await connect(position, signal);
    } catch (error) {
      failed(error, signal);
      await pause(RETRY_MS, signal);
    }
  }
}

export function start() {
  stop();
  session = new AbortController();
  run(session.signal);
}

export function stop() {
  session?.abort();
  session = null;
  clearTimeout(syncTimer);
}

/* A browser has six connections to a host for all of its tabs: those that nobody looks at give theirs back. */
export function followVisibility() {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop();
    else if (!session && gateway.get().phase !== "token") start();
  });
}
