/* GET /api/v1/meters/{id}/datapoints: everything the meter has sent, whether or not anybody knows what it means, and
 * on request what it may mean. */
#include "api/handlers.h"

#include <stdio.h>

#include "api/accept.h"
#include "api/decoded.h"
#include "api/suggestion_json.h"
#include "api/view.h"
#include "base/decimal.h"

/* A string comes as text for people and as bytes, because its text need not be valid UTF-8. */
static void put_raw(struct json_writer *w, const struct datapoint *d, bool is_text) {
        size_t kept = d->length < DATAPOINT_BYTES_MAX ? d->length : DATAPOINT_BYTES_MAX;

        if (d->numeric)
                json_put_int(w, "raw", d->number);
        if (!d->numeric && is_text)
                json_put_string_n(w, "text", (const char *) d->bytes, kept);
        if (!d->numeric)
                json_put_hex(w, "hex", d->bytes, kept);
        json_put_uint(w, "length", d->length);
        if (!d->numeric && kept < d->length)
                json_put_bool(w, "truncated", true);
}

static void put_type(struct json_writer *w, const struct datapoint *d, const char *name) {
        char text[16];

        snprintf(text, sizeof text, "type %u", d->type);
        json_put_string(w, "type", name ? name : text);
}

/* Raw value times the row's scale, exact: its divisor divides a power of ten. */
static void put_scaled(struct json_writer *w, const struct profile_datapoint *row, int64_t number) {
        int64_t power = 1, value;
        unsigned places = 0;

        while (power % row->scale_den != 0) {
                if (places++ == DECIMAL_PLACES_MAX)
                        return;
                power *= 10;
        }
        if (__builtin_mul_overflow(number, row->scale_num, &value) ||
            __builtin_mul_overflow(value, power / row->scale_den, &value))
                return;
        json_put_decimal(w, "value", value, places);
}

/* What a row says of values that are no readings. */
static void put_remarks(struct json_writer *w, const struct profile_datapoint *row, const struct datapoint *d) {
        bool is_whole = d->length <= DATAPOINT_BYTES_MAX;

        if (row->quantity == Q_NONE && d->numeric && (row->unit[0] || row->scale_num != row->scale_den))
                put_scaled(w, row, d->number);
        if (row->layout != LAYOUT_NONE)
                json_put_string(w, "layout", datapoint_layout_names[row->layout]);
        if (d->type == DATAPOINT_RAW && is_whole)
                decoded_put(w, row, span_of(d->bytes, d->length));
        if (row->is_increment)
                json_put_bool(w, "increment", true);
        if (row->writable)
                json_put_bool(w, "writable", true);
        if (row->has_range) {
                json_array_begin(w, "range");
                json_put_int(w, NULL, row->range_min);
                json_put_int(w, NULL, row->range_max);
                json_array_end(w);
        }
        if (row->danger != DANGER_NONE)
                json_put_string(w, "danger", datapoint_danger_names[row->danger]);
}

static void put_words(struct json_writer *w, const char *name, const struct quantity_info *quantity,
                      const char *channel, const char *unit, const char *evidence) {
        json_put_string(w, "name", view_text_or_null(name));
        json_put_string(w, "quantity", quantity ? quantity->key : NULL);
        json_put_string(w, "channel", view_text_or_null(channel));
        json_put_string(w, "unit", view_text_or_null(unit));
        json_put_string(w, "evidence", evidence);
}

/* What a profile says. */
static void put_meaning(struct json_writer *w, const struct profile *profile, const struct datapoint *d) {
        const struct profile_datapoint *row = NULL;
        const struct quantity_info *quantity = NULL;
        const char *channel = NULL, *unit = NULL;

        if (profile && d->id <= UINT8_MAX)
                row = profile_datapoint(profile, (uint8_t) d->id);
        if (row && row->quantity < Q_COUNT)
                quantity = &quantity_catalogue[row->quantity];
        if (row)
                channel = profile->channels[row->channel];
        if (row)
                unit = quantity ? quantity->unit : row->unit;
        json_put_bool(w, "mapped", row != NULL);
        put_words(w, row ? row->name : NULL, quantity, channel, unit,
                  row ? profile_evidence_names[row->evidence] : NULL);
        if (row)
                put_remarks(w, row, d);
}

static void put_numbered(struct json_writer *w, const struct meter *m, const struct datapoint *d) {
        json_put_uint(w, "dp", d->id);
        put_type(w, d, d->type < DATAPOINT_TYPE_COUNT ? datapoint_type_names[d->type] : NULL);
        put_raw(w, d, d->type == DATAPOINT_STRING);
        json_put_uint(w, "count", d->count);
        put_meaning(w, meter_profile(m), d);
}

/* Where the protocol itself says what things are. The unit is that of the reading: raw is a count of the meter's. */
static void put_attribute(struct json_writer *w, const struct meter *m, const struct datapoint *d) {
        const struct quantity_info *quantity = NULL;
        struct attribute_info info;

        meter_config(m)->protocol->attribute(d, &info);
        if (info.quantity < Q_COUNT)
                quantity = &quantity_catalogue[info.quantity];
        json_put_string(w, "attribute", info.id);
        put_type(w, d, info.type);
        put_raw(w, d, false);
        json_put_uint(w, "count", d->count);
        json_put_bool(w, "mapped", quantity != NULL);
        put_words(w, info.name, quantity, NULL, quantity ? quantity->unit : NULL, NULL);
}

