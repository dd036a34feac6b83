/* Any payload of a meter reading, in both layouts. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/vue/reading.h"
#include "protocols/vue/v2.h"
#include "protocols/vue/zcl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the machine has numbers that are wide enough, the value is computed again: it is at most half a count off. */
static void check_scale(const struct vue_reading *r, const struct vue_value *v) {
#ifdef __SIZEOF_INT128__
        __extension__ typedef unsigned __int128 wide;
        wide product = (wide) v->raw.magnitude * r->multiplier.number.magnitude, back, off;

        if (v->presence != VUE_PRESENT || __builtin_mul_overflow(product, (wide) 1000000, &product))
                return;
        back = (wide) (v->value < 0 ? 0 - (uint64_t) v->value : (uint64_t) v->value) * r->divisor.number.magnitude;
        off = back > product ? back - product : product - back;
        assert(off <= r->divisor.number.magnitude - off);
#else
        (void) r;
        (void) v;
#endif
}

static void check_value(const struct vue_reading *r, const struct vue_value *v) {
        assert(r->reject == VUE_OK || v->presence == VUE_ABSENT);
        assert(v->presence == VUE_ABSENT || v->has_raw);
        check_scale(r, v);
}

static void check_layout(const struct vue_reading *r, size_t size) {
        assert((r->layout == VUE_V2) == (size == VUE_V2_SIZE));
        assert((r->layout == VUE_ZCL) == r->has_sequence);
        assert(r->layout == VUE_ZCL || (r->n_attributes == 0 && !r->has_unit && !r->all_zero));
        assert(r->layout == VUE_V2 || (r->n_nonzero == 0 && !r->import_doubtful));
        assert(r->n_attributes <= VUE_ATTRIBUTES_MAX && r->n_nonzero <= VUE_NONZERO_MAX);
        assert(!r->all_zero || r->reject == VUE_UNSCALED);
        assert(r->reject != VUE_OK || (r->multiplier.number.magnitude > 0 && r->divisor.number.magnitude > 0));
}

static bool same_value(const struct vue_value *a, const struct vue_value *b) {
        return a->presence == b->presence && a->has_raw == b->has_raw && a->value == b->value &&
               a->raw.magnitude == b->raw.magnitude && a->raw.negative == b->raw.negative;
}

static void assert_same(const struct vue_reading *a, const struct vue_reading *b) {
        assert(a->layout == b->layout && a->reject == b->reject && a->step_mwh == b->step_mwh);
        assert(same_value(&a->power, &b->power) && same_value(&a->import, &b->import));
        assert(same_value(&a->export, &b->export) && a->import_if_true == b->import_if_true);
        assert(a->n_attributes == b->n_attributes && a->n_nonzero == b->n_nonzero && a->unit == b->unit);
}

/* In a block of exactly this size, so that a read past the end is seen. */
static void decode(const uint8_t *data, size_t size) {
        static struct vue_reading r, again;
        uint8_t *copy = malloc(size > 0 ? size : 1);

        if (!copy)
                abort();
        memset(&again, 0xff, sizeof again);  /* what was there before must not show */
        if (size > 0)
                memcpy(copy, data, size);
        vue_reading_decode(span_of(copy, size), &r);
        vue_reading_decode(span_of(copy, size), &again);
        free(copy);
        assert_same(&r, &again);
        check_layout(&r, size);
        check_value(&r, &r.power);
        check_value(&r, &r.import);
        check_value(&r, &r.export);
}

/* The walk alone moves on and stays inside. */
static void walk(struct span records) {
        struct zcl_record record;
        size_t offset = 0, before = 0;
        int r;

        while ((r = zcl_record_next(records, &offset, &record)) > 0) {
                assert(offset >= before + 3 && offset <= records.len);
                assert(record.value.len == 0 || (record.value.data >= records.data + before &&
                                                 record.value.data + record.value.len == records.data + offset));
                before = offset;
        }
        assert(r < 0 ? offset == before : offset == records.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t dump[VUE_V2_SIZE] = { 0 };

        decode(data, size < VUE_PAYLOAD_MAX ? size : VUE_PAYLOAD_MAX);
        walk(span_of(data, size));
        if (size > 0)
                memcpy(dump, data, size < sizeof dump ? size : sizeof dump);
        decode(dump, sizeof dump);
        return 0;
}
