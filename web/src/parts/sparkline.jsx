/* The last hour of power as a small line: the history's means, and behind them what came since. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ask, meterPath, query } from "../api.js";

const SPAN_MS = 3600000;
const REFRESH_MS = 60000;
const WIDTH = 600;
const HEIGHT = 96;
const PAD = 4;

/* Runs of known points: a gap in the history is a gap in the line. */
export function runsOf(points) {
  const runs = [];
  let open = null;
  for (const [x, y] of points) {
    if (y === null) open = null;
    else if (open) open.push([x, y]);
    else runs.push((open = [[x, y]]));
  }
  return runs;
}

export function scaleOf(points, endMs) {
  const values = points.map(([, y]) => y).filter((y) => y !== null);
  let low = Math.min(0, ...values);
  let high = Math.max(0, ...values);
  if (high - low < 10) high = low + 10;
  const x = (ms) => WIDTH - PAD - ((endMs - ms) / SPAN_MS) * (WIDTH - 2 * PAD);
  const y = (w) => PAD + ((high - w) / (high - low)) * (HEIGHT - 2 * PAD);
  return { x, y, zero: y(0) };
}

const place = (n) => n.toFixed(1);

function path(run, { x, y }) {
  return run.map(([ms, w], i) => `${i === 0 ? "M" : "L"}${place(x(ms))} ${place(y(w))}`).join("");
}

function area(run, scale) {
  const first = place(scale.x(run[0][0]));
  const last = place(scale.x(run[run.length - 1][0]));
  return `${path(run, scale)}L${last} ${place(scale.zero)}L${first} ${place(scale.zero)}Z`;
}

function usePast(id, series) {
  const [past, setPast] = useState([]);
  useEffect(() => {
    const controller = new AbortController();
    let timer = 0;
    const load = async () => {
      try {
        const answer = await ask(
          meterPath(id, `/history?${query({ series, from: "-1h", step: "20s", agg: "avg" })}`),
          controller.signal,
        );
        setPast(answer.columns.length > 1 ? answer.rows : []);
      } catch {
        /* the history is being read, or the gateway is gone: that is told elsewhere */
      }
      if (!controller.signal.aborted) timer = setTimeout(load, REFRESH_MS);
    };
    load();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [id, series]);
  return past;
}

export function Sparkline({ id, series, value, now, label }) {
  const past = usePast(id, series);
  const tail = Math.floor(now / 5000) * 5000;
  const points = useMemo(() => {
    const begun = past.filter(([ms]) => ms > now - SPAN_MS && ms < now - 20000);
    return typeof value === "number" ? [...begun, [now, value]] : begun;
  }, [past, tail, value]);
  if (points.length < 2) return <div class="sparkline" />;
  const scale = scaleOf(points, now);
  const runs = runsOf(points);
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {runs.map((run, i) => (
        <path key={`a${i}`} class="area" d={area(run, scale)} />
      ))}
      <line class="zero" x1="0" x2={WIDTH} y1={scale.zero} y2={scale.zero} />
      {runs.map((run, i) => (
        <path key={`l${i}`} class="line" d={path(run, scale)} vector-effect="non-scaling-stroke" />
      ))}
    </svg>
  );
}
