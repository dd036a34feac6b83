#include "history_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "history/history_parts.h"

/* ---- reading ---- */

struct reading {
        struct bench_contents *contents;
        enum history_tier tier;
        const struct schema *schema;
        unsigned slot;
};

static void *grown(void *list, size_t n, size_t *cap, size_t size) {
        if (n < *cap)
                return list;
        *cap = *cap ? *cap * 2 : 1024;
        list = realloc(list, *cap * size);
        assert_non_null(list);
        return list;
}

static void take_row(void *userdata, uint64_t number, int64_t tick, const struct history_row *row) {
        struct reading *r = userdata;
        struct bench_contents *c = r->contents;
        struct bench_row *to;

        c->rows = grown(c->rows, c->n_rows, &c->cap_rows, sizeof c->rows[0]);
        to = &c->rows[c->n_rows++];
        memset(to, 0, sizeof *to);
        to->number = number;
        to->tick = tick;
        to->slot = r->slot;
        to->mask = row->mask;
        assert_true(r->schema->n_columns <= BENCH_COLUMNS);
        for (unsigned i = 0; i < r->schema->n_columns; i++) {
                if (!(row->mask >> i & 1))
                        continue;
                to->values[i] = row->values[i];
                to->totals[i] = r->schema->columns[i].kind == COLUMN_COUNTER ? row->totals[i] : 0;
        }
}

static void add_bucket(struct bench_buckets *b, unsigned slot, const struct schema *schema,
                       const struct bucket *from) {
        struct bench_bucket *to;

        b->list = grown(b->list, b->n, &b->cap, sizeof b->list[0]);
        to = &b->list[b->n++];
        memset(to, 0, sizeof *to);
        to->slot = slot;
        to->start = from->start;
        to->mask = from->mask;
        for (unsigned i = 0; i < schema->n_columns; i++) {
                if (!(from->mask >> i & 1))
                        continue;
                if (schema->columns[i].kind == COLUMN_COUNTER)
                        to->columns[i].counter = from->columns[i].counter;
                else
                        to->columns[i].gauge = from->columns[i].gauge;
        }
}

static void take_bucket(void *userdata, const struct bucket *b) {
        struct reading *r = userdata;

        add_bucket(&r->contents->tiers[r->tier], r->slot, r->schema, b);
}

static void check_info(const struct history *h, enum history_tier tier, uint64_t seq,
                       const struct page_header *header) {
        struct page_info info = history_page_info(h, tier, seq);

        assert_true(info.valid);
        assert_int_equal(header->seq, seq);
        assert_int_equal(header->tier, tier);
        assert_int_equal(info.n_values, header->n_values);
        assert_true(info.t_min <= header->t_min && info.t_min > header->t_min - TICKS_PER_S);
        assert_true(info.t_max >= header->t_max && info.t_max < header->t_max + TICKS_PER_S);
}

static void read_page(struct history *h, struct bench_contents *c, enum history_tier tier, uint64_t seq,
                      int64_t *scratch) {
        struct reading reading = { .contents = c, .tier = tier };
        uint8_t page[PAGE_BYTES];
        struct page_header header;
        struct chunk_reader r;
        int error = history_page(h, tier, seq, page);

        if (error != 0)
                fail_msg("page %llu of tier %d: error %d", (unsigned long long) seq, (int) tier, error);
        assert_true(page_read_header(page, &header));
        check_info(h, tier, seq, &header);
        page_chunks(&r, page);
        while (page_next_chunk(&r)) {
                reading.slot = r.schema;
                reading.schema = schema_at(h, r.schema);
                assert_non_null(reading.schema);
                error = tier == TIER_RAW ? chunk_rows(&r, &header, reading.schema, scratch, take_row, &reading)
                                         : chunk_buckets(&r, &header, reading.schema, scratch, take_bucket, &reading);
                assert_int_equal(error, 0);
        }
}

