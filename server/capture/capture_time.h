/* The times that stand before bytes in a recording. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Reads a time at the start of text: RFC 3339 ("2026-11-21T10:00:00.123Z", a blank in place of the T as well),
 * seconds ("1795255200.123") or milliseconds ("1795255200123") since 1970. Plain digits are a time only when they
 * cannot be meant as bytes: ten (from the year 2001 on) or thirteen of them, or with a fraction.
 * Returns the number of characters it takes, 0 when no time stands there. */
size_t capture_time_parse(const char *text, int64_t *ret_utc_ms, unsigned *ret_resolution_ms);

