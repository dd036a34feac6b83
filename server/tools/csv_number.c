#include "tools/csv_number.h"

#include <stddef.h>
#include <string.h>

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* A blank, dot or the like between digits, with three of them and no more behind it: 1 234 567. */
static bool is_group(const char *mark, const char *begin) {
        size_t before = 0;

        while (mark - before > begin && is_digit(mark[-1 - (ptrdiff_t) before]))
                before++;
        return before >= 1 && before <= 3 && is_digit(mark[1]) && is_digit(mark[2]) && is_digit(mark[3]) &&
               !is_digit(mark[4]);
}

static const char *find_end(const char *begin) {
        const char *end = begin;

        while (is_digit(*end) || *end == '.' || *end == ',' || *end == '\'' || (*end == ' ' && is_group(end, begin)))
                end++;
        while (end > begin && !is_digit(end[-1]))
                end--;
        return end;
}

/* Several dots are between thousands; versions, addresses and dates are no numbers. */
static bool has_stray_dots(const char *text, const char *end) {
        unsigned dots = 0, groups = 0;

        for (const char *p = text; p < end; p++) {
                if (*p == ',')
                        return false;
                dots += *p == '.';
                groups += *p == '.' && is_group(p, text);
        }
        return dots > 1 && groups != dots;
}

/* Where the decimal point is; NULL: there is none. */
static const char *find_point(const char *text, const char *end, char separator) {
        const char *dot = NULL, *comma = NULL;
        unsigned dots = 0, commas = 0;

        for (const char *p = text; p < end; p++) {
                if (*p == '.') {
                        dot = p;
                        dots++;
                }
                if (*p == ',') {
                        comma = p;
                        commas++;
                }
        }
        if (dot && comma)
                return dot > comma ? dot : comma;
        if (dots > 1 || commas > 1)
                return NULL;
        if (dot || !comma)
                return dot;
        return separator == ',' && end - comma == 4 ? NULL : comma;
}

static bool append(int64_t *value, int digit) {
        return !__builtin_mul_overflow(*value, (int64_t) 10, value) &&
               !__builtin_add_overflow(*value, (int64_t) digit, value);
}

/* "e-05", as programs write what is small. Returns the characters it takes. */
static unsigned exponent_of(const char *p, int *ret) {
        unsigned n = 1, digits = 0;
        bool negative;
        int v = 0;

        *ret = 0;
        if (*p != 'e' && *p != 'E')
                return 0;
        negative = p[n] == '-';
        n += p[n] == '-' || p[n] == '+';
        for (; is_digit(p[n]); n++, digits++)
                v = v > 99 ? v : v * 10 + (p[n] - '0');
        if (digits == 0)
                return 0;
        *ret = negative ? -v : v;
        return n;
}

static bool shift(int64_t *value, int exponent) {
        for (; exponent < 0 && *value != 0; exponent++)
                *value /= 10;
        for (; exponent > 0 && *value != 0; exponent--)
                if (!append(value, 0))
                        return false;
        return true;
}

/* All digits up to end, in 10^-9. False: none, or too large. */
static bool read_digits(const char *p, const char *end, const char *point, int64_t *ret, unsigned *ret_places) {
        unsigned places = 0, digits = 0;
        int64_t value = 0;

        for (; p < end; p++) {
                if (!is_digit(*p))
                        continue;
                digits++;
                if (point && p > point && places == CSV_NUMBER_PLACES)
                        continue;
                places += point && p > point;
                if (!append(&value, *p - '0'))
                        return false;
        }
        *ret = value;
        *ret_places = places;
        return digits > 0;
}

/* Behind the digits: what makes them negative in the books. */
static bool is_closed_negative(const char **rest, bool is_bracketed) {
        const char *p = *rest + strspn(*rest, " \t");

        if (is_bracketed ? *p != ')' : *p != '-' || p[1] != '\0')
                return false;
        *rest = p + 1;
        return true;
}

bool csv_number_parse(const char *text, char separator, struct csv_number *ret) {
        const char *p = text + strspn(text, " \t"), *end, *point;
        bool is_bracketed = *p == '(', negative;
        unsigned places = 0;
        int64_t value = 0;
        int exponent;

        p += is_bracketed;
        negative = *p == '-';
        p += *p == '-' || *p == '+';
        end = find_end(p);
        point = find_point(p, end, separator);
        if (has_stray_dots(p, end) || !read_digits(p, end, point, &value, &places))
                return false;
        *ret = (struct csv_number) { .may_be_thousands = point && *p != '0' && is_group(point, p) };
        p = end + exponent_of(end, &exponent);
        if (!shift(&value, exponent + (int) (CSV_NUMBER_PLACES - places)))
                return false;
        if (is_closed_negative(&p, is_bracketed))
                negative = !negative;
        else if (is_bracketed)
                return false;
        places = exponent > 0 ? (places > (unsigned) exponent ? places - (unsigned) exponent : 0)
                              : places + (unsigned) -exponent;
        ret->value = negative ? -value : value;
        ret->rest = p;
        ret->places = places < CSV_NUMBER_PLACES ? places : CSV_NUMBER_PLACES;
        return true;
}
