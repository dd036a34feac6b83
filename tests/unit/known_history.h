/* A history in memory whose rows are known, behind the API of api_bench.h;
 * and what can be asked of it in one line. */
#pragma once

#include <jansson.h>

#include "api_history.h"

#define ROWS 1800                /* of main, one a second */
#define OTHER_ROWS 100           /* of a meter whose product is not known (yet) */
#define HISTORY_PATH "/api/v1/meters/main/history"

extern int64_t base_s;           /* a full hour, two to three hours ago */
extern struct history *history;

int set_up(void **state);        /* *state: a struct fixture */
int tear_down(void **state);

/* What row i holds. */
int64_t power_of(unsigned i);
int64_t voltage_of(unsigned i);
int64_t import_of(unsigned i);
bool has_voltage(unsigned i);

/* from and to are seconds after base_s. Valid until the next call. */
const char *target_of(const char *path, int from, int to, const char *more);

/* The text of a good answer; free the reply. */
const char *get_body(struct fixture *f, const char *target, const char *type, struct reply *reply);
json_t *get_table(struct fixture *f, const char *target);        /* owned by the caller */
/* parameter NULL: the problem names none. */
void assert_problem(struct fixture *f, const char *target, unsigned status, const char *parameter,
                    const char *detail_part);

/* A number as a count of its last digit. */
int64_t count_of_number(const json_t *value, double per_unit);
int64_t cell(const json_t *table, size_t row, size_t column, double per_unit);
size_t row_count(const json_t *table);
void assert_columns(const json_t *table, const char *expected);
