/* GET /metrics: everything for Prometheus, in its older text format or as OpenMetrics. A family is all of its
 * samples, so the meters are gone through once for each family. */
#include "config.h"

#include "api/handlers.h"

#include <stdio.h>
#include <string.h>

#include "api/metrics_text.h"
#include "api/process.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "http/negotiate.h"
#include "http/server.h"
#include "push/push.h"

#define TEXT_VERSION        "0.0.4"
#define OPENMETRICS_TYPE    "application/openmetrics-text"
#define OPENMETRICS_VERSION "1.0.0"

#define ORIGINS_MAX 4  /* named in a HELP; further ones are not */

/* Where the values of a family come from: each once. */
struct origins {
        unsigned n;                       /* above ORIGINS_MAX: there are more */
        const char *names[ORIGINS_MAX];
};

struct metrics {
        struct metrics_text text;
        const struct fleet *fleet;
        uint64_t now_ms;
        struct metrics_begin started;     /* of this process */
        struct origins origins;
        char help[256];                   /* longest label, channel and ORIGINS_MAX origins */
};

#define LABELS(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define NO_LABELS ((const char *const[]) { NULL })

static void begin_family(struct metrics *x, const char *name, enum metrics_type type, const char *unit,
                         const char *help) {
        metrics_text_family(&x->text, name, type, unit, help);
}

static void put_uint(struct metrics *x, const char *const *labels, uint64_t value) {
        metrics_text_sample(&x->text, labels, (int64_t) value, 0, NULL);
}

static void put_decimal(struct metrics *x, const char *const *labels, int64_t value, unsigned places) {
        metrics_text_sample(&x->text, labels, value, places, NULL);
}

/* One that was 0 when this process began. */
static void put_count(struct metrics *x, const char *const *labels, uint64_t value) {
        metrics_text_sample(&x->text, labels, (int64_t) value, 0, &x->started);
}

static struct metrics_begin begin_at(uint64_t boot_ms) {
        struct metrics_begin begin = { 0 };

        begin.known = view_time(boot_ms, &begin.utc_ms);
        return begin;
}

/* One of a meter's. */
static void put_meter_count(struct metrics *x, const struct meter *m, const char *const *labels, uint64_t value) {
        struct metrics_begin begin = begin_at(meter_since(m));

        metrics_text_sample(&x->text, labels, (int64_t) value, 0, &begin);
}

/* ---- quantities ---- */

/* The value as the metric has it. False: there is none now. */
static bool value_of(const struct metrics *x, const struct meter *m, const struct series *s, int64_t *ret) {
        return view_is_current(m, s, x->now_ms) &&
               !__builtin_mul_overflow(s->value, (int64_t) quantity_catalogue[s->quantity].metric_factor, ret);
}

/* An energy's register was at 0 when it was made, which nobody knows: no time of its beginning. */
static void put_series(struct metrics *x, const struct meter *m, const struct series *s) {
        unsigned places = quantity_catalogue[s->quantity].metric_decimals;
        const char *id = meter_config(m)->id;
        int64_t value;

        if (!value_of(x, m, s, &value))
                return;
        if (s->channel == 0)
                put_decimal(x, LABELS("meter", id), value, places);
        else
                put_decimal(x, LABELS("meter", id, "channel", view_channel(m, s)), value, places);
}

typedef void (*series_visitor)(struct metrics *x, const struct meter *m, const struct series *s);

/* All series of a family. */
static void visit(struct metrics *x, enum quantity q, bool channels, series_visitor put) {
        for (unsigned i = 0; i < fleet_count(x->fleet); i++) {
                const struct meter *m = fleet_meter(x->fleet, i);
                const struct series_set *set = meter_series(m);

                for (unsigned k = 0; k < set->count; k++)
                        if (set->items[k].quantity == q && (set->items[k].channel > 0) == channels)
                                put(x, m, &set->items[k]);
        }
}

static void note_origin(struct metrics *x, const struct meter *m, const struct series *s) {
        struct origins *o = &x->origins;
        int64_t value;

        if (o->n > ORIGINS_MAX || !s->origin[0] || !value_of(x, m, s, &value))
                return;
        for (unsigned i = 0; i < o->n; i++)
                if (strcmp(o->names[i], s->origin) == 0)
                        return;
        if (o->n < ORIGINS_MAX)
                o->names[o->n] = s->origin;
        o->n++;
}

