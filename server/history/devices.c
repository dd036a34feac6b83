#include "history/history_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Up to this far back the clock is waited for; beyond, a new era begins. */
#define STEP_BACK_TICKS (60 * TICKS_PER_S)

/* So many pages are looked through for counters that the newest does not have. */
#define ENDING_PAGES_MAX 8
#define RAW_PAGES_MAX 2048      /* looked through at most, where no bucket knows */

/* ---- schemas ---- */

const struct schema *schema_at(const struct history *h, unsigned slot) {
        if (slot >= STORE_SCHEMAS_MAX)
                return NULL;
        if (h->own_schemas[slot])
                return h->own_schemas[slot];
        return h->store ? store_schema(h->store, slot) : NULL;
}

const struct schema *newest_schema(const struct history *h, const char *meter, unsigned *ret_slot) {
        const struct schema *newest = NULL;

        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                const struct schema *s = schema_at(h, i);

                if (s && strcmp(s->meter, meter) == 0 && (!newest || s->serial > newest->serial)) {
                        newest = s;
                        *ret_slot = i;
                }
        }
        return newest;
}

/* One that only memory has. */
static int add_own_schema(struct history *h, const struct schema *schema, unsigned *ret_slot) {
        unsigned slot = STORE_SCHEMAS_MAX;
        uint64_t serial = 0;
        struct schema *copy;

        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                const struct schema *s = schema_at(h, i);

                if (s && s->serial > serial)
                        serial = s->serial;
                if (!s && slot == STORE_SCHEMAS_MAX)
                        slot = i;
        }
        if (slot == STORE_SCHEMAS_MAX)
                return -ENOSPC;
        copy = malloc(sizeof *copy);
        if (!copy)
                return -ENOMEM;
        *copy = *schema;
        copy->serial = serial + 1;
        h->own_schemas[slot] = copy;
        *ret_slot = slot;
        return 0;
}

int add_schema(struct history *h, const struct schema *schema, unsigned *ret_slot) {
        unsigned slot = 0;
        int r = -EROFS;

        if (can_write(h)) {
                release_schemas(h);
                r = store_add_schema(h->store, schema, &slot);
        }
        if (r < 0 && can_write(h))
                return r;
        if (r == 0)
                store_hold_schema(h->store, slot, true);
        else if ((r = add_own_schema(h, schema, &slot)) < 0)
                return r;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                h->done[t][slot] = 0;
        *ret_slot = slot;
        return 0;
}

static bool is_in_ring(const struct page_ring *r, unsigned slot) {
        for (uint64_t seq = r->first; seq < r->end; seq++)
                if (r->infos[seq % r->cap].schema == slot)
                        return true;
        return false;
}

static bool is_a_devices(const struct history *h, unsigned slot) {
        for (unsigned i = 0; i < h->n_devices; i++)
                if (h->devices[i]->slot == slot)
                        return true;
        return false;
}

static bool is_in_use(const struct history *h, unsigned slot) {
        for (unsigned i = 0; i < h->open.n_chains; i++)
                if (h->open.chains[i].slot == slot)
                        return true;
        return h->lives[slot] || is_a_devices(h, slot) || is_in_ring(&h->rings[TIER_MINUTE], slot) ||
               is_in_ring(&h->rings[TIER_QUARTER], slot);
}

void release_schemas(struct history *h) {
        /* While the pages are gone through at start a schema's turn may still come. */
        if (!history_is_ready(h))
                return;
        for (unsigned i = 0; can_write(h) && i < STORE_SCHEMAS_MAX; i++) {
                if (h->lives[i] && !is_a_devices(h, i))
                        live_release(h, i);
                if (store_schema(h->store, i))
                        store_hold_schema(h->store, i, is_in_use(h, i));
        }
}

/* ---- what is known of a meter's newest row ---- */

void known_row_take(struct known_row *k, const struct schema *schema, int64_t tick, const struct history_row *row) {
        if (!k->known)
                k->row.mask = 0;
        k->known = true;
        k->tick = tick;
        for (unsigned i = 0; i < schema->n_columns; i++) {
                uint64_t bit = UINT64_C(1) << i;

                if (row->mask & bit) {
                        k->row.values[i] = row->values[i];
                        k->row.totals[i] = row->totals[i];
                        k->row.mask |= bit;
                } else if (schema->columns[i].kind == COLUMN_GAUGE)
                        k->row.mask &= ~bit;
        }
}

