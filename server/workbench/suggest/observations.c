#include "workbench/suggest/observations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOT_MS 250  /* a moment's datapoints come within 150 ms */

struct observations {
        uint64_t first_ms, last_ms;
        uint64_t slot_ms;          /* 0: every change has its run */
        uint32_t gaps;
        bool has_begun;
        unsigned n_series;
        struct observed_series series[DATAPOINTS_MAX];
        unsigned n_runs, runs_max;
        struct observed_run runs[];
};

int observations_new(unsigned runs_max, struct observations **ret) {
        struct observations *o;

        if (runs_max < OBSERVED_RUNS_MIN)
                return -EINVAL;
        o = calloc(1, sizeof *o + runs_max * sizeof o->runs[0]);
        if (!o)
                return -ENOMEM;
        o->runs_max = runs_max;
        *ret = o;
        return 0;
}

struct observations *observations_free(struct observations *o) {
        free(o);
        return NULL;
}

/* ---- room ---- */

/* Of several runs that begin in one slot the last one stays, with the times that all of them were told. */
static void drop_earlier(struct observations *o) {
        unsigned last[DATAPOINTS_MAX], kept = 0;
        bool has[DATAPOINTS_MAX] = { false };

        for (unsigned i = 0; i < o->n_runs; i++) {
                struct observed_run *r = &o->runs[i];
                struct observed_run *before = has[r->series] ? &o->runs[last[r->series]] : NULL;

                if (before && before->from_ms / o->slot_ms == r->from_ms / o->slot_ms) {
                        r->tells += before->tells;
                        before->tells = 0;
                }
                has[r->series] = true;
                last[r->series] = i;
        }
        for (unsigned i = 0; i < o->n_runs; i++) {
                if (o->runs[i].tells == 0)
                        continue;
                o->series[o->runs[i].series].last_run = kept;
                o->runs[kept++] = o->runs[i];
        }
        o->n_runs = kept;
}

/* Ends: with all time in two slots there are at most two runs of each series. */
static void make_room(struct observations *o) {
        if (o->n_runs < o->runs_max)
                return;
        if (o->slot_ms > 0)
                drop_earlier(o);
        while (o->n_runs > o->runs_max / 4 * 3) {
                o->slot_ms = o->slot_ms > 0 ? 2 * o->slot_ms : FIRST_SLOT_MS;
                drop_earlier(o);
        }
}

/* ---- feeding ---- */

/* Sample and hold: each number stays until the next one, while the line is alive. */
static void pass_time(struct observations *o, uint64_t now_ms) {
        uint64_t dt_ms = o->has_begun && now_ms > o->last_ms ? now_ms - o->last_ms : 0;

        if (!o->has_begun)
                o->first_ms = now_ms;
        o->has_begun = true;
        if (now_ms > o->last_ms)
                o->last_ms = now_ms;
        if (dt_ms > OBSERVED_GAP_MS) {
                o->gaps++;
                return;
        }
        for (unsigned i = 0; i < o->n_series; i++)
                o->series[i].area += (double) o->series[i].last_number * (double) dt_ms / 1000;
}

static size_t kept_bytes(const struct datapoint *d) {
        return d->numeric ? 0 : d->length < OBSERVED_BYTES_MAX ? d->length : OBSERVED_BYTES_MAX;
}

static bool is_same(const struct observed_series *s, const struct observed_run *r, const struct datapoint *d) {
        if (s->numeric != d->numeric || s->type != d->type)
                return false;
        if (d->numeric)
                return r->number == d->number;
        return s->length == d->length && memcmp(r->bytes, d->bytes, r->len) == 0;
}

static void begin_run(struct observations *o, unsigned series, const struct datapoint *d) {
        struct observed_series *s = &o->series[series];
        struct observed_run *r;

        make_room(o);
        r = &o->runs[o->n_runs];
        *r = (struct observed_run) {
                .from_ms = o->last_ms, .to_ms = o->last_ms, .number = d->number, .area = s->area, .sum = s->sum,
                .gaps = o->gaps, .tells = 1, .series = (uint16_t) series, .len = (uint8_t) kept_bytes(d),
        };
        memcpy(r->bytes, d->bytes, r->len);
        s->last_run = o->n_runs++;
}

static void tell(struct observations *o, unsigned series, const struct datapoint *d) {
        struct observed_series *s = &o->series[series];

        if (s->count == 0 || !is_same(s, &o->runs[s->last_run], d)) {
                begin_run(o, series, d);
                s->changes += s->count > 0;
        } else {
                o->runs[s->last_run].to_ms = o->last_ms;
                o->runs[s->last_run].tells++;
        }
        s->varies_in_length |= s->count > 0 && s->length != d->length;
        s->type = d->type;
        s->numeric = d->numeric;
        s->length = d->length;
        s->last_ms = o->last_ms;
        s->count = d->count;
        s->last_number = d->number;
        s->sum += (double) d->number;
}

void observations_note(struct observations *o, uint64_t now_ms, const struct datapoint_table *table) {
        pass_time(o, now_ms);
        /* The table only grows, and keeps its order. */
        for (unsigned i = 0; i < table->count; i++) {
                const struct datapoint *d = &table->items[i];

                if (i == o->n_series)
                        o->series[o->n_series++] = (struct observed_series) { .id = d->id, .first_ms = o->last_ms };
                if (d->count != o->series[i].count)
                        tell(o, i, d);
        }
}

/* ---- reading ---- */

unsigned observations_count(const struct observations *o) {
        return o->n_series;
}

const struct observed_series *observations_series(const struct observations *o, unsigned i) {
        return &o->series[i];
}

const struct observed_run *observations_runs(const struct observations *o, unsigned *ret_count) {
        *ret_count = o->n_runs;
        return o->runs;
}

void observations_span(const struct observations *o, uint64_t *ret_first_ms, uint64_t *ret_last_ms) {
        *ret_first_ms = o->first_ms;
        *ret_last_ms = o->last_ms;
}

uint64_t observations_slot_ms(const struct observations *o) {
        return o->slot_ms;
}
