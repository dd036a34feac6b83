#include "history/history_parts.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_PAGES_MAX 512

/* Where finished buckets go. */
struct target {
        struct history *h;
        struct live *live;
};

static struct tier_page *tier_of(struct live *live, enum history_tier tier) {
        return &live->tiers[tier - 1];
}

/* ---- buckets into pages ---- */

/* A bucket of very many columns with very large values is more than a page: each half of its columns then stands for
 * itself, as rows of the same time. */
static void add_bucket(struct history *h, struct tier_page *t, const struct bucket *b) {
        struct bucket half = *b;
        unsigned n = (unsigned) __builtin_popcountll(b->mask);

        if (tier_page_add(t, b, h->scratch_page))
                return;
        if (t->extent.n_rows > 0) {
                keep_tier_page(h, t);
                if (tier_page_add(t, b, h->scratch_page))
                        return;
        }
        for (n /= 2; n > 0; n--)
                half.mask &= half.mask - 1;
        if (half.mask == b->mask)
                return;
        add_bucket(h, t, &half);
        half.mask = b->mask & ~half.mask;
        add_bucket(h, t, &half);
}

/* At start: its page was written long ago, and the ring may have gone round since. */
static bool is_surely_kept(const struct history *h, const struct tier_page *t) {
        return h->rebuild.phase == REBUILD_ROWS && t->tier == TIER_MINUTE && t->bucket_from < h->rebuild.kept_to;
}

/* False when a page that was there at start has it already. */
static bool keep_bucket(struct history *h, struct tier_page *t, const struct bucket *b) {
        int64_t *done = &h->done[t->tier][t->slot];

        if (b->start < *done || is_surely_kept(h, t))
                return false;
        *done = b->start + tier_step_ticks[t->tier];
        add_bucket(h, t, b);
        return true;
}

static void quarter_done(void *userdata, const struct bucket *b) {
        struct target *to = userdata;

        keep_bucket(to->h, tier_of(to->live, TIER_QUARTER), b);
}

/* What its accumulator has open was made from this seq on. */
static void note_from(struct tier_page *t, bool was_open, int64_t start, uint64_t seq) {
        if (t->accumulator.open && (!was_open || t->accumulator.bucket.start != start))
                t->bucket_from = seq;
}

static void add_minute(struct history *h, struct live *live, uint64_t seq, const struct bucket *b) {
        struct target to = { h, live };
        struct tier_page *t = tier_of(live, TIER_QUARTER);
        bool was_open = t->accumulator.open;
        int64_t start = t->accumulator.bucket.start;

        if (b->start < h->done[TIER_QUARTER][live->slot])
                return;
        accumulator_bucket(&t->accumulator, b, quarter_done, &to);
        note_from(t, was_open, start, seq);
}

static void minute_done(void *userdata, const struct bucket *b) {
        struct target *to = userdata;

        if (keep_bucket(to->h, tier_of(to->live, TIER_MINUTE), b))
                add_minute(to->h, to->live, to->h->rings[TIER_MINUTE].end, b);
}

/* ---- time and rows ---- */

static void advance(struct history *h, struct live *live, int64_t tick) {
        struct target to = { h, live };

        accumulator_advance(&tier_of(live, TIER_MINUTE)->accumulator, tick, minute_done, &to);
        accumulator_advance(&tier_of(live, TIER_QUARTER)->accumulator, tick, quarter_done, &to);
        if (tick > live->seen)
                live->seen = tick;
}

static void finish(struct history *h, struct live *live) {
        struct target to = { h, live };

        accumulator_finish(&tier_of(live, TIER_MINUTE)->accumulator, minute_done, &to);
        accumulator_finish(&tier_of(live, TIER_QUARTER)->accumulator, quarter_done, &to);
}

static void live_free(struct live *live) {
        for (unsigned i = 0; i < TIER_COUNT - 1; i++)
                tier_page_free(&live->tiers[i]);
        free(live);
}

void live_release(struct history *h, unsigned slot) {
        struct live *live = h->lives[slot];

        for (unsigned i = 0; i < TIER_COUNT - 1; i++)
                if (live->tiers[i].accumulator.open || live->tiers[i].extent.n_rows > 0)
                        return;
        h->lives[slot] = NULL;
        live_free(live);
}

void lives_free(struct history *h) {
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                if (h->lives[i])
                        live_free(h->lives[i]);
}

/* No more rows will come: what it has goes into pages. */
static void end(struct history *h, struct live *live) {
        finish(h, live);
        for (enum history_tier t = TIER_MINUTE; t < TIER_COUNT; t++)
                if (tier_of(live, t)->extent.n_rows > 0)
                        keep_tier_page(h, tier_of(live, t));
        h->lives[live->slot] = NULL;
        live_free(live);
}

