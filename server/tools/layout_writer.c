#include "tools/layout_writer.h"

#include <string.h>

#include "base/cleanup.h"

enum sign {
        UNSIGNED,
        SIGNED,     /* two's complement */
        SIGN_BIT,   /* a magnitude; its sign stands elsewhere */
};

/* One number of a raw value, big-endian. */
struct field {
        uint8_t offset, width;
        uint8_t channel;      /* added to the row's */
        uint8_t quantity;
        uint16_t step;        /* of the catalogue's resolution, per step on the wire */
        uint8_t sign;         /* enum sign */
        uint8_t sign_offset;  /* of SIGN_BIT */
        uint8_t sign_mask;
};

struct form {
        uint8_t length, n_fields;
        const struct field *fields;
};

static const struct field phase6[] = {
        { 0, 2, 0, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
        { 2, 2, 0, Q_CURRENT, 100, UNSIGNED, 0, 0 },
        { 4, 2, 0, Q_POWER, 100, UNSIGNED, 0, 0 },
};

/* With 10 bytes a residual current follows, which has no quantity. */
static const struct field phase8[] = {
        { 0, 2, 0, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
        { 2, 3, 0, Q_CURRENT, 1, UNSIGNED, 0, 0 },
        { 5, 3, 0, Q_POWER, 1000, SIGNED, 0, 0 },
};

static const struct field phase15[] = {
        { 0, 2, 0, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
        { 2, 3, 0, Q_CURRENT, 1, UNSIGNED, 0, 0 },
        { 5, 3, 0, Q_POWER, 100, SIGNED, 0, 0 },
        { 8, 3, 0, Q_REACTIVE_POWER, 100, SIGNED, 0, 0 },
        { 11, 2, 0, Q_POWER_FACTOR, 1, SIGNED, 0, 0 },
        { 13, 2, 0, Q_FREQUENCY, 1, UNSIGNED, 0, 0 },
};

static const struct field phase15_power_first[] = {
        { 1, 3, 0, Q_POWER, 1000, SIGN_BIT, 0, 1 },
        { 5, 3, 0, Q_REACTIVE_POWER, 1000, SIGN_BIT, 4, 1 },
        { 8, 2, 0, Q_POWER_FACTOR, 1, SIGNED, 0, 0 },
        { 10, 3, 0, Q_CURRENT, 1, UNSIGNED, 0, 0 },
        { 13, 2, 0, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
};

static const struct field phase18[] = {
        { 2, 2, 0, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
        { 4, 3, 0, Q_CURRENT, 1, SIGN_BIT, 17, 1 },
        { 7, 3, 0, Q_POWER, 1000, SIGN_BIT, 17, 2 },
        { 10, 3, 0, Q_REACTIVE_POWER, 1000, SIGN_BIT, 17, 4 },
        { 13, 3, 0, Q_APPARENT_POWER, 1000, UNSIGNED, 0, 0 },
        { 16, 1, 0, Q_POWER_FACTOR, 10, SIGN_BIT, 17, 8 },
};

static const struct field voltages[] = {
        { 0, 2, 1, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
        { 2, 2, 2, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
        { 4, 2, 3, Q_VOLTAGE, 100, UNSIGNED, 0, 0 },
};

static const struct field currents[] = {
        { 0, 3, 1, Q_CURRENT, 1, UNSIGNED, 0, 0 },
        { 3, 3, 2, Q_CURRENT, 1, UNSIGNED, 0, 0 },
        { 6, 3, 3, Q_CURRENT, 1, UNSIGNED, 0, 0 },
};

static const struct field powers[] = {
        { 0, 3, 0, Q_POWER, 100, SIGNED, 0, 0 },
        { 3, 3, 1, Q_POWER, 100, SIGNED, 0, 0 },
        { 6, 3, 2, Q_POWER, 100, SIGNED, 0, 0 },
        { 9, 3, 3, Q_POWER, 100, SIGNED, 0, 0 },
};

#define FORM(length, fields) { length, ELEMENTS(fields), fields }

static const struct form phase_forms[PHASE_FORM_COUNT] = {
        [PHASE_6] = FORM(6, phase6),
        [PHASE_8] = FORM(8, phase8),
        [PHASE_10] = FORM(10, phase8),
        [PHASE_15] = FORM(15, phase15),
        [PHASE_15_POWER_FIRST] = FORM(15, phase15_power_first),
        [PHASE_18] = FORM(18, phase18),
};

static const struct form block_forms[LAYOUT_COUNT] = {
        [LAYOUT_VOLTAGES] = FORM(6, voltages),
        [LAYOUT_CURRENTS] = FORM(9, currents),
        [LAYOUT_POWERS] = FORM(12, powers),
};

const char *const phase_form_names[PHASE_FORM_COUNT] = {
        [PHASE_6] = "6", [PHASE_8] = "8", [PHASE_10] = "10", [PHASE_15] = "15", [PHASE_15_POWER_FIRST] = "15p",
        [PHASE_18] = "18",
};

/* November 2022 and the 11th of it, 0.04 kWh; 80 A, 245 V and 160 V trip, below 50 kWh an alarm; a breaker's
 * temperature and leakage. */
static const uint8_t month[] = { 0x16, 0x0b, 0x16, 0x0b, 0, 0, 0, 4 };
static const uint8_t day[] = { 0x0b, 0x0b, 0x0b, 0x0b, 0, 0, 0, 4 };
static const uint8_t limits[] = { 1, 1, 0, 0x50, 3, 1, 0, 0xf5, 4, 1, 0, 0xa0, 8, 0, 0, 0x32 };
static const uint8_t breaker_limits[] = { 4, 1, 0, 0x1e, 5, 0, 0, 0x50 };

static const struct {
        const uint8_t *bytes;
        size_t len;
} examples[LAYOUT_COUNT] = {
        [LAYOUT_MONTH] = { month, sizeof month },
        [LAYOUT_DAY] = { day, sizeof day },
        [LAYOUT_LIMITS_METER] = { limits, sizeof limits },
        [LAYOUT_LIMITS_BREAKER] = { breaker_limits, sizeof breaker_limits },
};

static const struct form *form_of(const struct profile_datapoint *row, enum phase_form form) {
        switch (row->layout) {
        case LAYOUT_PHASE:
                return &phase_forms[form];
        case LAYOUT_PHASE_VCPQFF:
                return &phase_forms[PHASE_15];
        case LAYOUT_PHASE_PQFCV:
                return &phase_forms[PHASE_15_POWER_FIRST];
        default:
                return &block_forms[row->layout];
        }
}

/* Blocks name the phases 1 to 3 whatever channel their row stands for. */
static unsigned channel_of(const struct profile_datapoint *row, const struct field *f) {
        return f->channel > 0 ? f->channel : row->channel;
}

static int64_t step_of(const struct profile_datapoint *row, const struct field *f) {
        return f->quantity == Q_POWER && row->power_den > 0 ? 1000 / row->power_den : f->step;
}

/* The largest number of steps that the field holds. */
static int64_t limit_of(const struct field *f) {
        return (INT64_C(1) << (8 * f->width - (f->sign == SIGNED))) - 1;
}

static int64_t steps_of(const struct profile_datapoint *row, const struct field *f, int64_t value) {
        int64_t step = step_of(row, f), limit = limit_of(f);
        int64_t n = (value + (value < 0 ? -step / 2 : step / 2)) / step;

        if (n < 0 && f->sign == UNSIGNED)
                return 0;
        return n > limit ? limit : n < -limit ? -limit : n;
}

void layout_writer_has(const struct profile_datapoint *row, enum phase_form form, struct measured *m) {
        const struct form *t = form_of(row, form);

        for (unsigned i = 0; i < t->n_fields; i++)
                m->has[channel_of(row, &t->fields[i])][t->fields[i].quantity] = true;
}

void layout_writer_round(const struct profile_datapoint *row, enum phase_form form, struct measured *m) {
        const struct form *t = form_of(row, form);

        for (unsigned i = 0; i < t->n_fields; i++) {
                const struct field *f = &t->fields[i];
                int64_t *value = &m->value[channel_of(row, f)][f->quantity];

                *value = steps_of(row, f, *value) * step_of(row, f);
        }
}

static void put_field(const struct profile_datapoint *row, const struct field *f, int64_t value, uint8_t *buf) {
        int64_t n;

        if (f->quantity == Q_POWER) {
                value = row->inverted ? -value : value;
                value = row->direction_id != 0 && value < 0 ? -value : value;
        }
        n = steps_of(row, f, value);
        if (f->sign == SIGN_BIT && n < 0) {
                buf[f->sign_offset] |= f->sign_mask;
                n = -n;
        }
        for (unsigned i = f->width; i > 0; i--, n >>= 8)
                buf[f->offset + i - 1] = (uint8_t) n;
}

size_t layout_writer_put(const struct profile_datapoint *row, enum phase_form form, const struct measured *m,
                         uint8_t *buf) {
        const struct form *t = form_of(row, form);

        memset(buf, 0, LAYOUT_BYTES_MAX);
        if (examples[row->layout].len > 0) {
                memcpy(buf, examples[row->layout].bytes, examples[row->layout].len);
                return examples[row->layout].len;
        }
        for (unsigned i = 0; i < t->n_fields; i++) {
                const struct field *f = &t->fields[i];

                put_field(row, f, m->value[channel_of(row, f)][f->quantity], buf);
        }
        if (t->length == 10)
                buf[9] = 3;  /* mA */
        return t->length;
}
