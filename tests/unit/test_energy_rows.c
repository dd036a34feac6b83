/* Periods of local time, and the energy of each against a model that looks at every row. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/energy_rows.h"
#include "base/cleanup.h"
#include "base/time_text.h"
#include "config/tariffs.h"
#include "from_environment.h"
#include "tools/random.h"

#define DAY_S 86400
#define HOLD_TICKS 350

static void set_zone(const char *name) {
        setenv("TZ", name, 1);
        tzset();
}

static int64_t moment(const char *text) {
        unsigned resolution;
        int64_t ms = 0;

        assert_int_equal(time_text_rfc3339(text, &ms, &resolution), strlen(text));
        return ms / 1000;
}

/* ---- periods ---- */

static void assert_periods(enum energy_period period, const char *from, const char *const expected[]) {
        int64_t at = period_start(period, moment(from));
        char text[PERIOD_TEXT_MAX];

        for (unsigned i = 0; expected[i]; i++) {
                period_format(at * 1000, text);
                assert_string_equal(text, expected[i]);
                at = period_next(period, at);
        }
}

static void clocks_are_set(void **state) {
        (void) state;
        set_zone("Europe/Warsaw");
        assert_periods(PERIOD_HOUR, "2026-03-29T00:59:59Z", (const char *const[]) {
                "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00", NULL });
        assert_periods(PERIOD_HOUR, "2026-10-25T00:00:00Z", (const char *const[]) {
                "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00", NULL });
        assert_periods(PERIOD_DAY, "2026-03-28T22:59:59Z", (const char *const[]) {
                "2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", NULL });
        assert_periods(PERIOD_WEEK, "2026-03-29T21:59:59Z", (const char *const[]) {
                "2026-03-23T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "2026-04-06T00:00:00+02:00", NULL });
        assert_periods(PERIOD_MONTH, "2026-02-28T23:00:00Z", (const char *const[]) {
                "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", NULL });
        assert_periods(PERIOD_YEAR, "2026-12-31T22:59:59Z", (const char *const[]) {
                "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00", NULL });
        set_zone("Australia/Lord_Howe");
        assert_periods(PERIOD_HOUR, "2026-04-04T14:30:00Z", (const char *const[]) {
                "2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30", NULL });
        assert_periods(PERIOD_HOUR, "2026-10-03T15:00:00Z", (const char *const[]) {
                "2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00", NULL });
        set_zone("America/St_Johns");   /* a minute past midnight, in those years */
        assert_periods(PERIOD_HOUR, "2005-04-03T03:30:30Z", (const char *const[]) {
                "2005-04-03T00:00:00-03:30", "2005-04-03T01:01:00-02:30", "2005-04-03T02:00:00-02:30", NULL });
        assert_periods(PERIOD_HOUR, "2005-10-30T02:30:00Z", (const char *const[]) {
                "2005-10-30T00:00:00-02:30", "2005-10-29T23:01:00-03:30", "2005-10-30T00:00:00-03:30", NULL });
        assert_periods(PERIOD_DAY, "2005-10-30T02:45:00Z", (const char *const[]) {
                "2005-10-30T00:00:00-02:30", "2005-10-31T00:00:00-03:30", NULL });
        set_zone("Asia/Kathmandu");
        assert_periods(PERIOD_HOUR, "2026-01-01T00:00:00Z", (const char *const[]) {
                "2026-01-01T05:00:00+05:45", "2026-01-01T06:00:00+05:45", NULL });
        set_zone("Pacific/Apia");     /* had no 30th */
        assert_periods(PERIOD_DAY, "2011-12-30T09:00:00Z", (const char *const[]) {
                "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00", NULL });
}

static void fractions_and_odd_offsets(void **state) {
        char text[PERIOD_TEXT_MAX];

        (void) state;
        set_zone("America/St_Johns");
        period_format(moment("2026-07-01T00:00:00Z") * 1000 + 100, text);
        assert_string_equal(text, "2026-06-30T21:30:00.100-02:30");
        assert_int_equal(period_unit_s(0, moment("2026-07-01T00:00:00Z")), 900);
        set_zone("Africa/Monrovia");  /* -00:44:30 until 1972 */
        period_format(moment("1971-07-01T00:00:00Z") * 1000, text);
        assert_string_equal(text, "1971-07-01T00:00:00Z");
        assert_int_equal(period_unit_s(0, moment("2026-07-01T00:00:00Z")), 1);
        assert_int_equal(period_unit_s(moment("1973-07-01T00:00:00Z"), moment("2026-07-01T00:00:00Z")), 900);
        set_zone("XXX-5:10");
        assert_int_equal(period_unit_s(0, moment("2026-07-01T00:00:00Z")), 60);
}

/* Every beginning of a longer period is one of a shorter one, and each moment lies in the period that covers it. */
static void periods_nest(void **state) {
        static const char *const zones[] = {
                "Europe/Warsaw",  "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo",
                "America/Havana", "Pacific/Apia",   "America/Sao_Paulo",   "Asia/Gaza",        "UTC",
        };
        uint64_t seed = random_seed(1);

        (void) state;
        for (size_t z = 0; z < ELEMENTS(zones); z++) {
                int64_t at;

                set_zone(zones[z]);
                at = period_start(PERIOD_HOUR, random_below(&seed, 2000000000));
                for (unsigned i = 0; i < 3000; i++) {
                        int64_t next = period_next(PERIOD_HOUR, at);
                        int64_t inside = at + random_below(&seed, (uint32_t) (next - at));

                        assert_in_range(next - at, 1, 3600);
                        assert_int_equal(period_start(PERIOD_HOUR, inside), at);
                        assert_int_equal(period_next(PERIOD_HOUR, inside), next);
                        for (enum energy_period p = PERIOD_DAY; p < PERIODS; p++) {
                                int64_t start = period_start(p, inside);

                                assert_int_equal(period_start(PERIOD_HOUR, start), start);
                                assert_true(start <= at && period_next(p, inside) >= next);
                                assert_int_equal(period_start(p, period_next(p, inside)), period_next(p, inside));
                                assert_int_equal(period_count(p, start, period_next(p, inside)), 1);
                                assert_int_equal(period_next(p, period_back(p, inside, 1)), start);
                        }
                        at = next;
                }
        }
}

/* ---- a life ---- */

struct sample {
        int64_t tick, import, export;
};

struct life {
        char directory[64];
        struct history *history;
        unsigned meter, n;
        bool with_power;
        int64_t now;
        struct sample samples[20000];
};

static void life_begin(struct life *l, bool with_power) {
        struct schema schema = {
                .meter = "main", .hold_ticks = HOLD_TICKS, .n_columns = 2,
                .columns = { { "energy_import_kwh", COLUMN_COUNTER, 6 }, { "energy_export_kwh", COLUMN_COUNTER, 6 },
                             { "power_w", COLUMN_GAUGE, 3 } },
        };
        struct history_options options = { .size_bytes = 4 << 20, .flush_ms = 60000 };
        char error[STORE_ERROR_MAX] = "";

        l->n = 0;
        l->with_power = with_power;
        schema.n_columns += with_power;
        strcpy(l->directory, "/tmp/energy-XXXXXX");
        assert_non_null(mkdtemp(l->directory));
        options.directory = l->directory;
        assert_int_equal(history_new(&options, &l->history, error), 0);
        while (history_step(l->history) > 0)
                ;
        assert_int_equal(history_define(l->history, &schema, &l->meter), 0);
}

static void life_end(struct life *l) {
        char path[128];

        history_free(l->history);
        snprintf(path, sizeof path, "%s/%s", l->directory, STORE_FILE_NAME);
        unlink(path);
        assert_int_equal(rmdir(l->directory), 0);
}

static void life_add(struct life *l, int64_t tick, int64_t import, int64_t export) {
        struct history_row row = { .mask = 3 | (uint64_t) l->with_power << 2, .values = { import, export, 1000 },
                                   .totals = { import, export } };

        assert_true(l->n < ELEMENTS(l->samples));
        assert_int_equal(history_append_at(l->history, l->meter, tick, &row), 0);
        l->samples[l->n++] = (struct sample) { tick, import, export };
}

/* Reports every 10 s to 10 min, with pauses of up to two days, for so many days. */
static void life_live(struct life *l, uint64_t *seed, int64_t from_s, unsigned days) {
        int64_t tick = from_s * TICKS_PER_S, import = random_below(seed, 1000000), export = 0;

        while (tick < (from_s + (int64_t) days * DAY_S) * TICKS_PER_S) {
                life_add(l, tick, import, export);
                if (random_below(seed, 400) == 0)
                        tick += random_below(seed, 2 * DAY_S * TICKS_PER_S);
                else if (random_below(seed, 20) == 0)
                        tick += 9000 - tick % 9000;
                else
                        tick += 100 + random_below(seed, random_below(seed, 2) ? 300 : 6000);
                import += random_below(seed, 3) * random_below(seed, 50000);
                export += random_below(seed, 2) * random_below(seed, 50000);
        }
        l->now = tick + 100;
}

/* The last sample at or before, or the first of all; NULL when that lies behind. */
static const struct sample *sample_at(const struct life *l, int64_t tick) {
        unsigned first = 0, end = l->n;

        while (first < end) {
                unsigned middle = (first + end) / 2;

                if (l->samples[middle].tick <= tick)
                        first = middle + 1;
                else
                        end = middle;
        }
        return first > 0 ? &l->samples[first - 1] : NULL;
}

static const struct sample *sample_before(const struct life *l, int64_t tick) {
        const struct sample *s = sample_at(l, tick);

        return s ? s : &l->samples[0];
}

static int64_t covered(const struct life *l, int64_t from, int64_t to) {
        int64_t sum = 0;

        for (unsigned i = 0; i < l->n; i++) {
                int64_t begin = l->samples[i].tick, end = begin + HOLD_TICKS;

                if (i + 1 < l->n && l->samples[i + 1].tick < end)
                        end = l->samples[i + 1].tick;
                begin = begin > from ? begin : from;
                end = end < to ? end : to;
                sum += end > begin ? end - begin : 0;
        }
        return sum;
}

static const struct tariff tariffs[] = {
        { .name = "day", .currency = "EUR", .price = 280001, .days = 0x1f,
          .quarters = { 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 } },   /* 06:00-22:00 */
        { .name = "night", .currency = "EUR", .price = 190003, .days = 0x7f,
          .quarters = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } },
};

/* By what clocks show, without the table of quarters. */
static int64_t cost(const struct life *l, int64_t from, int64_t to) {
        int64_t sum = 0;

        for (int64_t at = from; at < to; at += 9000) {
                int64_t end = at + 9000 < to ? at + 9000 : to, energy;
                time_t t = (time_t) (at / TICKS_PER_S);
                struct tm tm;

                localtime_r(&t, &tm);
                energy = sample_before(l, end)->import - sample_before(l, at)->import;
                if (tm.tm_wday >= 1 && tm.tm_wday <= 5 && tm.tm_hour >= 6 && tm.tm_hour < 22)
                        sum += energy * 280001;
                else
                        sum += energy * 190003;
        }
        return sum;
}

static int next(struct energy_rows *e, struct energy_row *row) {
        unsigned budget;
        int r;

        do {
                budget = 3;
                r = energy_rows_next(e, &budget, row);
        } while (r == -EAGAIN);
        return r;
}

static void check_row(const struct life *l, const struct energy_row *row) {
        const struct sample *start = sample_before(l, row->start), *end = sample_before(l, row->end);
        bool known = sample_at(l, row->end);

        assert_int_equal(row->import_known, known);
        assert_int_equal(row->export_known, known);
        assert_int_equal(row->cost_known, known);
        if (known) {
                assert_int_equal(row->import, end->import - start->import);
                assert_int_equal(row->export, end->export - start->export);
                assert_int_equal(row->cost, cost(l, row->start, row->end));
        }
        if (l->with_power)
                assert_int_equal(row->complete, covered(l, row->start, row->end) * 1000 / (row->end - row->start));
}

static struct energy_rows *ask(struct life *l, enum energy_period period, int64_t from_s, int64_t to_s) {
        struct energy_spec spec = {
                .meter = "main", .channel = "", .period = period, .from_s = period_start(period, from_s),
                .to_s = period_next(period, to_s), .now = l->now, .n_tariffs = 2, .tariffs = tariffs,
        };
        struct energy_rows *e = NULL;

        assert_int_equal(energy_rows_new(l->history, &spec, &e), 0);
        return e;
}

/* All rows are what the model says, one begins where the one before ends, and those of hours add up to each. */
static void check_life(struct life *l, enum energy_period longest, int64_t from_s, int64_t to_s) {
        for (enum energy_period p = PERIOD_HOUR; p <= longest; p++) {
                CLEANUP(energy_rows_freep) struct energy_rows *e = ask(l, p, from_s, to_s);
                int64_t start = period_start(p, from_s), at = start * TICKS_PER_S;
                CLEANUP(energy_rows_freep) struct energy_rows *hours = ask(l, PERIOD_HOUR, start, to_s);
                struct energy_row row, hour;

                while (next(e, &row) > 0) {
                        int64_t import = 0, export = 0, cost_sum = 0;

                        assert_int_equal(row.start, at);
                        at = row.end;
                        check_row(l, &row);
                        do {
                                if (next(hours, &hour) == 0)
                                        break;
                                import += hour.import;
                                export += hour.export;
                                cost_sum += hour.cost;
                        } while (hour.end < row.end && hour.end < l->now);
                        if (hour.end != row.end)
                                continue;
                        assert_int_equal(import, row.import);
                        assert_int_equal(export, row.export);
                        assert_int_equal(cost_sum, row.cost);
                }
                assert_true(at == l->now || at == period_next(p, to_s) * TICKS_PER_S);
        }
}

static void lives(void **state) {
        static const struct { const char *zone, *from; bool with_power; } cases[] = {
                { "Europe/Warsaw", "2026-03-20T00:00:00Z", true },
                { "Europe/Warsaw", "2026-10-18T00:00:00Z", true },
                { "Asia/Kathmandu", "2026-12-20T00:00:00Z", true },
                { "Australia/Lord_Howe", "2026-03-30T00:00:00Z", true },
                { "America/St_Johns", "2026-10-28T00:00:00Z", false },
                { "Pacific/Apia", "2011-12-25T00:00:00Z", true },
                { "Africa/Monrovia", "1971-12-31T00:00:00Z", true },
                { "XXX-5:10", "2026-06-25T00:00:00Z", true },
        };
        uint64_t seed = random_seed(test_seed());
        struct life *l = test_calloc(1, sizeof *l);

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                bool odd = cases[i].from[0] == '1';    /* goes second by second */
                enum energy_period longest = odd ? PERIOD_WEEK : PERIOD_YEAR;
                unsigned days = odd ? 2 : 14;
                int64_t from_s = moment(cases[i].from);

                set_zone(cases[i].zone);
                life_begin(l, cases[i].with_power);
                life_live(l, &seed, from_s, days);
                check_life(l, longest, from_s - DAY_S, from_s + (int64_t) (odd ? 1 : 30) * DAY_S);
                check_life(l, longest, from_s + DAY_S + random_below(&seed, DAY_S), from_s + 2 * DAY_S);
                life_end(l);
        }
        test_free(l);
}