/* "Active power of the meter (dp 19; attribute 0x0400)." */
static void describe(struct metrics *x, const struct quantity_info *info, bool channels) {
        const struct origins *o = &x->origins;
        size_t len;

        len = (size_t) snprintf(x->help, sizeof x->help, "%s of the meter%s", info->label,
                                channels ? "'s channel" : "");
        for (unsigned i = 0; i < o->n && i < ORIGINS_MAX; i++)
                len += (size_t) snprintf(x->help + len, sizeof x->help - len, "%s%s", i > 0 ? "; " : " (",
                                         o->names[i]);
        snprintf(x->help + len, sizeof x->help - len, "%s%s.", o->n > ORIGINS_MAX ? "; ..." : "",
                 o->n > 0 ? ")" : "");
}

static void put_quantity(struct metrics *x, enum quantity q, bool channels) {
        const struct quantity_info *info = &quantity_catalogue[q];

        x->origins.n = 0;
        visit(x, q, channels, note_origin);
        describe(x, info, channels);
        begin_family(x, channels ? info->channel_metric : info->metric,
                     info->kind == QUANTITY_COUNTER ? METRICS_COUNTER : METRICS_GAUGE, info->metric_unit, x->help);
        visit(x, q, channels, put_series);
}

/* ---- meters ---- */

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

struct framing {
        uint64_t frames, checksum_errors, oversize, timeouts, reconnects;
};

/* Of all lines of a meter. */
static struct framing sum_framing(const struct meter *m) {
        struct framing sum = { .frames = 0 };
        const struct line *line;

        for (unsigned i = 0; (line = meter_line(m, i)); i++) {
                struct link_info link = line_info(line);

                sum.frames += line->framer.frames;
                sum.checksum_errors += line->framer.checksum_errors;
                sum.oversize += line->framer.oversize;
                sum.timeouts += line->framer.timeouts;
                sum.reconnects += link.opens > 0 ? link.opens - 1 : 0;
        }
        return sum;
}

static void put_frames(struct metrics *x, const struct meter *m) {
        put_meter_count(x, m, LABELS("meter", meter_config(m)->id), sum_framing(m).frames);
}

static void put_frame_errors(struct metrics *x, const struct meter *m) {
        const struct framing sum = sum_framing(m);
        const struct protocol_counter *counters = meter_config(m)->protocol->counters;
        const char *id = meter_config(m)->id;

        put_meter_count(x, m, LABELS("meter", id, "reason", "checksum"), sum.checksum_errors);
        put_meter_count(x, m, LABELS("meter", id, "reason", "oversize"), sum.oversize);
        put_meter_count(x, m, LABELS("meter", id, "reason", "part_frame_timeout"), sum.timeouts);
        for (unsigned i = 0; counters[i].name; i++)
                if (counters[i].is_error)
                        put_meter_count(x, m, LABELS("meter", id, "reason", counters[i].name),
                                        meter_session(m)->counters[i]);
}

static void put_withheld(struct metrics *x, const struct meter *m) {
        const char *reason;
        uint64_t count;

        for (unsigned i = 0; meter_withheld(m, i, &reason, &count); i++)
                put_meter_count(x, m, LABELS("meter", meter_config(m)->id, "reason", reason), count);
}

static void put_resets(struct metrics *x, const struct meter *m) {
        put_meter_count(x, m, LABELS("meter", meter_config(m)->id), meter_totals(m)->counts[COUNTER_RESET]);
}

/* What neither went wrong nor was withheld: requests and answers by type, and the like. */
static void put_events(struct metrics *x, const struct meter *m) {
        const struct protocol_counter *counters = meter_config(m)->protocol->counters;

        for (unsigned i = 0; counters[i].name; i++)
                if (!counters[i].is_error && !counters[i].is_withheld)
                        put_meter_count(x, m, LABELS("meter", meter_config(m)->id, "event", counters[i].name),
                                        meter_session(m)->counters[i]);
}

static void put_reconnects(struct metrics *x, const struct meter *m) {
        put_meter_count(x, m, LABELS("meter", meter_config(m)->id), sum_framing(m).reconnects);
}

