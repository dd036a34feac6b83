#include "tools/household.h"

#include <time.h>

#include "tools/curve.h"

#define YEAR_MS          (INT64_C(3652425) * CURVE_DAY / 10000)
#define SHORTEST_DAY_MS  (354 * CURVE_DAY)              /* the 21st of December 1970 */
#define SOLAR_NOON_MS    (12 * CURVE_HOUR + 20 * CURVE_MINUTE)
#define OFFSET_STEP_MS   (15 * CURVE_MINUTE)            /* local time changes at a multiple of these */
#define FAILURES_MS      (45 * CURVE_DAY)               /* each such time has one failure */

enum {
        NOMINAL_MV = 230000,
        LINE_MOHM = 250,              /* of the house's own line, as in load_curve.c */

        BASE_MW = 85000,
        FRIDGE_PERIOD = 44 * CURVE_MINUTE,
        FRIDGE_START = 2 * CURVE_SECOND,
        KETTLE_SLOT = 20 * CURVE_MINUTE,
        KETTLE_ON = 170 * CURVE_SECOND,
        HOB_MW = 1800000,
        HOB_PERIOD = 45 * CURVE_SECOND,
        DINNER = 35 * CURVE_MINUTE,
        OVEN_MW = 2200000,
        OVEN_HEATS_UP = 9 * CURVE_MINUTE,
        OVEN_PERIOD = 110 * CURVE_SECOND,
        LUNCH = 50 * CURVE_MINUTE,
        WASHER_HEATS = 16 * CURVE_MINUTE,
        WASHER_TURNS = 60 * CURVE_MINUTE,
        WASHER_SPINS = 68 * CURVE_MINUTE,
        DISHES_HEAT = 13 * CURVE_MINUTE,
        DISHES_RINSE = 50 * CURVE_MINUTE,
        DISHES_END = 75 * CURVE_MINUTE,
        HEATING_MW = 1150000,
        HEATING_PERIOD = 52 * CURVE_MINUTE,
        HEATING_FROM = 300,           /* of the cold, 0 to 1000 */

        SUN_WINTER_MW = 1500000,      /* at noon under a clear sky: 3.6 kW of panels */
        SUN_SUMMER_MORE_MW = 1700000,
        INVERTER_MIN_MW = 15000,      /* below that it sleeps */
};

enum household_sky { SKY_CLEAR, SKY_MIXED, SKY_OVERCAST };

/* What is drawn by lot, one number each. */
enum lot {
        LOT_BASE = 100, LOT_BASE_FAST, LOT_BASE_NOISE, LOT_KETTLE, LOT_KETTLE_AT, LOT_KETTLE_POWER, LOT_LUNCH,
        LOT_LUNCH_AT, LOT_DINNER, LOT_DINNER_AT, LOT_LAUNDRY, LOT_LAUNDRY_AT, LOT_DISHES, LOT_DISHES_AT, LOT_OFFICE,
        LOT_WAKE, LOT_SLEEP, LOT_SCREEN, LOT_SCREEN_AT, LOT_SKY, LOT_CLOUDS, LOT_CLOUDS_FAST, LOT_HAZE, LOT_HEATING,
        LOT_VOLTAGE, LOT_VOLTAGE_FAST, LOT_VOLTAGE_NOISE, LOT_FAILURE, LOT_FAILURE_LENGTH, LOT_HOLIDAY,
};

struct sum {
        int64_t power_mw, reactive_mvar;
};

void household_init(struct household *h, uint64_t seed) {
        *h = (struct household) { .seed = seed, .today.number = INT64_MIN };
}

/* ---- time ---- */

static int64_t local_ms(struct household *h, int64_t utc_ms) {
        time_t s = (time_t) curve_divide_down(utc_ms, CURVE_SECOND);
        struct tm tm;

        if (utc_ms < h->offset_from_ms || utc_ms >= h->offset_to_ms) {
                h->offset_from_ms = utc_ms - curve_modulo(utc_ms, OFFSET_STEP_MS);
                h->offset_to_ms = h->offset_from_ms + OFFSET_STEP_MS;
                if (!localtime_r(&s, &tm))
                        tm = (struct tm) { .tm_gmtoff = 0 };
                h->offset_ms = tm.tm_gmtoff * CURVE_SECOND;
                h->summer_ms = tm.tm_isdst > 0 ? CURVE_HOUR : 0;
        }
        return utc_ms + h->offset_ms;
}

/* ---- what a day brings ---- */

/* 0 to limit - 1 */
static int64_t draw(const struct household *h, enum lot what, int64_t day, int64_t limit) {
        return curve_lattice(h->seed, what, day) * limit / 65536;
}

