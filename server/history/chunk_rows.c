#include "history/history_parts.h"

#include <errno.h>

/* A chunk's streams, each with the place of its next value. */
struct decoded {
        const int64_t *next[STREAMS_MAX];
        const int64_t *end[STREAMS_MAX];
};

static int decode_stream(const struct chunk_reader *chunk, unsigned stream, int64_t *out, size_t cap, size_t *ret_n) {
        struct stream_reader s;
        size_t n;

        if (!stream_open(&s, chunk, stream) || s.left > cap)
                return -EBADMSG;
        n = s.left;
        for (size_t i = 0; i < n; i++)
                if (stream_next(&s, &out[i]) <= 0)
                        return -EBADMSG;
        *ret_n = n;
        return 0;
}

/* The first n_whole streams have a value for every row. */
static int decode(const struct chunk_reader *chunk, unsigned n_streams, unsigned n_whole, int64_t *scratch,
                  struct decoded *d) {
        size_t at = 0, n = 0;

        if (chunk->n_streams != n_streams)
                return -EBADMSG;
        for (unsigned i = 0; i < n_streams; i++) {
                int r = decode_stream(chunk, i, scratch + at, CHUNK_VALUES - at, &n);

                if (r < 0)
                        return r;
                if (i < n_whole && n != chunk->n_rows)
                        return -EBADMSG;
                d->next[i] = scratch + at;
                at += n;
                d->end[i] = scratch + at;
        }
        return 0;
}

/* Sums of what a page says wrap around: what comes out is checked. */
static int64_t plus(int64_t a, int64_t b) {
        return (int64_t) ((uint64_t) a + (uint64_t) b);
}

static bool is_time(int64_t tick) {
        return tick >= 0 && tick <= HISTORY_TICK_MAX;
}

static bool is_value(int64_t v) {
        return v >= -HISTORY_VALUE_MAX && v <= HISTORY_VALUE_MAX;
}

/* True when each of a column's streams has one more value. */
static bool has_next(const struct decoded *d, unsigned stream, unsigned n) {
        for (unsigned i = stream; i < stream + n; i++)
                if (d->next[i] == d->end[i])
                        return false;
        return true;
}

static bool next_row(struct decoded *d, const struct schema *schema, struct history_row *row) {
        unsigned stream = RAW_COLUMNS;

        row->mask = (uint64_t) *d->next[RAW_MASK]++;
        if (row->mask & ~schema_mask(schema))
                return false;
        for (unsigned i = 0; i < schema->n_columns; i++) {
                unsigned n = schema->columns[i].kind == COLUMN_COUNTER ? 2 : 1;

                if (row->mask >> i & 1) {
                        if (!has_next(d, stream, n))
                                return false;
                        row->values[i] = *d->next[stream]++;
                        row->totals[i] = n == 2 ? plus(row->values[i], *d->next[stream + 1]++) : 0;
                        if (!is_value(row->values[i]) || !is_value(row->totals[i]))
                                return false;
                }
                stream += n;
        }
        return true;
}

int chunk_rows(const struct chunk_reader *chunk, const struct page_header *header, const struct schema *schema,
               int64_t *scratch, row_fn fn, void *userdata) {
        struct history_row row;
        struct decoded d;
        int r;

        r = decode(chunk, page_stream_count(schema, TIER_RAW), RAW_COLUMNS, scratch, &d);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < chunk->n_rows; i++) {
                int64_t tick = plus(header->t_min, *d.next[RAW_TICK]++);
                uint64_t number = header->first_number + (uint64_t) *d.next[RAW_NUMBER]++;

                if (!is_time(tick) || !next_row(&d, schema, &row))
                        return -EBADMSG;
                fn(userdata, number, tick, &row);
        }
        return 0;
}

static void take_gauge(struct decoded *d, unsigned stream, struct gauge_bucket *g) {
        *g = (struct gauge_bucket) {
                .min = *d->next[stream + GAUGE_MIN]++, .max = *d->next[stream + GAUGE_MAX]++,
                .integral = *d->next[stream + GAUGE_INTEGRAL]++, .covered = *d->next[stream + GAUGE_COVERED]++,
                .count = *d->next[stream + GAUGE_COUNT]++, .first = *d->next[stream + GAUGE_FIRST]++,
                .last = *d->next[stream + GAUGE_LAST]++,
        };
}

static void take_counter(struct decoded *d, unsigned stream, struct counter_bucket *c) {
        *c = (struct counter_bucket) {
                .count = *d->next[stream + COUNTER_COUNT]++, .first = *d->next[stream + COUNTER_FIRST]++,
                .last = *d->next[stream + COUNTER_LAST]++, .offset = *d->next[stream + COUNTER_OFFSET]++,
        };
}

static bool next_bucket(struct decoded *d, const struct schema *schema, struct bucket *b) {
        unsigned stream = TIER_COLUMNS;

        b->mask = (uint64_t) *d->next[TIER_MASK]++;
        if (b->mask & ~schema_mask(schema))
                return false;
        for (unsigned i = 0; i < schema->n_columns; i++) {
                bool is_counter = schema->columns[i].kind == COLUMN_COUNTER;
                unsigned n = is_counter ? COUNTER_FIELDS : GAUGE_FIELDS;

                if (b->mask >> i & 1) {
                        if (!has_next(d, stream, n))
                                return false;
                        if (is_counter)
                                take_counter(d, stream, &b->columns[i].counter);
                        else
                                take_gauge(d, stream, &b->columns[i].gauge);
                }
                stream += n;
        }
        return true;
}

int chunk_buckets(const struct chunk_reader *chunk, const struct page_header *header, const struct schema *schema,
                  int64_t *scratch, bucket_fn fn, void *userdata) {
        enum history_tier tier = (enum history_tier) header->tier;
        int64_t step = tier_step_ticks[tier];
        struct bucket b;
        struct decoded d;
        int r;

        r = decode(chunk, page_stream_count(schema, tier), TIER_COLUMNS, scratch, &d);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < chunk->n_rows; i++) {
                int64_t place = plus(header->t_min / step, *d.next[TIER_TICK]++);

                if (!is_time(place) || !is_time(b.start = place * step) || !next_bucket(&d, schema, &b))
                        return -EBADMSG;
                fn(userdata, &b);
        }
        return 0;
}
