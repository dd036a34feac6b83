/* Secrets in what a module says are overwritten, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocols/vue/frame.h"
#include "protocols/vue/secret.h"

static size_t blank(const char *text, size_t len, bool is_all, char *out) {
        size_t changed, done;

        memcpy(out, text, len);
        done = vue_blank_text((uint8_t *) out, len, is_all, &changed);
        assert_true(done <= len);
        for (size_t i = 0; i < len; i++)
                changed -= out[i] != text[i];
        assert_int_equal(changed, 0);
        return done;
}

static void test_lines(void **state) {
        static const struct { const char *text, *blanked; } cases[] = {
                { "No such command\r\n", "No such command\r\n" },
                { "NWK Key: 01 23\r\nnext\r", "xxx xxx: xx xx\r\nnext\r" },
                { "install code: abc\r\n", "xxxxxxx xxxx: xxx\r\n" },
                { "id 0123456789ABCDEF end\r\n", "id 0000000000000000 end\r\n" },
                { "{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}\r",
                  "{0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}\r" },
                { "clus 0x0702 payload[01 23 45 67 89 AB CD EF 01 ] 1\n",
                  "clus 0x0702 payload[01 23 45 67 89 AB CD EF 01 ] 1\n" },
                { "len 37, 67 = 67? 01 23 45 67 89 ab cd\r\n", "len 37, 67 = 67? 01 23 45 67 89 ab cd\r\n" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                size_t len = strlen(cases[i].text);
                char out[256] = "";

                assert_int_equal(blank(cases[i].text, len, false, out), len);
                assert_string_equal(out, cases[i].blanked);
        }
}

static void test_lines_wait_for_their_end(void **state) {
        static const char text[] = "ok\r\nkey 0123456789";
        char out[64] = "";

        (void) state;
        assert_int_equal(blank(text, sizeof text - 1, false, out), 4);
        assert_string_equal(out, text);
        assert_int_equal(blank(text, sizeof text - 1, true, out), sizeof text - 1);
        assert_string_equal(out, "ok\r\nxxx xxxxxxxxxx");
        /* What breaks off may have been longer. */
        assert_int_equal(blank("id 123 0123456", 14, true, out), 14);
        assert_memory_equal(out, "id 000 0000000", 14);
        assert_int_equal(blank("id 0x01 23 45 67, ", 18, true, out), 18);
        assert_memory_equal(out, "id 0x00 00 00 00, ", 18);
        assert_int_equal(blank("sMRB len 012345", 15, true, out), 15);
        assert_memory_equal(out, "sMRB len 012345", 15);
}

/* A frame whose end is not where it says, was cut off, or lost its first bytes. */
static void test_damaged_frames(void **state) {
        static const struct { const char *text; size_t len; const char *blanked; } cases[] = {
                { "$\1i\x08\1\2\3\4\5\6\7\x0e!ok\r", 16, "$\1i\x08\0\0\0\0\0\0\0\0\0ok\r" },
                { "$\1i\x02\1\2\3\4\5\6\7\x0e!ok\r", 16, "$\1i\x02\0\0\0\0\0\0\0\0\0ok\r" },
                { "$\1I\x08\1\2\3\4\5\6\7\x0e!ok\r", 16, "$\1I\x08\0\0\0\0\0\0\0\0\0ok\r" },
                { "$\1r\x08\1\2\3\4\5\6\7\x0e!ok\r", 16, "$\1r\x08\1\2\3\4\5\6\7\x0e!ok\r" },
                { "$\2i\x08\1\2\r\4\5\6\7\x0e\rok\r", 16, "$\2i\x08\0\0\0\0\0\0\0\0\0ok\r" },
        };
        char out[64];

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(blank(cases[i].text, cases[i].len, false, out), cases[i].len);
                assert_memory_equal(out, cases[i].blanked, cases[i].len);
                for (size_t n = 4; n < 13; n++) {
                        assert_int_equal(blank(cases[i].text, n, false, out), i == 4 ? 2 : 0);
                        assert_int_equal(blank(cases[i].text, n, true, out), n);
                        assert_memory_equal(out, cases[i].blanked, n);
                }
        }
}

