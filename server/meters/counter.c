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
 * end of such a row may have flowed during all of it:
 * so much of what could have flowed and did not may come later. */
#define REGISTER_SPAN_MS 60000

#define DAY_MS (UINT64_C(24) * MS_PER_HOUR)

/* Nobody knows over which time an increment was gathered: meters report hourly, or when they are asked. */
#define INCREMENT_SPAN_MS DAY_MS

/* What was recorded last may be older than its row, for rows repeat registers that report only now and then. A day
 * covers the rarest of them. */
#define REPEATED_ROWS_MS DAY_MS

/* Without a time of day nobody knows how long the gateway was away: a year is more than most, and still far from what
 * the spike of 2^32 Wh would need. */
#define UNKNOWN_OUTAGE_MS (UINT64_C(366) * 24 * MS_PER_HOUR)

static int64_t add_or_max(int64_t a, int64_t b) {
        int64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t multiply_or_max(int64_t a, int64_t b) {
        int64_t product;

        return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/* 1.2 * max_power * elapsed (and how late the first may have been), rounded up, plus the step: the fifth more is for
 * clocks and late answers, the step for the register's own rounding. */
static int64_t most_energy(const struct counter_limits *limits, uint64_t elapsed_ms, int64_t step) {
        int64_t power = limits->max_power_mw > 0 ? limits->max_power_mw : 0;
        uint64_t time_ms = elapsed_ms + limits->late_ms;
        int64_t hours = (int64_t) (time_ms / MS_PER_HOUR), rest_ms = (int64_t) (time_ms % MS_PER_HOUR);
        int64_t margin = multiply_or_max(power, 6) / 5;
        int64_t energy = multiply_or_max(margin, rest_ms) / MS_PER_HOUR + 1;

        energy = add_or_max(energy, multiply_or_max(margin, hours));
        return step > 0 ? add_or_max(energy, step) : energy;
}

static uint64_t since(uint64_t now_ms, uint64_t then_ms) {
        return now_ms > then_ms ? now_ms - then_ms : 0;
}

/* What a reading is judged by. */
struct rules {
        const struct counter_limits *limits;
        uint64_t at_ms;
        int64_t step, wrap;
        int64_t allowed;             /* what may have flowed since the last accepted reading and has not come yet */
        int64_t most_credit;
};

/* However readings follow each other: the total cannot have grown by more than all the time allows, and once the most
 * credit. */
static struct rules rules_of(const struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                             int64_t step, int64_t wrap, uint64_t span_ms) {
        int64_t credit = c->credit >= 0 ? c->credit : step > 0 ? step : 0;

        return (struct rules) {
                .limits = limits, .at_ms = at_ms, .step = step, .wrap = wrap,
                .allowed = add_or_max(credit, most_energy(limits, since(at_ms, c->at_ms) + c->before_ms, 0)),
                .most_credit = most_energy(limits, span_ms, step),
        };
}

static bool is_growth(int64_t from, int64_t to, int64_t most) {
        int64_t growth;

        return !__builtin_sub_overflow(to, from, &growth) && growth >= 0 && growth <= most;
}

/* Whether a register can have gone from one reading to the other in that time. */
static bool can_follow(const struct rules *rules, int64_t from, int64_t to, uint64_t elapsed_ms) {
        return is_growth(from, to, most_energy(rules->limits, elapsed_ms, rules->step));
}

void counter_restore(struct counter *c, int64_t reading, int64_t total, int64_t at_ms) {
        *c = (struct counter) { .known = true, .reading = reading, .total = total, .credit = -1 };
        if (at_ms >= 0)
                c->at_ms = (uint64_t) at_ms;
        else
                c->before_ms = at_ms == COUNTER_TIME_UNKNOWN ? UNKNOWN_OUTAGE_MS : (uint64_t) -at_ms;
        c->before_ms += REPEATED_ROWS_MS;
}

/* growth: not more than is allowed. */
static enum counter_verdict accept(struct counter *c, const struct rules *rules, int64_t reading, int64_t growth,
                                   enum counter_verdict verdict) {
        int64_t left = rules->allowed - growth;

        c->known = true;
        c->total = add_or_max(c->total, growth);
        c->reading = reading;
        c->at_ms = rules->at_ms > c->at_ms ? rules->at_ms : c->at_ms;
        c->before_ms = 0;
        c->credit = left < rules->most_credit ? left : rules->most_credit;
        c->n_pending = 0;
        return verdict;
}

/* A row of readings begins anew with one that does not follow the one before. */
static void put_pending(struct counter *c, const struct rules *rules, int64_t reading) {
        if (c->n_pending == 0 ||
            !can_follow(rules, c->last_pending, reading, since(rules->at_ms, c->last_pending_ms))) {
                c->n_pending = 0;
                c->first_pending = reading;
                c->first_pending_ms = rules->at_ms;
        }
        c->n_pending++;
        c->last_pending = reading;
        c->last_pending_ms = rules->at_ms;
}

/* What certainly flowed since the last accepted reading: what the row itself shows, and all that a register counted
 * which began at zero again. */
static int64_t growth_of_row(const struct counter *c, const struct rules *rules) {
        int64_t growth = c->last_pending - c->first_pending;

        if (c->first_pending < c->reading &&
            can_follow(rules, 0, c->first_pending, since(c->first_pending_ms, c->at_ms) + c->before_ms))
                growth = add_or_max(growth, c->first_pending);
        return growth < rules->allowed ? growth : rules->allowed;
}

static enum counter_verdict begin(struct counter *c, const struct rules *rules, int64_t reading) {
        put_pending(c, rules, reading);
        if (rules->limits->confirm_first && c->n_pending < 2)
                return COUNTER_UNCONFIRMED;
        accept(c, rules, reading, 0, COUNTER_ACCEPTED);
        c->total = reading;
        c->credit = -1;
        return COUNTER_ACCEPTED;
}

/* Near its end, then near its beginning: the register has gone over. */
static bool has_wrapped(const struct counter *c, const struct rules *rules, int64_t reading) {
        int64_t wrap = rules->wrap, end = wrap - wrap / 10;

        return wrap > 0 && c->reading > end && c->reading < wrap && reading >= 0 && reading < wrap / 10 &&
               is_growth(c->reading - wrap, reading, rules->allowed);
}

static enum counter_verdict judge(struct counter *c, const struct rules *rules, int64_t reading) {
        if (!c->known)
                return begin(c, rules, reading);
        if (is_growth(c->reading, reading, rules->allowed))
                return accept(c, rules, reading, reading - c->reading, COUNTER_ACCEPTED);
        if (has_wrapped(c, rules, reading))
                return accept(c, rules, reading, reading - (c->reading - rules->wrap), COUNTER_ACCEPTED);
        put_pending(c, rules, reading);
        if (c->n_pending >= COUNTER_REBASE_READINGS)
                return accept(c, rules, reading, growth_of_row(c, rules), COUNTER_RESET);
        return reading < c->reading ? COUNTER_DECREASED : COUNTER_JUMPED;
}

enum counter_verdict counter_take(struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                                  int64_t reading, int64_t step, int64_t wrap, int64_t *ret_total) {
        struct rules rules = rules_of(c, limits, at_ms, step, wrap, REGISTER_SPAN_MS);
        enum counter_verdict verdict = judge(c, &rules, reading);

        c->counts[verdict]++;
        if (counter_is_accepted(verdict))
                *ret_total = c->total;
        return verdict;
}

enum counter_verdict counter_add(struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                                 int64_t increment, int64_t step, int64_t *ret_total) {
        struct rules rules = rules_of(c, limits, at_ms, step, 0, INCREMENT_SPAN_MS);
        enum counter_verdict verdict = COUNTER_ACCEPTED;

        if (!c->known)
                rules.allowed = rules.most_credit;
        c->adds = true;
        if (increment < 0)
                verdict = COUNTER_DECREASED;
        else if (increment > rules.allowed)
                verdict = COUNTER_JUMPED;
        else
                accept(c, &rules, add_or_max(c->total, increment), increment, verdict);
        c->counts[verdict]++;
        if (verdict == COUNTER_ACCEPTED)
                *ret_total = c->total;
        return verdict;
}
