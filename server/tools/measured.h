/* Everything that one meter measures at one moment, by channel and quantity. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/quantity.h"
#include "protocols/report.h"

struct measured {
        bool has[CHANNELS_MAX][Q_COUNT];
        int64_t value[CHANNELS_MAX][Q_COUNT];  /* catalogue resolution; valid where has is set */
};

static inline void measured_put(struct measured *m, unsigned channel, unsigned quantity, int64_t value) {
        m->has[channel][quantity] = true;
        m->value[channel][quantity] = value;
}
