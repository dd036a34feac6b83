/* The header, 88 bytes, little-endian as everything:
 *
 *    0 u32 magic "HPG1"    4 u32 CRC32C of bytes 8..4095   8 u64 seq
 *   16 u32 version        20 u8 tier                      21 u8 flags
 *   22 u16 chunks         24 u16 end of the last chunk    26 u16 rows of all chunks
 *   28 u32 values         32 u64 first number             40 i64 first tick    48 i64 last tick
 *   56 u64 synced[3]      80 u64 reserved
 *
 * A chunk:
 *
 *    0 u16 schema          2 u16 rows                      4 u16 its bytes, these included
 *    6 u8 codec            7 varint streams
 *      for each stream: varint 2 * its bytes + (1: its number of values follows as a varint; 0: as many as the stream
 *      before it, the first one as many as there are rows)
 *      the streams: blocks of 128 values, the last one of what is left */
#include "history/page.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "history/varint.h"

#define MAGIC 0x31475048u     /* "HPG1": another layout gets another number */
#define HEADER_BYTES 88
#define CHUNK_HEADER 7

enum { AT_MAGIC = 0, AT_CRC = 4, AT_SEQ = 8, AT_VERSION = 16, AT_TIER = 20, AT_FLAGS = 21, AT_CHUNKS = 22,
       AT_USED = 24, AT_ROWS = 26, AT_VALUES = 28, AT_FIRST_NUMBER = 32, AT_T_MIN = 40, AT_T_MAX = 48, AT_SYNCED = 56,
       AT_RESERVED = 80 };
enum { AT_SCHEMA = 0, AT_CHUNK_ROWS = 2, AT_CHUNK_BYTES = 4, AT_CODEC = 6 };

static uint32_t checksum(const uint8_t *page) {
        return crc32c(page + AT_SEQ, PAGE_BYTES - AT_SEQ);
}

unsigned page_column_stream(const struct schema *s, enum history_tier tier, unsigned column) {
        unsigned stream = tier == TIER_RAW ? RAW_COLUMNS : TIER_COLUMNS;

        for (unsigned i = 0; i < column; i++) {
                bool is_counter = s->columns[i].kind == COLUMN_COUNTER;

                if (tier == TIER_RAW)
                        stream += is_counter ? 2 : 1;
                else
                        stream += is_counter ? COUNTER_FIELDS : GAUGE_FIELDS;
        }
        return stream;
}

unsigned page_stream_count(const struct schema *s, enum history_tier tier) {
        return page_column_stream(s, tier, s->n_columns);
}

/* ---- writing ---- */

void page_begin(struct page_writer *w, uint8_t *page) {
        memset(page, 0, PAGE_BYTES);
        *w = (struct page_writer) { .page = page, .used = HEADER_BYTES };
}

size_t page_room(const struct page_writer *w) {
        return PAGE_BYTES - w->used;
}

/* Returns the bytes written; false in ret_fits when cap was too small for them. */
static size_t encode_stream(const int64_t *values, size_t n, uint8_t *out, size_t cap, bool *ret_fits) {
        size_t used = 0;

        *ret_fits = true;
        for (size_t i = 0; i < n && *ret_fits; i += CODEC_BLOCK) {
                size_t n_block = n - i < CODEC_BLOCK ? n - i : CODEC_BLOCK;
                size_t bytes = codec_encode(values + i, n_block, out + used, cap - used);

                *ret_fits = bytes > 0;
                used += bytes;
        }
        return used;
}

