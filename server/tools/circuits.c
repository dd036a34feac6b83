#include "tools/circuits.h"

#include <stdlib.h>

#include "tools/random.h"

enum {
        NOMINAL_MHZ = 50000,
        DRIFT_MHZ = 30,
        WARM = 31500,             /* 0.001 degree C, inside the case */
        TYPICAL_FACTOR = 950,     /* power factor where only the power is known, in 0.001 */
        CHANNEL_DROP_MV = 700,    /* each channel reads that much less than the one before */
        ENERGY_START_KWH = 4000,
        EXPORT_START_KWH = 500,
        STEP_MAX_MS = 3600000,    /* a longer pause is none that was simulated */
};

#define APPARENT_MAX_MVA INT64_C(2000000000000)
#define MWMS_PER_MWH INT64_C(3600000)
#define MWMS_PER_WH  (1000 * MWMS_PER_MWH)

/* Below limit, from the seed. */
static int64_t start_mWms(uint64_t seed, unsigned what, int64_t limit_kwh) {
        return (int64_t) (random_mix(seed * 64 + what + 1) % (uint64_t) (limit_kwh * 1000)) * MWMS_PER_WH;
}

/* The whole is the sum of its parts. */
void circuits_init(struct circuits *c, unsigned n_channels, uint64_t seed) {
        *c = (struct circuits) { .n_channels = n_channels, .seed = seed };
        for (unsigned i = n_channels > 1 ? 1 : 0; i < n_channels; i++) {
                c->import_mWms[i] = start_mWms(seed, 2 * i, ENERGY_START_KWH);
                c->export_mWms[i] = start_mWms(seed, 2 * i + 1, EXPORT_START_KWH);
                c->import_mWms[0] += i > 0 ? c->import_mWms[i] : 0;
                c->export_mWms[0] += i > 0 ? c->export_mWms[i] : 0;
        }
}

void circuits_fix(struct circuits *c, unsigned channel, enum quantity quantity, int64_t value) {
        measured_put(&c->fixed, channel, quantity, value);
}

void circuits_free(struct circuits *c) {
        c->fixed = (struct measured) { 0 };
}

static int64_t fixed_or(const struct circuits *c, unsigned channel, unsigned quantity, int64_t value) {
        return c->fixed.has[channel][quantity] ? c->fixed.value[channel][quantity] : value;
}

static void set(struct circuits *c, unsigned channel, unsigned quantity, int64_t value) {
        measured_put(&c->now, channel, quantity, fixed_or(c, channel, quantity, value));
}

static int64_t get(const struct circuits *c, unsigned channel, unsigned quantity) {
        return c->now.value[channel][quantity];
}

/* Part number i of n: earlier ones are larger, and together they are the whole. */
static int64_t share(int64_t whole, unsigned i, unsigned n) {
        int64_t rest = whole;

        if (i < n)
                return whole * (n - i + 1) * 2 / (n * (n + 1));
        for (unsigned k = 1; k < n; k++)
                rest -= share(whole, k, n);
        return rest;
}

/* Of a power that was set by itself. */
static int64_t typical_current(int64_t power_mw, int64_t voltage_mv) {
        return voltage_mv > 0 ? llabs(power_mw) * 1000000 / TYPICAL_FACTOR / voltage_mv : 0;
}

/* The voltage, current and power that the others follow from. The whole first, then the parts, then the whole again
 * where a part was set by itself. */
