/* Bars of energy: import above the line, export below it. SVG, so that it prints and scales. */
import { useEffect, useRef, useState } from "preact/hooks";
import { isIncomplete, ticksOf } from "../energy_view.js";
import { formatNumber } from "../format.js";

const LEFT = 48;
const BOTTOM = 26;
const TOP = 8;
const TICK_SPACE = 40; /* px that the label of a bar takes */

/* As wide as there is room, so that the words have one size on a phone and on a wall. */
function useSize(box) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  return { width: Math.max(width, 200), height: width < 500 ? 240 : 340 };
}

function scaleOf(bars, height) {
  const high = Math.max(0, ...bars.map(({ row }) => row?.import_kwh ?? 0));
  const low = Math.max(0, ...bars.map(({ row }) => row?.export_kwh ?? 0));
  const { ticks, step } = ticksOf(-low, high || (low ? 0 : 1));
  const top = Math.max(high, ...ticks);
  const bottom = Math.min(-low, ...ticks);
  const y = (kwh) => TOP + ((top - kwh) / (top - bottom || 1)) * (height - TOP - BOTTOM);
  return { ticks, y, decimals: Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) };
}

function Bar({ bar, x, width, y }) {
  const { row } = bar;
  if (!row || row.import_kwh === null) return null;
  const mark = isIncomplete(row) ? "" : undefined;
  const up = y(0) - y(row.import_kwh);
  const down = y(-(row.export_kwh ?? 0)) - y(0);
  const radius = Math.min(3, width / 4);
  return (
    <g>
      {up > 0 && (
        <rect class="bar import" data-incomplete={mark} x={x} y={y(0) - up} width={width} height={up} rx={radius} />
      )}
      {down > 0 && (
        <rect class="bar export" data-incomplete={mark} x={x} y={y(0)} width={width} height={down} rx={radius} />
      )}
      {mark === "" && (
        <rect class="hatch" x={x} y={y(0) - up} width={width} height={up + down} fill="url(#hatch)" />
      )}
    </g>
  );
}

function Grid({ ticks, y, decimals, full }) {
  return ticks.map((value) => (
    <g key={value}>
      <line class={value === 0 ? "axis" : "grid"} x1={LEFT} x2={full} y1={y(value)} y2={y(value)} />
      <text class="tick" x={LEFT - 8} y={y(value) + 4} text-anchor="end">
        {formatNumber(Math.abs(value), { decimals })}
      </text>
    </g>
  ));
}

/* One period: what the mouse finds, its bar, its label. */
function Slot({ bar, middle, slot, y, height, label, chosen, ...events }) {
  const width = Math.min(slot * 0.72, 64);
  const mark = chosen ? "" : undefined;
  return (
    <g {...events}>
      <rect
        class="target"
        x={middle - slot / 2}
        y={TOP}
        width={slot}
        height={height - TOP - BOTTOM}
        data-chosen={mark}
      />
      <Bar bar={bar} x={middle - width / 2} width={width} y={y} />
      <text class="tick" x={middle} y={height - 8} text-anchor="middle">
        {label}
      </text>
    </g>
  );
}

const Hatch = () => (
  <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <line class="hatch-line" x1="0" y1="0" x2="0" y2="7" />
  </pattern>
);

/* bars: [{ ms, row }]; tick(ms): the label below a bar; describe(bar): all of it, in words. */
export function Bars({ bars, tick, describe, label, onOpen }) {
  const [chosen, choose] = useState(null);
  const box = useRef(null);
  const { width: full, height } = useSize(box);
  const { ticks, y, decimals } = scaleOf(bars, height);
  const slot = (full - LEFT) / bars.length;
  const every = [1, 2, 3, 4, 6].find((n) => n * slot >= TICK_SPACE) ?? 12;
  return (
    <figure class="bars" ref={box} onMouseLeave={() => choose(null)}>
      <svg viewBox={`0 0 ${full} ${height}`} role="img" aria-label={label}>
        <Hatch />
        <Grid ticks={ticks} y={y} decimals={decimals} full={full} />
        {bars.map((bar, i) => (
          <Slot
            key={bar.ms}
            bar={bar}
            middle={LEFT + slot * (i + 0.5)}
            slot={slot}
            y={y}
            height={height}
            chosen={chosen === i}
            label={i % every === 0 ? tick(bar.ms) : ""}
            class={onOpen && bar.row ? "open" : undefined}
            onMouseEnter={() => choose(i)}
            onClick={() => onOpen?.(bar)}
          />
        ))}
      </svg>
      <figcaption>{chosen !== null && bars[chosen] ? describe(bars[chosen]) : "\u00a0"}</figcaption>
    </figure>
  );
}
