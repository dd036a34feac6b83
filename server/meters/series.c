#include "meters/series.h"

#include <stdio.h>
#include <string.h>

const char *const value_source_names[] = {
        [SOURCE_MEASURED] = "measured",
        [SOURCE_DERIVED] = "derived",
        [SOURCE_INTEGRATED] = "integrated",
        [SOURCE_RESTORED] = "restored",
};

/* Which quantities a channel has: measured, or derivable from those. Of what only some messages bring, one may be
 * without: such a one is derived until it has been measured. */
struct channel_plan {
        enum series_presence measured[Q_COUNT];
        bool derived[Q_COUNT];
        bool integrated[Q_COUNT];
};

static struct channel_plan plan_channel(const struct protocol *protocol, const struct profile *p, unsigned channel) {
        struct channel_plan plan = { 0 };
        bool has_va;

        protocol->series(p, channel, plan.measured);
        plan.derived[Q_APPARENT_POWER] = plan.measured[Q_VOLTAGE] && plan.measured[Q_CURRENT];
        has_va = plan.derived[Q_APPARENT_POWER] || plan.measured[Q_APPARENT_POWER];
        plan.derived[Q_POWER_FACTOR] = has_va && plan.measured[Q_POWER];
        plan.derived[Q_REACTIVE_POWER] = has_va && plan.measured[Q_POWER];
        plan.integrated[Q_ENERGY_IMPORT] = plan.integrated[Q_ENERGY_EXPORT] =
                plan.measured[Q_POWER] && !plan.measured[Q_ENERGY_IMPORT] && !plan.measured[Q_ENERGY_EXPORT];
        return plan;
}

void series_key(const struct series_set *s, unsigned channel, unsigned quantity, char *buf, size_t size) {
        snprintf(buf, size, "%s%s%s", s->channels[channel], channel > 0 ? "." : "", quantity_catalogue[quantity].key);
}

static void add_series(struct series_set *s, unsigned channel, unsigned quantity, enum value_source source) {
        struct series item = { .channel = (uint8_t) channel, .quantity = (uint8_t) quantity, .source = source };

        if (s->count == SERIES_MAX)
                return;
        series_key(s, channel, quantity, item.key, sizeof item.key);
        s->items[s->count++] = item;
}

void series_set_init(struct series_set *s, const struct protocol *protocol, const struct profile *profile) {
        *s = (struct series_set) { .n_channels = 1 };
        if (profile) {
                s->n_channels = profile->n_channels;
                memcpy(s->channels, profile->channels, sizeof s->channels);
        }
        for (unsigned c = 0; c < s->n_channels; c++) {
                struct channel_plan plan = plan_channel(protocol, profile, c);

                for (unsigned q = 0; q < Q_COUNT; q++)
                        if (plan.derived[q] && plan.measured[q] != SERIES_CERTAIN)
                                add_series(s, c, q, SOURCE_DERIVED);
                        else if (plan.measured[q])
                                add_series(s, c, q, SOURCE_MEASURED);
                        else if (plan.integrated[q])
                                add_series(s, c, q, SOURCE_INTEGRATED);
        }
}

const struct series *series_set_get(const struct series_set *s, unsigned channel, unsigned quantity) {
        for (unsigned i = 0; i < s->count; i++)
                if (s->items[i].channel == channel && s->items[i].quantity == quantity)
                        return &s->items[i];
        return NULL;
}

static struct series *find(struct series_set *s, unsigned channel, unsigned quantity) {
        const struct series *item = series_set_get(s, channel, quantity);

        return item ? &s->items[item - s->items] : NULL;
}

/* The derived series of that quantity, NULL when there is none or the meter measures it. */
static struct series *find_derived(struct series_set *s, unsigned channel, unsigned quantity) {
        struct series *item = find(s, channel, quantity);

        return item && item->source == SOURCE_DERIVED ? item : NULL;
}

static const struct series *find_known(struct series_set *s, unsigned channel, unsigned quantity) {
        const struct series *item = find(s, channel, quantity);

        return item && item->known ? item : NULL;
}

static int64_t divide_rounded(int64_t a, int64_t b) {
        return (a < 0) == (b < 0) ? (a + b / 2) / b : (a - b / 2) / b;
}

/* Rounded to the nearest. */
static int64_t square_root(int64_t n) {
        int64_t root = 0;

        for (int64_t bit = (int64_t) 1 << 62; bit > 0; bit >>= 2) {
                if (n >= root + bit) {
                        n -= root + bit;
                        root = (root >> 1) + bit;
                } else
                        root >>= 1;
        }
        return n > root ? root + 1 : root;
}

