/* Readings on their way to what is published: whatever a meter sends, and whenever the gateway is restarted or loses
 * its power, a lifetime energy never steps back and never grows faster than the limits allow. */
#include "values_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/energy_rows.h"
#include "base/cleanup.h"
#include "from_environment.h"
#include "history/query.h"
#include "protocols/tuyamcu/tuyamcu.h"
#include "tools/random.h"

#define KWH INT64_C(1000000)
#define SPIKE INT64_C(4294967296000)
#define HOUR_MS 3600000
#define DAY_MS (24 * HOUR_MS)
#define MAX_POWER_W 20000
#define EVER (INT64_C(1) << 36)      /* ticks: later than anything here */

static uint64_t seed;

/* A total as everybody sees it, and when it was first seen. */
struct seen {
        unsigned meter, quantity;
        int64_t first, last;
        bool known;
        uint64_t begin_ms;
};

struct life {
        struct values_bench b;
        uint64_t random;
        uint64_t passed_ms;          /* since the beginning, over all boots */
        unsigned n_starts, n_reports;
        bool calm;                   /* the registers do what they should */
        int64_t registers[2];
        struct seen seen[4];
};

static uint32_t below(struct life *l, uint32_t n) {
        return random_below(&l->random, n);
}

/* What the largest power allows; each start grants another day, for nobody knows how old the last row's register is.
 * Increments may have been gathered for a day. */
static int64_t most_since(const struct life *l, const struct seen *s) {
        uint64_t ms = l->passed_ms - s->begin_ms + (uint64_t) l->n_starts * DAY_MS + DAY_MS;

        return (int64_t) MAX_POWER_W * 1000 / 5 * 6 / 1000 * (int64_t) (ms / 1000 + 1) / 3600 * 1000 +
               (int64_t) (l->n_reports + l->n_starts) * 2 + KWH * (int64_t) l->n_starts;
}

/* What the history tells as a meter's newest total: INT64_MIN, nothing. */
static int64_t told(struct life *l, const struct values_meter *m, const struct series *s) {
        struct query_spec spec = { .meter = m->config.id, .n_series = 1, .step_kind = QUERY_STEP_MONTHS, .step = 2640,
                                   .to = EVER, .now = EVER };
        CLEANUP(query_freep) struct query *q = NULL;
        struct query_row row;
        unsigned index;

        strcpy(spec.series[0].key, s->key);
        spec.series[0].aggregates = 1u << QUERY_LAST;
        spec.series[0].limit.set = values_total_limit(&m->values, s, &spec.series[0].limit.most);
        if (query_new(l->b.history, &spec, &q, &index) < 0)
                return INT64_MIN;
        assert_int_equal(query_next(q, UINT16_MAX, &row), 1);
        return row.known[0] ? row.values[0] : INT64_MIN;
}

/* Where the clock was set back, the rows up to the next quarter of an hour are told later. */
static bool is_visible(const struct life *l, const struct values_meter *m) {
        const struct recorder *r = &m->values.recorder;
        struct history_row row;
        int64_t tick, from = 0, to;
        unsigned slot;

        if (!history_newest(r->history, r->handle, &tick, &row))
                return false;
        for (unsigned i = 0; history_schema(l->b.history, m->config.id, i, &slot); i++)
                history_visible(l->b.history, slot, &from, &to);
        return tick > from;
}

/* Whatever tells of an energy tells the same number. */
static void look_at_history(struct life *l, const struct seen *seen, int64_t value) {
        const struct values_meter *m = &l->b.meters[seen->meter];
        const struct series *s = series_set_get(&m->values.series, 0, seen->quantity);
        int64_t past;

        if (!is_visible(l, m))
                return;
        past = told(l, m, s);
        if (past != value && (value != INT64_MIN || s->source == SOURCE_INTEGRATED))
                fail_msg("%s of meter %u: %lld is shown, %lld told", quantity_catalogue[seen->quantity].key,
                         seen->meter, (long long) value, (long long) past);
}

