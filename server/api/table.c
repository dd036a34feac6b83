#include "api/table.h"

#include <string.h>

#include "base/clock.h"
#include "protocols/quantity.h"

const char *const table_format_names[TABLE_FORMATS] = {
        [TABLE_JSON] = "json", [TABLE_CSV] = "csv", [TABLE_NDJSON] = "ndjson", [TABLE_OPENMETRICS] = "openmetrics",
};

const char *const table_content_types[TABLE_FORMATS] = {
        [TABLE_JSON] = "application/json",
        [TABLE_CSV] = "text/csv; charset=utf-8",
        [TABLE_NDJSON] = "application/x-ndjson",
        [TABLE_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

enum table_format table_format_find(const char *name) {
        enum table_format f = 0;

        while (f < TABLE_FORMATS && strcmp(table_format_names[f], name) != 0)
                f++;
        return f;
}

static int64_t ms_of(int64_t tick) {
        return tick * TICK_MS;
}

/* ---- JSON ---- */

static void json_begin_table(struct table *t, int64_t from, int64_t to, struct buffer *out) {
        struct json_writer *w = &t->json;

        json_begin(w, out);
        json_object_begin(w, NULL);
        json_put_string(w, "meter", t->meter);
        json_put_int(w, "from_ms", ms_of(from));
        json_put_int(w, "to_ms", ms_of(to));
}

static void json_columns(struct table *t, const struct query_column *columns, unsigned n) {
        struct json_writer *w = &t->json;

        json_array_begin(w, "columns");
        json_put_string(w, NULL, "t_ms");
        for (unsigned i = 0; i < n; i++)
                json_put_string(w, NULL, columns[i].name);
        json_array_end(w);
        json_array_begin(w, "rows");
}

static void json_head(struct table *t, const struct query *q, struct buffer *out) {
        const struct query_column *columns;
        unsigned n = query_columns(q, &columns);
        struct json_writer *w = &t->json;

        json_begin_table(t, query_from(q), query_to(q), out);
        if (query_step(q) > 0)
                json_put_decimal(w, "step_s", query_step(q), 1);
        else
                json_put_null(w, "step_s");
        json_put_string(w, "tier", tier_names[query_tier(q)]);
        json_put_int(w, "begin_ms", ms_of(query_begin(q)));
        json_columns(t, columns, n);
}

static void json_row(struct table *t, const struct query *q, const struct query_row *row) {
        const struct query_column *columns;
        unsigned n = query_columns(q, &columns);
        struct json_writer *w = &t->json;

        json_array_begin(w, NULL);
        json_put_int(w, NULL, ms_of(row->tick));
        for (unsigned i = 0; i < n; i++)
                if (row->known[i])
                        json_put_decimal(w, NULL, row->values[i], columns[i].decimals);
                else
                        json_put_null(w, NULL);
        json_array_end(w);
}

static void json_tail(struct table *t, int64_t next) {
        char at[CLOCK_RFC3339_MAX];

        json_array_end(&t->json);
        if (next >= 0)
                clock_format_rfc3339(ms_of(next), at);
        json_put_string(&t->json, "next", next >= 0 ? at : NULL);
        json_object_end(&t->json);
        buffer_putc(t->json.out, '\n');
}

/* ---- CSV and NDJSON ---- */

static void csv_head(const struct query *q, struct buffer *out) {
        const struct query_column *columns;
        unsigned n = query_columns(q, &columns);

        buffer_puts(out, "t_ms");
        for (unsigned i = 0; i < n; i++)
                buffer_printf(out, ",%s", columns[i].name);
        buffer_putc(out, '\n');
}

static void csv_row(const struct query *q, const struct query_row *row, struct buffer *out) {
        const struct query_column *columns;
        unsigned n = query_columns(q, &columns);

        buffer_put_decimal(out, ms_of(row->tick), 0);
        for (unsigned i = 0; i < n; i++) {
                buffer_putc(out, ',');
                if (row->known[i])
                        buffer_put_decimal(out, row->values[i], columns[i].decimals);
        }
        buffer_putc(out, '\n');
}

static void ndjson_row(const struct query *q, const struct query_row *row, struct buffer *out) {
        const struct query_column *columns;
        unsigned n = query_columns(q, &columns);
        struct json_writer w;

        json_begin(&w, out);
        json_object_begin(&w, NULL);
        json_put_int(&w, "t_ms", ms_of(row->tick));
        for (unsigned i = 0; i < n; i++)
                if (row->known[i])
                        json_put_decimal(&w, columns[i].name, row->values[i], columns[i].decimals);
                else
                        json_put_null(&w, columns[i].name);
        json_object_end(&w);
        buffer_putc(out, '\n');
}

/* ---- all of them ---- */

void table_begin(struct table *t, const struct query *q, struct buffer *out) {
        if (t->format == TABLE_JSON)
                json_head(t, q, out);
        else if (t->format == TABLE_CSV)
                csv_head(q, out);
}

void table_row(struct table *t, const struct query *q, const struct query_row *row, struct buffer *out) {
        switch (t->format) {
        case TABLE_JSON:
                json_row(t, q, row);
                break;
        case TABLE_CSV:
                csv_row(q, row, out);
                break;
        default:
                ndjson_row(q, row, out);
                break;
        }
}

void table_end(struct table *t, int64_t next, struct buffer *out) {
        (void) out;
        if (t->format == TABLE_JSON)
                json_tail(t, next);
}

void table_empty(struct table *t, int64_t from, int64_t to, struct buffer *out) {
        switch (t->format) {
        case TABLE_JSON:
                json_begin_table(t, from, to, out);
                json_put_null(&t->json, "step_s");
                json_put_null(&t->json, "tier");
                json_put_null(&t->json, "begin_ms");
                json_columns(t, NULL, 0);
                json_tail(t, -1);
                break;
        case TABLE_CSV:
                buffer_puts(out, "t_ms\n");
                break;
        case TABLE_OPENMETRICS:
                table_metrics_end(out);
                break;
        default:
                break;
        }
}

/* ---- OpenMetrics ---- */

bool metric_name_of(const char *series_key, struct metric_name *ret) {
        const char *dot = strchr(series_key, '.'), *key = dot ? dot + 1 : series_key;
        enum quantity quantity = quantity_from_key(key);

        if (quantity == Q_NONE)
                return false;
        *ret = (struct metric_name) {
                .info = &quantity_catalogue[quantity],
                .channel = dot ? series_key : "",
                .channel_len = dot ? (size_t) (dot - series_key) : 0,
        };
        ret->family = dot ? ret->info->channel_metric : ret->info->metric;
        return true;
}

/* The catalogue's names of counters end in _total; the family's name does not. */
static size_t family_len(const struct metric_name *name) {
        size_t len = strlen(name->family);

        return name->info->kind == QUANTITY_COUNTER ? len - strlen("_total") : len;
}

void table_family(const struct metric_name *name, struct buffer *out) {
        int len = (int) family_len(name);

        buffer_printf(out, "# TYPE %.*s %s\n", len, name->family,
                      name->info->kind == QUANTITY_COUNTER ? "counter" : "gauge");
        if (name->info->metric_unit[0])
                buffer_printf(out, "# UNIT %.*s %s\n", len, name->family, name->info->metric_unit);
        buffer_printf(out, "# HELP %.*s %s of the meter%s.\n", len, name->family, name->info->label,
                      name->channel_len > 0 ? "'s channel" : "");
}

void table_sample(const struct table *t, const struct metric_name *name, const char *aggregate,
                  const struct query_row *row, struct buffer *out) {
        int64_t value;

        if (!row->known[0] ||
            __builtin_mul_overflow(row->values[0], (int64_t) name->info->metric_factor, &value))
                return;
        buffer_printf(out, "%s{meter=\"%s\"", name->family, t->meter);
        if (name->channel_len > 0)
                buffer_printf(out, ",channel=\"%.*s\"", (int) name->channel_len, name->channel);
        if (aggregate)
                buffer_printf(out, ",aggregate=\"%s\"", aggregate);
        buffer_puts(out, "} ");
        buffer_put_decimal(out, value, name->info->metric_decimals);
        buffer_putc(out, ' ');
        buffer_put_decimal(out, row->tick, 1);
        buffer_putc(out, '\n');
}

void table_metrics_end(struct buffer *out) {
        buffer_puts(out, "# EOF\n");
}
