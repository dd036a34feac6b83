#include "history/history_parts.h"

#include <stdlib.h>

#define WORDS (HISTORY_WAITING_MAX * 12)
#define IS_SCHEMA (UINT64_C(1) << 32)

static uint64_t word(const struct waiting *w, unsigned i) {
        return w->words[(w->first + i) % WORDS];
}

static void put(struct waiting *w, uint64_t value) {
        w->words[(w->first + w->n_words++) % WORDS] = value;
}

static void drop_words(struct waiting *w, unsigned n) {
        w->first = (w->first + n) % WORDS;
        w->n_words -= n;
}

bool waiting_is_empty(const struct waiting *w) {
        return w->n_words == 0;
}

/* Takes the oldest entry out. False when it was no row but a change of a schema, which is made. */
static bool take(struct history *h, unsigned *ret_meter, uint64_t *ret_boot_ms, struct history_row *ret) {
        struct waiting *w = &h->waiting;
        uint64_t head = word(w, 0);
        struct device *d = h->devices[(uint32_t) head];
        unsigned n = 3;

        if (head & IS_SCHEMA) {
                device_set_schema(d, (struct schema *) (uintptr_t) word(w, 1));
                drop_words(w, 2);
                return false;
        }
        *ret_meter = (uint32_t) head;
        *ret_boot_ms = word(w, 1);
        ret->mask = word(w, 2);
        for (uint64_t mask = ret->mask; mask; mask &= mask - 1) {
                unsigned i = (unsigned) __builtin_ctzll(mask);

                ret->values[i] = (int64_t) word(w, n++);
                ret->totals[i] = d->schema->columns[i].kind == COLUMN_COUNTER ? (int64_t) word(w, n++) : 0;
        }
        drop_words(w, n);
        w->n_rows--;
        return true;
}

/* Room for n words; the oldest rows give way. False when there is no memory at all. */
static bool make_room(struct history *h, unsigned n) {
        struct waiting *w = &h->waiting;
        struct history_row row;
        unsigned meter;
        uint64_t boot_ms;

        if (!w->words)
                w->words = malloc(WORDS * sizeof w->words[0]);
        if (!w->words)
                return false;
        while (w->n_words + n > WORDS || w->n_rows == HISTORY_WAITING_MAX)
                if (take(h, &meter, &boot_ms, &row))
                        h->n_dropped++;
        return true;
}

void waiting_row(struct history *h, unsigned meter, uint64_t boot_ms, const struct history_row *row) {
        const struct schema *schema = h->devices[meter]->latest;
        struct waiting *w = &h->waiting;
        uint64_t mask = row->mask & schema_mask(schema);

        if (!make_room(h, 3 + 2 * SCHEMA_COLUMNS_MAX)) {
                h->n_dropped++;
                return;
        }
        put(w, meter);
        put(w, boot_ms);
        put(w, mask);
        for (; mask; mask &= mask - 1) {
                unsigned i = (unsigned) __builtin_ctzll(mask);

                put(w, (uint64_t) row->values[i]);
                if (schema->columns[i].kind == COLUMN_COUNTER)
                        put(w, (uint64_t) row->totals[i]);
        }
        w->n_rows++;
}

void waiting_schema(struct history *h, unsigned meter, struct schema *schema) {
        make_room(h, 2);
        put(&h->waiting, IS_SCHEMA | meter);
        put(&h->waiting, (uint64_t) (uintptr_t) schema);
}

void waiting_drain(struct history *h) {
        struct history_row row;
        unsigned meter;
        uint64_t boot_ms;

        while (!waiting_is_empty(&h->waiting))
                if (take(h, &meter, &boot_ms, &row))
                        device_row(h, h->devices[meter], boot_ms, &row);
        waiting_free(h);
}

void waiting_free(struct history *h) {
        struct waiting *w = &h->waiting;
        struct history_row row;
        unsigned meter;
        uint64_t boot_ms;

        while (!waiting_is_empty(w))
                take(h, &meter, &boot_ms, &row);
        free(w->words);
        *w = (struct waiting) { 0 };
}
