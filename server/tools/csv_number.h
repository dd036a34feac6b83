/* Numbers as CSV exports write them, exact to nine places. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CSV_NUMBER_PLACES 9

struct csv_number {
        int64_t value;            /* in 10^-9 */
        unsigned places;          /* it was written with, at most CSV_NUMBER_PLACES */
        const char *rest;         /* what stands behind it, such as a unit */
        bool may_be_thousands;    /* "1.234" was taken for one and a bit, and could be a thousand and more */
};

/* At the start of text. A comma is the decimal point where fields are not separated by commas, or where it cannot
 * stand between thousands; blanks, apostrophes and repeated dots or commas stand between thousands. "(5)" and "5-"
 * are negative, as in books of accounts. False: no number, or one beyond nine billion. */
bool csv_number_parse(const char *text, char separator, struct csv_number *ret);