static void look(struct life *l) {
        for (unsigned i = 0; i < 4; i++) {
                struct seen *s = &l->seen[i];
                int64_t value = values_bench_value(&l->b, s->meter, s->quantity);

                if (below(l, 50) == 0)
                        look_at_history(l, s, value);
                if (value == INT64_MIN)
                        continue;
                if (!s->known) {
                        *s = (struct seen) { s->meter, s->quantity, value, value, true, l->passed_ms };
                        continue;
                }
                if (value < s->last)
                        fail_msg("%s of meter %u stepped back from %lld to %lld", quantity_catalogue[s->quantity].key,
                                 s->meter, (long long) s->last, (long long) value);
                s->last = value;
                if (value - s->first > most_since(l, s))
                        fail_msg("%s of meter %u grew by %lld in %llu ms", quantity_catalogue[s->quantity].key,
                                 s->meter, (long long) (value - s->first),
                                 (unsigned long long) (l->passed_ms - s->begin_ms));
        }
}

/* A plausible one, or anything. */
static int64_t any_power(struct life *l) {
        switch (below(l, 12)) {
        case 0:
                return (int64_t) ((uint64_t) below(l, UINT32_MAX) << 32 | below(l, UINT32_MAX));
        case 1:
                return SPIKE / 10;
        default:
                return ((int64_t) below(l, 2 * MAX_POWER_W + 2000) - MAX_POWER_W - 1000) * 1000;
        }
}

static int64_t any_register(struct life *l, unsigned i) {
        int64_t *r = &l->registers[i];

        switch (l->calm ? 3 : below(l, 40)) {
        case 0:
                return *r + SPIKE;
        case 1:
                return (int64_t) ((uint64_t) below(l, UINT32_MAX) << 32 | below(l, UINT32_MAX));
        case 2:
                *r = below(l, 2) ? 0 : below(l, 2) ? SPIKE - 5 * KWH : below(l, 50000) * KWH;
                return *r;
        default:
                *r += below(l, 3) || l->calm ? below(l, 5000) : below(l, 10) ? 0 : KWH;
                *r = *r >= SPIKE ? *r - SPIKE : *r;
                return *r;
        }
}

static struct reading reading_of(unsigned quantity, int64_t value) {
        return (struct reading) { .quantity = (uint8_t) quantity, .value = value, .step = 1000,
                                  .wrap = quantity == Q_POWER ? 0 : SPIKE };
}

static void report(struct life *l) {
        struct reading readings[3];
        unsigned n = 0;

        l->n_reports++;
        if (below(l, 2)) {
                readings[n++] = reading_of(below(l, 5) ? Q_POWER : Q_VOLTAGE, any_power(l));
                values_bench_report(&l->b, 0, n, readings);
        } else {
                if (below(l, 4))
                        readings[n++] = reading_of(Q_ENERGY_IMPORT, any_register(l, 0));
                if (below(l, 4)) {
                        readings[n] = reading_of(Q_ENERGY_EXPORT, below(l, 30) ? below(l, 3000) : any_register(l, 1));
                        readings[n].wrap = 0;
                        readings[n++].is_increment = true;
                }
                if (below(l, 4))
                        readings[n++] = reading_of(Q_POWER, any_power(l));
                values_bench_report(&l->b, 1, n, readings);
        }
        look(l);
}

static void pass(struct life *l, uint64_t ms) {
        l->passed_ms += ms;
        values_bench_wait(&l->b, virtual_clock.now_ms + ms);
}

/* Boot-time begins anew with the machine. */
static void boot(struct life *l) {
        uint64_t off_ms = below(l, 3) ? below(l, 60000) : below(l, 10 * HOUR_MS);
        uint64_t since_boot_ms = 5000 + below(l, 20000);

        l->passed_ms += off_ms + since_boot_ms;
        virtual_clock.offset_ms += (int64_t) (virtual_clock.now_ms + off_ms);
        virtual_clock.now_ms = since_boot_ms;
}

