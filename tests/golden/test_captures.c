/* Recorded bytes of real TuyaMCU devices against the annotations beside them: every frame, every datapoint, the count
 * of noise, and the engineering values where a built-in profile knows the device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "annotations.h"
#include "golden.h"
#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"

static struct tuya_directions directions;

static void forget_directions(void) {
        memset(&directions, 0, sizeof directions);
}

static void to_hex(struct span s, char *buf) {
        for (size_t i = 0; i < s.len; i++)
                sprintf(buf + 2 * i, "%02X", s.data[i]);
        buf[2 * s.len] = '\0';
}

static void check_datapoint(struct walk *w, const struct tuya_datapoint *d) {
        const char *line = golden_next_line(w, "expect: ");
        char hex[2 * TUYA_DATA_MAX + 1], text[TUYA_DATA_MAX + 3];

        assert_int_equal(annotation_number(line, "dp", -1), d->id);
        if (d->type < DATAPOINT_TYPE_COUNT)
                annotation_check_text(line, "type", datapoint_type_names[d->type]);
        if (d->numeric)
                assert_int_equal(annotation_number(line, "raw", INT64_MIN), d->number);
        else
                assert_int_equal(annotation_number(line, "len", -1), d->value.len);
        to_hex(d->value, hex);
        annotation_check_text(line, "hex", hex);
        snprintf(text, sizeof text, "\"%.*s\"", (int) d->value.len, (const char *) d->value.data);
        annotation_check_text(line, "text", text);
}

/* The decoded lines of a frame's datapoints stand behind each of them or behind all. */
static void check_decoded_lines(struct walk *w, struct span units) {
        const struct golden *g = w->golden;

        while (w->line < g->n_lines && strncmp(g->lines[w->line], "decoded: ", 9) == 0) {
                const char *line = golden_next_line(w, "decoded: ");
                struct tuya_truncation truncation;
                struct tuya_datapoint d;
                size_t offset = 0;
                bool found = false;

                while (!found && tuya_datapoint_next(units, &offset, &d, &truncation) > 0)
                        found = annotation_number(line, "dp", -1) == d.id;
                assert_true(found);
                if (strstr(line, " layout=limits4 "))
                        annotation_check_limits(line, &d);
                else if (g->profile)
                        annotation_check_decoded(line, g->profile, &directions, &d);
        }
}

static void check_datapoints(struct walk *w, struct span units, int64_t count) {
        struct tuya_truncation truncation;
        struct tuya_datapoint d;
        size_t offset = 0;
        int64_t n = 0;
        int r;

        while ((r = tuya_datapoint_next(units, &offset, &d, &truncation)) > 0) {
                tuya_directions_note(&directions, &d);
                check_datapoint(w, &d);
                check_decoded_lines(w, units);
                n++;
        }
        assert_int_equal(n, count);
        if (r < 0) {
                const char *line = golden_next_line(w, "expect: ");

                annotation_check_text(line, "error", "dp_truncated");
                assert_int_equal(annotation_number(line, "dp", -1), truncation.id);
                assert_int_equal(annotation_number(line, "declared", -1),
                                 truncation.has_declared ? (int64_t) truncation.declared : -1);
                assert_int_equal(annotation_number(line, "present", -1), truncation.present);
        }
}

static void check_frame(struct walk *w, const uint8_t *frame, size_t len) {
        const char *line = golden_next_line(w, "expect-frame: ");
        struct tuya_frame f = tuya_frame_open(frame, len);
        int64_t dps = annotation_number(line, "dps", -1);
        char text[2 * TUYA_DATA_MAX + 1];
        size_t offset = 0;

        assert_int_equal(annotation_number(line, "ver", -1), f.version);
        assert_int_equal(annotation_number(line, "cmd", -1), f.command);
        assert_int_equal(annotation_number(line, "len", -1), f.data.len);
        to_hex(f.data, text);
        annotation_check_text(line, "data", text);
        snprintf(text, sizeof text, "%.*s", (int) f.data.len, (const char *) f.data.data);
        annotation_check_text(line, "json", text);
        if (strstr(line, " record=")) {
                offset = f.command == 0x34 ? 2 : 0;
                to_hex(span_of(f.data.data + offset, 7), text);
                annotation_check_text(line, "record", text);
                offset += 7;
        } else if (strstr(line, " status=")) {
                assert_int_equal(annotation_number(line, "status", -1), f.data.data[0]);
                assert_int_equal(annotation_number(line, "count", -1), f.data.data[1]);
                offset = 2;
        }
        if (dps >= 0)
                check_datapoints(w, span_from(f.data, offset), dps);
}

int main(void) {
        static const struct golden_kind kind = {
                .folder = "tuyamcu",
                .check = tuya_frame_check,
                .streams_have_stats = true,
                .begin = forget_directions,
                .frame = check_frame,
        };

        return golden_main(&kind);
}
