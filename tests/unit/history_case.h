/* A small history with meters of two series, for tests: a gauge of any key and energy_import_kwh. */
#pragma once

#include "history_bench.h"

#define FLUSH_MS 60000
#define UTC_MS INT64_C(1795255200000)   /* of boot-time 0: a quarter's beginning */
#define TICK0 (UTC_MS / TICK_MS)

/* directory NULL: in memory; io NULL: the system's. */
struct history *case_new(const char *directory, const struct store_io *io);
/* Ready and with a clock. */
struct history *case_ready(const char *directory, const struct store_io *io);

struct schema case_schema(const char *meter, const char *first_key);
unsigned case_define(struct history *h, const char *meter, const char *first_key);

/* A row whose values tell what it is. */
struct history_row case_row(int64_t value);
void case_append(struct history *h, unsigned meter, uint64_t boot_ms, int64_t value);
/* Rows of one meter once a second, from boot-time second first on, values as the seconds. */
void case_append_seconds(struct history *h, unsigned meter, unsigned first, unsigned n);

/* tick 0: there is none. */
void case_check_newest(struct history *h, unsigned meter, bool safe, int64_t tick, int64_t value);
/* All rows are there, as case_append_seconds made them. */
void case_check_seconds(struct history *h, unsigned n);
