/* GET /api/v1 and /healthz: what this is, and whether it is alive. */
#include "config.h"

#include "api/handlers.h"

#include <stdio.h>

#include "api/view.h"
#include "base/cleanup.h"
#include "base/clock.h"

static const struct {
        const char *name;
        const char *path;
} links[] = {
        { "openapi", "/api/v1/openapi.json" },
        { "meters", "/api/v1/meters" },
        { "diagnostics", "/api/v1/diagnostics" },
        { "samples", "/api/v1/samples" },
        { "events", "/api/v1/events" },
        { "stream", "/api/v1/stream" },
        { "home_assistant", "/api/v1/home-assistant.yaml" },
        { "metrics", "/metrics" },
        { "health", "/healthz" },
        { "dashboard", "/" },
};

/* The catalogue, so that a page need not know units and names by itself. */
static void put_quantities(struct json_writer *w) {
        json_array_begin(w, "quantities");
        for (unsigned q = 0; q < Q_COUNT; q++) {
                const struct quantity_info *info = &quantity_catalogue[q];

                json_object_begin(w, NULL);
                json_put_string(w, "key", info->key);
                json_put_string(w, "label", info->label);
                json_put_string(w, "unit", view_text_or_null(info->unit));
                json_put_string(w, "kind", info->kind == QUANTITY_COUNTER ? "counter" : "gauge");
                json_put_uint(w, "decimals", info->decimals);
                json_object_end(w);
        }
        json_array_end(w);
}

static void put_progress(struct json_writer *w, const struct history *h) {
        uint64_t done, total;

        history_progress(h, &done, &total);
        if (history_is_ready(h))
                done = total = 1;
        json_put_decimal(w, "progress", total > 0 ? (int64_t) (done * 100 / total) : 0, 2);
}

/* Of the newest row before a number; null while that is not known. */
static void put_cursor(struct json_writer *w, const char *key, bool known, uint64_t number) {
        char cursor[24];

        snprintf(cursor, sizeof cursor, "%llu", (unsigned long long) number - 1);
        json_put_string(w, key, known ? cursor : NULL);
}

static void put_history(struct json_writer *w, const struct history *h) {
        struct history_stats stats = history_stats(h);

        json_object_begin(w, "history");
        json_put_string(w, "state", history_is_ready(h) ? "ready" : "reading");
        put_progress(w, h);
        json_put_string(w, "error", view_text_or_null(history_error(h)));
        put_cursor(w, "cursor", history_is_ready(h), stats.next_number);
        put_cursor(w, "safe_cursor", history_is_ready(h) && stats.safe_number > 0, stats.safe_number);
        json_put_uint(w, "rows", stats.rows);
        json_put_uint(w, "samples", stats.values);
        json_put_uint(w, "waiting", stats.waiting);
        json_put_uint(w, "dropped", stats.dropped);
        view_put_time(w, "last_checkpoint", stats.last_checkpoint_ms > 0, stats.last_checkpoint_ms);
        json_put_uint(w, "bytes_used", view_history_bytes(h));
        json_put_uint(w, "bytes_allocated", stats.store.bytes_allocated);
        json_put_uint(w, "bytes_written", stats.store.written_bytes);
        json_object_end(w);
}

/* What time it is here. */
static void put_time(struct json_writer *w, uint64_t now_ms) {
        char text[CLOCK_RFC3339_MAX];
        int64_t utc_ms;

        if (!view_time(now_ms, &utc_ms)) {
                view_put_time(w, "time", false, now_ms);
                return;
        }
        clock_format_rfc3339(utc_ms, text);
        json_put_volatile_string(w, "time", text);
        json_put_volatile_decimal(w, "time_ms", utc_ms, 0);
}

int api_service(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        uint64_t now_ms = view_now();
        struct json_writer w;

        (void) request;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "product", "metergate");
        json_put_string(&w, "version", PACKAGE_VERSION);
        json_put_string(&w, "site", view_text_or_null(app->config->site.name));
        put_time(&w, now_ms);
        view_put_time(&w, "started", true, app->started_ms);
        json_put_volatile_decimal(&w, "uptime_s", (int64_t) ((now_ms - app->started_ms) / 1000), 0);
        json_object_begin(&w, "links");
        for (size_t i = 0; i < ELEMENTS(links); i++)
                json_put_string(&w, links[i].name, links[i].path);
        json_object_end(&w);
        if (app->history)
                put_history(&w, app->history);
        else
                json_put_null(&w, "history");
        put_quantities(&w);
        json_object_end(&w);
        return view_finish(reply);
}

/* No details: this route needs no token. */
static const char *history_word(const struct history *h) {
        if (!h)
                return NULL;
        if (history_error(h)[0])
                return "failing";
        return history_is_ready(h) ? "ready" : "reading";
}

int api_healthz(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        unsigned count = fleet_count(app->fleet), delivering = 0;
        uint64_t now_ms = view_now();
        struct json_writer w;

        (void) request;
        for (unsigned i = 0; i < count; i++)
                if (meter_available(fleet_meter(app->fleet, i), now_ms))
                        delivering++;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "status", "ok");
        json_put_uint(&w, "meters", count);
        json_put_uint(&w, "delivering", delivering);
        json_put_string(&w, "history", history_word(app->history));
        json_object_end(&w);
        return view_finish(reply);
}
