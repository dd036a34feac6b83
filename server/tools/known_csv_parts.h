/* What the parts of the reader of known values share. */
#pragma once

#include "tools/csv_number.h"
#include "tools/csv_time.h"
#include "tools/known_csv.h"

#define KNOWN_CSV_NO_COLUMN UINT32_MAX

/* A row as it was read: its time may not be settled before the last one. */
struct raw_row {
        struct csv_time time;
        int64_t value;            /* or KNOWN_HOLE */
        bool may_be_thousands;
};

struct known_csv_reading {
        const struct known_csv_options *options;
        struct csv_reader *csv;   /* owned */
        struct raw_row *rows;     /* owned */
        size_t n, cap;
        unsigned time_column, clock_column, value_column;  /* from 0; KNOWN_CSV_NO_COLUMN: not known (yet) */
        struct csv_row header;    /* fields point into header_text */
        char header_text[CSV_LINE_MAX + CSV_FIELDS_MAX + 1];
        unsigned places;          /* most that a value was written with */
        int64_t converted_digit;  /* least that the last place of one in another unit is worth; 0: there is none */
        bool day_above_12, month_above_12, is_slashed;
        bool has_fractions, has_large;  /* values with a point that is one; with none, of three digits and more */
        const struct csv_unit *cell_unit;    /* of the first value that has one behind it */
        const struct csv_unit *beside_unit;  /* in the field behind the values */
        struct known_csv out;
};

/* The name of a column; "" where it has none. */
const char *known_csv_header(const struct known_csv_reading *k, unsigned column);
/* A number with nothing behind it but a unit; *ret_unit NULL: nothing at all. */
bool known_csv_number(const struct csv_row *row, unsigned column, struct csv_number *ret,
                      const struct csv_unit **ret_unit);
/* Looks at a row above the first value. -EINVAL: --column names none. */
int known_csv_settle_columns(struct known_csv_reading *k, const struct csv_row *row);
