/* How much of the last hour a meter's power was known. Pure: plain times in. */
#pragma once

#include <stdint.h>

#define COMPLETENESS_MINUTES 60

/* All zero to begin with. Times are monotonic. */
struct completeness {
        uint64_t since_ms;           /* when watching began; 0: not yet */
        uint64_t from_ms, until_ms;  /* known there, and not counted yet */
        uint64_t minute;             /* the newest that has a place */
        uint32_t known_ms[COMPLETENESS_MINUTES];
};

/* Watching begins. */
void completeness_begin(struct completeness *c, uint64_t now_ms);

/* A value was reported that holds for so long. */
void completeness_take(struct completeness *c, uint64_t at_ms, uint32_t hold_ms);

/* Of the last hour, or since watching began, in thousandths, rounded down: 1000 is all of it. */
unsigned completeness_permille(const struct completeness *c, uint64_t now_ms);
