/* Remembers what a meter's datapoints did while some of them have no meaning, so that one can be suggested. What is
 * known is watched along with the rest, because the unknown is explained by it; a meter of which everything is
 * known costs nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/protocol.h"
#include "workbench/suggest/suggest.h"

/* Stretches of equal values: with the series 70 KiB for each meter that is watched. Five datapoints that change every
 * second fill it in two minutes; from then on the older time is seen through coarser slots. */
#define OBSERVER_RUNS_MAX OBSERVED_RUNS_MIN
/* Suggestions serve for so long: they take some 20 ms, and hardly change within seconds. */
#define OBSERVER_SUGGEST_MS 5000

struct observer {
        uint32_t speed;                     /* of a recording that is replayed, in thousandths; 0: all is heard as it is */
        struct observations *observations;  /* NULL: nothing unknown was seen */
        const struct profile *profile;      /* that n_known was counted with; compared, never read */
        unsigned n_known;                   /* datapoints of the table up to the first that has no meaning */
        bool failed;                        /* there was no memory for it */
        struct suggestions *suggestions;    /* NULL: none were made */
        const struct profile *suggested_profile;  /* with which they were; compared, never read */
        uint64_t suggested_ms;
};

/* To be called after each frame of the meter's session; now_ms is real time, and what a fast replay tells is watched in
 * that of its recording: energies are power over time. profile: NULL while it is not known. */
void observer_note(struct observer *o, uint64_t now_ms, const struct protocol *protocol,
                   const struct profile *profile, const struct datapoint_table *table);

/* What the unknown datapoints may mean; NULL: there is none. *ret is valid until the next call. -ENOMEM. */
int observer_suggest(struct observer *o, uint64_t now_ms, const struct protocol *protocol,
                     const struct profile *profile, const struct suggestions **ret);

/* Since when it is watching; false: it is not. */
bool observer_since(const struct observer *o, uint64_t *ret_ms);

void observer_end(struct observer *o);
