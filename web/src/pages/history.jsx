/* The past: any series of any meter, from five years down to single reports. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, meterPath, query } from "../api.js";
import { DASH, formatDuration, formatMoment, formatNumber, formatTick, formatTime, withUnit } from "../format.js";
import {
  curvesOfRaw,
  curvesOfSteps,
  exportsOf,
  extremesOf,
  formatSeries,
  joinCurves,
  parseSeries,
  PRESETS,
  rangeOf,
  requestsOf,
  SERIES_MAX,
  timeText,
  viewOfRange,
} from "../history_view.js";
import { currentLanguage, t } from "../i18n.js";
import { gateway } from "../live.js";
import { CopyButton, Failure, IconButton, markPaint, Segments, seriesLabel, unitOf } from "../parts/common.jsx";
import { Download } from "../parts/download.jsx";
import { Icon } from "../parts/icon.jsx";
import { useZone } from "../parts/site_zone.jsx";
import { formatRoute, go } from "../route.js";
import { useStore } from "../store.js";
import { watchTheme } from "../theme.js";

const FOLLOW_MIN_MS = 5000;
const FOLLOW_STEPS = 400; /* a range that follows the clock moves on by this part of itself */
const BAND_ALPHA = ["2e", "22", "16"]; /* fainter where several lie on each other */
const COLORS = 6; /* --curve-1 .. in the style sheet */

/* The steps and, close enough, the reports; too many reports at once: the steps again. */
async function loadGroup(request, signal) {
  const path = (values) => meterPath(request.meter, `/history?${query(values)}`);
  const [steps, raw] = await Promise.all([
    ask(path(request.steps), signal),
    request.raw ? ask(path(request.raw), signal) : null,
  ]);
  const useRaw = raw !== null && raw.next === null;
  return {
    curves: useRaw ? curvesOfRaw(request, raw, steps) : curvesOfSteps(request, steps),
    raw: useRaw,
    step: steps.step_s,
    tier: useRaw ? "raw" : steps.tier,
  };
}

async function loadHistory(series, requests, range, signal) {
  const groups = await Promise.all(requests.map((request) => loadGroup(request, signal)));
  const all = groups.flatMap((group) => group.curves.map((curve) => ({ ...curve, raw: group.raw })));
  const ordered = series.map(({ meter, key }) => all.find((c) => c.meter === meter && c.key === key));
  const { times, curves } = joinCurves(ordered);
  return {
    times,
    curves,
    raw: groups.some((g) => g.raw),
    step: groups[0]?.step,
    tier: groups[0]?.tier,
    range,
    series: formatSeries(series),
  };
}

/* The view's range, moved on with the clock while it follows it. */
function useRange(view) {
  const [now, setNow] = useState(Date.now());
  const range = rangeOf(view, now);
  const every = Math.max(FOLLOW_MIN_MS, (range.to - range.from) / FOLLOW_STEPS);
  useEffect(() => {
    if (!range.follows) return undefined;
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [range.follows, every]);
  useEffect(() => setNow(Date.now()), [view.from, view.to]);
  return range;
}

/* Busy from the moment that something else is shown, and not only when it has been asked for. */
function useHistory(series, range, width, quantities) {
  const [result, setResult] = useState({ data: null, error: null, wanted: null });
  const name = formatSeries(series);
  const wanted = [name, range.from, range.to, width].join();
  useEffect(() => {
    if (series.length === 0 || width === 0) return undefined;
    const controller = new AbortController();
    const isCounter = (key) => quantities.get(key.slice(key.indexOf(".") + 1))?.kind === "counter";
    const requests = requestsOf(series, range, width, isCounter);
    loadHistory(series, requests, range, controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) setResult({ data: { ...data, requests }, error: null, wanted });
      },
      (error) => {
        if (!controller.signal.aborted) setResult((before) => ({ ...before, error, wanted }));
      },
    );
    return () => controller.abort();
  }, [wanted]);
  return { ...result, busy: result.wanted !== wanted };
}

