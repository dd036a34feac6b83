#include "tools/decode_tuyamcu.h"

#include <stdio.h>
#include <string.h>

#include "api/decoded.h"
#include "base/cleanup.h"
#include "config/profile_file.h"
#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"
#include "protocols/tuyamcu/tuyamcu.h"
#include "tools/decode_readings.h"
#include "tools/json_check.h"

enum {
        RECORD_SIZE = 7,   /* a flag that says whether the time is known, then year to second */
        UNIT_HEADER_SIZE = 4,

        /* Commands of the low-power and extended sets; the ordinary ones are in frame.h. */
        LOW_POWER_REPORT = 0x05,
        LOW_POWER_RECORD = 0x08,
        LOW_POWER_CACHE = 0x10,
        EXTENDED = 0x34,
        EXTENDED_RECORD = 0x0b,
        CACHE = 0x90,
};

struct state {
        const struct profile *profile;      /* NULL: none yet */
        bool fixed_profile;                 /* given by the user: product answers do not change it */
        struct tuya_directions directions;
};

static void put_unknown_type(struct json_writer *w, unsigned type) {
        char text[8];

        snprintf(text, sizeof text, "0x%02X", type & 0xff);
        json_put_string(w, "type", text);
}

static void put_datapoint(struct json_writer *w, const struct profile *profile, const struct tuya_datapoint *d) {
        json_object_begin(w, NULL);
        json_put_uint(w, "dp", d->id);
        if (d->type < DATAPOINT_TYPE_COUNT)
                json_put_string(w, "type", datapoint_type_names[d->type]);
        else
                put_unknown_type(w, d->type);
        if (d->numeric) {
                json_put_int(w, "raw", d->number);
        } else {
                json_put_uint(w, "length", d->value.len);
                if (d->type == DATAPOINT_STRING && json_check_utf8((const char *) d->value.data, d->value.len))
                        json_put_string_n(w, "text", (const char *) d->value.data, d->value.len);
                else
                        json_put_hex(w, "hex", d->value.data, d->value.len);
        }
        if (d->type == DATAPOINT_RAW)
                decoded_put(w, profile_datapoint(profile, d->id), d->value);
        json_object_end(w);
}

static void put_truncation(struct json_writer *w, const struct tuya_truncation *t) {
        json_object_begin(w, NULL);
        json_put_uint(w, "dp", t->id);
        json_put_string(w, "error", "dp_truncated");
        if (t->has_declared)
                json_put_uint(w, "declared", t->declared);
        json_put_uint(w, "present", t->present);
        json_object_end(w);
}

/* Directions first: the datapoint that tells one may stand behind those it is about. */
static void map_readings(struct state *d, struct span units, struct report *report) {
        struct tuya_truncation truncation;
        struct tuya_datapoint unit;
        size_t offset = 0;

        while (tuya_datapoint_next(units, &offset, &unit, &truncation) > 0)
                tuya_directions_note(&d->directions, &unit);
        offset = 0;
        while (tuya_datapoint_next(units, &offset, &unit, &truncation) > 0)
                tuya_datapoint_map(d->profile, &d->directions, &unit, report);
}

static void put_units(struct state *d, struct span units, struct json_writer *w) {
        struct tuya_truncation truncation;
        struct tuya_datapoint unit;
        size_t offset = 0;
        int r;

        json_array_begin(w, "datapoints");
        while ((r = tuya_datapoint_next(units, &offset, &unit, &truncation)) > 0)
                put_datapoint(w, d->profile, &unit);
        if (r < 0)
                put_truncation(w, &truncation);
        json_array_end(w);
}

static void put_datapoints(struct state *d, struct span units, struct json_writer *w) {
        struct report report = { .count = 0 };

        put_units(d, units, w);
        if (!d->profile)
                return;
        map_readings(d, units, &report);
        decode_put_readings(w, d->profile, &report);
}

