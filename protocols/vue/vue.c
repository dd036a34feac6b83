#include "protocols/vue/vue.h"

#include <stdio.h>

#include "protocols/vue/attribute.h"
#include "protocols/vue/secret.h"
#include "protocols/vue/session.h"

#define EACH_ASK(first, word) \
        [(first) + VUE_ASK_FIRMWARE] = { word "_firmware", false, false }, \
        [(first) + VUE_ASK_MAC] = { word "_mac", false, false }, \
        [(first) + VUE_ASK_INSTALL_CODE] = { word "_install_code", false, false }, \
        [(first) + VUE_ASK_JOIN] = { word "_join", false, false }, \
        [(first) + VUE_ASK_READ] = { word "_read", false, false }

static const struct protocol_counter counters[VUE_COUNTER_COUNT + 1] = {
        EACH_ASK(VUE_REQUESTS, "requests"),
        EACH_ASK(VUE_ANSWERS, "answers"),
        EACH_ASK(VUE_TIMEOUTS, "timeouts"),
        [VUE_LATE_ANSWERS] = { "late_answers", false, false },
        [VUE_UNASKED] = { "unasked_messages", false, false },
        [VUE_REJOINS] = { "rejoins", false, false },
        [VUE_POWER_CYCLES] = { "power_cycles", false, false },
        [VUE_DUPLICATES] = { "duplicates", false, false },
        [VUE_ALL_ZERO] = { "all_zero", false, false },
        [VUE_NO_VALUES] = { "no_values", false, false },
        [VUE_SEQUENCE_GAPS] = { "sequence_gaps", false, false },
        [VUE_SCALE_CHANGES] = { "scale_changes", false, false },
        [VUE_NOTICES_0] = { "notices_0", false, false },
        [VUE_NOTICES_1] = { "notices_1", false, false },
        [VUE_NOTICES_2] = { "notices_2", false, false },
        [VUE_NOTICES_OTHER] = { "notices_other", false, false },
        [VUE_CONSOLE_LINES] = { "console_lines", false, false },
        [VUE_CONSOLE_REDACTED] = { "console_lines_redacted", false, false },
        [VUE_ERROR_SHORT] = { "short", true, false },
        [VUE_ERROR_NOT_READ_RESPONSE] = { "not_read_response", true, false },
        [VUE_ERROR_BAD_RECORD] = { "bad_record", true, false },
        [VUE_ERROR_BAD_LENGTH] = { "bad_length", true, false },
        [VUE_ERROR_UNKNOWN_TYPE] = { "unknown_type", true, false },
        [VUE_WITHHELD_NO_SCALE] = { "no_scale", false, true },
        [VUE_WITHHELD_UNSCALED] = { "unscaled", false, true },
        [VUE_WITHHELD_UNIT] = { "unit_of_measure", false, true },
        [VUE_WITHHELD_MARKER] = { "energy_marker", false, true },
};
_Static_assert(VUE_BLANK_WAIT_MAX <= BLANK_WAIT_MAX, "text that waits");
_Static_assert((int) VUE_COUNTER_COUNT <= SESSION_COUNTERS_MAX, "counters");

/* Not every meter counts what it sends back. */
static void series(const struct profile *profile, unsigned channel, enum series_presence ret[Q_COUNT]) {
        (void) profile;
        for (unsigned q = 0; q < Q_COUNT; q++)
                ret[q] = SERIES_NONE;
        if (channel != 0)
                return;
        ret[Q_POWER] = ret[Q_ENERGY_IMPORT] = SERIES_CERTAIN;
        ret[Q_ENERGY_EXPORT] = SERIES_POSSIBLE;
}

static const struct text_log *console(const struct session *s) {
        return &vue_session_of(s)->console.log;
}

static bool is_secret(const uint8_t *frame, size_t len) {
        return len >= VUE_FRAME_OVERHEAD && vue_frame_of(frame, len).type == VUE_INSTALL_CODE;
}

/* Only a reading has values; its payload is one part. */
static bool part(const uint8_t *frame, size_t len, size_t *at, struct frame_part *ret) {
        struct vue_frame f = vue_frame_of(frame, len);

        if (*at > 0 || f.type != VUE_READ)
                return false;
        *at = len;
        *ret = (struct frame_part) { .kind = f.type, .bytes = f.payload };
        return true;
}

static void part_name(uint32_t kind, char *buf, size_t size) {
        snprintf(buf, size, "%c", (char) kind);
}

const struct protocol vue_protocol = {
        .name = "vue",
        .bauds = (const uint32_t[]) { 115200, 0 },
        .default_poll_ms = 30000,
        .min_poll_ms = 5000,
        .max_poll_ms = 3600000,
        .session_size = sizeof(struct vue_session),
        .counters = counters,
        /* The longest frame takes 23 ms at 115200 baud; bridges add pauses of their own. */
        .silence_ms = 200,
        .has_no_checksum = true,
        .aligns_polls = true,
        .frame_check = vue_frame_check,
        .request_check = vue_request_check,
        .start = vue_start,
        .stop = vue_stop,
        .set_profile = vue_set_profile,
        .frame = vue_frame,
        .request = vue_request,
        .poll = vue_poll,
        .origin_name = vue_origin_name,
        .series = series,
        .text = vue_text,
        .console = console,
        .is_secret = is_secret,
        .blank_frame = vue_blank_frame,
        .blank_text = vue_blank_text,
        .is_text_cut = vue_is_text_cut,
        .detail = vue_detail,
        .attribute = vue_attribute_info,
        .act = vue_act,
        .part = part,
        .part_name = part_name,
};
