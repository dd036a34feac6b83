/* Recorded loads to replay: CSV, plain or .gz, with a header line. The column ts holds seconds since 1970; columns
 * voltage_*, current_* and power_* hold integers, in the unit that their names end with (dV, mA, W, ...). Read row by
 * row: a trace may be of any length. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/load_curve.h"

#define TRACE_ERROR_MAX 384

struct trace;

/* loop: begins again behind its last row. -errno with a line "FILE:LINE: what; expected" in error. */
int trace_open(const char *path, bool loop, struct trace **ret, char *error);
struct trace *trace_free(struct trace *t);
static inline void trace_freep(struct trace **t) { trace_free(*t); }

/* The load at_ms after the first row; at_ms must not go back. Between two rows the earlier one holds. A voltage that
 * the trace does not know is 230 V; a current is then computed from power.
 * Returns 1, 0 past the end (ret is then the last row's), -errno with a line in error. */
int trace_at(struct trace *t, uint64_t at_ms, struct load *ret, char *error);
