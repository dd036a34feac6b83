/* Rows in order of their numbers. Chunks of a page hold one schema's rows each; a page is decoded as a whole and its
 * rows are put back in order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "history/query.h"

#define NO_CHUNK UINT16_MAX
/* Pages of ours hold fewer values: ticks, numbers and masks, and two for each of a counter. */
#define VALUES_MAX (RAW_COLUMNS * PAGE_ROWS_MAX + 2 * HISTORY_OPEN_VALUES)

/* Where the streams of a chunk have come to. A stream takes at least a byte of the page: there are fewer of them. */
struct cursor {
        uint32_t at, end;               /* in values */
};

struct page_chunk {
        const struct schema *schema;
        uint64_t serial;                /* when it was decoded: a slot may have got another schema since */
        unsigned slot, first_cursor;
};

struct samples {
        struct history *history;
        uint64_t after;                 /* number of the last row that was given */
        uint64_t seq, generation, schemas_generation;
        bool page_open, at_end, has_schemas;
        const struct schema *schemas[STORE_SCHEMAS_MAX];

        uint8_t page[PAGE_BYTES];
        struct page_header header;
        unsigned next_row, n_chunks, n_cursors;
        struct page_chunk chunks[STORE_SCHEMAS_MAX];
        uint16_t chunk_of[PAGE_ROWS_MAX];       /* by row */
        struct cursor cursors[PAGE_BYTES];
        int64_t *values;                /* as large as the largest page so far needed */
        size_t n_values, cap;
};

struct samples *samples_free(struct samples *s) {
        if (s) {
                free(s->values);
                free(s);
        }
        return NULL;
}

/* The first page from seq on that can be read. False when there is none before end. */
static bool read_from(struct history *h, uint64_t *seq, uint64_t end, uint8_t *page, struct page_header *ret) {
        for (; *seq < end; ++*seq)
                if (history_page(h, TIER_RAW, *seq, page) >= 0) {
                        page_get_header(page, ret);
                        return true;
                }
        return false;
}

/* The page of the first row above after; the last one when there is none: it may be the open one. */
static void find_page(struct samples *s) {
        uint64_t low = history_oldest(s->history, TIER_RAW), high = history_end(s->history, TIER_RAW), last;

        while (low < high) {
                uint64_t middle = low + (high - low) / 2, seq = middle;

                if (!read_from(s->history, &seq, high, s->page, &s->header)
                    || s->header.first_number + s->header.n_rows > s->after + 1)
                        high = middle;
                else
                        low = seq + 1;
        }
        last = history_end(s->history, TIER_RAW);
        s->seq = low > 0 && low >= last ? last - 1 : low;
}

int samples_new(struct history *h, uint64_t after, struct samples **ret) {
        struct samples *s;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->history = h;
        s->after = after;
        find_page(s);
        *ret = s;
        return 0;
}

static void learn_schemas(struct samples *s) {
        uint64_t generation = history_generation(s->history);
        const struct schema *schema;
        const char *meter;
        unsigned slot;

        if (s->has_schemas && s->schemas_generation == generation)
                return;
        memset(s->schemas, 0, sizeof s->schemas);
        for (unsigned m = 0; (meter = history_meter_id(s->history, m)); m++)
                for (unsigned i = 0; (schema = history_schema(s->history, meter, i, &slot)); i++)
                        if (slot < STORE_SCHEMAS_MAX)
                                s->schemas[slot] = schema;
        s->has_schemas = true;
        s->schemas_generation = generation;
}

static int make_room(struct samples *s, size_t n) {
        int64_t *values;

        if (s->n_values + n > VALUES_MAX)
                return -EBADMSG;
        if (s->n_values + n <= s->cap)
                return 0;
        values = realloc(s->values, (s->n_values + n) * 2 * sizeof *values);
        if (!values)
                return -ENOMEM;
        s->values = values;
        s->cap = (s->n_values + n) * 2;
        return 0;
}

static int decode_stream(struct samples *s, const struct chunk_reader *chunk, unsigned stream) {
        struct stream_reader reader;
        struct cursor *c;
        int r;

        if (s->n_cursors == PAGE_BYTES || !stream_open(&reader, chunk, stream))
                return -EBADMSG;
        r = make_room(s, reader.left);
        if (r < 0)
                return r;
        c = &s->cursors[s->n_cursors++];
        c->at = (uint32_t) s->n_values;
        while ((r = stream_next(&reader, &s->values[s->n_values])) > 0)
                s->n_values++;
        c->end = (uint32_t) s->n_values;
        return r;
}

/* Which rows of the page this chunk has. */
static int place_rows(struct samples *s, unsigned chunk, unsigned n_rows) {
        const struct cursor *numbers = &s->cursors[s->chunks[chunk].first_cursor + RAW_NUMBER];

        if (numbers->end - numbers->at != n_rows)
                return -EBADMSG;
        for (uint32_t i = numbers->at; i < numbers->end; i++) {
                uint64_t row = (uint64_t) s->values[i];

                if (row >= s->header.n_rows || s->chunk_of[row] != NO_CHUNK
                    || (i > numbers->at && s->values[i - 1] >= s->values[i]))
                        return -EBADMSG;
                s->chunk_of[row] = (uint16_t) chunk;
        }
        return 0;
}

