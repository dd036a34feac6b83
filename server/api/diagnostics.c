/* GET /api/v1/meters/{id}/diagnostics: why a meter is in the state it is in. */
#include "api/handlers.h"

#include <string.h>

#include "api/view.h"

static void put_state(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        const struct session *session = meter_session(m);
        unsigned count;
        const struct meter_transition *t = meter_transitions(m, &count);

        json_put_string(w, "state", meter_state_names[meter_state(m)]);
        json_put_string(w, "reason", meter_reason(m));
        view_put_time(w, "since", count > 0, count > 0 ? t[count - 1].at_ms : 0);
        json_put_string(w, "hint", session->hint);
        json_put_bool(w, "available", meter_available(m, now_ms));
        json_array_begin(w, "transitions");
        for (unsigned i = 0; i < count; i++) {
                json_object_begin(w, NULL);
                view_put_time(w, "at", true, t[i].at_ms);
                view_put_age(w, now_ms, true, t[i].at_ms);
                json_put_string(w, "state", meter_state_names[t[i].state]);
                json_put_string(w, "reason", t[i].reason);
                json_object_end(w);
        }
        json_array_end(w);
}

static void put_identity(struct json_writer *w, const struct meter *m) {
        const struct session *session = meter_session(m);
        const struct profile *profile = meter_profile(m);

        json_put_string(w, "product_key", view_text_or_null(session->product_key));
        json_put_string(w, "firmware", view_text_or_null(session->firmware));
        if (!profile) {
                json_put_null(w, "profile");
                return;
        }
        json_object_begin(w, "profile");
        json_put_string(w, "name", profile->name);
        json_put_string(w, "title", view_text_or_null(profile->title));
        json_put_string(w, "evidence", profile_evidence_names[profile->evidence]);
        json_object_end(w);
}

static void put_link(struct json_writer *w, const char *key, const struct line *line, const char *port) {
        struct link_info link;

        if (!line) {
                json_put_null(w, key);
                return;
        }
        link = line_info(line);
        json_object_begin(w, key);
        json_put_string(w, "port", port);
        json_put_bool(w, "open", link.open);
        if (link.baud > 0)
                json_put_uint(w, "baud", link.baud);
        else
                json_put_null(w, "baud");
        json_put_uint(w, "opens", link.opens);
        json_put_uint(w, "reconnects", link.opens > 0 ? link.opens - 1 : 0);
        json_put_uint(w, "read_bytes", link.read_bytes);
        json_put_uint(w, "written_bytes", link.written_bytes);
        json_put_uint(w, "write_errors", link.write_errors);
        json_put_string(w, "error", view_text_or_null(link.error));
        json_put_string(w, "usb", view_text_or_null(link.usb));
        json_object_end(w);
}

static void put_framing(struct json_writer *w, const char *key, const struct line *line) {
        const struct framer *f;

        if (!line) {
                json_put_null(w, key);
                return;
        }
        f = &line->framer;
        json_object_begin(w, key);
        json_put_uint(w, "frames", f->frames);
        json_put_uint(w, "noise_bytes", f->noise_bytes);
        json_put_uint(w, "checksum_errors", f->checksum_errors);
        json_put_uint(w, "oversize", f->oversize);
        json_put_uint(w, "part_frame_timeouts", f->timeouts);
        json_put_uint(w, "total_bytes", f->total_bytes);
        json_put_uint(w, "pending_bytes", framer_pending(f));
        json_object_end(w);
}

/* The meter's own line, and the one to it where that is heard apart. */
static void put_lines(struct json_writer *w, const struct meter *m) {
        const struct meter_config *config = meter_config(m);
        const struct line *rx = meter_line(m, LINE_RX), *tx = meter_line(m, LINE_TX);

        put_link(w, "link", rx, config->port);
        put_framing(w, "framing", rx);
        put_link(w, "link_tx", tx, config->port_tx ? config->port_tx : config->port);
        put_framing(w, "framing_tx", tx);
}

