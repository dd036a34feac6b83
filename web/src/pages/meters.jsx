/* The truth about each meter's link: what it was, what went wrong and why, and the bytes themselves. */
import { useState } from "preact/hooks";
import { act, ask, askText, meterPath, token } from "../api.js";
import { DASH, formatAgo, formatMoment, formatNumber, formatPercent, formatTime, withUnit } from "../format.js";
import { has, t } from "../i18n.js";
import { countersOf, framesOf, onlinePart, spaced, timelineOf } from "../link_time.js";
import { gateway } from "../live.js";
import {
  Failure,
  Segments,
  seriesLabel,
  Spoken,
  stateLabel,
  StatePill,
  Table,
  unitOf,
  useAnswer,
} from "../parts/common.jsx";
import { Download } from "../parts/download.jsx";
import { useZone } from "../parts/site_zone.jsx";
import { Accepted, Suggestion } from "../parts/suggestion.jsx";
import { go } from "../route.js";
import { useStore } from "../store.js";

const REFRESH_MS = 5000;
const DAY_MS = 86400000;
const SPANS = { "1d": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS };
const EVENTS_SHOWN = 100;
const FRAMES_SHOWN = 100;
const PAGE = 1000;

/* The events go from the oldest to the newest, page by page; what came once is not asked for again. */
const log = { events: [], next: "0" };

async function askEvents(signal) {
  for (;;) {
    const { events, next } = await ask(`api/v1/events?after=${log.next}&limit=${PAGE}`, signal);
    log.events = [...log.events, ...events].slice(-5 * PAGE);
    log.next = next;
    if (events.length < PAGE) return log.events;
  }
}

const humanized = (key) => <span lang="en">{key.replaceAll("_", " ")}</span>;

/* --- link state over time --- */

