/* How often the datapoints of one meter may be written. Pure: plain times in. */
#pragma once

#include <stdint.h>

/* The contacts of a relay last some 100 000 switchings: ten weeks at this pace, for a program gone wrong. Ten at once
 * are more than people and their automations do. */
#define WRITES_AT_ONCE 10
#define WRITE_EVERY_MS 60000

/* All zero to begin with. */
struct write_limit {
        uint64_t free_ms;  /* when all of WRITES_AT_ONCE may be used again */
};

/* How long to wait until one more may be written; 0: now. */
uint64_t write_limit_wait_ms(const struct write_limit *l, uint64_t now_ms);

/* One was written. */
void write_limit_take(struct write_limit *l, uint64_t now_ms);
