#include "history/history_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Pages of aggregated tiers that wait in memory. */
#define MINUTE_PAGES 16
#define QUARTER_PAGES 8

#define QUARTER_TICKS (900 * TICKS_PER_S)

/* ---- begin and end ---- */

static int open_store(struct history *h, const struct history_options *options, char error[STORE_ERROR_MAX]) {
        struct store_options so = { .directory = options->directory, .size_bytes = options->size_bytes,
                                    .read_only = options->read_only, .io = options->io };
        int r;

        if (!options->directory)
                return 0;
        r = store_open(&so, &h->store, error);
        if (r < 0 && !options->read_only) {
                snprintf(h->error, sizeof h->error, "%s", error);
                return 0;
        }
        return r;
}

int history_new(const struct history_options *options, struct history **ret, char error[STORE_ERROR_MAX]) {
        CLEANUP(history_freep) struct history *h = calloc(1, sizeof *h);
        int r;

        error[0] = '\0';
        if (!h)
                return -ENOMEM;
        open_page_init(&h->open);
        if (page_ring_init(&h->rings[TIER_MINUTE], MINUTE_PAGES) < 0 ||
            page_ring_init(&h->rings[TIER_QUARTER], QUARTER_PAGES) < 0)
                return -ENOMEM;
        h->flush_ms = options->flush_ms;
        h->read_only = options->read_only;
        h->next_number = h->limit = 1;
        r = open_store(h, options, error);
        if (r < 0)
                return r;
        h->rebuild.phase = h->store ? REBUILD_STORE : REBUILD_DONE;
        *ret = TAKE(h);
        return 0;
}

/* Numbers that are reserved and not given are given back by the last checkpoint. */
static void end_cleanly(struct history *h) {
        if (!history_is_ready(h) || (!h->is_dirty && !h->is_syncing && h->limit == h->next_number))
                return;
        begin_checkpoint(h, true);
        end_checkpoint(h);
}

struct history *history_free(struct history *h) {
        if (!h)
                return NULL;
        end_cleanly(h);
        waiting_free(h);
        for (unsigned i = 0; i < h->n_devices; i++)
                device_free(h->devices[i]);
        lives_free(h);
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                free(h->own_schemas[i]);
        for (unsigned t = 0; t < TIER_COUNT; t++)
                page_ring_free(&h->rings[t]);
        free(h->rebuild.scratch);
        store_free(h->store);
        store_free(h->broken_store);
        free(h);
        return NULL;
}

static bool has_time(const struct history *h) {
        return history_is_ready(h) && h->trusted;
}

static void store_waiting(struct history *h) {
        if (has_time(h) && !waiting_is_empty(&h->waiting))
                waiting_drain(h);
}

int history_step(struct history *h) {
        int r = history_is_ready(h) ? 0 : rebuild_step(h);

        if (r == 0)
                store_waiting(h);
        return r;
}

bool history_is_ready(const struct history *h) {
        return h->rebuild.phase == REBUILD_DONE;
}

void history_progress(const struct history *h, uint64_t *ret_done, uint64_t *ret_total) {
        rebuild_progress(h, ret_done, ret_total);
}

/* ---- rows ---- */

void history_set_clock(struct history *h, uint64_t now_boot_ms, bool trusted, bool synchronised, int64_t offset_ms) {
        h->now_ms = now_boot_ms;
        h->offset_changed |= offset_ms != h->offset_ms || trusted != h->trusted || synchronised != h->synchronised;
        h->trusted = trusted;
        h->synchronised = synchronised;
        h->offset_ms = offset_ms;
        store_waiting(h);
}

static bool is_good(const struct schema *schema) {
        if (schema->meter[0] == '\0' || schema->n_columns == 0 || schema->n_columns > SCHEMA_COLUMNS_MAX)
                return false;
        for (unsigned i = 0; i < schema->n_columns; i++)
                if (schema->columns[i].key[0] == '\0' || schema_find(schema, schema->columns[i].key) != (int) i)
                        return false;
        return true;
}

