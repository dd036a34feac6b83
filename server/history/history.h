/* The history of all meters: takes rows, keeps them in the store's rings and gives them back as pages. Owns the
 * store, the open pages, the accumulating buckets and the rows that wait for a clock. One thread; nothing here blocks
 * longer than one write. Times come in from outside, so tests run it with plain numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/page.h"
#include "history/schema.h"
#include "history/store.h"

#define HISTORY_METERS_MAX  32
#define HISTORY_OPEN_ROWS   PAGE_ROWS_MAX  /* of the open raw page */
#define HISTORY_OPEN_VALUES 16384
#define HISTORY_WAITING_MAX 4096           /* rows that wait until the file is scanned and the clock can be trusted:
                                            * three meters at 1 Hz for ten minutes need 1800 */

struct history_options {
        const char *directory;          /* NULL: no file, the newest pages stay in memory only (demo, tests) */
        uint64_t size_bytes;
        uint32_t flush_ms;              /* between checkpoints: at most this much is lost when the power is cut */
        bool read_only;                 /* tools: the rows as the newest checkpoint has them */
        const struct store_io *io;      /* NULL: the system */
};

/* The values of a row, by column. Counters carry their never decreasing total beside the register reading. */
struct history_row {
        uint64_t mask;                              /* bit i: column i has a value */
        int64_t values[SCHEMA_COLUMNS_MAX];         /* gauges: the value; counters: the register reading */
        int64_t totals[SCHEMA_COLUMNS_MAX];         /* counters only */
};

struct history;

/* error as in store_open. A file that cannot be used is no failure here: the history then works from memory and
 * history_error says why. -ENOMEM, -EINVAL otherwise. */
int history_new(const struct history_options *options, struct history **ret, char error[STORE_ERROR_MAX]);
/* Writes a last checkpoint and syncs. */
struct history *history_free(struct history *h);
static inline void history_freep(struct history **h) { history_free(*h); }

/* A slice of the start-up: scanning, resizing, making the aggregated tiers complete again. 1: call again;
 * 0: ready. */
int history_step(struct history *h);
bool history_is_ready(const struct history *h);
void history_progress(const struct history *h, uint64_t *ret_done, uint64_t *ret_total);

/* What is known of the time: UTC ms = boot ms + offset. trusted false: no row gets a time yet. synchronised false: an
 * earlier time than that of the newest row is not believed and time goes on from there. */
void history_set_clock(struct history *h, uint64_t now_boot_ms, bool trusted, bool synchronised, int64_t offset_ms);

/* Makes the meter's rows follow this schema from now on (serial, era and era_start are filled in); a handle that
 * stays the same for a meter's id. -ENOSPC: too many meters. */
int history_define(struct history *h, const struct schema *schema, unsigned *ret_meter);

/* A row of that moment (boot-time ms). It may wait; it is never refused. Rows of one meter are at least a tick apart:
 * a second one in the same tick moves to the next. */
void history_append(struct history *h, unsigned meter, uint64_t boot_ms, const struct history_row *row);

/* fn is called with every row as soon as it has its number; it must not call the history. */
typedef void (*history_row_fn)(void *userdata, uint64_t number, int64_t tick, unsigned slot,
                               const struct history_row *row);
void history_on_row(struct history *h, history_row_fn fn, void *userdata);

/* A row with a given time, for import. -EEXIST: not newer than the meter's newest row; -ERANGE: a value beyond
 * HISTORY_VALUE_MAX or a time out of range (years 1970 to 2105); -EAGAIN: not ready yet; -EROFS: read only;
 * -ENOSPC: no slot for its schema is free; -errno of the store. */
int history_append_at(struct history *h, unsigned meter, int64_t tick, const struct history_row *row);

/* Does what is due: checkpoints, syncs. Returns the boot-time ms of the next call. */
uint64_t history_poll(struct history *h, uint64_t now_boot_ms);

/* A checkpoint and a sync now. 0 or -errno. */
int history_flush(struct history *h);

/* The newest row of a meter as it would survive a power cut now, or was found at start: its totals and readings are
 * where counters go on. False when there is none. */
bool history_newest_safe(const struct history *h, unsigned meter, int64_t *ret_tick, struct history_row *ret);
/* The newest row, safe or not. Rows that wait for a time do not count. */
bool history_newest(const struct history *h, unsigned meter, int64_t *ret_tick, struct history_row *ret);
/* Only its time, by the meter's id. */
bool history_newest_tick(const struct history *h, const char *meter, int64_t *ret_tick);

/* Whether nothing was lost when the program last ended: what it showed then is what is known now. */
bool history_ended_cleanly(const struct history *h);

/* ---- for queries ---- */

/* Pages of a tier in the order they were made, open ones included: seq goes from history_oldest up to, not including,
 * history_end. Beyond the sealed pages come those that only memory has; of the raw tier one (the open page), of the
 * others one for each schema that has an open page. */
uint64_t history_oldest(const struct history *h, enum history_tier tier);
uint64_t history_end(const struct history *h, enum history_tier tier);
struct page_info history_page_info(const struct history *h, enum history_tier tier, uint64_t seq);
/* 0, -ENOENT, -EBADMSG, -errno. Reading the open raw page may seal its first part, which then is what is read: the
 * rest comes with the next seq. */
int history_page(struct history *h, enum history_tier tier, uint64_t seq, uint8_t *page);

/* Changes whenever a page was sealed or a row was added: while it stays, seq and pages mean the same. Sealed pages
 * keep their seq for ever (until the ring has gone round). */
uint64_t history_generation(const struct history *h);

/* Schemas of a meter by id, in order of their making: the i-th; NULL past the last. ret_slot is what chunks carry. */
const struct schema *history_schema(const struct history *h, const char *meter, unsigned i, unsigned *ret_slot);
/* The very first total that was ever stored of a counter: it stays known when the ring has gone round.
 * False: none was. */
bool history_first_total(const struct history *h, const char *meter, const char *key, int64_t *ret_total,
                         unsigned *ret_decimals);
/* The schema in a slot that a row or a chunk names, NULL when there is none. A slot may be given to another schema
 * once none of its rows is left: the serial tells. */
const struct schema *history_slot_schema(const struct history *h, unsigned slot);
/* Ids of all meters that have rows or had; NULL past the last. */
const char *history_meter_id(const struct history *h, unsigned i);

/* A schema's rows count in the half-open stretch [from, to) of ticks only: where the clock was set back, times that
 * exist twice belong to the older era up to the end of the quarter hour in which the newer one begins, and to the
 * newer one from then on. All edges are multiples of 15 minutes, so that every tier tells the same. */
void history_visible(const struct history *h, unsigned slot, int64_t *ret_from, int64_t *ret_to);

/* End of the newest finished bucket of this schema in an aggregated tier (ticks): from there on finer tiers tell. */
int64_t history_tier_end(const struct history *h, unsigned slot, enum history_tier tier);

struct history_stats {
        struct store_stats store;
        uint64_t rows, values;          /* taken in since start */
        uint64_t waiting, dropped;      /* rows that wait, and that found no place to wait */
        uint64_t next_number;
        uint64_t safe_number;           /* rows with numbers below survive a power cut; 0: none does */
        uint64_t last_checkpoint_ms;    /* boot-time; what came until then does; 0: none yet */
};
struct history_stats history_stats(const struct history *h);
const char *history_error(const struct history *h);    /* "" when all is well; else one line for people */
const char *history_next_note(struct history *h);      /* for the log; NULL: no more */
