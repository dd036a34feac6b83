#include "protocols/tuyamcu/layout.h"

#include "protocols/quantity.h"

enum sign {
        UNSIGNED,
        SIGNED,          /* two's complement */
        SIGNED_WRAPPED,  /* the same, where some meters divide a negative number by ten as if it had none */
        SIGN_BYTE,       /* the byte before a magnitude: its bit 0 */
        SIGN_BIT,        /* a bit of the value's last byte, beside a magnitude */
};

/* One value in a raw datapoint, big-endian. */
struct field {
        uint8_t offset;
        uint8_t width;
        uint8_t quantity;
        uint8_t sign;     /* enum sign */
        uint8_t bit;      /* mask of SIGN_BIT */
        uint8_t channel;  /* blocks: the channel; others: that of the row */
        uint16_t step;    /* samples, in the catalogue's resolution, in one step */
};

#define FIELDS_MAX 6

/* A length of a layout. */
struct table {
        const char *name;
        uint8_t length;   /* 0: records of 4 bytes, as many as there are */
        bool is_block;
        uint16_t layouts; /* those that name it: 1 << enum datapoint_layout */
        struct field fields[FIELDS_MAX];  /* ends with a width of 0, or full */
};

#define OF(layout) (1u << (layout))
#define ANY_PHASE (OF(LAYOUT_PHASE) | OF(LAYOUT_PHASE_VCPQFF) | OF(LAYOUT_PHASE_PQFCV))

/* Every catalogue entry used here counts thousandths: a step of 100 is 0.1 V. */
static const struct table tables[] = {
        { "phase6", 6, false, ANY_PHASE, {
                { 0, 2, Q_VOLTAGE, UNSIGNED, 0, 0, 100 },
                { 2, 2, Q_CURRENT, UNSIGNED, 0, 0, 100 },
                /* Unsigned: a meter that only imports, and 3.2 kW would be too little for it. */
                { 4, 2, Q_POWER, UNSIGNED, 0, 0, 100 },
        } },
        { "phase8", 8, false, ANY_PHASE, {
                { 0, 2, Q_VOLTAGE, UNSIGNED, 0, 0, 100 },
                { 2, 3, Q_CURRENT, UNSIGNED, 0, 0, 1 },
                { 5, 3, Q_POWER, SIGNED_WRAPPED, 0, 0, 1000 },
        } },
        /* The residual current at offset 8 has no quantity. */
        { "phase10", 10, false, ANY_PHASE, {
                { 0, 2, Q_VOLTAGE, UNSIGNED, 0, 0, 100 },
                { 2, 3, Q_CURRENT, UNSIGNED, 0, 0, 1 },
                { 5, 3, Q_POWER, SIGNED_WRAPPED, 0, 0, 1000 },
        } },
        { "vcpqff15", 15, false, OF(LAYOUT_PHASE_VCPQFF), {
                { 0, 2, Q_VOLTAGE, UNSIGNED, 0, 0, 100 },
                { 2, 3, Q_CURRENT, UNSIGNED, 0, 0, 1 },
                { 5, 3, Q_POWER, SIGNED, 0, 0, 100 },
                { 8, 3, Q_REACTIVE_POWER, SIGNED, 0, 0, 100 },
                { 11, 2, Q_POWER_FACTOR, SIGNED, 0, 0, 1 },
                { 13, 2, Q_FREQUENCY, UNSIGNED, 0, 0, 1 },
        } },
        { "pqfcv15", 15, false, OF(LAYOUT_PHASE_PQFCV), {
                { 1, 3, Q_POWER, SIGN_BYTE, 0, 0, 1000 },
                { 5, 3, Q_REACTIVE_POWER, SIGN_BYTE, 0, 0, 1000 },
                { 8, 2, Q_POWER_FACTOR, SIGNED, 0, 0, 1 },
                { 10, 3, Q_CURRENT, UNSIGNED, 0, 0, 1 },
                { 13, 2, Q_VOLTAGE, UNSIGNED, 0, 0, 100 },
        } },
        /* Two bytes of header; the last byte holds the signs. */
        { "phase18", 18, false, ANY_PHASE, {
                { 2, 2, Q_VOLTAGE, UNSIGNED, 0, 0, 100 },
                { 4, 3, Q_CURRENT, SIGN_BIT, 1, 0, 1 },
                { 7, 3, Q_POWER, SIGN_BIT, 2, 0, 1000 },
                { 10, 3, Q_REACTIVE_POWER, SIGN_BIT, 4, 0, 1000 },
                { 13, 3, Q_APPARENT_POWER, UNSIGNED, 0, 0, 1000 },
                { 16, 1, Q_POWER_FACTOR, SIGN_BIT, 8, 0, 10 },
        } },
        { "voltages6", 6, true, OF(LAYOUT_VOLTAGES), {
                { 0, 2, Q_VOLTAGE, UNSIGNED, 0, 1, 100 },
                { 2, 2, Q_VOLTAGE, UNSIGNED, 0, 2, 100 },
                { 4, 2, Q_VOLTAGE, UNSIGNED, 0, 3, 100 },
        } },
        { "currents9", 9, true, OF(LAYOUT_CURRENTS), {
                { 0, 3, Q_CURRENT, UNSIGNED, 0, 1, 1 },
                { 3, 3, Q_CURRENT, UNSIGNED, 0, 2, 1 },
                { 6, 3, Q_CURRENT, UNSIGNED, 0, 3, 1 },
        } },
        { "powers12", 12, true, OF(LAYOUT_POWERS), {
                { 0, 3, Q_POWER, SIGNED, 0, 0, 100 },
                { 3, 3, Q_POWER, SIGNED, 0, 1, 100 },
                { 6, 3, Q_POWER, SIGNED, 0, 2, 100 },
                { 9, 3, Q_POWER, SIGNED, 0, 3, 100 },
        } },
        { "month8", 8, false, OF(LAYOUT_MONTH), { { 0 } } },
        { "day8", 8, false, OF(LAYOUT_DAY), { { 0 } } },
        { "limits4", 0, false, OF(LAYOUT_LIMITS_METER) | OF(LAYOUT_LIMITS_BREAKER), { { 0 } } },
};

