/* Recordings in all their forms, good and broken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "capture/capture_file.h"
#include "base/time_text.h"
#include "capture/capture_time.h"

static struct capture *open_text(const char *text, size_t len) {
        struct capture *c = NULL;
        FILE *file = fmemopen((void *) text, len ? len : 1, "r");

        assert_non_null(file);
        if (len == 0)
                fgetc(file);
        assert_int_equal(capture_open_stream(file, "test", &c), 0);
        return c;
}

static struct capture *open_string(const char *text) {
        return open_text(text, strlen(text));
}

static void assert_bytes(const struct capture_chunk *chunk, const char *hex) {
        char is[4096] = "";

        for (size_t i = 0; i < chunk->len; i++)
                snprintf(is + 2 * i, 3, "%02X", chunk->data[i]);
        assert_string_equal(is, hex);
}

static struct capture_chunk next(struct capture *c, const char *hex) {
        struct capture_chunk chunk;
        int r = capture_next(c, &chunk);

        if (r < 0)
                print_error("%s\n", capture_error(c));
        assert_int_equal(r, 1);
        assert_bytes(&chunk, hex);
        return chunk;
}

static void assert_end(struct capture *c) {
        assert_int_equal(capture_next(c, &(struct capture_chunk) { 0 }), 0);
        capture_free(c);
}

/* The first chunks are skipped; then there must be this error. */
static void assert_error(const char *text, const char *error) {
        struct capture *c = open_string(text);
        struct capture_chunk chunk;
        int r;

        while ((r = capture_next(c, &chunk)) > 0)
                ;
        assert_int_equal(r, -EINVAL);
        assert_string_equal(capture_error(c), error);
        capture_free(c);
}

static void test_hex_lines(void **state) {
        struct capture *c = open_string("\xef\xbb\xbf# note: x\n\n55 AA 03\r\n  55aa 0 \n");

        (void) state;
        next(c, "55AA03");
        assert_int_equal(capture_next(c, &(struct capture_chunk) { 0 }), -EINVAL);
        assert_string_equal(capture_error(c), "test:4: half a byte in column 8; expected bytes as pairs of hex "
                                              "digits, such as 55 AA 03 00");
        capture_free(c);
        c = open_string("# kind: stream\n55AA\n\n\t03 00\n# a\n01");
        assert_true(next(c, "55AA").new_stream);
        assert_false(next(c, "0300").new_stream);
        assert_false(next(c, "01").stands_alone);
        assert_end(c);
        c = open_string("# kind: frames\n55AA\n# kind: stream\n03\n");
        assert_true(next(c, "55AA").stands_alone);
        assert_true(next(c, "03").new_stream);
        assert_end(c);
        assert_end(open_string(""));
        assert_end(open_string("# only this"));
}

static void test_timed_lines(void **state) {
        struct capture *c = open_string("2026-11-21T10:00:00.123Z rx 55 AA\n2026-11-21T11:00:00+01:00 tx 00\n"
                                        "1795255200.5 01\n1795255200123 RX 02\n1795255201\trx 03\n"
                                        "2026-11-21 10:00:00.9999z 04\n0.25 05\n");
        struct capture_chunk chunk;

        (void) state;
        chunk = next(c, "55AA");
        assert_true(chunk.has_time);
        assert_int_equal(chunk.utc_ms, 1795255200123);
        assert_int_equal(chunk.resolution_ms, 1);
        assert_int_equal(chunk.direction, CAPTURE_RX);
        assert_false(chunk.stands_alone);
        chunk = next(c, "00");
        assert_int_equal(chunk.utc_ms, 1795255200000);
        assert_int_equal(chunk.resolution_ms, 1000);
        assert_int_equal(chunk.direction, CAPTURE_TX);
        chunk = next(c, "01");
        assert_int_equal(chunk.utc_ms, 1795255200500);
        assert_int_equal(chunk.direction, CAPTURE_UNKNOWN);
        assert_int_equal(next(c, "02").utc_ms, 1795255200123);
        assert_int_equal(next(c, "03").utc_ms, 1795255201000);
        assert_int_equal(next(c, "04").utc_ms, 1795255200999);
        assert_int_equal(next(c, "05").utc_ms, 250);
        assert_end(c);
        /* Ten digits alone are bytes. */
        c = open_string("1795255200\n");
        assert_false(next(c, "1795255200").has_time);
        assert_end(c);
}

