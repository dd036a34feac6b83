#include "api/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

uint64_t view_now(void) {
        clock_update();
        return clock_now_ms();
}

bool view_time(uint64_t boot_ms, int64_t *ret_utc_ms) {
        int64_t utc_ms;

        if (!clock_to_utc_ms(boot_ms, &utc_ms))
                return false;
        *ret_utc_ms = utc_ms - (utc_ms % VIEW_TICK_MS + VIEW_TICK_MS) % VIEW_TICK_MS;
        return true;
}

void view_put_time(struct json_writer *w, const char *key, bool known, uint64_t boot_ms) {
        char text[CLOCK_RFC3339_MAX];
        char key_ms[32];
        int64_t utc_ms;

        snprintf(key_ms, sizeof key_ms, "%s_ms", key);
        if (known && view_time(boot_ms, &utc_ms)) {
                clock_format_rfc3339(utc_ms, text);
                json_put_string(w, key, text);
                json_put_int(w, key_ms, utc_ms);
        } else {
                json_put_null(w, key);
                json_put_null(w, key_ms);
        }
}

void view_put_age(struct json_writer *w, uint64_t now_ms, bool known, uint64_t boot_ms) {
        uint64_t age_ms = now_ms > boot_ms ? now_ms - boot_ms : 0;

        if (known)
                json_put_volatile_decimal(w, "age_s", (int64_t) (age_ms / 100), 1);
        else
                json_put_null(w, "age_s");
}

void view_put_last_reading(struct json_writer *w, const struct meter *m, uint64_t now_ms) {
        uint64_t at_ms = 0;
        bool known = meter_last_reading(m, &at_ms);

        view_put_time(w, "at", known, at_ms);
        view_put_age(w, now_ms, known, at_ms);
}

bool view_is_current(const struct meter *m, const struct series *s, uint64_t now_ms) {
        return series_is_current(s, now_ms, meter_config(m)->stale_after_ms);
}

void view_put_number(struct json_writer *w, const char *key, bool known, int64_t value, unsigned decimals) {
        if (known)
                json_put_decimal(w, key, value, decimals);
        else
                json_put_null(w, key);
}

void view_put_value(struct json_writer *w, const char *key, const struct meter *m, const struct series *s,
                    uint64_t now_ms) {
        view_put_number(w, key, view_is_current(m, s, now_ms), s->value, quantity_catalogue[s->quantity].decimals);
}

struct total_limit view_total_limit(const struct app *app, const char *meter, const char *key) {
        const struct meter *m = fleet_find(app->fleet, meter);
        struct total_limit limit = { 0 };

        limit.set = m && meter_total_limit(m, key, &limit.most);
        return limit;
}

bool view_shown_total(const struct app *app, const char *meter, const char *key, int64_t *total) {
        struct total_limit limit = view_total_limit(app, meter, key);

        return total_limit_apply(&limit, total);
}

bool view_lacks_energy(const struct meter *m, enum quantity quantity) {
        const struct series_set *set = meter_series(m);

        return (quantity == Q_ENERGY_IMPORT || quantity == Q_ENERGY_EXPORT) &&
               !series_set_find(set, quantity_catalogue[quantity].key) &&
               series_set_find(set, quantity_catalogue[Q_POWER].key);
}

const char *view_text_or_null(const char *text) {
        return text && text[0] ? text : NULL;
}

const char *view_profile_name(const struct meter *m) {
        const struct profile *profile = meter_profile(m);

        return profile ? profile->name : NULL;
}

bool view_lacks_profile(const struct meter *m) {
        return meter_config(m)->protocol->needs_profile && !meter_profile(m);
}

const char *view_channel(const struct meter *m, const struct series *s) {
        return meter_series(m)->channels[s->channel];
}

void view_put_write_value(struct json_writer *w, const struct datapoint_write *what) {
        const char *key = value_form_keys[what->form];

        if (what->form == VALUE_NUMBER)
                json_put_int(w, key, what->number);
        else if (what->form == VALUE_FLAG)
                json_put_bool(w, key, what->number != 0);
        else if (what->form == VALUE_TEXT)
                json_put_string_n(w, key, (const char *) what->bytes, what->len);
        else
                json_put_hex(w, key, what->bytes, what->len);
}

void name_list_add(struct name_list *l, const char *name) {
        size_t room = sizeof l->text - l->len - sizeof ", ...";

        if (l->full)
                return;
        l->full = strlen(name) + sizeof ", " > room;
        l->len += (size_t) snprintf(l->text + l->len, sizeof l->text - l->len, "%s%s", l->len > 0 ? ", " : "",
                                    l->full ? "..." : name);
}

struct meter *view_find_meter(const struct app *app, const struct request *request, struct reply *reply) {
        struct meter *m = fleet_find(app->fleet, request->args[0]);
        struct name_list ids = { 0 };

        if (m)
                return m;
        for (unsigned i = 0; i < fleet_count(app->fleet); i++)
                name_list_add(&ids, meter_config(fleet_meter(app->fleet, i))->id);
        reply_problem(reply, 404, NULL, "no meter \"%.64s\" here; there is %s", request->args[0],
                      ids.len > 0 ? ids.text : "none");
        return NULL;
}

int view_finish(const struct reply *reply) {
        return reply->body.failed ? -E2BIG : 0;
}

bool view_has_history(const struct app *app, struct reply *reply) {
        uint64_t done, total;

        if (app->history && history_is_ready(app->history))
                return true;
        if (!app->history) {
                reply_problem(reply, 503, NULL, "this gateway runs without a history");
                return false;
        }
        history_progress(app->history, &done, &total);
        reply_problem(reply, 503, NULL, "the history is being read, %u %% are done; try again soon",
                      total > 0 ? (unsigned) (done * 100 / total) : 0);
        return false;
}

uint64_t view_history_bytes(const struct history *h) {
        uint64_t pages = 0;

        if (history_stats(h).store.bytes_allocated == 0)
                return 0;
        for (enum history_tier t = 0; t < TIER_COUNT; t++)
                pages += history_end(h, t) - history_oldest(h, t);
        return pages * PAGE_BYTES;
}