static void put_counters(struct json_writer *w, const struct meter *m) {
        const struct protocol_counter *names = meter_config(m)->protocol->counters;
        const struct session *session = meter_session(m);
        const char *reason;
        uint64_t count;

        json_object_begin(w, "counters");
        json_put_uint(w, "register_resets", meter_totals(m)->counts[COUNTER_RESET]);
        for (unsigned i = 0; names[i].name; i++)
                if (!names[i].is_withheld)
                        json_put_uint(w, names[i].name, session->counters[i]);
        json_object_end(w);
        json_object_begin(w, "withheld");
        for (unsigned i = 0; meter_withheld(m, i, &reason, &count); i++)
                json_put_uint(w, reason, count);
        json_object_end(w);
}

/* The registers as the meter shows them, beside what is published: after a reset the two differ. */
static void put_registers(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        const struct totals *t = meter_totals(m);
        const struct series_set *set = meter_series(m);

        json_array_begin(w, "registers");
        for (unsigned i = 0; i < t->count; i++) {
                const struct totals_item *item = &t->items[i];
                const struct quantity_info *info = &quantity_catalogue[item->quantity];
                const struct counter *c = &item->counter;

                json_object_begin(w, NULL);
                json_put_string(w, "channel", view_text_or_null(set->channels[item->channel]));
                json_put_string(w, "quantity", info->key);
                view_put_number(w, "register", c->known, c->reading, info->decimals);
                view_put_number(w, "published", c->known, c->total, info->decimals);
                view_put_time(w, "at", c->known, c->at_ms);
                view_put_age(w, now_ms, c->known, c->at_ms);
                view_put_number(w, "withheld", c->n_pending > 0, c->last_pending, info->decimals);
                json_put_uint(w, "withheld_in_a_row", c->n_pending);
                json_object_end(w);
        }
        json_array_end(w);
}

static void put_detail_value(struct json_writer *w, const struct session_detail *d, uint64_t now_ms) {
        switch (d->kind) {
        case DETAIL_TEXT:
                json_put_string(w, "value", d->text);
                break;
        case DETAIL_NUMBER:
                json_put_int(w, "value", d->number);
                break;
        case DETAIL_FLAG:
                json_put_bool(w, "value", d->number != 0);
                break;
        case DETAIL_TIME:
                view_put_time(w, "value", true, d->at_ms);
                view_put_age(w, now_ms, true, d->at_ms);
                break;
        case DETAIL_HEX:
                json_put_hex(w, "value", d->bytes, d->len);
                break;
        default:
                json_put_null(w, "value");
        }
}

static void put_details(struct json_writer *w, const struct meter *m, uint64_t now_ms, bool show_secrets) {
        const struct protocol *protocol = meter_config(m)->protocol;
        struct session_detail d;

        json_object_begin(w, "details");
        for (unsigned i = 0; protocol->detail && protocol->detail(meter_session(m), i, &d); i++) {
                json_object_begin(w, d.key);
                json_put_string(w, "label", d.label);
                if (d.is_secret && !show_secrets && d.kind != DETAIL_UNKNOWN)
                        json_put_string(w, "value", "masked");
                else
                        put_detail_value(w, &d, now_ms);
                if (d.is_secret)
                        json_put_bool(w, "secret", true);
                json_object_end(w);
        }
        json_object_end(w);
}

static void put_console(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        const struct protocol *protocol = meter_config(m)->protocol;
        const struct text_log *log = protocol->console ? protocol->console(meter_session(m)) : NULL;
        const struct text_log_line *line;

        if (!log) {
                json_put_null(w, "console");
                return;
        }
        json_object_begin(w, "console");
        json_array_begin(w, "lines");
        for (unsigned i = 0; (line = text_log_get(log, i)); i++) {
                json_object_begin(w, NULL);
                view_put_time(w, "at", true, line->at_ms);
                view_put_age(w, now_ms, true, line->at_ms);
                json_put_string(w, "text", line->text);
                json_object_end(w);
        }
        json_array_end(w);
        json_put_uint(w, "total", log->total);
        json_object_end(w);
}

