/* Days and months of the process's time zone (TZ), those of 23, 25 or 23.5 hours included. Where midnight comes twice
 * a day begins at the first; where there is none it begins with the first moment after the jump. */
#pragma once

#include <stdint.h>

/* The local day that a moment lies in, counted from 1970-01-01; the moment (s since the epoch) a day begins. A day
 * that a zone has skipped begins, and ends, where the next one does. */
int64_t calendar_day(int64_t utc_s);
int64_t calendar_day_start(int64_t day);

/* The month a day lies in, counted from January 1970; the first day of a month. */
int64_t calendar_month(int64_t day);
int64_t calendar_month_day(int64_t month);

/* Seconds that local clocks are ahead of UTC at a moment. */
int64_t calendar_offset(int64_t utc_s);
/* The moment in (before, after] at which the offset stops being that of before; it must change there, once. */
int64_t calendar_jump(int64_t before, int64_t after);

/* Rounded towards the past. */
static inline int64_t calendar_floor_divide(int64_t a, int64_t b) {
        return a / b - (a % b < 0);
}
