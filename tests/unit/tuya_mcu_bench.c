#include "tuya_mcu_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "tools/measured.h"
#include "tools/tuya_points.h"

#define START_MS 1000000

const struct clamp lamp = { .voltage_dv = 2403, .current_ma = 77, .power_dw = 177 };

void set_load(struct fixture *f, struct clamp load) {
        struct measured m = { 0 };
        struct tuya_points points;

        measured_put(&m, 0, Q_VOLTAGE, load.voltage_dv * 100);
        measured_put(&m, 0, Q_CURRENT, load.current_ma);
        measured_put(&m, 0, Q_POWER, load.power_dw * 100);
        tuya_points_put(&pj_mgw1103_captured, PHASE_8, &m, &points);
        tuya_mcu_set_load(&f->mcu, &points);
}

void setup(struct fixture *f, struct tuya_mcu_options options) {
        f->now_ms = START_MS;
        tuya_mcu_init(&f->mcu, &options, f->now_ms);
        set_load(f, lamp);
        f->now_ms += 500;
}

void take(struct fixture *f) {
        f->n_out = tuya_mcu_output(&f->mcu, f->out);
}

void say(struct fixture *f, uint8_t command, const uint8_t *data, size_t len) {
        uint8_t frame[32];

        tuya_mcu_input(&f->mcu, f->now_ms, frame, tuya_frame_build(frame, sizeof frame, 0, command, data, len));
        take(f);
}

void say_state(struct fixture *f, uint8_t state) {
        say(f, TUYA_NETWORK_STATE, &state, 1);
}

void let_pass(struct fixture *f, uint64_t ms) {
        f->now_ms += ms;
        tuya_mcu_run(&f->mcu, f->now_ms);
        take(f);
}

void assert_out(const struct fixture *f, const char *hex) {
        char is[2 * TUYA_MCU_OUTPUT_MAX + 1] = "";

        for (size_t i = 0; i < f->n_out; i++)
                snprintf(is + 2 * i, 3, "%02X", f->out[i]);
        assert_string_equal(is, hex);
}

void go_online(struct fixture *f) {
        say(f, TUYA_HEARTBEAT, NULL, 0);
        say_state(f, 4);
        let_pass(f, 1000);
}
