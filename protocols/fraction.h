/* Scales are fractions, so that no value passes through binary floating point. */
#pragma once

#include <stdint.h>

/* Both > 0. */
static inline void fraction_reduce(int64_t *num, int64_t *den) {
        int64_t a = *num, b = *den;

        while (b) {
                int64_t rest = a % b;

                a = b;
                b = rest;
        }
        *num /= a;
        *den /= a;
}