/* The same row in another schema's columns. */
static struct history_row mapped(const struct history_row *row, const struct schema *from, const struct schema *to) {
        struct history_row result = { 0 };

        for (uint64_t mask = row->mask; mask; mask &= mask - 1) {
                unsigned i = (unsigned) __builtin_ctzll(mask);
                int k = schema_find(to, from->columns[i].key);

                if (k < 0 || to->columns[k].kind != from->columns[i].kind ||
                    to->columns[k].decimals != from->columns[i].decimals)
                        continue;
                result.mask |= UINT64_C(1) << k;
                result.values[k] = row->values[i];
                result.totals[k] = row->totals[i];
        }
        return result;
}

static void remap(struct known_row *k, const struct schema *from, const struct schema *to) {
        if (k->known)
                k->row = mapped(&k->row, from, to);
}

struct device *device_new(const struct schema *schema) {
        struct device *d = calloc(1, sizeof *d);

        if (!d)
                return NULL;
        d->schema = malloc(sizeof *d->schema);
        if (!d->schema) {
                free(d);
                return NULL;
        }
        *d->schema = *schema;
        d->latest = d->schema;
        d->slot = SCHEMA_NONE;
        return d;
}

void device_free(struct device *d) {
        free(d->schema);
        free(d);
}

void device_set_schema(struct device *d, struct schema *schema) {
        remap(&d->newest, d->schema, schema);
        remap(&d->marked, d->schema, schema);
        remap(&d->safe, d->schema, schema);
        integrals_remap(&d->integrals, d->schema, schema);
        free(d->schema);
        d->schema = schema;
        d->slot = SCHEMA_NONE;
}

/* Where counters stood at the end of a page's buckets. */
struct ending {
        const struct schema *schema;
        struct known_row *known;
};

static void take_ending(void *userdata, const struct bucket *b) {
        struct ending *e = userdata;
        struct history_row row = { 0 };

        for (unsigned i = 0; i < e->schema->n_columns; i++) {
                const struct counter_bucket *c = &b->columns[i].counter;

                if (!(b->mask >> i & 1) || e->schema->columns[i].kind != COLUMN_COUNTER)
                        continue;
                row.mask |= UINT64_C(1) << i;
                row.totals[i] = c->last;
                row.values[i] = c->last - c->offset;
        }
        known_row_take(e->known, e->schema, b->start, &row);
}

static void read_ending(struct history *h, enum history_tier tier, uint64_t seq, unsigned slot, struct known_row *k) {
        struct ending e = { schema_at(h, slot), k };
        struct page_header header;
        struct chunk_reader r;

        if (history_page(h, tier, seq, h->scratch_page) < 0 || !page_read_header(h->scratch_page, &header))
                return;
        page_chunks(&r, h->scratch_page);
        while (page_next_chunk(&r))
                if (r.schema == slot)
                        chunk_buckets(&r, &header, e.schema, h->open.scratch, take_ending, &e);
}

static uint64_t counters_of(const struct schema *schema) {
        uint64_t mask = 0;

        for (unsigned i = 0; i < schema->n_columns; i++)
                mask |= (uint64_t) (schema->columns[i].kind == COLUMN_COUNTER) << i;
        return mask;
}

/* Older counters fill in what is not known. */
static void fill_up(struct known_row *k, const struct known_row *older) {
        if (!k->known) {
                *k = *older;
                return;
        }
        for (uint64_t mask = older->row.mask & ~k->row.mask; mask; mask &= mask - 1) {
                unsigned i = (unsigned) __builtin_ctzll(mask);

                k->row.values[i] = older->row.values[i];
                k->row.totals[i] = older->row.totals[i];
        }
        k->row.mask |= older->row.mask;
}

