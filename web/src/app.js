/* The live page: asks the API every two seconds and shows what it says. Addresses are relative, so that the page
 * also works below a path of a reverse proxy. A value nobody knows is a dash, never 0. */
"use strict";

const POLL_MS = 2000;
const TIMEOUT_MS = 6000;
const FORGET_MS = 15000; /* values of a gateway that has been silent for so long are not shown any more */
const TOKEN_KEY = "metergate-token";
const DASH = "\u2013";
const MINUS = "\u2212";
const STATES = {
  connecting: "connecting",
  online: "online",
  stale: "no fresh values",
  offline: "offline",
  no_module: "no answer from the module",
  not_provisioned: "not provisioned",
  searching: "searching for the meter",
  unknown: "unknown",
};
const DEVICES = { vue: "Emporia Vue Utility Connect" }; /* protocols of one device only */

/* How many decimals people want to see; the API has them all. */
const SHOWN_DECIMALS = { V: 1, W: 1, VA: 1, var: 1, Hz: 2, "°C": 1, kWh: 3 };

const page = {
  quantities: null, /* key -> { label, unit }, from the gateway's own catalogue */
  cards: new Map(),
  answeredAt: 0, /* performance.now() of the last good answer */
  lost: false,
  timer: 0,
  busy: false,
  needsToken: false,
};

const $ = (id) => document.getElementById(id);

function element(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

/* Text is only touched when it differs: less work for phones, and selections survive. */
function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

function formatNumber(value, unit, signed) {
  if (typeof value !== "number") return DASH;
  const text = Math.abs(value).toFixed(SHOWN_DECIMALS[unit] ?? 3);
  const zero = Number(text) === 0;
  if (value < 0 && !zero) return MINUS + text;
  return (signed && !zero ? "+" : "") + text;
}

function formatAge(seconds) {
  if (seconds < 10) return `${seconds.toFixed(0)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/* True while nobody knows what the meter's values mean. */
function isUnknown(meter) {
  return meter.profile === null && Object.keys(meter.readings).length === 0;
}

function splitKey(key) {
  const dot = key.indexOf(".");
  return dot < 0 ? ["", key] : [key.slice(0, dot), key.slice(dot + 1)];
}

function quantityOf(key) {
  return page.quantities?.get(key) ?? { label: key, unit: "" };
}

/* --- talking to the gateway --- */

class NeedsToken extends Error {}

async function ask(path) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const answer = await fetch(path, {
    cache: "no-store",
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (answer.status === 401) throw new NeedsToken();
  if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`);
  return answer.json();
}

async function askService() {
  const service = await ask("api/v1");
  page.quantities = new Map(service.quantities.map((q) => [q.key, q]));
  setText($("site"), service.site ?? "Metergate");
  document.title = service.site ? `${service.site} \u00b7 Metergate` : "Metergate";
  setText($("version"), `Metergate ${service.version}`);
}

async function poll() {
  if (page.busy) return;
  page.busy = true;
  clearTimeout(page.timer);
  try {
    if (!page.quantities || page.lost) await askService();
    const [{ meters }, health] = await Promise.all([ask("api/v1/meters"), ask("healthz")]);
    reached();
    showHistoryError(health.history === "failing" ? (await ask("api/v1")).history.error : null);
    showMeters(meters);
    await Promise.all([...page.cards.values()].flatMap((card) => [showDatapoints(card), showDetails(card)]));
  } catch (error) {
    if (error instanceof NeedsToken) showLogin();
    else unreachable(error);
  }
  page.busy = false;
  if (!page.needsToken && !document.hidden) page.timer = setTimeout(poll, POLL_MS);
}

function reached() {
  page.answeredAt = performance.now();
  page.lost = false;
  page.needsToken = false;
  $("login").hidden = true;
  $("alert").hidden = true;
  $("connection").dataset.state = "live";
  setText($("connection"), "live");
}

/* Live values go on without a history, so it is easily missed. */
function showHistoryError(text) {
  setText($("history-error"), text ? `Nothing is kept on disk: ${text}` : "");
  $("history-error").hidden = !text;
}