struct live *live_get(struct history *h, unsigned slot) {
        const struct schema *schema = schema_at(h, slot);
        struct live *live = h->lives[slot];

        if (live || !schema)
                return live;
        live = calloc(1, sizeof *live);
        if (!live)
                return NULL;
        live->slot = slot;
        live->schema = schema;
        live->last_tick = live->seen = h->done[TIER_MINUTE][slot];
        for (enum history_tier t = TIER_MINUTE; t < TIER_COUNT; t++)
                if (tier_page_init(tier_of(live, t), t, slot, schema) < 0) {
                        live_free(live);
                        return NULL;
                }
        return h->lives[slot] = live;
}

static bool is_older(const struct live *a, const struct live *b) {
        return a != b && strcmp(a->schema->meter, b->schema->meter) == 0 && a->schema->serial < b->schema->serial;
}

/* This schema takes over from the meter's older ones. Within an era values in effect go on in it. */
static void take_over(struct history *h, struct live *live, int64_t tick) {
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                struct live *old = h->lives[i];

                if (!old || !is_older(old, live))
                        continue;
                if (old->schema->era == live->schema->era) {
                        advance(h, old, tick);
                        accumulator_carry(&tier_of(live, TIER_MINUTE)->accumulator,
                                          &tier_of(old, TIER_MINUTE)->accumulator);
                } else
                        advance(h, old, old->last_tick + old->schema->hold_ticks);
                end(h, old);
        }
}

void lives_end_superseded(struct history *h) {
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                for (unsigned k = 0; h->lives[i] && k < STORE_SCHEMAS_MAX; k++)
                        if (h->lives[k] && is_older(h->lives[i], h->lives[k]))
                                end(h, h->lives[i]);
}

void live_row(struct history *h, struct live *live, uint64_t seq, int64_t tick, const struct history_row *row) {
        struct target to = { h, live };
        struct tier_page *t = tier_of(live, TIER_MINUTE);
        bool was_open = t->accumulator.open;
        int64_t start = t->accumulator.bucket.start;

        if (!live->begun)
                take_over(h, live, tick);
        live->begun = true;
        if (!was_open)
                t->bucket_from = seq;
        accumulator_row(&t->accumulator, tick, row, minute_done, &to);
        note_from(t, was_open, start, seq);
        accumulator_advance(&tier_of(live, TIER_QUARTER)->accumulator, tick, quarter_done, &to);
        live->last_tick = tick;
        if (tick > live->seen)
                live->seen = tick;
}

void live_minute(struct history *h, struct live *live, uint64_t seq, const struct bucket *b) {
        add_minute(h, live, seq, b);
}

/* ---- before pages are overwritten ---- */

uint64_t raw_window(const struct history *h) {
        uint64_t quarter = h->store ? store_n_pages(h->store, TIER_RAW) / 4 : WINDOW_PAGES_MAX;

        return quarter < WINDOW_PAGES_MAX ? quarter : WINDOW_PAGES_MAX;
}

static uint64_t window(const struct history *h, enum history_tier tier) {
        return tier == TIER_MINUTE ? raw_window(h) : store_n_pages(h->store, TIER_MINUTE) / 2;
}

/* The end of the bucket in which its values cease to hold, if no more rows come. */
static int64_t last_bucket_end(const struct live *live, const struct tier_page *t) {
        int64_t step = tier_step_ticks[t->tier], open_end = t->accumulator.bucket.start + step;
        int64_t held_end = (live->last_tick + live->schema->hold_ticks + step - 1) / step * step;

        return held_end > open_end ? held_end : open_end;
}

/* What was made from pages before the limit is finished: its open bucket, too, for so long nothing came. */
static void save_old(struct history *h, struct live *live, enum history_tier tier, uint64_t limit) {
        struct tier_page *t = tier_of(live, tier);

        if (t->accumulator.open && t->bucket_from < limit)
                advance(h, live, last_bucket_end(live, t));
        if (t->extent.n_rows > 0 && t->page_from < limit)
                keep_tier_page(h, t);
}

void lives_save_old(struct history *h) {
        for (enum history_tier tier = TIER_MINUTE; can_write(h) && tier < TIER_COUNT; tier++) {
                uint64_t end_seq = h->rings[tier - 1].end, back = window(h, tier);

                for (unsigned i = 0; end_seq > back && i < STORE_SCHEMAS_MAX; i++)
                        if (h->lives[i])
                                save_old(h, h->lives[i], tier, end_seq - back);
        }
}
