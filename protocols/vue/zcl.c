#include "protocols/vue/zcl.h"

#include <errno.h>

enum {
        RECORD_HEADER_SIZE = 3,  /* id, status */
        READ_ATTRIBUTES_RESPONSE = 0x01,
        CONTROL_FRAME_TYPE = 0x03,    /* these bits of the frame control are not set in a global command */
        CONTROL_MANUFACTURER = 0x04,

        TYPE_OCTETS = 0x41,
        TYPE_TEXT = 0x42,
        NO_STRING = 0xff,

        NO_DEMAND = 0x800000,  /* in 24 bits, whatever their type */
        DEMAND_WIDTH = 3,
};

/* Types by number: widths grow by one from the first to the last of a row, or stay. */
static const struct {
        uint8_t first, last, width;
        bool grows, is_number, is_signed, is_integer;
} types[] = {
        { 0x00, 0x00, 0, false, false, false, false },  /* no data */
        { 0x08, 0x0f, 1, true, true, false, false },    /* data */
        { 0x10, 0x10, 1, false, true, false, false },   /* boolean */
        { 0x18, 0x1f, 1, true, true, false, false },    /* bitmap */
        { 0x20, 0x27, 1, true, true, false, true },     /* unsigned */
        { 0x28, 0x2f, 1, true, true, true, true },      /* signed */
        { 0x30, 0x31, 1, true, true, false, false },    /* enumeration */
        { 0x38, 0x38, 2, false, false, false, false },  /* floating point */
        { 0x39, 0x39, 4, false, false, false, false },
        { 0x3a, 0x3a, 8, false, false, false, false },
        { 0xe0, 0xe2, 4, false, false, false, false },  /* time of day, date, UTC */
        { 0xe8, 0xe9, 2, false, false, false, false },  /* cluster, attribute */
        { 0xea, 0xea, 4, false, false, false, false },  /* BACnet object */
        { 0xf0, 0xf0, 8, false, false, false, false },  /* IEEE address */
        { 0xf1, 0xf1, 16, false, false, false, false }, /* key */
};

enum { N_TYPES = sizeof types / sizeof types[0] };

/* Row of a type, N_TYPES when there is none. */
static size_t find_type(uint8_t type) {
        size_t i = 0;

        while (i < N_TYPES && (type < types[i].first || type > types[i].last))
                i++;
        return i;
}

static uint64_t get_le(struct span s) {
        uint64_t v = 0;

        for (size_t i = s.len; i > 0; i--)
                v = v << 8 | s.data[i - 1];
        return v;
}

/* Where the value begins and how long it is. */
static int value_of(struct span records, size_t offset, uint8_t type, struct span *ret) {
        size_t width, i;

        if (type == TYPE_OCTETS || type == TYPE_TEXT) {
                if (!span_has(records, offset, 1))
                        return -EBADMSG;
                width = records.data[offset] == NO_STRING ? 0 : records.data[offset];
                offset++;
        } else {
                i = find_type(type);
                if (i == N_TYPES)
                        return -EBADMSG;
                width = types[i].width + (types[i].grows ? (size_t) type - types[i].first : 0);
        }
        if (!span_has(records, offset, width))
                return -EBADMSG;
        *ret = span_of(records.data + offset, width);
        return 0;
}

int zcl_record_next(struct span records, size_t *offset, struct zcl_record *ret) {
        size_t at = *offset;
        struct zcl_record r;

        if (at >= records.len)
                return 0;
        if (!span_has(records, at, RECORD_HEADER_SIZE))
                return -EBADMSG;
        r = (struct zcl_record) {
                .id = (uint16_t) get_le(span_of(records.data + at, 2)),
                .status = records.data[at + 2],
        };
        at += RECORD_HEADER_SIZE;
        if (r.status == ZCL_SUCCESS) {
                if (!span_has(records, at, 1))
                        return -EBADMSG;
                r.type = records.data[at];
                if (value_of(records, at + 1, r.type, &r.value) < 0)
                        return -EBADMSG;
                at = (size_t) (r.value.data - records.data) + r.value.len;
        }
        *offset = at;
        *ret = r;
        return 1;
}

bool zcl_is_integer(uint8_t type) {
        size_t i = find_type(type);

        return i < N_TYPES && types[i].is_integer;
}

static bool has_sign_bit(struct span value) {
        return value.data[value.len - 1] & 0x80;
}

bool zcl_number(const struct zcl_record *r, struct vue_number *ret) {
        size_t i = find_type(r->type);
        uint64_t v;

        if (r->status != ZCL_SUCCESS || i == N_TYPES || !types[i].is_number)
                return false;
        v = get_le(r->value);
        if (types[i].is_signed && has_sign_bit(r->value)) {
                if (r->value.len < 8)
                        v |= UINT64_MAX << (8 * r->value.len);
                *ret = (struct vue_number) { .magnitude = 0 - v, .negative = true };
        } else {
                *ret = (struct vue_number) { .magnitude = v };
        }
        return true;
}

bool zcl_is_invalid(const struct zcl_record *r) {
        size_t i = find_type(r->type);
        uint64_t v, marker;

        if (r->status != ZCL_SUCCESS || i == N_TYPES || !types[i].is_integer)
                return false;
        v = get_le(r->value);
        marker = types[i].is_signed ? UINT64_C(1) << (8 * r->value.len - 1) : UINT64_MAX >> (64 - 8 * r->value.len);
        return v == marker;
}

