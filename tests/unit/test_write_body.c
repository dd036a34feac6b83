/* The body of set-datapoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/write_body.h"
#include "base/cleanup.h"

static const struct {
        const char *body;
        const char *key;
        const char *text;
} mistakes[] = {
        { "", NULL, "the body is empty" },
        { "   ", NULL, "line 1" },
        { "{", NULL, "the body is no good JSON: line 1, column 1" },
        { "{\"dp\": 1,\n \"raw\": }", NULL, "line 2, column 9" },
        { "{\"dp\":1,\"raw\":true", NULL, "'}' expected" },
        { "{\"dp\":1,\"raw\":true} x", NULL, "end of file expected near 'x'" },
        { "{\"dp\":1,\"raw\":true}{}", NULL, "end of file expected" },
        { "{\"dp\":1,\"raw\":true,}", NULL, "line 1" },
        { "{'dp':1,'raw':true}", NULL, "line 1" },
        { "{\"dp\":1,\"raw\":NaN}", NULL, "invalid token near 'NaN'" },
        { "{\"dp\":1,\"raw\":-Infinity}", NULL, "invalid token" },
        { "{\"dp\":1,\"raw\":0x10}", NULL, "line 1" },
        { "{\"dp\":1,\"raw\":01}", NULL, "line 1" },
        { "{\"dp\":1,\"raw\":99999999999999999999}", NULL, "too big integer" },
        { "{\"dp\":1,\"raw\":1e999}", NULL, "real number overflow" },
        { "{\"dp\":1,\"dp\":1,\"raw\":0}", NULL, "duplicate object key near '\"dp\"'" },
        { "{\"dp\":1,\"raw\":0,\"r\\u0061w\":1}", NULL, "duplicate object key" },
        { "{\"dp\":1,\"text\":\"a\\u0000\"}", NULL, "\\u0000 is not allowed" },
        { "{\"dp\":1,\"te\\u0000xt\":\"a\"}", NULL, "line 1" },
        { "{\"dp\":1,\"text\":\"\xff\"}", NULL, "unable to decode byte 0xff" },
        { "{\"dp\":1,\"text\":\"\xc0\x80\"}", NULL, "unable to decode byte 0xc0" },
        { "{\"dp\":1,\"text\":\"\\ud800\"}", NULL, "invalid Unicode" },
        { "{\"dp\":1,\"text\":\"\n\"}", NULL, "line" },
        { "\xef\xbb\xbf{\"dp\":1,\"raw\":1}", NULL, "line 1" },
        { "true", NULL, "'[' or '{' expected" },
        { "[1, true]", NULL, "expected a JSON object" },
        { "[]", NULL, "expected a JSON object" },
        { "{}", "dp", "missing" },
        { "{\"raw\":1}", "dp", "missing" },
        { "{\"dp\":1}", "raw", "missing; expected a value: one of raw, text, hex" },
        { "{\"dp\":1,\"value\":true}", NULL, "unknown key \"value\"; expected dp and one of raw, text, hex" },
        { "{\"dp\":1,\"Raw\":true}", NULL, "unknown key \"Raw\"" },
        { "{\"dp\":1,\"raw\":true,\"force\":true}", NULL, "unknown key \"force\"" },
        { "{\"dp\":1,\"\":true}", NULL, "unknown key \"\"" },
        { "{\"dp\":\"1\",\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":true,\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":1.0,\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":0,\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":-1,\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":65536,\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":4294967297,\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":null,\"raw\":true}", "dp", "1 to 65535" },
        { "{\"dp\":1,\"raw\":null}", "raw", "expected true, false or a whole number" },
        { "{\"dp\":1,\"raw\":\"on\"}", "raw", "expected true, false or a whole number" },
        { "{\"dp\":1,\"raw\":1.5}", "raw", "whole number" },
        { "{\"dp\":1,\"raw\":1e3}", "raw", "whole number" },
        { "{\"dp\":1,\"raw\":[1]}", "raw", "whole number" },
        { "{\"dp\":1,\"raw\":{\"on\":true}}", "raw", "whole number" },
        { "{\"dp\":1,\"text\":1}", "text", "at most 64 bytes" },
        { "{\"dp\":1,\"text\":null}", "text", "at most 64 bytes" },
        { "{\"dp\":1,\"hex\":1}", "hex", "two hexadecimal digits" },
        { "{\"dp\":1,\"hex\":\"0\"}", "hex", "two hexadecimal digits" },
        { "{\"dp\":1,\"hex\":\"0g\"}", "hex", "two hexadecimal digits" },
        { "{\"dp\":1,\"hex\":\"00 11\"}", "hex", "two hexadecimal digits" },
        { "{\"dp\":1,\"hex\":\"0x11\"}", "hex", "two hexadecimal digits" },
        { "{\"dp\":1,\"raw\":1,\"text\":\"1\"}", "text", "raw is given already" },
        { "{\"dp\":1,\"text\":\"1\",\"hex\":\"11\"}", "hex", "text is given already" },
        { "{\"hex\":\"11\",\"dp\":1,\"raw\":0}", "hex", "raw is given already" },
};

static void expect_mistake(const char *body, size_t len, const char *key, const char *text) {
        struct datapoint_write w = { .id = 77 };
        struct write_body_error error;

        if (write_body_read(body, len, &w, &error) != -EINVAL)
                fail_msg("%s was accepted", body);
        if (!strstr(error.text, text))
                fail_msg("%s gives \"%s\", which does not say \"%s\"", body, error.text, text);
        if (key && (!error.key || strcmp(error.key, key) != 0))
                fail_msg("%s gives the key %s, not %s", body, error.key ? error.key : "(none)", key);
        if (!key)
                assert_null(error.key);
        assert_int_equal(w.id, 77);
}

static void test_mistakes(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(mistakes); i++)
                expect_mistake(mistakes[i].body, strlen(mistakes[i].body), mistakes[i].key, mistakes[i].text);
        expect_mistake("{\"dp\":1,\0\"raw\":1}", 17, NULL, "line 1");
        expect_mistake("{\"dp\":1,\"raw\":1}\0", 17, NULL, "end of file expected");
}

/* As much as a body can hold. */
static void test_deep(void **state) {
        char body[4096];

        (void) state;
        memset(body, '[', sizeof body);
        expect_mistake(body, sizeof body, NULL, "maximum parsing depth");
        memcpy(body, "{\"dp\":1,\"raw\":", 14);
        expect_mistake(body, sizeof body, NULL, "maximum parsing depth");
        for (size_t i = 0; i < sizeof body; i += 5)
                memcpy(body + i, "{\"a\":", i + 5 <= sizeof body ? 5 : sizeof body - i);
        expect_mistake(body, sizeof body, NULL, "line 1");
}

