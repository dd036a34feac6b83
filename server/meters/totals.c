#include "meters/totals.h"

#include "base/cleanup.h"
#include "protocols/quantity.h"

#define MW_PER_W 1000

void totals_forget(struct totals *t) {
        t->count = 0;
}

static int find(const struct totals *t, unsigned channel, unsigned quantity) {
        for (unsigned i = 0; i < t->count; i++)
                if (t->items[i].channel == channel && t->items[i].quantity == quantity)
                        return (int) i;
        return -1;
}

const struct counter *totals_find(const struct totals *t, unsigned channel, unsigned quantity) {
        int i = find(t, channel, quantity);

        return i >= 0 ? &t->items[i].counter : NULL;
}

static struct counter *find_or_add(struct totals *t, unsigned channel, unsigned quantity) {
        struct totals_item *item;
        int i = find(t, channel, quantity);

        if (i >= 0)
                return &t->items[i].counter;
        if (t->count == ELEMENTS(t->items))
                return NULL;
        item = &t->items[t->count++];
        *item = (struct totals_item) { .channel = (uint8_t) channel, .quantity = (uint8_t) quantity };
        return &item->counter;
}

void totals_restore(struct totals *t, unsigned channel, unsigned quantity, int64_t reading, int64_t total,
                    int64_t at_ms) {
        struct counter *counter = find_or_add(t, channel, quantity);

        if (counter)
                counter_restore(counter, reading, total, at_ms);
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

int64_t totals_max_power_mw(const struct meter_config *config) {
        const struct limit *power = &config->limits[Q_POWER];

        if (!power->set)
                return default_max_power_mw(config);
        return magnitude(power->min) > magnitude(power->max) ? magnitude(power->min) : magnitude(power->max);
}

static struct counter_limits limits_of(const struct meter_config *c) {
        return (struct counter_limits) {
                .max_power_mw = totals_max_power_mw(c), .confirm_first = c->protocol->has_no_checksum,
        };
}

enum counter_verdict totals_take(struct totals *t, const struct meter_config *config, uint64_t at_ms,
                                 struct reading *reading) {
        struct counter_limits limits;
        enum counter_verdict verdict;
        struct counter *counter;

        if (reading->quantity >= Q_COUNT || quantity_catalogue[reading->quantity].kind != QUANTITY_COUNTER)
                return COUNTER_ACCEPTED;
        counter = find_or_add(t, reading->channel, reading->quantity);
        if (!counter)
                return COUNTER_ACCEPTED;
        limits = limits_of(config);
        if (reading->is_increment)
                verdict = counter_add(counter, &limits, at_ms, reading->value, reading->step, &reading->value);
        else
                verdict = counter_take(counter, &limits, at_ms, reading->value, reading->step, reading->wrap,
                                       &reading->value);
        t->counts[verdict]++;
        return verdict;
}
