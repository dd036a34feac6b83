/* The search on any packets and values: it ends, and what it tells lies within the packets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workbench/correlate/correlate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LENGTH_MAX = 12, PACKETS_MAX = 64 };

static void check(const struct correlate_result *result, const struct packets *packets) {
        if (result->n_fields > CORRELATE_FIELDS_MAX)
                abort();
        for (unsigned i = 0; i < result->n_fields; i++) {
                const struct correlate_field *f = &result->fields[i];

                if (f->group >= packets->n_groups || f->field.width < 1 || f->field.width > FIELD_WIDTH_MAX ||
                    f->field.offset + f->field.width > packets->groups[f->group].length)
                        abort();
                if (f->matched > f->total || f->total > packets->groups[f->group].n || f->lag_from_s > f->lag_to_s ||
                    f->n_open > CORRELATE_OPEN_MAX || !(f->by_chance >= 0))
                        abort();
                for (unsigned k = 0; k < f->n_open; k++)
                        if (!memchr(f->open[k], 0, CORRELATE_TEXT_MAX))
                                abort();
        }
}

/* What the first bytes say of the values. */
static void take_settings(const uint8_t *data, struct known *known, struct correlate_options *options) {
        static const int64_t digits[] = { 1, 1000000, 1000000000, INT64_C(1000000000000) };

        known->digit = digits[data[0] & 3];
        known->is_total = data[0] & 4;
        known->is_sloped = data[0] & 8;
        options->kilowatt_units = data[0] & 16 ? KNOWN_UNITS : 0;
        options->tolerance = data[0] & 32 ? 0.5 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct correlate_options options = { .tolerance = 0 };
        struct correlate_result *result;
        struct packets packets;
        struct known known = { .n = 0 };
        size_t length, at = 3;

        if (size < 8 || packets_init(&packets) < 0)
                return 0;
        take_settings(data, &known, &options);
        length = data[1] % LENGTH_MAX + 1;
        for (unsigned i = 0; i < PACKETS_MAX && at + length + 4 <= size; i++) {
                int64_t value = (int64_t) data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8;
                int64_t ms = i * INT64_C(1000) * (1 + data[2] % 64);
                size_t cut = data[at + 3] & 0x80 ? length / 2 : length;

                value = data[at + 3] & 0x40 ? KNOWN_HOLE : value * (data[at + 3] & 0x20 ? -1000000 : 1000);
                if (known_add(&known, ms, value) < 0 ||
                    packets_add(&packets, 1, data + at + 4, cut, ms + (data[at + 3] & 15) * 100) < 0)
                        abort();
                at += 4 + length;
        }
        result = calloc(1, sizeof *result);
        if (!result || known_finish(&known) < 0 || correlate(&packets, &known, &options, result) < 0)
                abort();
        check(result, &packets);
        free(result);
        known_free(&known);
        packets_free(&packets);
        return 0;
}
