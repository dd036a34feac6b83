/* Energy registers: what is believed, what is withheld, and that the total never steps back or jumps. */
#include "meters/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "from_environment.h"
#include "tools/random.h"

#define KWH INT64_C(1000000)          /* mWh */
#define SPIKE INT64_C(4294967296000)  /* 2^32 Wh */
#define POLL_MS 30000
#define MIN_MS 60000
#define HOUR_MS 3600000

struct bench {
        struct counter c;
        struct counter_limits limits;
        uint64_t now_ms;
        int64_t step;
        int64_t total;                /* published last */
};

static struct bench bench_of(bool confirm_first) {
        return (struct bench) {
                .limits = { .max_power_mw = 131072000, .confirm_first = confirm_first },
                .now_ms = 1000, .step = 1000, .total = -1,
        };
}

static enum counter_verdict take_after(struct bench *b, uint64_t elapsed_ms, int64_t reading) {
        b->now_ms += elapsed_ms;
        return counter_take(&b->c, &b->limits, b->now_ms, reading, b->step, 0, &b->total);
}

static enum counter_verdict take(struct bench *b, int64_t reading) {
        return take_after(b, POLL_MS, reading);
}

static void test_first_reading(void **state) {
        struct bench plain = bench_of(false), careful = bench_of(true);

        (void) state;
        assert_int_equal(take(&plain, 5 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(plain.total, 5 * KWH);

        assert_int_equal(take(&careful, SPIKE), COUNTER_UNCONFIRMED);
        assert_int_equal(careful.total, -1);
        assert_int_equal(take(&careful, 5 * KWH), COUNTER_UNCONFIRMED);
        assert_int_equal(take(&careful, 5 * KWH + 2000), COUNTER_ACCEPTED);
        assert_int_equal(careful.total, 5 * KWH + 2000);
        assert_int_equal(careful.c.counts[COUNTER_UNCONFIRMED], 2);
        assert_int_equal(careful.c.counts[COUNTER_ACCEPTED], 1);
}

static void test_limit_is_exact(void **state) {
        struct bench b = bench_of(false);
        /* 36 kW for 100 s are 1 kWh; a fifth more, and one step. */
        const int64_t most = KWH + KWH / 5 + 1000;

        (void) state;
        b.limits.max_power_mw = 36000000;
        take(&b, 0);
        assert_int_equal(take_after(&b, 100000, most + 2), COUNTER_JUMPED);
        assert_int_equal(take_after(&b, 0, most), COUNTER_ACCEPTED);
        assert_int_equal(b.total, most);
        /* The step counts once, not with every reading. */
        assert_int_equal(take_after(&b, 0, most), COUNTER_ACCEPTED);
        assert_int_equal(take_after(&b, 0, most + 1000), COUNTER_JUMPED);
        assert_int_equal(take_after(&b, 1000, most + 1000), COUNTER_ACCEPTED);
}

static void test_spike_is_withheld(void **state) {
        struct bench b = bench_of(false);

        (void) state;
        take(&b, 100 * KWH);
        for (unsigned i = 1; i <= COUNTER_REBASE_READINGS - 1; i++)
                assert_int_equal(take(&b, SPIKE), COUNTER_JUMPED);
        assert_int_equal(b.total, 100 * KWH);
        assert_int_equal(take(&b, 100 * KWH + 5000), COUNTER_ACCEPTED);
        assert_int_equal(b.total, 100 * KWH + 5000);
        assert_int_equal(b.c.n_pending, 0);
        /* Spikes that come one by one, or that disagree with each other, never add up to a row. */
        for (unsigned i = 0; i < 50; i++) {
                assert_int_equal(take(&b, SPIKE + i * 7 * KWH), COUNTER_JUMPED);
                assert_int_equal(take(&b, SPIKE - (int64_t) i * 7 * KWH - KWH), COUNTER_JUMPED);
        }
        assert_int_equal(b.c.counts[COUNTER_RESET], 0);
        assert_int_equal(take(&b, 100 * KWH + 6000), COUNTER_ACCEPTED);
}

static void test_stuck_spike_adds_nothing(void **state) {
        struct bench b = bench_of(false);
        enum counter_verdict last = COUNTER_ACCEPTED;

        (void) state;
        take(&b, 100 * KWH);
        for (unsigned i = 0; i < COUNTER_REBASE_READINGS; i++)
                last = take(&b, SPIKE);
        assert_int_equal(last, COUNTER_RESET);
        assert_int_equal(b.total, 100 * KWH);
        for (unsigned i = 0; i < COUNTER_REBASE_READINGS; i++)
                last = take(&b, 101 * KWH + i * 1000);
        assert_int_equal(last, COUNTER_RESET);
        assert_int_equal(b.total, 100 * KWH + 4000);
        assert_int_equal(take(&b, 101 * KWH + 5000), COUNTER_ACCEPTED);
        assert_int_equal(b.total, 100 * KWH + 5000);
}

/* Five readings of the register after it was reset, from first on, 2 Wh apart. */
static void restart_register(struct bench *b, int64_t first) {
        for (unsigned i = 0; i < COUNTER_REBASE_READINGS; i++)
                assert_int_equal(take(b, first + i * 2000),
                                 i + 1 < COUNTER_REBASE_READINGS ? COUNTER_DECREASED : COUNTER_RESET);
}

static void test_register_reset_to_zero(void **state) {
        struct bench b = bench_of(false);

        (void) state;
        take(&b, 5000 * KWH);
        restart_register(&b, 3000);
        /* 3 Wh since the reset and 8 Wh in the row. */
        assert_int_equal(b.total, 5000 * KWH + 11000);
        assert_int_equal(take(&b, 12000), COUNTER_ACCEPTED);
        assert_int_equal(b.total, 5000 * KWH + 12000);
        assert_int_equal(b.c.reading, 12000);
}

static void test_meter_replaced(void **state) {
        struct bench b = bench_of(false);

        (void) state;
        take(&b, 5000 * KWH);
        /* Another register: what it shows at first is not energy of this house. */
        restart_register(&b, 40 * KWH);
        assert_int_equal(b.total, 5000 * KWH + 8000);
        for (unsigned i = 0; i < COUNTER_REBASE_READINGS; i++)
                take(&b, 9000 * KWH + i * 2000);
        assert_int_equal(b.total, 5000 * KWH + 16000);
        assert_int_equal(b.c.counts[COUNTER_RESET], 2);
}

static void test_reset_during_an_outage(void **state) {
        struct bench b = bench_of(false);

        (void) state;
        take(&b, 5000 * KWH);
        /* In ten hours 40 kWh can have flowed, so the whole new register counts. */
        b.now_ms += 10 * (uint64_t) HOUR_MS;
        restart_register(&b, 40 * KWH);
        assert_int_equal(b.total, 5040 * KWH + 8000);
}

static void test_outage_widens_the_limit(void **state) {
        struct bench b = bench_of(false);

        (void) state;
        take(&b, 100 * KWH);
        assert_int_equal(take_after(&b, HOUR_MS, 300 * KWH), COUNTER_JUMPED);
        assert_int_equal(take_after(&b, HOUR_MS, 400 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(take_after(&b, 30 * 24 * (uint64_t) HOUR_MS, 90000 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(b.total, 90000 * KWH);
        /* However long: the spike is more than a month of 131 kW. */
        assert_int_equal(take_after(&b, 30 * 24 * (uint64_t) HOUR_MS, SPIKE), COUNTER_JUMPED);
}

static void test_coarse_register(void **state) {
        struct bench b = bench_of(true);
        int64_t reading = 7000 * KWH;

        (void) state;
        b.step = KWH;
        b.limits.max_power_mw = 10000000;
        take(&b, reading);
        assert_int_equal(take(&b, reading), COUNTER_ACCEPTED);
        /* The digit may turn at any moment, also twice within the time of little more than one. */
        assert_int_equal(take_after(&b, 0, reading + KWH), COUNTER_ACCEPTED);
        assert_int_equal(take_after(&b, 5 * MIN_MS, reading + 2 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(take_after(&b, 11 * MIN_MS, reading + 4 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(take(&b, reading + 5 * KWH), COUNTER_JUMPED);
        assert_int_equal(take(&b, reading + 3 * KWH), COUNTER_DECREASED);
        assert_int_equal(b.total, reading + 4 * KWH);
}

/* Asked every second, a meter that renews its register each 30 s shows half a minute at once. */
static void test_repeated_readings_widen_the_limit(void **state) {
        struct bench b = bench_of(false);
        int64_t reading = 100 * KWH;

        (void) state;
        b.limits.max_power_mw = 10000000;
        for (unsigned i = 0; i < 100; i++) {
                reading += 83000;  /* 10 kW for 30 s */
                for (unsigned k = 0; k < 30; k++)
                        assert_int_equal(take_after(&b, 1000, reading), COUNTER_ACCEPTED);
        }
        /* A night without any use is no licence for a jump. */
        for (unsigned k = 0; k < 1200; k++)
                take(&b, reading);
        assert_int_equal(take(&b, reading + KWH), COUNTER_JUMPED);
        assert_int_equal(b.total, reading);
}

static void test_ends_of_the_range(void **state) {
        struct bench b = bench_of(false);

        (void) state;
        b.limits.max_power_mw = INT64_MAX;
        b.step = INT64_MAX;
        assert_int_equal(take(&b, INT64_MIN), COUNTER_ACCEPTED);
        assert_int_equal(take(&b, INT64_MAX), COUNTER_JUMPED);
        assert_int_equal(take_after(&b, UINT64_MAX / 2, -1), COUNTER_ACCEPTED);
        assert_int_equal(take_after(&b, 6 * HOUR_MS, INT64_MAX - 1), COUNTER_ACCEPTED);
        assert_int_equal(take_after(&b, 0, INT64_MAX), COUNTER_ACCEPTED);
        assert_int_equal(b.total, INT64_MAX);
        restart_register(&b, 3000);
        assert_int_equal(b.total, INT64_MAX);
        b.now_ms = 0;  /* a time before the last one counts as none */
        assert_int_equal(take_after(&b, 0, 11000), COUNTER_ACCEPTED);
}

/* 32 bits of Wh. */
static enum counter_verdict take_wrapping(struct bench *b, int64_t reading) {
        b->now_ms += POLL_MS;
        return counter_take(&b->c, &b->limits, b->now_ms, reading, b->step, SPIKE, &b->total);
}

static void test_register_that_goes_over(void **state) {
        struct bench b = bench_of(false);

        (void) state;
        take_wrapping(&b, SPIKE - 3000);
        assert_int_equal(take_wrapping(&b, 2000), COUNTER_ACCEPTED);
        assert_int_equal(b.total, SPIKE + 2000);
        assert_int_equal(b.c.reading, 2000);
        assert_int_equal(take_wrapping(&b, 4000), COUNTER_ACCEPTED);
        assert_int_equal(b.total, SPIKE + 4000);
        /* Backwards is no way, and only near its end does it go over. */
        assert_int_equal(take_wrapping(&b, SPIKE - 1000), COUNTER_JUMPED);
        assert_int_equal(b.total, SPIKE + 4000);
        b = bench_of(false);
        take_wrapping(&b, SPIKE / 10 * 9 - 1000);
        assert_int_equal(take_wrapping(&b, 0), COUNTER_DECREASED);
        /* Nor does it when more came than can have flowed. */
        b = bench_of(false);
        take_wrapping(&b, SPIKE - 3000);
        assert_int_equal(take_wrapping(&b, 3 * KWH), COUNTER_DECREASED);
        assert_int_equal(take_wrapping(&b, SPIKE), COUNTER_ACCEPTED);
        assert_int_equal(b.total, SPIKE);
}

static enum counter_verdict add(struct bench *b, uint64_t elapsed_ms, int64_t increment) {
        b->now_ms += elapsed_ms;
        return counter_add(&b->c, &b->limits, b->now_ms, increment, b->step, &b->total);
}

static void test_increments(void **state) {
        struct bench b = bench_of(true);
        const int64_t day = 24 * KWH * 12;  /* 10 kW and a fifth more */

        (void) state;
        b.limits.max_power_mw = 10 * KWH;
        assert_int_equal(add(&b, 0, 5000), COUNTER_ACCEPTED);
        assert_int_equal(b.total, 5000);
        assert_int_equal(add(&b, 0, 0), COUNTER_ACCEPTED);
        assert_int_equal(add(&b, POLL_MS, -1000), COUNTER_DECREASED);
        assert_int_equal(add(&b, POLL_MS, INT64_MAX), COUNTER_JUMPED);
        assert_int_equal(b.total, 5000);
        /* What came together during a day, once. */
        assert_int_equal(add(&b, 0, day - 5000), COUNTER_ACCEPTED);
        assert_int_equal(add(&b, 0, day / 100), COUNTER_JUMPED);
        assert_int_equal(add(&b, HOUR_MS, 12 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(add(&b, 0, 12 * KWH), COUNTER_JUMPED);
        assert_int_equal(b.total, day + 12 * KWH);
        assert_int_equal(b.c.reading, b.total);
}

static void test_goes_on_after_a_restart(void **state) {
        struct bench b = bench_of(true);

        (void) state;
        b.limits.max_power_mw = 10 * KWH;
        /* The register was reset once: the total is ahead of it. Boot-time begins anew with the machine. */
        counter_restore(&b.c, 40 * KWH, 5040 * KWH, -(int64_t) HOUR_MS);
        assert_int_equal(take(&b, 41 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(b.total, 5041 * KWH);
        /* The hour, and a day because rows repeat rare registers. */
        counter_restore(&b.c, 40 * KWH, 5040 * KWH, -(int64_t) HOUR_MS);
        assert_int_equal(take(&b, 40 * KWH + 25 * 12 * KWH + KWH), COUNTER_JUMPED);
        assert_int_equal(take(&b, 40 * KWH + 25 * 12 * KWH), COUNTER_ACCEPTED);
        /* Now it is known when. */
        assert_int_equal(take(&b, 40 * KWH + 26 * 12 * KWH), COUNTER_JUMPED);
        counter_restore(&b.c, 40 * KWH, 5040 * KWH, COUNTER_TIME_UNKNOWN);
        assert_int_equal(take(&b, SPIKE), COUNTER_JUMPED);
        assert_int_equal(take(&b, 40000 * KWH), COUNTER_ACCEPTED);
        assert_int_equal(b.total, 45000 * KWH);
        counter_restore(&b.c, 40 * KWH, 5040 * KWH, (int64_t) b.now_ms - POLL_MS);
        assert_int_equal(take(&b, 39 * KWH), COUNTER_DECREASED);
        assert_int_equal(b.c.total, 5040 * KWH);
}

/* ---- against a model ---- */

/* Whatever is read, in whatever order and however often: the total never steps back, and over any time grows by no
 * more than the largest power allows, one span and one step. */
static void test_no_readings_make_more_than_can_flow(void **state) {
        uint64_t random = random_seed(test_seed());

        (void) state;
        for (unsigned life = 0; life < 300; life++) {
                struct bench b = bench_of(random_below(&random, 2));
                bool increments = life % 3 == 0;
                int64_t first = -1, wrap = random_below(&random, 2) ? SPIKE : 0, reading = 0, most;
                uint64_t begin_ms = 0;

                b.step = random_below(&random, 2) ? KWH : random_below(&random, 5000);
                b.limits.max_power_mw = random_below(&random, 20) * KWH;
                for (unsigned i = 0; i < 500; i++) {
                        uint64_t ms = random_below(&random, 10)
                                              ? random_below(&random, 2) * random_below(&random, 5000)
                                              : random_below(&random, 2 * HOUR_MS);
                        int64_t before = b.total;

                        if (random_below(&random, 30) == 0)
                                reading = random_below(&random, 3) ? random_below(&random, 1000) * KWH :
                                                                     SPIKE - random_below(&random, 5) * KWH;
                        else
                                reading += random_below(&random, 3) * (b.step / (1 + random_below(&random, 2)));
                        if (wrap > 0 && reading >= wrap)
                                reading -= wrap;
                        b.now_ms += ms;
                        if (increments)
                                counter_add(&b.c, &b.limits, b.now_ms, reading % (3 * KWH), b.step, &b.total);
                        else
                                counter_take(&b.c, &b.limits, b.now_ms, reading, b.step, wrap, &b.total);
                        if (b.total < 0)
                                continue;
                        if (first < 0) {
                                first = increments ? 0 : b.total;
                                begin_ms = b.now_ms;
                        }
                        assert_true(b.total >= before);
                        most = (b.limits.max_power_mw * 6 / 5) *
                               (int64_t) (b.now_ms - begin_ms + (increments ? 24 * HOUR_MS : MIN_MS)) / HOUR_MS;
                        /* Each interval is rounded up. */
                        assert_true(b.total - first <= most + b.step + (int64_t) i + 2);
                }
        }
}

struct world {
        struct bench b;
        uint32_t random;
        int64_t flowed, seen;    /* energy of the house in mWh: in all, and at the last accepted reading */
        int64_t offset;          /* register = flowed + offset, in whole steps */
        int64_t first_total;
        bool changed;            /* another register since the last accepted reading */
        int64_t lost_max;        /* what changes may have hidden */
};

static uint32_t next_random(struct world *w) {
        w->random ^= w->random << 13;
        w->random ^= w->random >> 17;
        return w->random ^= w->random << 5;
}

static uint32_t below(struct world *w, uint32_t n) {
        return next_random(w) % n;
}

static int64_t register_of(const struct world *w) {
        return (w->flowed + w->offset) / w->b.step * w->b.step;
}

static void let_time_pass(struct world *w) {
        uint64_t ms = below(w, 20) == 0 ? below(w, 12 * HOUR_MS) : below(w, 100) == 0 ? 0 : 1000 + below(w, 40000);
        int64_t power_mw = below(w, 4) == 0 ? 0 : below(w, 24000000);

        w->b.now_ms += ms;
        w->flowed += power_mw * (int64_t) (ms / 1000) / 3600;
}

/* One bad reading: it must not be believed. */
static void read_spike(struct world *w) {
        static const int64_t spikes[] = { SPIKE, -SPIKE, INT64_MAX, INT64_MIN, 90000000 * KWH };
        int64_t bad = spikes[below(w, 5)], total = w->b.total;
        enum counter_verdict v = take_after(&w->b, 0, bad);

        assert_true(v == COUNTER_JUMPED || v == COUNTER_DECREASED);
        assert_int_equal(w->b.total, total);
}

static void read_register(struct world *w) {
        int64_t before = w->b.total, truth = w->flowed - w->seen, gained;
        enum counter_verdict v = take_after(&w->b, 0, register_of(w));

        assert_true(w->b.total >= before);
        if (!counter_is_accepted(v)) {
                assert_int_equal(w->b.total, before);
                return;
        }
        gained = w->b.total - before;
        assert_true(gained <= truth + w->b.step);
        if (w->changed)
                w->lost_max += truth + w->b.step;
        w->changed = false;
        w->seen = w->flowed;
}

/* The register is reset, or the meter is exchanged for one that shows what no outage here can explain. */
static void change_register(struct world *w) {
        int64_t now = register_of(w), next = below(w, 2) ? 0 : now > 20000 * KWH ? 5000 * KWH : now + 90000 * KWH;

        w->offset = next - w->flowed;
        w->changed = true;
        for (unsigned i = 0; w->changed; i++) {
                assert_true(i < COUNTER_REBASE_READINGS);
                let_time_pass(w);
                read_register(w);
        }
}

static void live(uint32_t seed, int64_t step) {
        struct world w = { .b = bench_of(true), .random = seed, .offset = 20000 * KWH };

        w.b.step = step;
        take_after(&w.b, 0, register_of(&w));
        take_after(&w.b, 1000, register_of(&w));
        w.first_total = w.b.total;
        for (unsigned i = 0; i < 3000; i++) {
                let_time_pass(&w);
                if (below(&w, 30) == 0)
                        read_spike(&w);
                else if (below(&w, 400) == 0)
                        change_register(&w);
                else
                        read_register(&w);
        }
        let_time_pass(&w);
        read_register(&w);
        assert_int_equal(w.seen, w.flowed);
        assert_true(w.b.total - w.first_total <= w.flowed + (int64_t) (w.b.c.counts[COUNTER_RESET] + 1) * step);
        assert_true(w.b.total - w.first_total >= w.flowed - w.lost_max - step);
}

static void test_random_lives(void **state) {
        uint32_t seed = (uint32_t) test_seed();

        (void) state;
        for (unsigned i = 0; i < 100; i++)
                live(seed * 2654435761U + i * 40503U + 1U, i % 3 == 0 ? KWH : i % 3 == 1 ? 600 : 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_reading),
                cmocka_unit_test(test_limit_is_exact),
                cmocka_unit_test(test_spike_is_withheld),
                cmocka_unit_test(test_stuck_spike_adds_nothing),
                cmocka_unit_test(test_register_reset_to_zero),
                cmocka_unit_test(test_meter_replaced),
                cmocka_unit_test(test_reset_during_an_outage),
                cmocka_unit_test(test_outage_widens_the_limit),
                cmocka_unit_test(test_coarse_register),
                cmocka_unit_test(test_repeated_readings_widen_the_limit),
                cmocka_unit_test(test_ends_of_the_range),
                cmocka_unit_test(test_register_that_goes_over),
                cmocka_unit_test(test_increments),
                cmocka_unit_test(test_goes_on_after_a_restart),
                cmocka_unit_test(test_no_readings_make_more_than_can_flow),
                cmocka_unit_test(test_random_lives),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