/* Of a schema whose rows end before those that were gone through at start: its newest buckets know. */
static void known_from_pages(struct history *h, unsigned slot, struct known_row *k) {
        uint64_t wanted = counters_of(schema_at(h, slot));
        unsigned n_pages = 0;

        for (enum history_tier t = TIER_MINUTE; t < TIER_COUNT; t++)
                for (uint64_t seq = history_end(h, t); seq > history_oldest(h, t); seq--) {
                        struct page_info info = history_page_info(h, t, seq - 1);
                        struct known_row found = { 0 };

                        if ((k->row.mask & wanted) == wanted || n_pages == ENDING_PAGES_MAX)
                                return;
                        if (!info.valid || info.schema != slot)
                                continue;
                        read_ending(h, t, seq - 1, slot, &found);
                        if (found.known)
                                fill_up(k, &found);
                        n_pages++;
                }
}

static void take_known(void *userdata, uint64_t number, int64_t tick, const struct history_row *row) {
        struct ending *e = userdata;

        (void) number;
        known_row_take(e->known, e->schema, tick, row);
}

/* Rows may outlive the buckets that were made of them. */
static void known_from_rows(struct history *h, unsigned slot, struct known_row *k) {
        struct ending e = { schema_at(h, slot), k };
        uint64_t seq = history_end(h, TIER_RAW), oldest = history_oldest(h, TIER_RAW);

        for (unsigned i = 0; i < RAW_PAGES_MAX && !k->known && seq-- > oldest; i++) {
                struct page_info info = history_page_info(h, TIER_RAW, seq);
                struct page_header header;
                struct chunk_reader r;

                if (!info.valid || (info.schema != slot && info.schema != SCHEMA_NONE) ||
                    history_page(h, TIER_RAW, seq, h->scratch_page) < 0)
                        continue;
                page_get_header(h->scratch_page, &header);
                page_chunks(&r, h->scratch_page);
                while (page_next_chunk(&r))
                        if (r.schema == slot)
                                chunk_rows(&r, &header, e.schema, h->open.scratch, take_known, &e);
        }
}

/* Returns the tick of its newest row; 0: it has none. */
static int64_t load_slot(struct history *h, struct device *d, unsigned slot) {
        const struct schema *schema = schema_at(h, slot);
        const struct live *live = h->lives[slot];
        struct known_row k = { 0 };
        struct history_row row;

        if (live && live->found.known)
                k = live->found;
        else
                known_from_pages(h, slot, &k);
        if (!k.known)
                known_from_rows(h, slot, &k);
        if (!k.known)
                return 0;
        row = mapped(&k.row, schema, d->schema);
        known_row_take(&d->newest, d->schema, k.tick, &row);
        return k.tick;
}

static int64_t seen_of_slot(const struct history *h, unsigned slot) {
        const struct schema *schema = schema_at(h, slot);
        int64_t seen = h->done[TIER_MINUTE][slot];

        if (h->lives[slot] && h->lives[slot]->seen > seen)
                seen = h->lives[slot]->seen;
        return schema->era_start - 1 > seen ? schema->era_start - 1 : seen;
}

/* Powers that were in effect when the program ended go on. */
static void load_integrals(const struct history *h, struct device *d, unsigned slot) {
        const struct schema *schema = schema_at(h, slot);
        const struct accumulator *a;

        if (!h->lives[slot])
                return;
        a = &h->lives[slot]->tiers[TIER_MINUTE - 1].accumulator;
        for (unsigned i = 0; i < d->schema->n_columns; i++) {
                unsigned of = d->schema->columns[i].integral_of;
                int k = of ? schema_find(schema, d->schema->columns[of - 1].key) : -1;

                if (k >= 0 && schema->columns[k].kind == COLUMN_GAUGE)
                        d->integrals.columns[i] = (struct integral) {
                                .held = a->gauges[k].held, .power_mw = a->gauges[k].value,
                                .until = a->gauges[k].until,
                        };
        }
}

void device_load(struct history *h, struct device *d) {
        const struct schema *newest, *s;
        unsigned slot, newest_slot = 0;

        newest = newest_schema(h, d->schema->meter, &newest_slot);
        for (unsigned i = 0; (s = history_schema(h, d->schema->meter, i, &slot)); i++) {
                int64_t seen = load_slot(h, d, slot);

                /* An older schema's last bucket ends beyond its last row. */
                if (slot == newest_slot)
                        seen = seen_of_slot(h, slot);
                if (s->era == newest->era && seen > d->seen)
                        d->seen = seen;
        }
        if (newest)
                load_integrals(h, d, newest_slot);
        d->stamp = d->seen;
        d->marked = d->safe = d->newest;
}

