/* The simulated meter against what the captures of the real one show. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocols/tuyamcu/frame.h"
#include "tools/tuya_mcu.h"

#define START 1000000

struct fixture {
        struct tuya_mcu mcu;
        uint64_t now_ms;
        uint8_t out[TUYA_MCU_OUTPUT_MAX];
        size_t n_out;
};

/* What the clamp measures, in the units of the wire. */
struct clamp {
        int64_t voltage_dv, current_ma, power_dw;
};

static const struct clamp lamp = { .voltage_dv = 2403, .current_ma = 77, .power_dw = 177 };

static void set_load(struct fixture *f, struct clamp load) {
        struct measured m = { 0 };
        struct tuya_points points;

        measured_put(&m, 0, Q_VOLTAGE, load.voltage_dv * 100);
        measured_put(&m, 0, Q_CURRENT, load.current_ma);
        measured_put(&m, 0, Q_POWER, load.power_dw * 100);
        tuya_points_put(&pj_mgw1103_captured, PHASE_8, &m, &points);
        tuya_mcu_set_load(&f->mcu, &points);
}

static void setup(struct fixture *f, struct tuya_mcu_options options) {
        f->now_ms = START;
        tuya_mcu_init(&f->mcu, &options, f->now_ms);
        set_load(f, lamp);
        f->now_ms += 500;
}

static void take(struct fixture *f) {
        f->n_out = tuya_mcu_output(&f->mcu, f->out);
}

static void say(struct fixture *f, uint8_t command, const uint8_t *data, size_t len) {
        uint8_t frame[32];

        tuya_mcu_input(&f->mcu, f->now_ms, frame, tuya_frame_build(frame, sizeof frame, 0, command, data, len));
        take(f);
}

static void say_state(struct fixture *f, uint8_t state) {
        say(f, TUYA_NETWORK_STATE, &state, 1);
}

static void wait(struct fixture *f, uint64_t ms) {
        f->now_ms += ms;
        tuya_mcu_run(&f->mcu, f->now_ms);
        take(f);
}

static void assert_out(const struct fixture *f, const char *hex) {
        char is[2 * TUYA_MCU_OUTPUT_MAX + 1] = "";

        for (size_t i = 0; i < f->n_out; i++)
                snprintf(is + 2 * i, 3, "%02X", f->out[i]);
        assert_string_equal(is, hex);
}

/* Bytes of pj-mgw1103-mcu-stream-real.hex and pj-mgw1103-seed-query-real.hex. */
#define HEARTBEAT_FIRST "55AA030000010003"
#define HEARTBEAT_LATER "55AA030000010104"
#define ZEROS "55AA0307000812020004000000002955AA0307000813020004000000002A55AA0307000814020004000000002B"
#define LAMP_QUERY "55AA03070008120200040000004D7655AA0307000813020004000000B1DB55AA03070008140200040000096397"

static void test_start_up_as_captured(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { 0 });
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_out(&f, HEARTBEAT_FIRST);
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_out(&f, HEARTBEAT_LATER);
        say(&f, TUYA_PRODUCT, NULL, 0);
        assert_out(&f, "55AA0301002A7B2270223A22646A66657039733673336232716B3839222C"
                       "2276223A22312E302E30222C226D223A327D63");
        say(&f, TUYA_MODE, NULL, 0);
        assert_out(&f, "55AA0302000004");
        say(&f, TUYA_QUERY, NULL, 0);
        assert_out(&f, ZEROS);
        say_state(&f, 3);
        assert_out(&f, "55AA0303000005");
        assert_int_equal(tuya_mcu_deadline(&f.mcu), TUYA_MCU_NEVER);
        wait(&f, 60000);
        assert_int_equal(f.n_out, 0);
        say_state(&f, 4);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_out(&f, ZEROS);
        wait(&f, 1000);
        assert_int_equal(f.n_out, 3 * 15);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_out(&f, LAMP_QUERY);
}

