/* Every unit test of the dashboard's pure parts, as one run of TAP. */
import "./energy_view.mjs";
import "./format.mjs";
import "./history_view.mjs";
import "./link_time.mjs";
import "./messages.mjs";
import "./readings.mjs";
import "./route.mjs";
import "./sse.mjs";
import "./suggested.mjs";
import "./zone.mjs";
