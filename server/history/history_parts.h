/* What the files of the history engine share. Raw rows go into one open page of all meters (open_page.c); each schema
 * that is in use makes buckets of its rows into pages of its own (live.c, tier_page.c); everything is written by
 * keeping.c in an order that a power cut cannot spoil; rebuild.c makes the rest complete again at start. */
#pragma once

#include "history/accumulate.h"
#include "history/history.h"
#include "history/integral.h"

/* Values of a chunk as they stand beside each other before they are coded, and after. */
#define CHUNK_VALUES (RAW_COLUMNS * HISTORY_OPEN_ROWS + HISTORY_OPEN_VALUES)

/* Page times fit 32 bits of seconds: up to the end of 2105. */
#define HISTORY_TICK_MAX (INT64_C(4291747199) * TICKS_PER_S)

/* ---- open_page.c: the rows that are in no page yet ---- */

struct open_row {
        int64_t tick;
        uint64_t mask;
        uint16_t first_value, slot;
        uint16_t next;                  /* row of the same schema */
        uint8_t flags;                  /* PAGE_FLAG_... */
};

/* Rows of one schema, as a chain. */
struct open_chain {
        const struct schema *schema;    /* borrowed */
        uint16_t slot, first, last;
};

struct open_page {
        uint64_t first_number;
        unsigned n_rows, n_values, n_chains;
        unsigned check_rows;            /* with so many rows it may be nearly full */
        unsigned encoded_rows;          /* so many are in page; 0: nothing is */
        unsigned fitting_rows;          /* so many are known to fit */
        struct page_writer writer;
        uint8_t page[PAGE_BYTES];
        struct open_chain chains[STORE_SCHEMAS_MAX];
        struct open_row rows[HISTORY_OPEN_ROWS];
        int64_t values[HISTORY_OPEN_VALUES];
        int64_t scratch[CHUNK_VALUES];  /* also for reading chunks at start */
};

void open_page_init(struct open_page *o);
/* False when the row is one too many: the first part has to be sealed before. */
bool open_page_has_room(const struct open_page *o, const struct schema *schema, const struct history_row *row);
void open_page_add(struct open_page *o, unsigned slot, const struct schema *schema, int64_t tick, uint8_t flags,
                   const struct history_row *row);
/* The first n rows into page, without its header. False when they do not fit. */
bool open_page_encode(struct open_page *o, unsigned n);
/* What the header says of the first n rows; the rest of it is zero. */
struct page_header open_page_header(const struct open_page *o, unsigned n);
/* Looks at it when it may be nearly full; true when it is time to seal what fits. */
bool open_page_is_complete(struct open_page *o);
/* Encodes as many rows as fit, or nearly so many. Returns their number. */
unsigned open_page_fill(struct open_page *o);
/* The first n rows are sealed. */
void open_page_drop(struct open_page *o, unsigned n);
/* Puts a recovered page's rows back; false, empty, when it is not what open pages are. */
bool open_page_load(struct history *h, const uint8_t *page);

/* ---- chunk_rows.c: chunks of a page back to rows and buckets ---- */

typedef void (*row_fn)(void *userdata, uint64_t number, int64_t tick, const struct history_row *row);

/* scratch has CHUNK_VALUES places. 0 or -EBADMSG; rows before the bad one were given. */
int chunk_rows(const struct chunk_reader *chunk, const struct page_header *header, const struct schema *schema,
               int64_t *scratch, row_fn fn, void *userdata);
int chunk_buckets(const struct chunk_reader *chunk, const struct page_header *header, const struct schema *schema,
                  int64_t *scratch, bucket_fn fn, void *userdata);

/* ---- page_ring.c: pages in memory ---- */

/* Of aggregated tiers those that wait until the rows they were made of are safe; without a usable file the newest of
 * every tier. */
struct page_ring {
        uint8_t *pages;                 /* NULL: there is no place */
        struct page_info *infos;
        unsigned cap;
        uint64_t first, end;            /* seqs of its pages; end is the seq of the page to come */
        uint64_t safe;                  /* pages below may be written */
};

int page_ring_init(struct page_ring *r, unsigned cap);
void page_ring_free(struct page_ring *r);
bool page_ring_is_full(const struct page_ring *r);
/* Who only looks keeps all pages that the file lacks: what a crash kept from being written. */
int page_ring_grow(struct page_ring *r);
bool page_ring_has(const struct page_ring *r, uint64_t seq);
/* Pushes the oldest one out when it is full. */
void page_ring_push(struct page_ring *r, const uint8_t *page);
const uint8_t *page_ring_at(const struct page_ring *r, uint64_t seq);
struct page_info page_info_of(const struct page_header *header, unsigned schema);

