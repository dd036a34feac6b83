/* GET /api/v1/meters/{id}/frames: the last raw frames, and those that come, for people (NDJSON) and for metergate
 * decode (a capture). */
#include "api/handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/live.h"
#include "api/view.h"
#include "base/clock.h"
#include "http/limits.h"

#define HEARTBEAT_MS (15000 - LIVE_TICK_MS)  /* a tick may be late */

/* Frames keep their milliseconds: they show what happened on the wire, they are no rows. */
static void put_frame_time(struct json_writer *w, uint64_t boot_ms) {
        char text[CLOCK_RFC3339_MAX];
        int64_t utc_ms;

        if (clock_to_utc_ms(boot_ms, &utc_ms)) {
                clock_format_rfc3339(utc_ms, text);
                json_put_string(w, "at", text);
                json_put_int(w, "at_ms", utc_ms);
        } else {
                json_put_null(w, "at");
                json_put_null(w, "at_ms");
        }
}

static void put_ndjson(struct buffer *out, const struct frame_log_entry *entry) {
        struct json_writer w;

        json_begin(&w, out);
        json_object_begin(&w, NULL);
        json_put_uint(&w, "number", entry->number);
        put_frame_time(&w, entry->at_ms);
        json_put_string(&w, "direction", entry->tx ? "tx" : "rx");
        json_put_uint(&w, "length", entry->len);
        json_put_hex(&w, "hex", entry->data, entry->len);
        json_object_end(&w);
        buffer_putc(out, '\n');
}

static void put_capture_header(struct buffer *out, const struct meter *m) {
        const char *key = meter_session(m)->product_key;
        const char *profile = view_profile_name(m);

        buffer_printf(out, "# source: metergate, meter %s\n", meter_config(m)->id);
        buffer_printf(out, "# protocol: %s\n", meter_config(m)->protocol->name);
        if (profile)
                buffer_printf(out, "# profile: %s\n", profile);
        if (key[0])
                buffer_printf(out, "# product-key: %s\n", key);
        if (!clock_trusted())
                buffer_puts(out, "# note: the clock is not set; times count from the start of the machine\n");
        buffer_puts(out, "# kind: frames\n\n");
}

static void put_capture(struct buffer *out, const struct frame_log_entry *entry) {
        char at[CLOCK_RFC3339_MAX];
        int64_t utc_ms;

        /* Without a clock the distances between frames are still worth having. */
        if (!clock_to_utc_ms(entry->at_ms, &utc_ms))
                utc_ms = (int64_t) entry->at_ms;
        clock_format_rfc3339(utc_ms, at);
        buffer_printf(out, "%s %s ", at, entry->tx ? "tx" : "rx");
        buffer_put_hex(out, entry->data, entry->len, " ");
        buffer_putc(out, '\n');
}

enum format { FORMAT_NDJSON, FORMAT_CAPTURE, FORMATS };
static const char *const formats[FORMATS] = { "ndjson", "capture" };

static void put_frame(struct buffer *out, enum format format, const struct frame_log_entry *entry) {
        (format == FORMAT_NDJSON ? put_ndjson : put_capture)(out, entry);
}

/* ---- the frames that come ---- */

/* A place in the log of frames, and no more than that: see http/stream.h. */
struct follower {
        const struct app *app;           /* borrowed */
        char meter[METER_ID_MAX + 1];
        uint64_t since_ms;               /* the meter's: another one of that name has another log */
        enum format format;
        bool has_begun;
        struct frame_log_place place;
        uint64_t told_ms;
};

static void follower_free(void *state) {
        struct follower *f = state;

        live_unfollow(f->app->live);
        live_leave(f->app->live, f);
        free(f);
}

static void put_lost(const struct follower *f, uint64_t lost, struct buffer *out) {
        const char *form = f->format == FORMAT_NDJSON ? "{\"lost\":%llu}\n" :
                           "# note: %llu frames were lost: they were read too slowly\n";

        buffer_printf(out, form, (unsigned long long) lost);
}