static int new_device(struct history *h, const struct schema *schema, unsigned *ret_meter) {
        struct device *d;

        if (h->n_devices == HISTORY_METERS_MAX)
                return -ENOSPC;
        d = device_new(schema);
        if (!d)
                return -ENOMEM;
        *ret_meter = h->n_devices;
        h->devices[h->n_devices++] = d;
        if (history_is_ready(h))
                device_load(h, d);
        return 0;
}

static int change_schema(struct history *h, unsigned meter, const struct schema *schema) {
        struct device *d = h->devices[meter];
        struct schema *copy = malloc(sizeof *copy);

        if (!copy)
                return -ENOMEM;
        *copy = *schema;
        d->latest = copy;
        if (waiting_is_empty(&h->waiting))
                device_set_schema(d, copy);
        else
                waiting_schema(h, meter, copy);
        return 0;
}

int history_define(struct history *h, const struct schema *schema, unsigned *ret_meter) {
        int r = 0;

        if (!is_good(schema))
                return -EINVAL;
        for (unsigned i = 0; i < h->n_devices; i++) {
                if (strcmp(h->devices[i]->schema->meter, schema->meter) != 0)
                        continue;
                if (!schema_equal(h->devices[i]->latest, schema))
                        r = change_schema(h, i, schema);
                if (r == 0)
                        *ret_meter = i;
                return r;
        }
        return new_device(h, schema, ret_meter);
}

void history_append(struct history *h, unsigned meter, uint64_t boot_ms, const struct history_row *row) {
        if (boot_ms > h->now_ms)
                h->now_ms = boot_ms;
        if (h->read_only)
                return;
        if (has_time(h))
                device_row(h, h->devices[meter], boot_ms, row);
        else
                waiting_row(h, meter, boot_ms, row);
}

void history_on_row(struct history *h, history_row_fn fn, void *userdata) {
        h->on_row = fn;
        h->on_row_userdata = userdata;
}

int history_append_at(struct history *h, unsigned meter, int64_t tick, const struct history_row *row) {
        if (!history_is_ready(h))
                return -EAGAIN;
        return h->read_only ? -EROFS : device_row_at(h, h->devices[meter], tick, row);
}

static bool get_known(const struct history *h, const struct known_row *k, int64_t *ret_tick,
                      struct history_row *ret) {
        if (!history_is_ready(h) || !k->known)
                return false;
        *ret_tick = k->tick;
        *ret = k->row;
        return true;
}

/* Without a file nothing survives, and nothing can be wrong after a restart. */
bool history_ended_cleanly(const struct history *h) {
        return h->rebuild.was_clean;
}

bool history_newest_safe(const struct history *h, unsigned meter, int64_t *ret_tick, struct history_row *ret) {
        const struct device *d = h->devices[meter];

        return get_known(h, h->store || history_error(h)[0] ? &d->safe : &d->newest, ret_tick, ret);
}

bool history_newest(const struct history *h, unsigned meter, int64_t *ret_tick, struct history_row *ret) {
        return get_known(h, &h->devices[meter]->newest, ret_tick, ret);
}

bool history_newest_tick(const struct history *h, const char *meter, int64_t *ret_tick) {
        for (unsigned i = 0; history_is_ready(h) && i < h->n_devices; i++) {
                const struct device *d = h->devices[i];

                if (!d->newest.known || strcmp(d->schema->meter, meter) != 0)
                        continue;
                *ret_tick = d->newest.tick;
                return true;
        }
        return false;
}

/* ---- time passes ---- */

