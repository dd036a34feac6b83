#include "tools/load_curve.h"

#include <stdbool.h>

#include "tools/random.h"

enum {
        SECOND = 1000,
        MINUTE = 60 * SECOND,
        HOUR = 60 * MINUTE,
        DAY = 24 * HOUR,

        NOMINAL_MV = 230000,
        LINE_MOHM = 250,  /* of the house's own line: a kettle dims the lights a little */
        FRIDGE_PERIOD = 44 * MINUTE,
        FRIDGE_ON = 15 * MINUTE,
        FRIDGE_START = 2 * SECOND,
        KETTLE_SLOT = 20 * MINUTE,
        KETTLE_ON = 170 * SECOND,
        CLOUD_PERIOD = 40 * SECOND,
        SUN_MW = 3600000,
};

/* What the parts add up to. */
struct sum {
        int64_t power_mw, reactive_mvar;
};

/* The remainder that never is negative, for times before 1970. */
static int64_t modulo(int64_t a, int64_t b) {
        int64_t r = a % b;

        return r < 0 ? r + b : r;
}

static int64_t divide_down(int64_t a, int64_t b) {
        return (a - modulo(a, b)) / b;
}

/* 0 to 65535 for each step of time. */
static int64_t lattice(uint64_t seed, uint64_t what, int64_t step) {
        return (int64_t) (random_mix(seed * 31 + what + random_mix((uint64_t) step)) & 0xffff);
}

/* Wanders between -amplitude and amplitude, a new aim each period, straight lines between them. */
static int64_t wander(uint64_t seed, uint64_t what, int64_t time_ms, int64_t period_ms, int64_t amplitude) {
        int64_t step = divide_down(time_ms, period_ms), at = modulo(time_ms, period_ms);
        int64_t from = lattice(seed, what, step), to = lattice(seed, what, step + 1);
        int64_t v = from + (to - from) * at / period_ms;

        return (v - 32768) * amplitude / 32768;
}

/* tangent: reactive per active power, in thousandths. */
static void add(struct sum *s, int64_t power_mw, int64_t tangent) {
        s->power_mw += power_mw;
        s->reactive_mvar += power_mw * tangent / 1000;
}

static void add_base(struct sum *s, uint64_t seed, int64_t t) {
        int64_t power_mw = 85000;

        power_mw += wander(seed, 1, t, 7 * MINUTE, 12000);
        power_mw += wander(seed, 2, t, 20 * SECOND, 3000);
        power_mw += lattice(seed, 3, divide_down(t, SECOND)) % 900;
        add(s, power_mw, 480);
}

static void add_fridge(struct sum *s, uint64_t seed, int64_t t) {
        int64_t at = modulo(t + (int64_t) (random_mix(seed) % FRIDGE_PERIOD), FRIDGE_PERIOD);

        if (at < FRIDGE_START)
                add(s, 640000, 1200);
        else if (at < FRIDGE_ON)
                add(s, 92000 - at * 9000 / FRIDGE_ON, 1050);
}

static void add_kettle(struct sum *s, uint64_t seed, int64_t t) {
        static const uint8_t percent_by_hour[24] = { [6] = 30, 60, 45, 25, 20, 20, 35, 30, 20, 20, 35, 25,
                                                     30, 35, 40, 25, 10 };
        int64_t slot = divide_down(t, KETTLE_SLOT), at = modulo(t, KETTLE_SLOT);
        int64_t begin = lattice(seed, 4, slot) % (KETTLE_SLOT - KETTLE_ON);

        if (lattice(seed, 5, slot) % 100 >= percent_by_hour[modulo(t, DAY) / HOUR])
                return;
        if (at >= begin && at < begin + KETTLE_ON)
                add(s, 2010000 + wander(seed, 6, t, 5 * SECOND, 6000), 0);
}

static void add_evening(struct sum *s, uint64_t seed, int64_t t) {
        int64_t hour_ms = modulo(t, DAY);
        int64_t begin = 17 * HOUR + lattice(seed, 7, divide_down(t, DAY)) * HOUR / 65536;

        if (hour_ms < begin || hour_ms > begin + 5 * HOUR + 30 * MINUTE)
                return;
        add(s, 64000, 330);                                                   /* lights */
        if (hour_ms > begin + 30 * MINUTE)
                add(s, 105000 + wander(seed, 8, t, 4 * SECOND, 14000), 450);  /* screen */
}

static int64_t square_root(int64_t v) {
        int64_t root = 0;

        for (int64_t bit = INT64_C(1) << 31; bit > 0; bit >>= 1)
                if ((root + bit) * (root + bit) <= v)
                        root += bit;
        return root;
}

void load_curve_at(uint64_t seed, int64_t time_ms, struct load *ret) {
        struct sum s = { 0 };
        int64_t apparent_mva, voltage_mv = NOMINAL_MV;

        add_base(&s, seed, time_ms);
        add_fridge(&s, seed, time_ms);
        add_kettle(&s, seed, time_ms);
        add_evening(&s, seed, time_ms);
        apparent_mva = square_root(s.power_mw * s.power_mw + s.reactive_mvar * s.reactive_mvar);
        voltage_mv += wander(seed, 9, time_ms, 11 * MINUTE, 2600);
        voltage_mv += wander(seed, 10, time_ms, 25 * SECOND, 700);
        voltage_mv += lattice(seed, 11, divide_down(time_ms, SECOND)) % 301 - 150;
        voltage_mv -= apparent_mva / 230 * LINE_MOHM / 1000;
        *ret = (struct load) {
                .voltage_mv = voltage_mv,
                .current_ma = (apparent_mva * 1000 + voltage_mv - 1) / voltage_mv,
                .power_mw = s.power_mw,
        };
}

/* Clouds hide it for nearly half of the time. */
int64_t solar_curve_at(uint64_t seed, int64_t time_ms) {
        int64_t power_mw = SUN_MW / 12 + wander(seed, 12, time_ms, CLOUD_PERIOD, SUN_MW);

        return power_mw > 0 ? power_mw : 0;
}