/* A smooth wave: 3s^2 - 2s^3 up to the longest day, and down again. */
static int64_t season_of(int64_t day) {
        int64_t part = curve_modulo(day * CURVE_DAY - SHORTEST_DAY_MS, YEAR_MS) * 2000 / YEAR_MS;
        int64_t s = part > 1000 ? 2000 - part : part;

        return (3 * s * s - 2 * s * s * s / 1000) / 1000;
}

/* At 52 degrees north: 7.7 hours at least, 16.7 at most. */
static void plan_sun(const struct household *h, struct household_day *d) {
        int64_t half_ms = (462 + 540 * d->season / 1000) * CURVE_MINUTE / 2, sky = draw(h, LOT_SKY, d->number, 1000);

        d->sunrise_ms = SOLAR_NOON_MS - half_ms;
        d->sunset_ms = SOLAR_NOON_MS + half_ms;
        d->sky = sky < 150 + d->season / 4 ? SKY_CLEAR : sky < 620 + d->season / 5 ? SKY_MIXED : SKY_OVERCAST;
}

static void plan_meals(const struct household *h, struct household_day *d) {
        int64_t n = d->number;

        d->lunch_ms = d->dinner_ms = d->dishes_ms = -1;
        if (d->away)
                return;
        if (draw(h, LOT_LUNCH, n, 100) < (d->weekend ? 80 : 8))
                d->lunch_ms = 12 * CURVE_HOUR + draw(h, LOT_LUNCH_AT, n, 75) * CURVE_MINUTE;
        if (draw(h, LOT_DINNER, n, 100) < 85)
                d->dinner_ms = 17 * CURVE_HOUR + 45 * CURVE_MINUTE + draw(h, LOT_DINNER_AT, n, 80) * CURVE_MINUTE;
        if (draw(h, LOT_DISHES, n, 100) < 55)
                d->dishes_ms = 20 * CURVE_HOUR + draw(h, LOT_DISHES_AT, n, 90) * CURVE_MINUTE;
}

static void plan_laundry(const struct household *h, struct household_day *d) {
        int64_t begin = d->weekend ? 9 * CURVE_HOUR : 18 * CURVE_HOUR;

        d->laundry_ms = -1;
        if (!d->away && draw(h, LOT_LAUNDRY, d->number, 100) < (d->weekend ? 65 : 18))
                d->laundry_ms = begin + draw(h, LOT_LAUNDRY_AT, d->number, 120) * CURVE_MINUTE;
}

/* Ten days a year nobody is at home. */
static bool is_away(const struct household *h, int64_t day) {
        int64_t year = curve_divide_down(day, 365), begin = 150 + draw(h, LOT_HOLIDAY, year, 90);

        return day >= year * 365 + begin && day < year * 365 + begin + 10;
}

static void plan_day(const struct household *h, int64_t number, struct household_day *d) {
        int64_t weekday = curve_modulo(number + 3, 7);  /* the first of January 1970 was a Thursday; 0: Monday */

        *d = (struct household_day) { .number = number, .season = season_of(number), .weekend = weekday >= 5,
                                      .away = is_away(h, number) };
        d->office_at_home = !d->weekend && !d->away && draw(h, LOT_OFFICE, number, 100) < 40;
        d->wake_ms = (d->weekend ? 8 : 6) * CURVE_HOUR + draw(h, LOT_WAKE, number, 45) * CURVE_MINUTE;
        d->sleep_ms = (d->weekend ? 23 : 22) * CURVE_HOUR + draw(h, LOT_SLEEP, number, 50) * CURVE_MINUTE;
        plan_sun(h, d);
        plan_meals(h, d);
        plan_laundry(h, d);
}

/* ---- what the house draws ---- */

/* tangent: reactive per active power, in thousandths. */
static void add(struct sum *s, int64_t power_mw, int64_t tangent) {
        s->power_mw += power_mw;
        s->reactive_mvar += power_mw * tangent / 1000;
}

static void add_base(struct sum *s, uint64_t seed, int64_t t) {
        int64_t power_mw = BASE_MW;

        power_mw += curve_wander(seed, LOT_BASE, t, 7 * CURVE_MINUTE, 12000);
        power_mw += curve_wander(seed, LOT_BASE_FAST, t, 20 * CURVE_SECOND, 3000);
        power_mw += curve_lattice(seed, LOT_BASE_NOISE, curve_divide_down(t, CURVE_SECOND)) % 900;
        add(s, power_mw, 480);
}

/* It works longer in summer. */
static void add_fridge(struct sum *s, const struct household *h, int64_t t) {
        int64_t at = curve_modulo(t + (int64_t) (random_mix(h->seed) % FRIDGE_PERIOD), FRIDGE_PERIOD);
        int64_t on = 12 * CURVE_MINUTE + 6 * CURVE_MINUTE * h->today.season / 1000;

        if (at < FRIDGE_START)
                add(s, 640000, 1200);
        else if (at < on)
                add(s, 92000 - at * 9000 / on, 1050);
}

