/* Sums beyond 64 bits: a month's integral of a large value needs them, and 32-bit machines have no such integers. */
#pragma once

#include <stdint.h>

struct wide {
        int64_t high;               /* of 2^32 */
        uint64_t low;               /* below 2^32 */
};

/* sum += value * times. */
static inline void wide_add(struct wide *sum, int64_t value, uint32_t times) {
        uint64_t low = ((uint64_t) value & UINT32_MAX) * times;
        int64_t high = (value - (int64_t) ((uint64_t) value & UINT32_MAX)) / (INT64_C(1) << 32) * times;

        sum->low += low & UINT32_MAX;
        sum->high += high + (int64_t) (low >> 32) + (int64_t) (sum->low >> 32);
        sum->low &= UINT32_MAX;
}

/* sum / divisor, rounded half away from zero. divisor: 1 .. 2^47; the result must fit. */
int64_t wide_divide(struct wide sum, int64_t divisor);
