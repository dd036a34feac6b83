/* GET /api/v1/samples: every stored row of every meter in the order they came, page by page. */
#include "api/handlers.h"

#include <errno.h>
#include <stdlib.h>

#include "api/export.h"
#include "api/sample_text.h"
#include "api/tag.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "history/query.h"

struct page {
        const struct app *app;
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

static void put_end(struct page *p) {
        json_array_end(&p->json);
        sample_put_cursor(&p->json, "next", p->next);
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
                sample_show(p->app, &p->sample);
                sample_put(&p->json, &p->sample, UINT64_MAX);
        }
        if (p->left > 0)
                return 1;
        put_end(p);
        return 0;
}

const struct parameter api_samples_parameters[] = {
        { .name = "after", .type = PARAMETER_CURSOR, .fallback = "0", .example = "4711",
          .description = "A cursor: only what came after it. 0: everything that is kept." },
        { .name = "limit", .type = PARAMETER_INTEGER, .min = 1, .max = QUERY_POINTS_MAX, .fallback = "1000",
          .example = "100", .description = "Rows at most." },
        { .name = NULL },
};

int api_samples(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        int64_t after = request_number(request, "after");
        struct page *p;
        int r;

        if (!view_has_history(app, reply))
                return 0;
        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->app = app;
        p->left = (uint64_t) request_number(request, "limit");
        /* A number that was never given here is of a history that is gone: all of this one is new to its reader. */
        p->foreign = (uint64_t) after >= samples_end(app->history);
        p->next = p->foreign ? 0 : (uint64_t) after;
        r = samples_new(app->history, p->next, &p->samples);
        if (r < 0) {
                free(p);
                return r;
        }
        /* Numbers are given once and in order, so these three say which rows follow. */
        reply->tag = hash_number(hash_number(tag_all(tag_begin(app), app), (uint64_t) after), p->left);
        reply->has_tag = true;
        reply->produce = produce;
        reply->state = p;
        reply->free_state = free_page;
        return 0;
}
