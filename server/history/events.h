/* What happened to the meters, for people and for programs that page by cursor: a bounded file beside the ring,
 * written as it happens and safe from power cuts. Without a folder, or with one that cannot be written, the newest
 * stay in memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/store.h"

#define EVENTS_FILE_NAME  "events.ring"
#define EVENTS_MAX        4096          /* kept; a record has 256 bytes, so the file has 1 MiB */
#define EVENTS_MEMORY_MAX 256           /* kept where there is no file */
#define EVENTS_PER_MINUTE 10            /* of one meter; beyond, they are counted by their kind */
#define EVENTS_REPEAT_MS  60000
#define EVENT_TEXT_MAX    127
#define EVENT_METER_MAX   32
#define EVENT_SERIES_MAX  40

enum event_kind {
        EVENT_STARTED,          /* the gateway */
        EVENT_STOPPED,
        EVENT_STATE,            /* of a meter: text is its state, value nothing */
        EVENT_RECONNECTED,      /* its port was opened again */
        EVENT_WITHHELD,         /* a reading that was not believed: series, value, text the reason */
        EVENT_COUNTER_RESET,    /* a register that begins anew: series, value the reading, previous the one before */
        EVENT_CLOCK,            /* the clock was set: value the step in ms */
        EVENT_ACTION,           /* somebody asked for something: text what, and what became of it; value the number
                                 * that was to be written */
        EVENT_REMOTE_WRITE,     /* text: whom it is about, and what became of what was sent there */
        EVENT_KINDS
};
extern const char *const event_kind_names[EVENT_KINDS];   /* "started", ... */

struct event {
        uint64_t number;                /* the cursor; never used twice, across crashes too */
        int64_t utc_ms;                 /* valid when has_time */
        bool has_time;                  /* false: the clock could not be trusted */
        enum event_kind kind;
        char meter[EVENT_METER_MAX + 1];    /* "" for the gateway itself */
        char series[EVENT_SERIES_MAX + 1];  /* "" where it is about none */
        char text[EVENT_TEXT_MAX + 1];      /* the particulars, in words: the API puts a sentence around them. It
                                             * counts for what is a repeat, so no figures here */
        bool has_value, has_previous;
        int64_t value, previous;        /* in the series' resolution */
        uint8_t decimals;
        uint64_t frame;                 /* number of the raw frame in the meter's frame log, 0: none */
        uint32_t repeats;               /* earlier ones of the same kind, meter, series and text that were only
                                         * counted because another had come less than a minute before; this is the
                                         * last of them. All events together are the sum of 1 + repeats */
};

struct events;

/* directory NULL: memory only, numbers begin with 1. It exists and is locked by the store. io NULL: the system's
 * calls. A file that is not ours or damaged as a whole is renamed aside. Fails only without memory: what is wrong
 * with the file is told by events_error. */
int events_new(const char *directory, const struct store_io *io, struct events **ret);
/* What was only counted so far is written, everything is synced. */
struct events *events_free(struct events *e);
static inline void events_freep(struct events **e) { events_free(*e); }

/* Adds an event (number and repeats are filled in). Written to the file at once, synced with events_sync; a repeat is
 * counted, and written when its minute is over. A meter's state is always written, for coming back to it is news,
 * until there were EVENTS_PER_MINUTE events of the meter. */
void events_put(struct events *e, uint64_t boot_ms, const struct event *event);

/* Writes the repeats whose minute is over, and syncs: what was written is on the disk now. 0 when there was nothing
 * to do; -errno: see events_error. To be called every flush, and about every minute when that is longer. */
int events_sync(struct events *e, uint64_t boot_ms);

/* The oldest event with a number above after. False when there is none newer. */
bool events_next(const struct events *e, uint64_t after, struct event *ret);
/* Numbers below may have been given out, none above. */
uint64_t events_end(const struct events *e);

const char *events_error(const struct events *e);  /* "" when all is well, else why only memory is left */
const char *events_note(const struct events *e);   /* for the log: a file that was set aside; "": nothing */
