#include "base/decimal.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

size_t decimal_format(int64_t value, unsigned places, char *buf) {
        /* From the right: 20 digits at most, a point, a zero before it and a sign. */
        uint64_t rest = value < 0 ? -(uint64_t) value : (uint64_t) value;
        char text[DECIMAL_TEXT_MAX], *p = text + sizeof text;
        size_t len;

        assert(places <= DECIMAL_PLACES_MAX);
        for (; places > 0 && rest % 10 == 0; places--)
                rest /= 10;
        for (unsigned i = 0; i < places; i++, rest /= 10)
                *--p = (char) ('0' + rest % 10);
        if (places > 0)
                *--p = '.';
        do {
                *--p = (char) ('0' + rest % 10);
                rest /= 10;
        } while (rest > 0);
        if (value < 0)
                *--p = '-';
        len = (size_t) (text + sizeof text - p);
        memcpy(buf, p, len);
        buf[len] = 0;
        return len;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* The form only: [-]digits[.digits]. */
static bool is_decimal(const char *text) {
        if (*text == '-')
                text++;
        if (!is_digit(*text))
                return false;
        while (is_digit(*text))
                text++;
        if (*text == '.') {
                if (!is_digit(*++text))
                        return false;
                while (is_digit(*text))
                        text++;
        }
        return *text == 0;
}

static bool append_digit(uint64_t *n, unsigned digit) {
        return !__builtin_mul_overflow(*n, UINT64_C(10), n) && !__builtin_add_overflow(*n, (uint64_t) digit, n);
}

int decimal_parse(const char *text, unsigned places, int64_t *ret) {
        bool negative = *text == '-', fraction = false;
        uint64_t n = 0;

        if (!is_decimal(text))
                return -EINVAL;
        for (const char *p = text + negative; *p; p++) {
                if (*p == '.') {
                        fraction = true;
                        continue;
                }
                if (fraction && places == 0) {
                        if (*p != '0')
                                return -ERANGE;
                        continue;
                }
                if (!append_digit(&n, (unsigned) (*p - '0')))
                        return -ERANGE;
                places -= fraction;
        }
        for (; places > 0; places--)
                if (!append_digit(&n, 0))
                        return -ERANGE;
        if (n > (uint64_t) INT64_MAX + negative)
                return -ERANGE;
        *ret = negative ? (int64_t) (0 - n) : (int64_t) n;
        return 0;
}