/* Shows that the gateway is there. */
static void put_heartbeat(const struct follower *f, struct buffer *out) {
        if (f->format == FORMAT_NDJSON)
                put_lost(f, 0, out);
        else
                buffer_puts(out, "#\n");
}

static void put_frames(struct follower *f, const struct meter *m, struct buffer *out) {
        struct frame_log_entry entry;
        uint64_t lost;

        while (out->len < HTTP_STREAM_PIECE && frame_log_follow(meter_frames(m), &f->place, &entry, &lost)) {
                if (lost > 0)
                        put_lost(f, lost, out);
                put_frame(out, f->format, &entry);
        }
}

static int produce(void *state, struct buffer *out) {
        struct follower *f = state;
        const struct meter *m = fleet_find(f->app->fleet, f->meter);
        uint64_t now_ms = clock_now_ms();

        if (!m || meter_since(m) != f->since_ms)
                return 0;
        clock_update();
        if (!f->has_begun && f->format == FORMAT_CAPTURE)
                put_capture_header(out, m);
        f->has_begun = true;
        put_frames(f, m, out);
        if (out->len == 0 && now_ms - f->told_ms >= HEARTBEAT_MS)
                put_heartbeat(f, out);
        if (out->len > 0)
                f->told_ms = now_ms;
        return out->len >= HTTP_STREAM_PIECE ? 1 : -ENODATA;
}

static int follow(const struct app *app, const struct meter *m, enum format format, struct reply *reply) {
        struct follower *f;

        if (!app->live)
                return reply_problem(reply, 503, NULL, "this gateway runs without streams");
        f = calloc(1, sizeof *f);
        if (!f)
                return -ENOMEM;
        *f = (struct follower) {
                .app = app, .since_ms = meter_since(m), .format = format, .place = frame_log_begin(meter_frames(m)),
                .told_ms = clock_now_ms(),
        };
        memcpy(f->meter, meter_config(m)->id, sizeof f->meter);
        live_join(app->live);
        live_follow(app->live);
        reply->cache_control = "no-store";
        reply->produce = produce;
        reply->state = f;
        reply->free_state = follower_free;
        reply->is_stream = true;
        return 0;
}

/* ---- the request ---- */

enum { FOLLOW_NO, FOLLOW_YES, FOLLOWS };
static const char *const follows[FOLLOWS] = { "false", "true" };

const struct parameter api_frames_parameters[] = {
        { .name = "format", .type = PARAMETER_CHOICE, .choices = formats, .n_choices = FORMATS, .fallback = "ndjson",
          .description = "ndjson has a JSON object in each line; capture is a file that metergate decode reads." },
        { .name = "follow", .type = PARAMETER_CHOICE, .choices = follows, .n_choices = FOLLOWS, .fallback = "false",
          .description = "With true the answer goes on with each frame as it comes, without an end." },
        { .name = NULL },
};

int api_frames(void *userdata, const struct request *request, struct reply *reply) {
        const struct meter *m = view_find_meter(userdata, request, reply);
        enum format format = (enum format) request_choice(request, "format");
        struct frame_log_entry entry;
        uint32_t cursor = 0;

        if (!m)
                return 0;
        clock_update();
        reply->content_type = format == FORMAT_NDJSON ? "application/x-ndjson" : "text/plain; charset=utf-8";
        if (format == FORMAT_CAPTURE)
                reply->disposition = "inline; filename=\"frames.hex\"";
        if (request_choice(request, "follow") == FOLLOW_YES)
                return follow(userdata, m, format, reply);
        if (format == FORMAT_CAPTURE)
                put_capture_header(&reply->body, m);
        while (frame_log_next(meter_frames(m), &cursor, &entry))
                put_frame(&reply->body, format, &entry);
        return view_finish(reply);
}
