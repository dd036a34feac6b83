#include "protocols/vue/v2.h"

/*   0   4       44          48       52      53      57     148
 *   ..  energy  multiplier  divisor  format  format  power  ms (LE)
 * Everything between is zero in all that has been published; what else may stand there is not known. */
enum {
        ENERGY = 4,
        MULTIPLIER = 44,
        DIVISOR = 48,
        SUMMATION_FORMAT = 52,
        DEMAND_FORMAT = 53,
        POWER = 57,
        POWER_WIDTH = 3,
        MILLISECONDS = 148,

        NO_POWER = -0x800000,
        DOUBTFUL_ENERGY = 0x00400000,
};

static const struct { uint8_t begin, end; } zero_areas[] = { { 0, 4 }, { 8, 44 }, { 54, 57 }, { 60, 148 } };

static struct vue_number number_of(int64_t v) {
        return (struct vue_number) { .magnitude = v < 0 ? 0 - (uint64_t) v : (uint64_t) v, .negative = v < 0 };
}

static uint32_t get_word(struct span payload, size_t offset) {
        uint64_t v = 0;

        span_get_be(payload, offset, 4, &v);
        return (uint32_t) v;
}

static struct vue_factor factor_at(struct span payload, size_t offset) {
        uint32_t v = get_word(payload, offset);

        return (struct vue_factor) {
                .presence = v == UINT32_MAX ? VUE_INVALID : VUE_PRESENT,
                .number = number_of(v),
        };
}

static void take_energy(struct span payload, struct vue_reading *ret) {
        uint32_t v = get_word(payload, ENERGY);
        bool is_marker = v == 0 || v == UINT32_MAX || v == DOUBTFUL_ENERGY;

        ret->import = (struct vue_value) {
                .presence = is_marker ? VUE_INVALID : VUE_PRESENT,
                .has_raw = true,
                .raw = number_of(v),
        };
        ret->import_doubtful = v == DOUBTFUL_ENERGY;
}

static void take_power(struct span payload, struct vue_reading *ret) {
        int64_t v = 0;

        span_get_be_signed(payload, POWER, POWER_WIDTH, &v);
        ret->power = (struct vue_value) {
                .presence = v == NO_POWER ? VUE_INVALID : VUE_PRESENT,
                .has_raw = true,
                .raw = number_of(v),
        };
}

static void list_nonzero(struct span payload, struct vue_reading *ret) {
        for (size_t a = 0; a < sizeof zero_areas / sizeof zero_areas[0]; a++)
                for (unsigned i = zero_areas[a].begin; i < zero_areas[a].end; i++)
                        if (payload.data[i] != 0)
                                ret->nonzero[ret->n_nonzero++] = (struct vue_nonzero) { (uint8_t) i,
                                                                                        payload.data[i] };
}

void vue_v2_decode(struct span payload, struct vue_reading *ret) {
        const uint8_t *ms = payload.data + MILLISECONDS;

        ret->layout = VUE_V2;
        ret->multiplier = factor_at(payload, MULTIPLIER);
        ret->divisor = factor_at(payload, DIVISOR);
        ret->summation_format = payload.data[SUMMATION_FORMAT];
        ret->demand_format = payload.data[DEMAND_FORMAT];
        ret->meter_ts_ms = (uint32_t) ms[3] << 24 | (uint32_t) ms[2] << 16 | (uint32_t) ms[1] << 8 | ms[0];
        take_energy(payload, ret);
        take_power(payload, ret);
        list_nonzero(payload, ret);
}
