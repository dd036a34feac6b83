/* Light, dark, or as the system has it. The attribute is always there, so that the style sheet has each colour
 * once. */
import { load, save } from "./storage.js";

export const THEMES = ["auto", "light", "dark"];
const KEY = "metergate-theme";
const dark = () => matchMedia("(prefers-color-scheme: dark)");

let choice = "auto";
const watchers = new Set();

export const currentTheme = () => choice;

function apply(forced) {
  const theme = forced ?? (choice === "auto" ? (dark().matches ? "dark" : "light") : choice);
  if (document.documentElement.dataset.theme === theme) return;
  document.documentElement.dataset.theme = theme;
  for (const watcher of watchers) watcher();
}

export function setTheme(theme) {
  choice = theme;
  save("localStorage", KEY, theme);
  apply();
}

/* Charts are drawn on a canvas and have to be drawn again. */
export function watchTheme(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export function startTheme() {
  const saved = load("localStorage", KEY);
  choice = THEMES.includes(saved) ? saved : "auto";
  apply();
  dark().addEventListener("change", () => apply());
  /* Ink is dark and paper is light. */
  addEventListener("beforeprint", () => apply("light"));
  addEventListener("afterprint", () => apply());
}
