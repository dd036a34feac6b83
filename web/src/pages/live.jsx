/* What happens now: power, large and signed, and everything else that the meters say. */
import { useLayoutEffect, useState } from "preact/hooks";
import { ask, meterPath } from "../api.js";
import { DASH, formatAgo, formatEnergy, formatMoney, formatValue, withUnit } from "../format.js";
import { t } from "../i18n.js";
import { gateway } from "../live.js";
import { markPaint, Spoken, seriesLabel, StatePill, Table, unitOf, useAnswer, useNow } from "../parts/common.jsx";
import { Sparkline } from "../parts/sparkline.jsx";
import { flowOf, isUnknown, splitKey } from "../readings.js";
import { formatRoute } from "../route.js";
import { useStore } from "../store.js";

/* Values of a gateway that has been silent for so long are not shown any more. */
const FORGET_MS = 15000;
const TODAY_MS = 60000;
const DEVICES = { vue: "Emporia Vue Utility Connect" }; /* protocols of one device only */

/* What may be shown of a meter now: after a silence of the gateway nothing is known. */
function useShown(meter, lost, now) {
  const newest = Math.max(0, ...Object.values(meter.readings).map((r) => r.bornMs ?? 0));
  const forget = lost && now - newest > FORGET_MS;
  return (key) => (forget ? null : (meter.readings[key]?.value ?? null));
}

function Power({ meter, read, now }) {
  const power = read("power_w");
  const flow = flowOf(power);
  const text = formatValue(power, "W", true);
  return (
    <div class="power" data-flow={flow}>
      <p class="number">
        <span class="value">{text}</span> <span class="unit">W</span>
      </p>
      <p class="direction">{t(`flow.${flow}`)}</p>
      <a
        class="spark"
        href={formatRoute("history", { series: `${meter.id}:power_w`, from: "-1h" })}
        aria-label={t("live.hour", { meter: meter.name })}
      >
        <Sparkline
          id={meter.id}
          series="power_w"
          value={power}
          now={now}
          label={t("live.hour", { meter: meter.name })}
        />
      </a>
    </div>
  );
}

