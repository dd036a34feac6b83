/* Values known from elsewhere, as a function of time: what a CSV told, ready to be asked what held at a moment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KNOWN_UNITS 1000000000  /* values are integers in 10^-9 of their unit */
#define KNOWN_REGISTER_MAX_KWH 1e7  /* what a large house uses in a thousand years */
#define KNOWN_HOLE  INT64_MIN   /* in place of a value: from here on nothing is known */

struct known_row {
        int64_t utc_ms;
        int64_t value;
};

struct known {
        struct known_row *rows;  /* owned; in order of time once finished, no two at the same */
        size_t n, cap;
        int64_t digit;           /* one in the last place that the values are written with, in 10^-9; the caller's */
        int64_t interval_ms;     /* the usual distance of two rows */
        int64_t hold_ms;         /* a value counts until the next row, if that comes at most this much later */
        size_t repeated;         /* rows at the time of another one */
        size_t holes;            /* stretches between rows for which nothing is known */
        bool is_total;           /* a register that only grows; where it begins is arbitrary */
        double register_max;     /* units; beyond it no register has counted; 0: nobody knows */
        bool is_sloped;          /* between two rows it goes in a straight line, else it stays and steps */
};

/* Takes rows in any order. -ENOMEM. */
int known_add(struct known *k, int64_t utc_ms, int64_t value);
/* Sorts, keeps the last of several rows at one time, finds interval, hold and holes. */
int known_finish(struct known *k);
void known_free(struct known *k);  /* of what it holds */

/* Of finished values that are energies: a register, or what each interval brought, which is added up then (true). */
bool known_make_total(struct known *k, double units_per_kwh);

/* What held at that time, in 10^-9. False where nobody knows. *hint, 0 to begin with, makes asking in order fast. */
bool known_at(const struct known *k, int64_t utc_ms, size_t *hint, int64_t *ret);

/* The energy of a power (kilowatt_units: what one of its units is in 10^-9 kW) over its longest stretch without a
 * hole, in 10^-9 kWh: of what is above zero (direction 1) or below (-1). -ENODATA: none flowed that way. */
int known_integrate(const struct known *power, int64_t kilowatt_units, int direction, struct known *ret);
