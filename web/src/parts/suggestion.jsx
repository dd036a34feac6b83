/* What a datapoint may mean: the best guess and why, others on demand, each to be accepted into a profile. */
import { meterPath, query } from "../api.js";
import { formatMoment, formatNumber, formatPercent, withUnit } from "../format.js";
import { t } from "../i18n.js";
import { createStore, useStore } from "../store.js";
import { keyOf, toggled } from "../suggested.js";
import { seriesLabel, Spoken } from "./common.jsx";
import { Download } from "./download.jsx";

/* By meter, so that it is still there when the table was closed meanwhile. */
const accepted = createStore({});
const chosen = (state, id) => state[id] ?? [];

/* What the forms of a phase have in common. */
const PHASE = ["voltage_v", "current_a", "power_w"];

function nameOf(s, quantities) {
  if (s.direction) return t("frames.direction");
  if (s.quantity) return seriesLabel(keyOf(s), quantities);
  const held = s.layout.startsWith("phase") ? PHASE.map((key) => seriesLabel(key, quantities)).join(", ") : s.layout;
  return s.channel ? `${s.channel.toUpperCase()} ${held}` : held;
}

/* How the raw number would read, and by what it was multiplied. */
function reading(d, s) {
  const decimals = String(s.scale).split(".")[1]?.length ?? 0;
  const value = withUnit(d.raw * s.scale * (s.inverted ? -1 : 1), s.unit);
  return `${value} (\u00d7\u00a0${formatNumber(s.scale, { decimals })})`;
}

function Guess({ id, d, s, quantities }) {
  const list = chosen(useStore(accepted), id);
  const pressed = list.some((c) => c.accept === s.accept);
  return (
    <div class="guess">
      <p>
        <b>{nameOf(s, quantities)}</b>
        {s.quantity && d.raw !== undefined && <span>{reading(d, s)}</span>}
        <span class="state" data-level={s.level}>
          {`${t(`level.${s.level}`)}, ${formatPercent(s.confidence, 0)}`}
        </span>
        {s.offset !== undefined && (
          <span class="quiet">
            {t("suggest.word", { from: s.offset, to: s.offset + s.width - 1, endian: s.endian })}
          </span>
        )}
      </p>
      {s.accept && (
        <button
          type="button"
          class={pressed ? "primary" : undefined}
          aria-pressed={pressed ? "true" : "false"}
          aria-label={`${t("suggest.accept")}: DP ${d.dp}, ${nameOf(s, quantities)}`}
          onClick={() => accepted.set({ [id]: toggled(list, d.dp, s) })}
        >
          {`${pressed ? "\u2713\u00a0" : ""}${t("suggest.accept")}`}
        </button>
      )}
    </div>
  );
}

const Evidence = ({ s }) => (
  <ul class="quiet" lang="en">
    {s.evidence.map((text) => (
      <li key={text}>{text}</li>
    ))}
  </ul>
);

export function Suggestion({ id, d, quantities }) {
  const [best, ...others] = d.suggestions ?? [];
  if (!best)
    return (
      <span class="quiet">
        <Spoken text={d.cannot_tell} />
      </span>
    );
  return (
    <>
      <Guess id={id} d={d} s={best} quantities={quantities} />
      <details>
        <summary>{others.length > 0 ? t("suggest.others", { count: others.length }) : t("suggest.why")}</summary>
        <Evidence s={best} />
        {others.map((s, i) => (
          <div key={i}>
            <Guess id={id} d={d} s={s} quantities={quantities} />
            <Evidence s={s} />
          </div>
        ))}
      </details>
    </>
  );
}

/* What was accepted, as a file. */
export function Accepted({ id, since }) {
  const list = chosen(useStore(accepted), id);
  const path = meterPath(id, `/profile.yaml?${query({ accept: list.map((c) => c.accept).join() })}`);
  if (since === null) return null;
  return (
    <div class="row">
      {list.length > 0 && (
        <Download path={path} name={`${id}.yaml`} label={t("suggest.save", { count: list.length })} />
      )}
      <p class="quiet" role="status">
        {list.length > 0 ? t("suggest.use") : t("suggest.since", { time: formatMoment(since) })}
      </p>
    </div>
  );
}
