/* The history as a whole: rows, restarts, what fails, and everything at once at random. */
#include "history_case.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cut_disk.h"
#include "from_environment.h"
#include "history/history_parts.h"
#include "tools/random.h"

static uint64_t seed;

static void test_rows_survive_a_restart(void **state) {
        const char *directory = bench_directory();
        struct history *h = case_ready(directory, NULL);
        unsigned meter = case_define(h, "main", "power_w");

        (void) state;
        case_check_newest(h, meter, false, 0, 0);
        case_append_seconds(h, meter, 0, 4000);
        case_check_newest(h, meter, false, TICK0 + 39990, 3999);
        case_check_seconds(h, 4000);
        history_free(h);

        h = case_ready(directory, NULL);
        meter = case_define(h, "main", "power_w");
        case_check_newest(h, meter, true, TICK0 + 39990, 3999);
        assert_int_equal(history_stats(h).next_number, 4001);
        case_append_seconds(h, meter, 4000, 10);
        case_check_seconds(h, 4010);
        assert_string_equal(history_meter_id(h, 0), "main");
        assert_null(history_meter_id(h, 1));
        assert_string_equal(history_error(h), "");
        history_free(h);
}

/* Without a checkpoint nothing is safe but the first row, which asks for its number; then every minute. */
static void test_checkpoints(void **state) {
        struct history *h = case_ready(bench_directory(), NULL);
        unsigned meter = case_define(h, "main", "power_w");

        (void) state;
        case_append(h, meter, 1000, 1);
        case_check_newest(h, meter, true, TICK0 + 10, 1);
        for (unsigned s = 2; s < 300; s++) {
                uint64_t next;
                struct history_row row;
                int64_t tick;

                case_append(h, meter, s * 1000, s);
                next = history_poll(h, s * 1000);
                assert_true(next > s * 1000 && next <= s * 1000 + FLUSH_MS);
                assert_true(history_newest_safe(h, meter, &tick, &row));
                assert_true(tick > TICK0 + s * 10 - 10 * FLUSH_MS / 1000 - 10);
                assert_true(s < 63 || tick > TICK0 + 10);
        }
        case_append(h, meter, 300000, 300);
        assert_int_equal(history_flush(h), 0);
        case_check_newest(h, meter, true, TICK0 + 3000, 300);
        assert_true(history_stats(h).last_checkpoint_ms == 300000);
        history_free(h);
}

static void test_memory_only(void **state) {
        struct history *h = case_new(NULL, NULL);
        unsigned meter;
        struct bench_contents *c;

        (void) state;
        assert_true(history_is_ready(h));
        history_set_clock(h, 0, true, true, UTC_MS);
        meter = case_define(h, "main", "power_w");
        case_append_seconds(h, meter, 0, 1000);
        case_check_seconds(h, 1000);
        case_check_newest(h, meter, true, TICK0 + 9990, 999);
        assert_string_equal(history_error(h), "");
        /* Far more than there is room for. */
        case_append_seconds(h, meter, 1000, 400000);
        c = bench_read(h);
        assert_true(c->n_rows > 30000 && c->n_rows < 300000);
        assert_int_equal(c->rows[c->n_rows - 1].number, 401000);
        assert_true(c->tiers[TIER_MINUTE].n > 1000);
        bench_check_tiers(h, c);
        bench_free(c);
        history_free(h);
}

/* ---- failures ---- */

static void test_power_cut_before_the_first_checkpoint(void **state) {
        const char *directory = bench_directory();
        struct cut_disk *d = cut_disk_new(directory, seed);
        struct history *h = case_ready(directory, &d->io);
        unsigned meter = case_define(h, "main", "power_w");
        uint64_t given;

        (void) state;
        case_append(h, meter, 1000, 1);
        case_append(h, meter, 2000, 2);
        given = history_stats(h).next_number;
        cut_disk_power_off(d, 0);
        history_free(h);
        cut_disk_restart(d);
        h = case_ready(directory, &d->io);
        assert_true(history_stats(h).next_number >= given);
        history_free(h);
        cut_disk_free(d);
}