/* ---- single things ---- */

static struct energy_row only_row(struct life *l, enum energy_period period, const char *at) {
        CLEANUP(energy_rows_freep) struct energy_rows *e = ask(l, period, moment(at), moment(at));
        struct energy_row row, more;

        assert_int_equal(next(e, &row), 1);
        assert_int_equal(next(e, &more), 0);
        return row;
}

static void nobody_knows(void **state) {
        struct life *l = test_calloc(1, sizeof *l);
        struct energy_row row;

        (void) state;
        set_zone("UTC");
        life_begin(l, true);
        l->now = moment("2026-07-02T12:00:00Z") * TICKS_PER_S;
        row = only_row(l, PERIOD_DAY, "2026-07-01T00:00:00Z");
        assert_false(row.import_known || row.export_known || row.cost_known);
        assert_int_equal(row.complete, 0);
        life_add(l, moment("2026-07-01T12:00:00Z") * TICKS_PER_S, 5000000, 0);
        row = only_row(l, PERIOD_DAY, "2026-06-30T00:00:00Z");
        assert_false(row.import_known);
        /* The first row of all is the beginning; a day in which nobody spoke has the totals of the day before. */
        row = only_row(l, PERIOD_DAY, "2026-07-01T00:00:00Z");
        assert_true(row.import_known && row.import == 0);
        row = only_row(l, PERIOD_DAY, "2026-07-02T00:00:00Z");
        assert_true(row.import_known && row.import == 0 && row.complete == 0);
        assert_int_equal(row.end, l->now);
        life_end(l);
        test_free(l);
}

