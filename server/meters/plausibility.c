#include "meters/plausibility.h"

#include <stdio.h>

#include "protocols/quantity.h"

/* Beyond these a product would leave 63 bits; no meter comes near (3 GV, 3 GA). */
#define PRODUCT_MAX ((int64_t) 3000000000)

#define POWER_FACTOR_ONE 1000

static struct plausibility_value *value_of(struct plausibility_channel *c, unsigned quantity) {
        switch (quantity) {
        case Q_VOLTAGE:
                return &c->voltage;
        case Q_CURRENT:
                return &c->current;
        case Q_POWER:
                return &c->power;
        case Q_POWER_FACTOR:
                return &c->factor;
        default:
                return NULL;
        }
}

static uint64_t newest(const struct plausibility_channel *c) {
        uint64_t at_ms = c->voltage.at_ms > c->current.at_ms ? c->voltage.at_ms : c->current.at_ms;

        return at_ms > c->power.at_ms ? at_ms : c->power.at_ms;
}

static bool belongs(const struct plausibility_value *v, uint64_t at_ms) {
        return v->known && v->at_ms + PLAUSIBILITY_SPREAD_MS >= at_ms;
}

/* Each value counts once: a current that lags behind a rise of the power cannot make eight samples. */
static bool take_sample(struct plausibility_channel *c) {
        uint64_t at_ms = newest(c);

        if (!c->voltage.is_new || !c->current.is_new || !c->power.is_new)
                return false;
        if (!belongs(&c->voltage, at_ms) || !belongs(&c->current, at_ms) || !belongs(&c->power, at_ms))
                return false;
        c->voltage.is_new = c->current.is_new = c->power.is_new = false;
        return true;
}

static int64_t magnitude(int64_t value) {
        return value < 0 ? -value : value;
}

static bool is_computable(const struct plausibility_value *v) {
        return v->value <= PRODUCT_MAX && v->value >= -PRODUCT_MAX;
}

static bool is_ten_times(int64_t large, int64_t small) {
        return large >= 9 * small && large <= 11 * small;
}

/* mV * mA / 1000 = mVA */
static int64_t apparent_mva(const struct plausibility_channel *c) {
        return magnitude(c->voltage.value * c->current.value) / 1000;
}

static bool has_factor(const struct plausibility_channel *c) {
        return belongs(&c->factor, newest(c)) && magnitude(c->factor.value) <= POWER_FACTOR_ONE;
}

/* Without a measured power factor V * I is only an upper bound:
 * too small a power cannot be told from a bad factor. */
static enum power_mismatch judge(const struct plausibility_channel *c) {
        int64_t expected = apparent_mva(c), power = magnitude(c->power.value);

        if (has_factor(c))
                expected = expected * magnitude(c->factor.value) / POWER_FACTOR_ONE;
        if (expected > 0 && is_ten_times(power, expected))
                return POWER_TEN_TIMES_HIGH;
        if (power > 0 && has_factor(c) && is_ten_times(expected, power))
                return POWER_TEN_TIMES_LOW;
        return POWER_FITS;
}

/* True when this sample completes the row. */
static bool count_sample(struct plausibility_channel *c) {
        enum power_mismatch verdict;

        if (!is_computable(&c->voltage) || !is_computable(&c->current) || !is_computable(&c->power) ||
            apparent_mva(c) < PLAUSIBILITY_MIN_MVA)
                return false;
        verdict = judge(c);
        if (verdict != c->streak)
                c->streak_len = 0;
        c->streak = verdict;
        if (c->streak_len < PLAUSIBILITY_SAMPLES)
                c->streak_len++;
        return verdict != POWER_FITS && c->streak_len == PLAUSIBILITY_SAMPLES;
}

static void remember(struct plausibility *p, const struct report *report) {
        for (unsigned i = 0; i < report->count; i++) {
                const struct reading *r = &report->readings[i];
                struct plausibility_value *v =
                        r->channel < CHANNELS_MAX ? value_of(&p->channels[r->channel], r->quantity) : NULL;

                if (v)
                        *v = (struct plausibility_value) { true, true, r->value, report->at_ms };
        }
}

bool plausibility_take(struct plausibility *p, const struct report *report) {
        if (p->found != POWER_FITS)
                return false;
        remember(p, report);
        for (uint8_t i = 0; i < CHANNELS_MAX; i++) {
                struct plausibility_channel *c = &p->channels[i];

                if (!take_sample(c) || !count_sample(c))
                        continue;
                p->found = c->streak;
                p->channel = i;
                return true;
        }
        return false;
}

void plausibility_describe(const struct plausibility *p, const char *channel, char *buf, size_t size) {
        snprintf(buf, size, "active power%s%s is %s what voltage and current give: the profile's scale of power, "
                 "current or voltage is off by ten; compare with another meter and correct scale or power_scale "
                 "in a profile file", channel[0] ? " of " : "", channel,
                 p->found == POWER_TEN_TIMES_LOW ? "a tenth of" : "ten times");
}