static void split(struct circuits *c, const struct load *load) {
        unsigned n = c->n_channels - 1;
        int64_t power_mw = 0, current_ma = 0;
        bool own_power = false, own_current = false;

        set(c, 0, Q_VOLTAGE, load->voltage_mv);
        set(c, 0, Q_POWER, load->power_mw);
        set(c, 0, Q_CURRENT, c->fixed.has[0][Q_POWER]
            ? typical_current(get(c, 0, Q_POWER), get(c, 0, Q_VOLTAGE)) : load->current_ma);
        for (unsigned i = 1; i <= n; i++) {
                set(c, i, Q_VOLTAGE, get(c, 0, Q_VOLTAGE) - (int64_t) (i - 1) * CHANNEL_DROP_MV);
                set(c, i, Q_POWER, share(get(c, 0, Q_POWER), i, n));
                set(c, i, Q_CURRENT, c->fixed.has[i][Q_POWER]
                    ? typical_current(get(c, i, Q_POWER), get(c, i, Q_VOLTAGE)) : share(get(c, 0, Q_CURRENT), i, n));
                power_mw += get(c, i, Q_POWER);
                current_ma += get(c, i, Q_CURRENT);
                own_power |= c->fixed.has[i][Q_POWER];
                own_current |= c->fixed.has[i][Q_CURRENT] || c->fixed.has[i][Q_POWER];
        }
        if (own_power)
                set(c, 0, Q_POWER, power_mw);
        if (own_current)
                set(c, 0, Q_CURRENT, current_ma);
}

static int64_t square_root(int64_t v) {
        int64_t root = 0;

        for (int64_t bit = INT64_C(1) << 31; bit > 0; bit >>= 1)
                if ((root + bit) * (root + bit) <= v)
                        root += bit;
        return root;
}

static int64_t power_factor(int64_t power_mw, int64_t apparent_mva) {
        int64_t factor = apparent_mva > 0 ? (llabs(power_mw) * 1000 + apparent_mva / 2) / apparent_mva : 1000;

        return factor > 1000 ? 1000 : factor;
}

/* Bounded, so that its square fits in whole VA, however absurd the numbers that were set. */
static int64_t apparent_power(int64_t voltage_mv, int64_t current_ma) {
        int64_t product;

        if (__builtin_mul_overflow(voltage_mv, current_ma, &product) || product / 1000 > APPARENT_MAX_MVA)
                return APPARENT_MAX_MVA;
        return product < 0 ? 0 : product / 1000;
}

static void derive(struct circuits *c, unsigned channel) {
        int64_t power_mw = get(c, channel, Q_POWER);
        int64_t apparent_mva = apparent_power(get(c, channel, Q_VOLTAGE), get(c, channel, Q_CURRENT));
        int64_t s = apparent_mva / 1000, p = power_mw / 1000;  /* whole VA and W: their squares fit */
        int64_t drift = (int64_t) (random_mix(c->seed + c->at_ms / 10000) % (2 * DRIFT_MHZ + 1)) - DRIFT_MHZ;

        set(c, channel, Q_APPARENT_POWER, apparent_mva);
        set(c, channel, Q_REACTIVE_POWER, s > llabs(p) ? square_root(s * s - p * p) * 1000 : 0);
        set(c, channel, Q_POWER_FACTOR, power_factor(power_mw, apparent_mva));
        set(c, channel, Q_FREQUENCY, NOMINAL_MHZ + drift);
        set(c, channel, Q_TEMPERATURE, WARM + llabs(power_mw) / 1000);  /* 1 degree per kW */
        set(c, channel, Q_ENERGY_IMPORT, c->import_mWms[channel] / MWMS_PER_MWH);
        set(c, channel, Q_ENERGY_EXPORT, c->export_mWms[channel] / MWMS_PER_MWH);
}

static void count_energy(struct circuits *c, uint64_t now_ms) {
        int64_t ms = c->started && now_ms > c->at_ms ? (int64_t) (now_ms - c->at_ms) : 0;

        if (ms > STEP_MAX_MS)
                ms = 0;
        for (unsigned i = 0; i < c->n_channels; i++) {
                int64_t energy_mWms = get(c, i, Q_POWER) * ms;

                if (energy_mWms > 0)
                        c->import_mWms[i] += energy_mWms;
                else
                        c->export_mWms[i] -= energy_mWms;
        }
        c->at_ms = now_ms;
        c->started = true;
}

void circuits_update(struct circuits *c, uint64_t now_ms, const struct load *load) {
        count_energy(c, now_ms);
        split(c, load);
        for (unsigned i = 0; i < c->n_channels; i++)
                derive(c, i);
}