const char *zcl_status_name(uint8_t status) {
        switch (status) {
        case ZCL_SUCCESS:
                return "success";
        case ZCL_FAILURE:
                return "failure";
        case ZCL_UNSUPPORTED_ATTRIBUTE:
                return "unsupported attribute";
        case ZCL_INVALID_VALUE:
                return "invalid value";
        case ZCL_TIMEOUT:
                return "timeout";
        default:
                return NULL;
        }
}

static enum vue_presence presence_of(const struct zcl_record *r) {
        if (r->status != ZCL_SUCCESS || !zcl_is_integer(r->type))
                return VUE_ABSENT;
        return zcl_is_invalid(r) ? VUE_INVALID : VUE_PRESENT;
}

static void take_factor(const struct zcl_record *r, struct vue_factor *ret) {
        *ret = (struct vue_factor) { .presence = presence_of(r) };
        if (ret->presence != VUE_ABSENT)
                zcl_number(r, &ret->number);
}

static void take_value(const struct zcl_record *r, struct vue_value *ret) {
        *ret = (struct vue_value) { .presence = presence_of(r) };
        ret->has_raw = ret->presence != VUE_ABSENT && zcl_number(r, &ret->raw);
}

static void take_demand(const struct zcl_record *r, struct vue_value *ret) {
        take_value(r, ret);
        if (ret->has_raw && r->value.len == DEMAND_WIDTH && ret->raw.magnitude == NO_DEMAND)
                ret->presence = VUE_INVALID;
}

/* What is no number of one byte is at any rate not the unit that is known. */
static void take_unit(const struct zcl_record *r, struct vue_reading *ret) {
        struct vue_number n;

        ret->has_unit = r->status == ZCL_SUCCESS;
        ret->unit = 0;
        if (ret->has_unit)
                ret->unit = zcl_number(r, &n) && !n.negative && n.magnitude < UINT8_MAX ? (uint8_t) n.magnitude
                                                                                        : UINT8_MAX;
}

/* The last one of the same id counts. */
static void take_record(const struct zcl_record *r, struct vue_reading *ret) {
        switch (r->id) {
        case ZCL_SUMMATION_DELIVERED:
                take_value(r, &ret->import);
                break;
        case ZCL_SUMMATION_RECEIVED:
                take_value(r, &ret->export);
                break;
        case ZCL_UNIT_OF_MEASURE:
                take_unit(r, ret);
                break;
        case ZCL_MULTIPLIER:
                take_factor(r, &ret->multiplier);
                break;
        case ZCL_DIVISOR:
                take_factor(r, &ret->divisor);
                break;
        case ZCL_INSTANTANEOUS_DEMAND:
                take_demand(r, &ret->power);
                break;
        default:
                break;
        }
}

static void keep_record(const struct zcl_record *r, struct vue_reading *ret) {
        struct vue_attribute *a;

        if (ret->n_attributes == VUE_ATTRIBUTES_MAX)
                return;
        a = &ret->attributes[ret->n_attributes++];
        *a = (struct vue_attribute) { .id = r->id, .status = r->status, .type = r->type,
                                      .width = (uint8_t) r->value.len };
        a->has_number = zcl_number(r, &a->number);
}

/* The list of attributes shows how far it could be read; no number of it counts. */
static void refuse_records(struct vue_reading *ret) {
        ret->reject = VUE_BAD_RECORD;
        ret->multiplier = ret->divisor = (struct vue_factor) { .presence = VUE_ABSENT };
        ret->power = ret->import = ret->export = (struct vue_value) { .presence = VUE_ABSENT };
        ret->has_unit = false;
        ret->unit = 0;
}

static bool is_zero(const struct vue_value *v) {
        return !v->has_raw || v->raw.magnitude == 0;
}

static bool factor_is_zero(const struct vue_factor *f) {
        return f->presence == VUE_PRESENT && f->number.magnitude == 0;
}

void zcl_reading_decode(struct span payload, struct vue_reading *ret) {
        struct span records = span_from(payload, ZCL_HEADER_SIZE);
        struct zcl_record record;
        size_t offset = 0;
        int r;

        if (payload.len < ZCL_HEADER_SIZE) {
                ret->reject = VUE_SHORT;
                return;
        }
        if (payload.data[0] & (CONTROL_FRAME_TYPE | CONTROL_MANUFACTURER) ||
            payload.data[2] != READ_ATTRIBUTES_RESPONSE) {
                ret->reject = VUE_NOT_READ_RESPONSE;
                return;
        }
        ret->layout = VUE_ZCL;
        ret->has_sequence = true;
        ret->sequence = payload.data[1];
        while ((r = zcl_record_next(records, &offset, &record)) > 0) {
                keep_record(&record, ret);
                take_record(&record, ret);
        }
        if (r < 0)
                refuse_records(ret);
        else
                ret->all_zero = factor_is_zero(&ret->multiplier) && factor_is_zero(&ret->divisor) &&
                                is_zero(&ret->power) && is_zero(&ret->import) && is_zero(&ret->export);
}