enum {
        RECORD_SIZE = 4,  /* of limits: code, action, threshold (16 bit) */
        HISTORY_SIZE = 8,
        PHASE_LONG_SIZE = 15,
        VOLTAGE_MIN = 800, VOLTAGE_MAX = 4800,  /* a plausible one, in 0.1 V */
};

#define TABLES (sizeof tables / sizeof tables[0])

static bool is_voltage_at(struct span value, size_t offset) {
        uint64_t v = 0;

        return span_get_be(value, offset, 2, &v) && v >= VOLTAGE_MIN && v <= VOLTAGE_MAX;
}

/* Which of the two forms of 15 bytes a phase has whose profile does not say: LAYOUT_PHASE when neither fits. */
static unsigned guess_phase(struct span value) {
        if (is_voltage_at(value, 13))
                return LAYOUT_PHASE_PQFCV;
        return is_voltage_at(value, 0) ? LAYOUT_PHASE_VCPQFF : LAYOUT_PHASE;
}

static const struct table *find_table(unsigned layout, struct span value) {
        if (layout == LAYOUT_PHASE && value.len == PHASE_LONG_SIZE)
                layout = guess_phase(value);
        for (size_t i = 0; i < TABLES; i++) {
                bool fits = tables[i].length > 0 ? value.len == tables[i].length : value.len >= RECORD_SIZE;

                if (fits && (tables[i].layouts & OF(layout)))
                        return &tables[i];
        }
        return NULL;
}

/* A negative number of 24 bits that went through an unsigned division by ten: 2^24 / 10 is 1677722. */
static int64_t undo_wrap(int64_t v) {
        return v >= 1527722 && v <= 1677722 ? v - 1677722 : v;
}

static int64_t read_field(const struct field *f, struct span value) {
        int64_t v = 0;
        uint64_t magnitude = 0;

        switch (f->sign) {
        case SIGNED:
        case SIGNED_WRAPPED:
                span_get_be_signed(value, f->offset, f->width, &v);
                return f->sign == SIGNED_WRAPPED ? undo_wrap(v) : v;
        case SIGN_BYTE:
                span_get_be(value, f->offset, f->width, &magnitude);
                return value.data[f->offset - 1] & 1 ? -(int64_t) magnitude : (int64_t) magnitude;
        case SIGN_BIT:
                span_get_be(value, f->offset, f->width, &magnitude);
                return value.data[value.len - 1] & f->bit ? -(int64_t) magnitude : (int64_t) magnitude;
        default:
                span_get_be(value, f->offset, f->width, &magnitude);
                return (int64_t) magnitude;
        }
}

static unsigned channel_of(const struct table *t, const struct field *f, const struct profile_datapoint *row) {
        return t->is_block ? f->channel : row->channel;
}

