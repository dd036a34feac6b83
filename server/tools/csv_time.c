#include "tools/csv_time.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/time_text.h"
#include "capture/capture_time.h"

enum {
        EPOCH_DIGITS = 10,        /* fewer are no time since 1970 that anybody measured at */
        HOUR_MS = 3600000,
        QUARTER_MS = 900000,
};

static const char *skip_blanks(const char *p) {
        while (*p == ' ' || *p == '\t')
                p++;
        return p;
}

static bool is_end(const char *p) {
        return *skip_blanks(p) == '\0';
}

/* At most max digits, at least one. Returns how many. */
static unsigned number(const char **p, unsigned max, int *ret) {
        unsigned n = 0;
        int v = 0;

        for (; n < max && isdigit((unsigned char) **p); n++)
                v = v * 10 + (*(*p)++ - '0');
        *ret = v;
        return n;
}

static bool skip(const char **p, char c) {
        if (**p != c)
                return false;
        (*p)++;
        return true;
}

/* ---- the day ---- */

static int64_t days_to_year(int64_t year) {
        int64_t y = year - 1;

        return 365 * (year - 1970) + (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static bool is_leap_year(int64_t year) {
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool day_of_year(int64_t year, int month, int day, int64_t *ret) {
        static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        int64_t days = 0;

        if (month < 1 || month > 12 || day < 1 ||
            day > lengths[month - 1] + (month == 2 && is_leap_year(year)))
                return false;
        for (int m = 1; m < month; m++)
                days += lengths[m - 1] + (m == 2 && is_leap_year(year));
        *ret = days + day - 1;
        return true;
}

static int64_t year_of(int64_t ms) {
        int64_t year = 1970;

        while (days_to_year(year + 1) * 24 * HOUR_MS <= ms)
                year++;
        return year;
}

bool csv_time_settle(const struct csv_time *t, bool day_first, int64_t *ret_ms) {
        int64_t days = 0;

        if (t->first != 0 && !day_of_year(year_of(t->ms), day_first ? t->second : t->first,
                                          day_first ? t->first : t->second, &days))
                return false;
        *ret_ms = t->ms + days * 24 * HOUR_MS;
        return true;
}

/* Two digits are of this century: no export is older. */
static bool put_year(int year, unsigned digits, struct csv_time *t) {
        if (digits == 2)
                year += 2000;
        else if (digits != 4)
                return false;
        if (year < 1970 || year > 2105)
                return false;
        t->ms = days_to_year(year) * 24 * HOUR_MS;
        return true;
}

/* A year in front: YYYY-MM-DD, YYYY/MM/DD, YYYY.MM.DD. */
static bool date_from_year(const char **p, int year, char separator, struct csv_time *t) {
        int month, day;
        int64_t days;

        if (!put_year(year, 4, t) || !number(p, 2, &month) || !skip(p, separator) || !number(p, 2, &day) ||
            !day_of_year(year, month, day, &days))
                return false;
        t->ms += days * 24 * HOUR_MS;
        return true;
}

/* The year behind; slashes do not tell which of the others is the day, dots do. */
static bool date_to_year(const char **p, int first, char separator, struct csv_time *t) {
        unsigned digits;
        int second, year;
        int64_t days;

        if (!number(p, 2, &second) || !skip(p, separator))
                return false;
        digits = number(p, 4, &year);
        if (!put_year(year, digits, t) || first < 1 || first > 31 || second < 1 || second > 31)
                return false;
        if (separator == '/') {
                t->first = (uint8_t) first;
                t->second = (uint8_t) second;
                return first <= 12 || second <= 12;
        }
        if (!day_of_year(digits == 2 ? year + 2000 : year, second, first, &days))
                return false;
        t->ms += days * 24 * HOUR_MS;
        return true;
}

static bool date(const char **p, struct csv_time *t) {
        unsigned digits;
        int first;
        char separator;

        digits = number(p, 4, &first);
        separator = **p;
        if (digits == 0 || !separator || !strchr("-/.", separator))
                return false;
        (*p)++;
        if (digits == 4)
                return date_from_year(p, first, separator, t);
        return digits <= 2 && date_to_year(p, first, separator, t);
}

/* ---- the clock ---- */

/* 12 AM is midnight. */
static bool half_day(const char **p, int *hour) {
        const char *q = skip_blanks(*p);
        bool is_pm = strncasecmp(q, "pm", 2) == 0;

        if (!is_pm && strncasecmp(q, "am", 2) != 0)
                return *hour <= 23;
        if (*hour < 1 || *hour > 12)
                return false;
        *hour = *hour % 12 + (is_pm ? 12 : 0);
        *p = q + 2;
        return true;
}

static bool clock_time(const char **p, int64_t *ret_ms) {
        int hour, minute, second = 0, ms = 0;

        if (!number(p, 2, &hour) || !skip(p, ':') || number(p, 2, &minute) != 2)
                return false;
        if (skip(p, ':') && number(p, 2, &second) != 2)
                return false;
        *p += time_text_fraction(*p, &ms);
        if (!half_day(p, &hour) || minute > 59 || second > 60)
                return false;
        *ret_ms = hour * (int64_t) HOUR_MS + minute * 60000 + second * 1000 + ms;
        return true;
}

bool csv_time_clock(const char *text, int64_t *ret_ms) {
        const char *p = skip_blanks(text);

        return clock_time(&p, ret_ms) && is_end(p);
}

/* ---- both ---- */

static bool parse_utc(const char *text, struct csv_time *ret) {
        size_t digits = strspn(text, "0123456789"), n;
        unsigned resolution_ms;
        int64_t ms;

        if (digits < EPOCH_DIGITS && (digits != 4 || text[4] != '-'))
                return false;
        n = capture_time_parse(text, &ms, &resolution_ms);
        if (n == 0 || !is_end(text + n))
                return false;
        *ret = (struct csv_time) { .ms = ms, .is_utc = true, .has_clock = true };
        return true;
}

bool csv_time_parse(const char *text, struct csv_time *ret) {
        struct csv_time t = { .ms = 0 };
        const char *p = skip_blanks(text);
        int64_t clock_ms;

        if (parse_utc(p, ret))
                return true;
        if (!date(&p, &t))
                return false;
        if (*p == ',' || *p == 'T')
                p++;
        p = skip_blanks(p);
        if (*p != '\0') {
                if (!clock_time(&p, &clock_ms) || !is_end(p))
                        return false;
                t.ms += clock_ms;
                t.has_clock = true;
        }
        *ret = t;
        return true;
}

/* ---- time zone ---- */

/* The wall clock as summer or winter time. False when it is not that then. */
static bool as_season(int64_t wall_s, int is_dst, int64_t *ret_utc_s) {
        time_t t = (time_t) wall_s;
        struct tm tm, wanted;

        gmtime_r(&t, &tm);
        tm.tm_isdst = is_dst;
        wanted = tm;
        *ret_utc_s = mktime(&tm);
        return tm.tm_isdst == is_dst && tm.tm_hour == wanted.tm_hour && tm.tm_min == wanted.tm_min;
}

static int64_t offset_at(int64_t wall_ms, int64_t last_utc_ms) {
        int64_t wall_s = wall_ms / 1000, summer_s, winter_s;
        bool is_summer = as_season(wall_s, 1, &summer_s), is_winter = as_season(wall_s, 0, &winter_s);

        if (is_summer && is_winter)
                is_summer = summer_s * 1000 >= last_utc_ms;
        return ((is_summer ? summer_s : winter_s) - wall_s) * 1000;
}

/* No zone changes its clock but at a full quarter of an hour. */
int64_t csv_zone_utc(struct csv_zone *z, int64_t wall_ms) {
        int64_t quarter = wall_ms / QUARTER_MS;

        if (!z->valid || quarter != z->quarter) {
                z->offset_ms = offset_at(wall_ms, z->valid ? z->last_utc_ms : INT64_MIN);
                z->quarter = quarter;
                z->valid = true;
        }
        z->last_utc_ms = wall_ms + z->offset_ms;
        return z->last_utc_ms;
}
