/* The stores that are compared, behind one face. All get the same numbers at the same times; none waits for the
 * disk, because rrdtool never does. */
#pragma once

#include <stdint.h>

#include "house.h"

#define CONTENDER_BATCH_S 60    /* of data between two commits, checkpoints, updates */
#define POINTS_MAX 1100

enum { YEAR_STEP_S = 20 };      /* between rows of the year: a minute has several, as in life */

/* Average, smallest and largest power of one meter in each of n stretches of step_s. */
struct question {
        const char *words;
        int64_t from_s;
        uint32_t step_s, n;
        enum way {
                WAY_OWN,        /* as the store itself answers such a question, from the best data it has for it */
                WAY_BY_HAND,    /* the same, but what rrdtool fetches is put together by a loop of ours: faster */
                WAY_FINEST,     /* from the finest data alone; rrdtool's by hand */
        } way;
};

struct point {
        double avg, min, max;
};

struct contender {
        const char *name;
        /* The week: meters at 1 Hz. The year: one meter, of which only minutes have to be kept. */
        void (*open)(const char *folder, const struct house *week, const struct house *year);
        void (*append)(unsigned meter, int64_t at_s, const int32_t values[HOUSE_VALUES]);
        void (*end_batch)(int64_t now_s);
        void (*append_year)(int64_t at_s, const int32_t values[HOUSE_VALUES]);
        void (*end_data)(void);                 /* everything was appended */
        uint64_t (*week_raw_bytes)(void);       /* on disk, for the rows of 1 Hz */
        void (*ask_week)(unsigned meter, const struct question *question, struct point *ret);
        void (*ask_year)(const struct question *question, struct point *ret);
        void (*close)(void);
};

extern const struct contender contender_ours, contender_sqlite, contender_rrdtool;