static int by_number(const void *a, const void *b) {
        const struct bench_row *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

/* Rows of one page. */
static void check_numbers(struct bench_contents *c, size_t first) {
        if (c->n_rows > first)
                qsort(c->rows + first, c->n_rows - first, sizeof c->rows[0], by_number);
        for (size_t i = first; i < c->n_rows; i++) {
                if (i > first)
                        assert_int_equal(c->rows[i].number, c->rows[i - 1].number + 1);
                else if (i > 0)
                        assert_true(c->rows[i].number > c->rows[i - 1].number);
        }
}

static void check_times(const struct bench_contents *c) {
        int64_t newest[STORE_SCHEMAS_MAX] = { 0 };

        for (size_t i = 0; i < c->n_rows; i++) {
                assert_true(c->rows[i].tick > newest[c->rows[i].slot]);
                newest[c->rows[i].slot] = c->rows[i].tick;
        }
}

struct bench_contents *bench_read(struct history *h) {
        struct bench_contents *c = calloc(1, sizeof *c);
        int64_t *scratch = malloc(CHUNK_VALUES * sizeof *scratch);

        assert_non_null(c);
        assert_non_null(scratch);
        for (enum history_tier t = TIER_RAW; t < TIER_COUNT; t++)
                for (uint64_t seq = history_oldest(h, t); seq < history_end(h, t); seq++) {
                        size_t first = c->n_rows;

                        read_page(h, c, t, seq, scratch);
                        if (t == TIER_RAW)
                                check_numbers(c, first);
                }
        check_times(c);
        free(scratch);
        return c;
}

struct bench_contents *bench_free(struct bench_contents *c) {
        for (unsigned t = 0; t < TIER_COUNT; t++)
                free(c->tiers[t].list);
        free(c->rows);
        free(c);
        return NULL;
}

/* ---- making the buckets anew ---- */

struct making {
        const struct history *h;
        enum history_tier tier;
        struct bench_buckets made;
        struct accumulator *accumulators[STORE_SCHEMAS_MAX];
        int64_t last[STORE_SCHEMAS_MAX];
        bool ended[STORE_SCHEMAS_MAX];
        int64_t complete_from[STORE_SCHEMAS_MAX];
        unsigned slot;
};

static void made(void *userdata, const struct bucket *b) {
        struct making *m = userdata;

        add_bucket(&m->made, m->slot, schema_at(m->h, m->slot), b);
}

static void begin_slot(struct making *m, unsigned slot, int64_t tick) {
        const struct schema *schema = schema_at(m->h, slot);

        m->accumulators[slot] = malloc(sizeof *m->accumulators[slot]);
        assert_non_null(m->accumulators[slot]);
        accumulator_init(m->accumulators[slot], schema, tier_step_ticks[m->tier]);
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                const struct schema *old = m->accumulators[i] ? schema_at(m->h, i) : NULL;

                if (!old || m->ended[i] || strcmp(old->meter, schema->meter) != 0 || i == slot)
                        continue;
                m->slot = i;
                if (old->era == schema->era) {
                        accumulator_advance(m->accumulators[i], tick, made, m);
                        accumulator_carry(m->accumulators[slot], m->accumulators[i]);
                } else
                        accumulator_advance(m->accumulators[i], m->last[i] + old->hold_ticks, made, m);
                accumulator_finish(m->accumulators[i], made, m);
                m->ended[i] = true;
        }
}

static void make_row(struct making *m, const struct bench_row *r) {
        struct history_row row = { .mask = r->mask };

        for (unsigned i = 0; i < BENCH_COLUMNS; i++) {
                row.values[i] = r->values[i];
                row.totals[i] = r->totals[i];
        }
        if (!m->accumulators[r->slot])
                begin_slot(m, r->slot, r->tick);
        m->slot = r->slot;
        accumulator_row(m->accumulators[r->slot], r->tick, &row, made, m);
        m->last[r->slot] = r->tick;
}

static int by_slot_and_start(const void *a, const void *b) {
        const struct bench_bucket *x = a, *y = b;

        if (x->slot != y->slot)
                return x->slot < y->slot ? -1 : 1;
        return x->start < y->start ? -1 : x->start > y->start;
}

static void sort(struct bench_buckets *b) {
        if (b->n > 0)
                qsort(b->list, b->n, sizeof b->list[0], by_slot_and_start);
}