static const struct {
        const char *name;
        enum metrics_type type;
        const char *unit, *help;
        void (*put)(struct metrics *x, const struct meter *m);
} meter_families[] = {
        { "metergate_meter_up", METRICS_GAUGE, "", "1 while the meter is online.", put_up },
        { "metergate_meter_state", METRICS_GAUGE, "", "1 for the state that the meter is in.", put_state },
        { "metergate_meter_info", METRICS_INFO, "", "What the meter is; always 1.", put_info },
        { "metergate_last_reading_timestamp_seconds", METRICS_GAUGE, "seconds", "Time of the newest reading.",
          put_last_reading },
        { "metergate_meter_completeness_ratio", METRICS_GAUGE, "ratio",
          "Part of the last hour in which the meter's power was known.", put_completeness },
        { "metergate_frames_received_total", METRICS_COUNTER, "", "Good frames received.", put_frames },
        { "metergate_frame_errors_total", METRICS_COUNTER, "", "Frames that could not be used, by reason.",
          put_frame_errors },
        { "metergate_readings_withheld_total", METRICS_COUNTER, "", "Readings not published, by reason.",
          put_withheld },
        { "metergate_register_resets_total", METRICS_COUNTER, "", "Energy registers that began anew.", put_resets },
        { "metergate_protocol_events_total", METRICS_COUNTER, "", "What happened on the meter's line, by kind.",
          put_events },
        { "metergate_reconnects_total", METRICS_COUNTER, "", "Times the meter's port was opened again.",
          put_reconnects },
};

/* ---- the gateway ---- */

static void put_requests(struct metrics *x, const struct http_server *http) {
        struct http_count count;
        char code[12];

        begin_family(x, "metergate_http_requests_total", METRICS_COUNTER, "", "HTTP requests answered.");
        for (unsigned i = 0; http && http_server_count(http, i, &count); i++) {
                snprintf(code, sizeof code, "%u", count.code);
                put_count(x, LABELS("route", count.route, "code", code), count.requests);
        }
}

static void put_access(struct metrics *x, const struct http_server *http) {
        struct http_facts facts;

        if (!http)
                return;
        facts = http_server_facts(http);
        begin_family(x, "metergate_http_auth_failures_total", METRICS_COUNTER, "",
                     "HTTP requests with a token that is not known.");
        put_count(x, NO_LABELS, facts.auth_failures);
        begin_family(x, "metergate_http_auth_refusals_total", METRICS_COUNTER, "",
                     "HTTP requests whose token was not looked at, after too many wrong ones.");
        put_count(x, NO_LABELS, facts.auth_refusals);
}

static void put_history(struct metrics *x, const struct history *h) {
        struct history_stats stats;

        if (!h)
                return;
        stats = history_stats(h);
        begin_family(x, "metergate_history_up", METRICS_GAUGE, "", "1 while what is measured can be kept on disk.");
        put_uint(x, NO_LABELS, !history_error(h)[0]);
        begin_family(x, "metergate_history_samples_total", METRICS_COUNTER, "",
                     "Values taken into the history, of all series.");
        put_count(x, NO_LABELS, stats.values);
        begin_family(x, "metergate_history_dropped_rows_total", METRICS_COUNTER, "",
                     "Reports that found no place to wait for the history or the clock.");
        put_count(x, NO_LABELS, stats.dropped);
        begin_family(x, "metergate_history_bytes", METRICS_GAUGE, "bytes", "What the history takes on disk so far.");
        put_uint(x, NO_LABELS, view_history_bytes(h));
}

static uint64_t acknowledged(const struct receiver_facts *f) { return f->samples; }
static uint64_t refused(const struct receiver_facts *f) { return f->failed; }
static uint64_t retries(const struct receiver_facts *f) { return f->retries; }
static uint64_t lost_rows(const struct receiver_facts *f) { return f->lost_rows; }

static const struct {
        const char *name, *help;
        uint64_t (*value)(const struct receiver_facts *f);
} push_families[] = {
        { "metergate_remote_write_samples_total", "Samples that the receiver has acknowledged.", acknowledged },
        { "metergate_remote_write_failed_samples_total", "Samples that the receiver refused for good.", refused },
        { "metergate_remote_write_retries_total", "Times that a batch was sent once more.", retries },
        { "metergate_remote_write_lost_rows_total", "Reports overwritten before they could be sent.", lost_rows },
};

