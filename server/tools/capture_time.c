#include "tools/capture_time.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
        SECONDS_DIGITS = 10,
        MILLISECONDS_DIGITS = 13,
        DIGITS_MAX = 15,  /* keeps every sum far from the end of 64 bits */
};

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
static size_t fraction(const char *text, int *ret_ms) {
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

static size_t parse_rfc3339(const char *text, int64_t *ret_utc_ms, unsigned *ret_resolution_ms) {
        size_t at = 19, n_fraction, n_offset;
        int ms = 0, minutes;
        struct tm tm;

        if (!date_time(text, &tm))
                return 0;
        n_fraction = fraction(text + at, &ms);
        n_offset = offset(text + at + n_fraction, &minutes);
        if (n_offset == 0)
                return 0;
        *ret_utc_ms = ((int64_t) timegm(&tm) - minutes * 60) * 1000 + ms;
        *ret_resolution_ms = n_fraction ? 1 : 1000;
        return at + n_fraction + n_offset;
}

static size_t parse_epoch(const char *text, int64_t *ret_utc_ms, unsigned *ret_resolution_ms) {
        size_t digits = 0, n_fraction;
        int64_t value = 0;
        int ms = 0;

        for (; is_digit(text[digits]); digits++) {
                if (digits == DIGITS_MAX)
                        return 0;
                value = value * 10 + (text[digits] - '0');
        }
        if (digits == 0)
                return 0;
        n_fraction = fraction(text + digits, &ms);
        if (digits == MILLISECONDS_DIGITS)
                *ret_utc_ms = value;
        else if (digits < MILLISECONDS_DIGITS && (n_fraction > 0 || (digits == SECONDS_DIGITS && text[0] != '0')))
                *ret_utc_ms = value * 1000 + ms;
        else
                return 0;
        *ret_resolution_ms = digits == MILLISECONDS_DIGITS || n_fraction ? 1 : 1000;
        return digits + n_fraction;
}

size_t capture_time_parse(const char *text, int64_t *ret_utc_ms, unsigned *ret_resolution_ms) {
        size_t n = parse_rfc3339(text, ret_utc_ms, ret_resolution_ms);

        return n > 0 ? n : parse_epoch(text, ret_utc_ms, ret_resolution_ms);
}

int capture_time_parse_local(const char *text, int64_t *ret_utc_ms) {
        struct tm tm;

        if (strlen(text) != 19 || !date_time(text, &tm))
                return -EINVAL;
        *ret_utc_ms = (int64_t) mktime(&tm) * 1000;
        return 0;
}
