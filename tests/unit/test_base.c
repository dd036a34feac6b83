/* The leaves: decimals, units, the text buffer, JSON, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/units.h"

static void decimal_formats(void **state) {
        static const struct { int64_t value; unsigned places; const char *text; } cases[] = {
                { 17700, 3, "17.7" }, { -5, 1, "-0.5" }, { 0, 3, "0" }, { 0, 0, "0" }, { 77, 3, "0.077" },
                { 1234567, 6, "1.234567" }, { 100, 0, "100" }, { 100, 2, "1" }, { -100, 3, "-0.1" },
                { 1, 18, "0.000000000000000001" },
                { INT64_MIN, 0, "-9223372036854775808" }, { INT64_MIN, 18, "-9.223372036854775808" },
                { INT64_MAX, 3, "9223372036854775.807" },
        };
        char buf[DECIMAL_TEXT_MAX];

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(decimal_format(cases[i].value, cases[i].places, buf), strlen(cases[i].text));
                assert_string_equal(buf, cases[i].text);
        }
}

static void decimal_parses(void **state) {
        static const struct { const char *text; unsigned places; int r; int64_t value; } cases[] = {
                { "17.7", 3, 0, 17700 }, { "-17.7", 3, 0, -17700 }, { "0", 3, 0, 0 }, { "-0", 3, 0, 0 },
                { "0.001", 3, 0, 1 }, { "1.5000", 1, 0, 15 }, { "2.000", 0, 0, 2 }, { "007", 0, 0, 7 },
                { "-9223372036854775808", 0, 0, INT64_MIN }, { "9223372036854775807", 0, 0, INT64_MAX },
                { "9223372036854775808", 0, -ERANGE, 0 }, { "-9223372036854775809", 0, -ERANGE, 0 },
                { "99999999999999999999999", 0, -ERANGE, 0 }, { "9223372036854775807", 1, -ERANGE, 0 },
                { "0.0001", 3, -ERANGE, 0 }, { "1.5", 0, -ERANGE, 0 }, { "", 3, -EINVAL, 0 }, { "-", 3, -EINVAL, 0 },
                { "+1", 3, -EINVAL, 0 }, { ".5", 3, -EINVAL, 0 }, { "5.", 3, -EINVAL, 0 }, { "1e3", 3, -EINVAL, 0 },
                { " 1", 3, -EINVAL, 0 }, { "1 ", 3, -EINVAL, 0 }, { "1,5", 3, -EINVAL, 0 }, { "0x10", 3, -EINVAL, 0 },
                { "1.2.3", 3, -EINVAL, 0 }, { "--1", 3, -EINVAL, 0 }, { "nan", 3, -EINVAL, 0 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int64_t value = -42;

                assert_int_equal(decimal_parse(cases[i].text, cases[i].places, &value), cases[i].r);
                assert_int_equal(value, cases[i].r < 0 ? -42 : cases[i].value);
        }
}

static void decimal_goes_both_ways(void **state) {
        uint64_t seed = 20261121;

        (void) state;
        for (unsigned i = 0; i < 20000; i++) {
                unsigned places = i % (DECIMAL_PLACES_MAX + 1);
                char buf[DECIMAL_TEXT_MAX];
                int64_t value, back;

                seed = seed * 6364136223846793005u + 1442695040888963407u;
                value = (int64_t) seed >> (seed >> 58);
                decimal_format(value, places, buf);
                assert_int_equal(decimal_parse(buf, places, &back), 0);
                assert_int_equal(back, value);
        }
}

static void durations(void **state) {
        static const struct { const char *text; int r; uint64_t ms; } cases[] = {
                { "500ms", 0, 500 }, { "10s", 0, 10000 }, { "5min", 0, 300000 }, { "2h", 0, 7200000 },
                { "1d", 0, 86400000 }, { "0s", 0, 0 }, { "10", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "-1s", -EINVAL, 0 },
                { "1.5s", -EINVAL, 0 }, { "10 s", -EINVAL, 0 }, { "10S", -EINVAL, 0 }, { "10m", -EINVAL, 0 },
                { "10sec", -EINVAL, 0 }, { "99999999999999999999s", -ERANGE, 0 },
                { "18446744073709551615d", -ERANGE, 0 }, { "99999999999999999999x", -EINVAL, 0 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t ms = 42;

                assert_int_equal(units_parse_duration_ms(cases[i].text, &ms), cases[i].r);
                assert_int_equal(ms, cases[i].r < 0 ? 42 : cases[i].ms);
        }
}

static void sizes(void **state) {
        static const struct { const char *text; int r; uint64_t bytes; } cases[] = {
                { "64MiB", 0, 64u << 20 }, { "1KiB", 0, 1024 }, { "2GiB", 0, UINT64_C(2) << 30 }, { "4096", 0, 4096 },
                { "64MB", -EINVAL, 0 }, { "64 MiB", -EINVAL, 0 }, { "MiB", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
                { "99999999999999999GiB", -ERANGE, 0 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t bytes = 42;

                assert_int_equal(units_parse_size(cases[i].text, &bytes), cases[i].r);
                assert_int_equal(bytes, cases[i].r < 0 ? 42 : cases[i].bytes);
        }
}

static void durations_as_text(void **state) {
        static const struct { uint64_t ms; const char *text; } cases[] = {
                { 0, "0s" }, { 1, "1ms" }, { 1500, "1500ms" }, { 90000, "90s" }, { 60000, "1min" },
                { 5400000, "90min" }, { 7200000, "2h" }, { 172800000, "2d" },
        };
        char buf[32];

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t back;

                units_format_duration_ms(cases[i].ms, buf);
                assert_string_equal(buf, cases[i].text);
                assert_int_equal(units_parse_duration_ms(buf, &back), 0);
                assert_int_equal(back, cases[i].ms);
        }
}

static void buffer_grows(void **state) {
        struct buffer b;

        (void) state;
        buffer_init(&b, 10000);
        assert_null(b.data);
        for (unsigned i = 0; i < 1000; i++)
                buffer_printf(&b, "%03u,", i);
        buffer_putc(&b, '!');
        assert_false(b.failed);
        assert_int_equal(b.len, 4001);
        assert_memory_equal(b.data + 3996, "999,!", 6);
        buffer_clear(&b);
        assert_int_equal(b.len, 0);
        assert_string_equal(b.data, "");
        buffer_put_decimal(&b, -17700, 3);
        buffer_put_hex(&b, (const uint8_t *) "\x00\xab\x0f", 3, " ");
        buffer_put_hex(&b, (const uint8_t *) "\x55\xaa", 2, NULL);
        assert_string_equal(b.data, "-17.700 AB 0F55AA");
        buffer_free(&b);
        assert_null(b.data);
        buffer_free(NULL);
}

/* Says what the text says, whatever stands where an age does. */
static uint64_t tag_of(const char *name, int64_t value, const char *age) {
        struct json_writer w;
        struct buffer b;
        uint64_t tag;

        buffer_init(&b, 10000);
        json_begin(&w, &b);
        json_object_begin(&w, NULL);
        json_put_string(&w, "name", name);
        if (age)
                json_put_volatile_string(&w, "age", age);
        else
                json_put_null(&w, "age");
        json_put_volatile_decimal(&w, "s", (int64_t) strlen(name) + value * 1000, 1);
        json_put_int(&w, "value", value);
        json_object_end(&w);
        tag = buffer_tag(&b);
        assert_int_equal(buffer_tag(&b), tag);
        buffer_clear(&b);
        assert_int_equal(buffer_tag(&b), 0);
        buffer_free(&b);
        return tag;
}