/* Percent of the slots of an hour in which somebody wants tea. */
static void add_kettle(struct sum *s, const struct household *h, int64_t t, int64_t at_day) {
        static const uint8_t workday[24] = { [6] = 45, 60, 15, 4, 4, 4, 6, 6, 4, 6, 20, 35, 30, 30, 35, 30, 15 };
        static const uint8_t weekend[24] = { [7] = 15, 45, 50, 35, 25, 30, 30, 25, 30, 35, 30, 25, 30, 35, 30, 25,
                                             8 };
        int64_t slot = curve_divide_down(t, KETTLE_SLOT), at = curve_modulo(t, KETTLE_SLOT);
        int64_t begin = curve_lattice(h->seed, LOT_KETTLE_AT, slot) % (KETTLE_SLOT - KETTLE_ON);
        const uint8_t *percent = h->today.weekend || h->today.office_at_home ? weekend : workday;

        if (h->today.away || at < begin || at >= begin + KETTLE_ON ||
            curve_lattice(h->seed, LOT_KETTLE, slot) % 100 >= percent[at_day / CURVE_HOUR])
                return;
        add(s, 2010000 + curve_wander(h->seed, LOT_KETTLE_POWER, t, 5 * CURVE_SECOND, 6000), 0);
}

/* Its thermostat switches it on and off. */
static void add_cooking(struct sum *s, const struct household_day *d, int64_t at_day) {
        int64_t hob = at_day - d->dinner_ms, oven = at_day - d->lunch_ms;

        if (d->dinner_ms >= 0 && hob >= 0 && hob < DINNER &&
            (hob < 4 * CURVE_MINUTE || hob % HOB_PERIOD < HOB_PERIOD * 45 / 100))
                add(s, HOB_MW, 0);
        if (d->lunch_ms >= 0 && oven >= 0 && oven < LUNCH &&
            (oven < OVEN_HEATS_UP || oven % OVEN_PERIOD < OVEN_PERIOD / 4))
                add(s, OVEN_MW, 20);
}

static void add_laundry(struct sum *s, const struct household_day *d, int64_t at_day) {
        int64_t at = at_day - d->laundry_ms;

        if (d->laundry_ms < 0 || at < 0 || at >= WASHER_SPINS)
                return;
        if (at < WASHER_HEATS)
                add(s, 2050000, 60);
        else if (at >= WASHER_TURNS)
                add(s, 340000, 700);
        else if (at % (16 * CURVE_SECOND) < 12 * CURVE_SECOND)
                add(s, 160000, 800);
}

static void add_dishes(struct sum *s, const struct household_day *d, int64_t at_day) {
        int64_t at = at_day - d->dishes_ms;

        if (d->dishes_ms < 0 || at < 0 || at >= DISHES_END)
                return;
        if (at < DISHES_HEAT || (at >= DISHES_RINSE && at < DISHES_RINSE + DISHES_HEAT))
                add(s, 1900000, 30);
        else
                add(s, 65000, 600);
}

static bool is_awake(const struct household_day *d, int64_t at_day) {
        return !d->away && at_day >= d->wake_ms && at_day < d->sleep_ms;
}

/* at_sun: the time of the day by standard time. */
static void add_rooms(struct sum *s, const struct household *h, int64_t t, int64_t at_day, int64_t at_sun) {
        const struct household_day *d = &h->today;

        if (!is_awake(d, at_day))
                return;
        if (at_sun < d->sunrise_ms + 20 * CURVE_MINUTE || at_sun > d->sunset_ms - 20 * CURVE_MINUTE)
                add(s, 72000, 330);
        if (d->office_at_home && at_day > 9 * CURVE_HOUR && at_day < 17 * CURVE_HOUR)
                add(s, 96000 + curve_wander(h->seed, LOT_SCREEN, t, 30 * CURVE_SECOND, 22000), 420);
        if (at_day > 19 * CURVE_HOUR + draw(h, LOT_SCREEN_AT, d->number, 70) * CURVE_MINUTE)
                add(s, 105000 + curve_wander(h->seed, LOT_SCREEN, t, 4 * CURVE_SECOND, 14000), 450);
}

/* A heat pump, the longer on the colder it is, and less at night. */
static void add_heating(struct sum *s, const struct household *h, int64_t t, int64_t at_day) {
        int64_t cold = 1000 - h->today.season, at = curve_modulo(t, HEATING_PERIOD), on;

        if (cold < HEATING_FROM)
                return;
        on = HEATING_PERIOD * (cold - HEATING_FROM) / 1000 * 60 / 100;
        on += on * curve_wander(h->seed, LOT_HEATING, t - at, 9 * CURVE_HOUR, 300) / 1000;
        if (!is_awake(&h->today, at_day))
                on /= 2;
        if (at < on)
                add(s, HEATING_MW - at * 120000 / HEATING_PERIOD, 390);
}

