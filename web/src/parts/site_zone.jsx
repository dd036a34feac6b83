/* The site's time zone: the calendar of the house is the one in which its days are told. */
import { ask, meterPath } from "../api.js";
import { setSiteZone } from "../format.js";
import { gateway } from "../live.js";
import { useStore } from "../store.js";
import { isZone } from "../zone.js";
import { useAnswer } from "./common.jsx";

let known; /* it does not change while the page is open */

async function askZone(id, signal) {
  if (known === undefined && id) {
    const { timezone } = await ask(meterPath(id, "/energy?period=hour&from=-1s"), signal);
    known = timezone && isZone(timezone) ? timezone : null;
    setSiteZone(known);
  }
  return known;
}

/* undefined while it is not known yet, null where the gateway has no name for it: then the reader's is used. */
export function useZone() {
  const first = useStore(gateway).meters[0]?.id;
  const { data, error } = useAnswer((signal) => askZone(first, signal), [first]);
  return known !== undefined ? known : error ? null : (data ?? undefined);
}
