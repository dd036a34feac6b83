/* Raw datapoints of energy data, as tables: which bytes are which quantity. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/bytes.h"
#include "protocols/protocol.h"

/* Maps a raw value by the row's layout into readings of the row's channel (blocks of three phases: of channels
 * 1 to 3, and 0 for a total), replacing readings of the same channel and quantity. The value's length picks the
 * table. Returns how many readings were set: 0 when the length fits none or the layout holds no readings. Never
 * reads outside value. ret_name, if not NULL, names the table that was used ("phase8", "vcpqff15"), or is NULL. */
unsigned tuya_layout_map(const struct profile_datapoint *row, struct span value, uint16_t origin,
                         struct report *report, const char **ret_name);

/* Whether a datapoint of this layout can bring this quantity in this channel (of the row's own, or of blocks), by
 * any length that the layout names: the guess at 15 bytes of a plain phase promises nothing. */
bool tuya_layout_has(const struct profile_datapoint *row, unsigned channel, unsigned quantity);

/* Whether a row can bring readings of this quantity in this channel, directly or by its layout. */
bool tuya_row_brings(const struct profile_datapoint *row, unsigned channel, unsigned quantity);

/* Whether this row is an increment that makes the energy: where there is a register as well, that is the truth. */
bool tuya_counts_increment(const struct profile *p, const struct profile_datapoint *row);

/* Which series a meter of this profile has in a channel; a NULL profile has none. */
void tuya_series(const struct profile *profile, unsigned channel, enum series_presence ret[Q_COUNT]);

/* History of a month or a day. */
struct tuya_history {
        uint8_t year, month, day;  /* year since 2000, 0 where the record has none; day 0 for months */
        uint32_t energy_10wh;      /* 0.01 kWh */
};
/* False when the length is not 8. */
bool tuya_history_read(enum datapoint_layout layout, struct span value, struct tuya_history *ret);

/* One alarm threshold. */
struct tuya_limit {
        uint8_t code;
        bool trips;                /* cuts the load; else only an alarm */
        uint16_t threshold;
        const char *name;          /* "over_current_a", with its unit; NULL for a code nobody knows */
};
/* The record at *offset, moving on. False at the end or when less than a record is left. */
bool tuya_limit_next(enum datapoint_layout layout, struct span value, size_t *offset, struct tuya_limit *ret);
