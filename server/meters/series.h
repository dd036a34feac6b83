/* The current values of one meter: measured ones as they came, derived ones from them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/protocol.h"
#include "protocols/quantity.h"
#include "protocols/report.h"

#define SERIES_MAX 64            /* per meter; the largest known profile makes 33 with the derived ones */
#define SERIES_KEY_MAX 40        /* "l1.apparent_power_va" */

enum value_source {
        SOURCE_MEASURED,
        SOURCE_DERIVED,
        SOURCE_INTEGRATED,
        SOURCE_RESTORED,
};
extern const char *const value_source_names[];

struct series {
        uint8_t channel;         /* index into series_set->channels */
        uint8_t quantity;
        uint8_t source;          /* enum value_source */
        bool known;              /* it has had a value */
        int64_t value;           /* catalogue resolution; valid when known */
        uint64_t at_ms;          /* monotonic time of the report; a derived value is as old as its oldest part */
        char origin[24];         /* "dp 20", "voltage_v * current_a" */
        char key[SERIES_KEY_MAX];
};

struct series_set {
        unsigned n_channels;
        char channels[CHANNELS_MAX][CHANNEL_NAME_MAX + 1];  /* [0] is "" */
        unsigned count;
        struct series items[SERIES_MAX];  /* plain ones first, then by channel, catalogue order within;
                                              * late comers at the end */
};

/* Which series a meter of this protocol and profile has: those it measures and those that can be derived from them.
 * profile is NULL while it is not known, and where the protocol needs none. */
void series_set_init(struct series_set *s, const struct protocol *protocol, const struct profile *profile);

/* The key that this channel's series of that quantity has, or would have. */
void series_key(const struct series_set *s, unsigned channel, unsigned quantity, char *buf, size_t size);

/* The series, NULL when there is none. */
const struct series *series_set_get(const struct series_set *s, unsigned channel, unsigned quantity);

/* Takes in a report and renews what derives from it. origin_name as in struct protocol. */
void series_set_apply(struct series_set *s, const struct report *report,
                      void (*origin_name)(uint16_t origin, char *buf, size_t size));

/* A value from before the start. at_ms: boot-time, negative for times before the boot. */
void series_restore(struct series *s, int64_t value, int64_t at_ms);

/* NULL when the meter has no such series. */
const struct series *series_set_find(const struct series_set *s, const char *key);

/* A value is shown while it is known and not older than stale_after_ms; counters keep their last value. */
bool series_is_current(const struct series *series, uint64_t now_ms, uint32_t stale_after_ms);
