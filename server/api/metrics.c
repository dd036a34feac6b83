/* GET /metrics: Prometheus text format 0.0.4. A family is its HELP and TYPE and then all of its samples, so the
 * meters are gone through once for each family; a family without samples does not appear. */
#include "config.h"

#include "api/handlers.h"

#include <stdio.h>
#include <string.h>

#include "api/process.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "http/server.h"

struct metrics {
        struct buffer *out;
        const struct fleet *fleet;
        uint64_t now_ms;
        const char *name, *type, *help;  /* the family being written */
        bool has_header;
};

static void family_begin(struct metrics *x, const char *name, const char *type, const char *help) {
        x->name = name;
        x->type = type;
        x->help = help;
        x->has_header = false;
}

static void put_label(struct buffer *out, const char *separator, const char *name, const char *value) {
        buffer_printf(out, "%s%s=\"", separator, name);
        for (const char *p = value; *p; p++) {
                if (*p == '\n') {
                        buffer_puts(out, "\\n");
                        continue;
                }
                if (*p == '"' || *p == '\\')
                        buffer_putc(out, '\\');
                buffer_putc(out, *p);
        }
        buffer_putc(out, '"');
}

/* Name and labels of one sample; labels are name, value, ..., NULL. The value and a line end follow. */
static void sample_begin(struct metrics *x, const char *const *labels) {
        if (!x->has_header)
                buffer_printf(x->out, "# HELP %s %s\n# TYPE %s %s\n", x->name, x->help, x->name, x->type);
        x->has_header = true;
        buffer_puts(x->out, x->name);
        for (unsigned i = 0; labels[i]; i += 2)
                put_label(x->out, i > 0 ? "," : "{", labels[i], labels[i + 1]);
        buffer_puts(x->out, labels[0] ? "} " : " ");
}

static void put_uint(struct metrics *x, const char *const *labels, uint64_t value) {
        sample_begin(x, labels);
        buffer_printf(x->out, "%llu\n", (unsigned long long) value);
}

static void put_decimal(struct metrics *x, const char *const *labels, int64_t value, unsigned places) {
        sample_begin(x, labels);
        buffer_put_decimal(x->out, value, places);
        buffer_putc(x->out, '\n');
}

#define LABELS(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define NO_LABELS ((const char *const[]) { NULL })

static void put_series(struct metrics *x, const struct meter *m, const struct series *s) {
        const struct quantity_info *info = &quantity_catalogue[s->quantity];
        const char *id = meter_config(m)->id;
        int64_t value;

        if (!view_is_current(m, s, x->now_ms) ||
            __builtin_mul_overflow(s->value, (int64_t) info->metric_factor, &value))
                return;
        if (s->channel == 0)
                put_decimal(x, LABELS("meter", id), value, info->metric_decimals);
        else
                put_decimal(x, LABELS("meter", id, "channel", view_channel(m, s)), value, info->metric_decimals);
}

static void put_quantity(struct metrics *x, enum quantity q, bool channels) {
        const struct quantity_info *info = &quantity_catalogue[q];
        char help[128];

        snprintf(help, sizeof help, "%s of the meter%s.", info->label, channels ? "'s channel" : "");
        family_begin(x, channels ? info->channel_metric : info->metric,
                     info->kind == QUANTITY_COUNTER ? "counter" : "gauge", help);
        for (unsigned i = 0; i < fleet_count(x->fleet); i++) {
                const struct meter *m = fleet_meter(x->fleet, i);
                const struct series_set *set = meter_series(m);

                for (unsigned k = 0; k < set->count; k++)
                        if (set->items[k].quantity == q && (set->items[k].channel > 0) == channels)
                                put_series(x, m, &set->items[k]);
        }
}

static void put_up(struct metrics *x, const struct meter *m) {
        put_uint(x, LABELS("meter", meter_config(m)->id), meter_state(m) == METER_ONLINE);
}

static void put_state(struct metrics *x, const struct meter *m) {
        for (unsigned s = 0; s < METER_STATE_COUNT; s++)
                put_uint(x, LABELS("meter", meter_config(m)->id, "state", meter_state_names[s]), meter_state(m) == s);
}

