/* Queries and Last-Event-ID of the live stream, and what it then tells: the first line of the input is the query, the
 * second the header. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/live.h"
#include "base/clock.h"
#include "protocols/tuyamcu/tuyamcu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS   200
#define PIECES 64    /* more than those rows can fill */

static struct app app;

static void wake(void *userdata) {
        (void) userdata;
}

static void need(int r) {
        if (r < 0)
                abort();
}

/* A meter of a product that nobody knows may have any series; its history has some. */
static void begin(void) {
        static const struct history_options options = { .size_bytes = 1 << 20, .flush_ms = 60000 };
        static struct meter_config meter = {
                .id = "main", .name = (char *) "Main", .port = (char *) "/nonexistent", .baud = 9600, .poll_ms = 10000,
                .stale_after_ms = 35000, .scale_num = 1, .scale_den = 1,
        };
        static struct config config = { .meters = &meter, .n_meters = 1 };
        struct schema schema = { .meter = "main", .hold_ticks = 350, .n_columns = 2, .columns = {
                { .key = "power_w", .kind = COLUMN_GAUGE, .decimals = 3 },
                { .key = "energy_import_kwh", .kind = COLUMN_COUNTER, .decimals = 6 },
        } };
        char error[STORE_ERROR_MAX];
        struct fleet *fleet;
        sd_event *event;
        unsigned handle;

        clock_init(true);
        meter.protocol = &tuyamcu_protocol;
        need(sd_event_new(&event));
        need(history_new(&options, &app.history, error));
        while (history_step(app.history) > 0)
                ;
        need(fleet_new(event, app.history, NULL, NULL, &fleet));
        need(fleet_apply(fleet, &config));
        app.fleet = fleet;
        app.config = &config;
        need(live_new(event, &app, wake, NULL, &app.live));
        need(history_define(app.history, &schema, &handle));
        for (int i = 0; i < ROWS; i++) {
                struct history_row row = { .mask = 3, .values = { i * 7919 % 50000, i }, .totals = { 0, i } };

                need(history_append_at(app.history, handle, INT64_C(17952552000) + i * 10, &row));
        }
}

/* Every event ends, and so does the telling. */
static void listen_to(struct reply *reply) {
        struct buffer piece;
        int r = 1;

        buffer_init(&piece, 1 << 20);
        for (unsigned i = 0; i < PIECES && (r == 1 || r == -EAGAIN); i++) {
                buffer_clear(&piece);
                r = reply->produce(reply->state, &piece);
                if (piece.failed || (piece.len > 0 && memcmp(piece.data + piece.len - 2, "\n\n", 2) != 0))
                        abort();
        }
        if (r != -ENODATA)
                abort();
        buffer_free(&piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char path[] = "/api/v1/stream?";
        struct request request = { .method = "GET", .host = "", .scheme = "http", .content_type = "" };
        const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
        size_t query_len = line ? (size_t) (line - data) : size, id_len = line ? size - query_len - 1 : 0;
        char scratch[64], *target = malloc(sizeof path + query_len), *id = malloc(id_len + 1);
        struct reply reply;

        if (!target || !id)
                abort();
        if (!app.live)
                begin();
        memcpy(target, path, sizeof path - 1);
        if (query_len > 0)
                memcpy(target + sizeof path - 1, data, query_len);
        target[sizeof path - 1 + query_len] = 0;
        if (id_len > 0)
                memcpy(id, line + 1, id_len);
        id[id_len] = 0;
        request.last_event_id = id;
        reply_init(&reply);
        if (request_set_target(&request, target, &reply))
                route_dispatch(api_routes, api_n_routes, &app, &request, scratch, sizeof scratch, &reply);
        if (reply.body.failed || reply.status == 500)
                abort();
        if (reply.is_stream)
                listen_to(&reply);
        reply_free(&reply);
        free(target);
        free(id);
        return 0;
}