static void pick_profile(struct state *d, struct span json) {
        char key[PRODUCT_KEY_MAX + 2];  /* one more than any real key, so that a longer one matches none */

        if (d->fixed_profile)
                return;
        tuya_product_field(json.data, json.len, 'p', key, sizeof key);
        d->profile = key[0] ? profile_for_product_key(tuyamcu_protocol.name, key) : NULL;
        memset(&d->directions, 0, sizeof d->directions);
}

/* True when the data is a JSON object. It is written as it came, so that no number in it changes its form; line ends
 * can only stand between its parts and would break the one line. */
static bool put_product(struct state *d, struct span data, struct json_writer *w) {
        char text[TUYA_DATA_MAX];
        size_t len = 0;

        if (!json_check_object((const char *) data.data, data.len))
                return false;
        for (size_t i = 0; i < data.len; i++)
                if (data.data[i] >= ' ')
                        text[len++] = (char) data.data[i];
        json_put_raw(w, "json", text, len);
        pick_profile(d, data);
        return true;
}

static bool put_record(struct state *d, struct span data, size_t at, struct json_writer *w) {
        json_put_hex(w, "record", data.data + at, RECORD_SIZE);
        put_datapoints(d, span_from(data, at + RECORD_SIZE), w);
        return true;
}

/* 01, a count, and exactly that many whole units. */
static bool put_cache(struct state *d, struct span data, struct json_writer *w) {
        struct span units = span_from(data, 2);
        struct tuya_truncation truncation;
        struct tuya_datapoint unit;
        size_t offset = 0;
        unsigned count = 0;
        int r;

        if (data.len < 2 || data.data[0] != 1)
                return false;
        while ((r = tuya_datapoint_next(units, &offset, &unit, &truncation)) > 0)
                count++;
        if (r < 0 || count != data.data[1])
                return false;
        json_put_uint(w, "status", data.data[0]);
        json_put_uint(w, "count", count);
        put_datapoints(d, units, w);
        return true;
}

static bool put_content(struct state *d, const struct tuya_frame *f, struct json_writer *w) {
        switch (f->command) {
        case TUYA_PRODUCT:
                return f->data.len > 0 && put_product(d, f->data, w);
        case LOW_POWER_REPORT:
                if (f->data.len < UNIT_HEADER_SIZE)
                        return false;
                put_datapoints(d, f->data, w);
                return true;
        case TUYA_SET:  /* what somebody wants it to be: nothing was measured */
                put_units(d, f->data, w);
                return true;
        case TUYA_REPORT:
        case TUYA_REPORT_SYNC:
                put_datapoints(d, f->data, w);
                return true;
        case LOW_POWER_RECORD:
                return f->data.len >= RECORD_SIZE && put_record(d, f->data, 0, w);
        case EXTENDED:
                return f->data.len >= 2 + RECORD_SIZE && f->data.data[0] == EXTENDED_RECORD &&
                       put_record(d, f->data, 2, w);
        case LOW_POWER_CACHE:
        case CACHE:
                return put_cache(d, f->data, w);
        default:
                return false;
        }
}

static void put_frame(void *state, const uint8_t *frame, size_t len, struct json_writer *w) {
        struct tuya_frame f = tuya_frame_open(frame, len);

        json_put_uint(w, "version", f.version);
        json_put_uint(w, "command", f.command);
        json_put_uint(w, "length", f.data.len);
        if (!put_content(state, &f, w) && f.data.len > 0)
                json_put_hex(w, "data", f.data.data, f.data.len);
}

static void start(void *state, const struct decode_settings *settings) {
        struct state *d = state;

        d->profile = settings->profile;
        d->fixed_profile = settings->profile != NULL;
}

static void new_stream(void *state) {
        struct state *d = state;

        if (!d->fixed_profile)
                d->profile = NULL;
}

const struct decode_part decode_tuyamcu = {
        .protocol = "tuyamcu",
        .state_size = sizeof(struct state),
        .start = start,
        .new_stream = new_stream,
        .frame = put_frame,
};
