#include "history/wide.h"

#include <stdbool.h>

static struct wide negated(struct wide a) {
        return a.low ? (struct wide) { -a.high - 1, (UINT64_C(1) << 32) - a.low } : (struct wide) { -a.high, 0 };
}

int64_t wide_divide(struct wide sum, int64_t divisor) {
        bool negative = sum.high < 0;
        uint64_t d = (uint64_t) divisor, quotient, rest;

        if (negative)
                sum = negated(sum);
        quotient = (uint64_t) sum.high / d;
        rest = (uint64_t) sum.high % d;
        /* Long division, 16 bits at a time: rest stays below 2^63. */
        for (int shift = 16; shift >= 0; shift -= 16) {
                rest = rest << 16 | (sum.low >> shift & 0xffff);
                quotient = quotient << 16 | rest / d;
                rest %= d;
        }
        quotient += rest >= d - rest;
        return negative ? -(int64_t) quotient : (int64_t) quotient;
}
