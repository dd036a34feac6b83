/* A house to measure with: three meters of five values. Powers are those of the made-up household, plus recorded ones
 * of real appliances and the voltages of real meters where ../shared/data is there. The digits are those of a usual
 * meter. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HOUSE_METERS 3
#define HOUSE_VALUES 5
#define HOUSE_POWER  2

/* First second of all data: a midnight. */
#define HOUSE_BEGIN_S INT64_C(1767398400)

struct house_value {
        const char *key;
        uint8_t decimals;       /* of the catalogue's resolution, in which the history keeps it */
        uint16_t scale;         /* the meter's digit in it */
        bool counter;
};
extern const struct house_value house_values[HOUSE_VALUES];

struct house {
        uint32_t n_rows, step_s;
        unsigned n_meters;
        bool real;                                      /* recorded traces are in it */
        int32_t (*rows[HOUSE_METERS])[HOUSE_VALUES];    /* owned */
};

/* traces: a folder, NULL for none. Ends the program when it cannot be done. */
void house_make(struct house *house, unsigned n_meters, uint32_t n_rows, uint32_t step_s, const char *traces);
void house_free(struct house *house);
