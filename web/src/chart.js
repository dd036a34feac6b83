/* Curves on a time axis: uPlot, told how. A file of its own, because only the history needs it. */
import uPlot from "uplot";

const WIDTH = 1.6;
const TOUCH_MIN = 24; /* px: less is a tap */
const FROM_ZERO = ["W", "VA", "var", "A", "kWh"]; /* where nothing is 0, and 0 is worth seeing */

function valueRange(unit) {
  return (u, low, high) => {
    if (low === null || high === null) return [0, 1];
    const zero = FROM_ZERO.includes(unit) && unit !== "kWh";
    const bottom = zero ? Math.min(0, low) : low;
    const top = zero ? Math.max(0, high) : high;
    const pad = (top - bottom || Math.abs(top) * 0.1 || 1) * 0.06;
    return [bottom === 0 ? 0 : bottom - pad, top === 0 ? 0 : top + pad];
  };
}

function axes(units, look) {
  const common = {
    stroke: look.text,
    grid: { stroke: look.grid, width: 1 },
    ticks: { stroke: look.grid, width: 1, size: 5 },
    font: look.font,
  };
  const time = {
    ...common,
    space: 64,
    size: 34,
    values: (u, splits, axis, space, increment) => splits.map((ms) => look.tick(ms, increment)),
  };
  const values = units.slice(0, 2).map((unit, i) => ({
    ...common,
    scale: unit,
    side: i === 0 ? 3 : 1,
    size: (u, texts) => 16 + 7 * Math.max(3, ...(texts ?? []).map((text) => text.length)),
    grid: { ...common.grid, show: i === 0 },
    values: (u, splits) => splits.map((value) => look.number(value, splits)),
    label: unit || undefined,
    labelSize: 18,
    labelFont: look.font,
    labelGap: 0,
  }));
  return [time, ...values];
}

/* Mean first, then the ends of its band. */
function seriesOf({ unit, color, raw, band }) {
  const mean = {
    scale: unit,
    stroke: color,
    width: WIDTH,
    points: raw ? { show: true, size: 5, fill: color, stroke: color } : { show: false },
    paths: raw ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
  };
  const edge = {
    scale: unit,
    stroke: "transparent",
    width: 0,
    points: { show: false },
    paths: uPlot.paths.linear(),
  };
  return band ? [mean, edge, edge] : [mean];
}

function bandsOf(curves) {
  const bands = [];
  let index = 1;
  for (const { band, fill } of curves) {
    if (band) bands.push({ series: [index + 2, index + 1], fill });
    index += band ? 3 : 1;
  }
  return bands;
}

/* The zero between import and export is worth a line of its own. */
function zeroLine(unit, color) {
  return (u) => {
    const y = Math.round(u.valToPos(0, unit, true));
    if (u.scales[unit]?.min >= 0 || y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
    u.ctx.save();
    u.ctx.strokeStyle = color;
    u.ctx.lineWidth = devicePixelRatio;
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  };
}

/* A finger drawn across selects as the mouse does; up and down still scrolls the page. */
function followTouch(u, onSelect) {
  let begin = null;
  const left = (event) =>
    Math.min(Math.max(event.clientX - u.over.getBoundingClientRect().left, 0), u.over.clientWidth);
  u.over.addEventListener("pointerdown", (event) => {
    begin = event.pointerType === "touch" ? left(event) : null;
  });
  u.over.addEventListener("pointermove", (event) => {
    if (begin === null) return;
    const at = left(event);
    u.setCursor({ left: at, top: 20 });
    u.setSelect(
      { left: Math.min(begin, at), width: Math.abs(at - begin), top: 0, height: u.over.clientHeight },
      false,
    );
  });
  u.over.addEventListener("pointerup", (event) => {
    if (begin !== null && Math.abs(left(event) - begin) > TOUCH_MIN)
      onSelect(Math.min(begin, left(event)), Math.max(begin, left(event)));
    begin = null;
  });
  u.over.addEventListener("pointercancel", () => {
    begin = null;
    selectNothing(u);
  });
}

const selectNothing = (u) => u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);

function optionsOf({ curves, look, zone, size, onCursor }, shown, select) {
  const units = [...new Set(curves.map(({ unit }) => unit))];
  const selected = ({ select: { left, width } }) => width > 4 && select(left, left + width);
  return {
    ...size,
    ms: 1,
    tzDate: zone ? (ms) => uPlot.tzDate(new Date(ms), zone) : (ms) => new Date(ms),
    legend: { show: false },
    padding: [10, units.length > 1 ? 0 : 22, 0, 0],
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 8 }, bind: { dblclick: () => null } },
    scales: {
      x: { time: true, range: () => shown.range },
      ...Object.fromEntries(units.map((unit) => [unit, { range: valueRange(unit) }])),
    },
    axes: axes(units, look),
    series: [{}, ...curves.flatMap(seriesOf)],
    bands: bandsOf(curves),
    hooks: {
      drawAxes: units.slice(0, 1).map((unit) => zeroLine(unit, look.zero)),
      setSelect: [selected],
      setCursor: [(u) => onCursor(u.cursor.idx ?? null)],
    },
  };
}

/* curves: [{ unit, color, fill, band, raw }]; look: colours, font, tick(ms, increment), number(value, splits); data
 * as uPlot wants it; range: [from, to]. onZoom(fromMs, toMs), onCursor(index or null). */
export function createChart(root, given) {
  const shown = { range: given.range };
  const select = (left, right) => {
    selectNothing(u);
    given.onZoom(u.posToVal(left, "x"), u.posToVal(right, "x"));
  };
  const u = new uPlot(optionsOf(given, shown, select), given.data, root);
  followTouch(u, select);
  return {
    setRange([min, max]) {
      shown.range = [min, max];
      u.setScale("x", { min, max });
    },
    setData(data, range) {
      shown.range = range;
      u.setData(data);
    },
    setSize: (size) => u.setSize(size),
    setCursor: (index) => u.setCursor({ left: u.valToPos(u.data[0][index], "x"), top: u.over.clientHeight / 2 }),
    destroy: () => u.destroy(),
  };
}
