/* Requests to the gateway. All addresses are relative to the page, so that it works below a path of a proxy.
 *
 * The token is kept in sessionStorage: it is gone with the tab, and no other tab of a shared computer has it. Who
 * owns the device may ask for localStorage instead, so that the tablet on the wall comes back by itself after a
 * restart. */
import { forget, load, save } from "./storage.js";

const TIMEOUT_MS = 10000;
const TOKEN_KEY = "metergate-token";
const AREAS = ["sessionStorage", "localStorage"];

export class NeedsToken extends Error {}

export class Refused extends Error {
  constructor(status, detail) {
    super(detail ?? String(status));
    this.status = status;
  }
}

export function token() {
  return AREAS.map((area) => load(area, TOKEN_KEY)).find(Boolean) ?? null;
}

export function isTokenKept() {
  return load("localStorage", TOKEN_KEY) !== null;
}

export function forgetToken() {
  for (const area of AREAS) forget(area, TOKEN_KEY);
}

export function saveToken(text, keep) {
  forgetToken();
  save(keep ? "localStorage" : "sessionStorage", TOKEN_KEY, text);
}

/* What could be sent at all: no blanks, no letters beyond ASCII. */
export function isToken(text) {
  return /^[\x21-\x7e]+$/.test(text);
}

export function authorization() {
  const secret = token();
  return secret ? { Authorization: `Bearer ${secret}` } : {};
}

/* A link to what a page cannot hand a header to works without a token only. */
export const meterPath = (id, rest = "") => `api/v1/meters/${encodeURIComponent(id)}${rest}`;

export function query(values) {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return pairs
    .map(([key, value]) => `${key}=${encodeURIComponent(value).replaceAll("%2C", ",").replaceAll("%3A", ":")}`)
    .join("&");
}

function deadline(signal) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
  const stop = () => controller.abort();
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    },
  };
}

async function detailOf(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return undefined;
  }
}

async function request(path, options, read) {
  const limit = deadline(options.signal);
  try {
    const answer = await fetch(path, { ...options, signal: limit.signal, headers: authorization() });
    if (answer.status === 401) throw new NeedsToken();
    if (!answer.ok) throw new Refused(answer.status, await detailOf(answer));
    return await read(answer);
  } finally {
    limit.end();
  }
}

export const ask = (path, signal) => request(path, { signal }, (answer) => answer.json());
export const askText = (path, signal) => request(path, { signal }, (answer) => answer.text());
export const askBlob = (path) => request(path, {}, (answer) => answer.blob());
export const act = (id, action) =>
  request(meterPath(id, `/actions/${action}`), { method: "POST" }, (answer) => answer.json());
