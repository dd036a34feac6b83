/* A month of a house in virtual time, half of it around the day in spring when clocks are set and half around the one
 * in autumn: loads and the sun, meters that report on change, and everything that goes wrong. In the end the energies
 * are those of the house's own ledger, whoever is asked.
 * METERGATE_SEED repeats a run, METERGATE_DAYS makes it longer. */
#include "values_bench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "api/energy_rows.h"
#include "api/energy_statistics.h"
#include "api/export.h"
#include "base/cleanup.h"
#include "from_environment.h"
#include "tools/random.h"

#define WH 1000
#define SPIKE INT64_C(4294967296000)
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define HOLD_MS 35000
#define POLL_MS 10000
#define DAYS 16
#define FAULTS 24
#define HOURS_MAX 2000

enum { PLUG, HOUSE };              /* the one has power alone, the other registers, too */
enum { IMPORT, EXPORT, SIDES };

enum fault { METER_SILENT, LINK_DOWN, RESTART, POWER_CUT, CLOCK_AHEAD, CLOCK_BEHIND, SPIKES, REGISTER_RESET,
             FAULT_KINDS };

/* A report of the plug that the history has kept. */
struct kept {
        int64_t true_ms, tick;
};

struct change {
        int64_t true_ms, power_mw;
};

struct month {
        struct values_bench b;
        uint64_t random;
        int64_t true_ms, end_ms, utc_begin_ms;
        int64_t power_mw, base_mw;
        int64_t flowed[SIDES];             /* mW ms */
        int64_t register_base[SIDES];      /* mWh of flowed when the register was at 0 */
        int64_t lives[SIDES];              /* what registers before this one had counted */
        bool silent, link_down, spike;
        size_t n_kept, n_changes;
        struct kept *kept;
        struct change *changes;
        unsigned n_restarts;
        bool odd_hours[HOURS_MAX];         /* the clock was wrong in them */
        int64_t shown[2][SIDES];
};

static uint64_t seed;

static uint32_t below(struct month *m, uint32_t n) {
        return random_below(&m->random, n);
}

static int64_t utc_ms(void) {
        return (int64_t) virtual_clock.now_ms + virtual_clock.offset_ms;
}

/* ---- the house ---- */

static int64_t sun_mw(const struct month *m) {
        int64_t of_day = (m->utc_begin_ms + m->true_ms) % DAY_MS - 6 * HOUR_MS, length = 12 * HOUR_MS;

        if (of_day < 0 || of_day > length)
                return 0;
        return 4 * INT64_C(4000000) * (of_day / 1000) / (length / 1000) * ((length - of_day) / 1000) /
               (length / 1000);
}

static void change_power(struct month *m) {
        static const int64_t loads[] = { 0, 0, 60000, 150000, 800000, 2000000, 2400000 };

        m->base_mw = 150000 + loads[below(m, ELEMENTS(loads))] + below(m, 50) * 1000;
        m->power_mw = (m->base_mw - sun_mw(m) * (10 + below(m, 90)) / 100) / 100 * 100;
        m->changes[m->n_changes++] = (struct change) { m->true_ms, m->power_mw };
}

static void let_flow(struct month *m, int64_t ms) {
        m->flowed[m->power_mw < 0 ? EXPORT : IMPORT] += (m->power_mw < 0 ? -m->power_mw : m->power_mw) * ms;
        m->true_ms += ms;
        values_bench_wait(&m->b, virtual_clock.now_ms + (uint64_t) ms);
}

static int64_t register_of(const struct month *m, unsigned side) {
        int64_t mwh = m->flowed[side] / HOUR_MS - m->register_base[side];

        return mwh / WH * WH;
}

/* ---- its meters ---- */

static void check_shown(struct month *m) {
        for (unsigned meter = 0; meter < 2; meter++)
                for (unsigned side = 0; side < SIDES; side++) {
                        enum quantity q = side == IMPORT ? Q_ENERGY_IMPORT : Q_ENERGY_EXPORT;
                        int64_t v = values_bench_value(&m->b, meter, q);

                        if (v == INT64_MIN)
                                continue;
                        if (v < m->shown[meter][side])
                                fail_msg("meter %u, side %u: %lld after %lld", meter, side, (long long) v,
                                         (long long) m->shown[meter][side]);
                        m->shown[meter][side] = v;
                }
}