static int decode_chunk(struct samples *s, const struct chunk_reader *r) {
        struct page_chunk *chunk = &s->chunks[s->n_chunks];
        int error;

        if (r->schema >= STORE_SCHEMAS_MAX || !s->schemas[r->schema])
                return 0;       /* its rows count as lost */
        if (s->n_chunks == STORE_SCHEMAS_MAX
            || r->n_streams != page_stream_count(s->schemas[r->schema], TIER_RAW))
                return -EBADMSG;
        *chunk = (struct page_chunk) {
                .schema = s->schemas[r->schema], .serial = s->schemas[r->schema]->serial, .slot = r->schema,
                .first_cursor = s->n_cursors,
        };
        for (unsigned i = 0; i < r->n_streams; i++) {
                error = decode_stream(s, r, i);
                if (error < 0)
                        return error;
        }
        error = place_rows(s, s->n_chunks, r->n_rows);
        s->n_chunks++;
        return error;
}

static int decode_page(struct samples *s) {
        struct chunk_reader r;

        learn_schemas(s);
        page_get_header(s->page, &s->header);
        s->next_row = s->n_chunks = s->n_cursors = 0;
        s->n_values = 0;
        memset(s->chunk_of, 0xff, sizeof s->chunk_of);
        page_chunks(&r, s->page);
        while (page_next_chunk(&r)) {
                int error = decode_chunk(s, &r);

                if (error < 0)
                        return error;
        }
        return 0;
}

static bool take(struct samples *s, unsigned cursor, int64_t *ret) {
        struct cursor *c = &s->cursors[cursor];

        if (c->at == c->end)
                return false;
        *ret = s->values[c->at++];
        return true;
}

static bool take_column(struct samples *s, const struct schema_column *column, unsigned *cursor, bool present,
                        int64_t *ret_value, int64_t *ret_total) {
        bool is_counter = column->kind == COLUMN_COUNTER;
        unsigned at = *cursor;
        int64_t more;

        *cursor += is_counter ? 2 : 1;
        *ret_value = *ret_total = 0;
        if (!present)
                return true;
        if (!take(s, at, ret_value))
                return false;
        return !is_counter || (take(s, at + 1, &more) && !__builtin_add_overflow(*ret_value, more, ret_total));
}

/* The next row of a chunk; false: the page is damaged. */
static bool take_row(struct samples *s, const struct page_chunk *chunk, struct sample *ret) {
        const struct schema *schema = chunk->schema;
        unsigned cursor = chunk->first_cursor + RAW_COLUMNS;
        int64_t tick, mask;

        if (schema->serial != chunk->serial || !take(s, chunk->first_cursor + RAW_TICK, &tick)
            || !take(s, chunk->first_cursor + RAW_MASK, &mask)
            || __builtin_add_overflow(s->header.t_min, tick, &ret->tick))
                return false;
        ret->row.mask = (uint64_t) mask;
        for (unsigned i = 0; i < schema->n_columns; i++)
                if (!take_column(s, &schema->columns[i], &cursor, (uint64_t) mask >> i & 1, &ret->row.values[i],
                                 &ret->row.totals[i]))
                        return false;
        ret->slot = chunk->slot;
        ret->schema = schema;
        return true;
}

/* The next row of the open page: 1, 0 at its end. */
static int next_in_page(struct samples *s, struct sample *ret) {
        while (s->next_row < s->header.n_rows) {
                unsigned row = s->next_row++;

                if (s->chunk_of[row] == NO_CHUNK)
                        continue;
                if (!take_row(s, &s->chunks[s->chunk_of[row]], ret))
                        return 0;
                ret->number = s->header.first_number + row;
                if (ret->number <= s->after)
                        continue;
                ret->lost = ret->number - s->after - 1;
                s->after = ret->number;
                return 1;
        }
        return 0;
}

/* The last page may be the open one: it is kept until there is another one behind it. */
static int open_page(struct samples *s) {
        uint64_t generation = history_generation(s->history);
        int r;

        if (s->seq < history_oldest(s->history, TIER_RAW))
                s->seq = history_oldest(s->history, TIER_RAW);
        if (s->seq >= history_end(s->history, TIER_RAW) || (s->at_end && s->generation == generation))
                return 0;
        r = history_page(s->history, TIER_RAW, s->seq, s->page);
        s->generation = history_generation(s->history);
        s->at_end = s->seq + 1 >= history_end(s->history, TIER_RAW);
        s->seq += !s->at_end;
        if (r >= 0)
                r = decode_page(s);
        if (r == -ENOMEM)
                return r;
        s->page_open = r >= 0;
        return 1;
}

int samples_next(struct samples *s, unsigned max_pages, struct sample *ret) {
        for (unsigned n_pages = 0;;) {
                int r;

                if (s->page_open && next_in_page(s, ret) > 0)
                        return 1;
                s->page_open = false;
                if (n_pages++ >= max_pages && n_pages > 1)
                        return -EAGAIN;
                r = open_page(s);
                if (r <= 0)
                        return r;
        }
}

uint64_t samples_oldest(struct history *h) {
        uint64_t seq = history_oldest(h, TIER_RAW);
        struct page_header header;
        uint8_t page[PAGE_BYTES];

        return read_from(h, &seq, history_end(h, TIER_RAW), page, &header) ? header.first_number : samples_end(h);
}

uint64_t samples_end(const struct history *h) {
        return history_stats(h).next_number;
}