/* From which tick on the rows that are there tell everything of a schema. */
static void find_complete(struct making *m, const struct bench_contents *c) {
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                m->complete_from[i] = c->n_rows > 0 && c->rows[0].number == 1 ? 0 : INT64_MAX;
        for (size_t i = c->n_rows; i > 0; i--) {
                const struct bench_row *r = &c->rows[i - 1];

                if (m->complete_from[r->slot] > 0)
                        m->complete_from[r->slot] = r->tick + schema_at(m->h, r->slot)->hold_ticks + 1;
        }
}

static void compare(const struct making *m, const struct bench_buckets *got) {
        size_t k = 0;

        for (size_t i = 0; i < got->n; i++) {
                const struct bench_bucket *b = &got->list[i], *next;

                if (i > 0 && by_slot_and_start(b, b - 1) == 0)
                        fail_msg("%s: bucket %lld of %u twice", tier_names[m->tier], (long long) b->start, b->slot);
                while (k < m->made.n && by_slot_and_start(&m->made.list[k], b) < 0) {
                        if (m->made.list[k].start >= m->complete_from[m->made.list[k].slot])
                                fail_msg("%s: bucket %lld of %u is missing", tier_names[m->tier],
                                         (long long) m->made.list[k].start, m->made.list[k].slot);
                        k++;
                }
                next = k < m->made.n ? &m->made.list[k] : NULL;
                k += next && by_slot_and_start(next, b) == 0;
                if (b->start < m->complete_from[b->slot])
                        continue;
                if (!next || by_slot_and_start(next, b) != 0)
                        fail_msg("%s: bucket %lld of %u is of no rows", tier_names[m->tier], (long long) b->start,
                                 b->slot);
                if (memcmp(next, b, sizeof *b) != 0)
                        fail_msg("%s: bucket %lld of %u is not what its rows make", tier_names[m->tier],
                                 (long long) b->start, b->slot);
        }
        for (; k < m->made.n; k++)
                if (m->made.list[k].start >= m->complete_from[m->made.list[k].slot])
                        fail_msg("%s: bucket %lld of %u is missing at the end", tier_names[m->tier],
                                 (long long) m->made.list[k].start, m->made.list[k].slot);
}

static void check_tier(const struct history *h, const struct bench_contents *c, enum history_tier tier) {
        struct making *m = calloc(1, sizeof *m);
        struct bench_buckets got = c->tiers[tier];

        assert_non_null(m);
        m->h = h;
        m->tier = tier;
        for (size_t i = 0; i < c->n_rows; i++)
                make_row(m, &c->rows[i]);
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                m->slot = i;
                if (m->accumulators[i] && !m->ended[i])
                        accumulator_advance(m->accumulators[i], history_tier_end(h, i, tier), made, m);
        }
        got.list = malloc(got.n * sizeof got.list[0] + 1);
        assert_non_null(got.list);
        if (got.n > 0)
                memcpy(got.list, c->tiers[tier].list, got.n * sizeof got.list[0]);
        sort(&got);
        sort(&m->made);
        find_complete(m, c);
        compare(m, &got);
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                free(m->accumulators[i]);
        free(got.list);
        free(m->made.list);
        free(m);
}

void bench_check_tiers(const struct history *h, const struct bench_contents *c) {
        check_tier(h, c, TIER_MINUTE);
        check_tier(h, c, TIER_QUARTER);
}

/* ---- around it ---- */

void bench_make_ready(struct history *h) {
        unsigned n = 0;
        int r;

        while ((r = history_step(h)) > 0)
                assert_true(++n < 100000);
        assert_int_equal(r, 0);
        assert_true(history_is_ready(h));
}

static char directory[64];

static void empty(void) {
        DIR *d = opendir(directory);
        struct dirent *e;

        while (d && (e = readdir(d))) {
                char path[400];

                snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
                if (e->d_name[0] != '.')
                        unlink(path);
        }
        if (d)
                closedir(d);
}

const char *bench_directory(void) {
        if (directory[0] != '\0') {
                empty();
                return directory;
        }
        snprintf(directory, sizeof directory, "/tmp/metergate-history-XXXXXX");
        assert_non_null(mkdtemp(directory));
        return directory;
}

void bench_remove_directory(void) {
        if (directory[0] == '\0')
                return;
        empty();
        rmdir(directory);
}
