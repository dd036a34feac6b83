/* Recorded bytes of Emporia Vue Utility Connects, and invented ones, against the annotations beside them: every
 * frame, every value, every reason why a frame brings none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "annotations.h"
#include "base/decimal.h"
#include "golden.h"
#include "protocols/vue/frame.h"
#include "protocols/vue/install_code.h"
#include "protocols/vue/reading.h"

/* What a frame turned out to hold, to be asked for by an annotation's words. */
struct found {
        struct vue_frame frame;
        enum vue_reject reject;
        struct vue_reading reading;
};

struct word {
        const char *key;
        bool (*check)(const struct found *f, const char *expected);
};

static bool is_number(const char *expected, uint64_t is) {
        char *end;

        return strtoull(expected, &end, 10) == is && end != expected && *end == '\0';
}

static bool check_type(const struct found *f, const char *expected) {
        return expected[0] == f->frame.type && expected[1] == '\0';
}

static bool check_length(const struct found *f, const char *expected) {
        return is_number(expected, f->frame.payload.len);
}

static bool check_sequence(const struct found *f, const char *expected) {
        return f->reading.has_sequence && is_number(expected, f->reading.sequence);
}

static bool check_factor(const struct vue_factor *f, const char *expected) {
        return f->presence == VUE_PRESENT && !f->number.negative && is_number(expected, f->number.magnitude);
}

static bool check_multiplier(const struct found *f, const char *expected) {
        return check_factor(&f->reading.multiplier, expected);
}

static bool check_divisor(const struct found *f, const char *expected) {
        return check_factor(&f->reading.divisor, expected);
}

/* Thousandths of W and Wh are what readings have; the listed numbers may have four places. */
static bool check_value(const struct vue_value *v, const char *expected) {
        int64_t number;

        if (strcmp(expected, "absent") == 0)
                return v->presence == VUE_ABSENT;
        if (strcmp(expected, "invalid") == 0)
                return v->presence == VUE_INVALID;
        return v->presence == VUE_PRESENT && decimal_parse(expected, 4, &number) == 0 &&
               llabs(number - v->value * 10) <= 5;
}

static bool check_power(const struct found *f, const char *expected) {
        return check_value(&f->reading.power, expected);
}

static bool check_import(const struct found *f, const char *expected) {
        return check_value(&f->reading.import, expected);
}

static bool check_export(const struct found *f, const char *expected) {
        return check_value(&f->reading.export, expected);
}

static bool check_milliseconds(const struct found *f, const char *expected) {
        return f->reading.layout == VUE_V2 && is_number(expected, f->reading.meter_ts_ms);
}

static bool check_byte(const struct found *f, const char *expected) {
        return f->reject == VUE_OK && is_number(expected, f->frame.payload.data[0]);
}

static bool check_mac(const struct found *f, const char *expected) {
        char text[VUE_MAC_TEXT_SIZE];

        vue_mac_text(f->frame.payload, text);
        return strcmp(text, expected) == 0;
}

static bool check_install_code(const struct found *f, const char *expected) {
        char text[2 * VUE_INSTALL_CODE_SIZE + 1];

        for (size_t i = 0; i < VUE_INSTALL_CODE_SIZE; i++)
                snprintf(text + 2 * i, 3, "%02X", f->frame.payload.data[i]);
        return strcmp(text, expected) == 0;
}

static bool check_crc(const struct found *f, const char *expected) {
        return strcmp(vue_install_code_is_intact(f->frame.payload) ? "ok" : "bad", expected) == 0;
}

static bool check_reject(const struct found *f, const char *expected) {
        return strcmp(vue_reject_names[f->reject], expected) == 0 && f->reading.power.presence == VUE_ABSENT &&
               f->reading.import.presence == VUE_ABSENT && f->reading.export.presence == VUE_ABSENT;
}

static const struct word words[] = {
        { "type", check_type },                 { "len", check_length },
        { "seq", check_sequence },              { "watts", check_power },
        { "wh_consumed", check_import },        { "wh_returned", check_export },
        { "multiplier", check_multiplier },     { "divisor", check_divisor },
        { "meter_ts_ms", check_milliseconds },  { "firmware", check_byte },
        { "mac", check_mac },                   { "join", check_byte },
        { "code", check_byte },                 { "install_code", check_install_code },
        { "crc", check_crc },                   { "reject", check_reject },
};

static void check_word(const struct walk *w, const struct found *f, const char *key, const char *expected) {
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
                if (strcmp(key, words[i].key) == 0) {
                        if (!words[i].check(f, expected))
                                fail_msg("%s: frame %u: %s is not %s", w->golden->path, w->line, key, expected);
                        return;
                }
        fail_msg("%s: nobody knows what '%s' means", w->golden->path, key);
}

static void check_frame(struct walk *w, const uint8_t *frame, size_t len) {
        const char *line = golden_next_line(w, w->golden->frames_kind ? "expect: " : "expect-frame: ");
        struct found f = { .frame = vue_frame_of(frame, len) };
        char copy[1024], *rest = copy, *word;

        f.reject = vue_frame_reject(f.frame);
        if (f.frame.type == VUE_READ) {
                vue_reading_decode(f.frame.payload, &f.reading);
                f.reject = f.reading.reject;
        }
        if (f.reject != VUE_OK)
                assert_non_null(strstr(line, " reject="));
        assert_true(snprintf(copy, sizeof copy, "%s", line) < (int) sizeof copy);
        while ((word = strsep(&rest, " "))) {
                char *value = strchr(word, '=');

                assert_non_null(value);
                *value++ = '\0';
                check_word(w, &f, word, value);
        }
}

int main(void) {
        static const struct golden_kind kind = {
                .folder = "vue",
                .check = vue_frame_check,
                .frame = check_frame,
        };

        return golden_main(&kind);
}
