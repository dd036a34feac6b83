/* GET /api/v1/meters/{id}/frames: the last raw frames, for people (NDJSON) and for metergate decode (a capture). */
#include "api/handlers.h"

#include "api/view.h"
#include "base/clock.h"

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

static void put_ndjson(struct buffer *out, const struct meter *m) {
        struct frame_log_entry entry;
        uint32_t cursor = 0;
        struct json_writer w;

        while (frame_log_next(meter_frames(m), &cursor, &entry)) {
                json_begin(&w, out);
                json_object_begin(&w, NULL);
                json_put_uint(&w, "number", entry.number);
                put_frame_time(&w, entry.at_ms);
                json_put_string(&w, "direction", entry.tx ? "tx" : "rx");
                json_put_uint(&w, "length", entry.len);
                json_put_hex(&w, "hex", entry.data, entry.len);
                json_object_end(&w);
                buffer_putc(out, '\n');
        }
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

static void put_capture(struct buffer *out, const struct meter *m) {
        struct frame_log_entry entry;
        char at[CLOCK_RFC3339_MAX];
        uint32_t cursor = 0;
        int64_t utc_ms;

        put_capture_header(out, m);
        while (frame_log_next(meter_frames(m), &cursor, &entry)) {
                /* Without a clock the distances between frames are still worth having. */
                if (!clock_to_utc_ms(entry.at_ms, &utc_ms))
                        utc_ms = (int64_t) entry.at_ms;
                clock_format_rfc3339(utc_ms, at);
                buffer_printf(out, "%s %s ", at, entry.tx ? "tx" : "rx");
                buffer_put_hex(out, entry.data, entry.len, " ");
                buffer_putc(out, '\n');
        }
}

enum format { FORMAT_NDJSON, FORMAT_CAPTURE, FORMATS };
static const char *const formats[FORMATS] = { "ndjson", "capture" };

const struct parameter api_frames_parameters[] = {
        { .name = "format", .type = PARAMETER_CHOICE, .choices = formats, .n_choices = FORMATS, .fallback = "ndjson",
          .description = "ndjson has a JSON object in each line; capture is a file that metergate decode reads." },
        { .name = NULL },
};

int api_frames(void *userdata, const struct request *request, struct reply *reply) {
        const struct meter *m = view_find_meter(userdata, request, reply);

        if (!m)
                return 0;
        clock_update();
        if (request_choice(request, "format") == FORMAT_NDJSON) {
                reply->content_type = "application/x-ndjson";
                put_ndjson(&reply->body, m);
        } else {
                reply->content_type = "text/plain; charset=utf-8";
                reply->disposition = "inline; filename=\"frames.hex\"";
                put_capture(&reply->body, m);
        }
        return view_finish(reply);
}
