/* Text between frames: lines for people, without secrets. */
#include "vue_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static struct bench b;

static const char *last_line(void) {
        const struct text_log *log = vue_protocol.console(&b.session.base);
        unsigned n = log->total < TEXT_LOG_LINES ? (unsigned) log->total : TEXT_LOG_LINES;

        assert_true(n > 0);
        return text_log_get(log, n - 1)->text;
}

static void test_chatter_hinders_nothing(void **state) {
        (void) state;
        bench_init(&b);
        b.module.chatters = true;
        bench_start(&b);
        bench_run(&b, 300000);
        bench_assert_state(&b, METER_ONLINE);
        assert_int_equal(b.n_reports, 10);
        assert_int_equal(bench_counter(&b, VUE_CONSOLE_LINES), 30);
        assert_int_equal(bench_counter(&b, VUE_CONSOLE_REDACTED), 0);
        assert_string_equal(last_line(), "sMRB len 44");
        assert_non_null(strstr(text_log_get(vue_protocol.console(&b.session.base), 0)->text,
                               "payload[00 00 00 25 80 66 59 00"));
}

static void test_lines(void **state) {
        static const struct { const char *text, *line; bool redacted; } cases[] = {
                { "No such command\r\n", "No such command", false },
                { "SeIhd>SeIhd> Usage:\r\n", "Usage:", false },
                { "$m\r\n", "$m", false },
                { "NWK Key: 01 23\r\n", "(redacted: a line about keys)", true },
                { "Link KEYS\r\n", "(redacted: a line about keys)", true },
                { "install code: abc\r\n", "(redacted: a line about keys)", true },
                { "id 0123456789ABCDEF end\r\n", "id (redacted) end", true },
                { "01 23 45 67 89 ab cd ef\r\n", "(redacted)", true },
                { "x 01:23:45:67:89:AB:CD:EF, 01-23-45-67-89-AB-CD-EF y\r\n", "x (redacted) y", true },
                { "{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}\r\n", "{(redacted)}", true },
                { "bytes 1 2 3 4 A B C D\r\n", "bytes (redacted)", true },
                { "a bad face had been added, as decided before each feed\r\n",
                  "a bad face had been added, as decided before each feed", false },
                { "len 37, 67 = 67? 01 23 45 67 89 ab cd\r\n", "len 37, 67 = 67? 01 23 45 67 89 ab cd", false },
                { "clus 0x0702 payload[01 23 45 67 89 AB CD EF 01 ] 0123456789ABCDEF\r\n",
                  "clus 0x0702 payload[01 23 45 67 89 AB CD EF 01 ] (redacted)", true },
                { "clus 0x0700 payload[01 23 45 67 89 AB CD EF 01 ]\r\n", "clus 0x0700 payload[(redacted) ]", true },
                { "caf\xc3\xa9 is mostly readable\r\n", "caf?? is mostly readable", false },
                { "\x80\x81\x82""A\x83\r\n", "(5 bytes that are no text)", false },
        };

        (void) state;
        for (unsigned byte_by_byte = 0; byte_by_byte < 2; byte_by_byte++) {
                bench_reach_online(&b);
                for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                        uint64_t redacted = bench_counter(&b, VUE_CONSOLE_REDACTED);

                        if (byte_by_byte)
                                for (const char *p = cases[i].text; *p; p++)
                                        bench_bytes(&b, p, 1);
                        else
                                bench_text(&b, cases[i].text);
                        assert_string_equal(last_line(), cases[i].line);
                        assert_int_equal(bench_counter(&b, VUE_CONSOLE_REDACTED) - redacted, cases[i].redacted);
                }
        }
}

static void test_prompts_are_no_lines(void **state) {
        (void) state;
        bench_reach_online(&b);
        bench_text(&b, "SeIhd>\r\n\r\nSeIhd>SeIhd>\r\n\n\r");
        assert_int_equal(bench_counter(&b, VUE_CONSOLE_LINES), 0);
        bench_text(&b, "begun");
        bench_run(&b, 2000);
        bench_text(&b, "another\r\n");
        assert_int_equal(bench_counter(&b, VUE_CONSOLE_LINES), 2);
        assert_string_equal(last_line(), "another");
}

static void test_endless_line(void **state) {
        (void) state;
        bench_reach_online(&b);
        for (int i = 0; i < 5000; i++)
                bench_text(&b, "abc xyz ");
        bench_text(&b, "\r\n");
        assert_int_equal(bench_counter(&b, VUE_CONSOLE_LINES), 1);
        assert_int_equal(strlen(last_line()), TEXT_LOG_LINE_MAX);
}

/* However an install code's frame is damaged, its bytes stay out of the lines. */
static void test_damaged_install_code(void **state) {
        static const uint8_t wrong_end[] = { 'h', 'i', '$', 1, 'i', 8, 'S', 'E', 'C', 'R', '\r', 'T', '4', '2',
                                             'x', 'o', 'k', '\r', '\n' };
        static const uint8_t cut[] = { '$', 1, 'i', 8, 'S', 'E', 'C', 'R' };

        (void) state;
        bench_reach_online(&b);
        bench_bytes(&b, wrong_end, sizeof wrong_end);
        bench_run(&b, 500);
        bench_bytes(&b, cut, sizeof cut);
        bench_run(&b, 500);
        bench_text(&b, "\r\n");
        bench_run(&b, 2000);
        bench_text(&b, "done\r\n");
        for (unsigned i = 0; text_log_get(&b.session.console.log, i); i++) {
                const char *line = text_log_get(&b.session.console.log, i)->text;

                assert_null(strstr(line, "SECR"));
                assert_null(strstr(line, "T42"));
        }
        assert_string_equal(last_line(), "done");
}

static void test_secret_frames(void **state) {
        static const uint8_t secret[] = { '$', 1, 'i', 0, '\r' }, open[] = { '$', 1, 'm', 0, '\r' };

        (void) state;
        assert_true(vue_protocol.is_secret(secret, sizeof secret));
        assert_false(vue_protocol.is_secret(open, sizeof open));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chatter_hinders_nothing),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_prompts_are_no_lines),
                cmocka_unit_test(test_endless_line),
                cmocka_unit_test(test_damaged_install_code),
                cmocka_unit_test(test_secret_frames),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