uint64_t history_poll(struct history *h, uint64_t now_boot_ms) {
        uint64_t next = now_boot_ms + h->flush_ms;

        h->now_ms = now_boot_ms;
        if (!history_is_ready(h) || !can_write(h))
                return next;
        if (h->is_syncing && now_boot_ms >= h->sync_ms)
                end_checkpoint(h);
        if (h->is_dirty && now_boot_ms >= checkpoint_due(h))
                begin_checkpoint(h, false);
        if (h->is_syncing)
                return h->sync_ms;
        return h->is_dirty && checkpoint_due(h) < next ? checkpoint_due(h) : next;
}

int history_flush(struct history *h) {
        if (!history_is_ready(h))
                return -EAGAIN;
        if (!can_write(h))
                return -EROFS;
        begin_checkpoint(h, false);
        return can_write(h) ? end_checkpoint(h) : -EIO;
}

/* ---- pages ---- */

static struct tier_page *open_tier_page(const struct history *h, enum history_tier tier, uint64_t index) {
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                if (h->lives[i] && h->lives[i]->tiers[tier - 1].extent.n_rows > 0 && index-- == 0)
                        return &h->lives[i]->tiers[tier - 1];
        return NULL;
}

static unsigned count_open_pages(const struct history *h, enum history_tier tier) {
        unsigned n = 0;

        if (tier == TIER_RAW)
                return h->open.n_rows > 0;
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                n += h->lives[i] && h->lives[i]->tiers[tier - 1].extent.n_rows > 0;
        return n;
}

uint64_t history_oldest(const struct history *h, enum history_tier tier) {
        const struct page_ring *r = &h->rings[tier];
        uint64_t oldest;

        if (!h->store || !history_is_ready(h))
                return r->first;
        oldest = store_oldest_seq(h->store, tier);
        return oldest == store_next_seq(h->store, tier) ? r->first : oldest;
}

uint64_t history_end(const struct history *h, enum history_tier tier) {
        return history_is_ready(h) ? h->rings[tier].end + count_open_pages(h, tier) : h->rings[tier].end;
}

static struct page_info open_page_info(const struct open_page *o) {
        struct page_header header = open_page_header(o, o->n_rows);

        return page_info_of(&header, o->n_chains == 1 ? o->chains[0].slot : SCHEMA_NONE);
}

struct page_info history_page_info(const struct history *h, enum history_tier tier, uint64_t seq) {
        const struct page_ring *r = &h->rings[tier];
        const struct tier_page *t;

        if (page_ring_has(r, seq))
                return r->infos[seq % r->cap];
        if (seq < r->first)
                return h->store ? store_page_info(h->store, tier, seq) : (struct page_info) { .valid = false };
        if (tier == TIER_RAW)
                return seq == r->end && h->open.n_rows > 0 ? open_page_info(&h->open)
                                                           : (struct page_info) { .valid = false };
        t = open_tier_page(h, tier, seq - r->end);
        return t ? tier_page_info(t) : (struct page_info) { .valid = false };
}

/* The open page as it is now. When it turns out to be more than a page, its first part is sealed. */
static int read_open_rows(struct history *h, uint64_t seq, uint8_t *page) {
        struct page_header header;

        if (seq != h->rings[TIER_RAW].end || h->open.n_rows == 0)
                return -ENOENT;
        if (!open_page_encode(&h->open, h->open.n_rows)) {
                seal_rows(h);
                return history_page(h, TIER_RAW, seq, page);
        }
        header = header_for(h, open_page_header(&h->open, h->open.n_rows), TIER_RAW);
        header.version = h->version + 1;
        page_finish(&h->open.writer, &header);
        memcpy(page, h->open.page, PAGE_BYTES);
        return 0;
}

static int read_open_buckets(struct history *h, enum history_tier tier, uint64_t seq, uint8_t *page) {
        const struct tier_page *t = open_tier_page(h, tier, seq - h->rings[tier].end);
        struct page_header header = header_for(h, (struct page_header) { 0 }, tier);

        if (!t)
                return -ENOENT;
        header.seq = seq;
        tier_page_snapshot(t, header, page);
        return 0;
}

