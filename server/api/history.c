/* GET /api/v1/meters/{id}/history: a stretch of the past, in steps or row by row. */
#include "api/handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/export.h"
#include "api/tag.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define DAY_MS  86400000
#define YEAR_MS (INT64_C(366) * DAY_MS)

enum step_word { STEP_AUTO, STEP_RAW, STEP_WORDS };
static const char *const step_words[STEP_WORDS] = { "auto", "raw" };

const struct parameter api_history_parameters[] = {
        { .name = "series", .type = PARAMETER_NAMES, .max = QUERY_SERIES_MAX, .example = "power_w,voltage_v",
          .description = "Which series. Without it: all that the meter has (the first 16); those of earlier profiles "
                         "by name." },
        { .name = "from", .type = PARAMETER_TIME, .fallback = "-24h", .example = "-6h",
          .description = "Begin, which belongs to the answer: now, a time before now, RFC 3339, or seconds since "
                         "1970." },
        { .name = "to", .type = PARAMETER_TIME, .fallback = "now", .example = "now",
          .description = "End, which does not belong to the answer." },
        { .name = "step", .type = PARAMETER_DURATION, .choices = step_words, .n_choices = STEP_WORDS,
          .min = TICK_MS, .max = YEAR_MS, .step = TICK_MS, .fallback = "auto", .example = "5min",
          .description = "Length of a row. raw: the rows themselves; auto: the shortest round one that gives at most "
                         "limit points." },
        { .name = "agg", .type = PARAMETER_CHOICES, .choices = query_aggregate_names, .n_choices = QUERY_DELTA + 1,
          .example = "avg,max",
          .description = "What each step tells. Without it: avg, min and max of a gauge, last and delta of a "
                         "counter." },
        { .name = "limit", .type = PARAMETER_INTEGER, .min = 1, .max = QUERY_POINTS_MAX, .fallback = "1000",
          .example = "500",
          .description = "Points at most. Steps that give more are refused; raw rows end there." },
        { .name = "format", .type = PARAMETER_CHOICE, .choices = table_format_names, .n_choices = TABLE_FORMATS,
          .fallback = "json", .description = "Form of the answer; the columns are the same." },
        { .name = NULL },
};

/* What an answer has when agg is not given: of a gauge what a chart draws, of a counter what people ask for. */
#define GAUGE_DEFAULT   (1u << QUERY_AVG | 1u << QUERY_MIN | 1u << QUERY_MAX)
#define COUNTER_DEFAULT (1u << QUERY_LAST | 1u << QUERY_DELTA)

struct asked {
        const struct app *app;
        const struct meter *meter;
        const char *meter_id;
        struct history *history;
        const struct request *request;
        struct reply *reply;
        struct export_spec spec;
        uint32_t aggregates;         /* 0: not given */
        uint64_t limit;
        int64_t now_ms;
};

/* All of these return false with the reply filled. */

/* Rows with times of at least from and below to: ticks within both, rounded up. */
static int64_t read_time(const struct asked *a, const char *name) {
        int64_t utc_ms = 0;

        request_time(a->request, name, a->now_ms, &utc_ms);
        return (utc_ms + TICK_MS - 1) / TICK_MS;
}

static bool read_range(struct asked *a) {
        struct query_spec *q = &a->spec.query;

        q->from = read_time(a, "from");
        q->to = read_time(a, "to");
        if (q->from < q->to)
                return true;
        reply_problem(a->reply, 400, "from", "from must lie before to");
        return false;
}

static void read_step(struct asked *a) {
        uint64_t ms = (uint64_t) request_number(a->request, "step");
        struct query_spec *q = &a->spec.query;

        switch (request_choice(a->request, "step")) {
        case STEP_AUTO:
                q->step_kind = QUERY_STEP_TICKS;
                q->auto_points = (unsigned) a->limit;
                break;
        case STEP_RAW:
                q->step_kind = QUERY_STEP_RAW;
                break;
        default:
                q->step_kind = ms % DAY_MS == 0 ? QUERY_STEP_DAYS : QUERY_STEP_TICKS;
                q->step = (int64_t) (ms % DAY_MS == 0 ? ms / DAY_MS : ms / TICK_MS);
        }
}