static void rounds_down(void **state) {
        struct life *l = test_calloc(1, sizeof *l);
        int64_t from = moment("2026-07-01T00:00:00Z") * TICKS_PER_S;

        (void) state;
        set_zone("UTC");
        life_begin(l, true);
        for (int64_t tick = from; tick < from + 36000; tick += HOLD_TICKS)
                life_add(l, tick + (tick > from + 20000), 0, 0);
        l->now = from + 36000;
        assert_int_equal(only_row(l, PERIOD_HOUR, "2026-07-01T00:00:00Z").complete, 999);
        l->now = from + 20000;
        assert_int_equal(only_row(l, PERIOD_HOUR, "2026-07-01T00:00:00Z").complete, 1000);
        life_end(l);
        test_free(l);
}

static struct energy_row hour_of(struct history *h, const char *channel) {
        int64_t from_s = moment("2026-07-01T00:00:00Z");
        struct energy_spec spec = { .meter = "other", .channel = channel, .period = PERIOD_HOUR, .from_s = from_s,
                                    .to_s = from_s + 3600, .now = (from_s + DAY_S) * TICKS_PER_S };
        CLEANUP(energy_rows_freep) struct energy_rows *e = NULL;
        struct energy_row row;

        assert_int_equal(energy_rows_new(h, &spec, &e), 0);
        assert_int_equal(next(e, &row), 1);
        return row;
}

