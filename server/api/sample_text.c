#include "api/sample_text.h"

#include <stdio.h>

#include "api/view.h"
#include "base/clock.h"

void sample_show(const struct app *app, struct sample *s) {
        for (unsigned i = 0; i < s->schema->n_columns; i++) {
                const struct schema_column *c = &s->schema->columns[i];
                uint64_t bit = UINT64_C(1) << i;

                if (c->kind == COLUMN_COUNTER && (s->row.mask & bit) &&
                    !view_shown_total(app, s->schema->meter, c->key, &s->row.totals[i]))
                        s->row.mask &= ~bit;
        }
}

void sample_put_cursor(struct json_writer *w, const char *name, uint64_t number) {
        char text[24];

        snprintf(text, sizeof text, "%llu", (unsigned long long) number);
        json_put_string(w, name, text);
}

void sample_put(struct json_writer *w, const struct sample *s, uint64_t columns) {
        char at[CLOCK_RFC3339_MAX];

        json_object_begin(w, NULL);
        sample_put_cursor(w, "cursor", s->number);
        json_put_string(w, "meter", s->schema->meter);
        clock_format_rfc3339(s->tick * TICK_MS, at);
        json_put_string(w, "at", at);
        json_put_int(w, "at_ms", s->tick * TICK_MS);
        for (unsigned i = 0; i < s->schema->n_columns; i++) {
                const struct schema_column *c = &s->schema->columns[i];

                if (s->row.mask & columns & UINT64_C(1) << i)
                        json_put_decimal(w, c->key, c->kind == COLUMN_COUNTER ? s->row.totals[i] : s->row.values[i],
                                         c->decimals);
        }
        json_object_end(w);
}
