/* GET /api/v1/diagnostics: what the gateway itself is doing, and its limits. */
#include "api/handlers.h"

#include <stdio.h>

#include "api/accept.h"
#include "api/process.h"
#include "api/stream_filter.h"
#include "api/view.h"
#include "history/query.h"
#include "http/limits.h"
#include "http/server.h"
#include "meters/observer.h"
#include "push/push.h"

static void put_http(struct json_writer *w, const struct http_server *http) {
        struct http_facts facts = http_server_facts(http);

        json_object_begin(w, "http");
        json_put_uint(w, "connections", facts.connections);
        json_put_uint(w, "secure_connections", facts.secure_connections);
        json_put_uint(w, "streams", facts.streams);
        json_put_uint(w, "long_answers", facts.long_answers);
        json_put_uint(w, "answers", facts.answers);
        json_put_uint(w, "not_modified", facts.not_modified);
        json_object_begin(w, "access");
        json_put_uint(w, "failures", facts.auth_failures);
        json_put_uint(w, "refusals", facts.auth_refusals);
        json_object_end(w);
        json_object_begin(w, "cache");
        json_put_uint(w, "hits", facts.cache_hits);
        json_put_uint(w, "misses", facts.cache_misses);
        json_object_end(w);
        json_object_end(w);
}

static void put_limits(struct json_writer *w) {
        json_object_begin(w, "limits");
        for (size_t i = 0; i < http_limits_count; i++)
                json_put_uint(w, http_limits_table[i].name, http_limits_table[i].value);
        json_put_uint(w, "query_parameters", REQUEST_QUERY_MAX);
        json_put_uint(w, "answer_bytes", REPLY_BODY_MAX);
        json_put_uint(w, "history_points", QUERY_POINTS_MAX);
        json_put_uint(w, "history_series", QUERY_SERIES_MAX);
        json_put_uint(w, "stream_series", STREAM_KEYS_MAX);
        json_put_uint(w, "stream_columns", STREAM_COLUMNS_MAX);
        json_put_uint(w, "meters", METERS_MAX);
        json_put_uint(w, "observed_runs", OBSERVER_RUNS_MAX);
        json_put_uint(w, "suggest_every_ms", OBSERVER_SUGGEST_MS);
        json_put_uint(w, "accepted_pieces", ACCEPT_ROWS_MAX);
        json_put_uint(w, "writes_at_once", WRITES_AT_ONCE);
        json_put_uint(w, "write_every_ms", WRITE_EVERY_MS);
        json_object_end(w);
}

static void put_process(struct json_writer *w) {
        struct process_info info = process_info();

        json_object_begin(w, "process");
        json_put_decimal(w, "cpu_s", info.cpu_us, 6);
        view_put_number(w, "resident_bytes", info.has_memory, (int64_t) info.resident_bytes, 0);
        view_put_number(w, "open_files", info.has_fds, (int64_t) info.open_fds, 0);
        view_put_number(w, "open_files_max", info.has_max_fds, (int64_t) info.max_fds, 0);
        json_object_end(w);
}

static void put_push(struct json_writer *w, const struct push *push) {
        struct receiver_facts facts;
        const char *name;
        char cursor[24];

        json_array_begin(w, "remote_write");
        for (unsigned i = 0; (name = push_facts(push, i, &facts)); i++) {
                snprintf(cursor, sizeof cursor, "%llu", (unsigned long long) facts.cursor);
                json_object_begin(w, NULL);
                json_put_string(w, "name", name);
                json_put_string(w, "state", facts.state);
                json_put_string(w, "error", view_text_or_null(facts.error));
                json_put_string(w, "cursor", cursor);
                json_put_decimal(w, "lag_s", facts.lag_ms, 3);
                json_put_uint(w, "samples", facts.samples);
                json_put_uint(w, "failed_samples", facts.failed);
                json_put_uint(w, "lost_rows", facts.lost_rows);
                json_put_uint(w, "batches", facts.batches);
                json_put_uint(w, "retries", facts.retries);
                json_put_uint(w, "sent_bytes", facts.bytes);
                json_object_end(w);
        }
        json_array_end(w);
}

int api_gateway(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        struct json_writer w;

        (void) request;
        /* The question alone changes it. */
        reply->is_volatile = true;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        if (app->http)
                put_http(&w, app->http);
        else
                json_put_null(&w, "http");
        put_process(&w);
        put_push(&w, app->push);
        put_limits(&w);
        json_object_end(&w);
        return view_finish(reply);
}
