/* Profiles written as YAML: the reader takes each back to an equal one, whatever its texts hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/profile_file.h"
#include "config/profile_text.h"
#include "config/yaml_text.h"
#include "protocols/quantity.h"

#define HEAD "name: x\ntitle: X\nprotocol: tuyamcu\nevidence: stated\n"

static struct profile *parse(const char *text) {
        struct config_error error = { .text = "" };
        struct profile *p = NULL;

        if (profile_parse("p.yaml", text, strlen(text), &p, &error) < 0)
                fail_msg("%s in\n%s", error.text, text);
        return p;
}

static void check_back(const struct profile *p, const struct profile_comments *comments) {
        CLEANUP(profile_freep) struct profile *back = NULL;
        struct buffer text;

        buffer_init(&text, PROFILE_TEXT_MAX);
        assert_int_equal(profile_text_commented(p, comments, &text), 0);
        back = parse(text.data);
        if (!profile_equal(p, back))
                fail_msg("not the same profile:\n%s", text.data);
        buffer_free(&text);
}

static void builtins_come_back(void **state) {
        const struct profile_comments none = { .head = NULL };
        struct config_error error;
        const char *name;

        (void) state;
        for (unsigned i = 0; (name = profile_builtin_name(i)); i++) {
                CLEANUP(profile_freep) struct profile *p = NULL;

                assert_int_equal(profile_load(name, &p, &error), 0);
                check_back(p, &none);
        }
}

/* Everything that a row can say, and nothing that it need not say. */
static const char *const written[] = {
        HEAD "datapoints: []\n",
        "name: x\n"
        "title: X\n"
        "protocol: tuyamcu\n"
        "product_keys: [abcdefgh, \"1234567890123456\"]\n"
        "evidence: captured\n"
        "source: A and B.\n"
        "baud: [115200, 9600]\n"
        "poll: 1500ms\n"
        "channels: [l1, l2, l3, \"y\", \"0\"]\n"
        "datapoints:\n"
        "  - { dp: 101, type: value, channel: l2, quantity: power_w, scale: 0.1, "
        "direction: { dp: 102, reverse: 1 } }\n"
        "  - { dp: 102, type: enum, name: direction A }\n"
        "  - { dp: 1, type: value, quantity: energy_import_kwh, scale: 0.01, evidence: disputed }\n"
        "  - { dp: 17, type: value, increment: true, quantity: energy_import_kwh, scale: 0.001 }\n"
        "  - { dp: 2, type: value, channel: \"y\", quantity: power_w, scale: 1000, sign: inverted }\n"
        "  - { dp: 3, type: value, quantity: voltage_v, scale: 0.000000000001 }\n"
        "  - { dp: 4, type: value, quantity: frequency_hz, scale: 1000000 }\n"
        "  - { dp: 5, type: raw, name: \"powers, all\", layout: powers, power_scale: 0.1 }\n"
        "  - { dp: 6, type: raw, channel: l1, layout: phase-pqfcv, power_scale: 1, sign: inverted }\n"
        "  - { dp: 7, type: value, name: limit, scale: 0.25, unit: \"%\", access: rw, range: [-40, 4294967295] }\n"
        "  - { dp: 8, type: bool, danger: reset }\n"
        "  - { dp: 255, type: string }\n",
};

static void texts_are_what_people_write(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(written); i++) {
                CLEANUP(profile_freep) struct profile *p = parse(written[i]);
                struct buffer text;

                buffer_init(&text, PROFILE_TEXT_MAX);
                assert_int_equal(profile_text(p, &text), 0);
                assert_string_equal(text.data, written[i]);
                buffer_free(&text);
        }
}

static const char *const nasty[] = {
        "yes", "NO", "null", "~", "on", "y", "007", "0x1F", "1e3", "12:30:45", "-", "- a", "? a", "a: b", "a:", ":a",
        "a #b", "#b", "a, b", "[a]", "{a}", "a]", "}", "\"", "\\", "\\n", "a\"b\\c", "'", "it's", "''", "`a`", "@a",
        "%a", "&a", "*a", "!a", "|", ">", "> a", "---", "--- a", "...", " a", "a ", "a  b", " ", "=", "<<", ".5",
        "a%20b", "Zähler für Strom", "電力計", "⚡", "\xf0\x9f\x92\xa1", "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf", "\xee\x80\x80",
        /* Line ends, blanks and marks of Unicode, and what YAML does not let stand in a file. */
        "\xc2\x85", "a\xc2\x85" "b", "\xc2\xa0", "\xe2\x80\xa8", "a\xe2\x80\xa9" "b", "\xef\xbb\xbf" "a", "\xc2\x80",
        "\xef\xbf\xbe", "\xef\xbf\xbf",
        "An honest title (80 A), v1.0/2 + more_ - and 5%",
};

static struct profile *with_row(void) {
        return parse(HEAD "source: x\nchannels: [a]\ndatapoints:\n  - { dp: 1, type: value }\n");
}

