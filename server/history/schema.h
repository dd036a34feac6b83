/* What the rows of a meter consist of. A meter whose series, hold time or era change gets a new schema; rows name
 * the schema by its slot in the file, so that old pages stay readable. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEMA_METER_MAX   32
#define SCHEMA_KEY_MAX     40
#define SCHEMA_COLUMNS_MAX 64   /* one bit each in a row's presence mask */
#define SCHEMA_NONE        0xffffu

enum column_kind {
        COLUMN_GAUGE,
        COLUMN_COUNTER,
};

struct schema_column {
        char key[SCHEMA_KEY_MAX + 1];   /* series key: "l1.power_w" */
        uint8_t kind;                   /* enum column_kind */
        uint8_t decimals;               /* values count 10^-decimals of the key's unit */
        uint8_t integral_of;            /* counters: 1 + the column of the power (mW) that this energy (mWh) is made of;
                                         * 0: it comes with the rows */
        bool is_export;                 /* integrals: of the negative part, as a positive energy */
        bool has_first;
        int64_t first;                  /* counters: the very first total that was stored under this key */
};

struct schema {
        char meter[SCHEMA_METER_MAX + 1];
        uint64_t serial;                /* counts up over all schemas of a file: orders those of one meter */
        uint32_t hold_ticks;            /* a gauge holds until its next value, at most this long */
        uint32_t era;                   /* counts the times the clock was set back by more than a minute */
        int64_t era_start;              /* tick of the era's first row; 0 for the first era: it has no beginning */
        unsigned n_columns;
        struct schema_column columns[SCHEMA_COLUMNS_MAX];
};

/* Same meter, columns in the same order and hold time; serial, era and first totals aside. */
bool schema_equal(const struct schema *a, const struct schema *b);

/* -1 when there is no such column. */
int schema_find(const struct schema *s, const char *key);

/* To and from one page of the file (PAGE_BYTES, CRC included). schema_read: false for anything but a good one. */
void schema_write(const struct schema *s, uint8_t *page);
bool schema_read(const uint8_t *page, struct schema *ret);
