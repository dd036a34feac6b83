/* What made-up curves are drawn with: integers only, the same for the same seed and time. */
#pragma once

#include <stdint.h>

#include "tools/random.h"

#define CURVE_SECOND INT64_C(1000)
#define CURVE_MINUTE (60 * CURVE_SECOND)
#define CURVE_HOUR   (60 * CURVE_MINUTE)
#define CURVE_DAY    (24 * CURVE_HOUR)

/* The remainder that never is negative, for times before 1970. */
static inline int64_t curve_modulo(int64_t a, int64_t b) {
        int64_t r = a % b;

        return r < 0 ? r + b : r;
}

static inline int64_t curve_divide_down(int64_t a, int64_t b) {
        return (a - curve_modulo(a, b)) / b;
}

/* 0 to 65535 for each step of time. */
static inline int64_t curve_lattice(uint64_t seed, uint64_t what, int64_t step) {
        return (int64_t) (random_mix(seed * 31 + what + random_mix((uint64_t) step)) & 0xffff);
}

/* Wanders between -amplitude and amplitude, a new aim each period, straight lines between them. */
static inline int64_t curve_wander(uint64_t seed, uint64_t what, int64_t time_ms, int64_t period_ms,
                                   int64_t amplitude) {
        int64_t step = curve_divide_down(time_ms, period_ms), at = curve_modulo(time_ms, period_ms);
        int64_t from = curve_lattice(seed, what, step), to = curve_lattice(seed, what, step + 1);
        int64_t v = from + (to - from) * at / period_ms;

        return (v - 32768) * amplitude / 32768;
}

static inline int64_t curve_square_root(int64_t v) {
        int64_t root = 0;

        for (int64_t bit = INT64_C(1) << 31; bit > 0; bit >>= 1)
                if ((root + bit) * (root + bit) <= v)
                        root += bit;
        return root;
}
