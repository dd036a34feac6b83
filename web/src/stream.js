/* The live stream: one request that goes on, resumed after the last event that came. */
import { authorization, NeedsToken, query, Refused } from "./api.js";
import { createParser } from "./sse.js";

/* The gateway says something every 15 s; three times that and the connection is dead, whatever TCP believes. */
const SILENCE_MS = 45000;

async function readAll(body, parse, onBytes) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    parse(decoder.decode(value, { stream: true }));
  }
}

/* Reads until the connection ends, and throws what ended it. position.id lasts from one connection to the next. */
export async function readStream({ position, parameters, signal, onOpen, onEvent }) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  let timer = setTimeout(stop, SILENCE_MS);
  signal.addEventListener("abort", stop);
  try {
    const answer = await fetch(`api/v1/stream?${query(parameters)}`.replace(/\?$/, ""), {
      cache: "no-store",
      signal: controller.signal,
      headers: { ...authorization(), ...(position.id ? { "Last-Event-ID": position.id } : {}) },
    });
    if (answer.status === 401) throw new NeedsToken();
    if (!answer.ok) throw new Refused(answer.status);
    onOpen();
    const parse = createParser((event) => {
      if (event.id !== undefined) position.id = event.id;
      if (event.type !== "") onEvent(event.type, JSON.parse(event.data));
    });
    await readAll(answer.body, parse, () => {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
    });
    throw new Error("the stream ended");
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    controller.abort();
  }
}