static void test_entries(void **state) {
        struct capture *c;
        int64_t at;

        (void) state;
        setenv("TZ", "Europe/Warsaw", 1);
        tzset();
        assert_int_equal(time_text_local("2023-12-08 08:45:41", &at), 0);
        c = open_string("# source: x\n\"2023-12-08 08:45:41\",2401\"2023-12-08 08:45:41\",72 2c\n"
                        "\"2023-12-08 08:45:41\",18\r\n\n\"2023-12-08 08:46:41\",55"
                        "\"2023-12-08 08:46:42\",66\n# end\n");
        assert_int_equal(next(c, "2401722C18").utc_ms, at);
        assert_int_equal(next(c, "55").utc_ms, at + 60000);
        assert_int_equal(next(c, "66").utc_ms, at + 61000);
        assert_end(c);
        unsetenv("TZ");
        tzset();
}

static void test_log_lines(void **state) {
        struct capture *c = open_string("Info:MAIN:Time 143, free 88864\n\n"
                                        "Info:TuyaMCU:TUYAMCU received: 55 AA 03 00 00 01 01 04 \r\n"
                                        "Info:TuyaMCU:processing 12\n55 AA\nzz\n"
                                        "2026-11-21T10:00:00Z TUYAMCU received: 55 AA\n");
        struct capture_chunk chunk;

        (void) state;
        chunk = next(c, "55AA030000010104");
        assert_true(chunk.stands_alone);
        assert_int_equal(chunk.direction, CAPTURE_RX);
        assert_false(chunk.has_time);
        assert_true(next(c, "55AA").has_time);
        assert_end(c);
}

#define ANY "hex bytes, TIME [rx|tx] HEX, \"YYYY-MM-DD HH:MM:SS\",HEX or a log with \"TUYAMCU received:\""
#define TIMED "TIME [rx|tx] HEX, such as 2026-11-21T10:00:00.123Z rx 55AA0300"
#define ENTRY "\"YYYY-MM-DD HH:MM:SS\",HEX"
#define LOGGED "pairs of hex digits behind \"TUYAMCU received:\""

static void test_malformed_lines_are_told(void **state) {
        (void) state;
        assert_error("hello\n", "test:1: unexpected 'h' in column 1; expected " ANY);
        assert_error("hello\n55 AA\n", "test:1: unexpected 'h' in column 1; expected " ANY);
        assert_error("# x\nhello\nworld", "test:2: unexpected 'h' in column 1; expected " ANY);
        assert_error("55 \x80\n", "test:1: unexpected byte 0x80 in column 4; expected " ANY);
        assert_error("# kind: movie\n", "test:1: unknown kind; expected # kind: stream or # kind: frames");
        assert_error("1795255200.5 rx 55\n55AA\n", "test:2: no time at the start; expected " TIMED);
        assert_error("1795255200.5 rx 55\n1795255200.6 rx\n", "test:2: no bytes; expected " TIMED);
        assert_error("1795255200.5 rx 55\n1795255200.6 sx 55\n",
                     "test:2: unexpected 's' in column 14; expected " TIMED);
        assert_error("\"2023-12-08 08:45\",2401\n", "test:1: not a time; expected " ENTRY);
        assert_error("\"2023-12-08 08:45:41", "test:1: a time without its closing quote; expected " ENTRY);
        assert_error("\"2023-12-08 08:45:41\" 24", "test:1: no comma behind the time; expected " ENTRY);
        assert_error("\"2023-12-08 08:45:41\",", "test:1: a time without bytes; expected " ENTRY);
        assert_error("\"2023-12-08 08:45:41\",24\nx\n",
                     "test:2: no quote where an entry should begin; expected " ENTRY);
        assert_error("TUYAMCU received: 55 A\n", "test:1: half a byte in column 22; expected " LOGGED);
        assert_error("TUYAMCU received:\n", "test:1: no bytes; expected " LOGGED);
}

/* A power cut, a full disk, a connection that broke: what was recorded until then is as good as ever. A wrong
 * line that has its end stays wrong. */
