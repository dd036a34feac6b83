/* Words in the reader's language, from one table. */
import { messages } from "./messages.js";
import { said } from "./said.js";
import { load, save } from "./storage.js";

export const LANGUAGES = { en: "English", de: "Deutsch", pl: "Polski" };
const COLUMNS = Object.keys(LANGUAGES);
const KEY = "metergate-language";

let language = "en";
let locale = "en";

/* The first of the reader's languages that there is a column for. */
export function pickLanguage(wanted, saved) {
  if (COLUMNS.includes(saved)) return saved;
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => COLUMNS.includes(tag)) ?? "en";
}

/* Numbers and dates as where the reader lives, where that is known: de-AT, en-GB. */
export function pickLocale(chosen, wanted) {
  return wanted.find((tag) => tag.slice(0, 2).toLowerCase() === chosen) ?? chosen;
}

export function setLanguage(chosen, { remember = false } = {}) {
  language = chosen;
  locale = pickLocale(chosen, navigator.languages ?? []);
  document.documentElement.lang = chosen;
  if (remember) save("localStorage", KEY, chosen);
}

export function startLanguage() {
  setLanguage(pickLanguage(navigator.languages ?? [], load("localStorage", KEY)));
}

export const currentLanguage = () => language;
export const currentLocale = () => locale;

export function fill(text, values) {
  return values ? text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all) : text;
}

export const has = (key) => key in messages;
export const t = (key, values) => fill(messages[key]?.[COLUMNS.indexOf(language)] ?? key, values);

/* Sentences that the gateway says: known ones are translated, others stay as they came, marked as English. */
export function spoken(text) {
  const translation = language === "en" ? text : said[text]?.[COLUMNS.indexOf(language) - 1];
  return { text: sentence(translation ?? text), lang: translation === undefined ? "en" : undefined };
}

export function sentence(text) {
  return text === "" ? "" : text[0].toUpperCase() + text.slice(1);
}
