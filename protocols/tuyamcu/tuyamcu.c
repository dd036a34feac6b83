#include "protocols/tuyamcu/tuyamcu.h"

#include <stdio.h>

#include "protocols/tuyamcu/layout.h"
#include "protocols/tuyamcu/session.h"

static const struct protocol_counter counters[TUYA_COUNTER_COUNT + 1] = {
        [TUYA_DP_ERRORS] = { "datapoint_errors", true, false },
        [TUYA_UNKNOWN_COMMANDS] = { "unknown_commands", false, false },
        [TUYA_UNKNOWN_DATAPOINTS] = { "unknown_datapoints", false, false },
        [TUYA_RESTARTS] = { "restarts", false, false },
        [TUYA_HEARTBEATS_MISSED] = { "heartbeats_missed", false, false },
        [TUYA_BAUD_CHANGES] = { "baud_changes", false, false },
        [TUYA_REQUESTS_UNANSWERED] = { "requests_unanswered", false, false },
        [TUYA_SYNC_ACKNOWLEDGED] = { "sync_reports_acknowledged", false, false },
        [TUYA_ECHOES] = { "echoes", true, false },
        [TUYA_WITHHELD_STARTING] = { "starting", false, true },
        [TUYA_WITHHELD_RESTART] = { "restart", false, true },
        [TUYA_WITHHELD_UNCONFIRMED] = { "unconfirmed", false, true },
        [TUYA_WITHHELD_DIRECTION] = { "direction", false, true },
        [TUYA_WITHHELD_REPEATED] = { "repeated", false, true },
};
_Static_assert((int) TUYA_COUNTER_COUNT <= SESSION_COUNTERS_MAX, "counters");

static void origin_name(uint16_t origin, char *buf, size_t size) {
        snprintf(buf, size, "dp %u", origin);
}

static void read_layout(const struct profile_datapoint *row, const uint8_t *bytes, size_t len,
                        struct report *report) {
        tuya_layout_map(row, span_of(bytes, len), row->id, report, NULL);
}

const struct protocol tuyamcu_protocol = {
        .name = "tuyamcu",
        .bauds = (const uint32_t[]) { 9600, 115200, 38400, 0 },
        .default_poll_ms = 10000,
        .min_poll_ms = 1000,
        .max_poll_ms = 300000,
        .session_size = sizeof(struct tuya_session),
        .counters = counters,
        /* At 9600 baud a byte takes 1 ms; an MCU sends a frame in one go. */
        .silence_ms = 300,
        .frame_check = tuya_frame_check,
        .request_check = tuya_frame_check,
        .start = tuya_start,
        .stop = tuya_stop,
        .set_profile = tuya_set_profile,
        .frame = tuya_frame,
        .request = tuya_request,
        .poll = tuya_poll,
        .origin_name = origin_name,
        .series = tuya_series,
        .read_layout = read_layout,
        .act = tuya_act,
        .needs_profile = true,
};
