#include "push/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_AT_ONCE 4          /* decoded in one turn of the loop: below a millisecond */
#define LOOK_BACK 8192           /* rows before the first one to be sent that are looked at, for what may have gone
                                  * stale since: 32 meters at 1 Hz for four minutes */
#define SERIES_NONE UINT16_MAX

/* What was sent last of the columns of a schema. */
struct feed_slot {
        uint64_t serial;                        /* of the schema in it; 0: nothing yet */
        const struct schema *schema;
        uint64_t wanted;                        /* columns that are sent */
        uint8_t quantity[SCHEMA_COLUMNS_MAX];
        uint16_t series[SCHEMA_COLUMNS_MAX];    /* of the batch */
        int64_t last[SCHEMA_COLUMNS_MAX];       /* gauges: tick of the newest value; 0: none, or marked as stale */
};

struct feed {
        struct history *history;
        struct samples *samples;
        uint64_t after;                         /* rows up to it are not sent */
        uint64_t last_number, lost;
        int64_t last_tick;
        char *const *series;
        unsigned n_series;
        bool has_waiting;                       /* a row that was read and has no place yet */
        struct sample waiting;
        struct feed_slot slots[STORE_SCHEMAS_MAX];
};

int feed_new(struct history *h, uint64_t after, struct feed **ret) {
        struct feed *f = calloc(1, sizeof *f);
        uint64_t oldest = samples_oldest(h), look_from = after > LOOK_BACK ? after - LOOK_BACK : 0;
        int r;

        if (!f)
                return -ENOMEM;
        f->history = h;
        f->after = f->last_number = after;
        /* Nobody misses what was there before the receiver was. */
        f->lost = after > 0 && oldest > after + 1 ? oldest - after - 1 : 0;
        r = samples_new(h, look_from, &f->samples);
        if (r < 0) {
                free(f);
                return r;
        }
        *ret = f;
        return 0;
}

struct feed *feed_free(struct feed *f) {
        if (f) {
                samples_free(f->samples);
                free(f);
        }
        return NULL;
}

void feed_choose(struct feed *f, char *const *series, unsigned n) {
        f->series = series;
        f->n_series = n;
}

uint64_t feed_lost(const struct feed *f) {
        return f->lost;
}

void feed_begin(struct feed *f, struct batch *b) {
        b->n_samples = b->n_series = 0;
        b->last_number = f->last_number;
        b->last_tick = f->last_tick;
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                memset(f->slots[i].series, 0xff, sizeof f->slots[i].series);
}

/* ---- schemas ---- */

static bool is_wanted(const struct feed *f, const char *key) {
        const char *dot = strrchr(key, '.');

        for (unsigned i = 0; i < f->n_series; i++)
                if (strcmp(f->series[i], key) == 0 || (dot && strcmp(f->series[i], dot + 1) == 0))
                        return true;
        return f->n_series == 0;
}

/* What the meter's other schemas were about to tell goes on in this one. */
static void take_over(struct feed *f, struct feed_slot *slot) {
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                struct feed_slot *other = &f->slots[i];

                if (other == slot || !other->serial || other->schema->serial != other->serial ||
                    strcmp(other->schema->meter, slot->schema->meter) != 0)
                        continue;
                for (unsigned c = 0; c < slot->schema->n_columns; c++) {
                        int from = schema_find(other->schema, slot->schema->columns[c].key);

                        if (from < 0 || other->last[from] <= slot->last[c])
                                continue;
                        slot->last[c] = other->last[from];
                        other->last[from] = 0;
                }
        }
}

static void set_up(struct feed *f, struct feed_slot *slot, const struct schema *schema) {
        memset(slot, 0, sizeof *slot);
        memset(slot->series, 0xff, sizeof slot->series);
        slot->schema = schema;
        slot->serial = schema->serial;
        for (unsigned i = 0; i < schema->n_columns; i++) {
                const char *dot = strrchr(schema->columns[i].key, '.');
                enum quantity q = quantity_from_key(dot ? dot + 1 : schema->columns[i].key);

                slot->quantity[i] = (uint8_t) q;
                if (q != Q_NONE && is_wanted(f, schema->columns[i].key))
                        slot->wanted |= UINT64_C(1) << i;
        }
        take_over(f, slot);
}

static struct feed_slot *slot_of(struct feed *f, const struct sample *s) {
        struct feed_slot *slot = &f->slots[s->slot];

        if (slot->serial != s->schema->serial)
                set_up(f, slot, s->schema);
        return slot;
}

/* ---- samples ---- */

static struct batch_sample *add(struct batch *b, struct feed_slot *slot, unsigned column, int64_t utc_ms) {
        struct batch_sample *sample = &b->samples[b->n_samples++];

