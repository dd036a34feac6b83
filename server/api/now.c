/* GET /api/v1/meters/{id}/now and /now/{series}: made for Home Assistant, jq and shell scripts. */
#include "api/handlers.h"

#include "api/view.h"

/* Follows the catalogue, so that an energy that is only ever null stands where a known one would. */
static void put_plain(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        const struct series_set *set = meter_series(m);

        for (unsigned q = 0; q < Q_COUNT; q++) {
                const struct series *s = series_set_find(set, quantity_catalogue[q].key);

                if (s)
                        view_put_value(w, s->key, m, s, now_ms);
                else if (view_lacks_energy(m, (enum quantity) q))
                        json_put_null(w, quantity_catalogue[q].key);
        }
}

static void put_channels(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        const struct series_set *set = meter_series(m);

        json_object_begin(w, "channels");
        for (unsigned channel = 1; channel < set->n_channels; channel++) {
                json_object_begin(w, set->channels[channel]);
                for (unsigned i = 0; i < set->count; i++) {
                        const struct series *s = &set->items[i];

                        if (s->channel == channel)
                                view_put_value(w, quantity_catalogue[s->quantity].key, m, s, now_ms);
                }
                json_object_end(w);
        }
        json_object_end(w);
}

int api_now(void *userdata, const struct request *request, struct reply *reply) {
        const struct meter *m = view_find_meter(userdata, request, reply);
        uint64_t now_ms = view_now();
        struct json_writer w;

        if (!m)
                return 0;
        reply->subject = meter_config(m)->id;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "meter", meter_config(m)->id);
        json_put_string(&w, "name", meter_config(m)->name);
        json_put_bool(&w, "available", meter_available(m, now_ms));
        json_put_string(&w, "state", meter_state_names[meter_state(m)]);
        view_put_last_reading(&w, m, now_ms);
        put_plain(&w, m, now_ms);
        if (meter_series(m)->n_channels > 1)
                put_channels(&w, m, now_ms);
        json_object_end(&w);
        return view_finish(reply);
}

/* A key that may turn out to exist: until the product is known, nobody can say that it does not. */
static bool may_exist(const struct meter *m, const char *key) {
        enum quantity q = quantity_from_key(key);

        if (view_lacks_profile(m))
                return q != Q_NONE;
        return q != Q_NONE && view_lacks_energy(m, q);
}

static int no_such_series(const struct meter *m, const char *key, struct reply *reply) {
        const struct series_set *set = meter_series(m);
        struct name_list keys = { 0 };

        for (unsigned i = 0; i < set->count; i++)
                name_list_add(&keys, set->items[i].key);
        return reply_problem(reply, 404, NULL, "meter %s has no series \"%.64s\"; it has %s", meter_config(m)->id,
                             key, keys.len > 0 ? keys.text : "none, its product is not known yet");
}

int api_now_series(void *userdata, const struct request *request, struct reply *reply) {
        const struct meter *m = view_find_meter(userdata, request, reply);
        const struct series *s;

        if (!m)
                return 0;
        s = series_set_find(meter_series(m), request->args[1]);
        if (!s && !may_exist(m, request->args[1]))
                return no_such_series(m, request->args[1], reply);
        reply->subject = meter_config(m)->id;
        reply->content_type = "text/plain; charset=utf-8";
        if (s && view_is_current(m, s, view_now()))
                buffer_put_decimal(&reply->body, s->value, quantity_catalogue[s->quantity].decimals);
        else
                buffer_puts(&reply->body, "null");
        return view_finish(reply);
}
