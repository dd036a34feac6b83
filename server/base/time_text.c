#include "base/time_text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/decimal.h"
#include "base/units.h"

/* What 32 bits of seconds hold, less a little: the history's index counts in them. */
#define TIME_MAX_MS ((int64_t) 4294000000 * 1000)

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Exactly n digits with a value of at most max. */
static bool number(const char *text, size_t n, int max, int *ret) {
        int v = 0;

        for (size_t i = 0; i < n; i++) {
                if (!is_digit(text[i]))
                        return false;
                v = v * 10 + (text[i] - '0');
        }
        if (v > max)
                return false;
        *ret = v;
        return true;
}

/* "YYYY-MM-DD", one separator, "HH:MM:SS". Stops at the first character that does not fit, so it never reads past
 * the end of a shorter text. */
static bool date_time(const char *text, struct tm *ret) {
        static const struct { size_t at, n; int max; char behind; } parts[] = {
                { 0, 4, 9999, '-' }, { 5, 2, 12, '-' }, { 8, 2, 31, 0 },
                { 11, 2, 23, ':' }, { 14, 2, 59, ':' }, { 17, 2, 60, 0 },
        };
        int v[6];

        for (size_t i = 0; i < 6; i++) {
                if (!number(text + parts[i].at, parts[i].n, parts[i].max, &v[i]))
                        return false;
                if (parts[i].behind && text[parts[i].at + parts[i].n] != parts[i].behind)
                        return false;
                if (i == 2 && !strchr("Tt ", text[10] ? text[10] : 'x'))
                        return false;
        }
        if (v[1] == 0 || v[2] == 0)
                return false;
        *ret = (struct tm) { .tm_year = v[0] - 1900, .tm_mon = v[1] - 1, .tm_mday = v[2],
                             .tm_hour = v[3], .tm_min = v[4], .tm_sec = v[5], .tm_isdst = -1 };
        return true;
}

/* ".123456" as milliseconds; digits beyond the third are cut off. */
size_t time_text_fraction(const char *text, int *ret_ms) {
        int ms = 0, weight = 100;
        size_t n = 1;

        if (text[0] != '.' || !is_digit(text[1]))
                return 0;
        for (; is_digit(text[n]); n++, weight /= 10)
                ms += (text[n] - '0') * weight;
        *ret_ms = ms;
        return n;
}

/* "Z" or "+02:00". */
static size_t offset(const char *text, int *ret_minutes) {
        int hours, minutes;

        if (*text == 'Z' || *text == 'z') {
                *ret_minutes = 0;
                return 1;
        }
        if ((*text != '+' && *text != '-') || !number(text + 1, 2, 23, &hours) || text[3] != ':' ||
            !number(text + 4, 2, 59, &minutes))
                return 0;
        *ret_minutes = (hours * 60 + minutes) * (*text == '-' ? -1 : 1);
        return 6;
}

size_t time_text_rfc3339(const char *text, int64_t *ret_utc_ms, unsigned *ret_resolution_ms) {
        size_t at = 19, n_fraction, n_offset;
        int ms = 0, minutes;
        struct tm tm;

        if (!date_time(text, &tm))
                return 0;
        n_fraction = time_text_fraction(text + at, &ms);
        n_offset = offset(text + at + n_fraction, &minutes);
        if (n_offset == 0)
                return 0;
        *ret_utc_ms = ((int64_t) timegm(&tm) - minutes * 60) * 1000 + ms;
        *ret_resolution_ms = n_fraction ? 1 : 1000;
        return at + n_fraction + n_offset;
}

int time_text_local(const char *text, int64_t *ret_utc_ms) {
        struct tm tm;

        if (strlen(text) != 19 || !date_time(text, &tm))
                return -EINVAL;
        *ret_utc_ms = (int64_t) mktime(&tm) * 1000;
        return 0;
}

/* In a query "10:00:00+01:00" has become "10:00:00 01:00". */
static int parse_rfc3339_whole(const char *text, int64_t *ret_utc_ms) {
        char copy[40];
        size_t len = strlen(text), n;
        unsigned resolution;

        if (len < 20 || len >= sizeof copy)
                return -EINVAL;
        memcpy(copy, text, len + 1);
        if (copy[len - 6] == ' ')
                copy[len - 6] = '+';
        n = time_text_rfc3339(copy, ret_utc_ms, &resolution);
        return n == len ? 0 : -EINVAL;
}

static int parse_point(const char *text, int64_t now_utc_ms, int64_t *ret_utc_ms) {
        uint64_t before_ms;
        int r;

        if (strcmp(text, "now") == 0) {
                *ret_utc_ms = now_utc_ms;
                return 0;
        }
        if (text[0] == '-') {
                r = units_parse_duration_ms(text + 1, &before_ms);
                if (r < 0)
                        return r;
                if (before_ms > (uint64_t) TIME_MAX_MS)
                        return -ERANGE;
                *ret_utc_ms = now_utc_ms - (int64_t) before_ms;
                return 0;
        }
        r = parse_rfc3339_whole(text, ret_utc_ms);
        return r == -EINVAL ? decimal_parse(text, 3, ret_utc_ms) : r;
}

int time_text_point(const char *text, int64_t now_utc_ms, int64_t *ret_utc_ms) {
        int64_t utc_ms;
        int r = parse_point(text, now_utc_ms, &utc_ms);

        if (r < 0)
                return r;
        if (utc_ms > TIME_MAX_MS)
                return -ERANGE;
        *ret_utc_ms = utc_ms < 0 ? 0 : utc_ms;
        return 0;
}
