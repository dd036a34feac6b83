#include "api/energy_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/export.h"
#include "base/cleanup.h"
#include "base/json_writer.h"
#include "history/tier.h"

#define KWH_PLACES 6
#define COST_PLACES 12        /* of mWh times millionths: nothing is rounded, so costs add up as energy does */

struct energy_text {
        struct energy_rows *rows;
        char meter[SCHEMA_METER_MAX + 1];
        char channel[ENERGY_CHANNEL_MAX + 1];
        char timezone[65];
        enum energy_period period;
        bool csv, begun;
        struct json_writer json;
};

static void energy_text_freep(struct energy_text **t) {
        energy_text_free(*t);
}

int energy_text_new(struct history *h, const struct energy_spec *spec, const char *timezone, bool csv,
                    struct energy_text **ret) {
        CLEANUP(energy_text_freep) struct energy_text *t = calloc(1, sizeof *t);
        int r;

        if (!t)
                return -ENOMEM;
        r = energy_rows_new(h, spec, &t->rows);
        if (r < 0)
                return r;
        strcpy(t->meter, spec->meter);
        strcpy(t->channel, spec->channel);
        snprintf(t->timezone, sizeof t->timezone, "%s", timezone ? timezone : "");
        t->period = spec->period;
        t->csv = csv;
        *ret = TAKE(t);
        return 0;
}

struct energy_text *energy_text_free(struct energy_text *t) {
        if (!t)
                return NULL;
        energy_rows_free(t->rows);
        free(t);
        return NULL;
}

/* ---- JSON ---- */

static void json_head(struct energy_text *t, struct buffer *out) {
        struct json_writer *w = &t->json;

        json_begin(w, out);
        json_object_begin(w, NULL);
        json_put_string(w, "meter", t->meter);
        json_put_string(w, "channel", t->channel[0] ? t->channel : NULL);
        json_put_string(w, "period", period_names[t->period]);
        json_put_string(w, "timezone", t->timezone[0] ? t->timezone : NULL);
        json_array_begin(w, "rows");
}

static void put_number(struct json_writer *w, const char *key, bool known, int64_t value, unsigned places) {
        if (known)
                json_put_decimal(w, key, value, places);
        else
                json_put_null(w, key);
}

static void json_row(struct energy_text *t, const struct energy_row *row) {
        const char *currency = energy_rows_currency(t->rows);
        struct json_writer *w = &t->json;
        char start[PERIOD_TEXT_MAX], end[PERIOD_TEXT_MAX];

        period_format(row->start * TICK_MS, start);
        period_format(row->end * TICK_MS, end);
        json_object_begin(w, NULL);
        json_put_string(w, "start", start);
        json_put_string(w, "end", end);
        json_put_int(w, "start_ms", row->start * TICK_MS);
        json_put_int(w, "end_ms", row->end * TICK_MS);
        put_number(w, "import_kwh", row->import_known, row->import, KWH_PLACES);
        put_number(w, "export_kwh", row->export_known, row->export, KWH_PLACES);
        json_put_decimal(w, "complete", row->complete, 3);
        if (currency) {
                json_object_begin(w, "cost");
                put_number(w, currency, row->cost_known, row->cost, COST_PLACES);
                json_object_end(w);
        }
        json_object_end(w);
}

/* ---- CSV ---- */

static void csv_head(const struct energy_text *t, struct buffer *out) {
        const char *currency = energy_rows_currency(t->rows);

        buffer_puts(out, "start,end,start_ms,end_ms,import_kwh,export_kwh,complete");
        if (currency)
                buffer_printf(out, ",cost.%s", currency);
        buffer_putc(out, '\n');
}

static void csv_number(struct buffer *out, bool known, int64_t value, unsigned places) {
        buffer_putc(out, ',');
        if (known)
                buffer_put_decimal(out, value, places);
}

static void csv_row(const struct energy_text *t, const struct energy_row *row, struct buffer *out) {
        char text[PERIOD_TEXT_MAX];

        period_format(row->start * TICK_MS, text);
        buffer_puts(out, text);
        period_format(row->end * TICK_MS, text);
        buffer_printf(out, ",%s,%lld,%lld", text, (long long) row->start * TICK_MS, (long long) row->end * TICK_MS);
        csv_number(out, row->import_known, row->import, KWH_PLACES);
        csv_number(out, row->export_known, row->export, KWH_PLACES);
        csv_number(out, true, row->complete, 3);
        if (energy_rows_currency(t->rows))
                csv_number(out, row->cost_known, row->cost, COST_PLACES);
        buffer_putc(out, '\n');
}

/* ---- both ---- */

static void text_begin(struct energy_text *t, struct buffer *out) {
        t->begun = true;
        if (t->csv)
                csv_head(t, out);
        else
                json_head(t, out);
}

static void text_end(struct energy_text *t, struct buffer *out) {
        if (t->csv)
                return;
        json_array_end(&t->json);
        json_object_end(&t->json);
        buffer_putc(out, '\n');
}

int energy_text_next(struct energy_text *t, struct buffer *out) {
        unsigned budget = ENERGY_BUDGET;
        size_t begin = out->len;
        struct energy_row row;

        if (!t->begun)
                text_begin(t, out);
        while (out->len - begin < EXPORT_PIECE) {
                int r = energy_rows_next(t->rows, &budget, &row);

                if (r < 0)
                        return r;
                if (r == 0) {
                        text_end(t, out);
                        return 0;
                }
                if (t->csv)
                        csv_row(t, &row, out);
                else
                        json_row(t, &row);
        }
        return 1;
}
