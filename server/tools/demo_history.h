/* Fills the demo's history with a past before its meters start: what they would have reported in the household that
 * they go on to live in. */
#pragma once

#include <stdint.h>

#include "config/config.h"

struct demo_history {
        const char *directory;                      /* borrowed */
        uint64_t duration_ms;
        uint64_t seed;
        const struct meter_config *main, *utility;  /* borrowed */
        int64_t import_wh, export_wh;               /* the utility meter's registers: at first, then at the end */
        int64_t (*now_ms)(void);                    /* UTC, where the past ends; NULL: the system's clock */
        uint64_t rows;                              /* set */
};

/* What the file needs to hold that long in all its tiers. */
uint64_t demo_history_size(uint64_t duration_ms);

/* 0; 1: a signal that ends the demo is pending; a negative errno, which has been told. What is in the folder then is
 * the caller's to remove. */
int demo_history_fill(struct demo_history *d);
