/* The gateway's history on data of the house: opened in a folder, fed in simulated time. */
#pragma once

#include "house.h"
#include "history/history.h"

struct our_history {
        struct history *history;        /* owned */
        unsigned meters[HOUSE_METERS];  /* handles */
        uint64_t next_poll_ms;
};

/* flush_s: between checkpoints. io NULL: the system. */
void our_history_open(struct our_history *o, const char *folder, uint64_t size_bytes, uint32_t flush_s,
                      const struct house *house, const struct store_io *io);
void our_history_append(struct our_history *o, unsigned meter, int64_t at_s, const int32_t values[HOUSE_VALUES]);
/* What the event loop does when it is that time. */
void our_history_tick(struct our_history *o, int64_t at_s);
void our_history_close(struct our_history *o);

/* The system's calls without the waiting for the disk, which the others of the comparison do not do either. */
extern const struct store_io our_history_no_sync;
