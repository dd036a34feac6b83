/* What the parts of the store share: store.c (pages of a ready store), store_open.c (names, the lock, what is there),
 * store_create.c (a new file, for the first time or of another size), store_scan.c (looking through a file, and
 * recovery), store_schema.c (slots). */
#pragma once

#include <limits.h>

#include "history/store.h"
#include "history/superblock.h"

#define SLICE_PAGES      64                 /* zeros of a slice: 256 KiB */
#define SCAN_SLICE_PAGES 16                 /* 64 KiB: 3 ms from a card */
#define IN_FLIGHT_MAX    64                 /* pages of a ring that may be written and not synced */
#define SEQ_NONE         UINT64_MAX
#define SEQ_DAMAGED      (UINT64_MAX - 1)  /* something is there and it is no good page */
#define SEQ_END          (UINT64_C(1) << 56)/* a seq beyond can only be nonsense; sums cannot overflow */
#define NOTES_MAX        8

/* Of a page in a slot. t_min_s > t_max_s: there is none. */
struct index_entry {
        uint32_t t_min_s, t_max_s;          /* until 2106 */
        uint32_t n_values : 24, schema : 8; /* schema SCHEMA_SEVERAL: of several */
};
#define SCHEMA_SEVERAL 0xffu

struct ring {
        struct index_entry *index;          /* by slot */
        uint64_t *seqs;                     /* by slot, while it is being looked through; then NULL */
        uint64_t next, oldest, synced;
        uint64_t used, values, damaged;
};

/* A file of pages and what is known of it. */
struct pages_file {
        int fd;                             /* -1: none */
        struct superblock superblock;
        unsigned newest_copy;               /* of the superblocks */
        bool copy_damaged;                  /* the other one */
        struct ring rings[TIER_COUNT];
};

struct schema_slot {
        struct schema *schema;              /* owned; stays where it is when the slot gets another */
        bool held;
        uint64_t referred[TIER_COUNT];      /* pages of the ring below this seq may refer to it */
};

struct scratch_slot {
        uint64_t seq;                       /* SEQ_NONE: nothing is there; SEQ_DAMAGED: no good page */
        uint32_t version;
};

/* SCAN, then if the size is another ZEROS and COPY, else CLEAN; a first file: ZEROS and COPY (of nothing). */
enum store_phase { PHASE_SCAN, PHASE_ZEROS, PHASE_COPY, PHASE_CLEAN, PHASE_READY, PHASE_FAILED };

struct store {
        struct store_io io;
        char *path, *path_new;              /* the file, and while it is being made */
        int directory_fd;                   /* holds the lock */
        bool read_only, writable, dirty;
        int failure;                        /* -errno that ended writing, or the start */
        char error[STORE_ERROR_MAX];

        enum store_phase phase;
        uint32_t wanted_pages;              /* of the file to be made; 0: it stays */
        uint64_t at, done, total;           /* page of the phase; progress */
        unsigned copy_tier;                 /* at is a seq of this ring then */
        uint8_t *slice;                     /* SLICE_PAGES; NULL when ready */
        struct pages_file file, coming;     /* coming: being made */

        uint64_t n_unreadable;
        uint64_t reserved;
        uint64_t found_synced[TIER_COUNT];
        bool recovered;
        uint8_t checkpoint[PAGE_BYTES];
        struct scratch_slot scratch[STORE_SCRATCH];
        uint32_t scratch_at;                /* slot of the next checkpoint */
        uint32_t checkpoints_in_flight;

        struct schema_slot schemas[STORE_SCHEMAS_MAX];

        char notes[NOTES_MAX][STORE_ERROR_MAX];
        unsigned n_notes, notes_taken;
        uint64_t written_bytes;
};

/* ---- store.c ---- */

/* -errno, or 0 with the pages (zeros beyond the end of the file). */
int store_read_pages(struct store *s, int fd, uint32_t page, uint8_t *buf, uint32_t n);
int store_write_pages(struct store *s, int fd, uint32_t page, const uint8_t *buf, uint32_t n);
int store_sync_file(struct store *s, int fd);
/* Writing has come to an end. Returns r. */
int store_fail(struct store *s, int r, const char *what);
void store_note(struct store *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline uint32_t ring_page(const struct superblock *sb, unsigned tier, uint64_t seq) {
        return sb->rings[tier].first + (uint32_t) (seq % sb->rings[tier].count);
}
/* Number of pages of a ring that may be un-synced. */
static inline uint64_t ring_in_flight(uint32_t n_pages) {
        return n_pages / 4 < IN_FLIGHT_MAX ? n_pages / 4 : IN_FLIGHT_MAX;
}
/* Pages below may have been overwritten by such that a power cut then took: if they are missing that is no damage. */
static inline uint64_t ring_expected(uint64_t next, uint32_t n_pages) {
        uint64_t end = next + ring_in_flight(n_pages);

        return end > n_pages ? end - n_pages : 0;
}
static inline bool index_is_valid(const struct index_entry *e) {
        return e->t_min_s <= e->t_max_s;
}
struct index_entry index_make(const struct page_header *header, const uint8_t *page);
static const struct index_entry index_none = { .t_min_s = UINT32_MAX };
int rings_allocate(struct pages_file *f);
void pages_file_close(struct pages_file *f);

/* ---- store_open.c ---- */

/* Nothing that may be of use to somebody is overwritten: path becomes path.set-aside-N. */
int store_rename_aside(const char *path, char ret_aside[PATH_MAX]);

/* ---- store_create.c ---- */

/* Begins a file of s->wanted_pages beside the one there is (or not), with these slots at least. */
int store_create_begin(struct store *s, uint32_t n_schemas);
int store_create_zeros(struct store *s);
int store_create_copy(struct store *s);
void store_create_abandon(struct store *s);

/* ---- store_scan.c ---- */

int store_scan_begin(struct store *s);
int store_scan(struct store *s);
int store_clean(struct store *s);

/* ---- store_schema.c ---- */

int store_schema_found(struct store *s, unsigned slot, const struct schema *schema);
/* A page of the ring with this seq has chunks of these slots. */
void store_schema_refer(struct store *s, unsigned tier, uint64_t seq, const uint8_t *page);
/* Number of slots up to the last that is in use. */
uint32_t store_schema_slots_used(const struct store *s);
