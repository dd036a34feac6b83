/* Rows of history as text: JSON, CSV, NDJSON or OpenMetrics. Rows come one by one, so a table of any length needs no
 * memory of its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "history/query.h"

enum table_format { TABLE_JSON, TABLE_CSV, TABLE_NDJSON, TABLE_OPENMETRICS, TABLE_FORMATS };
extern const char *const table_format_names[TABLE_FORMATS];
extern const char *const table_content_types[TABLE_FORMATS];

/* TABLE_FORMATS when there is none of that name. */
enum table_format table_format_find(const char *name);

struct table {
        enum table_format format;
        const char *meter;               /* id; borrowed */
        struct json_writer json;
};

/* Each appends to out, which must be the same for JSON from the beginning to the end (it may be emptied between). */
void table_begin(struct table *t, const struct query *q, struct buffer *out);
void table_row(struct table *t, const struct query *q, const struct query_row *row, struct buffer *out);
/* next: tick of the first row that was left out, -1 when none was. Only JSON says so. */
void table_end(struct table *t, int64_t next, struct buffer *out);
/* All of a table without columns and rows. */
void table_empty(struct table *t, int64_t from, int64_t to, struct buffer *out);

/* ---- OpenMetrics: all samples of a family stand together, so each series is asked for by itself ---- */

struct metric_name {
        const struct quantity_info *info;
        const char *channel;             /* "" for the meter's own */
        size_t channel_len;
        const char *family;              /* without _total */
};
/* What a series key is in Prometheus. False for a key that is not in the catalogue. */
bool metric_name_of(const char *series_key, struct metric_name *ret);

void table_family(const struct metric_name *name, struct buffer *out);
/* One sample of column 0; rows without it give nothing. aggregate: label's value, NULL for rows as they came. */
void table_sample(const struct table *t, const struct metric_name *name, const char *aggregate,
                  const struct query_row *row, struct buffer *out);
void table_metrics_end(struct buffer *out);
