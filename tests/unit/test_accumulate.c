/* Buckets from rows, against a model that looks at every single tick. Prints its seed; METERGATE_SEED repeats a run,
 * METERGATE_ROUNDS makes it longer. */
#include "history/accumulate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "from_environment.h"
#include "tools/random.h"

#define TICKS 3000
#define FINE 10
#define COARSE 30
#define NONE INT64_MIN

static uint64_t seed;

/* A column as every tick has it. */
struct column_model {
        int64_t reported[TICKS + 1], total[TICKS + 1];  /* NONE: nothing came at this tick */
};

struct model {
        struct schema schema;
        struct column_model columns[8];
};

struct buckets {
        unsigned n;
        struct bucket list[TICKS / FINE + 2];
};

static void collect(void *userdata, const struct bucket *b) {
        struct buckets *out = userdata;

        assert_true(out->n < ELEMENTS(out->list));
        assert_true(b->mask != 0);
        if (out->n > 0 && out->list[out->n - 1].start >= b->start)
                fail_msg("bucket %lld comes after %lld (seed %llu)", (long long) b->start,
                         (long long) out->list[out->n - 1].start, (unsigned long long) seed);
        out->list[out->n++] = *b;
}

/* The value in effect in [tick, tick + 1). */
static int64_t in_effect(const struct model *m, unsigned column, int64_t tick) {
        for (int64_t t = tick; t >= 0 && t > tick - (int64_t) m->schema.hold_ticks; t--)
                if (m->columns[column].reported[t] != NONE)
                        return m->columns[column].reported[t];
        return NONE;
}

static bool model_gauge(const struct model *m, unsigned column, int64_t start, int64_t step, int64_t end,
                        struct gauge_bucket *ret) {
        struct gauge_bucket g = { .min = INT64_MAX, .max = INT64_MIN };

        for (int64_t t = start; t < start + step && t < end; t++) {
                int64_t value = in_effect(m, column, t), reported = m->columns[column].reported[t];

                if (value != NONE) {
                        g.min = value < g.min ? value : g.min;
                        g.max = value > g.max ? value : g.max;
                        g.integral += value;
                        g.covered++;
                }
                if (reported != NONE) {
                        g.first = g.count++ == 0 ? reported : g.first;
                        g.last = reported;
                }
        }
        *ret = g;
        return g.covered > 0;
}

static bool model_counter(const struct model *m, unsigned column, int64_t start, int64_t step,
                          struct counter_bucket *ret) {
        const struct column_model *c = &m->columns[column];

        *ret = (struct counter_bucket) { 0 };
        for (int64_t t = start + 1; t <= start + step && t <= TICKS; t++) {
                if (c->total[t] == NONE)
                        continue;
                ret->first = ret->count++ == 0 ? c->total[t] : ret->first;
                ret->last = c->total[t];
                ret->offset = c->total[t] - c->reported[t];
        }
        return ret->count > 0;
}

static bool same_gauge(const struct gauge_bucket *a, const struct gauge_bucket *b) {
        return a->min == b->min && a->max == b->max && a->integral == b->integral && a->covered == b->covered &&
               a->count == b->count && a->first == b->first && a->last == b->last;
}

static bool same_counter(const struct counter_bucket *a, const struct counter_bucket *b) {
        return a->count == b->count && a->first == b->first && a->last == b->last && a->offset == b->offset;
}

static void compare_bucket(const struct model *m, const struct bucket *expected, const struct bucket *b,
                           int64_t step) {
        if (b->start != expected->start || b->mask != expected->mask)
                fail_msg("step %lld: bucket %lld, columns %llx, expected %lld, %llx (seed %llu)", (long long) step,
                         (long long) b->start, (unsigned long long) b->mask, (long long) expected->start,
                         (unsigned long long) expected->mask, (unsigned long long) seed);
        for (unsigned i = 0; i < m->schema.n_columns; i++) {
                bool counter = m->schema.columns[i].kind == COLUMN_COUNTER;

                if (!(b->mask >> i & 1))
                        continue;
                if (counter ? !same_counter(&b->columns[i].counter, &expected->columns[i].counter)
                            : !same_gauge(&b->columns[i].gauge, &expected->columns[i].gauge))
                        fail_msg("step %lld, bucket %lld, column %u differs (seed %llu)", (long long) step,
                                 (long long) b->start, i, (unsigned long long) seed);
        }
}

