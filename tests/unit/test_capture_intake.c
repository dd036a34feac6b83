/* Bytes on their way into a recording: all of them, in their order, without what is secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "capture/capture_intake.h"
#include "from_environment.h"

#define MAX 65536

static const uint8_t code[] = { 0x83, 0xfe, 0xd3, 0x40, 0x7a, 0x93, 0x97, 0x23 };
static const uint8_t code_frame[] = { '$', 1, 'i', 8, 0x83, 0xfe, 0xd3, 0x40, 0x7a, 0x93, 0x97, 0x23, '\r' };
static const uint8_t firmware_frame[] = { '$', 1, 'f', 1, 7, '\r' };

/* A module asks a TuyaMCU who it is. */
static const uint8_t product_frame[] = { 0x55, 0xaa, 0, 1, 0, 0, 0 };

static struct out {
        size_t len[3], blanked, reads;
        uint8_t bytes[3][MAX];
        int64_t last_utc_ms;
        bool mixed_up;
} out;

static struct capture_intake *intake;

static void on_bytes(void *userdata, enum capture_direction direction, int64_t utc_ms, const uint8_t *data,
                     size_t len, size_t blanked) {
        struct out *o = userdata;

        assert_true(len > 0);
        memcpy(o->bytes[direction] + o->len[direction], data, len);
        o->len[direction] += len;
        o->blanked += blanked;
        o->reads++;
        o->mixed_up |= utc_ms < o->last_utc_ms;
        o->last_utc_ms = utc_ms;
}

static void begin(const char *protocol, bool show_secrets) {
        const struct capture_intake_callbacks callbacks = { on_bytes, &out };

        memset(&out, 0, sizeof out);
        assert_int_equal(capture_intake_new(protocol_find(protocol), show_secrets, &callbacks, &intake), 0);
}

static void end(void) {
        capture_intake_end(intake, CAPTURE_RX);
        capture_intake_end(intake, CAPTURE_TX);
        intake = capture_intake_free(intake);
}

static void put(enum capture_direction direction, uint64_t now_ms, const void *data, size_t len) {
        capture_intake_put(intake, direction, now_ms, (int64_t) now_ms, data, len);
}

static bool contains(const void *needle, size_t len) {
        return memmem(out.bytes[CAPTURE_RX], out.len[CAPTURE_RX], needle, len);
}

/* Nothing is held back from who asked for it, nor where good frames have shown that there is nothing secret. */
static void test_no_secrets_no_waiting(void **state) {
        (void) state;
        for (unsigned i = 0; i < 2; i++) {
                size_t before = i ? 0 : sizeof product_frame;

                begin(i ? "vue" : "tuyamcu", i);
                put(CAPTURE_RX, 1, product_frame, before);
                put(CAPTURE_TX, 1, product_frame, before);
                put(CAPTURE_RX, 1, code_frame, 5);
                assert_int_equal(out.len[CAPTURE_RX], before + 5);
                put(CAPTURE_TX, 2, "\x55\xaa", 2);
                assert_int_equal(out.len[CAPTURE_TX], before + 2);
                put(CAPTURE_RX, 3, code_frame + 5, sizeof code_frame - 5);
                assert_memory_equal(out.bytes[CAPTURE_RX] + before, code_frame, sizeof code_frame);
                assert_int_equal(out.reads, before ? 5 : 3);
                assert_int_equal(out.blanked, 0);
                end();
        }
}

