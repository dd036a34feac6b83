/* Energy of meters without a register: power integrated over time, exactly, import and export apart. A value holds
 * until the next one, at most the schema's hold time: the same integral as the mean of a query. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "history/history.h"
#include "history/schema.h"

/* One mWh is so many mW times ticks. */
#define TICK_MW_PER_MWH (3600 * TICKS_PER_S)

struct integral {
        bool held;                  /* a power is in effect */
        int64_t power_mw, until;    /* it holds up to this tick at most */
        int64_t rest;               /* 0 .. TICK_MW_PER_MWH - 1: what is no whole mWh yet; a crash loses it alone */
};

/* By column; only those with integral_of are used. */
struct integrals {
        struct integral columns[SCHEMA_COLUMNS_MAX];
};

/* Fills the integral columns of a row in. before: the meter's newest row, NULL: there is none; its totals go on. */
void integrals_row(struct integrals *s, const struct schema *schema, const struct history_row *before,
                   int64_t before_tick, int64_t tick, struct history_row *row);

/* Puts them into the order of another schema, by key. */
void integrals_remap(struct integrals *s, const struct schema *from, const struct schema *to);

/* The clock was set back: no value holds over that. */
void integrals_release(struct integrals *s);