static void report(struct month *m) {
        struct reading power = { .quantity = Q_POWER, .value = m->spike ? SPIKE / 10 : m->power_mw };
        struct reading all[3] = { power };

        if (!m->b.history || m->link_down)
                return;
        if (!m->silent) {
                struct history_row row;
                int64_t tick = 0;

                values_bench_report(&m->b, PLUG, 1, &power);
                if (!m->spike) {
                        assert_true(history_newest(m->b.history, m->b.meters[PLUG].values.recorder.handle, &tick, &row));
                        m->kept[m->n_kept++] = (struct kept) { m->true_ms, tick };
                }
        }
        for (unsigned side = 0; side < SIDES; side++)
                all[1 + side] = (struct reading) {
                        .quantity = side == IMPORT ? Q_ENERGY_IMPORT : Q_ENERGY_EXPORT, .step = WH, .wrap = SPIKE,
                        .value = register_of(m, side) + (m->spike ? SPIKE : 0),
                };
        values_bench_report(&m->b, HOUSE, 3, all);
        check_shown(m);
}

/* ---- what happens ---- */

static void live(struct month *m, int64_t ms) {
        int64_t until = m->true_ms + ms, change = m->true_ms, poll = m->true_ms;

        while (m->true_ms < until) {
                int64_t next = change < poll ? change : poll;

                if (next > until)
                        next = until;
                let_flow(m, next - m->true_ms);
                if (m->true_ms == change) {
                        change_power(m);
                        change = m->true_ms + 2000 + below(m, 120000);
                }
                if (m->true_ms >= poll)
                        poll = m->true_ms + POLL_MS;
                report(m);
        }
}

/* What was not on the disk is gone. */
static void forget_lost(struct month *m) {
        struct history_row row;
        int64_t tick = 0;

        (void) history_newest(m->b.history, m->b.meters[PLUG].values.recorder.handle, &tick, &row);
        while (m->n_kept > 0 && m->kept[m->n_kept - 1].tick != tick)
                m->n_kept--;
        assert_true(m->n_kept > 0);
}

static void power_cut(struct month *m) {
        values_bench_cut(&m->b);
        live(m, 20000 + below(m, 600000));
        virtual_clock.offset_ms += (int64_t) virtual_clock.now_ms - 15000;
        virtual_clock.now_ms = 15000;
        values_bench_start(&m->b);
        forget_lost(m);
        m->n_restarts++;
}

static void restart(struct month *m) {
        values_bench_stop(&m->b);
        live(m, 10000 + below(m, 90000));
        values_bench_start(&m->b);
        m->n_restarts++;
}

static void note_odd(struct month *m, int64_t from_ms, int64_t to_ms) {
        for (int64_t h = (from_ms - m->utc_begin_ms) / HOUR_MS - 1; h <= (to_ms - m->utc_begin_ms) / HOUR_MS + 1; h++)
                if (h >= 0 && h < HOURS_MAX)
                        m->odd_hours[h] = true;
}

/* Somebody sets it wrong, and NTP right again. */
static void wrong_clock(struct month *m, int64_t by_ms) {
        int64_t from_ms = utc_ms() + (by_ms < 0 ? by_ms : 0), length = 10 * 60000 + below(m, 1800000);

        note_odd(m, from_ms, from_ms + length + (by_ms < 0 ? -by_ms : by_ms));
        virtual_clock.offset_ms += by_ms;
        live(m, length);
        virtual_clock.offset_ms -= by_ms;
        live(m, 100000);
}

static void reset_registers(struct month *m) {
        report(m);
        for (unsigned side = 0; side < SIDES; side++) {
                m->lives[side] += register_of(m, side);
                m->register_base[side] = m->flowed[side] / HOUR_MS;
        }
        live(m, 300000);
}