bool page_add(struct page_writer *w, const struct chunk *chunk) {
        uint8_t directory[VARINT_MAX + STREAMS_MAX * 4], data[PAGE_BYTES], *d = directory, *out = w->page + w->used;
        size_t data_bytes = 0, bytes, n_before = chunk->n_rows;
        bool fits;

        assert(chunk->n_streams <= STREAMS_MAX && chunk->n_rows > 0 && chunk->n_rows <= PAGE_ROWS_MAX);
        d = varint_put(d, chunk->n_streams);
        for (unsigned i = 0; i < chunk->n_streams; i++) {
                size_t n = chunk->lengths[i];

                assert(n <= chunk->n_rows);
                bytes = encode_stream(chunk->streams[i], n, data + data_bytes, sizeof data - data_bytes, &fits);
                if (!fits)
                        return false;
                data_bytes += bytes;
                d = varint_put(d, bytes << 1 | (n != n_before));
                if (n != n_before)
                        d = varint_put(d, n);
                n_before = n;
        }
        bytes = CHUNK_HEADER + (size_t) (d - directory) + data_bytes;
        if (bytes > page_room(w) || get_le16(w->page + AT_ROWS) + chunk->n_rows > PAGE_ROWS_MAX)
                return false;
        put_le16(out + AT_SCHEMA, chunk->schema);
        put_le16(out + AT_CHUNK_ROWS, chunk->n_rows);
        put_le16(out + AT_CHUNK_BYTES, (uint16_t) bytes);
        out[AT_CODEC] = CODEC_ID;
        memcpy(out + CHUNK_HEADER, directory, (size_t) (d - directory));
        memcpy(out + bytes - data_bytes, data, data_bytes);
        put_le16(w->page + AT_CHUNKS, get_le16(w->page + AT_CHUNKS) + 1);
        put_le16(w->page + AT_ROWS, get_le16(w->page + AT_ROWS) + chunk->n_rows);
        w->used += bytes;
        return true;
}

void page_finish(struct page_writer *w, const struct page_header *header) {
        uint8_t *page = w->page;

        assert(header->n_rows == get_le16(page + AT_ROWS) && header->tier < TIER_COUNT);
        put_le32(page + AT_MAGIC, MAGIC);
        put_le64(page + AT_SEQ, header->seq);
        put_le32(page + AT_VERSION, header->version);
        page[AT_TIER] = header->tier;
        page[AT_FLAGS] = header->flags;
        put_le16(page + AT_USED, (uint16_t) w->used);
        put_le32(page + AT_VALUES, header->n_values);
        put_le64(page + AT_FIRST_NUMBER, header->first_number);
        put_le64(page + AT_T_MIN, (uint64_t) header->t_min);
        put_le64(page + AT_T_MAX, (uint64_t) header->t_max);
        for (unsigned i = 0; i < TIER_COUNT; i++)
                put_le64(page + AT_SYNCED + 8 * i, header->synced[i]);
        put_le64(page + AT_RESERVED, header->reserved);
        put_le32(page + AT_CRC, checksum(page));
}

/* ---- reading ---- */

/* A stream's line of the directory. *p moves behind it; *n_values is that of the stream before. */
static bool read_entry(const uint8_t **p, const uint8_t *end, size_t *ret_bytes, size_t *n_values) {
        uint64_t entry, n = *n_values;

        if (!varint_get(p, end, &entry) || ((entry & 1) && !varint_get(p, end, &n)))
                return false;
        if (entry >> 1 > PAGE_BYTES || n > PAGE_ROWS_MAX)
                return false;
        *ret_bytes = (size_t) (entry >> 1);
        *n_values = (size_t) n;
        return true;
}

/* The chunk at offset. False when it does not lie before limit as a whole or its directory does not add up: the
 * streams must fill it to its end. */
static bool open_chunk(struct chunk_reader *r, size_t offset, size_t limit) {
        const uint8_t *chunk = r->page + offset, *p = chunk + CHUNK_HEADER, *end;
        size_t bytes, n_values, sum = 0;
        uint64_t n_streams;

        if (limit - offset < CHUNK_HEADER)
                return false;
        bytes = get_le16(chunk + AT_CHUNK_BYTES);
        n_values = get_le16(chunk + AT_CHUNK_ROWS);
        if (bytes < CHUNK_HEADER || bytes > limit - offset || n_values == 0 || n_values > PAGE_ROWS_MAX)
                return false;
        end = chunk + bytes;
        if (chunk[AT_CODEC] != CODEC_ID || !varint_get(&p, end, &n_streams) || n_streams > STREAMS_MAX)
                return false;
        r->schema = get_le16(chunk + AT_SCHEMA);
        r->n_rows = (uint16_t) n_values;
        r->n_streams = (unsigned) n_streams;
        r->directory = (size_t) (p - r->page);
        for (unsigned i = 0; i < r->n_streams; i++) {
                size_t stream_bytes;

                if (!read_entry(&p, end, &stream_bytes, &n_values) || n_values > r->n_rows)
                        return false;
                sum += stream_bytes;
        }
        r->data = (size_t) (p - r->page);
        r->next = offset + bytes;
        return sum == (size_t) (end - p);
}