/* ---- tier_page.c: the open page of one schema in an aggregated tier ---- */

#define TIER_BUFFER 64                  /* buckets that are coded together */

struct tier_extent {
        unsigned n_rows, n_values;
        int64_t t_min, t_max;
};

struct tier_range {
        int64_t least, most;
};

struct tier_page {
        enum history_tier tier;
        const struct schema *schema;    /* borrowed */
        uint16_t slot;
        struct accumulator accumulator;
        uint64_t bucket_from;           /* seq of the finer tier from which its open bucket is made, */
        uint64_t page_from;             /* and the open page */
        struct tier_extent extent;      /* of what is in page and buffer */
        struct page_writer writer;
        uint8_t page[PAGE_BYTES];
        unsigned n_streams, n_buffered;
        int64_t *buffer;                /* TIER_BUFFER places for each stream */
        uint16_t *lengths;
        struct tier_range *ranges;      /* of the buffer's streams: no value lies outside */
};

int tier_page_init(struct tier_page *t, enum history_tier tier, unsigned slot, const struct schema *schema);
void tier_page_free(struct tier_page *t);
/* False when it does not fit: the page is complete and has to be finished first. scratch is PAGE_BYTES long. */
bool tier_page_add(struct tier_page *t, const struct bucket *b, uint8_t *scratch);
/* The page with all that is in it, ready to be read. header brings what this file does not know. */
void tier_page_snapshot(const struct tier_page *t, struct page_header header, uint8_t *page);
/* Begins the next page. */
void tier_page_clear(struct tier_page *t);
struct page_info tier_page_info(const struct tier_page *t);

/* ---- live.c: schemas that rows come for ---- */

struct known_row {
        bool known;
        int64_t tick;
        struct history_row row;
};

struct live {
        unsigned slot;
        const struct schema *schema;    /* borrowed */
        bool begun;                     /* a row was taken in */
        int64_t last_tick;              /* of its newest row */
        int64_t seen;                   /* no row can come for times up to here */
        struct known_row found;         /* its newest row at start */
        struct tier_page tiers[TIER_COUNT - 1];
};

/* NULL: no memory. */
struct live *live_get(struct history *h, unsigned slot);
/* The row of this schema, which stands in the raw page seq or a later one. */
void live_row(struct history *h, struct live *live, uint64_t seq, int64_t tick, const struct history_row *row);
/* A stored minute, to make quarters complete. */
void live_minute(struct history *h, struct live *live, uint64_t seq, const struct bucket *b);
/* Finishes and frees those that newer schemas of the same meter have taken over from. */
void lives_end_superseded(struct history *h);
/* Finishes what was made from pages that will be overwritten before long. */
void lives_save_old(struct history *h);
/* Frees it when everything it made is in pages. */
void live_release(struct history *h, unsigned slot);
void lives_free(struct history *h);
/* How many pages the making complete at start may have to go back. */
uint64_t raw_window(const struct history *h);

/* ---- devices.c: meters, their schemas and their time ---- */

struct device {
        struct schema *schema;          /* of the next row to be stored */
        const struct schema *latest;    /* of the next row to come: the same, or that of a change that waits */
        unsigned slot;                  /* SCHEMA_NONE until a row needs one */
        uint64_t unbegun;               /* columns: counters whose first total the slot's schema does not know */
        int64_t seen;                   /* newest tick */
        int64_t stamp;                  /* what the clock said then */
        bool is_new;                    /* newest changed since the last checkpoint */
        struct known_row newest, marked, safe;
        struct integrals integrals;
};

const struct schema *schema_at(const struct history *h, unsigned slot);
static inline uint64_t schema_mask(const struct schema *s) {
        return s->n_columns == 64 ? UINT64_MAX : (UINT64_C(1) << s->n_columns) - 1;
}
const struct schema *newest_schema(const struct history *h, const char *meter, unsigned *ret_slot);
int add_schema(struct history *h, const struct schema *schema, unsigned *ret_slot);
struct device *device_new(const struct schema *schema);
void device_free(struct device *d);
/* Its rows follow this schema from now on; takes it over. */
void device_set_schema(struct device *d, struct schema *schema);
/* Finds out where the meter's rows ended when the program started. */
void device_load(struct history *h, struct device *d);
/* Gives the row its time and stores it. */
void device_row(struct history *h, struct device *d, uint64_t boot_ms, const struct history_row *row);
int device_row_at(struct history *h, struct device *d, int64_t tick, const struct history_row *row);
/* Takes a row's counters over, and its gauges. */
void known_row_take(struct known_row *k, const struct schema *schema, int64_t tick, const struct history_row *row);
/* Slots that nothing refers to any more may be given away. */
void release_schemas(struct history *h);