static void go_wrong(struct month *m, enum fault fault) {
        switch (fault) {
        case METER_SILENT:
                m->silent = true;
                live(m, 60000 + below(m, 3 * HOUR_MS));
                m->silent = false;
                break;
        case LINK_DOWN:
                m->link_down = true;
                live(m, 20000 + below(m, HOUR_MS));
                m->link_down = false;
                break;
        case RESTART:
                restart(m);
                break;
        case POWER_CUT:
                power_cut(m);
                break;
        case CLOCK_AHEAD:
                wrong_clock(m, 90 * 60000);
                break;
        case CLOCK_BEHIND:
                wrong_clock(m, -20000);
                break;
        case SPIKES:
                m->spike = true;
                report(m);
                m->spike = false;
                break;
        case REGISTER_RESET:
                reset_registers(m);
                break;
        case FAULT_KINDS:
                break;
        }
}

static void begin(struct month *m, int64_t begin_ms, unsigned days) {
        static const uint8_t power[] = { Q_POWER }, registers[] = { Q_POWER, Q_ENERGY_IMPORT, Q_ENERGY_EXPORT };
        size_t most = days * (size_t) (DAY_MS / 4000);

        *m = (struct month) { .random = random_seed(seed ^ (uint64_t) begin_ms), .end_ms = days * DAY_MS,
                              .utc_begin_ms = begin_ms, .kept = calloc(most, sizeof *m->kept),
                              .changes = calloc(most, sizeof *m->changes),
                              .register_base = { -12345678 * INT64_C(1000), -4321 * INT64_C(1000) } };
        assert_true(m->kept && m->changes && days * 24 < HOURS_MAX);
        virtual_clock = (struct virtual_clock) { 100000, begin_ms - 100000, true, true };
        values_bench_init(&m->b, m->random, 16 << 20);
        values_bench_add(&m->b, "plug", ELEMENTS(power), power);
        values_bench_add(&m->b, "house", ELEMENTS(registers), registers);
        values_bench_start(&m->b);
}

static void live_through(struct month *m) {
        int64_t slot = m->end_ms / FAULTS;

        live(m, 60000);
        for (unsigned i = 0; i < FAULTS; i++) {
                live(m, i * slot + below(m, (uint32_t) (slot / 2)) + 60000 - m->true_ms);
                go_wrong(m, i % FAULT_KINDS);
        }
        live(m, m->end_ms - m->true_ms);
}

/* Nothing flows any more, and all of it is on the disk. */
static void settle(struct month *m) {
        m->power_mw = 0;
        m->changes[m->n_changes++] = (struct change) { m->true_ms, 0 };
        report(m);
        let_flow(m, 2 * VALUES_FLUSH_MS);
        report(m);
        let_flow(m, 3 * HOUR_MS);
}

/* ---- the ledger ---- */

/* What flowed while the gateway knew of it. */
static void known_flow(const struct month *m, int64_t ret_mwh[SIDES]) {
        int64_t sums[SIDES] = { 0 };
        size_t c = 0;

        for (size_t i = 0; i < m->n_kept; i++) {
                int64_t at = m->kept[i].true_ms, end = at + HOLD_MS;

                if (i + 1 < m->n_kept && m->kept[i + 1].true_ms < end)
                        end = m->kept[i + 1].true_ms;
                while (c + 1 < m->n_changes && m->changes[c + 1].true_ms <= at)
                        c++;
                for (size_t k = c; at < end; k++) {
                        int64_t to = k + 1 < m->n_changes && m->changes[k + 1].true_ms < end
                                             ? m->changes[k + 1].true_ms
                                             : end;
                        int64_t power = m->changes[k].power_mw;

                        sums[power < 0 ? EXPORT : IMPORT] += (power < 0 ? -power : power) * (to - at);
                        at = to;
                }
        }
        for (unsigned side = 0; side < SIDES; side++)
                ret_mwh[side] = sums[side] / HOUR_MS;
}

/* Within 0.1 % of half a month; a shorter life has as many outages, and at the end of each a guess how long a value
 * still held. */
static void assert_close(const struct month *m, int64_t found, int64_t expected, const char *what) {
        int64_t error = found > expected ? found - expected : expected - found;

        print_message("# %s: %lld mWh, the ledger has %lld, %lld millionths apart\n", what, (long long) found,
                      (long long) expected, (long long) (expected > 0 ? error * 1000000 / expected : 0));
        assert_true(error * 1000 * (m->end_ms / DAY_MS) <= expected * DAYS);
}