function Timeline({ events, meter, view }) {
  const length = SPANS[view.span] ? view.span : "1d";
  const to = Date.now();
  const from = to - SPANS[length];
  const spans = timelineOf(events, meter.id, from, to, meter.state);
  const part = onlinePart(spans);
  const x = (ms) => ((ms - from) / (to - from)) * 1000;
  const words = part === null ? t("link.unknown") : t("link.online", { part: formatPercent(part, 2) });
  const edge = (ms) => formatTime(ms, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  return (
    <section class="card" aria-labelledby="link">
      <div class="head">
        <h2 id="link">{t("link.title")}</h2>
        <Segments
          label={t("history.range")}
          value={length}
          options={Object.keys(SPANS).map((key) => [key, t(`history.preset-${key === "1d" ? "24h" : key}`)])}
          onChange={(span) => go("meters", { ...view, meter: meter.id, span })}
        />
      </div>
      <svg class="timeline" viewBox="0 0 1000 28" preserveAspectRatio="none" role="img" aria-label={words}>
        {spans.map((s) => (
          <rect
            key={s.from}
            data-state={s.state}
            x={x(s.from)}
            y="0"
            width={Math.max(x(s.to) - x(s.from), 1)}
            height="28"
          >
            <title>{`${stateLabel(s.state)}: ${formatMoment(s.from)} \u2013 ${formatMoment(s.to)}`}</title>
          </rect>
        ))}
      </svg>
      <p class="edges quiet">
        <span>{edge(from)}</span>
        <span>{words}</span>
        <span>{edge(to)}</span>
      </p>
    </section>
  );
}

/* --- what is known of it --- */

function detailText(detail) {
  if (detail.value_ms !== undefined) return formatAgo(detail.age_s);
  if (detail.secret && detail.value === "masked") return t("details.secret");
  if (typeof detail.value === "boolean") return t(detail.value ? "yes" : "no");
  return String(detail.value);
}

function portText(link) {
  return link.open ? link.port : `${link.port} (${link.error ?? t("details.closed")})`;
}

function factsOf(d, quantities) {
  const facts = [
    [t("details.since"), formatMoment(d.since_ms)],
    [t("details.firmware"), d.firmware ?? DASH],
    [t("details.profile"), d.profile ? `${d.profile.title} (${d.profile.name})` : DASH],
    [t("details.port"), portText(d.link)],
    // A recording brings both lines.
    ...(d.link_tx && d.link_tx.port !== d.link.port ? [[t("details.port_tx"), portText(d.link_tx)]] : []),
    [t("details.baud"), d.link.baud === null ? DASH : formatNumber(d.link.baud)],
    [
      t("details.latency"),
      d.latency.count > 0 ? t("details.took", { mean: d.latency.mean_ms, max: d.latency.max_ms }) : DASH,
    ],
    [t("details.frames"), formatNumber(d.framing.frames)],
  ];
  for (const [key, detail] of Object.entries(d.details))
    if (detail.value !== null)
      facts.push([
        has(`detail.${key}`) ? t(`detail.${key}`) : <span lang="en">{detail.label}</span>,
        detailText(detail),
      ]);
  for (const r of d.registers)
    if (r.register !== r.published)
      facts.push([
        t("details.register", {
          series: seriesLabel(r.channel ? `${r.channel}.${r.quantity}` : r.quantity, quantities),
        }),
        withUnit(r.register, "kWh"),
      ]);
  return facts;
}

function Facts({ meter, diagnostics, quantities }) {
  return (
    <section class="card" aria-labelledby="facts">
      <div class="head">
        <h2 id="facts">{meter.name}</h2>
        <StatePill state={diagnostics.state} />
      </div>
      <p>
        <Spoken text={diagnostics.reason} />
        {diagnostics.hint && (
          <>
            {". "}
            <Spoken text={diagnostics.hint} />
          </>
        )}
      </p>
      <dl class="facts">
        {factsOf(diagnostics, quantities).map(([label, value], i) => (
          <div key={i}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Actions meter={meter} />
    </section>
  );
}

function Actions({ meter }) {
  const [result, setResult] = useState(null);
  if (!token()) return <p class="quiet">{t("actions.token")}</p>;
  const run = async (action) => {
    try {
      await act(meter.id, action);
      setResult(t("actions.accepted"));
    } catch (error) {
      setResult(error.status === 403 ? t("actions.forbidden") : t("failed", { reason: error.message }));
    }
  };
  return (
    <div class="row">
      <button onClick={() => run("query")}>{t("actions.query")}</button>
      {meter.protocol === "vue" && <button onClick={() => run("rejoin")}>{t("actions.rejoin")}</button>}
      <p role="status">{result ?? ""}</p>
    </div>
  );
}

function Counters({ diagnostics }) {
  const name = (group, key) => (has(`${group}.${key}`) ? t(`${group}.${key}`) : humanized(key));
  return (
    <section class="card" aria-labelledby="counters">
      <h2 id="counters">{t("counters.title")}</h2>
      <div class="counters">
        {countersOf(diagnostics).map(({ group, counted, zero }) => (
          <div key={group}>
            <h3>{t(group === "counters" ? "counters.link" : `${group}.title`)}</h3>
            {counted.length === 0 && <p class="quiet">{t("counters.none")}</p>}
            <dl class="counts">
              {counted.map(([key, n]) => (
                <div key={key}>
                  <dt>{name(group, key)}</dt>
                  <dd>{formatNumber(n)}</dd>
                </div>
              ))}
            </dl>
            {zero.length > 0 && counted.length > 0 && (
              <details>
                <summary>{t("counters.zero", { count: zero.length })}</summary>
                <ul class="quiet">
                  {zero.map(([key]) => (
                    <li key={key}>{name(group, key)}</li>
                  ))}
                </ul>
              </details>
            )}
          </div>
        ))}
      </div>
    </section>
  );
}

/* --- events --- */

const KINDS = ["started", "stopped", "state", "reconnected", "withheld", "counter_reset", "clock"];

/* The reasons of withheld readings and the like stay in the gateway's words. */
function reasonOf(event) {
  const match = /: ([^:]+)$/.exec(event.text);
  return match && event.kind === "withheld" ? match[1] : null;
}

function EventText({ event, quantities, names }) {
  if (!KINDS.includes(event.kind)) return <span lang="en">{event.text}</span>;
  const unit = event.series ? unitOf(event.series, quantities) : "";
  const values = {
    meter: names.get(event.meter) ?? event.meter ?? "",
    series: event.series ? seriesLabel(event.series, quantities) : "",
    value:
      event.kind === "clock"
        ? formatNumber((event.value ?? 0) / 1000, { decimals: 1, signed: true })
        : withUnit(event.value, unit),
    previous: withUnit(event.previous, unit),
    state: event.kind === "state" ? stateLabel(/: ([a-z_ ]+)$/.exec(event.text)?.[1] ?? "unknown") : "",
  };
  const reason = reasonOf(event);
  return (
    <>
      {t(`event.${event.kind}`, values)}
      {reason && (
        <>
          {": "}
          <Spoken text={reason} />
        </>
      )}
      {event.repeats > 0 && (
        <span class="quiet">{` (${t("event.repeats", { count: formatNumber(event.repeats) })})`}</span>
      )}
    </>
  );
}

function Events({ events, meter, quantities, names }) {
  const [all, setAll] = useState(false);
  const own = events.filter((e) => e.meter === null || e.meter === meter.id).reverse();
  const shown = all ? own : own.slice(0, EVENTS_SHOWN);
  return (
    <details class="card" open>
      <summary>{t("events.title")}</summary>
      <Table
        label={t("events.title")}
        columns={[[t("time")], [t("event")]]}
        empty={t("events.none")}
        rows={shown.map((e) => ({
          key: e.cursor,
          cells: [formatMoment(e.at_ms), <EventText event={e} quantities={quantities} names={names} />],
        }))}
      />
      {own.length > shown.length && (
        <button onClick={() => setAll(true)}>{t("events.all", { count: formatNumber(own.length) })}</button>
      )}
    </details>
  );
}

/* --- bytes --- */

function rawText(d) {
  const value = d.raw ?? d.text;
  return value !== undefined ? String(value) : spaced(d.hex);
}

function Datapoints({ meter, quantities }) {
  const { data, error } = useAnswer(
    (signal) => ask(meterPath(meter.id, "/datapoints?suggest=1"), signal),
    [meter.id],
    REFRESH_MS,
  );
  if (!data) return <Failure error={error} />;
  const named = data.datapoints.some((d) => d.attribute !== undefined);
  const meaning = (d) =>
    d.quantity ? (
      seriesLabel(d.channel ? `${d.channel}.${d.quantity}` : d.quantity, quantities)
    ) : d.name ? (
      <span lang="en">{d.name}</span>
    ) : d.suggestions || d.cannot_tell ? (
      <Suggestion id={meter.id} d={d} quantities={quantities} />
    ) : (
      DASH
    );
  return (
    <>
      {data.hint && (
        <p class="notice">
          <Spoken text={data.hint} />
        </p>
      )}
      <Accepted id={meter.id} since={data.observed_since_ms} />
      <Table
        label={t("datapoints.title")}
        empty={t("datapoints.none")}
        columns={[
          [named ? t("datapoints.attribute") : "DP"],
          [t("datapoints.meaning"), "meaning"],
          [t("value"), "number raw"],
          [t("datapoints.type")],
          [t("datapoints.count"), "number"],
          [t("datapoints.changed")],
        ]}
        rows={data.datapoints.map((d) => ({
          key: d.attribute ?? d.dp,
          cells: [
            d.attribute ?? d.dp,
            meaning(d),
            rawText(d),
            <span lang="en">{d.type}</span>,
            formatNumber(d.count),
            formatMoment(d.last_change_ms),
          ],
        }))}
      />
    </>
  );
}

function Frames({ meter }) {
  const { data, error } = useAnswer(
    async (signal) => framesOf(await askText(meterPath(meter.id, "/frames"), signal)),
    [meter.id],
    REFRESH_MS,
  );
  if (!data) return <Failure error={error} />;
  const newest = data.slice(-FRAMES_SHOWN).reverse();
  return (
    <>
      <div class="row">
        <Download
          path={meterPath(meter.id, "/frames?format=capture")}
          name={`${meter.id}.hex`}
          label={t("frames.save")}
        />
        <p class="quiet">{t("frames.help")}</p>
      </div>
      <Table
        label={t("frames.title")}
        empty={t("frames.none")}
        columns={[
          ["#", "number"],
          [t("time")],
          [t("frames.direction")],
          [t("frames.length"), "number"],
          [t("frames.bytes"), "raw"],
        ]}
        rows={newest.map((f) => ({
          key: f.number,
          cells: [
            f.number,
            formatTime(f.at_ms ?? 0, { timeStyle: "medium" }),
            t(`frames.${f.direction}`),
            f.length,
            <code>{f.hex ? spaced(f.hex) : t("details.secret")}</code>,
          ],
        }))}
      />
    </>
  );
}

function Console({ log: lines }) {
  if (!lines) return null;
  return (
    <Fold title={t("console.title", { count: formatNumber(lines.total) })}>
      <pre class="console" tabIndex={0} role="group" lang="en" aria-label={t("console")}>
        {lines.lines
          .map((l) => `${l.at_ms === null ? "" : `${formatTime(l.at_ms, { timeStyle: "medium" })}  `}${l.text}`)
          .join("\n") || t("console.none")}
      </pre>
    </Fold>
  );
}

/* What is asked for only while somebody looks. */
function Fold({ title, children, initially = false }) {
  const [open, setOpen] = useState(initially);
  return (
    <details class="card" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{title}</summary>
      {open && children}
    </details>
  );
}

export function Meters({ view }) {
  useZone();
  const { meters, quantities, phase } = useStore(gateway);
  const meter = meters.find((m) => m.id === view.meter) ?? meters[0];
  const events = useAnswer(askEvents, [], REFRESH_MS);
  const { data: d, error } = useAnswer(
    (signal) => (meter ? ask(meterPath(meter.id, "/diagnostics"), signal) : null),
    [meter?.id],
    REFRESH_MS,
  );
  if (!meter) return phase === "live" ? <p class="empty quiet">{t("live.none")}</p> : null;
  const names = new Map(meters.map((m) => [m.id, m.name]));
  return (
    <>
      {meters.length > 1 && (
        <div class="toolbar">
          <Segments
            label={t("meter")}
            value={meter.id}
            options={meters.map((m) => [m.id, m.name])}
            onChange={(id) => go("meters", { ...view, meter: id })}
          />
        </div>
      )}
      <Failure error={error} />
      <div class="columns" key={meter.id}>
        {d && d.meter === meter.id && <Facts meter={meter} diagnostics={d} quantities={quantities} />}
        <Timeline events={events.data ?? []} meter={meter} view={view} />
        {d && d.meter === meter.id && <Counters diagnostics={d} />}
        <Events events={events.data ?? []} meter={meter} quantities={quantities} names={names} />
        <Fold title={t("datapoints.title")} initially={Object.keys(meter.readings).length === 0}>
          <Datapoints meter={meter} quantities={quantities} />
        </Fold>
        <Fold title={t("frames.title")}>
          <Frames meter={meter} />
        </Fold>
        {d && d.meter === meter.id && <Console log={d.console} />}
      </div>
    </>
  );
}