/* Whoever names no protocol, or the wrong one, does not give the code away either. */
static void test_another_protocol_has_secrets(void **state) {
        static const char text[] = "Install code is 83FED3407A939723\r\nready\r\n";

        (void) state;
        for (size_t cut = 0; cut <= sizeof code_frame; cut++) {
                begin("tuyamcu", false);
                put(CAPTURE_RX, 1, code_frame, cut);
                put(CAPTURE_RX, 2, code_frame + cut, sizeof code_frame - cut);
                put(CAPTURE_RX, 3, text, sizeof text - 1);
                end();
                assert_int_equal(out.len[CAPTURE_RX], sizeof code_frame + sizeof text - 1);
                assert_memory_equal(out.bytes[CAPTURE_RX], "$\1i\x08\0\0\0\0\0\0\0\0", sizeof code_frame - 1);
                assert_false(contains("83FE", 4));
                assert_true(contains("\r\nready\r\n", 9));
        }
        /* The one line does not vouch for the other. */
        begin("tuyamcu", false);
        put(CAPTURE_TX, 1, product_frame, sizeof product_frame);
        put(CAPTURE_RX, 2, code_frame, sizeof code_frame);
        end();
        assert_false(contains(code, 3));
}

/* The recording begins in the middle of the code, as bytes or as text: no part of it is kept. What begins after a
 * silence is no rest of anything. */
static void test_the_rest_of_a_code(void **state) {
        static const char text[] = "83FED3407A939723\r\nready\r\n";
        const char *names[] = { "vue", "tuyamcu" };

        (void) state;
        for (unsigned i = 0; i < 2 * sizeof code; i++) {
                size_t n = sizeof code - i / 2;

                begin(names[i % 2], false);
                capture_intake_begin(intake, CAPTURE_RX, 1000);
                put(CAPTURE_RX, 1001, code_frame + 4 + i / 2, n + 1);
                put(CAPTURE_RX, 1002, firmware_frame, sizeof firmware_frame);
                end();
                assert_memory_equal(out.bytes[CAPTURE_RX], "\0\0\0\0\0\0\0\0", n);
                if (i % 2 == 0)
                        assert_memory_equal(out.bytes[CAPTURE_RX] + n + 1, firmware_frame, sizeof firmware_frame);
                begin(names[i % 2], false);
                capture_intake_begin(intake, CAPTURE_RX, 1000);
                put(CAPTURE_RX, 1001, text + i, sizeof text - 1 - i);
                end();
                assert_false(contains("3\r", 2));
                begin(names[i % 2], false);
                capture_intake_begin(intake, CAPTURE_RX, 1000);
                put(CAPTURE_RX, 2500, "ready\r\n", 7);
                end();
                assert_true(contains("ready\r\n", 7));
        }
}

/* A network port may stop for longer than a line of text takes, in the middle of a code and more than once: its rest
 * is still the rest of a code, as bytes and as text. What was begun before the pause does not wait for it. */
static void test_code_around_pauses(void **state) {
        static const char text[] = "Install code is 83FED3407A939723\r\n";
        const char *names[] = { "vue", "tuyamcu" };

        (void) state;
        for (size_t first = 1; first < sizeof code_frame; first++)
                for (size_t second = first; second < sizeof code_frame; second++) {
                        begin(names[first % 2], false);
                        put(CAPTURE_RX, 1000, code_frame, first);
                        put(CAPTURE_RX, 2500, code_frame + first, second - first);
                        capture_intake_tick(intake, 4000);
                        assert_int_equal(out.len[CAPTURE_RX], second);
                        capture_intake_tick(intake, 4100);
                        put(CAPTURE_RX, 4200, code_frame + second, sizeof code_frame - second);
                        put(CAPTURE_RX, 4200, firmware_frame, sizeof firmware_frame);
                        put(CAPTURE_RX, 4300, "sMRB len 49\r\n", 13);
                        end();
                        for (size_t i = 0; i < sizeof code; i++)
                                assert_int_equal(out.bytes[CAPTURE_RX][4 + i], 0);
                        if (first % 2 == 0)
                                assert_true(contains("sMRB len 49\r\n", 13));
                }
        for (size_t cut = 1; cut < sizeof text - 1; cut++) {
                begin(names[cut % 2], false);
                put(CAPTURE_RX, 1000, text, cut);
                put(CAPTURE_RX, 2500, text + cut, sizeof text - 1 - cut);
                end();
                assert_false(contains("83", 2) || contains("23\r", 3));
        }
}