unsigned tuya_layout_map(const struct profile_datapoint *row, struct span value, uint16_t origin,
                         struct report *report, const char **ret_name) {
        const struct table *t = find_table(row->layout, value);
        unsigned count = 0;

        if (ret_name)
                *ret_name = t ? t->name : NULL;
        if (!t)
                return 0;
        for (const struct field *f = t->fields; f < t->fields + FIELDS_MAX && f->width > 0; f++) {
                bool has_den = f->quantity == Q_POWER && row->power_den != 0;
                int64_t step = has_den ? 1000 / row->power_den : f->step;

                count += report_set(report, (struct reading) {
                        .value = read_field(f, value) * step, .step = step, .origin = origin, .quantity = f->quantity,
                        .channel = (uint8_t) channel_of(t, f, row),
                });
        }
        return count;
}

bool tuya_layout_has(const struct profile_datapoint *row, unsigned channel, unsigned quantity) {
        for (const struct table *t = tables; t < tables + TABLES; t++) {
                if (!(t->layouts & OF(row->layout)))
                        continue;
                for (const struct field *f = t->fields; f < t->fields + FIELDS_MAX && f->width > 0; f++)
                        if (f->quantity == quantity && channel_of(t, f, row) == channel)
                                return true;
        }
        return false;
}

bool tuya_row_brings(const struct profile_datapoint *row, unsigned channel, unsigned quantity) {
        if (row->layout != LAYOUT_NONE)
                return tuya_layout_has(row, channel, quantity);
        return row->quantity != Q_NONE && row->channel == channel && row->quantity == quantity;
}

bool tuya_counts_increment(const struct profile *p, const struct profile_datapoint *row) {
        if (!row->is_increment)
                return false;
        for (unsigned i = 0; i < p->n_datapoints; i++)
                if (!p->datapoints[i].is_increment && tuya_row_brings(&p->datapoints[i], row->channel, row->quantity))
                        return false;
        return true;
}

void tuya_series(const struct profile *profile, unsigned channel, enum series_presence ret[Q_COUNT]) {
        for (unsigned q = 0; q < Q_COUNT; q++)
                ret[q] = SERIES_NONE;
        for (unsigned i = 0; profile && i < profile->n_datapoints; i++) {
                const struct profile_datapoint *row = &profile->datapoints[i];

                for (unsigned q = 0; q < Q_COUNT; q++)
                        if (tuya_row_brings(row, channel, q) && ret[q] != SERIES_CERTAIN)
                                ret[q] = row->layout == LAYOUT_NONE ? SERIES_CERTAIN : SERIES_POSSIBLE;
        }
}

bool tuya_history_read(enum datapoint_layout layout, struct span value, struct tuya_history *ret) {
        uint64_t energy = 0;

        if (value.len != HISTORY_SIZE || (layout != LAYOUT_MONTH && layout != LAYOUT_DAY))
                return false;
        /* The second pair of bytes is the end of the span, and the same wherever it was seen. */
        span_get_be(value, 4, 4, &energy);
        *ret = (struct tuya_history) { .energy_10wh = (uint32_t) energy };
        if (layout == LAYOUT_MONTH) {
                ret->year = value.data[0];
                ret->month = value.data[1];
        } else {
                ret->month = value.data[0];
                ret->day = value.data[1];
        }
        return true;
}

#define CODES_MAX 9

/* By code. */
static const char *const limits_of_meters[CODES_MAX] = {
        [1] = "over_current_a", [3] = "over_voltage_v", [4] = "under_voltage_v", [8] = "low_balance_kwh",
};
static const char *const limits_of_breakers[CODES_MAX] = {
        [1] = "short_circuit", [3] = "overload_kw", [4] = "leakage_ma", [5] = "temperature_c",
};

bool tuya_limit_next(enum datapoint_layout layout, struct span value, size_t *offset, struct tuya_limit *ret) {
        const char *const *names = layout == LAYOUT_LIMITS_BREAKER ? limits_of_breakers : limits_of_meters;
        const uint8_t *record;

        if (!span_has(value, *offset, RECORD_SIZE))
                return false;
        record = value.data + *offset;
        *ret = (struct tuya_limit) {
                .code = record[0], .trips = record[1] != 0, .threshold = get_be16(record + 2),
                .name = record[0] < CODES_MAX ? names[record[0]] : NULL,
        };
        *offset += RECORD_SIZE;
        return true;
}
