#include "history/calendar.h"

#include <time.h>

#define DAY_S 86400

int64_t calendar_offset(int64_t utc_s) {
        time_t t = (time_t) utc_s;
        struct tm tm;

        return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

int64_t calendar_jump(int64_t before, int64_t after) {
        int64_t offset = calendar_offset(before);

        while (after - before > 1) {
                int64_t middle = before + (after - before) / 2;

                if (calendar_offset(middle) == offset)
                        before = middle;
                else
                        after = middle;
        }
        return after;
}

int64_t calendar_day_start(int64_t day) {
        int64_t local_s = day * DAY_S, before, after;

        /* No zone is more than a day away from UTC, none changes twice within two days. */
        before = local_s - calendar_offset(local_s - DAY_S);
        if (local_s - before == calendar_offset(before))
                return before;
        after = local_s - calendar_offset(local_s + DAY_S);
        if (local_s - after == calendar_offset(after))
                return after;
        return calendar_jump(local_s - DAY_S, local_s + DAY_S);
}

int64_t calendar_day(int64_t utc_s) {
        int64_t day = calendar_floor_divide(utc_s + calendar_offset(utc_s), DAY_S);

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
        struct tm tm = { .tm_year = (int) (70 + calendar_floor_divide(month, 12)), .tm_mday = 1 };

        tm.tm_mon = (int) (month - calendar_floor_divide(month, 12) * 12);
        return timegm(&tm) / DAY_S;
}