/* A line without an end, such as a prompt, makes nothing of what comes after a pause a secret. */
static void test_pause_after_a_prompt(void **state) {
        static const char prompt[] = "SeIhd>", text[] = "sMRB len 49\r\n";

        (void) state;
        begin("vue", false);
        put(CAPTURE_RX, 1000, prompt, sizeof prompt - 1);
        capture_intake_tick(intake, 2500);
        assert_int_equal(out.len[CAPTURE_RX], sizeof prompt - 1);
        put(CAPTURE_RX, 9000, text, sizeof text - 1);
        assert_true(contains("SeIhd>sMRB len 49\r\n", 19));
        assert_int_equal(out.blanked, 0);
        end();
}

/* The answers on the line of the questions: frames like any others, without their secret. */
static void test_swapped_lines(void **state) {
        (void) state;
        begin("vue", false);
        put(CAPTURE_TX, 1, "$f\r", 3);
        assert_int_equal(capture_intake_counts(intake, CAPTURE_TX).strays, 0);
        put(CAPTURE_TX, 2, code_frame, sizeof code_frame);
        assert_int_equal(capture_intake_counts(intake, CAPTURE_TX).strays, 1);
        assert_int_equal(capture_intake_counts(intake, CAPTURE_TX).frames, 2);
        end();
        assert_memory_equal(out.bytes[CAPTURE_TX], "$f\r$\1i\x08\0\0\0\0\0\0\0\0\r", 3 + sizeof code_frame);
        begin("tuyamcu", false);
        put(CAPTURE_TX, 1, product_frame, sizeof product_frame);
        assert_int_equal(capture_intake_counts(intake, CAPTURE_TX).strays, 0);
        end();
}

/* Cut anywhere, byte by byte, with a part that never comes, and when the recording ends in the middle. */
static void test_code_in_pieces(void **state) {
        (void) state;
        for (size_t cut = 0; cut <= sizeof code_frame; cut++) {
                begin("vue", false);
                put(CAPTURE_RX, 1, code_frame, cut);
                put(CAPTURE_RX, 2, code_frame + cut, sizeof code_frame - cut);
                assert_int_equal(out.len[CAPTURE_RX], sizeof code_frame);
                assert_int_equal(out.blanked, sizeof code);
                assert_memory_equal(out.bytes[CAPTURE_RX], "$\1i\x08\0\0\0\0\0\0\0\0\r", sizeof code_frame);
                assert_int_equal(capture_intake_counts(intake, CAPTURE_RX).frames, 1);
                end();
                for (unsigned how = 0; how < 2; how++) {
                        begin("vue", false);
                        put(CAPTURE_RX, 1, code_frame, cut);
                        if (how)
                                capture_intake_tick(intake, 5000);
                        else
                                capture_intake_end(intake, CAPTURE_RX);
                        assert_int_equal(out.len[CAPTURE_RX], cut);
                        assert_memory_equal(out.bytes[CAPTURE_RX], "$\1i\x08\0\0\0\0\0\0\0\0\r", cut);
                        end();
                }
        }
}

/* The other direction waits, so that lines stand in the order of time; not for longer than silence takes. */
static void test_directions_keep_their_order(void **state) {
        (void) state;
        begin("vue", false);
        put(CAPTURE_RX, 1000, code_frame, 6);
        put(CAPTURE_TX, 1010, "$r\r", 3);
        assert_int_equal(out.reads, 0);
        put(CAPTURE_RX, 1020, code_frame + 6, sizeof code_frame - 6);
        assert_int_equal(out.reads, 3);
        put(CAPTURE_RX, 1030, firmware_frame, 3);
        put(CAPTURE_TX, 1040, "$r\r", 3);
        capture_intake_tick(intake, 1200);
        assert_int_equal(out.reads, 3);
        capture_intake_tick(intake, 2100);
        assert_int_equal(out.reads, 5);
        assert_false(out.mixed_up);
        end();
}

