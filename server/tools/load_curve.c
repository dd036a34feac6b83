#include "tools/load_curve.h"

#include "tools/curve.h"

enum {
        NOMINAL_MV = 230000,
        LINE_MOHM = 250,  /* of the house's own line: a kettle dims the lights a little */
        FRIDGE_PERIOD = 44 * CURVE_MINUTE,
        FRIDGE_ON = 15 * CURVE_MINUTE,
        FRIDGE_START = 2 * CURVE_SECOND,
        KETTLE_SLOT = 20 * CURVE_MINUTE,
        KETTLE_ON = 170 * CURVE_SECOND,
        CLOUD_PERIOD = 40 * CURVE_SECOND,
        SUN_MW = 3600000,
};

/* What the parts add up to. */
struct sum {
        int64_t power_mw, reactive_mvar;
};

/* tangent: reactive per active power, in thousandths. */
static void add(struct sum *s, int64_t power_mw, int64_t tangent) {
        s->power_mw += power_mw;
        s->reactive_mvar += power_mw * tangent / 1000;
}

static void add_base(struct sum *s, uint64_t seed, int64_t t) {
        int64_t power_mw = 85000;

        power_mw += curve_wander(seed, 1, t, 7 * CURVE_MINUTE, 12000);
        power_mw += curve_wander(seed, 2, t, 20 * CURVE_SECOND, 3000);
        power_mw += curve_lattice(seed, 3, curve_divide_down(t, CURVE_SECOND)) % 900;
        add(s, power_mw, 480);
}

static void add_fridge(struct sum *s, uint64_t seed, int64_t t) {
        int64_t at = curve_modulo(t + (int64_t) (random_mix(seed) % FRIDGE_PERIOD), FRIDGE_PERIOD);

        if (at < FRIDGE_START)
                add(s, 640000, 1200);
        else if (at < FRIDGE_ON)
                add(s, 92000 - at * 9000 / FRIDGE_ON, 1050);
}

static void add_kettle(struct sum *s, uint64_t seed, int64_t t) {
        static const uint8_t percent_by_hour[24] = { [6] = 30, 60, 45, 25, 20, 20, 35, 30, 20, 20, 35, 25,
                                                     30, 35, 40, 25, 10 };
        int64_t slot = curve_divide_down(t, KETTLE_SLOT), at = curve_modulo(t, KETTLE_SLOT);
        int64_t begin = curve_lattice(seed, 4, slot) % (KETTLE_SLOT - KETTLE_ON);

        if (curve_lattice(seed, 5, slot) % 100 >= percent_by_hour[curve_modulo(t, CURVE_DAY) / CURVE_HOUR])
                return;
        if (at >= begin && at < begin + KETTLE_ON)
                add(s, 2010000 + curve_wander(seed, 6, t, 5 * CURVE_SECOND, 6000), 0);
}

static void add_evening(struct sum *s, uint64_t seed, int64_t t) {
        int64_t hour_ms = curve_modulo(t, CURVE_DAY), day = curve_divide_down(t, CURVE_DAY);
        int64_t begin = 17 * CURVE_HOUR + curve_lattice(seed, 7, day) * CURVE_HOUR / 65536;

        if (hour_ms < begin || hour_ms > begin + 5 * CURVE_HOUR + 30 * CURVE_MINUTE)
                return;
        add(s, 64000, 330);                                                   /* lights */
        if (hour_ms > begin + 30 * CURVE_MINUTE)
                add(s, 105000 + curve_wander(seed, 8, t, 4 * CURVE_SECOND, 14000), 450);  /* screen */
}

void load_curve_at(uint64_t seed, int64_t time_ms, struct load *ret) {
        struct sum s = { 0 };
        int64_t apparent_mva, voltage_mv = NOMINAL_MV;

        add_base(&s, seed, time_ms);
        add_fridge(&s, seed, time_ms);
        add_kettle(&s, seed, time_ms);
        add_evening(&s, seed, time_ms);
        apparent_mva = curve_square_root(s.power_mw * s.power_mw + s.reactive_mvar * s.reactive_mvar);
        voltage_mv += curve_wander(seed, 9, time_ms, 11 * CURVE_MINUTE, 2600);
        voltage_mv += curve_wander(seed, 10, time_ms, 25 * CURVE_SECOND, 700);
        voltage_mv += curve_lattice(seed, 11, curve_divide_down(time_ms, CURVE_SECOND)) % 301 - 150;
        voltage_mv -= apparent_mva / 230 * LINE_MOHM / 1000;
        *ret = (struct load) {
                .voltage_mv = voltage_mv,
                .current_ma = (apparent_mva * 1000 + voltage_mv - 1) / voltage_mv,
                .power_mw = s.power_mw,
        };
}

/* Clouds hide it for nearly half of the time. */
int64_t solar_curve_at(uint64_t seed, int64_t time_ms) {
        int64_t power_mw = SUN_MW / 12 + curve_wander(seed, 12, time_ms, CLOUD_PERIOD, SUN_MW);

        return power_mw > 0 ? power_mw : 0;
}
