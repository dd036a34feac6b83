/* Small parts that several pages share. */
import { useEffect, useRef, useState } from "preact/hooks";
import { DASH } from "../format.js";
import { has, spoken, t } from "../i18n.js";
import { splitKey } from "../readings.js";
import { Icon } from "./icon.jsx";

/* Now, once a second or less often: for ages. */
export function useNow(everyMs = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/* Runs a request again when what it depends on changes, drops answers that come too late, and repeats it. */
export function useAnswer(request, dependencies, everyMs) {
  const [answer, setAnswer] = useState({ data: null, error: null });
  useEffect(() => {
    const controller = new AbortController();
    let timer = 0;
    const run = async () => {
      try {
        const data = await request(controller.signal);
        if (!controller.signal.aborted) setAnswer({ data, error: null });
      } catch (error) {
        if (!controller.signal.aborted) setAnswer((before) => ({ ...before, error }));
      }
      if (everyMs && !controller.signal.aborted) timer = setTimeout(run, everyMs);
    };
    run();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [...dependencies, everyMs]);
  return answer;
}

/* What is drawn now is on the screen once the next frame is done: make bench asks when that was. */
export function markPaint(name) {
  requestAnimationFrame(() =>
    setTimeout(() => {
      performance.clearMarks(name);
      performance.mark(name);
    }),
  );
}

/* The name of a series in the reader's words; what the gateway knows and we do not keeps the gateway's name. */
export function seriesLabel(key, quantities) {
  const [channel, quantity] = splitKey(key);
  const label = has(`quantity.${quantity}`)
    ? t(`quantity.${quantity}`)
    : (quantities.get(quantity)?.label ?? quantity);
  return channel ? `${channel.toUpperCase()} ${label}` : label;
}

export function unitOf(key, quantities) {
  return quantities.get(splitKey(key)[1])?.unit ?? "";
}

export function Spoken({ text }) {
  const { text: words, lang } = spoken(text);
  return <span lang={lang}>{words}</span>;
}

export function stateLabel(state) {
  return has(`state.${state}`) ? t(`state.${state}`) : state.replaceAll("_", " ");
}

export function StatePill({ state }) {
  return (
    <span class="state" data-state={state} role="status">
      {stateLabel(state)}
    </span>
  );
}

export function Failure({ error }) {
  if (!error || (error.name === "AbortError" && !error.status)) return null;
  return (
    <p class="notice" role="status">
      {t("failed", { reason: error.message })}
    </p>
  );
}

/* A choice of few, as a row of buttons that behaves as radio buttons do. */
export function Segments({ label, value, options, onChange }) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button
          key={key}
          type="button"
          aria-pressed={key === value ? "true" : "false"}
          onClick={() => onChange(key)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

export function IconButton({ icon, label, onClick, disabled }) {
  return (
    <button
      type="button"
      class="icon-button"
      title={label}
      aria-label={label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/* Clipboards are for pages of https alone; on http the old way still works. */
async function copyText(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copy");
  return undefined;
}

export function CopyButton({ text, label, icon = "copy" }) {
  const [result, setResult] = useState(null);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    try {
      await copyText(typeof text === "function" ? text() : text);
      setResult("copied");
    } catch {
      setResult("copy.failed");
    }
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setResult(null), 2500);
  };
  return (
    <button type="button" onClick={copy}>
      <Icon name={icon} />
      <span role="status">{t(result ?? label ?? "copy")}</span>
    </button>
  );
}

/* A table that scrolls by itself, by keyboard as well. */
export function Table({ label, columns, rows, empty }) {
  if (rows.length === 0) return <p class="quiet">{empty ?? DASH}</p>;
  return (
    <div class="scroll" role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(([text, kind], i) => (
              <th key={i} scope="col" class={kind}>
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>
              {row.cells.map((cell, i) =>
                i === 0 ? (
                  <th key={i} scope="row" class={columns[i][1]}>
                    {cell}
                  </th>
                ) : (
                  <td key={i} class={columns[i][1]}>
                    {cell}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