function unreachable(error) {
  page.lost = true;
  const reason = error instanceof TypeError || error.name === "TimeoutError" ? "no answer" : error.message;
  $("connection").dataset.state = "lost";
  setText($("connection"), "not connected");
  setText($("alert"), `The gateway cannot be reached (${reason}). Trying again every ${POLL_MS / 1000} seconds.`);
  $("alert").hidden = false;
  for (const card of page.cards.values()) updateState(card);
}

function showLogin() {
  const refused = sessionStorage.getItem(TOKEN_KEY) !== null;
  sessionStorage.removeItem(TOKEN_KEY);
  page.needsToken = true;
  page.cards.clear();
  $("meters").replaceChildren();
  $("alert").hidden = true;
  $("connection").dataset.state = "waiting";
  setText($("connection"), "needs a token");
  setText($("login-error"), refused ? "The gateway did not accept this token." : "");
  $("login").hidden = false;
  $("token").value = "";
  $("token").focus();
}

/* --- cards --- */

function showMeters(meters) {
  const ids = new Set(meters.map((m) => m.id));
  for (const [id, card] of page.cards) {
    if (ids.has(id)) continue;
    card.root.remove();
    page.cards.delete(id);
  }
  const main = $("meters");
  main.querySelector(".empty")?.remove();
  if (meters.length === 0) main.append(element("p", "empty", "No meter is configured yet."));
  meters.forEach((meter, i) => {
    /* A meter whose series changed (its product became known) gets a new card. */
    const shape = [isUnknown(meter), ...Object.keys(meter.readings)].join(" ");
    let card = page.cards.get(meter.id);
    if (!card || card.shape !== shape) {
      const fresh = newCard(meter, shape);
      if (card) card.root.replaceWith(fresh.root);
      card = fresh;
      page.cards.set(meter.id, card);
    }
    if (main.children[i] !== card.root) main.insertBefore(card.root, main.children[i] ?? null);
    updateCard(card, meter);
  });
}

function newCard(meter, shape) {
  const card = { shape, values: new Map(), root: element("article", "meter"), power: null };
  const header = element("header");
  const title = element("h2");
  title.id = `meter-${meter.id}`;
  card.root.setAttribute("aria-labelledby", title.id);
  card.title = title;
  card.state = element("span", "state");
  card.state.setAttribute("role", "status");
  header.append(title, card.state);
  card.root.append(header);

  const keys = Object.keys(meter.readings);
  if (keys.includes("power_w")) addPower(card);
  addPlain(card, keys.filter((key) => key !== "power_w" && !key.includes(".")));
  addChannels(card, keys.filter((key) => key.includes(".")));
  card.hint = element("p", "notice");
  card.notices = element("div");
  card.notices.setAttribute("role", "status");
  card.root.append(card.hint, card.notices);
  addDatapoints(card, meter);
  addDetails(card);
  card.age = element("span");
  card.device = element("span");
  const foot = element("p", "foot quiet");
  foot.append(card.age, card.device);
  card.root.append(foot);
  return card;
}

function addPower(card) {
  const p = element("p", "power");
  card.power = { root: p, value: element("span", "value", DASH), direction: element("span", "direction", " ") };
  p.append(card.power.value, element("span", "unit", "W"), card.power.direction);
  card.root.append(p);
}

function addPlain(card, keys) {
  if (keys.length === 0) return;
  const list = element("dl");
  for (const key of keys) {
    const { label, unit } = quantityOf(key);
    const item = element("div");
    const value = element("span", "value", DASH);
    const dd = element("dd");
    dd.append(value, element("span", "unit", unit ? ` ${unit}` : ""));
    item.append(element("dt", "", label), dd);
    list.append(item);
    card.values.set(key, { value, unit });
  }
  card.root.append(list);
}

/* One column for each channel, one row for each quantity that any of them has: three phases fit on a phone. */
function addChannels(card, keys) {
  if (keys.length === 0) return;
  const parts = keys.map(splitKey);
  const channels = [...new Set(parts.map(([channel]) => channel))];
  const quantities = [...page.quantities.keys()].filter((key) => parts.some(([, quantity]) => quantity === key));
  const table = element("table", "channels");
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  head.append(headerCell("col", "Channel"));
  for (const channel of channels) head.append(headerCell("col", channel.toUpperCase(), "number"));
  for (const quantity of quantities) {
    const { label, unit } = quantityOf(quantity);
    const row = body.insertRow();
    row.append(headerCell("row", unit ? `${label}, ${unit}` : label));
    for (const channel of channels) {
      const key = `${channel}.${quantity}`;
      const cell = element("td", "number value");
      row.append(cell);
      if (keys.includes(key)) card.values.set(key, { value: cell, unit });
    }
  }
  if (channels.length > 3) card.root.classList.add("wide");
  card.root.append(scrolling(table));
}

