#include "history/calendar.h"

#include <time.h>

#define DAY_S 86400

static int64_t floor_divide(int64_t a, int64_t b) {
        return a / b - (a % b < 0);
}

/* Seconds that local clocks are ahead of UTC. */
static int64_t offset_at(int64_t utc_s) {
        time_t t = (time_t) utc_s;
        struct tm tm;

        return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

/* The moment in (before, after] at which the offset stops being that of before. */
static int64_t jump_between(int64_t before, int64_t after) {
        int64_t offset = offset_at(before);

        while (after - before > 1) {
                int64_t middle = before + (after - before) / 2;

                if (offset_at(middle) == offset)
                        before = middle;
                else
                        after = middle;
        }
        return after;
}

int64_t calendar_day_start(int64_t day) {
        int64_t local_s = day * DAY_S, before, after;

        /* No zone is more than a day away from UTC, none changes twice within two days. */
        before = local_s - offset_at(local_s - DAY_S);
        if (local_s - before == offset_at(before))
                return before;
        after = local_s - offset_at(local_s + DAY_S);
        if (local_s - after == offset_at(after))
                return after;
        return jump_between(local_s - DAY_S, local_s + DAY_S);
}

int64_t calendar_day(int64_t utc_s) {
        int64_t day = floor_divide(utc_s + offset_at(utc_s), DAY_S);

        /* After a midnight that comes twice clocks show the old day for a while. */
        while (calendar_day_start(day + 1) <= utc_s)
                day++;
        return day;
}

int64_t calendar_month(int64_t day) {
        time_t t = (time_t) (day * DAY_S);
        struct tm tm;

        return gmtime_r(&t, &tm) ? (tm.tm_year - 70) * 12 + tm.tm_mon : 0;
}

int64_t calendar_month_day(int64_t month) {
        struct tm tm = { .tm_year = (int) (70 + floor_divide(month, 12)), .tm_mday = 1 };

        tm.tm_mon = (int) (month - floor_divide(month, 12) * 12);
        return timegm(&tm) / DAY_S;
}
