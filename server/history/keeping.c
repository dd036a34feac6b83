#include "history/history_parts.h"

#include <errno.h>

/* A checkpoint has so long to reach the disk by itself; then it is waited for. */
#define SYNC_DELAY_MS 1000
/* Pages kept in memory when the disk is no help. */
#define RAW_PAGES_IN_MEMORY 32

bool can_write(const struct history *h) {
        return h->store && !h->read_only && store_is_writable(h->store);
}

struct page_header header_for(const struct history *h, struct page_header header, enum history_tier tier) {
        header.tier = (uint8_t) tier;
        header.seq = h->rings[tier].end;
        header.reserved = h->limit > h->next_number ? h->limit : h->next_number;
        for (unsigned t = 0; h->store && t < TIER_COUNT; t++)
                header.synced[t] = store_synced(h->store, (enum history_tier) t);
        return header;
}

/* ---- pages ---- */

/* Pages of aggregated tiers whose rows are safe. */
static void write_safe_pages(struct history *h) {
        for (unsigned t = TIER_MINUTE; t < TIER_COUNT; t++) {
                struct page_ring *r = &h->rings[t];

                while (can_write(h) && r->first < r->safe && store_append(h->store, page_ring_at(r, r->first)) == 0)
                        r->first++;
        }
}

static void checkpoint_now(struct history *h) {
        begin_checkpoint(h, false);
        end_checkpoint(h);
}

void keep_tier_page(struct history *h, struct tier_page *t) {
        struct page_ring *r = &h->rings[t->tier];

        if (page_ring_is_full(r) && (!h->read_only || page_ring_grow(r) < 0))
                checkpoint_now(h);
        tier_page_snapshot(t, header_for(h, (struct page_header) { 0 }, t->tier), h->scratch_page);
        page_ring_push(r, h->scratch_page);
        h->generation++;
        tier_page_clear(t);
}

static void put_raw_page(struct history *h, const uint8_t *page) {
        struct page_ring *r = &h->rings[TIER_RAW];

        if (can_write(h) && store_append(h->store, page) == 0) {
                r->first = ++r->end;
                return;
        }
        if (r->cap == 0)
                page_ring_init(r, RAW_PAGES_IN_MEMORY);
        page_ring_push(r, page);
}

void seal_rows(struct history *h) {
        unsigned n = open_page_fill(&h->open);
        struct page_header header = header_for(h, open_page_header(&h->open, n), TIER_RAW);

        page_finish(&h->open.writer, &header);
        put_raw_page(h, h->open.page);
        open_page_drop(&h->open, n);
        h->generation++;
        h->n_sealed++;
        h->is_save_due = true;
}

/* ---- rows ---- */

static void count_row(struct history *h, int64_t tick, const struct history_row *row) {
        h->n_rows++;
        h->n_values += (uint64_t) __builtin_popcountll(row->mask);
        h->newest_tick = tick;
        h->generation++;
        if (!h->is_dirty)
                h->dirty_ms = h->now_ms;
        h->is_dirty = true;
}

/* The row stands in the open page before anything is made of it: a page that is finished by it and written is never
 * newer than what a checkpoint then has. */
void keep_row(struct history *h, unsigned slot, int64_t tick, uint8_t flags, const struct history_row *row) {
        const struct schema *schema = schema_at(h, slot);
        struct live *live;

        while (!open_page_has_room(&h->open, schema, row))
                seal_rows(h);
        if (h->open.n_rows == 0)
                h->open.first_number = h->next_number;
        open_page_add(&h->open, slot, schema, tick, flags, row);
        h->next_number++;
        count_row(h, tick, row);
        if (h->on_row)
                h->on_row(h->on_row_userdata, h->next_number - 1, tick, slot, row);
        live = live_get(h, slot);
        if (live)
                live_row(h, live, h->rings[TIER_RAW].end, tick, row);
        if (open_page_is_complete(&h->open))
                seal_rows(h);
        if (h->next_number > h->limit)
                checkpoint_now(h);
        if (h->is_save_due) {
                h->is_save_due = false;
                lives_save_old(h);
                /* What was saved must be on the disk before the rows it is made of are out of a restart's reach. */
                if (h->n_sealed >= raw_window(h) / 2)
                        checkpoint_now(h);
        }
}

/* ---- checkpoints ---- */

static uint32_t sync_delay(const struct history *h) {
        return h->flush_ms / 4 < SYNC_DELAY_MS ? h->flush_ms / 4 : SYNC_DELAY_MS;
}

uint64_t checkpoint_due(const struct history *h) {
        return h->dirty_ms + h->flush_ms - sync_delay(h);
}

static void mark(struct history *h, uint64_t limit) {
        h->marked_limit = limit;
        h->marked_ms = h->now_ms;
        h->marked_number = h->next_number;
        for (unsigned t = TIER_MINUTE; t < TIER_COUNT; t++)
                h->marked[t] = h->rings[t].end;
        for (unsigned i = 0; i < h->n_devices; i++) {
                if (h->devices[i]->is_new)
                        h->devices[i]->marked = h->devices[i]->newest;
                h->devices[i]->is_new = false;
        }
        h->is_dirty = false;
        h->n_sealed = 0;
        h->is_syncing = true;
        h->sync_ms = h->now_ms + sync_delay(h);
}

void begin_checkpoint(struct history *h, bool last) {
        struct page_header header;
        uint64_t limit = h->next_number + (last ? 0 : STORE_RESERVE);

        if (!can_write(h))
                return;
        while (!open_page_encode(&h->open, h->open.n_rows))
                seal_rows(h);
        header = header_for(h, open_page_header(&h->open, h->open.n_rows), TIER_RAW);
        header.version = ++h->version;
        header.reserved = limit;
        page_finish(&h->open.writer, &header);
        if (store_checkpoint(h->store, h->open.page) == 0 && store_start_sync(h->store) == 0)
                mark(h, limit);
}

int end_checkpoint(struct history *h) {
        int r;

        if (!h->is_syncing)
                return 0;
        h->is_syncing = false;
        r = store_sync(h->store);
        if (r < 0)
                return r;
        h->limit = h->marked_limit;
        h->checkpoint_ms = h->marked_ms;
        h->safe_number = h->marked_number;
        for (unsigned t = TIER_MINUTE; t < TIER_COUNT; t++)
                h->rings[t].safe = h->marked[t];
        for (unsigned i = 0; i < h->n_devices; i++)
                h->devices[i]->safe = h->devices[i]->marked;
        write_safe_pages(h);
        release_schemas(h);
        return 0;
}
