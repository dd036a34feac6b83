#include "protocols/tuyamcu/datapoint.h"

#include <errno.h>
#include <string.h>

#include "protocols/tuyamcu/layout.h"

/* Types bool, value, enum and bitmap with 1 to 4 bytes are unsigned, only a value of 4 bytes is signed.
 * Everything else keeps its bytes. */
static void read_number(struct tuya_datapoint *d) {
        uint64_t v;

        if (d->type == DATAPOINT_RAW || d->type == DATAPOINT_STRING || d->type >= DATAPOINT_TYPE_COUNT)
                return;
        if (d->value.len > 4 || !span_get_be(d->value, 0, d->value.len, &v))
                return;
        d->numeric = true;
        d->number = d->type == DATAPOINT_VALUE && d->value.len == 4 ? (int64_t) (int32_t) v : (int64_t) v;
}

int tuya_datapoint_next(struct span data, size_t *offset, struct tuya_datapoint *ret,
                        struct tuya_truncation *ret_truncation) {
        struct span rest = span_from(data, *offset);
        uint16_t length;

        if (rest.len == 0)
                return 0;
        if (rest.len < TUYA_UNIT_HEADER_SIZE) {
                *ret_truncation = (struct tuya_truncation) { .id = rest.data[0] };
                return -EBADMSG;
        }
        length = get_be16(rest.data + 2);
        if (!span_has(rest, TUYA_UNIT_HEADER_SIZE, length)) {
                *ret_truncation = (struct tuya_truncation) {
                        .has_declared = true, .id = rest.data[0], .declared = length,
                        .present = rest.len - TUYA_UNIT_HEADER_SIZE,
                };
                return -EBADMSG;
        }
        *ret = (struct tuya_datapoint) {
                .id = rest.data[0], .type = rest.data[1],
                .value = span_of(rest.data + TUYA_UNIT_HEADER_SIZE, length),
        };
        read_number(ret);
        *offset += TUYA_UNIT_HEADER_SIZE + (size_t) length;
        return 1;
}

size_t tuya_datapoint_put(uint8_t *buf, size_t cap, uint8_t id, uint8_t type, int32_t number) {
        uint16_t length = type == DATAPOINT_VALUE ? 4 : 1;

        if (cap < TUYA_UNIT_HEADER_SIZE + (size_t) length)
                return 0;
        buf[0] = id;
        buf[1] = type;
        put_be16(buf + 2, length);
        if (length == 4)
                put_be32(buf + TUYA_UNIT_HEADER_SIZE, (uint32_t) number);
        else
                buf[TUYA_UNIT_HEADER_SIZE] = (uint8_t) number;
        return TUYA_UNIT_HEADER_SIZE + (size_t) length;
}

void tuya_directions_note(struct tuya_directions *dir, const struct tuya_datapoint *d) {
        if (!d->numeric || d->number < 0 || d->number > UINT8_MAX)
                return;
        dir->known[d->id] = true;
        dir->value[d->id] = (uint8_t) d->number;
}

/* raw * num / den, rounded half away from zero. False when it leaves the range. */
static bool scale(int64_t raw, const struct profile_datapoint *row, int64_t *ret) {
        int64_t product, half = row->scale_den / 2;

        if (__builtin_mul_overflow(raw, row->scale_num, &product))
                return false;
        if (__builtin_add_overflow(product, product < 0 ? -half : half, &product))
                return false;
        product /= row->scale_den;
        if (product == INT64_MIN)
                return false;  /* could not be negated */
        *ret = product;
        return true;
}

static bool apply_sign(const struct profile_datapoint *row, const struct tuya_directions *dir, int64_t *value) {
        bool negate = row->inverted;

        if (row->direction_id != 0) {
                if (!dir->known[row->direction_id])
                        return false;
                negate ^= dir->value[row->direction_id] == row->direction_reverse;
        }
        if (negate)
                *value = -*value;
        return true;
}

/* A negative number of 32 bits that went through an unsigned division by ten: 2^32 / 10 is 429496730. No power comes
 * near without it. */
static int64_t undo_wrap(const struct profile_datapoint *row, int64_t number) {
        bool is_wrapped = row->quantity == Q_POWER && number >= 429346730 && number <= 429496730;

        return is_wrapped ? number - 429496730 : number;
}

/* A register of 32 bits begins anew after 2^32 counts. */
static int64_t wrap_of(const struct profile_datapoint *row) {
        int64_t wrap;

        return __builtin_mul_overflow(INT64_C(1) << 32, row->scale_num, &wrap) ? 0 : wrap / row->scale_den;
}

/* Readings of a raw value; a power whose direction is not known yet is left out. */
static unsigned map_layout(const struct profile_datapoint *row, const struct tuya_directions *dir,
                           const struct tuya_datapoint *d, struct report *report) {
        struct report own = { .count = 0 };
        unsigned count = 0;

        if (d->type != DATAPOINT_RAW)
                return 0;
        tuya_layout_map(row, d->value, d->id, &own, NULL);
        for (unsigned i = 0; i < own.count; i++) {
                struct reading *r = &own.readings[i];

                if (r->quantity == Q_POWER && !apply_sign(row, dir, &r->value))
                        continue;
                count += report_set(report, *r);
        }
        return count;
}

unsigned tuya_datapoint_map(const struct profile *profile, const struct tuya_directions *dir,
                            const struct tuya_datapoint *d, struct report *report) {
        const struct profile_datapoint *row = profile_datapoint(profile, d->id);
        int64_t value;

        if (!row || (row->is_increment && !tuya_counts_increment(profile, row)))
                return 0;
        if (row->layout != LAYOUT_NONE)
                return map_layout(row, dir, d, report);
        if (row->quantity == Q_NONE || !d->numeric)
                return 0;
        if (!scale(undo_wrap(row, d->number), row, &value) || !apply_sign(row, dir, &value))
                return 0;
        return report_set(report, (struct reading) {
                .value = value, .step = (row->scale_num + row->scale_den - 1) / row->scale_den,
                .wrap = row->is_increment ? 0 : wrap_of(row), .is_increment = row->is_increment, .origin = d->id,
                .channel = row->channel, .quantity = row->quantity,
        });
}