/* One direction says more than can be held while the other is in the middle of something. */
static void test_bounded(void **state) {
        uint8_t text[100];

        (void) state;
        memset(text, 'a', sizeof text);
        text[sizeof text - 1] = '\r';
        begin("vue", false);
        put(CAPTURE_RX, 1, code_frame, 6);
        for (unsigned i = 0; i < 500; i++)
                put(CAPTURE_TX, 2 + i / 10, text, sizeof text);
        assert_true(out.len[CAPTURE_TX] >= 500 * sizeof text - CAPTURE_HELD_MAX);
        put(CAPTURE_RX, 100, code_frame + 6, sizeof code_frame - 6);
        assert_int_equal(out.len[CAPTURE_TX], 500 * sizeof text);
        assert_int_equal(out.len[CAPTURE_RX], sizeof code_frame);
        assert_false(contains(code, sizeof code));
        end();
        /* A frame that never ends and a line without an end, byte by byte. */
        begin("vue", false);
        for (unsigned i = 0; i < 20000; i++)
                put(CAPTURE_RX, 1 + i / 10, i % 7 ? "a" : "$", 1);
        assert_true(out.len[CAPTURE_RX] >= 20000 - CAPTURE_HELD_MAX);
        end();
        assert_int_equal(out.len[CAPTURE_RX], 20000);
}

static uint64_t random_state;

static unsigned pick(unsigned n) {
        random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned) (random_state >> 33) % n;
}

static size_t make_stream(uint8_t *data, unsigned *ret_codes) {
        size_t len = 0;

        *ret_codes = 0;
        for (unsigned i = 0; i < 60; i++) {
                unsigned what = pick(5);

                if (what == 0) {
                        memcpy(data + len, code_frame, sizeof code_frame);
                        len += sizeof code_frame;
                        ++*ret_codes;
                } else if (what == 1) {
                        memcpy(data + len, firmware_frame, sizeof firmware_frame);
                        len += sizeof firmware_frame;
                } else if (what == 2)
                        len += (size_t) sprintf((char *) data + len, "install code 83FED3407A939723\r\n");
                else if (what == 3)
                        len += (size_t) sprintf((char *) data + len, "sMRB len %u\r\n", pick(100));
                else
                        for (unsigned n = pick(40); n > 0; n--)
                                data[len++] = (uint8_t) ('g' + pick(10));
        }
        return len;
}

/* However it is cut, and with pauses anywhere: as many bytes as came, no part of a code, and what else is overwritten
 * is counted. */
static void test_random_pieces(void **state) {
        unsigned n_runs = (unsigned) number_from("METERGATE_ROUNDS", 2000);
        static uint8_t data[MAX];

        (void) state;
        random_state = test_seed();
        for (unsigned run = 0; run < n_runs; run++) {
                unsigned codes;
                size_t len = make_stream(data, &codes), at = 0, changed = 0;
                uint64_t now_ms = 1;

                begin("vue", false);
                while (at < len) {
                        size_t n = 1 + pick(run % 3 ? 20 : 1500);

                        n = n < len - at ? n : len - at;
                        put(CAPTURE_RX, now_ms, data + at, n);
                        now_ms += pick(10) ? n : 1500;
                        at += n;
                }
                end();
                assert_int_equal(out.len[CAPTURE_RX], len);
                for (size_t i = 0; i + 3 <= sizeof code; i++)
                        assert_false(contains(code + i, 3));
                assert_false(contains("83FED34", 7) || contains("723\r", 4));
                for (size_t i = 0; i < len; i++)
                        changed += out.bytes[CAPTURE_RX][i] != data[i];
                assert_int_equal(out.blanked, changed);
                assert_false(out.mixed_up);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_secrets_no_waiting),
                cmocka_unit_test(test_another_protocol_has_secrets),
                cmocka_unit_test(test_the_rest_of_a_code),
                cmocka_unit_test(test_code_around_pauses),
                cmocka_unit_test(test_pause_after_a_prompt),
                cmocka_unit_test(test_swapped_lines),
                cmocka_unit_test(test_code_in_pieces),
                cmocka_unit_test(test_directions_keep_their_order),
                cmocka_unit_test(test_bounded),
                cmocka_unit_test(test_random_pieces),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
