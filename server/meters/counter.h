/* One energy counter of a meter: decides which register readings may be believed and turns them into a total that
 * never steps back and never jumps. Registers are reset, rolled over, exchanged with the meter, or read wrongly (the
 * spike of 2^32 Wh); the total only ever grows by energy that can have flowed. Pure: plain numbers and times in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define COUNTER_REBASE_READINGS 5   /* in a row that agree with each other make a new baseline */

struct counter_limits {
        int64_t max_power_mw;       /* no more than this can flow */
        uint64_t late_ms;           /* a reading may be that much older than it seems */
        bool confirm_first;         /* a first reading waits for a second that agrees */
};

enum counter_verdict {
        COUNTER_ACCEPTED,
        COUNTER_RESET,              /* accepted as the new baseline after readings that were withheld */
        COUNTER_UNCONFIRMED,        /* withheld: the first of all */
        COUNTER_DECREASED,          /* withheld */
        COUNTER_JUMPED,             /* withheld */
        COUNTER_VERDICT_COUNT,
};
extern const char *const counter_verdict_names[COUNTER_VERDICT_COUNT];  /* "accepted", ..., "counter_jumped" */

/* All zero to begin with. Energies in mWh. */
struct counter {
        bool known;
        bool adds;                  /* up increments: no register tells the total again */
        int64_t reading;            /* of the register, last accepted */
        int64_t total;              /* what is published: the reading plus what resets took away */
        uint64_t at_ms;             /* of reading */
        uint64_t before_ms;         /* and so much earlier, where that was before the boot */
        unsigned n_pending;         /* readings withheld in a row that agree with each other */
        int64_t first_pending, last_pending;
        uint64_t first_pending_ms, last_pending_ms;
        int64_t credit;             /* how much may come at once, beside what can flow from at_ms on; -1: one step */
        uint64_t counts[COUNTER_VERDICT_COUNT];
};

/* Goes on from what was known before: the total, and the register's reading at_ms (monotonic; negative: before the
 * boot; COUNTER_TIME_UNKNOWN). */
#define COUNTER_TIME_UNKNOWN INT64_MIN
void counter_restore(struct counter *c, int64_t reading, int64_t total, int64_t at_ms);

/* Takes in a reading of the register (mWh) at a time (monotonic). step: what its last digit counts, 0 if not known;
 * wrap: where it begins anew, 0 if not known.
 * ret_total is written when the verdict is COUNTER_ACCEPTED or COUNTER_RESET. */
enum counter_verdict counter_take(struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                                  int64_t reading, int64_t step, int64_t wrap, int64_t *ret_total);

/* The same for what flowed since the last report; then reading and total are one. */
enum counter_verdict counter_add(struct counter *c, const struct counter_limits *limits, uint64_t at_ms,
                                 int64_t increment, int64_t step, int64_t *ret_total);

static inline bool counter_is_accepted(enum counter_verdict v) {
        return v == COUNTER_ACCEPTED || v == COUNTER_RESET;
}
