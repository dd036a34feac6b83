#include "api/stream_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

struct stream_passed {
        int64_t delta;               /* 0: none for this series */
        int64_t value;
        int64_t tick;
        bool known;
};

/* ---- what is asked for ---- */

static void free_lanes(struct stream_filter *f) {
        for (unsigned i = 0; i < f->n_lanes; i++)
                free(f->lanes[i].passed);
        f->n_lanes = f->n_columns = 0;
}

void stream_filter_free(struct stream_filter *f) {
        free_lanes(f);
        free(f->lanes);
        free(f->keys);
        free(f->deltas);
        *f = (struct stream_filter) { 0 };
}

static const struct stream_key *find(const struct stream_key *keys, unsigned n, const char *key) {
        for (unsigned i = 0; i < n; i++)
                if (strcmp(keys[i].key, key) == 0)
                        return &keys[i];
        return NULL;
}

enum quantity stream_quantity(const char *key) {
        const char *dot = strrchr(key, '.');

        return quantity_from_key(dot ? dot + 1 : key);
}

/* What follows the colon, in the series' own resolution. */
static int read_delta(struct stream_key *k) {
        char *colon = strchr(k->key, ':');
        enum quantity q;

        if (!colon)
                return -EINVAL;
        *colon = 0;
        q = stream_quantity(k->key);
        if (q == Q_NONE)
                return -EINVAL;
        k->decimals = (uint8_t) quantity_catalogue[q].decimals;
        return decimal_parse(colon + 1, k->decimals, &k->delta) == 0 && k->delta > 0 ? 0 : -EINVAL;
}

static int read_keys(const char *text, bool is_delta, struct stream_key **ret, unsigned *ret_n) {
        struct stream_key *keys = calloc(STREAM_KEYS_MAX, sizeof *keys), *fewer;
        int r = keys ? 0 : -ENOMEM;
        unsigned n = 0;

        while (r == 0 && text) {
                size_t len = strcspn(text, ",");

                if (n == STREAM_KEYS_MAX)
                        r = -E2BIG;
                else if (len == 0 || len > SCHEMA_KEY_MAX)
                        r = -EINVAL;
                if (r < 0)
                        break;
                memcpy(keys[n].key, text, len);
                if (is_delta)
                        r = read_delta(&keys[n]);
                if (r == 0 && find(keys, n, keys[n].key))
                        r = -EINVAL;
                n++;
                text = text[len] ? text + len + 1 : NULL;
        }
        if (r < 0) {
                free(keys);
                return r;
        }
        fewer = realloc(keys, n * sizeof *keys);
        *ret = fewer ? fewer : keys;
        *ret_n = n;
        return 0;
}

int stream_filter_set_series(struct stream_filter *f, const char *text) {
        return read_keys(text, false, &f->keys, &f->n_keys);
}

int stream_filter_set_deltas(struct stream_filter *f, const char *text) {
        return read_keys(text, true, &f->deltas, &f->n_deltas);
}

bool stream_filter_shows(const struct stream_filter *f, const char *key) {
        return f->n_keys == 0 || find(f->keys, f->n_keys, key);
}

static bool has_limits(const struct stream_filter *f) {
        return f->interval_ms > 0 || f->n_deltas > 0;
}

bool stream_filter_is_open(const struct stream_filter *f) {
        return f->n_keys == 0 && !has_limits(f);
}

/* ---- lanes ---- */

static int fill_lane(struct stream_filter *f, struct stream_lane *lane, const struct schema *schema) {
        strcpy(lane->meter, schema->meter);
        lane->serial = schema->serial;
        for (unsigned i = 0; i < schema->n_columns; i++)
                lane->shown |= (uint64_t) stream_filter_shows(f, schema->columns[i].key) << i;
        if (!has_limits(f))
                return 0;
        lane->passed = calloc(schema->n_columns, sizeof *lane->passed);
        if (!lane->passed)
                return -ENOMEM;
        lane->n_columns = schema->n_columns;
        f->n_columns += lane->n_columns;
        for (unsigned i = 0; i < schema->n_columns; i++) {
                const struct stream_key *delta = find(f->deltas, f->n_deltas, schema->columns[i].key);

                /* Only what another program has imported can have another resolution. */
                if (delta && delta->decimals == schema->columns[i].decimals)
                        lane->passed[i].delta = delta->delta;
        }
        return 0;
}

static struct stream_lane *find_lane(struct stream_filter *f, const char *meter) {
        for (unsigned i = 0; i < f->n_lanes; i++)
                if (strcmp(f->lanes[i].meter, meter) == 0)
                        return &f->lanes[i];
        return NULL;
}

/* NULL without memory. A meter whose series have changed begins anew; when there are too many, all do. */
static struct stream_lane *lane_for(struct stream_filter *f, const struct schema *schema) {
        struct stream_lane *lane = find_lane(f, schema->meter);

        if (lane && lane->serial == schema->serial)
                return lane;
        if (!f->lanes)
                f->lanes = calloc(HISTORY_METERS_MAX, sizeof *f->lanes);
        if (!f->lanes)
                return NULL;
        if (lane) {
                f->n_columns -= lane->n_columns;
                free(lane->passed);
        } else if (f->n_lanes == HISTORY_METERS_MAX || f->n_columns + schema->n_columns > STREAM_COLUMNS_MAX) {
                free_lanes(f);
        }
        if (!lane)
                lane = &f->lanes[f->n_lanes++];
        *lane = (struct stream_lane) { 0 };
        if (fill_lane(f, lane, schema) == 0)
                return lane;
        free_lanes(f);
        return NULL;
}

/* ---- rows ---- */

static uint64_t distance(int64_t a, int64_t b) {
        return a > b ? (uint64_t) a - (uint64_t) b : (uint64_t) b - (uint64_t) a;
}

/* A clock that was set back begins anew. */
static bool passes(const struct stream_filter *f, const struct stream_passed *p, int64_t tick, int64_t value) {
        if (!p->known || tick < p->tick || (f->interval_ms == 0 && p->delta == 0))
                return true;
        if (f->interval_ms > 0 && (uint64_t) (tick - p->tick) * TICK_MS >= f->interval_ms)
                return true;
        return p->delta > 0 && distance(value, p->value) >= (uint64_t) p->delta;
}

int stream_filter_take(struct stream_filter *f, const struct sample *s, uint64_t *ret) {
        struct stream_lane *lane = lane_for(f, s->schema);
        uint64_t result = 0;

        if (!lane)
                return -ENOMEM;
        if (!lane->passed) {
                *ret = s->row.mask & lane->shown;
                return 0;
        }
        for (uint64_t mask = s->row.mask & lane->shown; mask; mask &= mask - 1) {
                unsigned i = (unsigned) __builtin_ctzll(mask);
                bool is_counter = s->schema->columns[i].kind == COLUMN_COUNTER;
                int64_t value = is_counter ? s->row.totals[i] : s->row.values[i];
                struct stream_passed *p = &lane->passed[i];

                if (!passes(f, p, s->tick, value))
                        continue;
                *p = (struct stream_passed) { .delta = p->delta, .value = value, .tick = s->tick, .known = true };
                result |= UINT64_C(1) << i;
        }
        *ret = result;
        return 0;
}
