/* A simulated meter with plain numbers for time, and what is said to it in one line. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "protocols/tuyamcu/frame.h"
#include "tools/tuya_mcu.h"

struct fixture {
        struct tuya_mcu mcu;
        uint64_t now_ms;
        uint8_t out[TUYA_MCU_OUTPUT_MAX];       /* what it said last */
        size_t n_out;
};

/* What the clamp measures, in the units of the wire. */
struct clamp {
        int64_t voltage_dv, current_ma, power_dw;
};

extern const struct clamp lamp;

/* A PJ-MGW1103 that measures the lamp, just started. */
void setup(struct fixture *f, struct tuya_mcu_options options);
void set_load(struct fixture *f, struct clamp load);

/* Each takes what the meter says to it. */
void take(struct fixture *f);
void say(struct fixture *f, uint8_t command, const uint8_t *data, size_t len);
void say_state(struct fixture *f, uint8_t state);
void let_pass(struct fixture *f, uint64_t ms);
void go_online(struct fixture *f);              /* as a module that reaches its cloud */

void assert_out(const struct fixture *f, const char *hex);
