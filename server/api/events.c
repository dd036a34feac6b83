/* GET /api/v1/events: what happened to the meters, page by page. The history keeps the particulars; the sentences are
 * made here. */
#include "api/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/view.h"
#include "base/clock.h"
#include "base/decimal.h"

#define LIMIT_MAX    1000
#define SENTENCE_MAX 512

/* ---- words ---- */

/* As it is called now; a meter that is gone has its id alone. */
static const char *meter_name(const struct app *app, const char *id) {
        for (unsigned i = 0; i < app->config->n_meters; i++)
                if (strcmp(app->config->meters[i].id, id) == 0)
                        return app->config->meters[i].name;
        return id;
}

/* "5.2 kWh": the unit is that of the series, channel or not. */
static void put_value(struct buffer *b, const struct event *e, int64_t value) {
        const char *dot = strrchr(e->series, '.');
        enum quantity q = quantity_from_key(dot ? dot + 1 : e->series);

        buffer_put_decimal(b, value, e->decimals);
        if (q != Q_NONE && quantity_catalogue[q].unit[0])
                buffer_printf(b, " %s", quantity_catalogue[q].unit);
}

/* Who: "House main" or "House main, l1". */
static void put_subject(struct buffer *b, const struct app *app, const struct event *e) {
        const char *dot = strrchr(e->series, '.');

        buffer_puts(b, meter_name(app, e->meter));
        if (dot)
                buffer_printf(b, ", %.*s", (int) (dot - e->series), e->series);
        buffer_puts(b, ": ");
}

static void put_reset(struct buffer *b, const struct event *e) {
        buffer_puts(b, "the register begins anew");
        if (e->has_value) {
                buffer_puts(b, " at ");
                put_value(b, e, e->value);
        }
        if (e->has_previous) {
                buffer_puts(b, " after ");
                put_value(b, e, e->previous);
        }
}

static void put_clock_step(struct buffer *b, const struct event *e) {
        char text[DECIMAL_TEXT_MAX];

        buffer_puts(b, "the clock was set");
        if (!e->has_value)
                return;
        decimal_format(e->value, 3, text);
        buffer_printf(b, " %s by %s s", e->value < 0 ? "back" : "ahead", e->value < 0 ? text + 1 : text);
}

static void put_sentence(struct buffer *b, const struct app *app, const struct event *e) {
        if (e->meter[0])
                put_subject(b, app, e);
        switch (e->kind) {
        case EVENT_STARTED:
                buffer_puts(b, "the gateway started");
                break;
        case EVENT_STOPPED:
                buffer_puts(b, "the gateway stopped");
                break;
        case EVENT_RECONNECTED:
                buffer_puts(b, "its port was opened again");
                break;
        case EVENT_WITHHELD:
                if (e->has_value)
                        put_value(b, e, e->value);
                else
                        buffer_puts(b, "a reading");
                buffer_puts(b, " was not believed");
                break;
        case EVENT_COUNTER_RESET:
                put_reset(b, e);
                break;
        case EVENT_CLOCK:
                put_clock_step(b, e);
                break;
        case EVENT_ACTION:
                buffer_puts(b, "somebody asked");
                break;
        case EVENT_REMOTE_WRITE:
                buffer_puts(b, "remote write");
                break;
        case EVENT_STATE:
        case EVENT_KINDS:
                break;
        }
        if (e->text[0])
                buffer_printf(b, "%s%s", e->kind == EVENT_STATE ? "" : ": ", e->text);
}

/* ---- the answer ---- */

static void put_time(struct json_writer *w, const struct event *e) {
        char text[CLOCK_RFC3339_MAX];
        int64_t utc_ms = e->utc_ms;

        if (!e->has_time) {
                json_put_null(w, "at");
                json_put_null(w, "at_ms");
                return;
        }
        utc_ms = utc_ms / VIEW_TICK_MS * VIEW_TICK_MS;
        clock_format_rfc3339(utc_ms, text);
        json_put_string(w, "at", text);
        json_put_int(w, "at_ms", utc_ms);
}

static void put_decimal(struct json_writer *w, const char *key, bool known, int64_t value, unsigned places) {
        if (known)
                json_put_decimal(w, key, value, places);
        else
                json_put_null(w, key);
}

static void put_cursor(struct json_writer *w, const char *key, uint64_t number) {
        char text[24];

        snprintf(text, sizeof text, "%llu", (unsigned long long) number);
        json_put_string(w, key, text);
}

static void put_event(struct json_writer *w, const struct app *app, const struct event *e) {
        struct buffer sentence;

        buffer_init(&sentence, SENTENCE_MAX);
        put_sentence(&sentence, app, e);
        json_object_begin(w, NULL);
        put_cursor(w, "cursor", e->number);
        put_time(w, e);
        json_put_string(w, "kind", event_kind_names[e->kind]);
        json_put_string(w, "meter", view_text_or_null(e->meter));
        json_put_string(w, "series", view_text_or_null(e->series));
        json_put_string(w, "text", sentence.data);
        put_decimal(w, "value", e->has_value, e->value, e->decimals);
        put_decimal(w, "previous", e->has_previous, e->previous, e->decimals);
        if (e->frame > 0)
                json_put_uint(w, "frame", e->frame);
        else
                json_put_null(w, "frame");
        json_put_uint(w, "repeats", e->repeats);
        json_object_end(w);
        buffer_free(&sentence);
}

const struct parameter api_events_parameters[] = {
        { .name = "after", .type = PARAMETER_CURSOR, .fallback = "0", .example = "41",
          .description = "A cursor: only what came after it. 0: everything that is kept." },
        { .name = "limit", .type = PARAMETER_INTEGER, .min = 1, .max = LIMIT_MAX, .fallback = "100", .example = "20",
          .description = "Events at most." },
        { .name = NULL },
};

int api_events(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        int64_t after = request_number(request, "after"), limit = request_number(request, "limit");
        struct json_writer w;
        struct event event;
        uint64_t next;

        if (!app->events)
                return reply_problem(reply, 503, NULL, "this gateway keeps no events");
        /* A cursor that was never given out is of other events, before these: none of these is known to its owner. */
        next = (uint64_t) after < events_end(app->events) ? (uint64_t) after : 0;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_array_begin(&w, "events");
        for (; limit > 0 && events_next(app->events, next, &event); limit--) {
                put_event(&w, app, &event);
                next = event.number;
        }
        json_array_end(&w);
        put_cursor(&w, "next", next);
        json_object_end(&w);
        return view_finish(reply);
}
