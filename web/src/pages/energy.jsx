/* Energy by hour, day, month and year, what it cost, and how today compares. */
import { ask, meterPath, query } from "../api.js";
import {
  barsOf,
  COMPARE_STEP,
  compareDays,
  isIncomplete,
  neighbour,
  PERIODS,
  slotsOf,
  totalsOf,
  windowOf,
} from "../energy_view.js";
import { DASH, formatEnergy, formatMoney, formatNumber, formatPercent, formatTime } from "../format.js";
import { timeText } from "../history_view.js";
import { t } from "../i18n.js";
import { gateway } from "../live.js";
import { Bars } from "../parts/bars.jsx";
import { Failure, IconButton, Segments, Table, useAnswer, useNow } from "../parts/common.jsx";
import { Download } from "../parts/download.jsx";
import { useZone } from "../parts/site_zone.jsx";
import { formatRoute, go } from "../route.js";
import { useStore } from "../store.js";
import { dateOf, midnight, partsOf } from "../zone.js";

const REFRESH_MS = 60000;
const FINER = { year: "month", month: "day", day: "hour" };

const NAMES = {
  hour: { dateStyle: "full" },
  day: { month: "long", year: "numeric" },
  month: { year: "numeric" },
};

function windowName(period, { from, to }, zone) {
  if (period !== "year") return formatTime(from, NAMES[period], zone);
  return `${partsOf(from, zone).year}\u2013${partsOf(to - 1, zone).year}`;
}

const TICKS = {
  hour: { hour: "2-digit", minute: "2-digit" },
  month: { month: "short" },
  year: { year: "numeric" },
};
const BAR_NAMES = {
  hour: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  day: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
  month: { month: "long", year: "numeric" },
  year: { year: "numeric" },
};

function tickOf(period, zone) {
  return (ms) => (period === "day" ? String(partsOf(ms, zone).day) : formatTime(ms, TICKS[period], zone));
}

const costText = (cost) =>
  Object.entries(cost ?? {})
    .map(([currency, value]) => formatMoney(value, currency))
    .join(", ");

function describeBar(period, zone) {
  return ({ ms, row }) => {
    const name = formatTime(ms, BAR_NAMES[period], zone);
    if (!row || row.import_kwh === null) return `${name}: ${t("energy.unknown")}`;
    const parts = [`${t("energy.import")} ${formatEnergy(row.import_kwh)}`];
    if (row.export_kwh) parts.push(`${t("energy.export")} ${formatEnergy(row.export_kwh)}`);
    if (row.cost) parts.push(costText(row.cost));
    if (isIncomplete(row)) parts.push(t("energy.known", { part: formatPercent(row.complete) }));
    return `${name}: ${parts.join(", ")}`;
  };
}

function Totals({ rows }) {
  const totals = totalsOf(rows);
  if (!totals.known) return null;
  const item = (label, value, kind) => (
    <div key={label}>
      <dt data-flow={kind}>{label}</dt>
      <dd>
        <span class="value">{value}</span>
      </dd>
    </div>
  );
  return (
    <dl class="tiles totals">
      {item(t("energy.import"), formatEnergy(totals.import), "import")}
      {totals.export > 0 && item(t("energy.export"), formatEnergy(totals.export), "export")}
      {Object.entries(totals.costs).map(([currency, value]) =>
        item(t("energy.cost"), formatMoney(value, currency)),
      )}
      {totals.incomplete > 0 && item(t("energy.incomplete"), formatNumber(totals.incomplete))}
    </dl>
  );
}

function EnergyTable({ rows, period, zone, link }) {
  const costs = rows.some((row) => row.cost !== undefined);
  const columns = [
    [t(`period.${period}`)],
    [`${t("energy.import")}, kWh`, "number"],
    [`${t("energy.export")}, kWh`, "number"],
    ...(costs ? [[t("energy.cost"), "number"]] : []),
    [t("energy.complete"), "number"],
  ];
  const number = (value) => formatNumber(value, { decimals: 3 });
  return (
    <details class="card">
      <summary>{t("energy.table")}</summary>
      <Table
        label={t("energy.table")}
        columns={columns}
        rows={rows.map((row) => ({
          key: row.start_ms,
          cells: [
            link(row, formatTime(row.start_ms, BAR_NAMES[period], zone)),
            number(row.import_kwh),
            number(row.export_kwh),
            ...(costs ? [costText(row.cost) || DASH] : []),
            row.import_kwh === null ? DASH : formatPercent(row.complete),
          ],
        }))}
      />
    </details>
  );
}

