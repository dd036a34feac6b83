/* Fixed-point numbers as text, exact: no value passes through binary floating point. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_TEXT_MAX 32
#define DECIMAL_PLACES_MAX 18

/* value / 10^places as text, without trailing zeros: (17700, 3) gives "17.7", (-5, 1) gives "-0.5".
 * buf holds DECIMAL_TEXT_MAX bytes. Returns the length. */
size_t decimal_format(int64_t value, unsigned places, char *buf);

/* Reads "-17.7" as value * 10^places. -EINVAL: not a plain decimal number (no exponent, no blanks);
 * -ERANGE: more significant places than asked for, or too large. */
int decimal_parse(const char *text, unsigned places, int64_t *ret);