/* Of the datapoint that somebody wanted written last. */
static void put_last_write(struct json_writer *w, const struct session_write *s) {
        if (s->status == WRITE_NONE) {
                json_put_null(w, "last_write");
                return;
        }
        json_object_begin(w, "last_write");
        json_put_uint(w, "dp", s->what.id);
        view_put_write_value(w, &s->what);
        json_put_string(w, "status", write_status_names[s->status]);
        json_put_string(w, "reason", s->reason);
        view_put_time(w, "at", true, s->asked_ms);
        view_put_time(w, "ended", s->status != WRITE_PENDING, s->ended_ms);
        json_put_uint(w, "count", s->count);
        json_object_end(w);
}

/* factor: how many times too large the power is. */
/* Both sides of a meter that measures power and has a register; null where there is not both, or nothing yet. */
static void put_energy_check(struct json_writer *w, const struct meter *m) {
        const struct energy_check *c = meter_energy_check(m);

        if (!c->begun || !c->held) {
                json_put_null(w, "energy_check");
                return;
        }
        json_object_begin(w, "energy_check");
        view_put_time(w, "since", true, c->since_ms);
        json_put_decimal(w, "register_kwh", c->last_total - c->first_total, 6);
        json_put_decimal(w, "integral_kwh", c->integral_at_register, 6);
        json_object_end(w);
}

static void put_plausibility(struct json_writer *w, const struct meter *m) {
        const struct plausibility *p = meter_plausibility(m);

        json_object_begin(w, "plausibility");
        if (p->found == POWER_FITS) {
                json_put_null(w, "power_scale_mismatch");
        } else {
                json_object_begin(w, "power_scale_mismatch");
                json_put_string(w, "channel", view_text_or_null(meter_series(m)->channels[p->channel]));
                json_put_decimal(w, "factor", p->found == POWER_TEN_TIMES_HIGH ? 100 : 1, 1);
                json_object_end(w);
        }
        json_object_end(w);
}

static void put_latency(struct json_writer *w, const struct session *s) {
        json_object_begin(w, "latency");
        if (s->latency_count > 0) {
                json_put_uint(w, "last_ms", s->latency_last_ms);
                json_put_uint(w, "max_ms", s->latency_max_ms);
                json_put_uint(w, "mean_ms", s->latency_sum_ms / s->latency_count);
        } else {
                json_put_null(w, "last_ms");
                json_put_null(w, "max_ms");
                json_put_null(w, "mean_ms");
        }
        json_put_uint(w, "count", s->latency_count);
        json_object_end(w);
}

static void put_diagnostics(struct json_writer *w, const struct meter *m, bool show_secrets) {
        uint64_t now_ms = view_now();

        json_object_begin(w, NULL);
        json_put_string(w, "meter", meter_config(m)->id);
        put_state(w, m, now_ms);
        put_identity(w, m);
        put_lines(w, m);
        put_counters(w, m);
        put_registers(w, m, now_ms);
        put_plausibility(w, m);
        put_energy_check(w, m);
        put_latency(w, meter_session(m));
        put_last_write(w, &meter_session(m)->write);
        put_details(w, m, now_ms, show_secrets);
        put_console(w, m, now_ms);
        json_put_uint(w, "frames_logged", meter_frames(m)->total);
        json_object_end(w);
}

enum secrets { SECRETS_MASK, SECRETS_SHOW, SECRETS };
static const char *const secrets[SECRETS] = { "mask", "show" };

/* Secrets are shown to those who may control, and only when they ask for them: an answer is easily passed on to
 * somebody who helps. */
const struct parameter api_diagnostics_parameters[] = {
        { .name = "secrets", .type = PARAMETER_CHOICE, .choices = secrets, .n_choices = SECRETS, .fallback = "mask",
          .description = "show needs a token that may control: secrets of the meter are then told instead of "
                         "masked." },
        { .name = NULL },
};

int api_diagnostics(void *userdata, const struct request *request, struct reply *reply) {
        const struct meter *m = view_find_meter(userdata, request, reply);
        bool show_secrets = request_choice(request, "secrets") == SECRETS_SHOW;
        struct json_writer w;

        if (!m || (show_secrets && !request_may_control(request, "secrets", reply)))
                return 0;
        if (show_secrets)
                reply->cache_control = "no-store";
        json_begin(&w, &reply->body);
        put_diagnostics(&w, m, show_secrets);
        return view_finish(reply);
}
