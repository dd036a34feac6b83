/* A family's house over the years: seasons, weekdays and weekends, a fridge, cooking, laundry, a heat pump in the
 * cold months, panels on the roof with clouds above them, a holiday, and now and then a failure. What happens at a
 * time follows from the seed and the time alone, so that a history and a live meter that follow the same house meet
 * without a seam. Integers only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/load_curve.h"

/* What is decided once for a day. Times in ms of the local day. */
struct household_day {
        int64_t number;                 /* local days since 1970; INT64_MIN: none yet */
        int64_t season;                 /* 0: the shortest day, 1000: the longest */
        int64_t sunrise_ms, sunset_ms;  /* by standard time */
        int64_t wake_ms, sleep_ms;
        int64_t lunch_ms, dinner_ms, laundry_ms, dishes_ms;  /* -1: not today */
        bool weekend, away, office_at_home;
        unsigned sky;                   /* enum household_sky */
};

struct household {
        uint64_t seed;
        int64_t offset_from_ms, offset_to_ms;  /* UTC times for which the offset is known */
        int64_t offset_ms, summer_ms;          /* of local time, and the part of it that is summer time */
        struct household_day today;
};

enum household_failure {
        HOUSEHOLD_RUNS,
        HOUSEHOLD_POWER_CUT,            /* the street is dark: nothing flows and nobody records, whatever
                                         * household_at says */
        HOUSEHOLD_GATEWAY_OFF,          /* the house goes on, nobody records it */
};

struct household_moment {
        struct load house;              /* what the house draws, whatever the panels give */
        int64_t solar_mw;               /* what the panels give */
};

/* Local time is that of TZ. */
void household_init(struct household *h, uint64_t seed);

/* utc_ms: since 1970. Nearly as quick as a table as long as times follow each other. */
void household_at(struct household *h, int64_t utc_ms, struct household_moment *ret);

/* What was out of order at that time. */
enum household_failure household_failure_at(const struct household *h, int64_t utc_ms);

/* What flows over the utility's meter: negative to the grid. */
static inline int64_t household_grid_mw(const struct household_moment *m) {
        return m->house.power_mw - m->solar_mw;
}