static void put_push(struct metrics *x, const struct push *push) {
        struct receiver_facts facts;
        const char *name;

        for (unsigned f = 0; f < ELEMENTS(push_families); f++) {
                begin_family(x, push_families[f].name, METRICS_COUNTER, "", push_families[f].help);
                for (unsigned i = 0; (name = push_facts(push, i, &facts)); i++)
                        put_uint(x, LABELS("receiver", name), push_families[f].value(&facts));
        }
        begin_family(x, "metergate_remote_write_lag_seconds", METRICS_GAUGE, "seconds",
                     "Age of the newest report that the receiver has, while there are newer ones.");
        for (unsigned i = 0; (name = push_facts(push, i, &facts)); i++)
                put_decimal(x, LABELS("receiver", name), facts.lag_ms, 3);
}

static void put_process(struct metrics *x) {
        struct process_info info = process_info();

        begin_family(x, "process_cpu_seconds_total", METRICS_COUNTER, "seconds",
                     "User and system CPU time spent in seconds.");
        metrics_text_sample(&x->text, NO_LABELS, info.cpu_us, 6, &x->started);
        begin_family(x, "process_resident_memory_bytes", METRICS_GAUGE, "bytes", "Resident memory size in bytes.");
        if (info.has_memory)
                put_uint(x, NO_LABELS, info.resident_bytes);
        begin_family(x, "process_virtual_memory_bytes", METRICS_GAUGE, "bytes", "Virtual memory size in bytes.");
        if (info.has_memory)
                put_uint(x, NO_LABELS, info.virtual_bytes);
        begin_family(x, "process_open_fds", METRICS_GAUGE, "", "Number of open file descriptors.");
        if (info.has_fds)
                put_uint(x, NO_LABELS, info.open_fds);
        begin_family(x, "process_max_fds", METRICS_GAUGE, "", "Maximum number of open file descriptors.");
        if (info.has_max_fds)
                put_uint(x, NO_LABELS, info.max_fds);
        begin_family(x, "process_start_time_seconds", METRICS_GAUGE, "seconds",
                     "Start time of the process in Unix time.");
        if (x->started.known)
                put_decimal(x, NO_LABELS, x->started.utc_ms, 3);
}

/* OpenMetrics is for those who name it: what takes anything gets what it always got. */
static bool wants_openmetrics(const char *accept) {
        int weight = media_weight(accept, OPENMETRICS_TYPE, OPENMETRICS_VERSION, true);

        return weight > 0 && weight >= media_weight(accept, "text/plain", TEXT_VERSION, false);
}

static void put_meters(struct metrics *x) {
        for (unsigned q = 0; q < Q_COUNT; q++) {
                put_quantity(x, (enum quantity) q, false);
                put_quantity(x, (enum quantity) q, true);
        }
        for (unsigned f = 0; f < ELEMENTS(meter_families); f++) {
                begin_family(x, meter_families[f].name, meter_families[f].type, meter_families[f].unit,
                             meter_families[f].help);
                for (unsigned i = 0; i < fleet_count(x->fleet); i++)
                        meter_families[f].put(x, fleet_meter(x->fleet, i));
        }
}

int api_metrics(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        bool openmetrics = wants_openmetrics(request->accept);
        struct metrics x = {
                .text = { .out = &reply->body, .openmetrics = openmetrics }, .fleet = app->fleet,
                .now_ms = view_now(), .started = begin_at(app->started_ms),
        };

        /* It counts what it costs itself, so every answer differs from the last. */
        reply->is_volatile = true;
        reply->subject = "";
        reply->by_accept = true;
        reply->content_type = openmetrics ? OPENMETRICS_TYPE "; version=" OPENMETRICS_VERSION "; charset=utf-8"
                                          : "text/plain; version=" TEXT_VERSION "; charset=utf-8";
        put_meters(&x);
        put_history(&x, app->history);
        put_push(&x, app->push);
        put_requests(&x, app->http);
        put_access(&x, app->http);
        begin_family(&x, "metergate_build_info", METRICS_INFO, "", "The running version; always 1.");
        put_uint(&x, LABELS("version", PACKAGE_VERSION), 1);
        put_process(&x);
        metrics_text_end(&x.text);
        return view_finish(reply);
}