/* A number is not given before it is reserved on the disk. */
static void test_numbers_are_reserved(void **state) {
        const char *directory = bench_directory();
        struct history *h = case_ready(directory, NULL);
        unsigned meter = case_define(h, "main", "power_w");

        (void) state;
        for (unsigned i = 0; i < 3 * STORE_RESERVE; i++) {
                struct history_row row = case_row(1);

                assert_int_equal(history_append_at(h, meter, TICK0 + i, &row), 0);
                assert_true(history_stats(h).next_number <= h->limit);
        }
        history_free(h);
        h = case_ready(directory, NULL);
        assert_int_equal(history_stats(h).next_number, 3 * STORE_RESERVE + 1);
        history_free(h);
}

static void failing_disk(int error) {
        const char *directory = bench_directory();
        struct cut_disk *d = cut_disk_new(directory, seed);
        struct history *h = case_ready(directory, &d->io);
        unsigned meter = case_define(h, "main", "power_w");
        struct bench_contents *c;
        uint64_t writes;

        case_append_seconds(h, meter, 0, 10000);
        assert_string_equal(history_error(h), "");
        d->write_error = error;
        case_append_seconds(h, meter, 10000, 30000);
        case_check_seconds(h, 40000);
        assert_non_null(strstr(history_error(h), directory));
        writes = d->writes;
        case_append_seconds(h, meter, 40000, 300000);
        assert_int_equal(d->writes, writes);
        assert_int_equal(history_flush(h), -EROFS);
        assert_int_equal(history_stats(h).next_number, 340001);
        assert_int_equal(history_page_info(h, TIER_RAW, history_end(h, TIER_RAW) - 1).valid, true);
        history_free(h);
        d->write_error = 0;
        h = case_ready(directory, &d->io);
        c = bench_read(h);
        assert_true(c->n_rows >= 9940 && c->n_rows <= 10000);
        bench_check_tiers(h, c);
        bench_free(c);
        history_free(h);
        cut_disk_free(d);
}

static void test_failing_disk(void **state) {
        (void) state;
        failing_disk(EIO);
        failing_disk(ENOSPC);
        failing_disk(EROFS);
}

static void test_no_disk_at_all(void **state) {
        struct history *h = case_new("/proc/metergate-none", NULL);
        unsigned meter = case_define(h, "main", "power_w");

        (void) state;
        assert_non_null(strstr(history_error(h), "/proc/metergate-none"));
        history_set_clock(h, 0, true, true, UTC_MS);
        case_append_seconds(h, meter, 0, 5000);
        case_check_seconds(h, 5000);
        case_check_newest(h, meter, true, 0, 0);
        case_check_newest(h, meter, false, TICK0 + 49990, 4999);
        history_free(h);
}

static void test_read_only(void **state) {
        const char *directory = bench_directory();
        struct history_options options = { .directory = directory, .read_only = true, .flush_ms = FLUSH_MS };
        struct history *h = case_ready(directory, NULL), *reader;
        unsigned meter = case_define(h, "main", "power_w");
        char error[STORE_ERROR_MAX];
        struct history_row row = case_row(1);

        (void) state;
        case_append_seconds(h, meter, 0, 5000);
        assert_int_equal(history_flush(h), 0);
        case_append(h, meter, 5000000, 5000);
        assert_int_equal(history_new(&options, &reader, error), 0);
        bench_make_ready(reader);
        case_check_seconds(reader, 5000);
        meter = case_define(reader, "main", "power_w");
        assert_int_equal(history_append_at(reader, meter, TICK0 * 2, &row), -EROFS);
        history_append(reader, meter, 5001000, &row);
        history_set_clock(reader, 5001000, true, true, UTC_MS);
        history_poll(reader, 90000000);
        case_check_seconds(reader, 5000);
        history_free(reader);
        case_check_seconds(h, 5001);
        history_free(h);
        bench_directory();
        assert_int_equal(history_new(&options, &reader, error), -ENOENT);
        assert_non_null(strstr(error, directory));
}

/* ---- everything at once, at random ---- */

#define METERS 4

struct life {
        struct history *h;
        uint64_t random, boot_ms;
        int64_t offset_ms;
        unsigned handles[METERS];
        int64_t totals[METERS];
        uint64_t n_rows;
};

static void random_define(struct life *l, unsigned meter) {
        static const char *const keys[] = { "power_w", "voltage_v", "current_a" };
        struct schema s = { .hold_ticks = 100 + 250 * random_below(&l->random, 3),
                            .columns = { { "energy_import_kwh", COLUMN_COUNTER, 6 } } };

        snprintf(s.meter, sizeof s.meter, "m%u", meter);
        s.n_columns = 1 + random_below(&l->random, 3);
        for (unsigned i = 1; i < s.n_columns; i++)
                s.columns[i] = (struct schema_column) { .kind = COLUMN_GAUGE, .decimals = 3 };
        for (unsigned i = 1; i < s.n_columns; i++)
                snprintf(s.columns[i].key, sizeof s.columns[i].key, "%s", keys[(i + meter) % 3]);
        assert_int_equal(history_define(l->h, &s, &l->handles[meter]), 0);
}