/* ---- device_slot.c: which schema the next row is of ---- */

/* A slot for the row: that of the meter's newest schema, if it is the same, or a new one in the same era. */
int device_find_slot(struct history *h, struct device *d, const struct history_row *row);
/* The clock was set back: from this tick on another schema, which differs in the era alone. */
int device_begin_era(struct history *h, struct device *d, int64_t tick, const struct history_row *row);

/* ---- waiting.c: rows without a time yet ---- */

/* Entries in words: what, boot-time ms, then a row's mask and values or a change's schema. */
struct waiting {
        uint64_t *words;                /* NULL until something waits */
        unsigned first, n_words;
        unsigned n_rows;
};

void waiting_row(struct history *h, unsigned meter, uint64_t boot_ms, const struct history_row *row);
void waiting_schema(struct history *h, unsigned meter, struct schema *schema);
bool waiting_is_empty(const struct waiting *w);
/* Stores all of them. */
void waiting_drain(struct history *h);
void waiting_free(struct history *h);

/* ---- keeping.c: what is written, and when ---- */

bool can_write(const struct history *h);
/* Puts a row into the open page and everything that is made of it. */
void keep_row(struct history *h, unsigned slot, int64_t tick, uint8_t flags, const struct history_row *row);
/* A finished page of an aggregated tier; its header is completed here. */
void keep_tier_page(struct history *h, struct tier_page *t);
/* Seals as many rows of the open page as fit in one. */
void seal_rows(struct history *h);
/* The last one of a clean end reserves no row numbers: the next start goes on without a gap. */
void begin_checkpoint(struct history *h, bool last);
/* Waits until it is on the disk. 0 or -errno. */
int end_checkpoint(struct history *h);
uint64_t checkpoint_due(const struct history *h);
struct page_header header_for(const struct history *h, struct page_header header, enum history_tier tier);

/* ---- rebuild.c: start-up ---- */

enum rebuild_phase { REBUILD_STORE, REBUILD_MINUTES, REBUILD_ROWS, REBUILD_DONE };

struct rebuild {
        enum rebuild_phase phase;
        uint64_t seq;
        uint64_t minutes_to, rows_from, rows_to;
        uint64_t kept_to;               /* minutes that began in pages below were written */
        uint64_t newest_number;
        bool was_clean;                 /* the last end */
        int64_t *scratch;
        uint64_t done, total;           /* pages */
};

int rebuild_step(struct history *h);
void rebuild_progress(const struct history *h, uint64_t *ret_done, uint64_t *ret_total);

/* ---- history.c ---- */

struct history {
        struct store *store;            /* NULL: memory only */
        struct store *broken_store;     /* one that could not be made ready: for its words */
        char error[STORE_ERROR_MAX];
        uint32_t flush_ms;
        bool read_only;

        struct rebuild rebuild;
        struct open_page open;
        struct page_ring rings[TIER_COUNT];
        struct live *lives[STORE_SCHEMAS_MAX];
        int64_t done[TIER_COUNT][STORE_SCHEMAS_MAX];    /* end of the newest finished bucket */
        struct schema *own_schemas[STORE_SCHEMAS_MAX];  /* those that no file has */
        struct device *devices[HISTORY_METERS_MAX];
        unsigned n_devices;
        struct waiting waiting;

        bool trusted, synchronised, offset_changed;
        int64_t offset_ms;              /* of UTC to boot time, as told */
        int64_t own_offset_ms;          /* and as used while it is not synchronised */
        int64_t newest_tick;            /* of the row with the highest number */

        uint64_t now_ms;                /* boot-time */
        bool is_save_due;               /* lives_save_old has something to look at */
        unsigned n_sealed;              /* raw pages since the last checkpoint */
        bool is_dirty;                  /* rows came since the last checkpoint, */
        uint64_t dirty_ms;              /* the first of them then */
        bool is_syncing;                /* a checkpoint is written and not synced yet, */
        uint64_t sync_ms;               /* which is due then */
        uint32_t version;               /* of the last checkpoint */
        uint64_t marked_limit;          /* as in the checkpoint that is under way, */
        uint64_t marked_ms;             /* which has the rows that came until then, */
        uint64_t marked_number;         /* with numbers below */
        uint64_t limit;                 /* numbers from here on are not given before a checkpoint says so */
        uint64_t marked[TIER_COUNT];    /* ends of the rings then */
        uint64_t checkpoint_ms;         /* the same of the newest that is on the disk; 0: none yet */
        uint64_t safe_number;

        uint64_t next_number, generation, n_rows, n_values, n_dropped;
        history_row_fn on_row;          /* NULL: nobody wants to know */
        void *on_row_userdata;
        uint8_t scratch_page[PAGE_BYTES];
};
