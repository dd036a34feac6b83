#include "api/energy_periods.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "history/calendar.h"

#define HOUR_S 3600
#define QUARTER_S 900
#define FIRST_MONDAY 4        /* 1970-01-05 */
#define HALF_YEAR_S (INT64_C(182) * 86400)

const char *const period_names[PERIODS] = {
        [PERIOD_HOUR] = "hour", [PERIOD_DAY] = "day", [PERIOD_WEEK] = "week", [PERIOD_MONTH] = "month",
        [PERIOD_YEAR] = "year",
};

/* ---- hours: they begin where clocks show a full one, and where clocks are set ---- */

static int64_t hour_start(int64_t utc_s) {
        int64_t offset = calendar_offset(utc_s);
        int64_t start = calendar_floor_divide(utc_s + offset, HOUR_S) * HOUR_S - offset;

        return calendar_offset(start) == offset ? start : calendar_jump(start, utc_s);
}

static int64_t hour_next(int64_t utc_s) {
        int64_t offset = calendar_offset(utc_s);
        int64_t next = (calendar_floor_divide(utc_s + offset, HOUR_S) + 1) * HOUR_S - offset;

        return calendar_offset(next) == offset ? next : calendar_jump(utc_s, next);
}

/* ---- the others have numbers ---- */

static int64_t index_of(enum energy_period period, int64_t utc_s) {
        int64_t day = calendar_day(utc_s);

        switch (period) {
        case PERIOD_WEEK:
                return calendar_floor_divide(day - FIRST_MONDAY, 7);
        case PERIOD_MONTH:
                return calendar_month(day);
        case PERIOD_YEAR:
                return calendar_floor_divide(calendar_month(day), 12);
        default:
                return day;
        }
}

static int64_t start_of(enum energy_period period, int64_t index) {
        switch (period) {
        case PERIOD_WEEK:
                return calendar_day_start(index * 7 + FIRST_MONDAY);
        case PERIOD_MONTH:
                return calendar_day_start(calendar_month_day(index));
        case PERIOD_YEAR:
                return calendar_day_start(calendar_month_day(index * 12));
        default:
                return calendar_day_start(index);
        }
}

int64_t period_start(enum energy_period period, int64_t utc_s) {
        return period == PERIOD_HOUR ? hour_start(utc_s) : start_of(period, index_of(period, utc_s));
}

int64_t period_next(enum energy_period period, int64_t utc_s) {
        return period == PERIOD_HOUR ? hour_next(utc_s) : start_of(period, index_of(period, utc_s) + 1);
}

int64_t period_back(enum energy_period period, int64_t utc_s, unsigned n) {
        if (period == PERIOD_HOUR)
                return hour_start(utc_s - (int64_t) n * HOUR_S);
        return start_of(period, index_of(period, utc_s) - n);
}

uint64_t period_count(enum energy_period period, int64_t from_s, int64_t to_s) {
        if (to_s <= from_s)
                return 0;
        if (period == PERIOD_HOUR)
                return (uint64_t) (to_s - from_s) / HOUR_S;
        return (uint64_t) (index_of(period, to_s) - index_of(period, from_s));
}

/* ---- clocks ---- */

static int64_t unit_at(int64_t utc_s) {
        int64_t offset = calendar_offset(utc_s);

        return offset % QUARTER_S == 0 ? QUARTER_S : offset % 60 == 0 ? 60 : 1;
}

/* Offsets that are no quarters of an hour were given up, where they were in use after 1970 at all, once and for ever:
 * a look at every half year finds them. */
int64_t period_unit_s(int64_t from_s, int64_t to_s) {
        int64_t unit = unit_at(to_s);

        for (int64_t at = from_s; at < to_s; at += HALF_YEAR_S)
                unit = unit_at(at) < unit ? unit_at(at) : unit;
        return unit;
}

void period_clock(int64_t utc_s, unsigned *ret_weekday, unsigned *ret_minute) {
        time_t t = (time_t) utc_s;
        struct tm tm = { 0 };

        localtime_r(&t, &tm);
        *ret_weekday = (unsigned) (tm.tm_wday + 6) % 7;
        *ret_minute = (unsigned) (tm.tm_hour * 60 + tm.tm_min);
}

void period_format(int64_t utc_ms, char *buf) {
        time_t t = (time_t) calendar_floor_divide(utc_ms, 1000);
        int ms = (int) (utc_ms - (int64_t) t * 1000);
        int offset = (int) calendar_offset(t), minutes = (offset < 0 ? -offset : offset) / 60;
        time_t shown = offset % 60 == 0 ? t + offset : t;
        struct tm tm = { 0 };
        size_t len;

        gmtime_r(&shown, &tm);
        len = strftime(buf, 24, "%Y-%m-%dT%H:%M:%S", &tm);
        if (ms > 0)
                len += (size_t) snprintf(buf + len, 8, ".%03d", ms);
        if (offset % 60 == 0)
                snprintf(buf + len, 16, "%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60 % 100, minutes % 60);
        else
                strcpy(buf + len, "Z");
}