/* ---- what everybody shows ---- */

static struct energy_rows *rows_of(struct month *m, unsigned meter, enum energy_period period) {
        struct energy_spec spec = { .meter = m->b.meters[meter].config.id, .channel = "", .period = period,
                                    .now = utc_ms() / TICK_MS };
        struct energy_rows *e;

        spec.from_s = period_start(period, m->utc_begin_ms / 1000);
        spec.to_s = period_next(period, utc_ms() / 1000);
        assert_int_equal(energy_rows_new(m->b.history, &spec, &e), 0);
        return e;
}

static bool next_row(struct energy_rows *e, struct energy_row *row) {
        unsigned budget;
        int r;

        do {
                budget = ENERGY_BUDGET;
                r = energy_rows_next(e, &budget, row);
        } while (r == -EAGAIN);
        assert_true(r >= 0);
        return r > 0;
}

static void sum_of(struct month *m, unsigned meter, enum energy_period period, int64_t ret_mwh[SIDES]) {
        struct energy_rows *e = rows_of(m, meter, period);
        struct energy_row row;

        ret_mwh[IMPORT] = ret_mwh[EXPORT] = 0;
        while (next_row(e, &row)) {
                ret_mwh[IMPORT] += row.import;
                ret_mwh[EXPORT] += row.export;
        }
        energy_rows_free(e);
}

/* Of an hour, by the reports themselves. */
static int64_t known_ticks(const struct month *m, int64_t from, int64_t to) {
        int64_t sum = 0;

        for (size_t i = 0; i < m->n_kept; i++) {
                int64_t at = m->kept[i].tick, end = at + HOLD_MS / TICK_MS;

                if (end <= from || at >= to)
                        continue;

                if (i + 1 < m->n_kept && m->kept[i + 1].tick < end)
                        end = m->kept[i + 1].tick;
                at = at > from ? at : from;
                end = end < to ? end : to;
                sum += end > at ? end - at : 0;
        }
        return sum;
}

static void check_missing_time(struct month *m) {
        struct energy_rows *e = rows_of(m, PLUG, PERIOD_HOUR);
        struct energy_row row;
        unsigned checked = 0, incomplete = 0;

        while (next_row(e, &row)) {
                int64_t hour = (row.start * TICK_MS - m->utc_begin_ms) / HOUR_MS, known;

                if (row.start * TICK_MS < m->utc_begin_ms || hour >= HOURS_MAX || m->odd_hours[hour])
                        continue;
                known = known_ticks(m, row.start, row.end) * 1000 / (row.end - row.start);
                if (known != row.complete)
                        fail_msg("hour %lld: %u thousandths are said to be known, %lld are", (long long) hour,
                                 row.complete, (long long) known);
                checked++;
                incomplete += row.complete < 1000;
        }
        energy_rows_free(e);
        print_message("# %u hours, %u of them incomplete\n", checked, incomplete);
        assert_true(incomplete > 5);
}

static void assert_holds(const struct buffer *b, int64_t value, unsigned decimals, const char *before,
                         const char *after) {
        struct buffer text;

        buffer_init(&text, 200);
        buffer_puts(&text, before);
        buffer_put_decimal(&text, value, decimals);
        buffer_puts(&text, after);
        if (!strstr(b->data, text.data))
                fail_msg("no %s in ...%s", text.data, b->data + (b->len > 300 ? b->len - 300 : 0));
        buffer_free(&text);
}

static void check_statistics(struct month *m, unsigned meter, int64_t value) {
        int64_t hour = HOUR_MS / TICK_MS;
        struct energy_statistics_spec spec = { .meter = m->b.meters[meter].config.id, .channel = "",
                                               .now = utc_ms() / TICK_MS };
        struct energy_statistics *s;
        struct buffer out;
        int r;

        spec.from = m->utc_begin_ms / TICK_MS / hour * hour;
        spec.to = spec.now / hour * hour;
        buffer_init(&out, 8 << 20);
        assert_int_equal(energy_statistics_new(m->b.history, &spec, &s), 0);
        while ((r = energy_statistics_next(s, &out)) == 1 || r == -EAGAIN)
                ;
        assert_int_equal(r, 0);
        assert_false(out.failed);
        assert_holds(&out, value, quantity_catalogue[Q_ENERGY_IMPORT].decimals, "\"state\":", ",");
        energy_statistics_free(s);
        buffer_free(&out);
}