/* ---- what the roof gives ---- */

/* In thousandths of the light. */
static int64_t clouds(const struct household *h, int64_t t) {
        int64_t haze = curve_wander(h->seed, LOT_HAZE, t, 50 * CURVE_MINUTE, 40), light;

        if (h->today.sky == SKY_CLEAR)
                return 950 + haze;
        if (h->today.sky == SKY_OVERCAST)
                return 200 + haze * 2 + curve_wander(h->seed, LOT_CLOUDS, t, 12 * CURVE_MINUTE, 60);
        light = 600 + haze + curve_wander(h->seed, LOT_CLOUDS, t, 14 * CURVE_MINUTE, 420);
        light += curve_wander(h->seed, LOT_CLOUDS_FAST, t, 100 * CURVE_SECOND, 260);
        return light < 120 ? 120 : light > 1000 ? 1000 : light;
}

static int64_t solar(const struct household *h, int64_t t, int64_t at_sun) {
        const struct household_day *d = &h->today;
        int64_t length = d->sunset_ms - d->sunrise_ms, at = at_sun - d->sunrise_ms, x, height, power_mw;

        if (at <= 0 || at >= length)
                return 0;
        x = at * 1000 / length;
        height = 4 * x * (1000 - x) / 1000;                  /* 0 to 1000 at noon */
        height = height * (1000 + height) / 2000;            /* flat light is weak */
        power_mw = (SUN_WINTER_MW + SUN_SUMMER_MORE_MW * d->season / 1000) / 1000 * height / 1000 * clouds(h, t);
        return power_mw < INVERTER_MIN_MW ? 0 : power_mw;
}

/* ---- what fails ---- */

/* One in each stretch of so many days: in turns a power cut of half an hour and more, and a gateway that is off for
 * hours. */
enum household_failure household_failure_at(const struct household *h, int64_t utc_ms) {
        int64_t number = curve_divide_down(utc_ms, FAILURES_MS), at = curve_modulo(utc_ms, FAILURES_MS), length;
        int64_t begin = CURVE_DAY + draw(h, LOT_FAILURE, number, 43 * 1440) * CURVE_MINUTE;
        bool is_cut = curve_modulo(number, 2) == 0;

        if (at < begin || at >= begin + CURVE_DAY)
                return HOUSEHOLD_RUNS;
        length = is_cut ? (25 + draw(h, LOT_FAILURE_LENGTH, number, 70)) * CURVE_MINUTE
                        : (120 + draw(h, LOT_FAILURE_LENGTH, number, 420)) * CURVE_MINUTE;
        if (at >= begin + length)
                return HOUSEHOLD_RUNS;
        return is_cut ? HOUSEHOLD_POWER_CUT : HOUSEHOLD_GATEWAY_OFF;
}

/* ---- the whole ---- */

static struct load load_of(uint64_t seed, int64_t t, const struct sum *s, int64_t solar_mw) {
        int64_t apparent_mva = curve_square_root(s->power_mw * s->power_mw + s->reactive_mvar * s->reactive_mvar);
        int64_t voltage_mv = NOMINAL_MV;

        voltage_mv += curve_wander(seed, LOT_VOLTAGE, t, 11 * CURVE_MINUTE, 2600);
        voltage_mv += curve_wander(seed, LOT_VOLTAGE_FAST, t, 25 * CURVE_SECOND, 700);
        voltage_mv += curve_lattice(seed, LOT_VOLTAGE_NOISE, curve_divide_down(t, CURVE_SECOND)) % 301 - 150;
        voltage_mv -= (apparent_mva - solar_mw) / 230 * LINE_MOHM / 1000;
        return (struct load) {
                .voltage_mv = voltage_mv,
                .current_ma = (apparent_mva * 1000 + voltage_mv - 1) / voltage_mv,
                .power_mw = s->power_mw,
        };
}

void household_at(struct household *h, int64_t utc_ms, struct household_moment *ret) {
        int64_t t = local_ms(h, utc_ms), at_day = curve_modulo(t, CURVE_DAY), day = curve_divide_down(t, CURVE_DAY);
        int64_t at_sun = at_day - h->summer_ms;
        struct sum s = { 0 };

        if (day != h->today.number)
                plan_day(h, day, &h->today);
        add_base(&s, h->seed, t);
        add_fridge(&s, h, t);
        add_kettle(&s, h, t, at_day);
        add_cooking(&s, &h->today, at_day);
        add_laundry(&s, &h->today, at_day);
        add_dishes(&s, &h->today, at_day);
        add_rooms(&s, h, t, at_day, at_sun);
        add_heating(&s, h, t, at_day);
        ret->solar_mw = solar(h, t, at_sun);
        ret->house = load_of(h->seed, t, &s, ret->solar_mw);
}