static void random_row(struct life *l, unsigned meter) {
        struct history_row row = { .mask = 1 | (random_below(&l->random, 8) << 1) };

        int64_t total = l->totals[meter] + random_below(&l->random, 100);

        row.values[0] = total % 100000;
        row.totals[0] = total;
        for (unsigned i = 1; i < 4; i++)
                row.values[i] = (int64_t) random_below(&l->random, random_below(&l->random, 50) ? 100 : 1000000) - 50;
        row.mask &= 0xf;
        history_append(l->h, l->handles[meter], l->boot_ms, &row);
        /* A row is lost where no slot is free for a changed schema. */
        if (history_stats(l->h).next_number == l->n_rows + 1)
                return;
        l->totals[meter] = total;
        l->n_rows++;
}

static void random_event(struct life *l) {
        switch (random_below(&l->random, 40)) {
        case 0:
                random_define(l, random_below(&l->random, METERS));
                break;
        case 1:
                l->offset_ms -= random_below(&l->random, 7200000);
                break;
        case 2:
                l->offset_ms -= random_below(&l->random, 60000);
                break;
        case 3:
                l->boot_ms += random_below(&l->random, 40000000);
                break;
        default:
                l->boot_ms += random_below(&l->random, 60000);
        }
        history_set_clock(l->h, l->boot_ms, true, true, l->offset_ms);
}

static void random_rows(struct life *l, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                unsigned meter = random_below(&l->random, METERS);

                l->boot_ms += random_below(&l->random, 1500);
                if (random_below(&l->random, 1000) == 0)
                        random_event(l);
                random_row(l, meter);
                if (random_below(&l->random, 3) == 0)
                        history_poll(l->h, l->boot_ms);
                if (random_below(&l->random, 500) == 0) {
                        uint8_t page[PAGE_BYTES];

                        assert_int_equal(history_page(l->h, TIER_RAW, history_end(l->h, TIER_RAW) - 1, page), 0);
                }
        }
}

static void check_life(struct life *l) {
        struct bench_contents *c = bench_read(l->h);

        assert_true(c->n_rows > 0);
        assert_int_equal(c->rows[c->n_rows - 1].number, l->n_rows);
        for (size_t i = 1; i < c->n_rows; i++)
                assert_int_equal(c->rows[i].number, c->rows[i - 1].number + 1);
        bench_check_tiers(l->h, c);
        bench_free(c);
}

static void test_random_lives(void **state) {
        unsigned n = (unsigned) number_from("METERGATE_ROUNDS", 12);
        const char *directory = bench_directory();
        struct life l = { .random = random_seed(seed), .offset_ms = UTC_MS };

        (void) state;
        for (unsigned i = 0; i < n; i++) {
                struct history_row row;
                int64_t tick;

                l.h = case_new(directory, NULL);
                bench_make_ready(l.h);
                history_set_clock(l.h, l.boot_ms, true, true, l.offset_ms);
                for (unsigned m = 0; m < METERS; m++) {
                        random_define(&l, m);
                        if (history_newest_safe(l.h, l.handles[m], &tick, &row))
                                assert_int_equal(row.totals[0], l.totals[m]);
                        else
                                assert_true(l.totals[m] == 0);
                }
                if (l.n_rows > 0)
                        check_life(&l);
                random_rows(&l, random_below(&l.random, 4) == 0 ? 100 : random_below(&l.random, 60000));
                check_life(&l);
                history_free(l.h);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows_survive_a_restart),
                cmocka_unit_test(test_checkpoints),
                cmocka_unit_test(test_memory_only),
                cmocka_unit_test(test_power_cut_before_the_first_checkpoint),
                cmocka_unit_test(test_numbers_are_reserved),
                cmocka_unit_test(test_failing_disk),
                cmocka_unit_test(test_no_disk_at_all),
                cmocka_unit_test(test_read_only),
                cmocka_unit_test(test_random_lives),
        };
        int r;

        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = test_seed();
        r = cmocka_run_group_tests(tests, NULL, NULL);
        bench_remove_directory();
        return r;
}
