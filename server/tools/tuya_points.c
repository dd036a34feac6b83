#include "tools/tuya_points.h"

#include <string.h>

#include "protocols/bytes.h"

enum {
        UNIT_HEADER_SIZE = 4,
        INCREMENT = 1,  /* what was used since the last report: the least there is */
};

const struct profile pj_mgw1103_captured = {
        .name = "pj-mgw1103", .protocol = "tuyamcu",
        .n_product_keys = 1, .product_keys = { "djfep9s6s3b2qk89" },
        .n_channels = 1, .n_datapoints = 3,
        .datapoints = {
                { .id = 18, .type = DATAPOINT_VALUE, .quantity = Q_CURRENT, .scale_num = 1, .scale_den = 1 },
                { .id = 20, .type = DATAPOINT_VALUE, .quantity = Q_VOLTAGE, .scale_num = 100, .scale_den = 1 },
                { .id = 19, .type = DATAPOINT_VALUE, .quantity = Q_POWER, .scale_num = 100, .scale_den = 1 },
        },
};

static bool is_layout(const struct profile_datapoint *row) {
        return row->type == DATAPOINT_RAW && row->layout != LAYOUT_NONE;
}

static bool is_mapped(const struct profile_datapoint *row) {
        return !is_layout(row) && row->quantity != Q_NONE && !row->is_increment;
}

/* The number on the wire for a value: the nearest one. */
static int64_t raw_of(const struct profile_datapoint *row, int64_t value) {
        bool is_value = row->type == DATAPOINT_VALUE;
        int64_t max = is_value ? INT32_MAX : UINT8_MAX, min = is_value ? -max : 0, half = row->scale_num / 2;
        int64_t raw = (value * row->scale_den + (value < 0 ? -half : half)) / row->scale_num;

        return raw > max ? max : raw < min ? min : raw;
}

/* The value of a number on the wire, as the profile says: half away from zero. */
static int64_t value_of(const struct profile_datapoint *row, int64_t raw) {
        int64_t product = raw * row->scale_num;

        return (product + (product < 0 ? -row->scale_den / 2 : row->scale_den / 2)) / row->scale_den;
}

void tuya_points_has(const struct profile *p, enum phase_form form, struct measured *ret) {
        *ret = (struct measured) { 0 };
        for (unsigned i = 0; i < p->n_datapoints; i++) {
                const struct profile_datapoint *row = &p->datapoints[i];

                if (is_layout(row))
                        layout_writer_has(row, form, ret);
                else if (is_mapped(row))
                        ret->has[row->channel][row->quantity] = true;
        }
}

void tuya_points_round(const struct profile *p, enum phase_form form, struct measured *m) {
        for (unsigned i = 0; i < p->n_datapoints; i++) {
                const struct profile_datapoint *row = &p->datapoints[i];
                int64_t *value;

                if (is_layout(row)) {
                        layout_writer_round(row, form, m);
                } else if (is_mapped(row)) {
                        value = &m->value[row->channel][row->quantity];
                        *value = value_of(row, raw_of(row, *value));
                }
        }
}

static void put_number(struct tuya_point *point, int64_t number) {
        point->len = point->type == DATAPOINT_VALUE ? 4 : 1;
        if (point->type == DATAPOINT_VALUE)
                put_be32(point->value, (uint32_t) number);
        else
                point->value[0] = (uint8_t) number;
}

static void put_mapped(const struct profile_datapoint *row, const struct measured *m, struct tuya_point *point) {
        int64_t number = raw_of(row, m->value[row->channel][row->quantity]);

        if (row->inverted)
                number = -number;
        if (row->direction_id != 0 && number < 0)
                number = -number;
        point->quantity = row->quantity;
        point->varies = true;
        put_number(point, number);
}

static void put_row(const struct profile_datapoint *row, enum phase_form form, const struct measured *m,
                    struct tuya_point *point) {
        *point = (struct tuya_point) { .id = row->id, .type = row->type, .quantity = Q_NONE,
                                       .writable = row->writable };
        if (is_layout(row)) {
                struct measured brings = { 0 };

                layout_writer_has(row, form, &brings);
                point->len = (uint8_t) layout_writer_put(row, form, m, point->value);
                point->varies = memcmp(&brings, &(struct measured) { 0 }, sizeof brings) != 0;
        } else if (is_mapped(row)) {
                put_mapped(row, m, point);
        } else if (row->type == DATAPOINT_STRING) {
                point->len = 8;
                memcpy(point->value, "00012345", point->len);
        } else if (row->type == DATAPOINT_RAW) {
                point->len = 2;
                point->value[0] = 1;
        } else {
                put_number(point, row->is_increment ? INCREMENT : 0);
        }
}

static struct tuya_point *find_or_add(struct tuya_points *points, uint8_t id) {
        for (unsigned i = 0; i < points->count; i++)
                if (points->items[i].id == id)
                        return &points->items[i];
        if (points->count == TUYA_POINTS_MAX)
                return NULL;
        points->items[points->count] = (struct tuya_point) { .id = id, .type = DATAPOINT_ENUM, .quantity = Q_NONE };
        return &points->items[points->count++];
}

/* The power whose sign the datapoint tells. */
static bool is_export(const struct profile_datapoint *row, const struct measured *m) {
        unsigned quantity = is_layout(row) ? Q_POWER : row->quantity;

        return (m->value[row->channel][quantity] < 0) != row->inverted;
}

static void put_direction(const struct profile_datapoint *row, const struct measured *m, struct tuya_points *points) {
        struct tuya_point *point = find_or_add(points, row->direction_id);
        int64_t forward = row->direction_reverse == 0 ? 1 : 0;
        bool is_power = is_layout(row) || row->quantity == Q_POWER;

        if (!point || (point->direction && !is_power))
                return;
        point->direction = true;
        point->varies = true;
        put_number(point, is_export(row, m) ? row->direction_reverse : forward);
}

void tuya_points_put(const struct profile *p, enum phase_form form, const struct measured *m,
                     struct tuya_points *ret) {
        ret->count = 0;
        for (unsigned i = 0; i < p->n_datapoints && i < TUYA_POINTS_MAX; i++)
                put_row(&p->datapoints[i], form, m, &ret->items[ret->count++]);
        for (unsigned i = 0; i < p->n_datapoints; i++)
                if (p->datapoints[i].direction_id != 0)
                        put_direction(&p->datapoints[i], m, ret);
}

void tuya_points_zero(const struct tuya_points *points, struct tuya_points *ret) {
        ret->count = points->count;
        for (unsigned i = 0; i < points->count; i++) {
                ret->items[i] = points->items[i];
                if (ret->items[i].varies)
                        memset(ret->items[i].value, 0, sizeof ret->items[i].value);
        }
}

size_t tuya_point_write(const struct tuya_point *point, uint8_t *buf, size_t cap) {
        if (cap < UNIT_HEADER_SIZE + (size_t) point->len)
                return 0;
        buf[0] = point->id;
        buf[1] = point->type;
        put_be16(buf + 2, point->len);
        memcpy(buf + UNIT_HEADER_SIZE, point->value, point->len);
        return UNIT_HEADER_SIZE + (size_t) point->len;
}