static void check_export(struct month *m, unsigned meter, int64_t value) {
        const struct quantity_info *info = &quantity_catalogue[Q_ENERGY_IMPORT];
        struct export_spec spec = {
                .query = { .meter = m->b.meters[meter].config.id, .n_series = 1,
                           .series = { { "energy_import_kwh", 1u << QUERY_LAST } }, .now = utc_ms() / TICK_MS },
                .format = TABLE_OPENMETRICS,
        };
        struct export *e;
        struct buffer out;
        unsigned index;
        int r;

        spec.query.to = spec.query.now;
        spec.query.from = spec.query.to - 4 * HOUR_MS / TICK_MS;
        buffer_init(&out, 8 << 20);
        assert_int_equal(export_new(m->b.history, &spec, &e, &index), 0);
        while ((r = export_next(e, &out)) == 1 || r == -EAGAIN)
                ;
        assert_int_equal(r, 0);
        /* Joules, as in /metrics. */
        assert_holds(&out, value * (int64_t) info->metric_factor, info->metric_decimals, "\"} ", " ");
        export_free(e);
        buffer_free(&out);
}

/* /now and /metrics show the series' value. */
static void check_everybody(struct month *m, unsigned meter, const int64_t first[SIDES]) {
        int64_t shown[SIDES], hours[SIDES], days[SIDES], months[SIDES];

        sum_of(m, meter, PERIOD_HOUR, hours);
        sum_of(m, meter, PERIOD_DAY, days);
        sum_of(m, meter, PERIOD_MONTH, months);
        for (unsigned side = 0; side < SIDES; side++) {
                shown[side] = values_bench_value(&m->b, meter, side == IMPORT ? Q_ENERGY_IMPORT : Q_ENERGY_EXPORT);
                assert_int_equal(shown[side] - first[side], hours[side]);
                assert_int_equal(hours[side], days[side]);
                assert_int_equal(hours[side], months[side]);
        }
        check_statistics(m, meter, shown[IMPORT]);
        check_export(m, meter, shown[IMPORT]);
}

static void check_half(const char *begin_at, int64_t begin_ms) {
        static struct month m;
        int64_t known[SIDES], registers[SIDES], none[SIDES] = { 0 };

        begin(&m, begin_ms, (unsigned) number_from("METERGATE_DAYS", DAYS));
        for (unsigned side = 0; side < SIDES; side++)
                registers[side] = -m.register_base[side];
        live_through(&m);
        settle(&m);
        known_flow(&m, known);
        print_message("# from %s on: %zu reports, %u restarts\n", begin_at, m.n_kept, m.n_restarts);
        assert_close(&m, values_bench_value(&m.b, PLUG, Q_ENERGY_IMPORT), known[IMPORT], "integrated import");
        assert_close(&m, values_bench_value(&m.b, PLUG, Q_ENERGY_EXPORT), known[EXPORT], "integrated export");
        assert_int_equal(values_bench_value(&m.b, HOUSE, Q_ENERGY_IMPORT), m.lives[IMPORT] + register_of(&m, IMPORT));
        assert_int_equal(values_bench_value(&m.b, HOUSE, Q_ENERGY_EXPORT), m.lives[EXPORT] + register_of(&m, EXPORT));
        assert_true(m.lives[IMPORT] > 0);
        check_everybody(&m, PLUG, none);
        check_everybody(&m, HOUSE, registers);
        check_missing_time(&m);
        values_bench_end(&m.b);
        free(m.kept);
        free(m.changes);
}

static void test_spring(void **state) {
        (void) state;
        check_half("2026-03-20", INT64_C(1773961200000));
}

static void test_autumn(void **state) {
        (void) state;
        check_half("2026-10-17", INT64_C(1792188000000));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_spring),
                cmocka_unit_test(test_autumn),
        };

        setenv("TZ", "Europe/Warsaw", 1);
        tzset();
        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = test_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