int history_page(struct history *h, enum history_tier tier, uint64_t seq, uint8_t *page) {
        const struct page_ring *r = &h->rings[tier];

        if (page_ring_has(r, seq)) {
                memcpy(page, page_ring_at(r, seq), PAGE_BYTES);
                return 0;
        }
        if (seq < r->first)
                return h->store ? store_read(h->store, tier, seq, page) : -ENOENT;
        return tier == TIER_RAW ? read_open_rows(h, seq, page) : read_open_buckets(h, tier, seq, page);
}

uint64_t history_generation(const struct history *h) {
        return h->generation;
}

/* ---- schemas ---- */

const struct schema *history_schema(const struct history *h, const char *meter, unsigned i, unsigned *ret_slot) {
        const struct schema *found = NULL;
        uint64_t above = 0;

        do {
                found = NULL;
                for (unsigned slot = 0; slot < STORE_SCHEMAS_MAX; slot++) {
                        const struct schema *s = schema_at(h, slot);

                        if (!s || strcmp(s->meter, meter) != 0 || s->serial < above)
                                continue;
                        if (found && s->serial > found->serial)
                                continue;
                        found = s;
                        *ret_slot = slot;
                }
                above = found ? found->serial + 1 : 0;
        } while (found && i-- > 0);
        return found;
}

const struct schema *history_slot_schema(const struct history *h, unsigned slot) {
        return schema_at(h, slot);
}

static bool is_first_of_meter(const struct history *h, unsigned slot) {
        const struct schema *s = schema_at(h, slot);

        for (unsigned i = 0; s && i < slot; i++)
                if (schema_at(h, i) && strcmp(schema_at(h, i)->meter, s->meter) == 0)
                        return false;
        return s != NULL;
}

const char *history_meter_id(const struct history *h, unsigned i) {
        for (unsigned slot = 0; slot < STORE_SCHEMAS_MAX; slot++)
                if (is_first_of_meter(h, slot) && i-- == 0)
                        return schema_at(h, slot)->meter;
        return NULL;
}

/* Where times begin to belong to this era. */
static int64_t era_edge(const struct schema *s) {
        return s->era == 0 ? INT64_MIN : s->era_start - s->era_start % QUARTER_TICKS + QUARTER_TICKS;
}

void history_visible(const struct history *h, unsigned slot, int64_t *ret_from, int64_t *ret_to) {
        const struct schema *s = schema_at(h, slot);
        int64_t from = s ? era_edge(s) : INT64_MAX, to = INT64_MAX;

        for (unsigned i = 0; s && i < STORE_SCHEMAS_MAX; i++) {
                const struct schema *other = schema_at(h, i);

                if (other && strcmp(other->meter, s->meter) == 0 && other->era > s->era && era_edge(other) < to)
                        to = era_edge(other);
        }
        *ret_from = from;
        *ret_to = to;
}

int64_t history_tier_end(const struct history *h, unsigned slot, enum history_tier tier) {
        return slot < STORE_SCHEMAS_MAX ? h->done[tier][slot] : 0;
}

/* ---- for people ---- */

struct history_stats history_stats(const struct history *h) {
        struct history_stats stats = {
                .rows = h->n_rows, .values = h->n_values, .waiting = h->waiting.n_rows, .dropped = h->n_dropped,
                .next_number = h->next_number, .safe_number = h->safe_number,
                .last_checkpoint_ms = h->checkpoint_ms,
        };

        if (h->store)
                stats.store = store_stats(h->store);
        return stats;
}

const char *history_error(const struct history *h) {
        if (h->store)
                return store_error(h->store);
        return h->broken_store ? store_error(h->broken_store) : h->error;
}

const char *history_next_note(struct history *h) {
        if (h->store)
                return store_next_note(h->store);
        return h->broken_store ? store_next_note(h->broken_store) : NULL;
}