static void put_info(struct metrics *x, const struct meter *m) {
        const struct meter_config *config = meter_config(m);
        const char *profile = view_profile_name(m);

        put_uint(x, LABELS("meter", config->id, "name", config->name, "protocol", config->protocol->name,
                           "profile", profile ? profile : "", "firmware", meter_session(m)->firmware), 1);
}

static void put_last_reading(struct metrics *x, const struct meter *m) {
        uint64_t at_ms;
        int64_t utc_ms;

        if (meter_last_reading(m, &at_ms) && view_time(at_ms, &utc_ms))
                put_decimal(x, LABELS("meter", meter_config(m)->id), utc_ms, 3);
}

static void put_completeness(struct metrics *x, const struct meter *m) {
        put_decimal(x, LABELS("meter", meter_config(m)->id), meter_completeness_permille(m, x->now_ms), 3);
}

static void put_frames(struct metrics *x, const struct meter *m) {
        put_uint(x, LABELS("meter", meter_config(m)->id), meter_framer(m)->frames);
}

static void put_frame_errors(struct metrics *x, const struct meter *m) {
        const struct framer *f = meter_framer(m);
        const struct protocol_counter *counters = meter_config(m)->protocol->counters;
        const char *id = meter_config(m)->id;

        put_uint(x, LABELS("meter", id, "reason", "checksum"), f->checksum_errors);
        put_uint(x, LABELS("meter", id, "reason", "oversize"), f->oversize);
        put_uint(x, LABELS("meter", id, "reason", "part_frame_timeout"), f->timeouts);
        for (unsigned i = 0; counters[i].name; i++)
                if (counters[i].is_error)
                        put_uint(x, LABELS("meter", id, "reason", counters[i].name), meter_session(m)->counters[i]);
}

static void put_withheld(struct metrics *x, const struct meter *m) {
        const char *reason;
        uint64_t count;

        for (unsigned i = 0; meter_withheld(m, i, &reason, &count); i++)
                put_uint(x, LABELS("meter", meter_config(m)->id, "reason", reason), count);
}

static void put_resets(struct metrics *x, const struct meter *m) {
        put_uint(x, LABELS("meter", meter_config(m)->id), meter_totals(m)->counts[COUNTER_RESET]);
}

/* What neither went wrong nor was withheld: requests and answers by type, and the like. */
static void put_events(struct metrics *x, const struct meter *m) {
        const struct protocol_counter *counters = meter_config(m)->protocol->counters;

        for (unsigned i = 0; counters[i].name; i++)
                if (!counters[i].is_error && !counters[i].is_withheld)
                        put_uint(x, LABELS("meter", meter_config(m)->id, "event", counters[i].name),
                                 meter_session(m)->counters[i]);
}

static void put_reconnects(struct metrics *x, const struct meter *m) {
        uint64_t opens = meter_link(m).opens;

        put_uint(x, LABELS("meter", meter_config(m)->id), opens > 0 ? opens - 1 : 0);
}

static const struct {
        const char *name, *type, *help;
        void (*put)(struct metrics *x, const struct meter *m);
} meter_families[] = {
        { "metergate_meter_up", "gauge", "1 while the meter is online.", put_up },
        { "metergate_meter_state", "gauge", "1 for the state that the meter is in.", put_state },
        { "metergate_meter_info", "gauge", "What the meter is; always 1.", put_info },
        { "metergate_last_reading_timestamp_seconds", "gauge", "Time of the newest reading.", put_last_reading },
        { "metergate_meter_completeness_ratio", "gauge",
          "Part of the last hour in which the meter's power was known.", put_completeness },
        { "metergate_frames_received_total", "counter", "Good frames received.", put_frames },
        { "metergate_frame_errors_total", "counter", "Frames that could not be used, by reason.", put_frame_errors },
        { "metergate_readings_withheld_total", "counter", "Readings not published, by reason.", put_withheld },
        { "metergate_register_resets_total", "counter", "Energy registers that began anew.", put_resets },
        { "metergate_protocol_events_total", "counter", "What happened on the meter's line, by kind.", put_events },
        { "metergate_reconnects_total", "counter", "Times the meter's port was opened again.", put_reconnects },
};