static void connect(struct fixture *f) {
        say(f, TUYA_HEARTBEAT, NULL, 0);
        say_state(f, 4);
        wait(f, 1000);
}

static void test_reports_changes_only(void **state) {
        struct clamp load = lamp;
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .interval_ms = 10000 });
        connect(&f);
        assert_int_equal(f.n_out, 3 * 15);
        wait(&f, 10000);
        assert_int_equal(f.n_out, 0);
        load.power_dw = 180;
        set_load(&f, load);
        wait(&f, 9999);
        assert_int_equal(f.n_out, 0);
        wait(&f, 1);
        assert_out(&f, "55AA0307000813020004000000B4DE");
}

static void test_quiet_current(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .quiet_current = true });
        connect(&f);
        set_load(&f, (struct clamp) { 2403, 83, 177 });
        wait(&f, 1000);
        assert_int_equal(f.n_out, 0);
        /* Power falls to 0 and the current stays on display, as with the real meter. */
        set_load(&f, (struct clamp) { 2403, 0, 0 });
        wait(&f, 1000);
        assert_out(&f, "55AA0307000813020004000000002A");
        set_load(&f, (struct clamp) { 2403, 800, 1700 });
        wait(&f, 1000);
        assert_int_equal(f.n_out, 2 * 15);
}

static void test_averaging(void **state) {
        static const int32_t expected[] = { 88, 132, 154, 165, 171, 174, 175, 176, 177, 177 };
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .averaging = true });
        say_state(&f, 4);
        for (size_t i = 0; i < ELEMENTS(expected); i++) {
                wait(&f, 1000);
                assert_int_equal(get_be16(f.mcu.shown.items[2].value + 2), expected[i]);
        }
}

static void test_sync_reports_wait_for_answers(void **state) {
        struct clamp load = lamp;
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .sync = true });
        connect(&f);
        assert_out(&f, "55AA03220018120200040000004D1402000400000963" "13020004000000B1F1");
        load.power_dw = 180;
        set_load(&f, load);
        wait(&f, 1000);
        assert_int_equal(f.n_out, 0);
        wait(&f, 4000);
        assert_int_equal(f.n_out, 31);  /* the same again */
        say(&f, TUYA_REPORT_SYNC_ANSWER, (const uint8_t[]) { 1 }, 1);
        wait(&f, 1000);
        assert_int_equal(f.n_out, 15);
        wait(&f, 5000);
        wait(&f, 5000);
        assert_int_equal(f.n_out, 15);
        wait(&f, 5000);                 /* given up */
        assert_int_equal(tuya_mcu_deadline(&f.mcu), f.mcu.tick_ms);
}

static void test_restart_forgets(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { 0 });
        connect(&f);
        tuya_mcu_restart(&f.mcu, f.now_ms);
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_int_equal(f.n_out, 0);   /* still starting */
        wait(&f, 300);
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_out(&f, HEARTBEAT_FIRST);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_out(&f, ZEROS);
        wait(&f, 5000);
        assert_int_equal(f.n_out, 0);
}

static void test_silence(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { 0 });
        connect(&f);
        tuya_mcu_silence(&f.mcu, f.now_ms + 5000);
        set_load(&f, (struct clamp) { 2300, 1000, 2300 });
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_int_equal(f.n_out, 0);
        wait(&f, 4000);
        assert_int_equal(f.n_out, 0);
        wait(&f, 1000);
        assert_int_equal(f.n_out, 3 * 15);
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_out(&f, HEARTBEAT_LATER);
}

static void test_bad_checksums(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { 0 });
        tuya_mcu_spoil_checksums(&f.mcu, 2);
        for (int i = 0; i < 2; i++) {
                say(&f, TUYA_HEARTBEAT, NULL, 0);
                assert_int_equal(tuya_frame_check(f.out, f.n_out), -EBADMSG);
        }
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_out(&f, HEARTBEAT_LATER);
        setup(&f, (struct tuya_mcu_options) { .bad_checksum_percent = 100 });
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_int_equal(tuya_frame_check(f.out, f.n_out), -EBADMSG);
}

