/* What every protocol does where a meter is only listened to: it never has anything to send, whatever arrives on
 * either line and whatever somebody asks for. */
#include "protocols/protocol.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "from_environment.h"
#include "session_bench.h"
#include "protocols/tuyamcu/frame.h"
#include "protocols/vue/frame.h"

#define FRAME_MAX 300

struct ear {
        const struct protocol *protocol;
        struct session *session;
        struct session_config config;
        uint64_t now_ms;
        uint64_t heard, reports;
};

static uint64_t random_state;

static uint32_t random_below(uint32_t n) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return (uint32_t) (random_state >> 11) % n;
}

static size_t random_tuyamcu(uint8_t *frame) {
        static const uint8_t commands[] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x07, 0x07, 0x08, 0x0c,
                                            0x10, 0x1c, 0x20, 0x22, 0x24, 0x25, 0x2b, 0x2d, 0x34, 0x37, 0x90 };
        uint8_t data[64] = { (uint8_t) (16 + random_below(6)), 2, 0, 4, 0, 0, (uint8_t) random_below(3),
                             (uint8_t) random_below(256) };
        size_t len = random_below(3) ? 8 * random_below(2) : random_below(sizeof data);

        for (size_t i = 8; i < len; i++)
                data[i] = (uint8_t) random_below(256);
        return tuya_frame_build(frame, FRAME_MAX, (uint8_t) (random_below(2) * 3),
                                random_below(20) ? commands[random_below(sizeof commands)]
                                                 : (uint8_t) random_below(256), data, len);
}

/* 909 W with a multiplier of 1 and a divisor of 1000; the second byte is its number. */
static const uint8_t reading[] = { 0x18, 0x91, 0x01, 0x01, 0x03, 0x00, 0x22, 0x01, 0x00, 0x00, 0x02, 0x03, 0x00, 0x22,
                                   0xe8, 0x03, 0x00, 0x00, 0x04, 0x00, 0x2a, 0x8d, 0x03, 0x00 };

static size_t random_vue(uint8_t *frame) {
        size_t len = random_below(2) ? 1 + 7 * random_below(2) : random_below(VUE_PAYLOAD_MAX + 1);

        memset(frame, (int) random_below(2), FRAME_MAX);
        frame[0] = '$';
        frame[1] = 1;
        frame[2] = (uint8_t) "fmijre"[random_below(6)];
        if (random_below(2)) {
                memcpy(frame + 4, reading, len = sizeof reading);
                frame[5] = (uint8_t) random_below(256);
                frame[2] = 'r';
        }
        frame[3] = (uint8_t) len;
        for (size_t i = sizeof reading; i < len; i++)
                frame[4 + i] = (uint8_t) random_below(256);
        frame[4 + len] = '\r';
        return len + VUE_FRAME_OVERHEAD;
}

static size_t random_request(const struct protocol *p, uint8_t *frame) {
        if (strcmp(p->name, "vue") == 0)
                return vue_request_write(frame, (char) ('a' + random_below(26)));
        return random_tuyamcu(frame);
}

static void listen(struct ear *e) {
        e->config = (struct session_config) {
                .profile = e->protocol->needs_profile ? bench_profile() : NULL,
                .listen_only = true, .has_speed = random_below(2), .poll_ms = 1000 + random_below(60000),
                .stale_after_ms = 60000 + random_below(60000), .console_log_level = random_below(2) * 10,
                .baud = random_below(2) * 9600, .poll_aligned = random_below(2),
        };
        e->protocol->start(e->session, &e->config, e->now_ms);
}

static void act(struct ear *e) {
        struct action_refusal refusal = { .text = "" };
        struct action_request request = { .action = (enum session_action) random_below(ACTION_COUNT) };

        request.write.id = (uint16_t) random_below(256);
        assert_int_equal(e->protocol->act(e->session, e->now_ms, &request, &refusal), -EOPNOTSUPP);
}

