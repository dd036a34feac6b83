/* What was seen of numbered things over time: datapoints or attributes of any type, as a session lists them. A run is
 * a stretch in which one of them kept one value. Memory is fixed at creation: when it is full, time is cut into slots
 * twice as long, and of several runs that begin in one slot the last one stays. So it always spans everything since
 * its start, and sums and integrals stay exact however coarse it gets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/datapoints.h"

#define OBSERVED_BYTES_MAX 40      /* kept of a raw value: the longest known layout of energy data has 18 */
#define OBSERVED_GAP_MS    150000  /* longer without a frame: nothing is known of this time */
#define OBSERVED_RUNS_MIN  (4 * DATAPOINTS_MAX)

struct observed_run {
        uint64_t from_ms;          /* first told */
        uint64_t to_ms;            /* last told; the value may have stayed longer */
        int64_t number;            /* valid when numeric */
        double area;               /* integral of the number up to from_ms, in raw s; time in gaps adds nothing */
        double sum;                /* of all that was told before from_ms */
        uint32_t gaps;             /* of the line, before from_ms */
        uint32_t tells;            /* times this value was told */
        uint16_t series;           /* index */
        uint8_t len;               /* of bytes, 0 when numeric */
        uint8_t bytes[OBSERVED_BYTES_MAX];
};

/* One numbered thing, as last seen. */
struct observed_series {
        uint16_t id;
        uint8_t type;              /* the protocol's own type code */
        bool numeric;
        bool varies_in_length;     /* raw values of several lengths came */
        uint16_t length;           /* on the wire */
        uint64_t first_ms, last_ms;
        uint64_t count;            /* times told */
        unsigned changes;          /* changes of its value, those included whose runs were merged since */
        int64_t last_number;
        double area, sum;          /* up to the end: of the last frame, of the last value */
        unsigned last_run;         /* index */
};

struct observations;

/* runs_max: at least OBSERVED_RUNS_MIN; a run takes 112 bytes. */
int observations_new(unsigned runs_max, struct observations **ret);
struct observations *observations_free(struct observations *o);

/* To be called after each frame of the session that keeps this table, also after one without datapoints: that the
 * line was alive is worth knowing. now_ms never goes back. */
void observations_note(struct observations *o, uint64_t now_ms, const struct datapoint_table *table);

/* The numbered things, in the order in which they came. */
unsigned observations_count(const struct observations *o);
const struct observed_series *observations_series(const struct observations *o, unsigned i);

/* All runs in the order of from_ms. */
const struct observed_run *observations_runs(const struct observations *o, unsigned *ret_count);

/* The time that is spanned, both 0 while nothing was seen. */
void observations_span(const struct observations *o, uint64_t *ret_first_ms, uint64_t *ret_last_ms);

/* Length of a time slot, 0 while every change has a run of its own. */
uint64_t observations_slot_ms(const struct observations *o);
