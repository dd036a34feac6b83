/* GET /api/v1/stream: what the meters report, as it comes, as server-sent events. A stream is a place in the row of
 * numbers of the history: it reads on from there, whether that is now or what it missed. */
#include "api/handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/live.h"
#include "api/sample_text.h"
#include "api/stream_filter.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "http/limits.h"

#define RETRY        "retry: 2000\n\n"   /* ms after which a browser comes again */
#define HEARTBEAT_MS (15000 - LIVE_TICK_MS)  /* a tick may be late */
#define TURN_MS      2

_Static_assert(METERS_MAX <= 32, "a bit for each");

struct stream {
        const struct app *app;           /* borrowed */
        struct stream_filter filter;
        uint32_t meters;                 /* asked for, by place in the fleet */
        bool all_meters;                 /* those that are gone from the configuration, too */
        uint32_t versions[METERS_MAX];   /* of the states that were told */
        bool has_begun, has_place, has_cursor, is_foreign;
        uint64_t cursor;                 /* as the client gave it */
        uint64_t after;                  /* rows up to this one are done */
        uint64_t told;                   /* what the client would come back with */
        uint64_t told_ms;
};

static void stream_free(void *state) {
        struct stream *s = state;

        live_leave(s->app->live, s);
        stream_filter_free(&s->filter);
        free(s);
}

/* ---- events ---- */

static void put_id(struct stream *s, struct buffer *out, uint64_t number) {
        buffer_printf(out, "id: %llu\n", (unsigned long long) number);
        s->told = number;
        s->told_ms = clock_now_ms();
}

static void put_sources(struct json_writer *w, const struct stream *s, const struct meter *m) {
        const struct series_set *set = meter_series(m);

        json_object_begin(w, "sources");
        for (unsigned i = 0; i < set->count; i++) {
                const struct series *series = &set->items[i];

                if (!series->known || !stream_filter_shows(&s->filter, series->key))
                        continue;
                json_object_begin(w, series->key);
                json_put_string(w, "source", value_source_names[series->source]);
                json_put_string(w, "origin", view_text_or_null(series->origin));
                json_object_end(w);
        }
        json_object_end(w);
}

static void put_state(const struct stream *s, const struct meter *m, struct buffer *out) {
        struct json_writer w;

        buffer_puts(out, "event: state\ndata: ");
        json_begin(&w, out);
        json_object_begin(&w, NULL);
        json_put_string(&w, "meter", meter_config(m)->id);
        json_put_string(&w, "state", meter_state_names[meter_state(m)]);
        json_put_bool(&w, "available", meter_available(m, clock_now_ms()));
        json_put_string(&w, "reason", meter_reason(m));
        put_sources(&w, s, m);
        json_object_end(&w);
        buffer_puts(out, "\n\n");
}

/* False when there are more for another piece. */
static bool put_states(struct stream *s, struct buffer *out) {
        for (unsigned i = 0; i < fleet_count(s->app->fleet); i++) {
                uint32_t version = live_version(s->app->live, i);

                if (!(s->meters >> i & 1) || s->versions[i] == version)
                        continue;
                if (out->len >= HTTP_STREAM_PIECE)
                        return false;
                put_state(s, fleet_meter(s->app->fleet, i), out);
                s->versions[i] = version;
        }
        return true;
}

/* after: what the client has; next: what comes now. What lies between is not there, if it ever was. */
static void put_gap(struct stream *s, uint64_t after, uint64_t next, struct buffer *out) {
        struct json_writer w;

        buffer_puts(out, "event: gap\n");
        put_id(s, out, next - 1);
        buffer_puts(out, "data: ");
        json_begin(&w, out);
        json_object_begin(&w, NULL);
        sample_put_cursor(&w, "after", after);
        sample_put_cursor(&w, "next", next);
        if (s->is_foreign)
                json_put_null(&w, "lost");
        else
                json_put_uint(&w, "lost", next - after - 1);
        json_put_bool(&w, "restarted", s->is_foreign);
        json_object_end(&w);
        buffer_puts(out, "\n\n");
}

static void begin_sample(struct stream *s, const struct sample *sample, struct buffer *out) {
        buffer_puts(out, "event: sample\n");
        put_id(s, out, sample->number);
        buffer_puts(out, "data: ");
}

static bool is_asked_for(const struct stream *s, const struct sample *sample) {
        for (unsigned i = 0; !s->all_meters && i < fleet_count(s->app->fleet); i++)
                if (strcmp(meter_config(fleet_meter(s->app->fleet, i))->id, sample->schema->meter) == 0)
                        return s->meters >> i & 1;
        return s->all_meters;
}

/* A row of which nothing is asked for, or nothing passes, is left out. */
static int put_sample(struct stream *s, struct sample *sample, struct buffer *out) {
        struct json_writer w;
        uint64_t columns;
        int r;

        if (!is_asked_for(s, sample))
                return 0;
        if (stream_filter_is_open(&s->filter)) {
                begin_sample(s, sample, out);
                live_put(s->app->live, sample, out);
                buffer_puts(out, "\n\n");
                return 0;
        }
        sample_show(s->app, sample);
        r = stream_filter_take(&s->filter, sample, &columns);
        if (r < 0 || !columns)
                return r;
        begin_sample(s, sample, out);
        json_begin(&w, out);
        sample_put(&w, sample, columns);
        buffer_puts(out, "\n\n");
        return 0;
}

