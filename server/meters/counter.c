#include "meters/counter.h"

const char *const counter_verdict_names[COUNTER_VERDICT_COUNT] = {
        [COUNTER_ACCEPTED] = "accepted",
        [COUNTER_RESET] = "counter_reset",
        [COUNTER_UNCONFIRMED] = "counter_unconfirmed",
        [COUNTER_DECREASED] = "counter_decreased",
        [COUNTER_JUMPED] = "counter_jumped",
};

#define MS_PER_HOUR 3600000

/* Meters renew their registers every 5 s to 30 s and repeat them when they are asked more often. What stands at the
 * end of such a row may have flowed during all of it. */
#define REPEAT_MAX_MS 60000

static int64_t add_or_max(int64_t a, int64_t b) {
        int64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t multiply_or_max(int64_t a, int64_t b) {
        int64_t product;

        return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/* 1.2 * max_power * elapsed, rounded up, plus the step: the fifth more is for clocks and late answers, the step for
 * the register's own rounding. */
static int64_t most_energy(const struct counter_limits *limits, uint64_t elapsed_ms, int64_t step) {
        int64_t power = limits->max_power_mw > 0 ? limits->max_power_mw : 0;
        int64_t hours = (int64_t) (elapsed_ms / MS_PER_HOUR), rest_ms = (int64_t) (elapsed_ms % MS_PER_HOUR);
        int64_t margin = multiply_or_max(power, 6) / 5;
        int64_t energy = multiply_or_max(margin, rest_ms) / MS_PER_HOUR + 1;

        energy = add_or_max(energy, multiply_or_max(margin, hours));
        return step > 0 ? add_or_max(energy, step) : energy;
}

static uint64_t since(uint64_t now_ms, uint64_t then_ms) {
        return now_ms > then_ms ? now_ms - then_ms : 0;
}

/* Whether the register can have gone from one reading to the other in that time. */
static bool can_follow(const struct counter_limits *limits, int64_t from, int64_t to, uint64_t elapsed_ms,
                       int64_t step) {
        int64_t growth;

        return !__builtin_sub_overflow(to, from, &growth) && growth >= 0 &&
               growth <= most_energy(limits, elapsed_ms, step);
}

/* Since the last accepted reading, and the time before during which the register was only repeated. */
static uint64_t elapsed_of(const struct counter *c, uint64_t at_ms) {
        uint64_t repeated_ms = since(c->at_ms, c->changed_ms);

        return since(at_ms, c->at_ms) + (repeated_ms < REPEAT_MAX_MS ? repeated_ms : REPEAT_MAX_MS);
}

static void set_baseline(struct counter *c, uint64_t at_ms, int64_t reading) {
        if (!c->known || reading != c->reading)
                c->changed_ms = at_ms;
        c->known = true;
        c->reading = reading;
        c->at_ms = at_ms;
        c->n_pending = 0;
}

static enum counter_verdict accept(struct counter *c, uint64_t at_ms, int64_t reading, int64_t growth,
                                   enum counter_verdict verdict) {
        c->total = add_or_max(c->total, growth);
        set_baseline(c, at_ms, reading);
        return verdict;
}

/* A row of readings begins anew with one that does not follow the one before. */
static void put_pending(struct counter *c, const struct counter_limits *limits, uint64_t at_ms, int64_t reading,
                        int64_t step) {
        if (c->n_pending == 0 ||
            !can_follow(limits, c->last_pending, reading, since(at_ms, c->last_pending_ms), step)) {
                c->n_pending = 0;
                c->first_pending = reading;
                c->first_pending_ms = at_ms;
        }
        c->n_pending++;
        c->last_pending = reading;
        c->last_pending_ms = at_ms;
}

/* What certainly flowed since the last accepted reading: what the row itself shows, and all that a register counted
 * which began at zero again. */
static int64_t growth_of_row(const struct counter *c, const struct counter_limits *limits, int64_t step) {
        int64_t growth = c->last_pending - c->first_pending;

        if (c->first_pending < c->reading &&
            can_follow(limits, 0, c->first_pending, since(c->first_pending_ms, c->at_ms), step))
                growth = add_or_max(growth, c->first_pending);
        return growth;
}

static enum counter_verdict begin(struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                                  int64_t reading, int64_t step) {
        put_pending(c, limits, at_ms, reading, step);
        if (limits->confirm_first && c->n_pending < 2)
                return COUNTER_UNCONFIRMED;
        return accept(c, at_ms, reading, reading, COUNTER_ACCEPTED);
}

static enum counter_verdict judge(struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                                  int64_t reading, int64_t step) {
        if (!c->known)
                return begin(c, limits, at_ms, reading, step);
        if (can_follow(limits, c->reading, reading, elapsed_of(c, at_ms), step))
                return accept(c, at_ms, reading, reading - c->reading, COUNTER_ACCEPTED);
        put_pending(c, limits, at_ms, reading, step);
        if (c->n_pending >= COUNTER_REBASE_READINGS)
                return accept(c, at_ms, reading, growth_of_row(c, limits, step), COUNTER_RESET);
        return reading < c->reading ? COUNTER_DECREASED : COUNTER_JUMPED;
}

enum counter_verdict counter_take(struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                                  int64_t reading, int64_t step, int64_t *ret_total) {
        enum counter_verdict verdict = judge(c, limits, at_ms, reading, step);

        c->counts[verdict]++;
        if (counter_is_accepted(verdict))
                *ret_total = c->total;
        return verdict;
}
