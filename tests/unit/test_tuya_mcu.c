/* The simulated meter against what the captures of the real one show. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocols/framer.h"
#include "tools/tuya_points.h"
#include "tuya_mcu_bench.h"

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
        let_pass(&f, 60000);
        assert_int_equal(f.n_out, 0);
        say_state(&f, 4);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_out(&f, ZEROS);
        let_pass(&f, 1000);
        assert_int_equal(f.n_out, 3 * 15);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_out(&f, LAMP_QUERY);
}

static void test_reports_changes_only(void **state) {
        struct clamp load = lamp;
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .interval_ms = 10000 });
        go_online(&f);
        assert_int_equal(f.n_out, 3 * 15);
        let_pass(&f, 10000);
        assert_int_equal(f.n_out, 0);
        load.power_dw = 180;
        set_load(&f, load);
        let_pass(&f, 9999);
        assert_int_equal(f.n_out, 0);
        let_pass(&f, 1);
        assert_out(&f, "55AA0307000813020004000000B4DE");
}

static void test_quiet_current(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .quiet_current = true });
        go_online(&f);
        set_load(&f, (struct clamp) { 2403, 83, 177 });
        let_pass(&f, 1000);
        assert_int_equal(f.n_out, 0);
        /* Power falls to 0 and the current stays on display, as with the real meter. */
        set_load(&f, (struct clamp) { 2403, 0, 0 });
        let_pass(&f, 1000);
        assert_out(&f, "55AA0307000813020004000000002A");
        set_load(&f, (struct clamp) { 2403, 800, 1700 });
        let_pass(&f, 1000);
        assert_int_equal(f.n_out, 2 * 15);
}

static void test_averaging(void **state) {
        static const int32_t expected[] = { 88, 132, 154, 165, 171, 174, 175, 176, 177, 177 };
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .averaging = true });
        say_state(&f, 4);
        for (size_t i = 0; i < ELEMENTS(expected); i++) {
                let_pass(&f, 1000);
                assert_int_equal(get_be16(f.mcu.shown.items[2].value + 2), expected[i]);
        }
}

static void test_sync_reports_wait_for_answers(void **state) {
        struct clamp load = lamp;
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .sync = true });
        go_online(&f);
        assert_out(&f, "55AA03220018120200040000004D1402000400000963" "13020004000000B1F1");
        load.power_dw = 180;
        set_load(&f, load);
        let_pass(&f, 1000);
        assert_int_equal(f.n_out, 0);
        let_pass(&f, 4000);
        assert_int_equal(f.n_out, 31);  /* the same again */
        say(&f, TUYA_REPORT_SYNC_ANSWER, (const uint8_t[]) { 1 }, 1);
        let_pass(&f, 1000);
        assert_int_equal(f.n_out, 15);
        let_pass(&f, 5000);
        let_pass(&f, 5000);
        assert_int_equal(f.n_out, 15);
        let_pass(&f, 5000);                 /* given up */
        assert_int_equal(tuya_mcu_deadline(&f.mcu), f.mcu.tick_ms);
}

static void test_restart_forgets(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { 0 });
        go_online(&f);
        tuya_mcu_restart(&f.mcu, f.now_ms);
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_int_equal(f.n_out, 0);   /* still starting */
        let_pass(&f, 300);
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_out(&f, HEARTBEAT_FIRST);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_out(&f, ZEROS);
        let_pass(&f, 5000);
        assert_int_equal(f.n_out, 0);
}

static void test_silence(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { 0 });
        go_online(&f);
        tuya_mcu_silence(&f.mcu, f.now_ms + 5000);
        set_load(&f, (struct clamp) { 2300, 1000, 2300 });
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_int_equal(f.n_out, 0);
        let_pass(&f, 4000);
        assert_int_equal(f.n_out, 0);
        let_pass(&f, 1000);
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

struct heard {
        unsigned count;
        uint8_t command;
        size_t len;
};

static void hear(void *userdata, uint8_t command, struct span data) {
        struct heard *h = userdata;

        *h = (struct heard) { h->count + 1, command, data.len };
}

static void test_requests(void **state) {
        struct heard heard = { 0 };
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .answer = hear, .userdata = &heard, .mode_pins = true });
        go_online(&f);
        say(&f, TUYA_MODE, NULL, 0);
        assert_out(&f, "55AA03020002080715");
        tuya_mcu_request(&f.mcu, f.now_ms, TUYA_EXTENDED, (const uint8_t[]) { 3 }, 1);
        take(&f);
        assert_out(&f, "55AA0334000103" "3A");
        say(&f, TUYA_EXTENDED, (const uint8_t[]) { 3, 1 }, 2);
        say(&f, TUYA_EXTENDED, (const uint8_t[]) { 3, 1 }, 2);  /* asked for by nobody */
        assert_int_equal(heard.count, 1);
        assert_int_equal(heard.command, TUYA_EXTENDED);
        assert_int_equal(heard.len, 2);
        tuya_mcu_request(&f.mcu, f.now_ms, TUYA_RESET_WIFI, NULL, 0);
        assert_int_equal(tuya_mcu_deadline(&f.mcu), TUYA_MCU_NEVER);  /* pairing */
        say_state(&f, 4);
        assert_int_equal(tuya_mcu_deadline(&f.mcu), f.now_ms + 1000);
}

