#include "tools/csv_time.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/time_text.h"
#include "capture/capture_time.h"

enum {
        EPOCH_DIGITS = 10,        /* fewer are no time since 1970 that anybody measured at */
        MICROSECONDS_DIGITS = 16,
        NANOSECONDS_DIGITS = 19,
        OFFSET_MAX_HOURS = 14,    /* no zone is further from UTC */
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
        *ret_ms = t->ms + days * 24 * HOUR_MS - t->offset_min * INT64_C(60000);
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

/* ---- names ---- */

/* The letters at *p, three at least, as the beginning of one of the names, in whatever case. 1 and on; 0: none. */
static int named(const char **p, const char *names) {
        size_t len = 0;

        while (isalpha((unsigned char) (*p)[len]))
                len++;
        for (int i = 1; len >= 3 && *names; i++, names += strlen(names) + 1)
                if (strncasecmp(*p, names, 3) == 0 && (len == 3 || strncasecmp(*p, names, len) == 0)) {
                        *p += len;
                        skip(p, '.');
                        return i;
                }
        return 0;
}

static int month_name(const char **p) {
        return named(p, "January\0February\0March\0April\0May\0June\0July\0August\0September\0October\0"
                        "November\0December\0");
}

static void skip_weekday(const char **p) {
        if (named(p, "Monday\0Tuesday\0Wednesday\0Thursday\0Friday\0Saturday\0Sunday\0"))
                skip(p, ',');
        *p = skip_blanks(*p);
}

static void skip_separator(const char **p) {
        if (!skip(p, '-') && !skip(p, ','))
                skip(p, '/');
        *p = skip_blanks(*p);
}

/* "21 Nov 2026", "21-Nov-26" behind the day, "Nov 21, 2026" with day 0. */
static bool date_with_name(const char **p, int day, struct csv_time *t) {
        int month, year;
        unsigned digits;
        int64_t days;

        skip_separator(p);
        month = month_name(p);
        skip_separator(p);
        if (month > 0 && day == 0) {
                if (!number(p, 2, &day))
                        return false;
                skip_separator(p);
        }
        digits = number(p, 4, &year);
        if (month == 0 || !put_year(year, digits, t) ||
            !day_of_year(digits == 2 ? year + 2000 : year, month, day, &days))
                return false;
        t->ms += days * 24 * HOUR_MS;
        return true;
}

static bool date(const char **p, struct csv_time *t) {
        const char *begin = *p;
        unsigned digits;
        int first;
        char separator;

        if (isalpha((unsigned char) **p))
                return date_with_name(p, 0, t);
        digits = number(p, 4, &first);
        if (digits == 1 || digits == 2) {
                const char *named = *p;

                if (date_with_name(&named, first, t)) {
                        *p = named;
                        return true;
                }
        }
        separator = **p;
        if (*p == begin || !separator || !strchr("-/.", separator))
                return false;
        (*p)++;
        if (digits == 4)
                return date_from_year(p, first, separator, t);
        return digits <= 2 && date_to_year(p, first, separator, t);
}

/* ---- the clock ---- */

/* 12 AM is midnight; "a.m." as well. */
static bool half_day(const char **p, int *hour) {
        const char *q = skip_blanks(*p);
        bool is_pm = *q == 'p' || *q == 'P';

        if (!is_pm && *q != 'a' && *q != 'A')
                return *hour <= 23;
        q++;
        skip(&q, '.');
        if ((*q != 'm' && *q != 'M') || *hour < 1 || *hour > 12)
                return false;
        q++;
        skip(&q, '.');
        *hour = *hour % 12 + (is_pm ? 12 : 0);
        *p = q;
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

/* Microseconds and nanoseconds since 1970, as databases have them. */
static bool parse_fine_epoch(const char *text, size_t digits, struct csv_time *ret) {
        int64_t t = strtoll(text, NULL, 10);

        if ((digits != MICROSECONDS_DIGITS && digits != NANOSECONDS_DIGITS) || !is_end(text + digits))
                return false;
        *ret = (struct csv_time) { .ms = digits == MICROSECONDS_DIGITS ? t / 1000 : t / 1000000, .is_utc = true,
                                   .has_clock = true };
        return true;
}

static bool parse_utc(const char *text, struct csv_time *ret) {
        size_t digits = strspn(text, "0123456789"), n;
        unsigned resolution_ms;
        int64_t ms;

        if (digits < EPOCH_DIGITS && (digits != 4 || text[4] != '-'))
                return false;
        if (digits >= MICROSECONDS_DIGITS)
                return parse_fine_epoch(text, digits, ret);
        n = capture_time_parse(text, &ms, &resolution_ms);
        if (n == 0 || !is_end(text + n))
                return false;
        *ret = (struct csv_time) { .ms = ms, .is_utc = true, .has_clock = true };
        return true;
}

/* "CET" where that is the zone of this host: nothing new, but no mistake either. */
static bool skip_own_zone(const char **p) {
        tzset();
        for (int i = 0; i < 2; i++) {
                size_t len = strlen(tzname[i]);

                if (len >= 3 && isalpha((unsigned char) **p) && strncasecmp(*p, tzname[i], len) == 0) {
                        *p += len;
                        return true;
                }
        }
        return false;
}

/* "Z", "UTC", "GMT", and an offset there or alone: +01:00, +0100, +01. True where nothing stands. */
static bool zone(const char **p, struct csv_time *t) {
        int hours, minutes = 0;
        bool is_negative;

        *p = skip_blanks(*p);
        if (is_end(*p))
                return true;
        if (**p == 'Z' || strncasecmp(*p, "UTC", 3) == 0 || strncasecmp(*p, "GMT", 3) == 0) {
                *p = skip_blanks(*p + (**p == 'Z' ? 1 : 3));
                t->is_utc = true;
        } else if (skip_own_zone(p)) {
                return true;
        }
        is_negative = **p == '-';
        if (!is_negative && **p != '+')
                return true;
        (*p)++;
        if (!number(p, 2, &hours) || hours > OFFSET_MAX_HOURS)
                return false;
        if ((skip(p, ':') || isdigit((unsigned char) **p)) && (number(p, 2, &minutes) != 2 || minutes > 59))
                return false;
        t->offset_min = (int16_t) ((is_negative ? -1 : 1) * (60 * hours + minutes));
        t->is_utc = true;
        return true;
}

bool csv_time_parse(const char *text, struct csv_time *ret) {
        struct csv_time t = { .ms = 0 };
        const char *p = skip_blanks(text);
        int64_t clock_ms;

        if (parse_utc(p, ret))
                return true;
        skip_weekday(&p);
        if (!date(&p, &t))
                return false;
        if (*p == ',' || *p == 'T')
                p++;
        p = skip_blanks(p);
        if (*p != '\0') {
                if (!clock_time(&p, &clock_ms) || !zone(&p, &t) || !is_end(p))
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
