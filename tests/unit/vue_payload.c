#include "vue_payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/vue/zcl.h"

void payload_put(struct payload *p, const void *bytes, size_t len) {
        assert_true(p->len + len <= sizeof p->bytes);
        memcpy(p->bytes + p->len, bytes, len);
        p->len += len;
}

void payload_le(struct payload *p, uint64_t v, unsigned width) {
        for (unsigned i = 0; i < width; i++)
                payload_put(p, &(uint8_t) { (uint8_t) (v >> 8 * i) }, 1);
}

struct payload payload_zcl(void) {
        struct payload p = { 0 };

        payload_put(&p, "\x18\x07\x01", 3);
        return p;
}

void payload_status(struct payload *p, uint16_t id, uint8_t status) {
        payload_le(p, id, 2);
        payload_le(p, status, 1);
}

void payload_typed(struct payload *p, uint16_t id, uint8_t type) {
        payload_status(p, id, ZCL_SUCCESS);
        payload_le(p, type, 1);
}

void payload_integer(struct payload *p, uint16_t id, uint8_t type, uint64_t v) {
        payload_typed(p, id, type);
        payload_le(p, v, (type & 7) + 1u);
}

void payload_scale(struct payload *p, uint64_t multiplier, uint64_t divisor) {
        payload_integer(p, ZCL_MULTIPLIER, U24, multiplier);
        payload_integer(p, ZCL_DIVISOR, U24, divisor);
}

struct vue_reading *reading_of(const uint8_t *bytes, size_t len) {
        static struct vue_reading r;
        uint8_t *block = malloc(len > 0 ? len : 1);

        assert_non_null(block);
        if (len > 0)
                memcpy(block, bytes, len);
        vue_reading_decode(span_of(block, len), &r);
        free(block);
        return &r;
}

struct vue_reading *reading_of_payload(const struct payload *p) {
        return reading_of(p->bytes, p->len);
}

void assert_value(const struct vue_value *v, int64_t value) {
        assert_int_equal(v->presence, VUE_PRESENT);
        assert_true(v->has_raw);
        if (v->value != value)
                fail_msg("%lld is not %lld", (long long) v->value, (long long) value);
}

void assert_rejected(const struct vue_reading *r, enum vue_reject reject) {
        assert_string_equal(vue_reject_names[r->reject], vue_reject_names[reject]);
        assert_int_equal(r->power.presence, VUE_ABSENT);
        assert_int_equal(r->import.presence, VUE_ABSENT);
        assert_int_equal(r->export.presence, VUE_ABSENT);
}
