/* Durations and sizes as people write them in the configuration. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "500ms", "10s", "5min", "2h", "1d": a whole number and a unit, no blanks. -EINVAL: anything else; -ERANGE. */
int units_parse_duration_ms(const char *text, uint64_t *ret_ms);

/* "64MiB": a whole number with KiB, MiB or GiB, or plain bytes. -EINVAL, -ERANGE. */
int units_parse_size(const char *text, uint64_t *ret_bytes);

/* The shortest exact form: 90000 gives "90s", 60000 "1min". buf holds 32 bytes. */
void units_format_duration_ms(uint64_t ms, char *buf);