function headerCell(scope, text, className) {
  const cell = element("th", className, text);
  cell.scope = scope;
  return cell;
}

function scrolling(table) {
  const box = element("div", "scroll");
  box.append(table);
  return box;
}

function updateCard(card, meter) {
  card.meter = meter;
  setText(card.title, meter.name);
  setText(card.device, isUnknown(meter) ? `${meter.protocol}, product not known` :
    meter.profile ?? DEVICES[meter.protocol] ?? meter.protocol);
  showValues(card);
  showNotices(card, meter.notices);
  updateState(card);
}

/* What the owner should look into although the meter delivers. */
function showNotices(card, notices) {
  const { children } = card.notices;
  while (children.length > notices.length) card.notices.lastChild.remove();
  notices.forEach((text, i) => {
    if (i === children.length) card.notices.append(element("p", "notice"));
    setText(children[i], sentence(text));
  });
}

function showValues(card, forget) {
  const read = (key) => (forget ? null : card.meter.readings[key].value);
  for (const [key, { value, unit }] of card.values) setText(value, formatNumber(read(key), unit, false));
  if (!card.power) return;
  const power = read("power_w");
  const text = formatNumber(power, "W", true);
  const flow = power === null ? "unknown" : text[0] === MINUS ? "export" : text[0] === "+" ? "import" : "none";
  const words = { unknown: "power not known", export: "to the grid", import: "from the grid", none: "no power flows" };
  setText(card.power.value, text);
  setText(card.power.direction, words[flow]);
  card.power.root.dataset.flow = flow;
}

/* State, hint and age; also runs every second, because ages grow without any answer. */
function updateState(card) {
  const { meter } = card;
  const sinceAnswer = performance.now() - page.answeredAt;
  const state = page.lost ? "unknown" : meter.state;
  card.state.dataset.state = state;
  setText(card.state, STATES[state] ?? state.replaceAll("_", " "));
  card.root.classList.toggle("old", page.lost || !meter.available);
  if (page.lost && sinceAnswer > FORGET_MS) showValues(card, true);

  const words = [meter.state !== "online" ? meter.reason : null, meter.hint].filter(Boolean);
  const text = words.map(sentence).join(". ");
  card.hint.hidden = page.lost || text === "" || (meter.state === "online" && card.raw.details.open);
  setText(card.hint, text);
  setText(card.age, meter.age_s === null ? "no reading yet" :
    `updated ${formatAge(meter.age_s + sinceAnswer / 1000)} ago`);
}

/* --- raw datapoints --- */

function addDatapoints(card, meter) {
  const details = element("details");
  details.open = isUnknown(meter);
  details.append(element("summary", "", "Raw datapoints"));
  card.raw = { details, note: element("p", "quiet"), box: element("div", "scroll") };
  details.append(card.raw.note, card.raw.box);
  details.addEventListener("toggle", () => { if (details.open && !page.busy) poll(); });
  card.root.append(details);
}

async function showDatapoints(card) {
  if (!card.raw.details.open) return;
  const answer = await ask(`api/v1/meters/${encodeURIComponent(card.meter.id)}/datapoints`);
  setText(card.raw.note, answer.hint ? sentence(answer.hint) : (answer.datapoints.length === 0 ? "Nothing received yet." : ""));
  card.raw.note.hidden = card.raw.note.textContent === "";
  card.raw.box.hidden = answer.datapoints.length === 0;
  const table = element("table");
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  const named = answer.datapoints.some((d) => d.attribute !== undefined);
  const columns = [named ? ["Attribute"] : ["DP", "number"], ["Type"], ["Value", "number"], ["Meaning"], ["Count", "number"]];
  for (const [name, className] of columns) {
    head.append(headerCell("col", name, className));
  }
  for (const d of answer.datapoints) {
    const row = body.insertRow();
    const meaning = d.quantity ? quantityOf(d.quantity).label : d.name ?? DASH;
    row.append(named ? element("td", "", d.attribute) : element("td", "number", String(d.dp)),
      element("td", "", d.type), rawCell(d),
      element("td", "", d.channel ? `${d.channel.toUpperCase()} ${meaning}` : meaning),
      element("td", "number", String(d.count)));
  }
  card.raw.box.replaceChildren(table);
}

