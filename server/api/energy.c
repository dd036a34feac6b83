/* GET /api/v1/meters/{id}/energy: what came from the grid and went there, hour by hour or year by year. */
#include "api/handlers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/energy_statistics.h"
#include "api/energy_text.h"
#include "api/table.h"
#include "api/tag.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"

#define ROWS_MAX 11000
#define HOUR_S 3600
#define SYNC_MS 5000          /* more than a checkpoint takes to be on the disk */

enum format { FORMAT_JSON, FORMAT_CSV, FORMAT_STATISTICS, FORMATS };
static const char *const formats[FORMATS] = { "json", "csv", "ha-statistics" };

const struct parameter api_energy_parameters[] = {
        { .name = "period", .type = PARAMETER_CHOICE, .choices = period_names, .n_choices = PERIODS,
          .example = "month",
          .description = "What a row covers, in the site's time zone. Without it: day, and hour for "
                         "ha-statistics, which knows no other." },
        { .name = "from", .type = PARAMETER_TIME, .example = "-30d",
          .description = "Begin; the whole period around it is told. Without it: 24 hours, 30 days, 12 weeks, 12 "
                         "months or 5 years before to." },
        { .name = "to", .type = PARAMETER_TIME, .fallback = "now", .example = "now",
          .description = "End; the whole period around it is told, as far as it has come." },
        { .name = "format", .type = PARAMETER_CHOICE, .choices = formats, .n_choices = FORMATS, .fallback = "json",
          .description = "ha-statistics is what Home Assistant's recorder.import_statistics takes." },
        { .name = "channel", .type = PARAMETER_NAME, .max = ENERGY_CHANNEL_MAX, .example = "l1",
          .description = "One channel of the meter. Without it: the meter's own energy." },
        { .name = NULL },
};

/* How many periods an answer has when from is not given. */
static const unsigned default_rows[PERIODS] = {
        [PERIOD_HOUR] = 24, [PERIOD_DAY] = 30, [PERIOD_WEEK] = 12, [PERIOD_MONTH] = 12, [PERIOD_YEAR] = 5,
};

struct asked {
        const struct app *app;
        const struct meter *meter;
        const struct request *request;
        struct reply *reply;
        enum format format;
        enum energy_period period;
        char channel[ENERGY_CHANNEL_MAX + 1];
        int64_t now_ms, from_s, to_s;
};

/* All of these return false with the reply filled. */

static bool read_period(struct asked *a) {
        int period = request_choice(a->request, "period");

        a->period = period >= 0 ? (enum energy_period) period
                  : a->format == FORMAT_STATISTICS ? PERIOD_HOUR : PERIOD_DAY;
        if (a->format != FORMAT_STATISTICS || a->period == PERIOD_HOUR)
                return true;
        reply_problem(a->reply, 400, "period", "period: expected hour, the period of Home Assistant's statistics");
        return false;
}

/* A channel that is there now, or was and is in the history still. */
static bool has_channel(const struct asked *a, const char *name) {
        const struct series_set *set = meter_series(a->meter);
        const char *id = meter_config(a->meter)->id;
        const struct schema *s;
        size_t len = strlen(name);
        unsigned slot;

        for (unsigned i = 1; i < set->n_channels; i++)
                if (strcmp(set->channels[i], name) == 0)
                        return true;
        for (unsigned i = 0; (s = history_schema(a->app->history, id, i, &slot)); i++)
                for (unsigned k = 0; k < s->n_columns; k++)
                        if (strncmp(s->columns[k].key, name, len) == 0 && s->columns[k].key[len] == '.')
                                return true;
        return false;
}

static bool read_channel(struct asked *a) {
        const char *text = request_text(a->request, "channel");
        const struct series_set *set = meter_series(a->meter);
        struct name_list names = { .len = 0 };

        if (!text)
                return true;
        if (has_channel(a, text)) {
                strcpy(a->channel, text);
                return true;
        }
        for (unsigned i = 1; i < set->n_channels; i++)
                name_list_add(&names, set->channels[i]);
        reply_problem(a->reply, 400, "channel", "%s has no channel \"%.40s\"; it has %s", meter_config(a->meter)->id,
                      text, names.len > 0 ? names.text : "none");
        return false;
}

/* Home Assistant counts hours of UTC, whatever the zone. */
static int64_t start_of(const struct asked *a, int64_t s) {
        return a->format == FORMAT_STATISTICS ? s - s % HOUR_S : period_start(a->period, s);
}

static int64_t end_of(const struct asked *a, int64_t s) {
        int64_t start = start_of(a, s);

        if (start == s)
                return s;
        return a->format == FORMAT_STATISTICS ? start + HOUR_S : period_next(a->period, s);
}

static int64_t default_start(const struct asked *a, int64_t to_s) {
        unsigned n = default_rows[a->period] - 1;

        if (a->format == FORMAT_STATISTICS)
                return start_of(a, to_s - 1) - (int64_t) n * HOUR_S;
        return period_back(a->period, to_s - 1, n);
}

/* Whole periods around what was asked for. What is to come is left out. */
static bool read_range(struct asked *a) {
        int64_t from_ms = INT64_MIN, to_ms = a->now_ms;

        request_time(a->request, "from", a->now_ms, &from_ms);
        request_time(a->request, "to", a->now_ms, &to_ms);
        if (from_ms >= to_ms) {
                reply_problem(a->reply, 400, "from", "from must lie before to");
                return false;
        }
        if (to_ms > a->now_ms)
                to_ms = a->now_ms;
        a->to_s = (to_ms + 999) / 1000;
        a->from_s = from_ms == INT64_MIN ? default_start(a, a->to_s) : start_of(a, from_ms / 1000);
        a->to_s = end_of(a, a->to_s);
        if (a->to_s < a->from_s)
                a->to_s = a->from_s;
        return true;
}