static void hear(struct ear *e) {
        uint8_t frame[FRAME_MAX];
        size_t len;

        e->heard++;
        if (random_below(3) == 0) {
                len = random_request(e->protocol, frame);
                assert_int_equal(e->protocol->request_check(frame, len), len);
                e->protocol->request(e->session, e->now_ms, frame, len);
                return;
        }
        len = strcmp(e->protocol->name, "vue") == 0 ? random_vue(frame) : random_tuyamcu(frame);
        assert_int_equal(e->protocol->frame_check(frame, len), len);
        e->protocol->frame(e->session, e->now_ms, frame, len);
}

/* Nothing to send, and never a wish to be called at once again. */
static void poll_all(struct ear *e) {
        struct session_output out;

        do {
                e->protocol->poll(e->session, e->now_ms, random_below(4) == 0, &out);
                assert_int_equal(out.tx_len, 0);
                e->reports += out.has_report;
        } while (out.has_report);
        assert_true(out.next_ms > e->now_ms);
}

static void step(struct ear *e) {
        uint32_t what = random_below(1000);

        if (what < 600)
                hear(e);
        else if (what < 620)
                act(e);
        else if (what < 650 && e->protocol->text)
                e->protocol->text(e->session, e->now_ms, (const uint8_t *) "$r\rInit\r\n>", 1 + random_below(9));
        else if (what < 652) {
                e->protocol->stop(e->session, "gone");
                listen(e);
        }
        poll_all(e);
        e->now_ms += random_below(10) ? random_below(200) : random_below(70000);
}

static void test_nothing_is_ever_sent(void **state) {
        unsigned steps = (unsigned) number_from("METERGATE_STEPS", 200000);
        uint64_t seed = test_seed();

        (void) state;
        for (unsigned i = 0; protocols[i]; i++) {
                struct ear e = { .protocol = protocols[i], .now_ms = 1000000 };

                random_state = UINT64_C(0x9e3779b97f4a7c15) * (seed + 1);
                e.session = calloc(1, e.protocol->session_size);
                assert_non_null(e.session);
                listen(&e);
                for (unsigned n = 0; n < steps; n++)
                        step(&e);
                /* It was worth listening. */
                assert_true(e.heard > steps / 2 && e.reports > steps / 1000);
                free(e.session);
        }
}

/* A line on which nothing is understood wakes nobody but to try another speed. */
static void test_silence_is_cheap(void **state) {
        (void) state;
        for (unsigned i = 0; protocols[i]; i++)
                for (unsigned has_speed = 0; has_speed < 2; has_speed++) {
                        struct session *s = calloc(1, protocols[i]->session_size);
                        struct session_config config = { .listen_only = true, .has_speed = has_speed,
                                                         .poll_ms = 10000, .stale_after_ms = 35000 };
                        uint64_t now_ms = 1000000, end_ms = now_ms + 3600000;
                        unsigned calls = 0;

                        assert_non_null(s);
                        protocols[i]->start(s, &config, now_ms);
                        while (now_ms < end_ms) {
                                struct session_output out;

                                protocols[i]->poll(s, now_ms, false, &out);
                                assert_true(out.next_ms > now_ms);
                                now_ms = out.next_ms;
                                calls++;
                        }
                        assert_in_range(calls, 1, 200);
                        assert_int_equal(s->state, METER_CONNECTING);
                        free(s);
                }
}

static void test_vue_requests(void **state) {
        static const uint8_t noise[] = "\r$$r\r$\x01r$R\r$rr\r$i\rloglevel 10\r$r";
        struct framer f;
        const uint8_t *frame;

        (void) state;
        framer_init(&f, vue_request_check);
        assert_int_equal(framer_push(&f, noise, sizeof noise - 1), sizeof noise - 1);
        assert_int_equal(framer_next(&f, &frame), 3);
        assert_memory_equal(frame, "$r\r", 3);
        assert_int_equal(framer_next(&f, &frame), 3);
        assert_memory_equal(frame, "$i\r", 3);
        assert_int_equal(framer_next(&f, &frame), 0);
        assert_int_equal(framer_pending(&f), 2);
        assert_int_equal(f.noise_bytes, sizeof noise - 1 - 3 - 3 - 2);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_ever_sent),
                cmocka_unit_test(test_silence_is_cheap),
                cmocka_unit_test(test_vue_requests),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
