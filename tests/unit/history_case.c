#include "history_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct history *case_new(const char *directory, const struct store_io *io) {
        struct history_options options = { .directory = directory, .size_bytes = STORE_MIN_BYTES,
                                           .flush_ms = FLUSH_MS, .io = io };
        char error[STORE_ERROR_MAX];
        struct history *h;

        assert_int_equal(history_new(&options, &h, error), 0);
        return h;
}

struct history *case_ready(const char *directory, const struct store_io *io) {
        struct history *h = case_new(directory, io);

        bench_make_ready(h);
        history_set_clock(h, 0, true, true, UTC_MS);
        return h;
}

struct schema case_schema(const char *meter, const char *first_key) {
        struct schema s = { .hold_ticks = 350, .n_columns = 2,
                            .columns = { { .kind = COLUMN_GAUGE, .decimals = 3 },
                                         { "energy_import_kwh", COLUMN_COUNTER, 6 } } };

        snprintf(s.meter, sizeof s.meter, "%s", meter);
        snprintf(s.columns[0].key, sizeof s.columns[0].key, "%s", first_key);
        return s;
}

unsigned case_define(struct history *h, const char *meter, const char *first_key) {
        struct schema s = case_schema(meter, first_key);
        unsigned handle;

        assert_int_equal(history_define(h, &s, &handle), 0);
        return handle;
}

/* A row whose values tell what it is. */
struct history_row case_row(int64_t value) {
        return (struct history_row) { .mask = 3, .values = { value, value * 10 },
                                      .totals = { 0, value * 10 + 5000 } };
}

void case_append(struct history *h, unsigned meter, uint64_t boot_ms, int64_t value) {
        struct history_row row = case_row(value);

        history_append(h, meter, boot_ms, &row);
}

/* Rows of one meter once a second, from boot-time second first on, values as the seconds. */
void case_append_seconds(struct history *h, unsigned meter, unsigned first, unsigned n) {
        for (unsigned s = first; s < first + n; s++) {
                case_append(h, meter, s * 1000, s);
                history_poll(h, s * 1000);
        }
}

void case_check_newest(struct history *h, unsigned meter, bool safe, int64_t tick, int64_t value) {
        struct history_row row;
        int64_t got = 0;
        bool there = safe ? history_newest_safe(h, meter, &got, &row) : history_newest(h, meter, &got, &row);

        if (tick == 0) {
                assert_false(there);
                return;
        }
        assert_true(there);
        assert_int_equal(got, tick);
        assert_int_equal(row.mask, 3);
        assert_int_equal(row.values[0], value);
        assert_int_equal(row.values[1], value * 10);
        assert_int_equal(row.totals[1], value * 10 + 5000);
}

/* All rows are there, as append_seconds made them. */
void case_check_seconds(struct history *h, unsigned n) {
        struct bench_contents *c = bench_read(h);

        assert_int_equal(c->n_rows, n);
        for (unsigned i = 0; i < n; i++) {
                assert_int_equal(c->rows[i].number, i + 1);
                assert_int_equal(c->rows[i].tick, TICK0 + i * 10);
                assert_int_equal(c->rows[i].mask, 3);
                assert_int_equal(c->rows[i].values[0], i);
                assert_int_equal(c->rows[i].values[1], i * 10);
                assert_int_equal(c->rows[i].totals[1], i * 10 + 5000);
        }
        bench_check_tiers(h, c);
        bench_free(c);
}
