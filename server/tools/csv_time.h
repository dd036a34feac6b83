/* Times as CSV exports write them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct csv_time {
        int64_t ms;               /* since 1970, of a clock that is offset_min ahead of UTC; of the wall clock of
                                   * this host unless is_utc */
        int16_t offset_min;
        uint8_t first, second;    /* of "05/06/2026", 0: none; ms is then that of the first of January */
        bool is_utc;
        bool has_clock;           /* else it is a date alone */
};

/* All of text, blanks around it aside: RFC 3339, seconds, milliseconds, micro- or nanoseconds since 1970, YYYY-MM-DD,
 * YYYY/MM/DD, MM/DD/YYYY or DD/MM/YYYY, DD.MM.YYYY, 31-Dec-2026, Dec 31, 2026, a weekday before it, and behind it
 * HH:MM[:SS[.fff]] [AM|PM] [UTC|Z|+HH:MM], also with this host's own name of its zone. False: no time. */
bool csv_time_parse(const char *text, struct csv_time *ret);
/* HH:MM[:SS[.fff]] [AM|PM] alone, where exports have it in a column of its own: ms since midnight. */
bool csv_time_clock(const char *text, int64_t *ret_ms);

/* Settles which of first and second is the day: UTC, or the wall clock as though it were UTC. False when there is no
 * such day. */
bool csv_time_settle(const struct csv_time *t, bool day_first, int64_t *ret_ms);

/* Turns the wall clock of this host's time zone into UTC, row by row. */
struct csv_zone {
        bool valid;
        int64_t quarter;          /* of an hour, in which offset_ms holds */
        int64_t offset_ms;
        int64_t last_utc_ms;
};

/* Of the hour that comes twice in autumn, rows that step back belong to the second. */
int64_t csv_zone_utc(struct csv_zone *z, int64_t wall_ms);