/* Everything up to end has been seen. */
static void compare(const struct model *m, const struct buckets *got, int64_t step, int64_t end) {
        unsigned n = 0;

        for (int64_t start = 0; start < end; start += step) {
                struct bucket expected = { .start = start };

                for (unsigned i = 0; i < m->schema.n_columns; i++) {
                        bool some = m->schema.columns[i].kind == COLUMN_COUNTER
                                    ? model_counter(m, i, start, step, &expected.columns[i].counter)
                                    : model_gauge(m, i, start, step, end, &expected.columns[i].gauge);

                        expected.mask |= (uint64_t) some << i;
                }
                if (expected.mask == 0)
                        continue;
                if (n == got->n)
                        fail_msg("step %lld: bucket %lld is missing (seed %llu)", (long long) step, (long long) start,
                                 (unsigned long long) seed);
                compare_bucket(m, &expected, &got->list[n++], step);
        }
        assert_int_equal(n, got->n);
}

static void random_schema(struct model *m, uint64_t *random) {
        memset(m, 0, sizeof *m);
        m->schema.hold_ticks = 1 + random_below(random, random_below(random, 2) ? 8 : 100);
        m->schema.n_columns = 1 + random_below(random, 8);
        for (unsigned i = 0; i < m->schema.n_columns; i++) {
                snprintf(m->schema.columns[i].key, sizeof m->schema.columns[i].key, "k%u", i);
                m->schema.columns[i].kind = (uint8_t) random_below(random, 2);
                for (unsigned t = 0; t <= TICKS; t++)
                        m->columns[i].reported[t] = m->columns[i].total[t] = NONE;
        }
}

static void random_row(struct model *m, uint64_t *random, int64_t tick, int64_t *totals, struct history_row *row) {
        row->mask = 0;
        for (unsigned i = 0; i < m->schema.n_columns; i++) {
                int64_t value = (int64_t) random_below(random, 2000) - 1000;

                if (random_below(random, 4) == 0)
                        continue;
                row->mask |= UINT64_C(1) << i;
                row->values[i] = m->columns[i].reported[tick] = value;
                if (m->schema.columns[i].kind == COLUMN_COUNTER)
                        row->totals[i] = m->columns[i].total[tick] = totals[i] += random_below(random, 50);
        }
}

static int64_t random_gap(uint64_t *random) {
        switch (random_below(random, 12)) {
        case 0:
                return 1 + random_below(random, 500);
        case 1:
        case 2:
                return 1 + random_below(random, 60);
        default:
                return 1 + random_below(random, 5);
        }
}

struct chain {
        struct accumulator fine, coarse, direct;
        struct buckets fine_out, coarse_out, direct_out;
};

static void to_coarse(void *userdata, const struct bucket *b) {
        struct chain *c = userdata;

        collect(&c->fine_out, b);
        accumulator_bucket(&c->coarse, b, collect, &c->coarse_out);
}

static void one_round(struct model *m, struct chain *c, uint64_t *random) {
        int64_t totals[8] = { 0 };
        struct history_row row;
        int64_t tick;

        random_schema(m, random);
        memset(c, 0, sizeof *c);
        accumulator_init(&c->fine, &m->schema, FINE);
        accumulator_init(&c->coarse, &m->schema, COARSE);
        accumulator_init(&c->direct, &m->schema, COARSE);
        for (tick = random_gap(random); tick < TICKS - 500; tick += random_gap(random)) {
                random_row(m, random, tick, totals, &row);
                accumulator_row(&c->fine, tick, &row, to_coarse, c);
                accumulator_row(&c->direct, tick, &row, collect, &c->direct_out);
                if (random_below(random, 10) == 0) {
                        tick += random_below(random, 40);
                        accumulator_advance(&c->fine, tick, to_coarse, c);
                        accumulator_advance(&c->coarse, tick, collect, &c->coarse_out);
                        accumulator_advance(&c->direct, tick, collect, &c->direct_out);
                }
        }
        accumulator_advance(&c->fine, tick, to_coarse, c);
        accumulator_advance(&c->direct, tick, collect, &c->direct_out);
        accumulator_finish(&c->fine, to_coarse, c);
        accumulator_finish(&c->coarse, collect, &c->coarse_out);
        accumulator_finish(&c->direct, collect, &c->direct_out);
        compare(m, &c->fine_out, FINE, tick);
        compare(m, &c->coarse_out, COARSE, tick);
        compare(m, &c->direct_out, COARSE, tick);
}