static void live_on(struct life *l, unsigned n, unsigned pause_ms) {
        for (unsigned i = 0; i < n && !l->b.disk->off; i++) {
                pass(l, below(l, pause_ms));
                report(l);
        }
}

/* The configuration was read again and the meters are made anew. */
static void reload(struct life *l) {
        for (unsigned i = 0; i < l->b.n_meters; i++)
                values_begin(&l->b.meters[i].values, &tuyamcu_protocol, l->b.meters[i].profile);
        look(l);
        live_on(l, below(l, 3), 1000);
}

/* A register that began anew in the very minute before the power went, or while it was away, has taken energy with it
 * that was shown already: nothing can tell that from a register that grew less. So they are calm around a cut. */
static void restart(struct life *l) {
        l->calm = true;
        live_on(l, 40, 10000);
        if (below(l, 2))
                reload(l);
        switch (below(l, 3)) {
        case 0:
                values_bench_stop(&l->b);
                pass(l, below(l, 100000));
                break;
        case 1:
                values_bench_cut(&l->b);
                boot(l);
                break;
        default:
                cut_disk_power_off(l->b.disk, 1 + below(l, 20));
                live_on(l, 50, 30000);
                values_bench_cut(&l->b);
                boot(l);
        }
        l->n_starts++;
        values_bench_open(&l->b);
        live_on(l, below(l, 5), 2000);
        values_bench_read(&l->b);
        look(l);
        live_on(l, 20, 10000);
        l->calm = false;
}

static void set_clock(struct life *l) {
        virtual_clock.offset_ms += (int64_t) below(l, 4 * HOUR_MS) - 2 * HOUR_MS;
        virtual_clock.synchronised = below(l, 4) > 0;
}

static void live(uint64_t life_seed, unsigned n) {
        static const uint8_t power[] = { Q_POWER, Q_VOLTAGE },
                             energies[] = { Q_POWER, Q_ENERGY_IMPORT, Q_ENERGY_EXPORT };
        static struct life l;

        l = (struct life) { .random = random_seed(life_seed),
                            .seen = { { .meter = 0, .quantity = Q_ENERGY_IMPORT },
                                      { .meter = 0, .quantity = Q_ENERGY_EXPORT },
                                      { .meter = 1, .quantity = Q_ENERGY_IMPORT },
                                      { .meter = 1, .quantity = Q_ENERGY_EXPORT } } };
        virtual_clock = (struct virtual_clock) { 60000, INT64_C(1795255200000), true, true };
        values_bench_init(&l.b, life_seed, STORE_MIN_BYTES);
        values_bench_add(&l.b, "plug", ELEMENTS(power), power);
        values_bench_add(&l.b, "house", ELEMENTS(energies), energies);
        for (unsigned i = 0; i < 2; i++)
                l.b.meters[i].config.limits[Q_POWER] = (struct limit) { true, -MAX_POWER_W * 1000, MAX_POWER_W * 1000 };
        values_bench_start(&l.b);
        for (unsigned i = 0; i < n; i++) {
                pass(&l, below(&l, 50) ? below(&l, 3000) : below(&l, 2 * HOUR_MS));
                report(&l);
                if (below(&l, 400) == 0)
                        restart(&l);
                if (below(&l, 1000) == 0)
                        set_clock(&l);
        }
        values_bench_end(&l.b);
}

static void test_no_readings_make_a_total_step_back_or_jump(void **state) {
        unsigned n = (unsigned) number_from("METERGATE_TIMES", 1);

        (void) state;
        for (unsigned i = 0; i < 6 * n; i++)
                live(seed + i, 3000);
}

