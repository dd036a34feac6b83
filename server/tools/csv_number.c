#include "tools/csv_number.h"

#include <string.h>

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Versions, addresses and dates are no numbers. */
static bool has_many_dots(const char *text, const char *end) {
        unsigned dots = 0;

        for (const char *p = text; p < end; p++) {
                if (*p == ',')
                        return false;
                dots += *p == '.';
        }
        return dots > 1;
}

/* Where the decimal point is; NULL: there is none. */
static const char *find_point(const char *text, const char *end, char separator) {
        const char *dot = NULL, *comma = NULL, *first_comma = NULL;

        for (const char *p = text; p < end; p++) {
                if (*p == '.')
                        dot = p;
                if (*p == ',') {
                        comma = p;
                        if (!first_comma)
                                first_comma = p;
                }
        }
        if (dot && comma)
                return dot > comma ? dot : comma;
        if (dot || !comma)
                return dot;
        if (comma != first_comma)
                return NULL;
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

bool csv_number_parse(const char *text, char separator, struct csv_number *ret) {
        const char *p = text + strspn(text, " \t"), *end, *point;
        bool negative = *p == '-';
        unsigned places = 0, digits = 0;
        int64_t value = 0;
        int exponent;

        p += *p == '-' || *p == '+';
        end = p + strspn(p, "0123456789.,'");
        while (end > p && !is_digit(end[-1]))
                end--;
        if (has_many_dots(p, end))
                return false;
        point = find_point(p, end, separator);
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
        p = end + exponent_of(end, &exponent);
        if (digits == 0 || !shift(&value, exponent + (int) (CSV_NUMBER_PLACES - places)))
                return false;
        places = exponent > 0 ? (places > (unsigned) exponent ? places - (unsigned) exponent : 0)
                              : places + (unsigned) -exponent;
        *ret = (struct csv_number) { .value = negative ? -value : value, .rest = p,
                                     .places = places < CSV_NUMBER_PLACES ? places : CSV_NUMBER_PLACES };
        return true;
}