        if (slot->series[column] == SERIES_NONE) {
                slot->series[column] = (uint16_t) b->n_series;
                b->series[b->n_series++] = (struct batch_series) {
                        .schema = slot->schema, .column = column, .quantity = slot->quantity[column],
                };
        }
        b->series[slot->series[column]].n_samples++;
        *sample = (struct batch_sample) { .series = slot->series[column], .utc_ms = utc_ms };
        return sample;
}

static void add_value(struct batch *b, struct feed_slot *slot, unsigned column, const struct sample *s) {
        const struct quantity_info *info = &quantity_catalogue[slot->quantity[column]];
        const struct schema_column *c = &slot->schema->columns[column];
        int64_t value = c->kind == COLUMN_COUNTER ? s->row.totals[column] : s->row.values[column];
        int places = (int) info->metric_decimals + c->decimals - (int) info->decimals;
        struct batch_sample *sample;

        if (__builtin_mul_overflow(value, (int64_t) info->metric_factor, &value) || places < 0)
                return;
        sample = add(b, slot, column, s->tick * TICK_MS);
        sample->value = value;
        sample->places = (unsigned) places;
}

/* The moment right behind that up to which a value holds. Rows have no such time: it never stands for two things. */
static int64_t stale_at(const struct feed_slot *slot, unsigned column) {
        return (slot->last[column] + slot->schema->hold_ticks) * TICK_MS + 1;
}

/* Marks what has gone stale before utc_ms. False: the batch is full. */
static bool mark_stale(struct batch *b, struct feed_slot *slot, int64_t utc_ms) {
        for (unsigned i = 0; i < slot->schema->n_columns; i++) {
                if (slot->last[i] == 0 || stale_at(slot, i) >= utc_ms)
                        continue;
                if (b && b->n_samples == BATCH_SAMPLES_MAX)
                        return false;
                if (b)
                        add(b, slot, i, stale_at(slot, i))->is_stale = true;
                slot->last[i] = 0;
        }
        return true;
}

/* b NULL: it was sent before and is only remembered. */
static void take_row(struct feed *f, const struct sample *s, struct batch *b) {
        struct feed_slot *slot = slot_of(f, s);

        (void) mark_stale(b, slot, s->tick * TICK_MS);
        for (unsigned i = 0; i < slot->schema->n_columns; i++) {
                if (!((slot->wanted & s->row.mask) >> i & 1))
                        continue;
                if (b)
                        add_value(b, slot, i, s);
                if (slot->schema->columns[i].kind == COLUMN_GAUGE)
                        slot->last[i] = s->tick;
        }
        if (s->number > f->last_number)
                f->last_number = s->number;
        f->last_tick = s->tick;
}

/* Meters that tell nothing any more: no row comes that would bring their markers along. */
static bool mark_silent(struct feed *f, struct batch *b, int64_t utc_ms) {
        for (unsigned i = 0; utc_ms > 0 && i < STORE_SCHEMAS_MAX; i++) {
                struct feed_slot *slot = &f->slots[i];

                if (slot->serial && slot->schema->serial == slot->serial && !mark_stale(b, slot, utc_ms))
                        return false;
        }
        return true;
}

int64_t feed_stale_at(const struct feed *f) {
        int64_t first = INT64_MAX;

        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                const struct feed_slot *slot = &f->slots[i];

                if (!slot->serial || slot->schema->serial != slot->serial)
                        continue;
                for (unsigned c = 0; c < slot->schema->n_columns; c++)
                        if (slot->last[c] > 0 && stale_at(slot, c) < first)
                                first = stale_at(slot, c);
        }
        return first;
}

/* 1: f->waiting is the next row; 0, -EAGAIN, -errno. */
static int next_row(struct feed *f) {
        int r;

        if (f->has_waiting)
                return 1;
        r = samples_next(f->samples, PAGES_AT_ONCE, &f->waiting);
        if (r <= 0)
                return r;
        f->has_waiting = true;
        /* Numbers that were never given to a row are skipped by a crash as well; lost is what the ring has taken. */
        if (f->last_number > f->after && f->waiting.lost > 0 &&
            f->waiting.number == samples_oldest(f->history))
                f->lost += f->waiting.lost;
        return 1;
}

int feed_fill(struct feed *f, uint64_t end, int64_t stale_ms, struct batch *b) {
        for (;;) {
                int r = next_row(f);

                if (r < 0)
                        return r;
                if (r == 0 || f->waiting.number >= end) {
                        (void) mark_silent(f, b, stale_ms);
                        break;
                }
                /* A row brings a value and a marker for each column at most. */
                if (b->n_samples + 2 * SCHEMA_COLUMNS_MAX > BATCH_SAMPLES_MAX)
                        break;
                take_row(f, &f->waiting, f->waiting.number > f->after ? b : NULL);
                f->has_waiting = false;
        }
        b->last_number = f->last_number;
        b->last_tick = f->last_tick;
        return 1;
}