/* Where there is no power, another value of the channel tells, else one of the meter, else the rows themselves. */
static void heard_without_power(void **state) {
        static const uint64_t masks[] = { 0x0f, 0x16, 0x20 };
        struct schema schema = {
                .meter = "other", .hold_ticks = 3000, .n_columns = 6,
                .columns = { { "energy_import_kwh", COLUMN_COUNTER, 6 },
                             { "l1.energy_import_kwh", COLUMN_COUNTER, 6 }, { "l1.voltage_v", COLUMN_GAUGE, 3 },
                             { "l1.current_a", COLUMN_GAUGE, 3 },
                             { "l2.power_w", COLUMN_GAUGE, 3 }, { "l3.energy_export_kwh", COLUMN_COUNTER, 6 } },
        };
        struct life *l = test_calloc(1, sizeof *l);
        int64_t tick = moment("2026-07-01T00:00:00Z") * TICKS_PER_S;
        struct energy_row row;

        (void) state;
        set_zone("UTC");
        life_begin(l, true);
        assert_int_equal(history_define(l->history, &schema, &l->meter), 0);
        for (unsigned i = 0; i < 3; i++) {
                struct history_row report = { .mask = masks[i] };

                assert_int_equal(history_append_at(l->history, l->meter, tick + i * 9000, &report), 0);
        }
        row = hour_of(l->history, "l1");
        assert_true(row.import_known && !row.export_known && row.complete == 6000 * 1000 / 36000);
        row = hour_of(l->history, "");
        assert_true(row.import_known && row.complete == 6000 * 1000 / 36000);
        assert_int_equal(hour_of(l->history, "l2").complete, 3000 * 1000 / 36000);
        assert_false(hour_of(l->history, "l2").import_known);
        life_end(l);
        test_free(l);
}