/* 1: there may be more now; 0: these were all; -EAGAIN; -errno. */
static int put_rows(struct stream *s, struct buffer *out) {
        uint64_t begun_ms = clock_now_ms();
        struct sample sample;

        while (out->len < HTTP_STREAM_PIECE && clock_now_ms() - begun_ms < TURN_MS) {
                int r = live_next(s->app->live, s, s->after, &sample);

                if (r <= 0)
                        return r;
                if (sample.number > s->after + 1)
                        put_gap(s, s->after, sample.number, out);
                s->after = sample.number;
                r = put_sample(s, &sample, out);
                if (r < 0)
                        return r;
        }
        return 1;
}

/* Where the stream begins. A number that was never given here is of a history that is gone: all of this one is new to
 * its client, as it is for readers of /samples. */
static void take_place(struct stream *s, struct buffer *out) {
        uint64_t end = samples_end(s->app->history);

        s->has_place = true;
        s->is_foreign = s->has_cursor && s->cursor >= end;
        s->after = s->told = s->has_cursor ? s->cursor : end - 1;
        if (s->is_foreign) {
                uint64_t oldest = samples_oldest(s->app->history);

                put_gap(s, s->cursor, oldest, out);
                s->after = oldest - 1;
                s->is_foreign = false;
        } else if (!s->has_cursor) {
                put_id(s, out, s->after);
                buffer_puts(out, "\n");
        }
}

/* An id alone is no event, but what the client comes back with: it moves on with rows that were left out. */
static void put_heartbeat(struct stream *s, struct buffer *out) {
        buffer_puts(out, ":\n");
        if (s->has_place && s->told != s->after)
                put_id(s, out, s->after);
        buffer_puts(out, "\n");
        s->told_ms = clock_now_ms();
}

static int produce(void *state, struct buffer *out) {
        struct stream *s = state;
        int r = 0;

        if (!s->has_begun)
                buffer_puts(out, RETRY);
        s->has_begun = true;
        if (!put_states(s, out))
                return 1;
        /* While the file is read after a start, the place of its last row is not known yet. */
        if (history_is_ready(s->app->history)) {
                if (!s->has_place)
                        take_place(s, out);
                r = put_rows(s, out);
        }
        if (clock_now_ms() - s->told_ms >= HEARTBEAT_MS)
                put_heartbeat(s, out);
        return r == 0 ? -ENODATA : r;
}

/* ---- the request: all of these return false with the reply filled ---- */

static bool fail(struct reply *reply, const char *name, const char *form) {
        reply_problem(reply, 400, name, "%s: expected %s", name, form);
        return false;
}

static bool read_meter(struct stream *s, const char *id, size_t len, struct reply *reply) {
        struct name_list ids = { 0 };

        for (unsigned i = 0; i < fleet_count(s->app->fleet); i++) {
                const char *known = meter_config(fleet_meter(s->app->fleet, i))->id;

                if (strlen(known) == len && memcmp(known, id, len) == 0) {
                        s->meters |= UINT32_C(1) << i;
                        return true;
                }
                name_list_add(&ids, known);
        }
        reply_problem(reply, 400, "meters", "no meter \"%.*s\" here; there is %s", len > 64 ? 64 : (int) len, id,
                      ids.len > 0 ? ids.text : "none");
        return false;
}

static bool read_meters(struct stream *s, const struct request *request, struct reply *reply) {
        const char *text = request_text(request, "meters");

        s->all_meters = !text;
        if (!text)
                s->meters = UINT32_MAX;
        while (text) {
                size_t len = strcspn(text, ",");

                if (!read_meter(s, text, len, reply))
                        return false;
                text = text[len] ? text + len + 1 : NULL;
        }
        return true;
}

/* Whether a meter that was asked for has it, had it, or may turn out to have it once its product is known. */
static bool is_series(const struct stream *s, const char *key) {
        for (unsigned i = 0; i < fleet_count(s->app->fleet); i++) {
                const struct meter *m = fleet_meter(s->app->fleet, i);
                const struct schema *schema;
                unsigned slot;

                if (!(s->meters >> i & 1))
                        continue;
                if (series_set_find(meter_series(m), key) ||
                    (view_lacks_profile(m) && stream_quantity(key) != Q_NONE))
                        return true;
                for (unsigned k = 0; (schema = history_schema(s->app->history, meter_config(m)->id, k, &slot)); k++)
                        if (schema_find(schema, key) >= 0)
                                return true;
        }
        return false;
}