static void read_format(struct asked *a) {
        a->spec.format = (enum table_format) request_choice(a->request, "format");
        /* Only JSON can say that there is more; the others are not cut off unless somebody asks for it. */
        if (a->spec.format == TABLE_JSON || request_given(a->request, "limit"))
                a->spec.limit = a->limit;
}

/* ---- series: those the meter has now, and those it had ---- */

static const struct series_set *live_series(const struct asked *a) {
        return meter_series(a->meter);
}

/* What the history has of a series, NULL when it has nothing. */
static const struct schema_column *find_recorded(const struct asked *a, const char *key) {
        const struct schema_column *found = NULL;
        const struct schema *schema;
        unsigned slot;

        for (unsigned i = 0; (schema = history_schema(a->history, a->meter_id, i, &slot)); i++) {
                int column = schema_find(schema, key);

                if (column >= 0)
                        found = &schema->columns[column];
        }
        return found;
}

static const struct schema *newest_schema(const struct asked *a) {
        const struct schema *schema, *newest = NULL;
        unsigned slot;

        for (unsigned i = 0; (schema = history_schema(a->history, a->meter_id, i, &slot)); i++)
                newest = schema;
        return newest;
}

static uint32_t applicable(bool is_counter) {
        return is_counter ? ~(1u << QUERY_AVG) : ~(1u << QUERY_DELTA);
}

/* OpenMetrics has room for one. */
static uint32_t aggregates_for(const struct asked *a, bool is_counter) {
        if (a->aggregates)
                return a->aggregates & applicable(is_counter);
        if (a->spec.format == TABLE_OPENMETRICS)
                return is_counter ? 1u << QUERY_LAST : 1u << QUERY_AVG;
        return is_counter ? COUNTER_DEFAULT : GAUGE_DEFAULT;
}

static bool applies(const struct asked *a, bool is_counter) {
        return a->spec.query.step_kind == QUERY_STEP_RAW || aggregates_for(a, is_counter) != 0;
}

static bool is_listed(const struct query_spec *q, const char *key) {
        for (unsigned i = 0; i < q->n_series; i++)
                if (strcmp(q->series[i].key, key) == 0)
                        return true;
        return false;
}

static bool add_series(struct asked *a, const char *key, bool is_counter) {
        struct query_spec *q = &a->spec.query;

        if (is_listed(q, key))
                return true;
        if (q->n_series == QUERY_SERIES_MAX) {
                reply_problem(a->reply, 400, "series", "at most %d series at a time", QUERY_SERIES_MAX);
                return false;
        }
        q->series[q->n_series].aggregates = aggregates_for(a, is_counter);
        q->series[q->n_series].limit = view_total_limit(a->app, a->meter_id, key);
        strcpy(q->series[q->n_series++].key, key);
        return true;
}

/* As many as one request may ask for, of those that the aggregates fit. */
static void add_all_series(struct asked *a) {
        const struct schema *newest = newest_schema(a);
        const struct series_set *live = live_series(a);
        unsigned n = live->count > 0 ? live->count : newest ? newest->n_columns : 0;

        for (unsigned i = 0; i < n && a->spec.query.n_series < QUERY_SERIES_MAX; i++) {
                const char *key = live->count > 0 ? live->items[i].key : newest->columns[i].key;
                const struct schema_column *column = find_recorded(a, key);

                if (column && applies(a, column->kind == COLUMN_COUNTER))
                        (void) add_series(a, key, column->kind == COLUMN_COUNTER);
        }
}

static bool fail_unknown_series(const struct asked *a, const char *key, size_t len) {
        const struct series_set *live = live_series(a);
        const struct schema *schema;
        struct name_list names = { .len = 0 };
        unsigned slot;

        for (unsigned i = 0; i < live->count; i++)
                name_list_add(&names, live->items[i].key);
        for (unsigned i = 0; (schema = history_schema(a->history, a->meter_id, i, &slot)); i++)
                for (unsigned k = 0; k < schema->n_columns; k++)
                        if (find_recorded(a, schema->columns[k].key) == &schema->columns[k] &&
                            !series_set_find(live, schema->columns[k].key))
                                name_list_add(&names, schema->columns[k].key);
        reply_problem(a->reply, 400, "series", "%s has no series \"%.*s\"; it has %s", a->meter_id,
                      len > SCHEMA_KEY_MAX ? SCHEMA_KEY_MAX : (int) len, key,
                      names.len > 0 ? names.text : "none yet");
        return false;
}

