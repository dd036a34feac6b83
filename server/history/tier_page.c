#include "history/history_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a chunk has beside its streams is not more. */
#define CHUNK_EXTRA_BYTES(n_streams) (16 + 4 * (size_t) (n_streams))

int tier_page_init(struct tier_page *t, enum history_tier tier, unsigned slot, const struct schema *schema) {
        memset(t, 0, sizeof *t);
        t->tier = tier;
        t->slot = (uint16_t) slot;
        t->schema = schema;
        t->n_streams = page_stream_count(schema, tier);
        accumulator_init(&t->accumulator, schema, tier_step_ticks[tier]);
        t->buffer = malloc(t->n_streams * TIER_BUFFER * sizeof t->buffer[0]);
        t->lengths = calloc(t->n_streams, sizeof t->lengths[0]);
        t->ranges = malloc(t->n_streams * sizeof t->ranges[0]);
        if (!t->buffer || !t->lengths || !t->ranges) {
                tier_page_free(t);
                return -ENOMEM;
        }
        page_begin(&t->writer, t->page);
        return 0;
}

void tier_page_free(struct tier_page *t) {
        free(t->buffer);
        free(t->lengths);
        free(t->ranges);
        t->buffer = NULL;
        t->lengths = NULL;
        t->ranges = NULL;
}

static void put(struct tier_page *t, unsigned stream, int64_t value) {
        struct tier_range *range = &t->ranges[stream];
        unsigned n = t->lengths[stream]++;

        t->buffer[stream * TIER_BUFFER + n] = value;
        if (n == 0 || value < range->least)
                range->least = value;
        if (n == 0 || value > range->most)
                range->most = value;
}

static void put_gauge(struct tier_page *t, unsigned stream, const struct gauge_bucket *g) {
        put(t, stream + GAUGE_MIN, g->min);
        put(t, stream + GAUGE_MAX, g->max);
        put(t, stream + GAUGE_INTEGRAL, g->integral);
        put(t, stream + GAUGE_COVERED, g->covered);
        put(t, stream + GAUGE_COUNT, g->count);
        put(t, stream + GAUGE_FIRST, g->first);
        put(t, stream + GAUGE_LAST, g->last);
}

static void put_counter(struct tier_page *t, unsigned stream, const struct counter_bucket *c) {
        put(t, stream + COUNTER_COUNT, c->count);
        put(t, stream + COUNTER_FIRST, c->first);
        put(t, stream + COUNTER_LAST, c->last);
        put(t, stream + COUNTER_OFFSET, c->offset);
}

static unsigned fields(const struct schema *schema, unsigned column) {
        return schema->columns[column].kind == COLUMN_COUNTER ? COUNTER_FIELDS : GAUGE_FIELDS;
}

static void put_bucket(struct tier_page *t, const struct bucket *b) {
        int64_t step = tier_step_ticks[t->tier];
        unsigned stream = TIER_COLUMNS;

        if (t->extent.n_rows++ == 0)
                t->extent.t_min = b->start;
        t->extent.t_max = b->start + step;
        t->extent.n_values += (unsigned) __builtin_popcountll(b->mask);
        put(t, TIER_TICK, (b->start - t->extent.t_min) / step);
        put(t, TIER_MASK, (int64_t) b->mask);
        for (unsigned i = 0; i < t->schema->n_columns; stream += fields(t->schema, i++)) {
                if (!(b->mask >> i & 1))
                        continue;
                if (t->schema->columns[i].kind == COLUMN_COUNTER)
                        put_counter(t, stream, &b->columns[i].counter);
                else
                        put_gauge(t, stream, &b->columns[i].gauge);
        }
        t->n_buffered++;
}

/* The reverse, of the last one. */
static void take_back(struct tier_page *t, const struct bucket *b) {
        unsigned stream = TIER_COLUMNS;

        t->lengths[TIER_TICK]--;
        t->lengths[TIER_MASK]--;
        for (unsigned i = 0; i < t->schema->n_columns; stream += fields(t->schema, i++))
                for (unsigned k = 0; (b->mask >> i & 1) && k < fields(t->schema, i); k++)
                        t->lengths[stream + k]--;
        t->n_buffered--;
}

static bool add_buffer(const struct tier_page *t, struct page_writer *w) {
        const int64_t *streams[STREAMS_MAX];
        struct chunk chunk = { .schema = t->slot, .n_rows = (uint16_t) t->n_buffered, .n_streams = t->n_streams,
                               .streams = streams, .lengths = t->lengths };

        for (unsigned i = 0; i < t->n_streams; i++)
                streams[i] = t->buffer + i * TIER_BUFFER;
        return page_add(w, &chunk);
}

/* The buffer goes into the page; it is known to fit. */
static void commit(struct tier_page *t) {
        if (t->n_buffered > 0)
                add_buffer(t, &t->writer);
        t->n_buffered = 0;
        memset(t->lengths, 0, t->n_streams * sizeof t->lengths[0]);
}

/* At most so many bytes come of the buffer. */
static size_t buffer_bound(const struct tier_page *t) {
        size_t bytes = CHUNK_EXTRA_BYTES(t->n_streams);

        for (unsigned i = 0; i < t->n_streams; i++)
                if (t->lengths[i] > 0)
                        bytes += codec_bound(t->ranges[i].least, t->ranges[i].most, t->lengths[i]);
        return bytes;
}

/* Encoded to see it only where the bound does not tell. */
static bool buffer_fits(const struct tier_page *t, uint8_t *scratch) {
        struct page_writer w = t->writer;

        if (buffer_bound(t) <= page_room(&w))
                return true;
        memcpy(scratch, t->page, PAGE_BYTES);
        w.page = scratch;
        return add_buffer(t, &w);
}

bool tier_page_add(struct tier_page *t, const struct bucket *b, uint8_t *scratch) {
        struct tier_extent before;

        if (t->n_buffered == TIER_BUFFER)
                commit(t);
        if (t->extent.n_rows == 0)
                t->page_from = t->bucket_from;
        before = t->extent;
        put_bucket(t, b);
        if (buffer_fits(t, scratch))
                return true;
        take_back(t, b);
        t->extent = before;
        return false;
}

void tier_page_snapshot(const struct tier_page *t, struct page_header header, uint8_t *page) {
        struct page_writer w = t->writer;

        memcpy(page, t->page, PAGE_BYTES);
        w.page = page;
        if (t->n_buffered > 0)
                add_buffer(t, &w);
        header.tier = (uint8_t) t->tier;
        header.n_rows = t->extent.n_rows;
        header.n_values = t->extent.n_values;
        header.t_min = t->extent.t_min;
        header.t_max = t->extent.t_max;
        page_finish(&w, &header);
}

void tier_page_clear(struct tier_page *t) {
        page_begin(&t->writer, t->page);
        t->extent = (struct tier_extent) { 0 };
        t->n_buffered = 0;
        memset(t->lengths, 0, t->n_streams * sizeof t->lengths[0]);
}

struct page_info tier_page_info(const struct tier_page *t) {
        struct page_header h = { .t_min = t->extent.t_min, .t_max = t->extent.t_max, .n_values = t->extent.n_values };

        return page_info_of(&h, t->slot);
}
