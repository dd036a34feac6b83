/* A whole life of a radio module, and a million steps of noise: nothing dangerous is ever sent. */
#include "vue_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static struct bench b;

static void test_a_whole_life(void **state) {
        (void) state;
        bench_init(&b);
        memset(b.module.says, 0, sizeof b.module.says);
        b.module.join = 0;
        b.module.chatters = true;
        bench_start(&b);
        bench_run_until(&b, METER_NO_MODULE, 10000);
        memset(b.module.says, 1, sizeof b.module.says);
        b.module.says[VUE_ASK_READ] = false;
        bench_run_until(&b, METER_NOT_PROVISIONED, 20000);
        b.module.join = 1;
        bench_run_until(&b, METER_SEARCHING, 200000);
        b.module.says[VUE_ASK_READ] = true;
        bench_run_until(&b, METER_ONLINE, 31000);
        b.module.power = false;
        bench_run_until(&b, METER_NO_MODULE, 60000);
        b.module.power = true;
        bench_run_until(&b, METER_ONLINE, 20000);
        b.module.says[VUE_ASK_READ] = false;
        bench_run_until(&b, METER_SEARCHING, 120000);
        b.module.says[VUE_ASK_READ] = true;
        bench_run_until(&b, METER_ONLINE, 31000);
        for (unsigned i = 0; i < b.n_reports; i++)
                assert_int_equal(b.reports[i].readings[0].value, 909000);
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 17;
        random_state ^= random_state << 5;
        return random_state % n;
}

static void random_bytes(void) {
        static const char letters[] = "$\x01\r\nfmijredsSeIhd>keys leave reset 0123";
        uint8_t bytes[300];
        size_t len = random_below(random_below(10) ? 8 : sizeof bytes);

        for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t) (random_below(3) ? (unsigned char) letters[random_below(sizeof letters - 1)]
                                                      : random_below(256));
        bench_bytes(&b, bytes, len);
}

static void random_frame(void) {
        uint8_t payload[VUE_PAYLOAD_MAX];
        size_t len = random_below(4) ? 1 + 7 * random_below(2) : random_below(VUE_PAYLOAD_MAX + 1);

        if (random_below(2)) {
                len = bench_reading(&b, payload);
                if (random_below(2))
                        payload[random_below((uint32_t) len)] = (uint8_t) random_below(256);
        } else
                for (size_t i = 0; i < len; i++)
                        payload[i] = (uint8_t) random_below(256);
        bench_frame(&b, (uint8_t) "fmijres"[random_below(7)], payload, len);
}

static void random_change(void) {
        struct bench_module *m = &b.module;

        m->power = random_below(4);
        m->join = (uint8_t) random_below(3);
        m->chatters = random_below(2);
        m->repeats = random_below(2);
        m->zero_first = random_below(4) == 0;
        m->dump = random_below(2);
        m->import += random_below(1000);
        for (unsigned i = 0; i < VUE_ASK_COUNT; i++) {
                m->says[i] = random_below(3);
                m->delay_ms[i] = random_below(4) ? random_below(200) : random_below(20000);
        }
        b.n_answers = 0;
}

static void random_restart(void) {
        b.n_answers = 0;
        if (random_below(2))
                vue_protocol.stop(&b.session.base, "gone");
        b.config.poll_ms = 5000 + random_below(60000);
        b.config.stale_after_ms = b.config.poll_ms + random_below(300000);
        b.config.poll_aligned = random_below(2);
        b.config.console_log_level = random_below(3) ? 0 : 1 + random_below(99);
        b.session.base.clock = (struct session_clock) { .known = random_below(2),
                                                        .utc_minus_now_ms = INT64_C(1795255200000),
                                                        .zone_offset_s = (int32_t) random_below(80000) - 40000 };
        vue_protocol.start(&b.session.base, &b.config, b.now_ms);
}

/* The bench looks at every byte that leaves, and that no call asks to be called at once again. */
static void test_a_million_random_steps(void **state) {
        struct session_detail d;

        (void) state;
        bench_begin(&b);
        b.is_noisy = true;
        for (int i = 0; i < 1000000; i++) {
                uint32_t what = random_below(1000);

                if (what < 300)
                        random_bytes();
                else if (what < 450)
                        random_frame();
                else if (what < 452)
                        random_change();
                else if (what < 453)
                        random_restart();
                else if (what < 460)
                        (void) bench_act(&b, (enum session_action) random_below(ACTION_COUNT + 1));
                else if (what < 470)
                        for (unsigned n = 0; vue_protocol.detail(&b.session.base, n, &d); n++)
                                assert_true(strlen(d.text) < sizeof d.text);
                b.n_answers = b.n_answers > 4 ? 4 : b.n_answers;
                bench_run(&b, random_below(20) ? random_below(50) : random_below(5000));
        }
        for (unsigned ask = 0; ask < VUE_ASK_COUNT; ask++)
                assert_true(bench_counter(&b, VUE_REQUESTS + ask) > 1000);
        assert_true(bench_counter(&b, VUE_CONSOLE_LINES) > 10000);
        assert_true(bench_counter(&b, VUE_POWER_CYCLES) > 10);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_whole_life),
                cmocka_unit_test(test_a_million_random_steps),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
