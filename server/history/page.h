/* The page: 4 KiB that stand alone, with a CRC32C over all of it. A header, then chunks of rows; a chunk holds rows
 * of one schema as columns (streams) of codec blocks. The same page is the unit of the rings, of a checkpoint of the
 * open raw page, and of every query. Little-endian. Pure: memory in, memory out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/codec.h"
#include "history/schema.h"
#include "history/tier.h"

#define PAGE_BYTES 4096
#define PAGE_ROWS_MAX 6144      /* rows of a page: one-series traces fill one with so many */

#define PAGE_FLAG_UNSYNCED 1u   /* its times continue an unsynchronised clock */

struct page_header {
        uint8_t tier;
        uint8_t flags;
        uint64_t seq;               /* counts up in its ring; stands at slot seq % pages */
        uint32_t version;           /* 0: sealed; n: n-th checkpoint of the open page */
        uint32_t n_values;          /* one for each series and row in it */
        uint64_t first_number;      /* raw: its rows are first_number .. first_number + n_rows - 1, all of them */
        uint32_t n_rows;
        int64_t t_min, t_max;       /* ticks of its rows; of aggregated ones the first's start, the last's end */
        uint64_t synced[TIER_COUNT];/* when this page was made all pages below these were safely on the disk */
        uint64_t reserved;          /* row numbers below this may have been handed out */
};

/* ---- streams of a chunk ----
 * Raw:        0 tick - t_min, 1 number - first_number, 2 presence mask, then for each column of the schema:
 *             gauge: the values of rows that have one; counter: register readings, then total - reading.
 * Aggregated: 0 bucket start / step - (t_min / step), 1 presence mask, then for each column the fields below, of rows
 *             that have the column. */
enum { RAW_TICK, RAW_NUMBER, RAW_MASK, RAW_COLUMNS };
enum { TIER_TICK, TIER_MASK, TIER_COLUMNS };

/* A bucket of a gauge. Time in ticks. */
enum gauge_field { GAUGE_MIN, GAUGE_MAX, GAUGE_INTEGRAL, GAUGE_COVERED, GAUGE_COUNT, GAUGE_FIRST, GAUGE_LAST,
                   GAUGE_FIELDS };
/* A bucket of a counter: totals never step back; offset is total - register reading of the last. */
enum counter_field { COUNTER_COUNT, COUNTER_FIRST, COUNTER_LAST, COUNTER_OFFSET, COUNTER_FIELDS };

#define STREAMS_MAX (TIER_COLUMNS + SCHEMA_COLUMNS_MAX * GAUGE_FIELDS)

/* The stream at which a column's own begin, in chunks of the tier. */
unsigned page_column_stream(const struct schema *s, enum history_tier tier, unsigned column);
unsigned page_stream_count(const struct schema *s, enum history_tier tier);

/* ---- writing ---- */

struct page_writer {
        uint8_t *page;              /* PAGE_BYTES, the caller's */
        size_t used;
};

/* streams[i] has lengths[i] values (0 allowed). */
struct chunk {
        uint16_t schema;            /* slot */
        uint16_t n_rows;            /* 1..PAGE_ROWS_MAX */
        unsigned n_streams;
        const int64_t *const *streams;
        const uint16_t *lengths;
};

void page_begin(struct page_writer *w, uint8_t *page);
/* Adds a chunk; false, with the page as it was, when it does not fit. */
bool page_add(struct page_writer *w, const struct chunk *chunk);
/* Bytes still free. */
size_t page_room(const struct page_writer *w);
/* Fills the header in and the CRC. The page is complete. */
void page_finish(struct page_writer *w, const struct page_header *header);

/* ---- reading ---- */

/* Checks magic, version of the format, CRC and the structure of all chunks. False: not a good page. */
bool page_read_header(const uint8_t *page, struct page_header *ret);

/* The header of a page that is known to be good. */
void page_get_header(const uint8_t *page, struct page_header *ret);

struct chunk_reader {
        const uint8_t *page;
        size_t next;                /* offset of the next chunk */
        uint16_t schema;
        uint16_t n_rows;
        unsigned n_streams;
        /* private */
        size_t directory, data;
};

/* Goes through the chunks of a good page: begin, then next until false. */
void page_chunks(struct chunk_reader *r, const uint8_t *page);
bool page_next_chunk(struct chunk_reader *r);

/* One stream, decoded a block at a time. */
struct stream_reader {
        const uint8_t *data;
        size_t len;
        unsigned left;              /* values not decoded yet */
        unsigned at, n;             /* values[at..n) are the next */
        int64_t values[CODEC_BLOCK];
};

/* False when the chunk has no such stream. Its number of values is in left. */
bool stream_open(struct stream_reader *s, const struct chunk_reader *chunk, unsigned stream);
/* The next value. 1, 0 at the end, -EBADMSG. */
int stream_next(struct stream_reader *s, int64_t *ret);
