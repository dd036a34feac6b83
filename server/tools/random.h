/* Numbers that look random and are the same for the same seed. Not for secrets. */
#pragma once

#include <stdint.h>

/* Scatters the bits of any number. */
static inline uint64_t random_mix(uint64_t v) {
        v = (v ^ v >> 32) * UINT64_C(0xd6e8feb86659fd93);
        v = (v ^ v >> 32) * UINT64_C(0xd6e8feb86659fd93);
        return v ^ v >> 32;
}

/* Start of a sequence; never 0, from which the generator could not get away. */
static inline uint64_t random_seed(uint64_t seed) {
        return random_mix(seed + 1) | 1;
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return (uint32_t) ((*state >> 32) % limit);
}