function rawCell(d) {
  const value = d.raw ?? d.text;
  if (value !== undefined) return element("td", "number raw-value", String(value));
  return element("td", "raw-value bytes", d.hex.replace(/..(?=.)/g, "$& "));
}

/* --- what else is known about a meter --- */

const LINK_ROWS = [
  ["In this state since", (d) => formatMoment(d.since_ms)],
  ["Firmware", (d) => d.firmware ?? DASH],
  ["Port", (d) => (d.link.open ? d.link.port : `${d.link.port} (${d.link.error ?? "not open"})`)],
  ["Opened again", (d) => String(d.link.reconnects)],
  ["Answers take", (d) => (d.latency.count > 0 ? `${d.latency.mean_ms} ms, at most ${d.latency.max_ms} ms` : DASH)],
];

function formatMoment(ms) {
  return ms === null ? DASH : new Date(ms).toLocaleString();
}

function addDetails(card) {
  const details = element("details");
  details.append(element("summary", "", "Details"));
  card.details = { details, box: element("div", "scroll"), console: element("details") };
  card.details.lines = element("pre", "console");
  card.details.summary = element("summary", "", "Console");
  card.details.lines.tabIndex = 0;
  card.details.console.append(card.details.summary, card.details.lines);
  card.details.console.hidden = true;
  details.append(card.details.box, card.details.console);
  details.addEventListener("toggle", () => { if (details.open && !page.busy) poll(); });
  card.root.append(details);
}

async function showDetails(card) {
  if (!card.details.details.open) return;
  const answer = await ask(`api/v1/meters/${encodeURIComponent(card.meter.id)}/diagnostics`);
  const table = element("table", "details");
  const body = table.createTBody();
  for (const [label, text] of detailRows(answer)) {
    const row = body.insertRow();
    row.append(headerCell("row", label), element("td", "raw-value", text));
  }
  card.details.box.replaceChildren(table);
  showConsole(card, answer.console);
}

function detailRows(answer) {
  const rows = LINK_ROWS.map(([label, text]) => [label, text(answer)]);
  for (const detail of Object.values(answer.details)) {
    if (detail.value !== null) rows.push([detail.label, detailText(detail)]);
  }
  for (const r of answer.registers) {
    if (r.register === r.published) continue;
    const name = quantityOf(r.quantity).label + (r.channel ? ` ${r.channel.toUpperCase()}` : "");
    rows.push([`${name} as the meter shows it`, r.register === null ? DASH : `${r.register} kWh`]);
  }
  for (const [reason, count] of Object.entries(answer.withheld)) {
    if (count > 0) rows.push([`Withheld: ${reason.replaceAll("_", " ")}`, String(count)]);
  }
  return rows;
}

function detailText(detail) {
  if (detail.value_ms !== undefined) return `${formatAge(detail.age_s)} ago`;
  if (detail.secret && detail.value === "masked") return "known; shown only to a control token";
  if (typeof detail.value === "boolean") return detail.value ? "yes" : "no";
  return String(detail.value);
}

/* The lines keep their place while somebody reads in the middle of them. */
function showConsole(card, log) {
  const { console: box, lines, summary } = card.details;
  const atEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 4;
  box.hidden = log === null;
  if (log === null) return;
  setText(summary, `Console (${log.total} ${log.total === 1 ? "line" : "lines"})`);
  setText(lines, log.lines.length === 0 ? "Nothing was printed yet." : log.lines.map((line) =>
    `${line.at_ms === null ? "" : `${new Date(line.at_ms).toLocaleTimeString()}  `}${line.text}`).join("\n"));
  if (atEnd) lines.scrollTop = lines.scrollHeight;
}

/* --- start --- */

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(token)) { /* could not even be sent */
    setText($("login-error"), "A token has no blanks and no accented letters.");
    return;
  }
  sessionStorage.setItem(TOKEN_KEY, token);
  page.needsToken = false;
  poll();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !page.needsToken) poll();
});

setInterval(() => {
  for (const card of page.cards.values()) updateState(card);
}, 1000);

poll();
