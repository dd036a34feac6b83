/* The past of the demo: what its meters would have reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "history/query.h"
#include "tools/demo_history.h"
#include "tools/household.h"

#define HOUR_MS  INT64_C(3600000)
#define DAY_MS   (24 * HOUR_MS)
#define NOON     (INT64_C(1795262400) * 1000)  /* the 21st of November 2026 in UTC */
#define SEED     5
#define START_WH 1000000

static struct meter_config main_meter = { .id = "main", .stale_after_ms = 35000 };
static struct meter_config utility_meter = { .id = "utility", .stale_after_ms = 20000 };
static char folder[64];
static int64_t now_is;

static int64_t now(void) {
        return now_is;
}

static int make_folder(void **state) {
        (void) state;
        strcpy(folder, "/tmp/metergate-test-XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
        char path[128];

        (void) state;
        snprintf(path, sizeof path, "%s/" STORE_FILE_NAME, folder);
        (void) unlink(path);
        snprintf(path, sizeof path, "%s/" STORE_FILE_NAME ".new", folder);
        (void) unlink(path);
        return rmdir(folder);
}

static struct demo_history filled(int64_t end_ms, int64_t duration_ms) {
        struct demo_history d = { .directory = folder, .duration_ms = (uint64_t) duration_ms, .seed = SEED,
                                  .main = &main_meter, .utility = &utility_meter, .import_wh = START_WH,
                                  .export_wh = START_WH, .now_ms = now };

        now_is = end_ms;
        assert_int_equal(demo_history_fill(&d), 0);
        return d;
}

static struct history *opened(void) {
        const struct history_options options = { .directory = folder, .read_only = true };
        char error[STORE_ERROR_MAX];
        struct history *h;

        assert_int_equal(history_new(&options, &h, error), 0);
        while (history_step(h) > 0)
                ;
        assert_string_equal(history_error(h), "");
        return h;
}

/* Of all rows of a meter, one after the other. */
struct tally {
        uint64_t rows, sum;
        int64_t first, last, longest, shortest;  /* ticks: of rows, between them */
        int64_t values[SCHEMA_COLUMNS_MAX], totals[SCHEMA_COLUMNS_MAX];
        int64_t first_totals[SCHEMA_COLUMNS_MAX];
};

static void take(struct tally *t, const struct sample *s) {
        int64_t since = s->tick - t->last;

        if (t->rows++ == 0)
                t->first = s->tick;
        else if (t->rows == 2)
                t->shortest = t->longest = since;
        else {
                t->shortest = since < t->shortest ? since : t->shortest;
                t->longest = since > t->longest ? since : t->longest;
        }
        t->last = s->tick;
        t->sum = t->sum * 31 + (uint64_t) s->tick;
        for (unsigned i = 0; i < s->schema->n_columns; i++) {
                if (!(s->row.mask >> i & 1))
                        continue;
                t->sum = t->sum * 31 + (uint64_t) s->row.values[i];
                if (s->schema->columns[i].kind == COLUMN_COUNTER) {
                        if (t->first_totals[i] == 0)
                                t->first_totals[i] = s->row.totals[i];
                        assert_true(s->row.totals[i] >= t->totals[i]);
                }
                t->values[i] = s->row.values[i];
                t->totals[i] = s->row.totals[i];
        }
}

static void read_all(struct tally *main, struct tally *utility) {
        CLEANUP(history_freep) struct history *h = opened();
        CLEANUP(samples_freep) struct samples *all = NULL;
        struct sample s;
        int r;

        *main = *utility = (struct tally) { 0 };
        assert_int_equal(samples_new(h, 0, &all), 0);
        while ((r = samples_next(all, 100, &s)) != 0)
                if (r > 0)
                        take(strcmp(s.schema->meter, "main") == 0 ? main : utility, &s);
}

/* Columns as the meters' series are ordered. */
enum { MAIN_V, MAIN_A, MAIN_W, MAIN_VA, MAIN_VAR, MAIN_PF, MAIN_IMPORT, MAIN_EXPORT };
enum { UTILITY_W, UTILITY_IMPORT, UTILITY_EXPORT };

static int64_t solar_mwh(int64_t from_ms, int64_t to_ms) {
        struct household_moment m;
        struct household h;
        int64_t sum = 0;

        household_init(&h, SEED);
        for (int64_t t = from_ms; t < to_ms; t += 1000) {
                household_at(&h, t, &m);
                sum += m.solar_mw;
        }
        return sum / 3600;
}

/* What came in over the street and from the roof is what the house used and what went out. */
static void test_energies_balance(void **state) {
        struct demo_history d = filled(NOON, 3 * DAY_MS);
        int64_t import, export, used, solar = solar_mwh(NOON - 3 * DAY_MS, NOON);
        struct tally main, utility;

        (void) state;
        read_all(&main, &utility);
        assert_int_equal(main.rows + utility.rows, d.rows);
        import = utility.totals[UTILITY_IMPORT] - START_WH * 1000;
        export = utility.totals[UTILITY_EXPORT] - START_WH * 1000;
        used = main.totals[MAIN_IMPORT];
        assert_in_range(used, 10000000, 80000000);
        assert_in_range(import, 5000000, used);
        assert_in_range(export, 100000, solar);
        assert_true(llabs(import + solar - used - export) < used / 100);
        assert_int_equal(main.totals[MAIN_EXPORT], 0);
        /* The registers at the end, which the live meter goes on with. */
        assert_in_range(d.import_wh * 1000 - utility.totals[UTILITY_IMPORT], 0, 10000);
        assert_in_range(d.export_wh * 1000 - utility.totals[UTILITY_EXPORT], 0, 10000);
}

static void test_reports_come_every_one_to_ten_seconds(void **state) {
        struct tally main, utility;

        (void) state;
        filled(NOON, 2 * DAY_MS);
        read_all(&main, &utility);
        assert_in_range(main.shortest, 4, 10);
        assert_in_range(main.longest, 90, 107);
        assert_in_range(utility.shortest, 93, 100);
        assert_in_range(utility.longest, 100, 107);
        assert_in_range(main.rows, 2 * 8640, 2 * 86400);
        assert_int_equal(utility.rows, 2 * 8640);
}

/* History ends where live begins. */
static void test_it_ends_now(void **state) {
        struct tally main, utility;

        (void) state;
        filled(NOON + 4321, HOUR_MS);
        read_all(&main, &utility);
        assert_true(main.last <= (NOON + 4321) / TICK_MS && utility.last <= (NOON + 4321) / TICK_MS);
        assert_true(main.last > (NOON - 20000) / TICK_MS && utility.last > (NOON - 20000) / TICK_MS);
        assert_in_range(main.first, (NOON - HOUR_MS) / TICK_MS, (NOON - HOUR_MS + 10000) / TICK_MS);
}

static void test_same_end_same_numbers(void **state) {
        struct tally first[2], second[2], later[2];

        filled(NOON, DAY_MS);
        read_all(&first[0], &first[1]);
        remove_folder(state);
        make_folder(state);
        filled(NOON, DAY_MS);
        read_all(&second[0], &second[1]);
        assert_memory_equal(first, second, sizeof first);
        remove_folder(state);
        make_folder(state);
        filled(NOON + HOUR_MS, DAY_MS);
        read_all(&later[0], &later[1]);
        assert_true(later[0].sum != first[0].sum && later[1].sum != first[1].sum);
}

/* Where nobody recorded there are no rows; the register counted on, the integral did not. */
static void test_failure_is_a_gap(void **state) {
        struct tally main, utility;
        struct household h;
        int64_t t = NOON;

        (void) state;
        household_init(&h, SEED);
        while (household_failure_at(&h, t) != HOUSEHOLD_GATEWAY_OFF)
                t += 60000;
        filled(t + 12 * HOUR_MS, 14 * HOUR_MS);
        read_all(&main, &utility);
        assert_in_range(main.longest, HOUR_MS * 2 / TICK_MS, HOUR_MS * 9 / TICK_MS + 200);
        assert_true(utility.totals[UTILITY_IMPORT] + utility.totals[UTILITY_EXPORT] > 2000 * START_WH);
        assert_in_range(utility.longest - main.longest + 200, 0, 400);
}

static void test_signal_ends_it(void **state) {
        struct demo_history d = { .directory = folder, .duration_ms = (uint64_t) (1000 * DAY_MS), .seed = SEED,
                                  .main = &main_meter, .utility = &utility_meter, .now_ms = now };
        sigset_t set, old;
        int number;

        (void) state;
        now_is = NOON;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
        raise(SIGINT);
        assert_int_equal(demo_history_fill(&d), 1);
        assert_int_equal(d.rows, 0);
        assert_int_equal(sigwait(&set, &number), 0);
        assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void test_no_folder(void **state) {
        struct demo_history d = { .directory = "/nowhere/at/all", .duration_ms = (uint64_t) DAY_MS, .seed = SEED,
                                  .main = &main_meter, .utility = &utility_meter, .now_ms = now };

        (void) state;
        now_is = NOON;
        assert_true(demo_history_fill(&d) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_energies_balance, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(test_reports_come_every_one_to_ten_seconds, make_folder,
                                                remove_folder),
                cmocka_unit_test_setup_teardown(test_it_ends_now, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(test_same_end_same_numbers, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(test_failure_is_a_gap, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(test_signal_ends_it, make_folder, remove_folder),
                cmocka_unit_test(test_no_folder),
        };

        setenv("TZ", "Europe/Warsaw", 1);
        tzset();
        main_meter.protocol = protocol_find("tuyamcu");
        utility_meter.protocol = protocol_find("vue");
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