/* --- today and yesterday --- */

const WIDTH = 600;
const HEIGHT = 130;

function line(points, day, top) {
  return points
    .map(([ms, kwh], i) =>
      [i === 0 ? "M" : "L", (ms / day) * WIDTH, " ", HEIGHT - 4 - (kwh / top) * (HEIGHT - 12)]
        .map((part) => part.toFixed?.(1) ?? part)
        .join(""),
    )
    .join("");
}

function Days({ days, label }) {
  const day = Math.max(86400000, days.before[days.before.length - 1][0]);
  const top = Math.max(0.001, ...days.before.map(([, kwh]) => kwh), ...days.current.map(([, kwh]) => kwh));
  return (
    <svg class="days" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT - 4} y2={HEIGHT - 4} />
      <path class="before" d={line(days.before, day, top)} vector-effect="non-scaling-stroke" />
      <path class="current" d={line(days.current, day, top)} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

function difference({ today, same }) {
  if (same <= 0) return null;
  const part = today / same - 1;
  return t(part < 0 ? "compare.less" : "compare.more", { part: formatPercent(Math.abs(part), 0) });
}

/* Both totals of both days in one question; export only where there is some. */
function useDays(meter, days, now) {
  const values = { agg: "delta", step: COMPARE_STEP, from: timeText(days.yesterday), to: timeText(now) };
  const { data } = useAnswer(
    (signal) => {
      const series = "energy_import_kwh,energy_export_kwh";
      return ask(meterPath(meter, `/history?${query({ series, ...values })}`), signal);
    },
    [meter, days.today, now],
  );
  if (!data) return [];
  return ["import", "export"]
    .map((flow) => ({ flow, days: compareDays(data, `energy_${flow}_kwh`, { ...days, now }) }))
    .filter(({ flow, days: d }) => d && (flow === "import" || d.today > 0 || d.before.some(([, kwh]) => kwh > 0)));
}

function Compared({ flow, days }) {
  const [today, before] = [formatEnergy(days.today), formatEnergy(days.same)];
  const words = [t("compare.yesterday", { value: before }), difference(days)].filter(Boolean);
  return (
    <div class="comparison" data-flow={flow}>
      <h3>{t(`energy.${flow}`)}</h3>
      <p class="now">{today}</p>
      <p class="quiet">{words.join(" \u00b7 ")}</p>
      <Days days={days} label={t("compare.chart", { today, before })} />
      <p class="keys quiet">
        <span data-line="current">{t("compare.today")}</span>
        <span data-line="before">{t("compare.before")}</span>
      </p>
    </div>
  );
}

function Comparison({ meter, zone }) {
  const now = useNow(REFRESH_MS);
  const { year, month, day } = partsOf(now, zone);
  const days = { today: midnight(year, month, day, zone), yesterday: midnight(year, month, day - 1, zone) };
  const flows = useDays(meter, days, now);
  if (flows.length === 0) return null;
  const until = formatTime(flows[0].days.end, { timeStyle: "short" }, zone);
  return (
    <section class="card" aria-labelledby="compare">
      <h2 id="compare">{t("compare.title", { time: until })}</h2>
      <div class="comparisons">
        {flows.map((one) => (
          <Compared key={one.flow} {...one} />
        ))}
      </div>
    </section>
  );
}

/* --- the page --- */

function channelsOf(meter) {
  return [
    ...new Set(
      Object.keys(meter?.readings ?? {})
        .filter((key) => key.endsWith(".energy_import_kwh"))
        .map((key) => key.split(".")[0]),
    ),
  ];
}

function Toolbar({ view, meters, meter, period, span, now, zone }) {
  const to = (patch) => go("energy", { meter: view.meter, channel: view.channel, period, at: view.at, ...patch });
  const step = (by) => to({ at: neighbour(period, view.at, by, now, zone) });
  const channels = channelsOf(meter);
  return (
    <div class="toolbar">
      {meters.length > 1 && (
        <Segments
          label={t("meter")}
          value={meter.id}
          options={meters.map((m) => [m.id, m.name])}
          onChange={(id) => to({ meter: id, channel: undefined })}
        />
      )}
      {channels.length > 0 && (
        <Segments
          label={t("live.channel")}
          value={view.channel ?? ""}
          onChange={(channel) => to({ channel })}
          options={[["", t("energy.all")], ...channels.map((c) => [c, c.toUpperCase()])]}
        />
      )}
      <Segments
        label={t("energy.period")}
        value={period}
        options={PERIODS.map((key) => [key, t(`period.${key}`)])}
        onChange={(key) => to({ period: key })}
      />
      <div class="walk">
        <IconButton icon="back" label={t("energy.before")} onClick={() => step(-1)} />
        <h2 aria-live="polite">{windowName(period, span, zone)}</h2>
        <IconButton icon="forward" label={t("energy.after")} disabled={span.to > now} onClick={() => step(1)} />
      </div>
    </div>
  );
}

function EnergyOf({ view, meters, meter, zone }) {
  const now = useNow(REFRESH_MS);
  const period = PERIODS.includes(view.period) ? view.period : "day";
  const span = windowOf(period, view.at, now, zone);
  const values = {
    period,
    from: timeText(span.from),
    to: timeText(Math.min(span.to, now)),
    channel: view.channel,
  };
  const fetched = useAnswer(
    async (signal) => ({
      key: `${period}${span.from}`,
      ...(await ask(meterPath(meter.id, `/energy?${query(values)}`), signal)),
    }),
    [meter.id, view.channel, period, span.from, Math.min(span.to, now)],
  );
  const data = fetched.data?.key === `${period}${span.from}` ? fetched.data : null;
  const rows = (data?.rows ?? []).filter((row) => row.start_ms >= span.from && row.start_ms < span.to);
  const finer = FINER[period];
  const inside = (ms) => ({ ...view, period: finer, at: dateOf(ms, zone) });
  const open = finer ? (bar) => bar.row && go("energy", inside(bar.ms)) : undefined;
  /* What a click on a bar does, for the keyboard. */
  const link = (row, name) => (finer ? <a href={formatRoute("energy", inside(row.start_ms))}>{name}</a> : name);
  return (
    <>
      <Toolbar view={view} meters={meters} meter={meter} period={period} span={span} now={now} zone={zone} />
      <Failure error={fetched.error} />
      <section class="card" aria-busy={data === null}>
        <Totals rows={rows} />
        <Bars
          bars={barsOf(slotsOf(period, span, zone), rows, period)}
          tick={tickOf(period, zone)}
          describe={describeBar(period, zone)}
          label={t("energy.chart", { meter: meter.name, period: windowName(period, span, zone) })}
          onOpen={open}
        />
        <p class="keys quiet">
          <span data-key="import">{t("energy.import")}</span>
          <span data-key="export">{t("energy.export")}</span>
          <span data-key="incomplete">{t("energy.incomplete.key")}</span>
          <span>kWh</span>
        </p>
      </section>
      {!view.channel && <Comparison meter={meter.id} zone={zone} />}
      <EnergyTable rows={rows} period={period} zone={zone} link={link} />
      <div class="toolbar below">
        <div class="buttons">
          <Download
            label="CSV"
            name={`${meter.id}-${period}.csv`}
            path={meterPath(meter.id, `/energy?${query({ ...values, format: "csv" })}`)}
          />
        </div>
      </div>
    </>
  );
}

export function Energy({ view }) {
  const { meters, phase } = useStore(gateway);
  const zone = useZone();
  const meter = meters.find((m) => m.id === view.meter) ?? meters[0];
  if (!meter) return phase === "live" ? <p class="empty quiet">{t("live.none")}</p> : null;
  if (zone === undefined) return null;
  return <EnergyOf view={view} meters={meters} meter={meter} zone={zone ?? undefined} />;
}
