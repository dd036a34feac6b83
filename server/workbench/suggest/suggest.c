#include "workbench/suggest/suggest.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "workbench/suggest/hypotheses.h"

static struct bench *bench_free(struct bench *b) {
        if (!b)
                return NULL;
        free(b->runs);
        free(b);
        return NULL;
}
static void bench_freep(struct bench **b) { bench_free(*b); }

struct suggestions *suggestions_free(struct suggestions *s) {
        free(s);
        return NULL;
}

static void put_column(const struct bench *b, unsigned column, struct suggestions *out) {
        const struct column *c = &b->columns[column];
        struct suggestion *s = &out->items[out->count];

        *s = (struct suggestion) {
                .id = c->id, .type = observations_series(b->o, c->series)->type, .is_word = c->is_word,
                .offset = c->offset, .width = c->width, .big_endian = c->big_endian,
        };
        hypotheses_of_column(b, column, s);
        out->count += s->count > 0;
}

static void put_layout(const struct bench *b, const struct circuit *c, struct suggestions *out) {
        const struct column *column = &b->columns[c->power];
        struct suggestion *s = &out->items[out->count++];

        *s = (struct suggestion) { .id = column->id, .type = observations_series(b->o, column->series)->type };
        hypotheses_of_layout(b, c, s);
}

static bool is_told(const struct suggestions *out, uint16_t id) {
        for (unsigned i = 0; i < out->count; i++)
                if (out->items[i].id == id)
                        return true;
        return false;
}

/* Those of which nothing was told, in the order in which they came. */
static void put_rest(const struct bench *b, struct suggestions *out) {
        for (unsigned i = 0; i < observations_count(b->o); i++) {
                const struct observed_series *series = observations_series(b->o, i);
                struct suggestion *s = &out->items[out->count];

                if (is_told(out, series->id) || bench_is_known(b, series))
                        continue;
                *s = (struct suggestion) { .id = series->id, .type = series->type };
                hypotheses_refuse(b, i, s);
                out->count++;
        }
}

static int compare_suggestions(const void *a, const void *b) {
        const struct suggestion *x = a, *y = b;
        double one = x->hypotheses[0].confidence, other = y->hypotheses[0].confidence;

        if (one != other)
                return one < other ? 1 : -1;
        return (x->id > y->id) - (x->id < y->id);
}

static int put_all(const struct bench *b, struct suggestions **ret) {
        size_t most = COLUMNS_MAX + DATAPOINTS_MAX;
        struct suggestions *out = calloc(1, sizeof *out + most * sizeof out->items[0]), *small;

        if (!out)
                return -ENOMEM;
        for (unsigned i = 0; i < b->n_columns; i++)
                if (b->columns[i].layout == LAYOUT_NONE && b->columns[i].known == Q_NONE)
                        put_column(b, i, out);
        for (unsigned i = 0; i < b->n_circuits; i++)
                if (b->circuits[i].layout != LAYOUT_NONE)
                        put_layout(b, &b->circuits[i], out);
        hypotheses_fold_blocks(b, out);
        qsort(out->items, out->count, sizeof out->items[0], compare_suggestions);
        put_rest(b, out);
        small = realloc(out, sizeof *out + (out->count + 1) * sizeof out->items[0]);
        *ret = small ? small : out;
        return 0;
}

int suggest(const struct observations *o, const struct suggest_settings *settings, struct suggestions **ret) {
        CLEANUP(bench_freep) struct bench *b = calloc(1, sizeof *b);
        int r;

        if (!b)
                return -ENOMEM;
        b->o = o;
        b->settings = settings;
        b->total = -1;
        r = bench_fill(b);
        if (r < 0)
                return r;
        bench_find_layouts(b);
        bench_add_words(b);
        bench_rate_gauges(b);
        bench_refill(b);
        bench_find_sums(b);
        bench_find_circuits(b);
        bench_attach(b);
        bench_find_energies(b);
        return put_all(b, ret);
}