static void test_noise_before_frames(void **state) {
        unsigned noisy = 0, frames = 0;
        const uint8_t *frame;
        struct framer framer;
        struct fixture f;

        (void) state;
        framer_init(&framer, tuya_frame_check);
        setup(&f, (struct tuya_mcu_options) { .noise_percent = 50, .seed = 7 });
        for (int i = 0; i < 200; i++) {
                say(&f, TUYA_HEARTBEAT, NULL, 0);
                noisy += f.n_out > 8;
                assert_true(framer_push(&framer, f.out, f.n_out) == f.n_out);
                while (framer_next(&framer, &frame) > 0)
                        frames++;
        }
        assert_in_range(noisy, 60, 140);
        assert_in_range(frames, 195, 200);
}

static void test_product_key(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .product_key = "tf6qp8t3hl9h7m94" });
        say(&f, TUYA_PRODUCT, NULL, 0);
        assert_memory_equal(f.out + 6, "{\"p\":\"tf6qp8t3hl9h7m94\",", 24);
        assert_int_equal(tuya_mcu_set_product(&f.mcu, "a\"b", f.now_ms), -EINVAL);
        assert_int_equal(tuya_mcu_set_product(&f.mcu, "", f.now_ms), -EINVAL);
        assert_int_equal(tuya_mcu_set_product(&f.mcu, "123456789012345678901234567890123", f.now_ms), -EINVAL);
        assert_int_equal(tuya_mcu_set_product(&f.mcu, "abcdefgh", f.now_ms), 0);
        f.now_ms += 500;
        say(&f, TUYA_PRODUCT, NULL, 0);
        assert_memory_equal(f.out + 6, "{\"p\":\"abcdefgh\",", 16);
}

/* Input in pieces, a flood of it, and rubbish: answers stay whole frames and the output its size. */
static void test_hostile_input(void **state) {
        static const uint8_t heartbeat[] = { 0x55, 0xaa, 0, 0, 0, 0, 0xff };
        struct framer framer;
        const uint8_t *frame;
        struct fixture f;

        (void) state;
        framer_init(&framer, tuya_frame_check);
        setup(&f, (struct tuya_mcu_options) { 0 });
        for (size_t i = 0; i < sizeof heartbeat; i++)
                tuya_mcu_input(&f.mcu, f.now_ms, heartbeat + i, 1);
        take(&f);
        assert_out(&f, HEARTBEAT_FIRST);
        tuya_mcu_input(&f.mcu, f.now_ms, heartbeat, 4);
        f.now_ms += 1000;               /* the half frame is given up */
        tuya_mcu_input(&f.mcu, f.now_ms, heartbeat, sizeof heartbeat);
        take(&f);
        assert_out(&f, HEARTBEAT_LATER);
        for (int i = 0; i < 10000; i++)
                tuya_mcu_input(&f.mcu, f.now_ms, heartbeat, sizeof heartbeat);
        take(&f);
        assert_in_range(f.n_out, 1000, TUYA_MCU_OUTPUT_MAX);
        for (size_t n = 0; n < f.n_out;) {
                n += framer_push(&framer, f.out + n, f.n_out - n);
                while (framer_next(&framer, &frame) > 0)
                        ;
        }
        assert_int_equal(framer.noise_bytes, 0);
        assert_int_equal(framer_pending(&framer), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_start_up_as_captured),
                cmocka_unit_test(test_reports_changes_only),
                cmocka_unit_test(test_quiet_current),
                cmocka_unit_test(test_averaging),
                cmocka_unit_test(test_sync_reports_wait_for_answers),
                cmocka_unit_test(test_restart_forgets),
                cmocka_unit_test(test_silence),
                cmocka_unit_test(test_bad_checksums),
                cmocka_unit_test(test_noise_before_frames),
                cmocka_unit_test(test_product_key),
                cmocka_unit_test(test_hostile_input),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
