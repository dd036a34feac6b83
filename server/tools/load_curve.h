/* What a household draws: base load, a fridge, a kettle now and then, lights and a screen in the evening. The same
 * for the same seed and time; integers only. */
#pragma once

#include <stdint.h>

struct load {
        int64_t voltage_mv;
        int64_t current_ma;
        int64_t power_mw;
};

/* time_ms: local time since 1970, so that the evening is one. */
void load_curve_at(uint64_t seed, int64_t time_ms, struct load *ret);

/* What panels on the roof give, in mW: between nothing and more than the house draws, within minutes and at any hour,
 * as under fast clouds, so that nobody has to wait for a power that changes its sign. */
int64_t solar_curve_at(uint64_t seed, int64_t time_ms);