static struct datapoint_write read_good(const char *body) {
        struct write_body_error error;
        struct datapoint_write w;

        if (write_body_read(body, strlen(body), &w, &error) < 0)
                fail_msg("%s: %s", body, error.text);
        return w;
}

static void test_numbers(void **state) {
        struct datapoint_write w = read_good("{\"dp\":1,\"raw\":false}");

        (void) state;
        assert_int_equal(w.form, VALUE_FLAG);
        assert_int_equal(w.number, 0);
        w = read_good("\t{\r\n\"raw\" : 9223372036854775807, \"\\u0064p\" : 65535 } ");
        assert_int_equal(w.id, 65535);
        assert_int_equal(w.form, VALUE_NUMBER);
        assert_true(w.number == INT64_MAX);
        w = read_good("{\"dp\":1,\"raw\":-0}");
        assert_int_equal(w.number, 0);
}

static void test_lengths(void **state) {
        char body[300];
        struct datapoint_write w;

        (void) state;
        w = read_good("{\"dp\":1,\"text\":\"\"}");
        assert_int_equal(w.form, VALUE_TEXT);
        assert_int_equal(w.len, 0);
        w = read_good("{\"dp\":1,\"hex\":\"\"}");
        assert_int_equal(w.form, VALUE_BYTES);
        assert_int_equal(w.len, 0);
        snprintf(body, sizeof body, "{\"dp\":1,\"text\":\"%0*d\"}", WRITE_BYTES_MAX, 7);
        assert_int_equal(read_good(body).len, WRITE_BYTES_MAX);
        snprintf(body, sizeof body, "{\"dp\":1,\"text\":\"%0*d\"}", WRITE_BYTES_MAX + 1, 7);
        expect_mistake(body, strlen(body), "text", "at most");
        snprintf(body, sizeof body, "{\"dp\":1,\"hex\":\"%0*d\"}", 2 * WRITE_BYTES_MAX, 7);
        w = read_good(body);
        assert_int_equal(w.len, WRITE_BYTES_MAX);
        assert_int_equal(w.bytes[WRITE_BYTES_MAX - 1], 7);
        snprintf(body, sizeof body, "{\"dp\":1,\"hex\":\"%0*d\"}", 2 * WRITE_BYTES_MAX + 2, 7);
        expect_mistake(body, strlen(body), "hex", "at most");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_deep),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_lengths),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