static bool read_one_series(struct asked *a, const char *item, size_t len) {
        const struct schema_column *column = NULL;
        const struct series *live = NULL;
        char key[SERIES_KEY_MAX] = "";
        bool is_counter;

        if (len < sizeof key) {
                memcpy(key, item, len);
                column = find_recorded(a, key);
                live = series_set_find(live_series(a), key);
        }
        if (!column && !live)
                return fail_unknown_series(a, item, len);
        is_counter = column ? column->kind == COLUMN_COUNTER
                            : quantity_catalogue[live->quantity].kind == QUANTITY_COUNTER;
        if (!applies(a, is_counter)) {
                reply_problem(a->reply, 400, "agg", "%s is a %s: %s does not apply to it", key,
                              is_counter ? "counter" : "gauge", is_counter ? "avg" : "delta");
                return false;
        }
        /* Of a series that has just come up nothing is recorded yet. */
        return !column || add_series(a, key, is_counter);
}

static bool read_series(struct asked *a) {
        const char *rest = request_text(a->request, "series"), *item;
        size_t len;

        if (!rest)
                add_all_series(a);
        while (parameter_next_item(&rest, &item, &len))
                if (!read_one_series(a, item, len))
                        return false;
        return true;
}

/* ---- the answer ---- */

static int produce(void *state, struct buffer *out) {
        return export_next(state, out);
}

static void free_export(void *state) {
        export_free(state);
}

/* A meter of which nothing is recorded yet has an empty past. */
static int answer_empty(const struct asked *a) {
        struct table t = { .format = a->spec.format, .meter = a->meter_id };

        a->reply->content_type = table_content_types[a->spec.format];
        table_empty(&t, a->spec.query.from, a->spec.query.to, &a->reply->body);
        return view_finish(a->reply);
}

static int answer(struct asked *a) {
        CLEANUP(export_freep) struct export *e = NULL;
        unsigned index = 0;
        int r = export_new(a->history, &a->spec, &e, &index);

        if (r == -EPROTO)
                return reply_problem(a->reply, 400, "agg", "openmetrics carries one aggregate of each series, and "
                                     "neither count nor delta; or ask for step=raw");
        if (r < 0)
                return r;
        if (export_points(e) > a->limit)
                return reply_problem(a->reply, 400, "step", "this step gives %llu points and limit is %llu; ask for "
                                     "a longer step, a shorter time or a limit of up to %d",
                                     (unsigned long long) export_points(e), (unsigned long long) a->limit,
                                     QUERY_POINTS_MAX);
        a->reply->content_type = table_content_types[a->spec.format];
        a->reply->tag = tag_meter(export_tag(tag_begin(a->app), e), a->app, a->meter, export_to(e),
                                  a->spec.query.now);
        a->reply->has_tag = true;
        a->reply->produce = produce;
        a->reply->free_state = free_export;
        a->reply->state = TAKE(e);
        return 0;
}

int api_history(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        struct asked a = { .app = app, .meter = view_find_meter(app, request, reply), .history = app->history,
                           .request = request, .reply = reply };
        uint64_t boot_ms = view_now();

        if (!a.meter)
                return 0;
        if (!view_has_history(app, reply))
                return 0;
        if (!clock_to_utc_ms(boot_ms, &a.now_ms))
                return reply_problem(reply, 503, NULL, "the time is not known yet: this host's clock was not set");
        a.meter_id = a.spec.query.meter = meter_config(a.meter)->id;
        a.spec.query.now = a.now_ms / TICK_MS;
        a.limit = (uint64_t) request_number(request, "limit");
        a.aggregates = request_choices(request, "agg");
        read_step(&a);
        read_format(&a);
        if (!read_range(&a) || !read_series(&a))
                return 0;
        return a.spec.query.n_series > 0 ? answer(&a) : answer_empty(&a);
}
