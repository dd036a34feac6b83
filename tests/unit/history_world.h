/* A history and its model that live through the same random life: meters with gaps, resets and changing schemas,
 * clocks that are set, restarts. */
#pragma once

#include "history_model.h"

struct world_meter {
        struct schema schema;
        unsigned handle;
        int64_t values[MODEL_COLUMNS_MAX], totals[MODEL_COLUMNS_MAX];
        struct history_row row;         /* the last */
};

struct world {
        uint64_t seed, size_bytes;
        char directory[64];
        struct history *history;
        struct model model;
        uint64_t boot_ms;
        int64_t offset_ms;
        unsigned n_meters, interval_ms;
        struct world_meter meters[MODEL_METERS_MAX];
};

/* METERGATE_TIMES: how much more is to be tried than by default. */
unsigned world_times(void);

void world_begin(struct world *w, uint64_t seed, int64_t utc_s, uint64_t size_bytes, unsigned interval_ms);
void world_end(struct world *w);

uint32_t world_random(struct world *w, uint32_t limit);
int64_t world_tick(const struct world *w);

/* A row of a meter now; some time passes before. */
void world_row(struct world *w, unsigned meter, unsigned passed_ms);
/* So many rows, and all that happens meanwhile. */
void world_live(struct world *w, unsigned n_rows);
void world_change_schema(struct world *w, unsigned meter);
void world_set_clock(struct world *w, int64_t by_ms);
void world_restart(struct world *w);
