/* The file: one, zero-filled, of fixed size, with two superblocks, schemas, scratch pages for checkpoints and the
 * three rings. Knows pages, not rows. Long work (creating, resizing, scanning) is done in slices so that it never
 * holds up the loop. Only pwrite, pread and fdatasync touch the disk; the file's size never changes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "history/page.h"

#define STORE_FILE_NAME    "history.ring"
#define STORE_ERROR_MAX    256
#define STORE_MIN_BYTES    (2u * 1024 * 1024)
#define STORE_SCHEMAS_MAX  128
#define STORE_SCRATCH      64       /* pages written in turn, to spread the hot writes */
#define STORE_RESERVE      65536    /* row numbers that may be handed out before the first checkpoint is safe */

/* How the store reaches its file: the system's calls, or those of a test that drops, tears and refuses writes. Both
 * return -1 with errno set. */
struct store_io {
        ssize_t (*pread)(void *userdata, int fd, void *buf, size_t len, off_t offset);
        ssize_t (*pwrite)(void *userdata, int fd, const void *buf, size_t len, off_t offset);
        int (*start_sync)(void *userdata, int fd);   /* begins to write out; may do nothing */
        int (*sync)(void *userdata, int fd);
        void *userdata;
};
extern const struct store_io store_system_io;

struct store_options {
        const char *directory;
        uint64_t size_bytes;            /* 0: take the file as it is (tools) */
        bool read_only;                 /* look only: no lock, nothing is created */
        const struct store_io *io;      /* NULL: the system */
};

struct store;

/* Opens or begins to create the file, and locks it. A file of an unknown version, of another machine's byte order or
 * not ours is renamed aside (NAME.set-aside-N) and never written. A file of another size is to be resized: its newest
 * pages are kept. On failure error says what is wrong and what to do, in one line naming the path. */
int store_open(const struct store_options *options, struct store **ret, char error[STORE_ERROR_MAX]);

/* Does a slice of what is to be done before pages can be read: 1 there is more, 0 ready, -errno it cannot be (the
 * words are in store_error). */
int store_step(struct store *s);
void store_progress(const struct store *s, uint64_t *ret_done, uint64_t *ret_total);
struct store *store_free(struct store *s);
static inline void store_freep(struct store **s) { store_free(*s); }

/* Notes for the log that came up (a file set aside, damaged pages, a resize): NULL when there are no more. */
const char *store_next_note(struct store *s);

/* ---- from here on it is ready ---- */

/* What a crash has left of the open raw page: the checkpoint that continues the newest sealed page. False: none.
 * page is PAGE_BYTES long. */
bool store_recovered(const struct store *s, uint8_t *page);
uint64_t store_reserved(const struct store *s);       /* row numbers below may have been handed out */
bool store_is_writable(const struct store *s);

/* The seq that the next page of this ring will have; pages oldest .. next - 1 may be there. */
uint64_t store_next_seq(const struct store *s, enum history_tier tier);
uint64_t store_oldest_seq(const struct store *s, enum history_tier tier);
uint64_t store_n_pages(const struct store *s, enum history_tier tier);

struct page_info {
        bool valid;
        int64_t t_min, t_max;           /* ticks, rounded outwards to whole seconds */
        uint32_t n_values;
        uint16_t schema;                /* of all its chunks; SCHEMA_NONE: several */
};
struct page_info store_page_info(const struct store *s, enum history_tier tier, uint64_t seq);

/* 0, -ENOENT when it is not there, -EBADMSG when damaged, -errno. */
int store_read(struct store *s, enum history_tier tier, uint64_t seq, uint8_t *page);

/* Writes a finished page, header.seq being store_next_seq, in its slot. Not on the disk before the next store_sync.
 * -EROFS, -EIO, -ENOSPC...: from the first failure on the store is not writable any more. */
int store_append(struct store *s, const uint8_t *page);
/* Writes a checkpoint of the open raw page (version > 0, seq of the raw page to come) into the next scratch page. */
int store_checkpoint(struct store *s, const uint8_t *page);
int store_start_sync(struct store *s);
int store_sync(struct store *s);
/* All pages below this seq are on the disk. */
uint64_t store_synced(const struct store *s, enum history_tier tier);
bool store_is_dirty(const struct store *s);           /* something was written since the last store_sync */

/* Schemas by slot; NULL where there is none. */
const struct schema *store_schema(const struct store *s, unsigned slot);
/* Writes a new one into a slot that no page refers to, with the next serial, and syncs. -ENOSPC: no slot is free. */
int store_add_schema(struct store *s, const struct schema *schema, unsigned *ret_slot);
/* From now on rows of this slot are about to be written (or no more): its slot is not given away. */
void store_hold_schema(struct store *s, unsigned slot, bool held);

struct store_stats {
        uint64_t bytes_allocated;
        uint64_t n_pages[TIER_COUNT], used_pages[TIER_COUNT], damaged_pages[TIER_COUNT];
        uint64_t values[TIER_COUNT];     /* in the pages that are there */
        uint64_t written_bytes;          /* since it was opened */
        const char *error;               /* "" or why it is not writable */
};
struct store_stats store_stats(const struct store *s);
const char *store_error(const struct store *s);