/* --- the chart --- */

const cssValue = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* As many decimals as tell neighbouring ticks apart. */
function tickNumber(value, splits) {
  const distance = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : 1;
  return formatNumber(value, { decimals: Math.max(0, Math.min(4, Math.ceil(-Math.log10(distance) - 1e-9))) });
}

function lookOf(zone) {
  return {
    text: cssValue("--quiet"),
    grid: cssValue("--line"),
    zero: cssValue("--quiet"),
    font: `12px ${cssValue("--font")}`,
    tick: (ms, increment) => formatTick(ms, increment, zone ?? undefined),
    number: tickNumber,
  };
}

function curveLooks(data, quantities) {
  return data.curves.map((curve, i) => {
    const color = cssValue(`--curve-${(i % COLORS) + 1}`);
    return {
      unit: unitOf(curve.key, quantities),
      color,
      fill: `${color}${BAND_ALPHA[Math.min(data.curves.length, BAND_ALPHA.length) - 1]}`,
      band: curve.low !== null && curve.high !== null,
      raw: curve.raw,
    };
  });
}

function columnsOf(data, looks) {
  return [data.times, ...data.curves.flatMap((c, i) => (looks[i].band ? [c.mean, c.low, c.high] : [c.mean]))];
}

/* Made anew when its shape changes; else it only gets other data. */
function useChart(chart, box, data, range, zone, quantities, actions) {
  const shape = useRef("");
  const [theme, again] = useState(0);
  useEffect(() => watchTheme(() => again((n) => n + 1)), []);
  useEffect(() => {
    import("./chart.js");
  }, []); /* beside the first question, not after its answer */
  useEffect(() => {
    if (!data) return undefined;
    let gone = false;
    import("./chart.js").then(({ createChart }) => {
      if (gone || !box.current) return;
      const looks = curveLooks(data, quantities);
      const next = JSON.stringify([looks, theme, zone, currentLanguage()]);
      const columns = columnsOf(data, looks);
      const shown = [data.range.from, data.range.to];
      if (chart.current && shape.current === next) chart.current.setData(columns, shown);
      else {
        chart.current?.destroy();
        shape.current = next;
        chart.current = createChart(box.current, {
          curves: looks,
          look: lookOf(zone),
          zone,
          range: shown,
          data: columns,
          size: { width: box.current.clientWidth, height: box.current.clientHeight },
          ...actions.current,
        });
        box.current.dataset.ready = data.series;
      }
      markPaint("metergate-chart");
    });
    return () => {
      gone = true;
    };
  }, [data, theme, zone, currentLanguage()]);
  useEffect(() => {
    chart.current?.setRange([range.from, range.to]);
  }, [range.from, range.to]);
  useEffect(
    () => () => {
      chart.current?.destroy();
      chart.current = null;
    },
    [],
  );
}

function useWidth(box, chart) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    const measure = () => {
      const size = { width: element.clientWidth, height: element.clientHeight };
      if (size.width === 0) return;
      chart.current?.setSize(size);
      setWidth(Math.round(size.width / 100) * 100); /* no new question for every pixel */
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  return width;
}

/* --- around it --- */

function SeriesRow({ series, i, curve, index, quantities, name, onRemove, zone }) {
  const unit = unitOf(series.key, quantities);
  const at =
    index === null || !curve
      ? null
      : { mean: curve.mean[index], low: curve.low?.[index], high: curve.high?.[index] };
  const { low, high } = curve ? extremesOf(curve) : { low: null, high: null };
  const extreme = (e) =>
    e ? <span title={formatMoment(e.ms, zone ?? undefined)}>{withUnit(e.value, unit)}</span> : DASH;
  return (
    <tr>
      <th scope="row">
        <span class="swatch" style={{ background: `var(--curve-${(i % COLORS) + 1})` }} />
        {name}
      </th>
      <td class="number now">
        {at ? withUnit(at.mean ?? null, unit) : DASH}
        {at && typeof at.low === "number" && (
          <span class="quiet band">{`${withUnit(at.low, unit)} \u2026 ${withUnit(at.high, unit)}`}</span>
        )}
      </td>
      <td class="number">{extreme(low)}</td>
      <td class="number">{extreme(high)}</td>
      <td class="tool">
        {onRemove && <IconButton icon="close" label={t("history.remove", { name })} onClick={onRemove} />}
      </td>
    </tr>
  );
}