/* A reading that lost its end hides nothing that stands within the length it announced. */
static void test_secrets_behind_a_damaged_reading(void **state) {
        static const struct { const char *text; size_t len; const char *blanked; } cases[] = {
                { "$\1r\x40\1\2\3Install code: 83FE\r\nok", 26, "$\1x\x40\1\2\3xxxxxxx xxxx: xxxx\r\nok" },
                { "$\1r\x40\1\2\rid 83FED3407A939723\nok", 29, "$\1r\x40\1\2\rid 0000000000000000\nok" },
                { "$\1r\x40\1\2\3$\1i\x08\1\2\r\4\5\6", 17, "$\1r\x40\1\2\3$\1i\x08\0\0\0\0\0\0" },
                { "$\1r\x0f\1\2\3i\x08\1\2\r\4\5\6\7\x0e\rok\r", 21,
                  "$\1r\x0f\1\2\3i\x08\0\0\0\0\0\0\0\0\0ok\r" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char out[64];

                assert_int_equal(blank(cases[i].text, cases[i].len, true, out), cases[i].len);
                assert_memory_equal(out, cases[i].blanked, cases[i].len);
        }
}

/* However long a line is, no key in it comes through, wherever it is cut. */
static void test_endless_line(void **state) {
        static const char key[] = "0123456789ABCDEFFEDCBA9876543210";

        (void) state;
        for (size_t at = VUE_BLANK_WAIT_MAX / 2 - 40; at < VUE_BLANK_WAIT_MAX + 8; at++) {
                char text[2 * VUE_BLANK_WAIT_MAX], out[sizeof text];
                size_t begin = 0, changed;

                memset(text, '-', sizeof text);
                memcpy(text + at, key, sizeof key - 1);
                memcpy(out, text, sizeof text);
                for (size_t n = 1; n <= sizeof text; n++) {
                        begin += vue_blank_text((uint8_t *) out + begin, n - begin, n == sizeof text, &changed);
                        assert_true(n - begin < VUE_BLANK_WAIT_MAX);
                }
                assert_int_equal(begin, sizeof text);
                for (size_t i = 0; i < sizeof key - 1; i++)
                        assert_int_equal(out[at + i], '0');
        }
}

static bool is_cut(const char *text, size_t len) {
        return vue_is_text_cut((const uint8_t *) text, len);
}

/* Only what ends in the middle of a secret, wherever, has a rest that is one. */
static void test_cut_within_a_secret(void **state) {
        static const char code[] = "ok\r\n$\1i\x08\1\2\r\4\5\6\7\x0e!", *const cut[] = {
                "ok\rkey 01 02 ", "Install", "id 0123, ", "0x", "a$\1", "a$\1\x7f", "$\1r\x98\1$\1i",
        }, *const whole[] = {
                "", "SeIhd>", "key 01 02\r\n", "key\rok, ", "$\1r\x98\1\2", "len 49    ", "$",
        };

        (void) state;
        for (size_t n = 0; n < sizeof code; n++)
                assert_int_equal(is_cut(code, n), n >= 6 && n < sizeof code - 1);
        for (size_t i = 0; i < ELEMENTS(cut); i++)
                assert_true(is_cut(cut[i], strlen(cut[i])));
        for (size_t i = 0; i < ELEMENTS(whole); i++)
                assert_false(is_cut(whole[i], strlen(whole[i])));
}

static void test_frames(void **state) {
        uint8_t code[] = { '$', 1, 'i', 3, 1, 2, 3, '\r' }, mac[] = { '$', 1, 'm', 3, 1, 2, 3, '\r' };

        (void) state;
        assert_int_equal(vue_blank_frame(code, sizeof code), 3);
        assert_memory_equal(code, "$\1i\3\0\0\0\r", sizeof code);
        assert_int_equal(vue_frame_check(code, sizeof code), sizeof code);
        assert_int_equal(vue_blank_frame(mac, sizeof mac), 0);
        assert_int_equal(mac[4], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_lines_wait_for_their_end),
                cmocka_unit_test(test_damaged_frames),
                cmocka_unit_test(test_secrets_behind_a_damaged_reading),
                cmocka_unit_test(test_endless_line),
                cmocka_unit_test(test_cut_within_a_secret),
                cmocka_unit_test(test_frames),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
