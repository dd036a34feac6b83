/* GET /api/v1/meters and /api/v1/meters/{id}. */
#include "api/handlers.h"

#include "api/view.h"

static void put_reading(struct json_writer *w, const struct meter *m, const struct series *s, uint64_t now_ms) {
        json_object_begin(w, s->key);
        view_put_value(w, "value", m, s, now_ms);
        view_put_time(w, "at", s->known, s->at_ms);
        view_put_age(w, now_ms, s->known, s->at_ms);
        json_put_string(w, "source", s->known ? value_source_names[s->source] : NULL);
        json_put_string(w, "origin", s->known ? view_text_or_null(s->origin) : NULL);
        json_object_end(w);
}

static void put_notices(struct json_writer *w, const struct meter *m) {
        char text[METER_NOTICE_MAX];

        json_array_begin(w, "notices");
        for (unsigned i = 0; meter_notice(m, i, text); i++)
                json_put_string(w, NULL, text);
        json_array_end(w);
}

static void put_meter(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        const struct meter_config *config = meter_config(m);
        const struct session *session = meter_session(m);
        const struct series_set *set = meter_series(m);

        json_object_begin(w, NULL);
        json_put_string(w, "id", config->id);
        json_put_string(w, "name", config->name);
        json_put_string(w, "protocol", config->protocol->name);
        json_put_string(w, "profile", view_profile_name(m));
        json_put_string(w, "state", meter_state_names[meter_state(m)]);
        json_put_bool(w, "available", meter_available(m, now_ms));
        view_put_last_reading(w, m, now_ms);
        json_put_string(w, "reason", meter_reason(m));
        json_put_string(w, "hint", session->hint);
        put_notices(w, m);
        json_object_begin(w, "readings");
        for (unsigned i = 0; i < set->count; i++)
                put_reading(w, m, &set->items[i], now_ms);
        json_object_end(w);
        json_object_end(w);
}

int api_meters(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        uint64_t now_ms = view_now();
        struct json_writer w;

        (void) request;
        reply->subject = "";
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_array_begin(&w, "meters");
        for (unsigned i = 0; i < fleet_count(app->fleet); i++)
                put_meter(&w, fleet_meter(app->fleet, i), now_ms);
        json_array_end(&w);
        json_object_end(&w);
        return view_finish(reply);
}

int api_meter(void *userdata, const struct request *request, struct reply *reply) {
        const struct meter *m = view_find_meter(userdata, request, reply);
        struct json_writer w;

        if (!m)
                return 0;
        reply->subject = meter_config(m)->id;
        json_begin(&w, &reply->body);
        put_meter(&w, m, view_now());
        return view_finish(reply);
}
