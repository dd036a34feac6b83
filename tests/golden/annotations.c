#include "annotations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "protocols/quantity.h"
#include "protocols/tuyamcu/layout.h"

bool annotation_value(const char *line, const char *key, char *buf, size_t size) {
        size_t key_len = strlen(key), len;

        for (const char *p = line; (p = strstr(p, key)); p += key_len) {
                if ((p != line && p[-1] != ' ') || p[key_len] != '=')
                        continue;
                p += key_len + 1;
                len = strcmp(key, "json") == 0 || strcmp(key, "text") == 0 ? strlen(p) : strcspn(p, " ");
                assert_true(len < size);
                memcpy(buf, p, len);
                buf[len] = '\0';
                return true;
        }
        return false;
}

int64_t annotation_number(const char *line, const char *key, int64_t missing) {
        char text[64];

        return annotation_value(line, key, text, sizeof text) ? strtoll(text, NULL, 0) : missing;
}

void annotation_check_text(const char *line, const char *key, const char *is) {
        char expected[4096];

        if (annotation_value(line, key, expected, sizeof expected) && strcasecmp(expected, is) != 0)
                fail_msg("'%s': %s is %s", line, key, is);
}

/* What the annotations call differently. */
static const struct { const char *word, *key; } aliases[] = {
        { "energy_total_kwh", "energy_import_kwh" },
        { "reactive_var", "reactive_power_var" },
};

static enum quantity quantity_of(const char *word) {
        for (size_t i = 0; i < ELEMENTS(aliases); i++)
                if (strcmp(word, aliases[i].word) == 0)
                        word = aliases[i].key;
        return quantity_from_key(word);
}

static const struct reading *find_reading(const struct report *report, unsigned channel, unsigned quantity) {
        for (unsigned i = 0; i < report->count; i++)
                if (report->readings[i].channel == channel && report->readings[i].quantity == quantity)
                        return &report->readings[i];
        return NULL;
}

/* "power_w=12.0" against the reading in the row's channel, to 0.0005. */
static void check_quantity(const struct profile_datapoint *row, enum quantity quantity, const char *number,
                           const struct report *report) {
        const struct quantity_info *q = &quantity_catalogue[quantity];
        const struct reading *r = find_reading(report, row->channel, quantity);
        int64_t expected, tolerance = 5;

        if (!r)
                fail_msg("dp %u brings no %s", row->id, q->key);
        assert_int_equal(decimal_parse(number, q->decimals, &expected), 0);
        for (unsigned k = 0; k < q->decimals; k++)
                tolerance *= 10;
        if (llabs(expected - r->value) > tolerance / 10000)
                fail_msg("dp %u: %s is %lld, listed is %s", row->id, q->key, (long long) r->value, number);
}

static void check_history(const struct profile_datapoint *row, const struct tuya_datapoint *d, const char *word,
                          const char *number) {
        int64_t expected, is = -1;
        struct tuya_history h;

        assert_true(tuya_history_read(row->layout, d->value, &h));
        assert_int_equal(decimal_parse(number, 2, &expected), 0);
        if (strcmp(word, "energy_kwh") == 0)
                is = h.energy_10wh;
        else if (strcmp(word, "year") == 0)
                is = h.year * 100;
        else if (strcmp(word, "month") == 0)
                is = h.month * 100;
        else if (strcmp(word, "day") == 0)
                is = h.day * 100;
        if (is != expected)
                fail_msg("dp %u: %s is %lld hundredths, listed is %s", row->id, word, (long long) is, number);
}

void annotation_check_decoded(const char *line, const struct profile *profile,
                              const struct tuya_directions *directions, const struct tuya_datapoint *d) {
        const struct profile_datapoint *row = profile_datapoint(profile, d->id);
        struct report report = { .count = 0 };
        char copy[1024], *rest = copy, *word;
        const char *layout = NULL;
        unsigned checked = 0;

        assert_non_null(row);
        tuya_datapoint_map(profile, directions, d, &report);
        tuya_layout_map(row, d->value, 0, &(struct report) { .count = 0 }, &layout);
        assert_true(snprintf(copy, sizeof copy, "%s", line) < (int) sizeof copy);
        while ((word = strsep(&rest, " "))) {
                char *value = strchr(word, '=');
                enum quantity quantity;

                assert_non_null(value);
                *value++ = '\0';
                quantity = quantity_of(word);
                if (strcmp(word, "dp") == 0)
                        continue;
                if (strcmp(word, "layout") == 0) {
                        assert_non_null(layout);
                        assert_string_equal(value, layout);
                } else if (quantity != Q_NONE) {
                        check_quantity(row, quantity, value, &report);
                        checked++;
                } else
                        check_history(row, d, word, value);
        }
        assert_int_equal(checked, report.count);
}

void annotation_check_limits(const char *line, const struct tuya_datapoint *d) {
        struct tuya_limit limit;
        unsigned listed = 0, read = 0;
        size_t offset = 0;
        char is[64];

        for (const char *p = strchr(line, ':'); p; p = strchr(p + 1, ':'))
                listed++;
        while (tuya_limit_next(LAYOUT_LIMITS_METER, d->value, &offset, &limit)) {
                const char *action = limit.trips ? "trip" : "alarm";

                if (strstr(line, " code=")) {
                        assert_int_equal(annotation_number(line, "code", -1), limit.code);
                        assert_int_equal(annotation_number(line, "value", -1), limit.threshold);
                        annotation_check_text(line, "action", action);
                        return;
                }
                assert_non_null(limit.name);
                snprintf(is, sizeof is, "%u:%s", limit.threshold, action);
                assert_true(annotation_value(line, limit.name, (char[64]) { "" }, 64));
                annotation_check_text(line, limit.name, is);
                read++;
        }
        assert_int_equal(offset, d->value.len);
        assert_int_equal(read, listed);
}