function cursorTime(ms, data, zone) {
  const time = { dateStyle: "medium", timeStyle: data.raw || data.step < 60 ? "medium" : "short" };
  const day = { dateStyle: "medium" };
  return formatTime(ms, data.step >= 86400 && !data.raw ? day : time, zone ?? undefined);
}

function Legend({ series, data, index, quantities, meters, view, zone }) {
  const name = ({ meter, key }) =>
    (meters.length > 1 ? `${meters.find((m) => m.id === meter)?.name ?? meter}: ` : "") +
    seriesLabel(key, quantities);
  const remove = (s) => () => go("history", { ...view, series: formatSeries(series.filter((o) => o !== s)) });
  return (
    <div class="scroll" role="group" aria-label={t("series")} tabIndex={0}>
      <table class="legend">
        <thead>
          <tr>
            <th scope="col">{t("series")}</th>
            <th scope="col" class="number now">
              {index !== null && data ? cursorTime(data.times[index], data, zone) : t("history.cursor")}
            </th>
            <th scope="col" class="number">
              {t("history.least")}
            </th>
            <th scope="col" class="number">
              {t("history.greatest")}
            </th>
            <td class="tool" />
          </tr>
        </thead>
        <tbody>
          {series.map((s, i) => (
            <SeriesRow
              key={`${s.meter}:${s.key}`}
              series={s}
              i={i}
              index={index}
              quantities={quantities}
              name={name(s)}
              zone={zone}
              curve={data?.curves.find((c) => c.meter === s.meter && c.key === s.key)}
              onRemove={series.length > 1 ? remove(s) : null}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AddSeries({ series, meters, quantities, view }) {
  if (series.length >= SERIES_MAX) return null;
  const taken = new Set(series.map(({ meter, key }) => `${meter}:${key}`));
  const add = (event) => {
    const [meter, key] = event.target.value.split(":");
    event.target.value = "";
    if (key) go("history", { ...view, series: formatSeries([...series, { meter, key }]) });
  };
  return (
    <label class="choice wide">
      <Icon name="plus" />
      <span class="hidden">{t("history.add")}</span>
      <select value="" onChange={add}>
        <option value="">{t("history.add")}</option>
        {meters.map((m) => (
          <optgroup key={m.id} label={m.name}>
            {Object.keys(m.readings)
              .filter((key) => !taken.has(`${m.id}:${key}`))
              .map((key) => (
                <option key={key} value={`${m.id}:${key}`}>
                  {seriesLabel(key, quantities)}
                </option>
              ))}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

function Walk({ range, move }) {
  return (
    <div class="buttons">
      <IconButton icon="back" label={t("history.earlier")} onClick={() => move(-0.5, 1)} />
      <IconButton icon="out" label={t("history.out")} onClick={() => move(0, 3)} />
      <IconButton icon="in" label={t("history.in")} onClick={() => move(0, 1 / 3)} />
      <IconButton icon="forward" label={t("history.later")} disabled={range.follows} onClick={() => move(0.5, 1)} />
    </div>
  );
}

function Sources({ data, meters, range, series }) {
  if (!data) return null;
  const link = () =>
    location.href.split("#")[0] +
    formatRoute("history", { series: formatSeries(series), from: timeText(range.from), to: timeText(range.to) });
  return (
    <div class="toolbar below">
      <p class="quiet">
        {data.raw ? t("history.reports") : t("history.step", { step: formatDuration(data.step) })}
      </p>
      <div class="buttons">
        {exportsOf(data.requests, data.raw).map(({ meter, query: values }) => (
          <Download
            key={meter + values.series}
            path={meterPath(meter, `/history?${query(values)}`)}
            name={`${meter}.csv`}
            label={meters.length > 1 ? `CSV: ${meters.find((m) => m.id === meter)?.name ?? meter}` : "CSV"}
          />
        ))}
        <CopyButton icon="link" label="history.link" text={link} />
      </div>
    </div>
  );
}

const KEYS = { "+": [0, 1 / 3], "=": [0, 1 / 3], "-": [0, 3], PageUp: [-0.5, 1], PageDown: [0.5, 1] };

/* Arrows move the cursor, + and - zoom, Page Up and Down walk: what a mouse does, without one. */
function keyHandler(chart, data, index, move) {
  return (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !data) return;
    if (KEYS[event.key]) move(...KEYS[event.key]);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const by = (event.shiftKey ? 10 : 1) * (event.key === "ArrowLeft" ? -1 : 1);
      const from = index ?? (by < 0 ? data.times.length : -1);
      chart.current?.setCursor(Math.min(Math.max(from + by, 0), data.times.length - 1));
    } else return;
    event.preventDefault();
  };
}

/* Where the view goes: onZoom to a range, move by parts of the one that is shown. The chart lives longer than a view
 * and keeps one pair of functions. */
function useWalking(view, series, range, setIndex) {
  const show = (from, to) =>
    go("history", { ...view, series: formatSeries(series), ...viewOfRange(from, to, Date.now()) });
  const move = (by, zoom) => {
    const span = range.to - range.from;
    const middle = (range.from + range.to) / 2 + by * span;
    show(middle - (span * zoom) / 2, middle + (span * zoom) / 2);
  };
  const latest = useRef(show);
  latest.current = show;
  const actions = useRef({ onZoom: (from, to) => latest.current(from, to), onCursor: setIndex });
  return { move, actions };
}

const isEmpty = (data) => data.curves.every((c) => c.mean.every((value) => typeof value !== "number"));

export function History({ view }) {
  const { meters, quantities, service } = useStore(gateway);
  const zone = useZone();
  const box = useRef(null);
  const chart = useRef(null);
  const [index, setIndex] = useState(null);
  const range = useRange(view);
  const series = parseSeries(view.series, meters);
  const { move, actions } = useWalking(view, series, range, setIndex);
  const width = useWidth(box, chart);
  const { data, error, busy } = useHistory(service ? series : [], range, width, quantities);
  useChart(chart, box, data, range, zone, quantities, actions);
  const valid = data !== null && index !== null && index < data.times.length ? index : null;
  const shared = { series, data, meters, quantities, view, range, zone };
  const presets = PRESETS.map((key) => [key, t(`history.preset${key}`)]);
  const choose = (from) => go("history", { series: view.series, from });
  const onKeyDown = keyHandler(chart, data, valid, move);
  return (
    <>
      <div class="toolbar">
        <Segments label={t("history.range")} value={range.preset} onChange={choose} options={presets} />
        <Walk range={range} move={move} />
        <AddSeries {...shared} />
      </div>
      <Failure error={error} />
      <div class="card chart-card">
        <div
          class="chart"
          ref={box}
          tabIndex={0}
          role="group"
          aria-label={t("history.chart")}
          aria-busy={busy}
          onKeyDown={onKeyDown}
        />
        {data && isEmpty(data) && <p class="empty quiet">{t("history.nothing")}</p>}
        <Legend {...shared} index={valid} />
      </div>
      <Sources {...shared} />
      <p class="quiet help">{t("history.help")}</p>
    </>
  );
}
