/* The lines beside recorded bytes that say what they hold: "dp=18 current_a=0.077". All checks are cmocka's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/profile.h"
#include "protocols/tuyamcu/datapoint.h"

/* Copies the value of key=value, up to the next blank (json= and text=: to the end of the line). */
bool annotation_value(const char *line, const char *key, char *buf, size_t size);
int64_t annotation_number(const char *line, const char *key, int64_t missing);

/* The line has that value, or does not name the key. */
void annotation_check_text(const char *line, const char *key, const char *is);

/* The datapoint brings every value of a "decoded" line, and nothing that the line does not list. */
void annotation_check_decoded(const char *line, const struct profile *profile,
                              const struct tuya_directions *directions, const struct tuya_datapoint *d);

/* The same of "over_current_a=80:trip ..." or "code=4 action=alarm value=30", which need no profile. */
void annotation_check_limits(const char *line, const struct tuya_datapoint *d);