/* ---- what it may mean ---- */

static void put_hypothesis(struct json_writer *w, const struct suggestion *s, unsigned i) {
        struct buffer piece;

        buffer_init(&piece, 128);
        json_object_begin(w, NULL);
        suggestion_put_word(w, s);
        suggestion_put_hypothesis(w, s, i);
        if (accept_put(&piece, s, &s->hypotheses[i]) && !piece.failed)
                json_put_string(w, "accept", piece.data);
        json_object_end(w);
        buffer_free(&piece);
}

/* Of a raw value there may be several: of it as a whole, and of words in it. */
static void put_suggestions(struct json_writer *w, const struct suggestions *all, const struct datapoint *d) {
        const struct suggestion *told = NULL;
        bool found = false;

        for (unsigned i = 0; i < all->count; i++) {
                const struct suggestion *s = &all->items[i];

                if (s->id != d->id)
                        continue;
                if (!told || told->is_word)
                        told = s;
                if (s->count > 0 && !found) {
                        json_array_begin(w, "suggestions");
                        found = true;
                }
                for (unsigned h = 0; h < s->count; h++)
                        put_hypothesis(w, s, h);
        }
        if (found)
                json_array_end(w);
        else if (told)
                json_put_string(w, "cannot_tell", told->cannot_tell);
}

/* ---- all of it ---- */

static void put_datapoint(struct json_writer *w, const struct meter *m, const struct datapoint *d,
                          const struct suggestions *suggestions, uint64_t now_ms) {
        json_object_begin(w, NULL);
        if (meter_config(m)->protocol->attribute)
                put_attribute(w, m, d);
        else
                put_numbered(w, m, d);
        view_put_time(w, "first_seen", true, d->first_seen_ms);
        view_put_time(w, "last_seen", true, d->last_seen_ms);
        view_put_time(w, "last_change", true, d->last_change_ms);
        view_put_age(w, now_ms, true, d->last_seen_ms);
        if (suggestions)
                put_suggestions(w, suggestions, d);
        json_object_end(w);
}

static const char *likeness_of(const struct meter *m) {
        const struct protocol *p = meter_config(m)->protocol;

        return p->likeness ? p->likeness(&meter_session(m)->datapoints) : NULL;
}

static void put_hint(struct json_writer *w, const struct meter *m) {
        const char *key = meter_session(m)->product_key, *likeness = likeness_of(m);
        char text[480];
        int len;

        if (!view_lacks_profile(m))
                return;
        if (key[0])
                len = snprintf(text, sizeof text, "no profile knows the product key %s", key);
        else
                len = snprintf(text, sizeof text, "the meter has not told a product key");
        len += snprintf(text + len, sizeof text - (size_t) len,
                        ": choose one with \"profile:\" in the configuration (metergate profiles lists them), or "
                        "make one of what datapoints?suggest=1 suggests");
        if (likeness)
                snprintf(text + len, sizeof text - (size_t) len, "; %s", likeness);
        json_put_string(w, "hint", text);
}

enum asked { ASKED_NOT, ASKED, ASKED_COUNT };
static const char *const asked_words[ASKED_COUNT] = { "0", "1" };

const struct parameter api_datapoints_parameters[] = {
        { .name = "suggest", .type = PARAMETER_CHOICE, .choices = asked_words, .n_choices = ASKED_COUNT,
          .fallback = "0",
          .description = "1: also what datapoints without a meaning may mean, from how they changed since the "
                         "gateway watches them." },
        { .name = NULL },
};

static void put_all(struct json_writer *w, const struct meter *m, const struct suggestions *suggestions,
                    uint64_t now_ms) {
        const struct datapoint_table *t = &meter_session(m)->datapoints;

        json_array_begin(w, "datapoints");
        for (unsigned i = 0; i < t->count; i++)
                put_datapoint(w, m, &t->items[i], suggestions, now_ms);
        json_array_end(w);
        json_put_uint(w, "dropped", t->dropped);
}

static void put_observed(struct json_writer *w, const struct meter *m) {
        uint64_t since_ms = 0;
        bool known = meter_observed_since(m, &since_ms);

        view_put_time(w, "observed_since", known, since_ms);
}

int api_datapoints(void *userdata, const struct request *request, struct reply *reply) {
        struct meter *m = view_find_meter(userdata, request, reply);
        const struct suggestions *suggestions = NULL;
        uint64_t now_ms = view_now();
        struct json_writer w;
        bool is_asked;
        int r = 0;

        if (!m)
                return 0;
        is_asked = request_choice(request, "suggest") == ASKED;
        if (is_asked)
                r = meter_suggest(m, now_ms, &suggestions);
        if (r < 0)
                return r;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "meter", meter_config(m)->id);
        json_put_string(&w, "product_key", view_text_or_null(meter_session(m)->product_key));
        json_put_string(&w, "profile", view_profile_name(m));
        put_hint(&w, m);
        if (is_asked)
                put_observed(&w, m);
        put_all(&w, m, suggestions, now_ms);
        json_object_end(&w);
        return view_finish(reply);
}