static bool check_keys(const struct stream *s, const struct stream_key *keys, unsigned n, const char *parameter,
                       struct reply *reply) {
        struct name_list names = { 0 };
        unsigned i = 0;

        while (i < n && is_series(s, keys[i].key))
                i++;
        if (i == n)
                return true;
        for (unsigned m = 0; m < fleet_count(s->app->fleet); m++) {
                const struct series_set *set = meter_series(fleet_meter(s->app->fleet, m));

                for (unsigned k = 0; (s->meters >> m & 1) && k < set->count; k++)
                        name_list_add(&names, set->items[k].key);
        }
        reply_problem(reply, 400, parameter, "no meter that is asked for has a series \"%s\"; there is %s",
                      keys[i].key, names.len > 0 ? names.text : "none");
        return false;
}

/* r: what reading the keys gave. */
static bool has_keys(int r, const char *parameter, const char *form, struct reply *reply, int *ret_error) {
        if (r == -ENOMEM)
                *ret_error = r;
        else if (r == -E2BIG)
                reply_problem(reply, 400, parameter, "at most %d series at a time", STREAM_KEYS_MAX);
        else if (r < 0)
                fail(reply, parameter, form);
        return r == 0;
}

static bool read_filter(struct stream *s, const struct request *request, struct reply *reply, int *ret_error) {
        const char *series = request_text(request, "series"), *deltas = request_text(request, "delta");
        struct stream_filter *f = &s->filter;

        if (series && !has_keys(stream_filter_set_series(f, series), "series",
                                "series keys with commas between, each once: power_w,l1.voltage_v", reply, ret_error))
                return false;
        if (deltas && !has_keys(stream_filter_set_deltas(f, deltas), "delta",
                                "SERIES:NUMBER with commas between, each series once and numbers above 0 in its "
                                "resolution: power_w:20,voltage_v:0.5", reply, ret_error))
                return false;
        f->interval_ms = (uint32_t) request_number(request, "min_interval");
        return check_keys(s, f->keys, f->n_keys, "series", reply) &&
               check_keys(s, f->deltas, f->n_deltas, "delta", reply);
}

/* What would be remembered beyond the limit would be forgotten at once. */
static bool check_size(const struct stream *s, struct reply *reply) {
        unsigned n = 0;

        for (unsigned i = 0; i < fleet_count(s->app->fleet); i++)
                if (s->meters >> i & 1)
                        n += meter_series(fleet_meter(s->app->fleet, i))->count;
        if (n <= STREAM_COLUMNS_MAX || (s->filter.interval_ms == 0 && s->filter.n_deltas == 0))
                return true;
        reply_problem(reply, 400, "meters", "min_interval and delta work for meters with at most %d series together; "
                      "these have %u: ask for fewer in one stream", STREAM_COLUMNS_MAX, n);
        return false;
}

/* Browsers come back to the address that they were given, so what they add is newer. */
static bool read_cursor(struct stream *s, const struct request *request, struct reply *reply) {
        int64_t number = request_number(request, "after");

        s->has_cursor = request_given(request, "after") || request->last_event_id[0];
        if (request->last_event_id[0] && (decimal_parse(request->last_event_id, 0, &number) < 0 || number < 0))
                return fail(reply, "Last-Event-ID", "a cursor as an earlier event gave it");
        s->cursor = (uint64_t) number;
        return true;
}

const struct parameter api_stream_parameters[] = {
        { .name = "meters", .type = PARAMETER_NAMES, .max = METERS_MAX, .example = "main",
          .description = "Ids of the meters that are asked for; without it all of them." },
        { .name = "series", .type = PARAMETER_NAMES, .max = STREAM_KEYS_MAX, .example = "power_w",
          .description = "Only these series, of each meter that has them. A row with none of them is left out." },
        { .name = "min_interval", .type = PARAMETER_DURATION, .min = TICK_MS, .max = 86400000, .step = TICK_MS,
          .example = "5s",
          .description = "Of each series only values that come so long after the last one that passed, or that delta "
                         "lets pass." },
        { .name = "delta", .type = PARAMETER_TEXT, .min = 1, .max = 1000, .example = "power_w:20",
          .description = "SERIES:NUMBER with commas between: of these series only values that differ by so much from "
                         "the last one that passed, or that min_interval lets pass." },
        { .name = "after", .type = PARAMETER_CURSOR, .example = "4711",
          .description = "A cursor: goes on behind it. The header Last-Event-ID wins. Without both: what comes from "
                         "now on." },
        { .name = NULL },
};

int api_stream(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        struct stream *s;
        int r = 0;

        if (!app->live)
                return reply_problem(reply, 503, NULL, "this gateway runs without a history");
        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->app = app;
        s->told_ms = clock_now_ms();
        live_join(app->live);
        if (!read_meters(s, request, reply) || !read_filter(s, request, reply, &r) || !check_size(s, reply) ||
            !read_cursor(s, request, reply)) {
                stream_free(s);
                return r;
        }
        reply->content_type = "text/event-stream";
        reply->cache_control = "no-store";
        reply->produce = produce;
        reply->state = s;
        reply->free_state = stream_free;
        reply->is_stream = true;
        return 0;
}