static void tags_ignore_ages(void **state) {
        uint64_t tag = tag_of("a", 5, "1");

        (void) state;
        assert_int_equal(tag_of("a", 5, "2"), tag);
        assert_int_equal(tag_of("a", 5, "a much longer age"), tag);
        assert_int_not_equal(tag_of("a", 6, "1"), tag);
        assert_int_not_equal(tag_of("b", 5, "1"), tag);
        assert_int_not_equal(tag_of("a", 5, NULL), tag);
        for (unsigned n = 1; n < 40; n++) {
                char name[41] = "";

                memset(name, 'x', n);
                tag = tag_of(name, 5, "1");
                for (unsigned i = 0; i < n; i++) {
                        name[i] = 'y';
                        assert_int_not_equal(tag_of(name, 5, "1"), tag);
                        name[i] = 'x';
                }
        }
}

static void hashes_go_on(void **state) {
        (void) state;
        assert_int_not_equal(hash_bytes(0, "", 0), hash_bytes(0, "\0", 1));
        assert_int_not_equal(hash_bytes(0, "\0\0\0\0\0\0\0\0", 8), hash_bytes(0, "\0\0\0\0\0\0\0\0\0", 9));
        assert_int_not_equal(hash_bytes(hash_bytes(1, "ab", 2), "c", 1), hash_bytes(hash_bytes(1, "a", 1), "bc", 2));
        assert_int_not_equal(hash_number(hash_number(0, 1), 2), hash_number(hash_number(0, 2), 1));
        assert_int_not_equal(hash_text(7, NULL), hash_text(7, ""));
}

static void buffer_keeps_to_its_limit(void **state) {
        struct buffer b;

        (void) state;
        buffer_init(&b, 8);
        buffer_puts(&b, "12345678");
        assert_false(b.failed);
        buffer_put(&b, NULL, 0);
        assert_false(b.failed);
        buffer_putc(&b, '9');
        assert_true(b.failed);
        assert_string_equal(b.data, "12345678");
        buffer_clear(&b);
        buffer_printf(&b, "%s", "123456789");
        assert_true(b.failed);
        buffer_puts(&b, "1");  /* a failed buffer stays as it is: no text with a hole in it */
        assert_int_equal(b.len, 0);
        buffer_free(&b);
}

