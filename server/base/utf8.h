/* UTF-8 in bytes that may be anything. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Length of the valid UTF-8 sequence at s, 0 when there is none: no overlong forms, no surrogates, nothing past
 * U+10FFFF. len is at least 1. */
static inline size_t utf8_sequence(const unsigned char *s, size_t len) {
        size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

        if (n == 0 || n > len)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
            (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
                return 0;
        return n;
}

/* The character of a sequence of n bytes that utf8_sequence found. */
static inline uint32_t utf8_character(const unsigned char *s, size_t n) {
        static const unsigned char lead_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        uint32_t c = s[0] & lead_bits[n];

        for (size_t i = 1; i < n; i++)
                c = c << 6 | (s[i] & 0x3f);
        return c;
}