static void test_cut_in_a_line(void **state) {
        static const char *const texts[] = {
                "1795255200.123 rx 55 AA\n1795255200.456 rx 66 77 88\n",
                "# kind: stream\n55 AA\n66 77 88\n",
                "\"2023-12-08 08:45:41\",55AA\"2023-12-08 08:45:42\",66 77 88",
                "x\nTUYAMCU received: 55 AA\nTUYAMCU received: 66 77 88\n",
        };
        static const char all[] = "\x55\xaa\x66\x77\x88";

        (void) state;
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
                size_t second = (size_t) (strstr(texts[i], "AA") + 3 - texts[i]);

                for (size_t n = second; n < strlen(texts[i]); n++) {
                        struct capture *c = open_text(texts[i], n);
                        struct capture_chunk chunk = next(c, "55AA");
                        int r = capture_next(c, &chunk);

                        assert_true(r == 0 || (r == 1 && memcmp(chunk.data, all + 2, chunk.len) == 0));
                        assert_true(texts[i][n] != '\n' || (r == 1 && chunk.len == 3));
                        if (r == 1)
                                assert_int_equal(capture_next(c, &chunk), 0);
                        assert_string_equal(capture_error(c), "");
                        if (capture_remark(c)[0])
                                assert_non_null(strstr(capture_remark(c), ": the recording ends in the middle"));
                        capture_free(c);
                }
        }
        assert_error("55 AA\n66 7\n",
                     "test:2: half a byte in column 4; expected bytes as pairs of hex digits, such as 55 AA 03 00");
}

static void test_byte_order_mark(void **state) {
        static const char *const texts[] = { "55AA\n", "# x\n55AA\n", "1795255200.5 rx 55AA\n",
                                             "\"2023-12-08 08:45:41\",55AA\n", "x\nTUYAMCU received: 55AA\n" };

        (void) state;
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
                struct capture *c;
                char text[64];

                snprintf(text, sizeof text, "\xef\xbb\xbf%s", texts[i]);
                c = open_string(text);
                next(c, "55AA");
                assert_end(c);
        }
}

static void test_long_lines(void **state) {
        char *text = malloc(2 * CAPTURE_LINE_MAX);
        struct capture_chunk chunk;
        struct capture *c;

        (void) state;
        memset(text, 'a', 2 * CAPTURE_LINE_MAX);
        c = open_text(text, CAPTURE_LINE_MAX);
        assert_int_equal(capture_next(c, &chunk), 1);
        assert_int_equal(chunk.len, CAPTURE_LINE_MAX / 2);
        assert_end(c);
        c = open_text(text, CAPTURE_LINE_MAX + 1);
        assert_int_equal(capture_next(c, &chunk), -EFBIG);
        assert_non_null(strstr(capture_error(c), "test:1: line longer than 65536 characters; expected "));
        capture_free(c);
        free(text);
}

static void test_files_that_cannot_be_read(void **state) {
        char error[CAPTURE_ERROR_MAX];
        struct capture *c;

        (void) state;
        assert_int_equal(capture_open("/nonexistent/file", &c, error), -ENOENT);
        assert_string_equal(error, "/nonexistent/file: No such file or directory");
        assert_int_equal(capture_open("/", &c, error), 0);
        assert_int_equal(capture_next(c, &(struct capture_chunk) { 0 }), -EISDIR);
        assert_string_equal(capture_error(c), "/: Is a directory");
        capture_free(c);
}

static void test_times(void **state) {
        static const char *const none[] = {
                "", "x", "55", "2026-11-21", "2026-11-21T10:00:00", "2026-13-21T10:00:00Z", "2026-11-21T24:00:00Z",
                "2026-11-21T10:00:00+1", "123456789", "0123456789", "12345678901234567890.5", "2026-11-21x10:00:00Z",
        };
        unsigned resolution_ms;
        int64_t utc_ms;

        (void) state;
        for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
                assert_int_equal(capture_time_parse(none[i], &utc_ms, &resolution_ms), 0);
        assert_int_equal(capture_time_parse("2026-11-21T10:00:00-05:30 x", &utc_ms, &resolution_ms), 25);
        assert_int_equal(utc_ms, (INT64_C(1795255200) + 5 * 3600 + 1800) * 1000);
        assert_int_equal(time_text_local("2023-12-08 08:45:411", &utc_ms), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hex_lines),
                cmocka_unit_test(test_timed_lines),
                cmocka_unit_test(test_entries),
                cmocka_unit_test(test_log_lines),
                cmocka_unit_test(test_malformed_lines_are_told),
                cmocka_unit_test(test_cut_in_a_line),
                cmocka_unit_test(test_byte_order_mark),
                cmocka_unit_test(test_long_lines),
                cmocka_unit_test(test_files_that_cannot_be_read),
                cmocka_unit_test(test_times),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
