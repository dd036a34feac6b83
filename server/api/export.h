/* A stretch of history as text, piece by piece: what GET .../history and `metergate history export` give. */
#pragma once

#include "api/table.h"

struct export_spec {
        struct query_spec query;         /* copied; meter is copied too */
        enum table_format format;
        uint64_t limit;                  /* raw rows at most; 0: all. Buckets are all given */
};

struct export;

/* As query_new; for OpenMetrics also -EPROTO: a series that has no metric, or more than one aggregate of a series, or
 * one that no sample can carry (count, delta). */
int export_new(struct history *h, const struct export_spec *spec, struct export **ret, unsigned *ret_index);
struct export *export_free(struct export *e);
static inline void export_freep(struct export **e) { export_free(*e); }

/* How many buckets it will have; 0 for raw rows. */
uint64_t export_points(const struct export *e);

/* The end of the stretch, after alignment. */
int64_t export_to(const struct export *e);

/* Hashes what was asked, as it was understood: see tag.h. */
uint64_t export_tag(uint64_t tag, const struct export *e);

/* Appends the next piece: EXPORT_PIECE bytes, or what EXPORT_MS were enough for. 1: there is more, 0: that was all,
 * -EAGAIN: nothing yet, -errno. */
int export_next(struct export *e, struct buffer *out);

#define EXPORT_PIECE 16384
#define EXPORT_MS    3
#define EXPORT_PAGES 32       /* between two looks at the clock; 2 ms on a small board */