function Tiles({ meter, keys, read, quantities }) {
  if (keys.length === 0) return null;
  return (
    <dl class="tiles">
      {keys.map((key) => {
        const { source } = meter.readings[key];
        return (
          <div key={key}>
            <dt>{seriesLabel(key, quantities)}</dt>
            <dd>
              <span class="value">{withUnit(read(key), unitOf(key, quantities))}</span>
              {source && source !== "measured" && <span class="source">{t(`source.${source}`)}</span>}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

/* One column for each channel, one row for each quantity that any of them has: three phases fit on a phone. */
function Channels({ keys, read, quantities }) {
  if (keys.length === 0) return null;
  const parts = keys.map(splitKey);
  const channels = [...new Set(parts.map(([channel]) => channel))];
  const rows = [...quantities.keys()].filter((quantity) => parts.some(([, q]) => q === quantity));
  return (
    <Table
      label={t("live.channels")}
      columns={[[t("live.channel")], ...channels.map((c) => [c.toUpperCase(), "number"])]}
      rows={rows.map((quantity) => ({
        key: quantity,
        cells: [
          [seriesLabel(quantity, quantities), unitOf(quantity, quantities)].filter(Boolean).join(", "),
          ...channels.map((c) =>
            keys.includes(`${c}.${quantity}`)
              ? formatValue(read(`${c}.${quantity}`), unitOf(quantity, quantities))
              : "",
          ),
        ],
      }))}
    />
  );
}

function Today({ meter }) {
  const { data } = useAnswer(
    (signal) => ask(meterPath(meter.id, "/energy?period=day&from=-1s"), signal),
    [meter.id],
    TODAY_MS,
  );
  const row = data?.rows[data.rows.length - 1];
  if (!row || row.import_kwh === null) return null;
  return (
    <p class="today">
      <a href={formatRoute("energy", { meter: meter.id })}>{t("live.today")}</a>
      <span>
        {t("energy.import")} <b>{formatEnergy(row.import_kwh)}</b>
      </span>
      {row.export_kwh > 0 && (
        <span>
          {t("energy.export")} <b>{formatEnergy(row.export_kwh)}</b>
        </span>
      )}
      {Object.entries(row.cost ?? {}).map(([currency, value]) => (
        <span key={currency}>
          {t("energy.cost")} <b>{formatMoney(value, currency)}</b>
        </span>
      ))}
    </p>
  );
}

function Origins({ meter, read, quantities, now }) {
  const [open, setOpen] = useState(false);
  const rows = open
    ? Object.entries(meter.readings).map(([key, r]) => ({
        key,
        cells: [
          seriesLabel(key, quantities),
          withUnit(read(key), unitOf(key, quantities)),
          r.bornMs === null ? DASH : formatAgo((now - r.bornMs) / 1000),
          r.source ? t(`source.${r.source}`) : DASH,
          r.origin ?? DASH,
        ],
      }))
    : [];
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t("live.origins")}</summary>
      {open && (
        <Table
          label={t("live.origins")}
          rows={rows}
          columns={[[t("series")], [t("value"), "number"], [t("age")], [t("source")], [t("origin")]]}
        />
      )}
    </details>
  );
}

/* The owner's attention: why it is not online, what could be done, and what looks wrong although it is. */
function Remarks({ meter, lost }) {
  if (lost) return null;
  const words = [meter.state !== "online" ? meter.reason : null, meter.hint].filter(Boolean);
  return (
    <div role="status">
      {words.length > 0 && (
        <p class="notice">
          {words.map((text, i) => (
            <>
              {i > 0 && ". "}
              <Spoken text={text} />
            </>
          ))}
        </p>
      )}
      {meter.notices.map((text) => (
        <p key={text} class="notice">
          <Spoken text={text} />
        </p>
      ))}
    </div>
  );
}

function deviceOf(meter) {
  if (isUnknown(meter)) return t("live.unknown_product", { protocol: meter.protocol });
  return meter.profile ?? DEVICES[meter.protocol] ?? meter.protocol;
}

function Meter({ meter, state, now }) {
  const lost = state.phase === "lost";
  const read = useShown(meter, lost, now);
  const keys = Object.keys(meter.readings);
  const plain = keys.filter((key) => key !== "power_w" && !key.includes("."));
  const channels = keys.filter((key) => key.includes("."));
  return (
    <article
      class="card meter"
      data-old={lost || !meter.available ? "" : undefined}
      aria-labelledby={`meter-${meter.id}`}
      data-wide={new Set(channels.map((key) => splitKey(key)[0])).size > 3 ? "" : undefined}
    >
      <header>
        <h2 id={`meter-${meter.id}`}>{meter.name}</h2>
        <StatePill state={lost ? "unknown" : meter.state} />
      </header>
      {keys.includes("power_w") && <Power meter={meter} read={read} now={now} />}
      <Remarks meter={meter} lost={lost} />
      <Tiles meter={meter} keys={plain} read={read} quantities={state.quantities} />
      <Channels keys={channels} read={read} quantities={state.quantities} />
      <Today meter={meter} />
      {keys.length > 0 && <Origins meter={meter} read={read} quantities={state.quantities} now={now} />}
      <p class="foot quiet">
        <span>
          {meter.bornMs === null
            ? t("live.no_reading")
            : t("live.updated", { ago: formatAgo((now - meter.bornMs) / 1000) })}
        </span>
        <a href={formatRoute("meters", { meter: meter.id })}>{deviceOf(meter)}</a>
      </p>
    </article>
  );
}

export function Live() {
  const state = useStore(gateway);
  const now = useNow();
  const here = state.meters.length > 0;
  useLayoutEffect(() => {
    if (here) markPaint("metergate-live");
  }, [here]);
  if (!state.service) return null;
  if (state.meters.length === 0 && state.phase === "live") return <p class="empty quiet">{t("live.none")}</p>;
  return (
    <div class="meters" data-count={state.meters.length}>
      {state.meters.map((meter) => (
        <Meter key={meter.id} meter={meter} state={state} now={now} />
      ))}
    </div>
  );
}
