#include "api/suggestion_json.h"

#include <stdio.h>

#include "base/decimal.h"

void suggestion_put_word(struct json_writer *w, const struct suggestion *s) {
        if (!s->is_word)
                return;
        json_put_uint(w, "offset", s->offset);
        json_put_uint(w, "width", s->width);
        json_put_string(w, "endian", s->big_endian ? "be" : "le");
}

/* Exact where its divisor divides a power of ten, as those of all our hypotheses do. */
static void put_scale(struct json_writer *w, const char *key, int64_t num, int64_t den) {
        int64_t power = 1;
        unsigned places = 0;

        while (power % den != 0 && places < DECIMAL_PLACES_MAX) {
                power *= 10;
                places++;
        }
        json_put_decimal(w, key, num * (power / den), places);
}

static void put_sign(struct json_writer *w, const struct hypothesis *h) {
        if (h->sign == SUGGEST_SIGN_UNKNOWN)
                json_put_null(w, "signed");
        else
                json_put_bool(w, "signed", h->sign == SUGGEST_SIGNED);
        json_put_bool(w, "inverted", h->inverted);
}

static void put_meaning(struct json_writer *w, const struct hypothesis *h) {
        bool has_quantity = h->quantity < Q_COUNT;

        json_put_string(w, "quantity", has_quantity ? quantity_catalogue[h->quantity].key : NULL);
        json_put_string(w, "channel", h->channel[0] ? h->channel : NULL);
        json_put_string(w, "unit", has_quantity ? quantity_catalogue[h->quantity].unit : NULL);
        if (has_quantity)
                put_scale(w, "scale", h->scale_num, h->scale_den);
        else
                json_put_null(w, "scale");
        put_sign(w, h);
        json_put_string(w, "layout", h->layout != LAYOUT_NONE ? datapoint_layout_names[h->layout] : NULL);
        if (h->layout != LAYOUT_NONE && h->power_den != 0)
                put_scale(w, "power_scale", 1, h->power_den);
        if (h->is_increment)
                json_put_bool(w, "increment", true);
        if (h->is_direction)
                json_put_bool(w, "direction", true);
        if (h->is_direction)
                json_put_uint(w, "reverse", h->direction_reverse);
        if (h->direction_id != 0)
                json_put_uint(w, "direction_dp", h->direction_id);
}

void suggestion_put_hypothesis(struct json_writer *w, const struct suggestion *s, unsigned i) {
        const struct hypothesis *h = &s->hypotheses[i];

        json_put_uint(w, "rank", i + 1);
        put_meaning(w, h);
        json_put_decimal(w, "confidence", (int64_t) (h->confidence * 1000), 3);
        json_put_string(w, "level", suggest_level_names[h->level]);
        json_array_begin(w, "evidence");
        for (unsigned e = 0; e < h->n_evidence; e++)
                json_put_string(w, NULL, h->evidence[e]);
        json_array_end(w);
}