/* ---- being told ---- */

static const struct profile plug = {
        .name = "plug", .protocol = "tuyamcu", .n_channels = 1, .n_datapoints = 0,
};

static void set_up_plug(struct fixture *f, struct tuya_mcu_options options) {
        static const struct profile_datapoint rows[] = {
                { .id = 1, .type = DATAPOINT_BOOL, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1,
                  .writable = true },
                { .id = 9, .type = DATAPOINT_VALUE, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1,
                  .writable = true },
                { .id = 30, .type = DATAPOINT_STRING, .quantity = Q_NONE, .writable = true },
                { .id = 41, .type = DATAPOINT_BOOL, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1 },
        };
        struct profile *p = test_calloc(1, sizeof *p + sizeof rows);
        struct measured nothing = { 0 };
        struct tuya_points points;

        *p = plug;
        p->n_datapoints = ELEMENTS(rows);
        memcpy(p->datapoints, rows, sizeof rows);
        setup(f, options);
        tuya_points_put(p, PHASE_8, &nothing, &points);
        tuya_mcu_set_load(&f->mcu, &points);
        tuya_mcu_set_load(&f->mcu, &points);
        test_free(p);
}

static void assert_says(const struct fixture *f, const uint8_t *frame, size_t len) {
        assert_int_equal(f->n_out, len);
        if (len > 0)
                assert_memory_equal(f->out, frame, len);
}

static void test_obeys(void **state) {
        static const uint8_t on[] = { 1, DATAPOINT_BOOL, 0, 1, 1 }, off[] = { 1, DATAPOINT_BOOL, 0, 1, 0 };
        static const uint8_t reported_on[] = { 0x55, 0xaa, 3, 7, 0, 5, 1, 1, 0, 1, 1, 0x12 };
        static const uint8_t no[][8] = {
                { 41, DATAPOINT_BOOL, 0, 1, 1 }, { 2, DATAPOINT_BOOL, 0, 1, 1 }, { 1, DATAPOINT_ENUM, 0, 1, 1 },
                { 1, DATAPOINT_BOOL, 0, 2, 0, 1 }, { 1, DATAPOINT_BOOL, 0, 0 }, { 1, DATAPOINT_BOOL, 0, 9, 1 },
        };
        static const size_t no_len[] = { 5, 5, 5, 6, 4, 5 };
        static const uint8_t text[] = { 30, DATAPOINT_STRING, 0, 3, 'a', 'b', 'c' };
        struct fixture f;

        (void) state;
        set_up_plug(&f, (struct tuya_mcu_options) { .seed = 1 });
        say(&f, TUYA_SET, on, sizeof on);
        assert_says(&f, reported_on, sizeof reported_on);
        for (size_t i = 0; i < ELEMENTS(no); i++) {
                say(&f, TUYA_SET, no[i], no_len[i]);
                assert_int_equal(f.n_out, 0);
        }
        say(&f, TUYA_SET, text, sizeof text);
        assert_memory_equal(f.out + TUYA_HEADER_SIZE, text, sizeof text);
        /* A relay stays where it is. */
        tuya_mcu_restart(&f.mcu, f.now_ms);
        f.now_ms += 500;
        say(&f, TUYA_SET, NULL, 0);
        assert_int_equal(f.n_out, 0);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_memory_equal(f.out, reported_on, sizeof reported_on);
        say(&f, TUYA_SET, off, sizeof off);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_memory_equal(f.out + TUYA_HEADER_SIZE, off, sizeof off);
}

static void test_low_power(void **state) {
        static const uint8_t done = 0;
        struct clamp load = lamp;
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .low_power = true });
        say(&f, TUYA_HEARTBEAT, NULL, 0);
        assert_int_equal(f.n_out, 0);
        say(&f, 0x02, (const uint8_t[]) { 4 }, 1);
        assert_out(&f, "55AA0002000001");
        let_pass(&f, 1000);
        assert_int_equal(f.n_out, 31);
        assert_int_equal(f.out[2], 0);
        assert_int_equal(f.out[3], 0x05);
        for (int i = 0; i < 5; i++) {
                let_pass(&f, 5000);
                assert_int_equal(f.n_out, 31);  /* until it is acknowledged */
        }
        say(&f, 0x05, &done, 1);
        load.power_dw = 180;
        set_load(&f, load);
        let_pass(&f, 1000);
        assert_out(&f, "55AA0008000F" "00000000000000" "13020004000000B4" "E3");
        say(&f, 0x08, &done, 1);
        assert_int_equal(f.mcu.ack_deadline_ms, TUYA_MCU_NEVER);
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
                cmocka_unit_test(test_requests),
                cmocka_unit_test(test_obeys),
                cmocka_unit_test(test_low_power),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
