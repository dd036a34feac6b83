#include "meters/totals.h"

#include "base/cleanup.h"
#include "protocols/quantity.h"

#define MW_PER_W 1000
#define REPLAY_LATE_MS 1000  /* a fast one catches up after the loop was busy: what was hours apart comes at once */

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

static struct totals_item *find_or_add(struct totals *t, unsigned channel, unsigned quantity) {
        struct totals_item *item;
        int i = find(t, channel, quantity);

        if (i >= 0)
                return &t->items[i];
        if (t->count == ELEMENTS(t->items))
                return NULL;
        item = &t->items[t->count++];
        *item = (struct totals_item) { .channel = (uint8_t) channel, .quantity = (uint8_t) quantity };
        return item;
}

void totals_restore(struct totals *t, unsigned channel, unsigned quantity, int64_t reading, int64_t total,
                    int64_t at_ms) {
        struct totals_item *item = find_or_add(t, channel, quantity);

        if (item)
                counter_restore(&item->counter, reading, total, at_ms);
}

static int64_t add_or_max(int64_t a, int64_t b) {
        int64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* One that cannot be is judged when it counts. */
void totals_wait(struct totals *t, const struct reading *reading) {
        struct totals_item *item = find_or_add(t, reading->channel, reading->quantity);

        if (item && reading->value > 0)
                item->early = add_or_max(item->early, reading->value);
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

/* A recording that is replayed in the tenth of its time shows ten times the energy in that time. */
static int64_t most_flow_mw(const struct meter_config *c) {
        int64_t power = totals_max_power_mw(c);

        if (!c->replay.path)
                return power;
        if (__builtin_mul_overflow(power, (int64_t) c->replay.speed, &power))
                return INT64_MAX;
        return power / REPLAY_SPEED_ONE;
}

static struct counter_limits limits_of(const struct meter_config *c) {
        return (struct counter_limits) {
                .max_power_mw = most_flow_mw(c), .late_ms = c->replay.path ? REPLAY_LATE_MS : 0,
                .confirm_first = c->protocol->has_no_checksum,
        };
}

enum counter_verdict totals_take(struct totals *t, const struct meter_config *config, uint64_t at_ms,
                                 struct reading *reading) {
        struct counter_limits limits;
        enum counter_verdict verdict;
        struct totals_item *item;

        if (reading->quantity >= Q_COUNT || quantity_catalogue[reading->quantity].kind != QUANTITY_COUNTER)
                return COUNTER_ACCEPTED;
        item = find_or_add(t, reading->channel, reading->quantity);
        if (!item)
                return COUNTER_ACCEPTED;
        limits = limits_of(config);
        if (reading->is_increment && reading->value >= 0) {
                reading->value = add_or_max(reading->value, item->early);
                item->early = 0;
        }
        if (reading->is_increment)
                verdict = counter_add(&item->counter, &limits, at_ms, reading->value, reading->step, &reading->value);
        else
                verdict = counter_take(&item->counter, &limits, at_ms, reading->value, reading->step, reading->wrap,
                                       &reading->value);
        t->counts[verdict]++;
        return verdict;
}