static bool check_chunks(const uint8_t *page) {
        size_t used = get_le16(page + AT_USED);
        unsigned n_rows = 0;
        struct chunk_reader r = { .page = page, .next = HEADER_BYTES };

        if (used < HEADER_BYTES || used > PAGE_BYTES)
                return false;
        for (unsigned i = get_le16(page + AT_CHUNKS); i > 0; i--) {
                if (!open_chunk(&r, r.next, used))
                        return false;
                n_rows += r.n_rows;
        }
        return r.next == used && n_rows == get_le16(page + AT_ROWS) && n_rows <= PAGE_ROWS_MAX;
}

void page_get_header(const uint8_t *page, struct page_header *ret) {
        *ret = (struct page_header) {
                .tier = page[AT_TIER], .flags = page[AT_FLAGS], .seq = get_le64(page + AT_SEQ),
                .version = get_le32(page + AT_VERSION), .n_values = get_le32(page + AT_VALUES),
                .first_number = get_le64(page + AT_FIRST_NUMBER), .n_rows = get_le16(page + AT_ROWS),
                .t_min = (int64_t) get_le64(page + AT_T_MIN), .t_max = (int64_t) get_le64(page + AT_T_MAX),
                .reserved = get_le64(page + AT_RESERVED),
        };
        for (unsigned i = 0; i < TIER_COUNT; i++)
                ret->synced[i] = get_le64(page + AT_SYNCED + 8 * i);
}

bool page_read_header(const uint8_t *page, struct page_header *ret) {
        struct page_header h;

        if (get_le32(page + AT_MAGIC) != MAGIC || get_le32(page + AT_CRC) != checksum(page))
                return false;
        page_get_header(page, &h);
        if (h.tier >= TIER_COUNT || h.t_min > h.t_max || !check_chunks(page))
                return false;
        *ret = h;
        return true;
}

void page_chunks(struct chunk_reader *r, const uint8_t *page) {
        *r = (struct chunk_reader) { .page = page, .next = HEADER_BYTES };
}

bool page_next_chunk(struct chunk_reader *r) {
        return open_chunk(r, r->next, get_le16(r->page + AT_USED));
}

bool stream_open(struct stream_reader *s, const struct chunk_reader *chunk, unsigned stream) {
        const uint8_t *p = chunk->page + chunk->directory, *data = chunk->page + chunk->data;
        size_t bytes = 0, n_values = chunk->n_rows;

        if (stream >= chunk->n_streams)
                return false;
        for (unsigned i = 0; i <= stream; i++) {
                data += bytes;
                if (!read_entry(&p, chunk->page + chunk->data, &bytes, &n_values))
                        return false;
        }
        s->data = data;
        s->len = bytes;
        s->left = (unsigned) n_values;
        s->at = s->n = 0;
        return true;
}

int stream_next(struct stream_reader *s, int64_t *ret) {
        ssize_t bytes;

        if (s->at == s->n) {
                unsigned n = s->left < CODEC_BLOCK ? s->left : CODEC_BLOCK;

                if (n == 0)
                        return s->len == 0 ? 0 : -EBADMSG;
                bytes = codec_decode(s->data, s->len, n, s->values);
                if (bytes < 0)
                        return -EBADMSG;
                s->data += bytes;
                s->len -= (size_t) bytes;
                s->left -= n;
                s->at = 0;
                s->n = n;
        }
        *ret = s->values[s->at++];
        return 1;
}