static void test_against_the_model(void **state) {
        unsigned n = (unsigned) number_from("METERGATE_ROUNDS", 100);
        struct model *m = malloc(sizeof *m);
        struct chain *c = malloc(sizeof *c);
        uint64_t random = random_seed(seed);

        (void) state;
        assert_non_null(m);
        assert_non_null(c);
        for (unsigned i = 0; i < n; i++)
                one_round(m, c, &random);
        free(c);
        free(m);
}

static const struct schema two_columns = {
        .meter = "m", .hold_ticks = 600, .n_columns = 2,
        .columns = { { "power_w", COLUMN_GAUGE, 3 }, { "energy_import_kwh", COLUMN_COUNTER, 6 } },
};

/* The largest values there are over a whole quarter. */
static void test_extreme_values(void **state) {
        struct history_row row = { .mask = 3, .values = { -HISTORY_VALUE_MAX, -HISTORY_VALUE_MAX },
                                   .totals = { 0, HISTORY_VALUE_MAX } };
        struct buckets *out = calloc(1, sizeof *out);
        struct schema schema = two_columns;
        struct accumulator a;

        (void) state;
        assert_non_null(out);
        schema.hold_ticks = UINT32_MAX;
        accumulator_init(&a, &schema, tier_step_ticks[TIER_QUARTER]);
        accumulator_row(&a, 9000, &row, collect, out);
        accumulator_advance(&a, 27000, collect, out);
        assert_int_equal(out->n, 3);
        assert_true(out->list[0].mask == 2 && out->list[1].mask == 1 && out->list[2].mask == 1);
        assert_true(out->list[0].start == 0 && out->list[0].columns[1].counter.offset == 2 * HISTORY_VALUE_MAX);
        assert_true(out->list[2].columns[0].gauge.integral == -HISTORY_VALUE_MAX * 9000);
        assert_true(out->list[2].columns[0].gauge.count == 0 && out->list[2].columns[0].gauge.covered == 9000);
        free(out);
}

/* A century without rows costs no time. */
static void test_long_gap(void **state) {
        struct history_row row = { .mask = 1, .values = { 7 } };
        struct buckets *out = calloc(1, sizeof *out);
        struct accumulator a;

        (void) state;
        assert_non_null(out);
        accumulator_init(&a, &two_columns, tier_step_ticks[TIER_MINUTE]);
        accumulator_row(&a, 30, &row, collect, out);
        accumulator_row(&a, INT64_C(42000000000), &row, collect, out);
        assert_int_equal(out->n, 2);
        assert_true(out->list[0].columns[0].gauge.covered == 570 && out->list[1].columns[0].gauge.covered == 30);
        assert_true(a.open && a.bucket.start == INT64_C(42000000000));
        free(out);
}

/* When a meter's series change, what both have goes on; of another resolution it does not. */
static void test_carry(void **state) {
        struct schema other = { .meter = "m", .hold_ticks = 5, .n_columns = 3,
                                .columns = { { "voltage_v", COLUMN_GAUGE, 3 }, { "power_w", COLUMN_GAUGE, 3 },
                                             { "energy_import_kwh", COLUMN_COUNTER, 6 } } };
        struct history_row row = { .mask = 1, .values = { 7 } };
        struct buckets *out = calloc(2, sizeof *out), *later = out + 1;
        struct accumulator a, b;

        (void) state;
        assert_non_null(out);
        accumulator_init(&a, &two_columns, 600);
        accumulator_row(&a, 100, &row, collect, out);
        accumulator_advance(&a, 300, collect, out);
        accumulator_init(&b, &other, 600);
        accumulator_carry(&b, &a);
        accumulator_finish(&a, collect, out);
        assert_int_equal(out->n, 1);
        assert_true(out->list[0].start == 0 && out->list[0].columns[0].gauge.covered == 200);
        accumulator_advance(&b, 1200, collect, later);
        assert_int_equal(later->n, 2);
        assert_true(later->list[0].start == 0 && later->list[0].mask == 2);
        assert_int_equal(later->list[0].columns[1].gauge.covered, 300);
        assert_int_equal(later->list[0].columns[1].gauge.integral, 2100);
        assert_true(later->list[1].columns[1].gauge.covered == 100);

        other.columns[1].decimals = 2;
        accumulator_init(&b, &other, 600);
        accumulator_carry(&b, &a);
        accumulator_advance(&b, 1200, collect, later);
        assert_int_equal(later->n, 2);
        free(out);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_against_the_model),
                cmocka_unit_test(test_extreme_values),
                cmocka_unit_test(test_long_gap),
                cmocka_unit_test(test_carry),
        };
        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = test_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
