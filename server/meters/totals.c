#include "meters/totals.h"

#include "base/cleanup.h"
#include "protocols/quantity.h"

#define MW_PER_W 1000

void totals_forget(struct totals *t) {
        t->count = 0;
}

static struct counter *find_or_add(struct totals *t, const struct reading *r) {
        struct totals_item *item;

        for (unsigned i = 0; i < t->count; i++)
                if (t->items[i].channel == r->channel && t->items[i].quantity == r->quantity)
                        return &t->items[i].counter;
        if (t->count == ELEMENTS(t->items))
                return NULL;
        item = &t->items[t->count++];
        *item = (struct totals_item) { .channel = r->channel, .quantity = r->quantity };
        return &item->counter;
}

static int64_t magnitude(int64_t value) {
        return value == INT64_MIN ? INT64_MAX : value < 0 ? -value : value;
}

/* An instrument transformer makes larger what the meter sees. */
static int64_t default_max_power_mw(const struct meter_config *c) {
        int64_t power = (int64_t) TOTALS_MAX_POWER_W * MW_PER_W;

        if (c->scale_num <= c->scale_den)
                return power;
        return __builtin_mul_overflow(power, c->scale_num, &power) ? INT64_MAX : power / c->scale_den;
}

static struct counter_limits limits_of(const struct meter_config *c) {
        const struct limit *power = &c->limits[Q_POWER];
        struct counter_limits limits = { .confirm_first = c->protocol->has_no_checksum };

        limits.max_power_mw = default_max_power_mw(c);
        if (power->set)
                limits.max_power_mw = magnitude(power->min) > magnitude(power->max) ? magnitude(power->min) :
                                                                                      magnitude(power->max);
        return limits;
}

enum counter_verdict totals_take(struct totals *t, const struct meter_config *config, uint64_t at_ms,
                                 struct reading *reading) {
        struct counter_limits limits;
        enum counter_verdict verdict;
        struct counter *counter;

        if (reading->quantity >= Q_COUNT || quantity_catalogue[reading->quantity].kind != QUANTITY_COUNTER)
                return COUNTER_ACCEPTED;
        counter = find_or_add(t, reading);
        if (!counter)
                return COUNTER_ACCEPTED;
        limits = limits_of(config);
        verdict = counter_take(counter, &limits, at_ms, reading->value, reading->step, &reading->value);
        t->counts[verdict]++;
        return verdict;
}
