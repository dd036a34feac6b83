#include "capture/capture_time.h"

#include <stdbool.h>

#include "base/time_text.h"

enum {
        SECONDS_DIGITS = 10,
        MILLISECONDS_DIGITS = 13,
        DIGITS_MAX = 15,  /* keeps every sum far from the end of 64 bits */
};

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
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
        n_fraction = time_text_fraction(text + digits, &ms);
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
        size_t n = time_text_rfc3339(text, ret_utc_ms, ret_resolution_ms);

        return n > 0 ? n : parse_epoch(text, ret_utc_ms, ret_resolution_ms);
}
