/* The view is in the fragment: "#history?series=main:power_w&from=-24h". A link reopens it, Back goes back, and
 * nothing of it is sent anywhere. */
export const PAGES = ["live", "history", "energy", "meters", "setup"];

export function parseRoute(hash) {
  const [name, search = ""] = hash.replace(/^#\/?/, "").split("?");
  return {
    page: PAGES.includes(name) ? name : "live",
    view: Object.fromEntries(new URLSearchParams(search)),
  };
}

export function formatRoute(page, view = {}) {
  const given = Object.entries(view).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given).toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  return `#${page}${search ? `?${search}` : ""}`;
}

export function go(page, view, { replace = false } = {}) {
  const hash = formatRoute(page, view);
  if (hash === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
