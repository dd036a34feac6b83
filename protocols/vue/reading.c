#include "protocols/vue/reading.h"

#include <string.h>

#include "protocols/vue/v2.h"
#include "protocols/vue/zcl.h"

const char *const vue_layout_names[VUE_LAYOUT_COUNT] = {
        [VUE_LAYOUT_NONE] = "none",
        [VUE_V2] = "v2",
        [VUE_ZCL] = "zcl",
};

const char *const vue_reject_names[VUE_REJECT_COUNT] = {
        [VUE_OK] = "ok",
        [VUE_SHORT] = "short",
        [VUE_NOT_READ_RESPONSE] = "not_read_response",
        [VUE_BAD_RECORD] = "bad_record",
        [VUE_NO_SCALE] = "no_scale",
        [VUE_UNSCALED] = "unscaled",
        [VUE_BAD_LENGTH] = "bad_length",
        [VUE_UNKNOWN_TYPE] = "unknown_type",
};

enum {
        MICRO = 1000000,  /* kW and kWh in mW and mWh */
        LIMBS = 6,        /* 64 bits by 64 bits by MICRO is below 192 bits; no wider type exists on every machine */
};

/* Little-endian in 32-bit limbs. */
struct wide {
        uint32_t limbs[LIMBS];
};

static struct wide wide_multiply(const struct wide *a, uint64_t b) {
        const uint32_t halves[2] = { (uint32_t) b, (uint32_t) (b >> 32) };
        struct wide product = { { 0 } };

        for (unsigned h = 0; h < 2; h++) {
                uint64_t carry = 0;

                for (unsigned i = 0; i + h < LIMBS; i++) {
                        carry += (uint64_t) a->limbs[i] * halves[h] + product.limbs[i + h];
                        product.limbs[i + h] = (uint32_t) carry;
                        carry >>= 32;
                }
        }
        return product;
}

/* Rounded half away from zero; divisor is not 0. False when the quotient does not fit. */
static bool wide_divide(const struct wide *a, uint64_t divisor, uint64_t *ret) {
        uint64_t quotient = 0, rest = 0;

        for (unsigned bit = 32 * LIMBS; bit-- > 0;) {
                bool overflow = rest >> 63;

                if (quotient >> 63)
                        return false;
                rest = rest << 1 | (a->limbs[bit / 32] >> bit % 32 & 1);
                quotient <<= 1;
                if (overflow || rest >= divisor) {
                        rest -= divisor;
                        quotient |= 1;
                }
        }
        if (rest >= divisor - rest && ++quotient == 0)
                return false;
        *ret = quotient;
        return true;
}

/* raw * multiplier / divisor, from units to millionths. False when it leaves the range. */
static bool scale(struct vue_number raw, const struct vue_reading *r, int64_t *ret) {
        struct vue_number m = r->multiplier.number, d = r->divisor.number;
        bool negative = raw.negative ^ m.negative ^ d.negative;
        struct wide product = { { (uint32_t) raw.magnitude, (uint32_t) (raw.magnitude >> 32) } };
        uint64_t v;

        product = wide_multiply(&product, m.magnitude);
        product = wide_multiply(&product, MICRO);
        if (!wide_divide(&product, d.magnitude, &v) || v > (uint64_t) INT64_MAX + negative)
                return false;
        *ret = !negative ? (int64_t) v : v == 0 ? 0 : -(int64_t) (v - 1) - 1;
        return true;
}

static void scale_value(const struct vue_reading *r, struct vue_value *v) {
        if (v->presence == VUE_PRESENT && !scale(v->raw, r, &v->value))
                v->presence = VUE_ABSENT;
}

/* One count in mWh; never below the 1 that can be told. */
static int64_t step_of(const struct vue_reading *r) {
        int64_t step;

        if (!scale((struct vue_number) { .magnitude = 1 }, r, &step) || step == INT64_MIN)
                return 0;
        return step == 0 ? 1 : step < 0 ? -step : step;
}

static int64_t wrap_of(const struct vue_reading *r) {
        struct vue_number counts = { .magnitude = r->layout == VUE_V2 ? UINT64_C(1) << 32 : UINT64_C(1) << 48 };
        int64_t wrap;

        return scale(counts, r, &wrap) && wrap > 0 ? wrap : 0;
}

static enum vue_reject scale_reject(const struct vue_reading *r) {
        if (r->multiplier.presence != VUE_PRESENT || r->divisor.presence != VUE_PRESENT)
                return VUE_NO_SCALE;
        if (r->multiplier.number.magnitude == 0 || r->divisor.number.magnitude == 0)
                return VUE_UNSCALED;
        return VUE_OK;
}

static void refuse_values(struct vue_reading *r) {
        r->power.presence = r->import.presence = r->export.presence = VUE_ABSENT;
        r->import_doubtful = false;
}

void vue_reading_decode(struct span payload, struct vue_reading *ret) {
        memset(ret, 0, sizeof *ret);
        if (payload.len == VUE_V2_SIZE)
                vue_v2_decode(payload, ret);
        else
                zcl_reading_decode(payload, ret);
        if (ret->reject == VUE_OK)
                ret->reject = scale_reject(ret);
        if (ret->reject != VUE_OK) {
                refuse_values(ret);
                return;
        }
        scale_value(ret, &ret->power);
        scale_value(ret, &ret->import);
        scale_value(ret, &ret->export);
        if (ret->import_doubtful && !scale(ret->import.raw, ret, &ret->import_if_true))
                ret->import_if_true = 0;
        ret->step_mwh = step_of(ret);
        ret->wrap_mwh = wrap_of(ret);
}

enum vue_reject vue_frame_reject(struct vue_frame frame) {
        size_t size;

        switch (frame.type) {
        case VUE_READ:
                return VUE_OK;
        case VUE_FIRMWARE:
        case VUE_JOIN:
        case VUE_NOTICE:
                size = 1;
                break;
        case VUE_MAC:
                size = VUE_MAC_SIZE;
                break;
        case VUE_INSTALL_CODE:
                size = VUE_INSTALL_CODE_SIZE;
                break;
        default:
                return VUE_UNKNOWN_TYPE;
        }
        return frame.payload.len == size ? VUE_OK : VUE_BAD_LENGTH;
}

/* The wire has the last byte first. */
void vue_mac_text(struct span payload, char *buf) {
        static const char digits[] = "0123456789ABCDEF";

        for (size_t i = 0; i < VUE_MAC_SIZE; i++) {
                uint8_t byte = payload.data[VUE_MAC_SIZE - 1 - i];

                *buf++ = digits[byte >> 4];
                *buf++ = digits[byte & 0x0f];
                *buf++ = i < VUE_MAC_SIZE - 1 ? ':' : '\0';
        }
}

int64_t vue_number_clamped(struct vue_number n) {
        if (n.magnitude > INT64_MAX)
                return n.negative ? INT64_MIN : INT64_MAX;
        return n.negative ? -(int64_t) n.magnitude : (int64_t) n.magnitude;
}