static void put_requests(struct metrics *x, const struct http_server *http) {
        struct http_count count;
        char code[12];

        family_begin(x, "metergate_http_requests_total", "counter", "HTTP requests answered.");
        for (unsigned i = 0; http && http_server_count(http, i, &count); i++) {
                snprintf(code, sizeof code, "%u", count.code);
                put_uint(x, LABELS("route", count.route, "code", code), count.requests);
        }
}

static void put_access(struct metrics *x, const struct http_server *http) {
        struct http_facts facts;

        if (!http)
                return;
        facts = http_server_facts(http);
        family_begin(x, "metergate_http_auth_failures_total", "counter", "HTTP requests with a token that is not known.");
        put_uint(x, NO_LABELS, facts.auth_failures);
        family_begin(x, "metergate_http_auth_refusals_total", "counter",
                     "HTTP requests whose token was not looked at, after too many wrong ones.");
        put_uint(x, NO_LABELS, facts.auth_refusals);
}

static void put_history(struct metrics *x, const struct history *h) {
        struct history_stats stats;

        if (!h)
                return;
        stats = history_stats(h);
        family_begin(x, "metergate_history_up", "gauge", "1 while what is measured can be kept on disk.");
        put_uint(x, NO_LABELS, !history_error(h)[0]);
        family_begin(x, "metergate_history_samples_total", "counter", "Values taken into the history, of all series.");
        put_uint(x, NO_LABELS, stats.values);
        family_begin(x, "metergate_history_dropped_rows_total", "counter",
                     "Reports that found no place to wait for the history or the clock.");
        put_uint(x, NO_LABELS, stats.dropped);
        family_begin(x, "metergate_history_bytes", "gauge", "What the history takes on disk so far.");
        put_uint(x, NO_LABELS, view_history_bytes(h));
}

static void put_process(struct metrics *x, uint64_t started_ms) {
        struct process_info info = process_info();
        int64_t utc_ms;

        family_begin(x, "process_cpu_seconds_total", "counter", "User and system CPU time spent in seconds.");
        put_decimal(x, NO_LABELS, info.cpu_us, 6);
        family_begin(x, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
        if (info.has_memory)
                put_uint(x, NO_LABELS, info.resident_bytes);
        family_begin(x, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.");
        if (info.has_memory)
                put_uint(x, NO_LABELS, info.virtual_bytes);
        family_begin(x, "process_open_fds", "gauge", "Number of open file descriptors.");
        if (info.has_fds)
                put_uint(x, NO_LABELS, info.open_fds);
        family_begin(x, "process_max_fds", "gauge", "Maximum number of open file descriptors.");
        if (info.has_max_fds)
                put_uint(x, NO_LABELS, info.max_fds);
        family_begin(x, "process_start_time_seconds", "gauge", "Start time of the process in Unix time.");
        if (view_time(started_ms, &utc_ms))
                put_decimal(x, NO_LABELS, utc_ms, 3);
}

int api_metrics(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        struct metrics x = { .out = &reply->body, .fleet = app->fleet, .now_ms = view_now() };

        (void) request;
        /* It counts what it costs itself, so every answer differs from the last. */
        reply->is_volatile = true;
        reply->subject = "";
        reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
        for (unsigned q = 0; q < Q_COUNT; q++) {
                put_quantity(&x, (enum quantity) q, false);
                put_quantity(&x, (enum quantity) q, true);
        }
        for (unsigned f = 0; f < ELEMENTS(meter_families); f++) {
                family_begin(&x, meter_families[f].name, meter_families[f].type, meter_families[f].help);
                for (unsigned i = 0; i < fleet_count(app->fleet); i++)
                        meter_families[f].put(&x, fleet_meter(app->fleet, i));
        }
        put_history(&x, app->history);
        put_requests(&x, app->http);
        put_access(&x, app->http);
        family_begin(&x, "metergate_build_info", "gauge", "The running version; always 1.");
        put_uint(&x, LABELS("version", PACKAGE_VERSION), 1);
        put_process(&x, app->started_ms);
        return view_finish(reply);
}
