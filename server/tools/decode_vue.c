#include "tools/decode_vue.h"

#include <stdio.h>

#include "protocols/quantity.h"
#include "protocols/vue/frame.h"
#include "protocols/vue/install_code.h"
#include "protocols/vue/reading.h"

struct state {
        bool show_secrets;
        struct vue_reading reading;  /* of the present frame; too large for a stack */
};

static void start(void *state, const struct decode_settings *settings) {
        struct state *s = state;

        s->show_secrets = settings->show_secrets;
}

static void put_type(struct json_writer *w, uint8_t type) {
        char text[8];

        snprintf(text, sizeof text, type >= ' ' && type <= '~' ? "%c" : "0x%02X", type);
        json_put_string(w, "type", text);
}

static void put_factor(struct json_writer *w, const char *key, const struct vue_factor *f) {
        if (f->presence == VUE_INVALID)
                json_put_null(w, key);
        else if (f->presence == VUE_PRESENT && f->number.negative)
                json_put_int(w, key, vue_number_clamped(f->number));
        else if (f->presence == VUE_PRESENT)
                json_put_uint(w, key, f->number.magnitude);
}

static void put_value(struct json_writer *w, enum quantity quantity, const struct vue_value *v) {
        const struct quantity_info *q = &quantity_catalogue[quantity];

        if (v->presence == VUE_PRESENT)
                json_put_decimal(w, q->key, v->value, q->decimals);
        else if (v->presence == VUE_INVALID)
                json_put_null(w, q->key);
}

/* Numbers in another unit than kW and kWh have no place here. */
static void put_values(struct json_writer *w, const struct vue_reading *r) {
        json_object_begin(w, "readings");
        if (r->unit == 0) {
                put_value(w, Q_POWER, &r->power);
                put_value(w, Q_ENERGY_IMPORT, &r->import);
                put_value(w, Q_ENERGY_EXPORT, &r->export);
        }
        json_object_end(w);
}

static void put_reading(struct json_writer *w, struct vue_reading *r, struct span payload) {
        vue_reading_decode(payload, r);
        if (r->layout != VUE_LAYOUT_NONE)
                json_put_string(w, "layout", vue_layout_names[r->layout]);
        if (r->has_sequence)
                json_put_uint(w, "sequence", r->sequence);
        put_factor(w, "multiplier", &r->multiplier);
        put_factor(w, "divisor", &r->divisor);
        if (r->layout == VUE_V2)
                json_put_uint(w, "meter_ts_ms", r->meter_ts_ms);
        if (r->reject == VUE_OK)
                put_values(w, r);
        else
                json_put_string(w, "reject", vue_reject_names[r->reject]);
}

static void put_mac(struct json_writer *w, struct span payload) {
        char text[VUE_MAC_TEXT_SIZE];

        vue_mac_text(payload, text);
        json_put_string(w, "mac", text);
}

static void put_install_code(struct json_writer *w, struct span code, bool show) {
        if (show)
                json_put_hex(w, "install_code", code.data, code.len);
        else
                json_put_string(w, "install_code", "masked");
        json_put_string(w, "crc", vue_install_code_is_intact(code) ? "ok" : "bad");
}

/* Any frame but a reading, of the right length. */
static void put_message(struct json_writer *w, const struct vue_frame *f, bool show_secrets) {
        switch (f->type) {
        case VUE_FIRMWARE:
                json_put_uint(w, "firmware", f->payload.data[0]);
                break;
        case VUE_MAC:
                put_mac(w, f->payload);
                break;
        case VUE_INSTALL_CODE:
                put_install_code(w, f->payload, show_secrets);
                break;
        case VUE_JOIN:
                json_put_uint(w, "join", f->payload.data[0]);
                break;
        case VUE_NOTICE:
                json_put_uint(w, "code", f->payload.data[0]);
                break;
        }
}

static void put_frame(void *state, const uint8_t *frame, size_t len, struct json_writer *w) {
        struct vue_frame f = vue_frame_of(frame, len);
        enum vue_reject reject = vue_frame_reject(f);
        struct state *s = state;

        put_type(w, f.type);
        json_put_uint(w, "length", f.payload.len);
        if (reject != VUE_OK)
                json_put_string(w, "reject", vue_reject_names[reject]);
        else if (f.type == VUE_READ)
                put_reading(w, &s->reading, f.payload);
        else
                put_message(w, &f, s->show_secrets);
}

static void put_request(const uint8_t *frame, size_t len, struct json_writer *w) {
        (void) len;
        json_put_string_n(w, "request", (const char *) frame + 1, 1);
}

const struct decode_part decode_vue = {
        .protocol = "vue",
        .state_size = sizeof(struct state),
        .start = start,
        .frame = put_frame,
        .request = put_request,
};
