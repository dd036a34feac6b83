/* GET /api/v1/meters/{id}/diagnostics: why a meter is in the state it is in. */
#include "api/handlers.h"

#include "api/view.h"

static void put_state(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        const struct session *session = meter_session(m);
        unsigned count;
        const struct meter_transition *t = meter_transitions(m, &count);

        json_put_string(w, "state", meter_state_names[meter_state(m)]);
        json_put_string(w, "reason", session->reason);
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

static void put_link(struct json_writer *w, const struct meter *m) {
        struct link_info link = meter_link(m);

        json_object_begin(w, "link");
        json_put_string(w, "port", meter_config(m)->port);
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

static void put_framing(struct json_writer *w, const struct framer *f) {
        json_object_begin(w, "framing");
        json_put_uint(w, "frames", f->frames);
        json_put_uint(w, "noise_bytes", f->noise_bytes);
        json_put_uint(w, "checksum_errors", f->checksum_errors);
        json_put_uint(w, "oversize", f->oversize);
        json_put_uint(w, "part_frame_timeouts", f->timeouts);
        json_put_uint(w, "total_bytes", f->total_bytes);
        json_put_uint(w, "pending_bytes", framer_pending(f));
        json_object_end(w);
}

static void put_counters(struct json_writer *w, const struct meter *m) {
        const struct protocol_counter *names = meter_config(m)->protocol->counters;
        const struct session *session = meter_session(m);
        const char *reason;
        uint64_t count;

        json_object_begin(w, "counters");
        for (unsigned i = 0; names[i].name; i++)
                if (!names[i].is_withheld)
                        json_put_uint(w, names[i].name, session->counters[i]);
        json_object_end(w);
        json_object_begin(w, "withheld");
        for (unsigned i = 0; meter_withheld(m, i, &reason, &count); i++)
                json_put_uint(w, reason, count);
        json_object_end(w);
}

/* factor: how many times too large the power is. */
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

int api_diagnostics(void *userdata, const struct request *request, struct reply *reply) {
        const struct meter *m = view_find_meter(userdata, request, reply);
        struct json_writer w;

        if (!m)
                return 0;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "meter", meter_config(m)->id);
        put_state(&w, m, view_now());
        put_identity(&w, m);
        put_link(&w, m);
        put_framing(&w, meter_framer(m));
        put_counters(&w, m);
        put_plausibility(&w, m);
        put_latency(&w, meter_session(m));
        json_put_uint(&w, "frames_logged", meter_frames(m)->total);
        json_object_end(&w);
        return view_finish(reply);
}