/* In every place that holds free text; the longest ones are folded. */
static void nasty_texts_come_back(void **state) {
        CLEANUP(profile_freep) struct profile *p = with_row();

        (void) state;
        for (size_t i = 0; i < ELEMENTS(nasty); i++) {
                const struct profile_comments comments = {
                        .head = nasty[i], .rows = (const char *const[]) { nasty[i] }, .tail = nasty[i],
                };

                memset(p->title, 0, sizeof p->title);
                memset(p->source, 0, sizeof p->source);
                memset(p->datapoints[0].name, 0, sizeof p->datapoints[0].name);
                memset(p->datapoints[0].unit, 0, sizeof p->datapoints[0].unit);
                strcpy(p->title, nasty[i]);
                strncpy(p->datapoints[0].name, nasty[i], sizeof p->datapoints[0].name - 1);
                strncpy(p->datapoints[0].unit, strlen(nasty[i]) < sizeof p->datapoints[0].unit ? nasty[i] : "W",
                        sizeof p->datapoints[0].unit - 1);
                while (strlen(p->source) + strlen(nasty[i]) + 1 < sizeof p->source) {
                        strcat(p->source, *p->source ? " " : "");
                        strcat(p->source, nasty[i]);
                }
                check_back(p, &comments);
        }
}

static void a_long_text_is_folded(void **state) {
        CLEANUP(profile_freep) struct profile *p = with_row();
        struct buffer text;

        (void) state;
        strcpy(p->source, "Current, power and voltage: frames captured on the UART of a meter that nobody knew "
                          "before, with a kettle on: 2000 W. #1 of 3");
        buffer_init(&text, PROFILE_TEXT_MAX);
        assert_int_equal(profile_text(p, &text), 0);
        assert_non_null(strstr(text.data,
                               "source: >-\n"
                               "  Current, power and voltage: frames captured on the UART of a meter that nobody "
                               "knew before,\n"
                               "  with a kettle on: 2000 W. #1 of 3\n"
                               "channels: [a]\n"));
        buffer_free(&text);
}

static void comments_stand_where_they_belong(void **state) {
        const char *const rows[] = { "first\nsecond\xff\x01" "third\xe2\x80\xa8" "fourth", NULL };
        const struct profile_comments comments = { .head = "one\n\ntwo", .rows = rows, .tail = "tail\n" };
        CLEANUP(profile_freep) struct profile *p = parse(HEAD "datapoints:\n  - { dp: 1, type: value }\n"
                                                              "  - { dp: 2, type: bool }\n");
        struct buffer text;

        (void) state;
        buffer_init(&text, PROFILE_TEXT_MAX);
        assert_int_equal(profile_text_commented(p, &comments, &text), 0);
        assert_string_equal(text.data, "# one\n#\n# two\n" HEAD
                                       "datapoints:\n"
                                       "  # first\n"
                                       "  # second??third?fourth\n"
                                       "  - { dp: 1, type: value }\n"
                                       "  - { dp: 2, type: bool }\n"
                                       "# tail\n");
        buffer_free(&text);
        check_back(p, &comments);
}

/* What no file can say is refused instead of being written wrongly. */
static void what_cannot_be_said(void **state) {
        static const char *const texts[] = { "", "a\nb", "a\tb", "\x7f", "\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf" };
        static const int64_t scales[][2] = { { 1, 3 }, { 0, 1 }, { 1, 0 }, { -1, 1 }, { INT64_C(1000001), 1 },
                                             { 1, INT64_C(10000000000000) }, { INT64_MAX, 1 }, { 1, INT64_MAX } };
        CLEANUP(profile_freep) struct profile *p = with_row();
        struct buffer text;

        (void) state;
        buffer_init(&text, PROFILE_TEXT_MAX);
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                assert_false(yaml_text_fits(texts[i]));
                strcpy(p->title, texts[i]);
                assert_int_equal(profile_text(p, &text), -EINVAL);
        }
        strcpy(p->title, "X");
        strcpy(p->datapoints[0].name, "\xff");
        assert_int_equal(profile_text(p, &text), -EINVAL);
        strcpy(p->datapoints[0].name, "");
        for (size_t i = 0; i < ELEMENTS(scales); i++) {
                p->datapoints[0].scale_num = scales[i][0];
                p->datapoints[0].scale_den = scales[i][1];
                assert_int_equal(profile_text(p, &text), -EINVAL);
        }
        p->datapoints[0].scale_num = p->datapoints[0].scale_den = 1;
        assert_int_equal(profile_text(p, &text), 0);
        buffer_free(&text);
        buffer_init(&text, 20);
        assert_int_equal(profile_text(p, &text), -ENOBUFS);
        buffer_free(&text);
}

/* The most that a profile can hold fits into the named room. */
static void the_largest_one_fits(void **state) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        const struct profile_comments none = { .head = NULL };
        char text[20000] = HEAD "datapoints:\n";

        (void) state;
        for (unsigned id = 1; id <= 255; id++)
                sprintf(text + strlen(text), "  - { dp: %u, type: value, access: rw, range: [-1, 4000000000] }\n",
                        id);
        p = parse(text);
        for (unsigned i = 0; i < 255; i++) {
                memset(p->datapoints[i].name, '"', sizeof p->datapoints[i].name - 1);
                memset(p->datapoints[i].unit, '\\', sizeof p->datapoints[i].unit - 1);
        }
        check_back(p, &none);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(builtins_come_back),
                cmocka_unit_test(texts_are_what_people_write),
                cmocka_unit_test(nasty_texts_come_back),
                cmocka_unit_test(a_long_text_is_folded),
                cmocka_unit_test(comments_stand_where_they_belong),
                cmocka_unit_test(what_cannot_be_said),
                cmocka_unit_test(the_largest_one_fits),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