/* What a register says before the history has been read counts when it has been. */
static void test_a_register_that_comes_early(void **state) {
        static const uint8_t energy[] = { Q_ENERGY_IMPORT, Q_VOLTAGE };
        struct reading r = reading_of(Q_ENERGY_IMPORT, 5000 * KWH), voltage = reading_of(Q_VOLTAGE, 230000);
        static struct values_bench b;

        (void) state;
        virtual_clock = (struct virtual_clock) { 60000, INT64_C(1795255200000), true, true };
        values_bench_init(&b, seed, STORE_MIN_BYTES);
        values_bench_add(&b, "house", ELEMENTS(energy), energy);
        values_bench_start(&b);
        values_bench_report(&b, 0, 1, &r);
        values_bench_wait(&b, virtual_clock.now_ms + 3 * VALUES_FLUSH_MS);
        values_bench_cut(&b);

        values_bench_open(&b);
        for (unsigned i = 0; i < 3; i++) {
                r.value += 10000;
                values_bench_report(&b, 0, 1, &r);
                virtual_clock.now_ms += 500;
        }
        values_bench_report(&b, 0, 1, &voltage);
        assert_true(values_bench_value(&b, 0, Q_ENERGY_IMPORT) == INT64_MIN);
        values_bench_read(&b);
        assert_int_equal(values_bench_value(&b, 0, Q_ENERGY_IMPORT), 5000 * KWH + 30000);
        values_bench_end(&b);
}

/* ---- completeness ---- */

#define HOUR_S (HOUR_MS / 1000)

/* Of the hour that begins with the gateway, as /energy tells it. */
static unsigned complete_of_hour(struct life *l, int64_t now_ms) {
        int64_t hour_s = now_ms / HOUR_MS * HOUR_S;
        const struct energy_spec spec = { .meter = "plug", .channel = "", .period = PERIOD_HOUR, .from_s = hour_s,
                                          .to_s = hour_s + HOUR_S, .now = now_ms / TICK_MS };
        CLEANUP(energy_rows_freep) struct energy_rows *rows = NULL;
        unsigned budget = ENERGY_BUDGET;
        struct energy_row row;

        assert_int_equal(energy_rows_new(l->b.history, &spec, &rows), 0);
        assert_int_equal(energy_rows_next(rows, &budget, &row), 1);
        return row.complete;
}

/* The metric and /energy tell the same of the same time: a meter that comes and goes, one that was never there. */
static void test_completeness_is_one_number(void **state) {
        static const uint8_t power[] = { Q_POWER };
        static struct life l;

        (void) state;
        setenv("TZ", "UTC", 1);
        for (unsigned i = 0; i < 50; i++) {
                int64_t begin_ms = INT64_C(1795255200000), passed_ms = 0,
                        span_ms = 100 * (1 + random_below(&seed, 35999));
                unsigned metric;

                l = (struct life) { .random = random_seed(seed + i) };
                virtual_clock = (struct virtual_clock) { 60000, begin_ms - 60000, true, true };
                values_bench_init(&l.b, seed, STORE_MIN_BYTES);
                values_bench_add(&l.b, "plug", 1, power);
                values_bench_start(&l.b);
                while (i > 0 && (passed_ms += 100 * (1 + below(&l, below(&l, 5) ? 400 : 4000))) < span_ms) {
                        struct reading r = { .quantity = Q_POWER, .value = below(&l, 1000) };

                        values_bench_wait(&l.b, 60000 + (uint64_t) passed_ms);
                        values_bench_report(&l.b, 0, 1, &r);
                }
                values_bench_wait(&l.b, 60000 + (uint64_t) span_ms);
                metric = completeness_permille(&l.b.meters[0].values.completeness, virtual_clock.now_ms);
                assert_int_equal(complete_of_hour(&l, begin_ms + span_ms), metric);
                assert_true(i > 0 || metric == 0);
                values_bench_end(&l.b);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_readings_make_a_total_step_back_or_jump),
                cmocka_unit_test(test_a_register_that_comes_early),
                cmocka_unit_test(test_completeness_is_one_number),
        };
        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = test_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