static void json_document(void **state) {
        struct json_writer w;
        struct buffer b;

        (void) state;
        buffer_init(&b, 1000);
        json_begin(&w, &b);
        json_object_begin(&w, NULL);
        json_put_string(&w, "meter", "main");
        json_put_string(&w, "name", NULL);
        json_put_decimal(&w, "power_w", -17700, 3);
        json_put_int(&w, "i", INT64_MIN);
        json_put_uint(&w, "u", UINT64_MAX);
        json_put_bool(&w, "yes", true);
        json_put_null(&w, "none");
        json_put_hex(&w, "hex", (const uint8_t *) "\x0a\x1b", 2);
        json_array_begin(&w, "list");
        json_object_begin(&w, NULL);
        json_object_end(&w);
        json_put_int(&w, NULL, 1);
        json_array_begin(&w, NULL);
        json_array_end(&w);
        json_put_raw(&w, NULL, "{\"a\":1}", 7);
        json_array_end(&w);
        json_put_bool(&w, "a\"b", false);
        json_object_end(&w);
        assert_string_equal(b.data, "{\"meter\":\"main\",\"name\":null,\"power_w\":-17.7,\"i\":-9223372036854775808,"
                                    "\"u\":18446744073709551615,\"yes\":true,\"none\":null,\"hex\":\"0A1B\","
                                    "\"list\":[{},1,[],{\"a\":1}],\"a\\\"b\":false}");
        buffer_free(&b);
}

static void json_strings(void **state) {
        static const struct { const char *value; size_t len; const char *json; } cases[] = {
                { "plain", 5, "\"plain\"" },
                { "", 0, "\"\"" },
                { "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"" },
                { "\n\r\t\x01\x1f\x7f", 6, "\"\\n\\r\\t\\u0001\\u001f\\u007f\"" },
                { "a\0b", 3, "\"a\\u0000b\"" },
                { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x8c", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x8c\"" },
                { "\xff", 1, "\"\xef\xbf\xbd\"" },
                { "a\x80z", 3, "\"a\xef\xbf\xbdz\"" },
                { "\xc3", 1, "\"\xef\xbf\xbd\"" },
                { "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
                { "\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },                          /* overlong */
                { "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },          /* surrogate */
                { "\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },  /* past U+10FFFF */
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct json_writer w;
                struct buffer b;

                buffer_init(&b, 1000);
                json_begin(&w, &b);
                json_put_string_n(&w, NULL, cases[i].value, cases[i].len);
                assert_string_equal(b.data, cases[i].json);
                buffer_free(&b);
        }
}

static void times_as_text(void **state) {
        static const struct { int64_t ms; const char *text; } cases[] = {
                { 0, "1970-01-01T00:00:00.000Z" }, { 1795255200123, "2026-11-21T10:00:00.123Z" },
                { -1, "1969-12-31T23:59:59.999Z" }, { 951782400000, "2000-02-29T00:00:00.000Z" },
                { 253402300799999, "9999-12-31T23:59:59.999Z" },
        };
        char buf[CLOCK_RFC3339_MAX];

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                clock_format_rfc3339(cases[i].ms, buf);
                assert_string_equal(buf, cases[i].text);
        }
        clock_format_rfc3339(INT64_MAX, buf);
        assert_in_range(strlen(buf), 24, CLOCK_RFC3339_MAX - 1);
        clock_format_rfc3339(INT64_MIN, buf);
        assert_in_range(strlen(buf), 24, CLOCK_RFC3339_MAX - 1);
}

static void utc_does_not_wobble(void **state) {
        int64_t first, again;
        uint64_t now_ms;

        (void) state;
        clock_init(true);
        assert_true(clock_trusted());
        now_ms = clock_now_ms();
        assert_true(clock_to_utc_ms(now_ms, &first));
        for (unsigned i = 0; i < 1000; i++) {
                clock_update();
                assert_true(clock_to_utc_ms(now_ms, &again));
                assert_int_equal(again, first);
                assert_true(clock_now_ms() >= now_ms);
        }
        assert_true(clock_to_utc_ms(now_ms + 1500, &again));
        assert_int_equal(again, first + 1500);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(decimal_formats),
                cmocka_unit_test(decimal_parses),
                cmocka_unit_test(decimal_goes_both_ways),
                cmocka_unit_test(durations),
                cmocka_unit_test(sizes),
                cmocka_unit_test(durations_as_text),
                cmocka_unit_test(buffer_grows),
                cmocka_unit_test(tags_ignore_ages),
                cmocka_unit_test(hashes_go_on),
                cmocka_unit_test(buffer_keeps_to_its_limit),
                cmocka_unit_test(json_document),
                cmocka_unit_test(json_strings),
                cmocka_unit_test(times_as_text),
                cmocka_unit_test(utc_does_not_wobble),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