static void only_counters(void **state) {
        struct life *l = test_calloc(1, sizeof *l);
        int64_t from = moment("2026-07-01T00:00:00Z") * TICKS_PER_S;

        (void) state;
        set_zone("UTC");
        life_begin(l, false);
        for (int64_t tick = from + 1; tick <= from + 18000; tick += 10)
                life_add(l, tick, tick - from, 0);
        life_add(l, from + 27001, 30000, 0);
        l->now = from + 36000;
        assert_int_equal(only_row(l, PERIOD_HOUR, "2026-07-01T00:00:00Z").complete,
                         (18000 + HOLD_TICKS) * 1000 / 36000);
        life_end(l);
        test_free(l);
}

/* Neither a time without a price nor a sum beyond 64 bits makes up a cost. */
static void costs_get_lost(void **state) {
        struct life *l = test_calloc(1, sizeof *l);
        int64_t from = moment("2026-07-01T00:00:00Z") * TICKS_PER_S;
        struct tariff dear = { .currency = "EUR", .price = INT64_C(10000000000000), .days = 0x7f,
                               .quarters = { 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0 } };
        struct energy_spec spec = {
                .meter = "main", .channel = "", .period = PERIOD_HOUR, .from_s = from / TICKS_PER_S,
                .to_s = from / TICKS_PER_S + DAY_S, .n_tariffs = 1, .tariffs = &dear,
        };
        CLEANUP(energy_rows_freep) struct energy_rows *e = NULL;
        struct energy_row row;

        (void) state;
        set_zone("UTC");
        life_begin(l, true);
        life_add(l, from + 10, 0, 0);
        life_add(l, from + 36000, 900000, 0);
        life_add(l, from + 72000, 2900000, 0);
        life_add(l, from + 14 * 36000, 2900001, 0);
        spec.now = from + 864000;
        assert_int_equal(energy_rows_new(l->history, &spec, &e), 0);
        for (unsigned hour = 0; next(e, &row) > 0; hour++) {
                assert_true(row.import_known);
                assert_int_equal(row.cost_known, hour != 1 && hour != 13);
                assert_true(row.cost == (hour == 0 ? INT64_C(9000000000000000000) : 0));
        }
        life_end(l);
        test_free(l);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clocks_are_set),
                cmocka_unit_test(fractions_and_odd_offsets),
                cmocka_unit_test(periods_nest),
                cmocka_unit_test(lives),
                cmocka_unit_test(nobody_knows),
                cmocka_unit_test(rounds_down),
                cmocka_unit_test(heard_without_power),
                cmocka_unit_test(only_counters),
                cmocka_unit_test(costs_get_lost),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
