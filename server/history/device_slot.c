/* Which schema a meter's rows are of: a new one where columns, hold time or era change, and where a counter comes up
 * for the first time. Its first total goes into the schema then, and from there into all that follow:
 * the ring forgets it. */
#include "history/history_parts.h"

#include <string.h>

/* In the newest schema that knows it. */
static const struct schema_column *find_first(const struct history *h, const char *meter, const char *key) {
        const struct schema_column *found = NULL;
        const struct schema *s;
        unsigned slot;

        for (unsigned i = 0; (s = history_schema(h, meter, i, &slot)); i++) {
                int k = schema_find(s, key);

                if (k >= 0 && s->columns[k].kind == COLUMN_COUNTER && s->columns[k].has_first)
                        found = &s->columns[k];
        }
        return found;
}

bool history_first_total(const struct history *h, const char *meter, const char *key, int64_t *ret_total,
                         unsigned *ret_decimals) {
        const struct schema_column *first = find_first(h, meter, key);

        if (!first)
                return false;
        *ret_total = first->first;
        *ret_decimals = first->decimals;
        return true;
}

/* An integral goes on from the newest row, and begins at zero where that has none. */
static bool begins_with(const struct device *d, const struct history_row *row, unsigned column, int64_t *ret_first) {
        bool is_integral = d->schema->columns[column].integral_of, goes_on = d->newest.known;

        if (is_integral)
                *ret_first = goes_on && (d->newest.row.mask >> column & 1) ? d->newest.row.totals[column] : 0;
        else
                *ret_first = row->totals[column];
        return is_integral || (row->mask >> column & 1);
}

static void fill_firsts(const struct history *h, const struct device *d, const struct history_row *row,
                        struct schema *schema) {
        for (unsigned i = 0; i < schema->n_columns; i++) {
                struct schema_column *c = &schema->columns[i];
                const struct schema_column *known = NULL;

                if (c->kind != COLUMN_COUNTER)
                        continue;
                known = find_first(h, schema->meter, c->key);
                c->has_first = true;
                if (known && known->decimals == c->decimals)
                        c->first = known->first;
                else
                        c->has_first = begins_with(d, row, i, &c->first);
        }
}

static uint64_t unbegun(const struct schema *schema) {
        uint64_t mask = 0;

        for (unsigned i = 0; i < schema->n_columns; i++)
                mask |= (uint64_t) (schema->columns[i].kind == COLUMN_COUNTER && !schema->columns[i].has_first) << i;
        return mask;
}

static int new_slot(struct history *h, struct device *d, struct schema *schema, const struct history_row *row) {
        unsigned slot;
        int r;

        fill_firsts(h, d, row, schema);
        r = add_schema(h, schema, &slot);
        if (r < 0)
                return r;
        d->slot = slot;
        d->unbegun = unbegun(schema);
        return 0;
}

/* Counters of this row begin with it, or an integral of a history from before first totals were kept. */
static bool begins_counters(const struct schema *schema, const struct history_row *row) {
        uint64_t integrals = 0;

        for (unsigned i = 0; i < schema->n_columns; i++)
                integrals |= (uint64_t) (schema->columns[i].integral_of != 0) << i;
        return unbegun(schema) & (row->mask | integrals);
}

int device_find_slot(struct history *h, struct device *d, const struct history_row *row) {
        struct schema schema = *d->schema;
        const struct schema *newest;
        unsigned slot;

        if (d->slot != SCHEMA_NONE && !(d->unbegun & row->mask))
                return 0;
        newest = newest_schema(h, schema.meter, &slot);
        if (newest && schema_equal(newest, &schema) && !begins_counters(newest, row)) {
                d->slot = slot;
                d->unbegun = unbegun(newest);
                return 0;
        }
        schema.era = newest ? newest->era : 0;
        schema.era_start = newest ? newest->era_start : 0;
        return new_slot(h, d, &schema, row);
}

int device_begin_era(struct history *h, struct device *d, int64_t tick, const struct history_row *row) {
        struct schema schema = *d->schema;
        const struct schema *newest;
        unsigned slot;
        int r;

        newest = newest_schema(h, schema.meter, &slot);
        schema.era = newest ? newest->era + 1 : 0;
        schema.era_start = newest ? tick : 0;
        r = new_slot(h, d, &schema, row);
        if (r == 0)
                integrals_release(&d->integrals);
        return r;
}
