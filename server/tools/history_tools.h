/* What the history commands share. Functions that return an exit status have told what went wrong. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "history/history.h"

/* The commands: info, verify, export, import. argv from the command's own name on. */
int history_info_main(int argc, char **argv);
int history_verify_main(int argc, char **argv);
int history_export_main(int argc, char **argv);
int history_import_main(int argc, char **argv);

/* Opens a history and reads what there is, with progress on a terminal. 0 or an exit status. */
int history_tool_open(const struct history_options *options, struct history **ret);
/* To look at only: works beside a running gateway and shows what its newest checkpoint has. */
int history_tool_look(const char *directory, struct history **ret);

/* UTC now, in milliseconds. */
int64_t history_tool_now_ms(void);

/* ---- what is stored where ---- */

struct figures {
        uint64_t samples;               /* values stored: one for each series and row */
        bool any;
        int64_t oldest, newest;         /* ticks; of an aggregated tier the end of the newest bucket */
};

struct survey {
        uint64_t pages[TIER_COUNT];     /* that could be read, open ones included */
        struct figures slots[TIER_COUNT][STORE_SCHEMAS_MAX];
};

/* Goes through all pages. */
void survey_history(struct history *h, struct survey *ret);
struct figures survey_tier(const struct survey *s, enum history_tier tier);
struct figures survey_meter(const struct survey *s, const struct history *h, const char *meter,
                            enum history_tier tier);
/* Of all meters when none is named. Samples and newest are those of the rows while there are any; where rows are gone
 * the buckets that were made of them tell of older times. */
struct figures survey_all(const struct survey *s, const struct history *h, const char *meter);

/* ---- series of a meter, those of all its schemas in order of their first appearance ---- */

#define METER_SERIES_MAX 256

struct meter_series {
        unsigned n;
        struct schema_column items[METER_SERIES_MAX];   /* as the newest schema that has it says */
};

/* False when there is no such meter. */
bool meter_series_read(const struct history *h, const char *meter, struct meter_series *ret);