/* ---- rows ---- */

static int64_t tick_of(uint64_t boot_ms, int64_t offset_ms) {
        int64_t utc_ms = (int64_t) boot_ms + offset_ms;

        return utc_ms < TICK_MS ? 1 : (utc_ms + TICK_MS / 2) / TICK_MS;
}

/* A clock that nobody vouches for is believed as long as it does not go back behind what is stored. */
static int64_t stamp(struct history *h, uint64_t boot_ms, uint8_t *ret_flags) {
        *ret_flags = h->synchronised ? 0 : PAGE_FLAG_UNSYNCED;
        if (h->synchronised)
                return tick_of(boot_ms, h->offset_ms);
        if (h->offset_changed) {
                h->offset_changed = false;
                h->own_offset_ms = h->offset_ms;
                if (tick_of(boot_ms, h->offset_ms) <= h->newest_tick)
                        h->own_offset_ms = (h->newest_tick + 1) * TICK_MS - (int64_t) boot_ms;
        }
        return tick_of(boot_ms, h->own_offset_ms);
}

static bool is_storable(int64_t value) {
        return value >= -HISTORY_VALUE_MAX && value <= HISTORY_VALUE_MAX;
}

/* Without the values that cannot be stored. */
static struct history_row storable(const struct schema *schema, const struct history_row *row) {
        struct history_row result = { 0 };

        for (unsigned i = 0; i < schema->n_columns; i++) {
                bool is_counter = schema->columns[i].kind == COLUMN_COUNTER;

                if (!(row->mask >> i & 1) || !is_storable(row->values[i]))
                        continue;
                if (is_counter && !is_storable(row->totals[i]))
                        continue;
                result.mask |= UINT64_C(1) << i;
                result.values[i] = row->values[i];
                result.totals[i] = is_counter ? row->totals[i] : 0;
        }
        return result;
}

static int64_t seen_by(const struct history *h, const struct device *d) {
        const struct live *live = d->slot < STORE_SCHEMAS_MAX ? h->lives[d->slot] : NULL;

        return live && live->seen > d->seen ? live->seen : d->seen;
}

static void store_row(struct history *h, struct device *d, int64_t tick, uint8_t flags, struct history_row *row) {
        integrals_row(&d->integrals, d->schema, d->newest.known ? &d->newest.row : NULL, d->newest.tick, tick, row);
        known_row_take(&d->newest, d->schema, tick, row);
        d->is_new = true;
        d->seen = tick;
        keep_row(h, d->slot, tick, flags, row);
}

void device_row(struct history *h, struct device *d, uint64_t boot_ms, const struct history_row *row) {
        struct history_row values = storable(d->schema, row);
        uint8_t flags;
        int64_t clock_tick = stamp(h, boot_ms, &flags), tick = clock_tick, seen = seen_by(h, d);
        bool is_back = tick <= seen;

        if (values.mask == 0)
                return;
        if (!is_back || d->stamp - tick <= STEP_BACK_TICKS || device_begin_era(h, d, tick, &values) < 0) {
                if (is_back)
                        tick = seen + 1;
                if (tick > HISTORY_TICK_MAX || device_find_slot(h, d, &values) < 0) {
                        h->n_dropped++;
                        return;
                }
        }
        d->stamp = clock_tick;
        store_row(h, d, tick, flags, &values);
}

int device_row_at(struct history *h, struct device *d, int64_t tick, const struct history_row *row) {
        struct history_row values = storable(d->schema, row);
        int r;

        if (tick < 1 || tick > HISTORY_TICK_MAX || values.mask != row->mask)
                return -ERANGE;
        if (tick <= seen_by(h, d))
                return -EEXIST;
        r = device_find_slot(h, d, &values);
        if (r < 0)
                return r;
        d->stamp = tick;
        store_row(h, d, tick, 0, &values);
        return h->store && !can_write(h) ? -EIO : 0;
}
