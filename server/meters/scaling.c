#include "meters/scaling.h"

#include "protocols/quantity.h"

static bool is_scaled(unsigned quantity) {
        switch (quantity) {
        case Q_CURRENT:
        case Q_POWER:
        case Q_APPARENT_POWER:
        case Q_REACTIVE_POWER:
        case Q_ENERGY_IMPORT:
        case Q_ENERGY_EXPORT:
                return true;
        default:
                return false;
        }
}

static bool scale(const struct meter_config *c, int64_t *value) {
        int64_t product, half = c->scale_den / 2;

        if (__builtin_mul_overflow(*value, c->scale_num, &product) ||
            __builtin_add_overflow(product, product < 0 ? -half : half, &product))
                return false;
        *value = product / c->scale_den;
        return true;
}

bool scaling_apply(const struct meter_config *config, struct reading *reading) {
        if (!is_scaled(reading->quantity) || config->scale_num == config->scale_den)
                return true;
        /* Where it begins anew matters only if it can be reached. */
        if (!scale(config, &reading->wrap))
                reading->wrap = 0;
        return scale(config, &reading->value) && scale(config, &reading->step);
}
