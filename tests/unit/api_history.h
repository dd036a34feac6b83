/* A history in memory behind the API of api_bench.h. */
#pragma once

#include "api_bench.h"

/* Ready, and the app's from now on. Freed by the caller, before bench_teardown. */
struct history *bench_history(struct fixture *f);

/* Returns the handle of a meter with these columns. */
enum { VOLTAGE, POWER, IMPORT, COLUMNS };
unsigned bench_define(struct history *h, const char *meter, uint32_t hold_ticks);