static void set_derived(struct series *item, int64_t value, uint64_t at_ms, const char *origin) {
        item->known = true;
        item->value = value;
        item->at_ms = at_ms;
        snprintf(item->origin, sizeof item->origin, "%s", origin);
}

static uint64_t older(const struct series *a, const struct series *b) {
        return a->at_ms < b->at_ms ? a->at_ms : b->at_ms;
}

/* Beyond these a product would leave 63 bits; no meter comes near (3 GV, 3 GA, 3 GVA). */
#define DERIVE_MAX ((int64_t) 3000000000)

static bool is_derivable(const struct series *item) {
        return item && item->value <= DERIVE_MAX && item->value >= -DERIVE_MAX;
}

/* mV * mA = uVA */
static void derive_apparent_power(struct series_set *s, unsigned channel) {
        const struct series *u = find_known(s, channel, Q_VOLTAGE), *i = find_known(s, channel, Q_CURRENT);
        struct series *va = find_derived(s, channel, Q_APPARENT_POWER);
        int64_t value;

        if (!va || !is_derivable(u) || !is_derivable(i))
                return;
        value = divide_rounded(u->value * i->value, 1000);
        set_derived(va, value < 0 ? -value : value, older(u, i), "voltage * current");
}

/* P / VA in thousandths; nothing where VA is 0. */
static void derive_power_factor(struct series_set *s, unsigned channel) {
        const struct series *p = find_known(s, channel, Q_POWER), *va = find_known(s, channel, Q_APPARENT_POWER);
        struct series *pf = find_derived(s, channel, Q_POWER_FACTOR);
        int64_t value;

        if (!pf || !is_derivable(p) || !is_derivable(va))
                return;
        if (va->value == 0) {
                pf->known = false;
                return;
        }
        value = divide_rounded(p->value * 1000, va->value);
        value = value > 1000 ? 1000 : value < -1000 ? -1000 : value;
        set_derived(pf, value, older(p, va), "power / apparent");
}

/* The magnitude: these meters do not tell inductive from capacitive. */
static void derive_reactive_power(struct series_set *s, unsigned channel) {
        const struct series *p = find_known(s, channel, Q_POWER), *va = find_known(s, channel, Q_APPARENT_POWER);
        struct series *var = find_derived(s, channel, Q_REACTIVE_POWER);
        int64_t square;

        if (!var || !is_derivable(p) || !is_derivable(va))
                return;
        square = va->value * va->value - p->value * p->value;
        set_derived(var, square > 0 ? square_root(square) : 0, older(p, va), "apparent and power");
}

/* The length of raw data on the wire may bring more than the profile could promise: that becomes a series when it
 * comes. A meter without a profile has none. */
static struct series *find_or_add(struct series_set *s, unsigned channel, unsigned quantity) {
        struct series *item = find(s, channel, quantity);

        if (!item && s->count > 0 && channel < s->n_channels) {
                add_series(s, channel, quantity, SOURCE_MEASURED);
                item = find(s, channel, quantity);
        }
        return item;
}

void series_set_apply(struct series_set *s, const struct report *report,
                      void (*origin_name)(uint16_t origin, char *buf, size_t size)) {
        for (unsigned n = 0; n < report->count; n++) {
                const struct reading *r = &report->readings[n];
                struct series *item = find_or_add(s, r->channel, r->quantity);

                if (!item || item->source == SOURCE_INTEGRATED)
                        continue;
                item->source = SOURCE_MEASURED;
                item->known = true;
                item->value = r->value;
                item->at_ms = report->at_ms;
                origin_name(r->origin, item->origin, sizeof item->origin);
        }
        for (unsigned c = 0; c < s->n_channels; c++) {
                derive_apparent_power(s, c);
                derive_power_factor(s, c);
                derive_reactive_power(s, c);
        }
}

/* Of a time before the boot the boot-time clock knows nothing: it then counts as the boot itself. */
void series_restore(struct series *s, int64_t value, int64_t at_ms) {
        s->source = SOURCE_RESTORED;
        s->known = true;
        s->value = value;
        s->at_ms = at_ms > 0 ? (uint64_t) at_ms : 0;
        snprintf(s->origin, sizeof s->origin, "history");
}

const struct series *series_set_find(const struct series_set *s, const char *key) {
        for (unsigned i = 0; i < s->count; i++)
                if (strcmp(s->items[i].key, key) == 0)
                        return &s->items[i];
        return NULL;
}

bool series_is_current(const struct series *series, uint64_t now_ms, uint32_t stale_after_ms) {
        if (!series->known)
                return false;
        if (quantity_catalogue[series->quantity].kind == QUANTITY_COUNTER)
                return true;
        return now_ms <= series->at_ms + stale_after_ms;
}
