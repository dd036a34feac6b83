/* What the environment asks of a test. */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t number_from(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);

        return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* What is drawn at random is the same every time, so that a test that fails fails because of what was changed;
 * METERGATE_SEED gives other draws (make check-random). Printed, as a line of TAP that says nothing. */
static inline uint64_t test_seed(void) {
        uint64_t seed = number_from("METERGATE_SEED", 20261121);

        printf("# METERGATE_SEED=%" PRIu64 "\n", seed);
        fflush(stdout);
        return seed;
}
