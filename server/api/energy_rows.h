/* Energy by hours, days, weeks, months or years: the total at the end less the total at the beginning, each being
 * that of the last row at or before. All sums are exact, so hours add up to the days they make. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/energy_periods.h"
#include "config/config.h"
#include "history/history.h"
#include "history/total_limit.h"

#define ENERGY_CHANNEL_MAX (SCHEMA_KEY_MAX - 20)  /* what "CHANNEL.apparent_power_va" leaves */

struct energy_spec {
        const char *meter;               /* id; copied */
        const char *channel;             /* copied; "": the meter's own */
        enum energy_period period;
        int64_t from_s, to_s;            /* beginnings of periods */
        int64_t now;                     /* tick; the period that is not over ends here */
        struct total_limit import_limit, export_limit;
        unsigned n_tariffs;
        const struct tariff *tariffs;    /* copied: they may be others before the answer is complete */
};

struct energy_row {
        int64_t start, end;              /* ticks */
        bool import_known, export_known, cost_known;
        int64_t import, export;          /* mWh */
        int64_t cost;                    /* of the import, in 10^-12 of the currency */
        unsigned complete;               /* of a thousandth of the time, rounded down: 1000 is all of it */
};

struct energy_rows;

/* A meter or channel that the history does not know has rows without values. */
int energy_rows_new(struct history *h, const struct energy_spec *spec, struct energy_rows **ret);
struct energy_rows *energy_rows_free(struct energy_rows *e);
static inline void energy_rows_freep(struct energy_rows **e) { energy_rows_free(*e); }

/* The next row. 1, 0 at the end, -EAGAIN when *budget, a number of quarters of an hour, is used up. */
int energy_rows_next(struct energy_rows *e, unsigned *budget, struct energy_row *ret);

const char *energy_rows_currency(const struct energy_rows *e);  /* NULL: there are no tariffs */

/* One call's budget: eleven days, at most some 0.5 ms of work here, a few ms on a small board. */
#define ENERGY_BUDGET 1024
#define ENERGY_PAGES 16

/* "power_w" of channel "l1" is "l1.power_w". buf holds SCHEMA_KEY_MAX + 1 bytes. */
void energy_key(const char *channel, const char *quantity, char *buf);

/* True when the meter has, or had, such a series. */
bool energy_has_series(struct history *h, const char *meter, const char *key);
