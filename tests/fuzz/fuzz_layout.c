/* Any raw value under any row: the first bytes choose the row, the rest is the value. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/quantity.h"
#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
        ROW_BYTES = 3,             /* layout, scale and channel, signs */
        READINGS_PER_VALUE = 6,
        POWER_MAX = 1 << 24,       /* W */
};

static struct profile_datapoint make_row(const uint8_t *data) {
        return (struct profile_datapoint) {
                .id = 6, .type = DATAPOINT_RAW, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1,
                .layout = data[0] % LAYOUT_COUNT, .power_den = (const uint8_t[]) { 0, 1, 10 }[data[1] % 3],
                .channel = data[1] / 3 % CHANNELS_MAX, .inverted = data[2] & 1,
                .direction_id = data[2] & 2 ? 102 : 0, .direction_reverse = 1,
        };
}

/* Only what the row is said to have, but for the guess at 15 bytes. */
static void check_readings(const struct profile_datapoint *row, size_t len, const struct report *report) {
        assert(report->count <= READINGS_PER_VALUE);
        for (unsigned i = 0; i < report->count; i++) {
                const struct reading *r = &report->readings[i];

                assert(r->quantity < Q_COUNT && r->channel < CHANNELS_MAX);
                assert(tuya_layout_has(row, r->channel, r->quantity) || (row->layout == LAYOUT_PHASE && len == 15));
                assert(llabs(r->value) <= INT64_C(1000) * POWER_MAX);
        }
}

static void check_records(const struct profile_datapoint *row, struct span value) {
        struct tuya_history history;
        struct tuya_limit limit;
        size_t offset = 0, n = 0;

        if (tuya_history_read(row->layout, value, &history))
                assert(value.len == 8);
        for (; tuya_limit_next(row->layout, value, &offset, &limit); n++)
                assert(offset <= value.len);
        assert(n == value.len / 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct profile *profile;
        size_t len = size < ROW_BYTES ? 0 : size - ROW_BYTES;
        uint8_t *copy;  /* exact size, so that a read past the end is seen */
        struct tuya_directions directions = { 0 };
        struct report report = { 0 }, signed_report = { 0 };
        struct tuya_datapoint d;
        const char *name;
        unsigned n;

        if (size < ROW_BYTES)
                return 0;
        copy = malloc(len > 0 ? len : 1);
        if (!profile)
                profile = calloc(1, sizeof *profile + sizeof profile->datapoints[0]);
        if (!copy || !profile)
                abort();
        memcpy(copy, data + ROW_BYTES, len);
        profile->n_channels = CHANNELS_MAX;
        profile->n_datapoints = 1;
        profile->datapoints[0] = make_row(data);
        n = tuya_layout_map(&profile->datapoints[0], span_of(copy, len), 6, &report, &name);
        assert(n == report.count && (name || n == 0));
        check_readings(&profile->datapoints[0], len, &report);
        check_records(&profile->datapoints[0], span_of(copy, len));
        directions.known[102] = data[2] & 4;
        directions.value[102] = data[2] >> 3 & 1;
        d = (struct tuya_datapoint) { .id = 6, .type = DATAPOINT_RAW, .value = span_of(copy, len) };
        assert(tuya_datapoint_map(profile, &directions, &d, &signed_report) <= n);
        assert(signed_report.count <= report.count);
        free(copy);
        return 0;
}
