#include "api/energy_statistics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/energy_rows.h"
#include "api/export.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "history/query.h"
#include "protocols/quantity.h"

#define HOUR_TICKS (INT64_C(3600) * TICKS_PER_S)
static const enum quantity energies[] = { Q_ENERGY_IMPORT, Q_ENERGY_EXPORT };

struct energy_statistics {
        struct history *history;         /* borrowed */
        char meter[SCHEMA_METER_MAX + 1];
        char channel[ENERGY_CHANNEL_MAX + 1];
        int64_t from, to, now;
        struct total_limit limits[2];    /* by energy */
        struct json_writer json;
        bool begun;
        unsigned energy;                 /* index into energies */
        char key[SCHEMA_KEY_MAX + 1];
        struct query *query;             /* NULL: between two series */
        unsigned decimals;
        int64_t first;                   /* the very first total */
        struct query_row row;
};

static void energy_statistics_freep(struct energy_statistics **s) {
        energy_statistics_free(*s);
}

int energy_statistics_new(struct history *h, const struct energy_statistics_spec *spec,
                          struct energy_statistics **ret) {
        CLEANUP(energy_statistics_freep) struct energy_statistics *s = NULL;

        if (strlen(spec->meter) > SCHEMA_METER_MAX || strlen(spec->channel) > ENERGY_CHANNEL_MAX)
                return -EINVAL;
        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->history = h;
        strcpy(s->meter, spec->meter);
        strcpy(s->channel, spec->channel);
        s->from = spec->from;
        s->to = spec->to;
        s->now = spec->now;
        s->limits[0] = spec->import_limit;
        s->limits[1] = spec->export_limit;
        *ret = TAKE(s);
        return 0;
}

struct energy_statistics *energy_statistics_free(struct energy_statistics *s) {
        if (!s)
                return NULL;
        query_free(s->query);
        free(s);
        return NULL;
}

/* In the decimals of the answer. */
static int64_t first_total(const struct energy_statistics *s) {
        unsigned decimals;
        int64_t first;

        if (!history_first_total(s->history, s->meter, s->key, &first, &decimals))
                return 0;
        for (; decimals < s->decimals; decimals++)
                if (__builtin_mul_overflow(first, 10, &first))
                        return 0;
        return first;
}

static int open_hours(struct energy_statistics *s) {
        struct query_spec q = { .meter = s->meter, .from = s->from, .to = s->to, .now = s->now,
                                .step_kind = QUERY_STEP_TICKS, .step = HOUR_TICKS, .n_series = 1 };
        const struct query_column *columns;
        unsigned index;
        int r;

        strcpy(q.series[0].key, s->key);
        q.series[0].aggregates = 1u << QUERY_LAST;
        q.series[0].limit = s->limits[s->energy];
        r = query_new(s->history, &q, &s->query, &index);
        if (r < 0)
                return r;
        (void) query_columns(s->query, &columns);
        s->decimals = columns[0].decimals;
        s->first = first_total(s);
        return 0;
}

/* ---- steps: 1 to go on, 0 at the end of everything, negative errno ---- */

static int begin_series(struct energy_statistics *s) {
        int r;

        for (; s->energy < ELEMENTS(energies); s->energy++) {
                energy_key(s->channel, quantity_catalogue[energies[s->energy]].key, s->key);
                if (energy_has_series(s->history, s->meter, s->key))
                        break;
        }
        if (s->energy == ELEMENTS(energies))
                return 0;
        r = open_hours(s);
        if (r < 0)
                return r;
        json_object_begin(&s->json, NULL);
        json_put_string(&s->json, "series", s->key);
        json_put_string(&s->json, "unit_of_measurement", quantity_catalogue[energies[s->energy]].ha_unit);
        json_array_begin(&s->json, "rows");
        return 1;
}

/* An hour without a row says nothing, so that no later answer says something else of it. */
static int next_row(struct energy_statistics *s) {
        struct json_writer *w = &s->json;
        char start[CLOCK_RFC3339_MAX];
        int r;

        r = query_next(s->query, ENERGY_PAGES, &s->row);
        if (r < 0)
                return r;
        if (r == 0 || s->row.tick >= s->to) {
                json_array_end(w);
                json_object_end(w);
                s->energy++;
                s->query = query_free(s->query);
                return 1;
        }
        if (!s->row.known[0])
                return 1;
        clock_format_rfc3339(s->row.tick * TICK_MS, start);
        json_object_begin(w, NULL);
        json_put_string(w, "start", start);
        json_put_decimal(w, "state", s->row.values[0], s->decimals);
        json_put_decimal(w, "sum", s->row.values[0] - s->first, s->decimals);
        json_object_end(w);
        return 1;
}

static void begin(struct energy_statistics *s, struct buffer *out) {
        s->begun = true;
        json_begin(&s->json, out);
        json_object_begin(&s->json, NULL);
        json_put_string(&s->json, "meter", s->meter);
        json_array_begin(&s->json, "statistics");
}

int energy_statistics_next(struct energy_statistics *s, struct buffer *out) {
        size_t begin_len = out->len;
        int r;

        if (!s->begun)
                begin(s, out);
        for (unsigned budget = ENERGY_BUDGET; out->len - begin_len < EXPORT_PIECE; budget--) {
                if (budget == 0)
                        return -EAGAIN;
                r = s->query ? next_row(s) : begin_series(s);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
        }
        if (out->len - begin_len >= EXPORT_PIECE)
                return 1;
        json_array_end(&s->json);
        json_object_end(&s->json);
        buffer_putc(out, '\n');
        return 0;
}
