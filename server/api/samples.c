/* GET /api/v1/samples: every stored row of every meter in the order they came, page by page. */
#include "api/handlers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/export.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "history/query.h"

#define LIMIT_DEFAULT 1000

struct page {
        struct samples *samples;
        struct json_writer json;
        uint64_t left;               /* rows that may still be given */
        uint64_t next, lost;
        bool foreign;                /* the cursor is none of this history */
        bool begun;
        struct sample sample;
};

static void free_page(void *state) {
        struct page *p = state;

        samples_free(p->samples);
        free(p);
}

/* Flat, like /now: what this report brought. */
static void put_sample(struct json_writer *w, const struct sample *s) {
        char text[CLOCK_RFC3339_MAX];

        json_object_begin(w, NULL);
        snprintf(text, sizeof text, "%llu", (unsigned long long) s->number);
        json_put_string(w, "cursor", text);
        json_put_string(w, "meter", s->schema->meter);
        clock_format_rfc3339(s->tick * TICK_MS, text);
        json_put_string(w, "at", text);
        json_put_int(w, "at_ms", s->tick * TICK_MS);
        for (unsigned i = 0; i < s->schema->n_columns; i++) {
                const struct schema_column *c = &s->schema->columns[i];

                if (s->row.mask >> i & 1)
                        json_put_decimal(w, c->key, c->kind == COLUMN_COUNTER ? s->row.totals[i] : s->row.values[i],
                                         c->decimals);
        }
        json_object_end(w);
}

static void put_end(struct page *p) {
        char text[24];

        json_array_end(&p->json);
        snprintf(text, sizeof text, "%llu", (unsigned long long) p->next);
        json_put_string(&p->json, "next", text);
        json_put_uint(&p->json, "lost", p->lost);
        json_put_bool(&p->json, "restarted", p->foreign);
        json_object_end(&p->json);
}

static int produce(void *state, struct buffer *out) {
        struct page *p = state;
        size_t begin = out->len;

        if (!p->begun) {
                json_begin(&p->json, out);
                json_object_begin(&p->json, NULL);
                json_array_begin(&p->json, "samples");
                p->begun = true;
        }
        while (p->left > 0 && out->len - begin < EXPORT_PIECE) {
                int r = samples_next(p->samples, EXPORT_PAGES, &p->sample);

                if (r < 0)
                        return r;
                if (r == 0)
                        p->left = 0;
                if (r == 0)
                        break;
                p->left--;
                p->next = p->sample.number;
                p->lost += p->sample.lost;
                put_sample(&p->json, &p->sample);
        }
        if (p->left > 0)
                return 1;
        put_end(p);
        return 0;
}

static bool read_number(const struct request *request, struct reply *reply, const char *name, int64_t fallback,
                        int64_t max, int64_t *ret) {
        const char *text = request_query(request, name);

        *ret = fallback;
        if (!text || (decimal_parse(text, 0, ret) == 0 && *ret >= 0 && *ret <= max))
                return true;
        reply_problem(reply, 400, name, "%s: expected %s", name,
                      strcmp(name, "after") == 0 ? "a cursor as an earlier answer gave it"
                                                 : "a whole number from 1 to 11000");
        return false;
}

int api_samples(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        int64_t after, limit;
        struct page *p;
        int r;

        if (!read_number(request, reply, "after", 0, INT64_MAX, &after) ||
            !read_number(request, reply, "limit", LIMIT_DEFAULT, QUERY_POINTS_MAX, &limit))
                return 0;
        if (limit == 0)
                return reply_problem(reply, 400, "limit", "limit: expected a whole number from 1 to 11000");
        if (!view_has_history(app, reply))
                return 0;
        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->left = (uint64_t) limit;
        /* A number that was never given here is of a history that is gone: all of this one is new to its reader. */
        p->foreign = (uint64_t) after >= samples_end(app->history);
        p->next = p->foreign ? 0 : (uint64_t) after;
        r = samples_new(app->history, p->next, &p->samples);
        if (r < 0) {
                free(p);
                return r;
        }
        reply->produce = produce;
        reply->state = p;
        reply->free_state = free_page;
        return 0;
}
