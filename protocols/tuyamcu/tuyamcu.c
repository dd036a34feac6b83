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

#define PART_IS_COMMAND 0x100  /* else the kind is a datapoint's id */

/* Each datapoint of a report is a part: its value. Of other frames with data, the data. */
static bool part(const uint8_t *frame, size_t len, size_t *at, struct frame_part *ret) {
        struct tuya_frame f = tuya_frame_open(frame, len);
        struct tuya_truncation truncation;
        struct tuya_datapoint d;

        if (f.command != TUYA_REPORT && f.command != TUYA_REPORT_SYNC) {
                if (*at > 0 || f.data.len == 0)
                        return false;
                *at = f.data.len;
                *ret = (struct frame_part) { .kind = PART_IS_COMMAND | f.command, .bytes = f.data };
                return true;
        }
        if (tuya_datapoint_next(f.data, at, &d, &truncation) <= 0)
                return false;
        *ret = (struct frame_part) { .kind = d.id, .bytes = d.value };
        return true;
}

static void part_name(uint32_t kind, char *buf, size_t size) {
        snprintf(buf, size, kind & PART_IS_COMMAND ? "command 0x%02X" : "dp %u", (unsigned) kind & 0xff);
}

/* Many plugs and clamps report current, power and voltage as 18, 19 and 20, whatever their product key. */
static const char *likeness(const struct datapoint_table *t) {
        if (datapoint_table_get(t, 18) && datapoint_table_get(t, 19) && datapoint_table_get(t, 20))
                return "datapoints 18, 19 and 20 are most likely current, power and voltage of the standard plug "
                       "set, as in pj-mgw1103";
        return NULL;
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
        .part = part,
        .part_name = part_name,
        .likeness = likeness,
        .needs_profile = true,
};