static bool check_rows(const struct asked *a) {
        uint64_t n = period_count(a->period, a->from_s, a->to_s);

        if (n <= ROWS_MAX)
                return true;
        reply_problem(a->reply, 400, "period", "this gives %llu rows and %d are the most; ask for a longer period or "
                      "a shorter time", (unsigned long long) n, ROWS_MAX);
        return false;
}

/* ---- the answer ---- */

static int produce_text(void *state, struct buffer *out) {
        return energy_text_next(state, out);
}

static void free_text(void *state) {
        energy_text_free(state);
}

static int produce_statistics(void *state, struct buffer *out) {
        return energy_statistics_next(state, out);
}

static void free_statistics(void *state) {
        energy_statistics_free(state);
}

/* What localtime goes by: the configuration's zone, else TZ, else the system's link into the database. */
static const char *zone_name(const struct app *app, char *buf, size_t size) {
        const char *tz = getenv("TZ");
        ssize_t n;
        char *name;

        if (app->config->site.timezone)
                return app->config->site.timezone;
        if (tz)
                return view_text_or_null(tz + (tz[0] == ':'));
        n = readlink("/etc/localtime", buf, size - 1);
        if (n < 0)
                return NULL;
        buf[n] = 0;
        name = strstr(buf, "/zoneinfo/");
        return name ? name + strlen("/zoneinfo/") : NULL;
}

static struct total_limit limit_of(const struct asked *a, enum quantity quantity) {
        char key[SCHEMA_KEY_MAX + 1];

        energy_key(a->channel, quantity_catalogue[quantity].key, key);
        return view_total_limit(a->app, meter_config(a->meter)->id, key);
}

static int answer_text(const struct asked *a) {
        const struct energy_spec spec = {
                .meter = meter_config(a->meter)->id, .channel = a->channel, .period = a->period, .from_s = a->from_s,
                .to_s = a->to_s, .now = a->now_ms / TICK_MS, .import_limit = limit_of(a, Q_ENERGY_IMPORT),
                .export_limit = limit_of(a, Q_ENERGY_EXPORT), .n_tariffs = a->app->config->n_tariffs,
                .tariffs = a->app->config->tariffs,
        };
        struct energy_text *text;
        char link[256];
        int r;

        r = energy_text_new(a->app->history, &spec, zone_name(a->app, link, sizeof link), a->format == FORMAT_CSV,
                            &text);
        if (r < 0)
                return r;
        a->reply->content_type = table_content_types[a->format == FORMAT_CSV ? TABLE_CSV : TABLE_JSON];
        a->reply->produce = produce_text;
        a->reply->free_state = free_text;
        a->reply->state = text;
        return 0;
}

/* An hour is told when it is over and its rows cannot be lost any more. */
static int64_t settled_s(const struct asked *a) {
        int64_t s = (a->now_ms - a->app->config->history.flush_ms - SYNC_MS) / 1000;

        return s - s % HOUR_S;
}

static int answer_statistics(const struct asked *a) {
        struct energy_statistics_spec spec = {
                .meter = meter_config(a->meter)->id, .channel = a->channel, .from = a->from_s * TICKS_PER_S,
                .to = a->to_s * TICKS_PER_S, .now = a->now_ms / TICK_MS,
                .import_limit = limit_of(a, Q_ENERGY_IMPORT), .export_limit = limit_of(a, Q_ENERGY_EXPORT),
        };
        struct energy_statistics *statistics;
        int r;

        if (spec.to > settled_s(a) * TICKS_PER_S)
                spec.to = settled_s(a) * TICKS_PER_S;
        if (spec.to < spec.from)
                spec.to = spec.from;
        r = energy_statistics_new(a->app->history, &spec, &statistics);
        if (r < 0)
                return r;
        a->reply->produce = produce_statistics;
        a->reply->free_state = free_statistics;
        a->reply->state = statistics;
        return 0;
}

/* Unlike a step of the history, a period that is not over ends now: how much of it is known changes by itself. And
 * hours become settled. */
static void put_tag(struct asked *a) {
        int64_t to = a->to_s * TICKS_PER_S, now = a->now_ms / TICK_MS;
        uint64_t tag = tag_begin(a->app);

        tag = hash_number(tag, a->format);
        tag = hash_number(tag, a->period);
        tag = hash_text(tag, a->channel);
        tag = hash_number(tag, (uint64_t) a->from_s);
        tag = hash_number(tag, (uint64_t) a->to_s);
        if (a->format == FORMAT_STATISTICS)
                tag = hash_number(tag, (uint64_t) settled_s(a));
        else
                tag = hash_number(tag, (uint64_t) (now < to ? now : to));
        a->reply->tag = tag_meter(tag, a->app, a->meter, to, now);
        a->reply->has_tag = true;
}

int api_energy(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        struct asked a = {
                .app = app, .meter = view_find_meter(app, request, reply), .request = request, .reply = reply,
        };
        uint64_t boot_ms = view_now();

        if (!a.meter || !view_has_history(app, reply))
                return 0;
        if (!clock_to_utc_ms(boot_ms, &a.now_ms))
                return reply_problem(reply, 503, NULL, "the time is not known yet: this host's clock was not set");
        a.format = (enum format) request_choice(request, "format");
        if (!read_period(&a) || !read_channel(&a) || !read_range(&a) || !check_rows(&a))
                return 0;
        put_tag(&a);
        return a.format == FORMAT_STATISTICS ? answer_statistics(&a) : answer_text(&a);
}
