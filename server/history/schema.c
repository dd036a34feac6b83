/* A schema's page, little-endian:
 *
 *    0 u32 magic "HSC1"    4 u32 CRC32C of bytes 8..4095   8 u64 serial
 *   16 u32 hold           20 u32 era                      24 i64 era's start
 *   32 u8 columns         33 meter, 33 bytes              66 columns of 44 bytes: key, 41 bytes; u8 kind (bits 0..6), a
 *                                       first total is known (bit 7); u8 decimals;
 *                                       u8 column of the power of an integral
 *                                       (bits 0..6, 1 for the first), export (bit 7)
 * 2882 i64 first totals, by column
 *
 * Texts are filled up with zeros. */
#include "history/schema.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "history/page.h"

#define MAGIC 0x31435348u
#define DECIMALS_MAX 18       /* more than 63 bits have digits for */

enum { AT_MAGIC = 0, AT_CRC = 4, AT_SERIAL = 8, AT_HOLD = 16, AT_ERA = 20, AT_ERA_START = 24, AT_N_COLUMNS = 32,
       AT_METER = 33, AT_COLUMNS = AT_METER + SCHEMA_METER_MAX + 1 };
enum { AT_FIRSTS = 2882 };
enum { AT_KEY = 0, AT_KIND = SCHEMA_KEY_MAX + 1, AT_DECIMALS, AT_INTEGRAL, COLUMN_BYTES };
#define HAS_FIRST 0x80
_Static_assert(AT_COLUMNS + SCHEMA_COLUMNS_MAX * COLUMN_BYTES == AT_FIRSTS, "first totals follow the columns");
_Static_assert(AT_FIRSTS + SCHEMA_COLUMNS_MAX * 8 <= PAGE_BYTES, "a schema is one page");

static uint32_t checksum(const uint8_t *page) {
        return crc32c(page + AT_SERIAL, PAGE_BYTES - AT_SERIAL);
}

bool schema_equal(const struct schema *a, const struct schema *b) {
        if (strcmp(a->meter, b->meter) != 0 || a->hold_ticks != b->hold_ticks || a->n_columns != b->n_columns)
                return false;
        for (unsigned i = 0; i < a->n_columns; i++) {
                const struct schema_column *x = &a->columns[i], *y = &b->columns[i];

                if (strcmp(x->key, y->key) != 0 || x->kind != y->kind || x->decimals != y->decimals ||
                    x->integral_of != y->integral_of || x->is_export != y->is_export)
                        return false;
        }
        return true;
}

int schema_find(const struct schema *s, const char *key) {
        for (unsigned i = 0; i < s->n_columns; i++)
                if (strcmp(s->columns[i].key, key) == 0)
                        return (int) i;
        return -1;
}

void schema_write(const struct schema *s, uint8_t *page) {
        memset(page, 0, PAGE_BYTES);
        put_le32(page + AT_MAGIC, MAGIC);
        put_le64(page + AT_SERIAL, s->serial);
        put_le32(page + AT_HOLD, s->hold_ticks);
        put_le32(page + AT_ERA, s->era);
        put_le64(page + AT_ERA_START, (uint64_t) s->era_start);
        page[AT_N_COLUMNS] = (uint8_t) s->n_columns;
        memcpy(page + AT_METER, s->meter, strlen(s->meter));
        for (unsigned i = 0; i < s->n_columns; i++) {
                uint8_t *column = page + AT_COLUMNS + i * COLUMN_BYTES;

                memcpy(column + AT_KEY, s->columns[i].key, strlen(s->columns[i].key));
                column[AT_KIND] = (uint8_t) (s->columns[i].kind | (s->columns[i].has_first ? HAS_FIRST : 0));
                column[AT_DECIMALS] = s->columns[i].decimals;
                column[AT_INTEGRAL] = (uint8_t) (s->columns[i].integral_of | s->columns[i].is_export << 7);
                if (s->columns[i].has_first)
                        put_le64(page + AT_FIRSTS + i * 8, (uint64_t) s->columns[i].first);
        }
        put_le32(page + AT_CRC, checksum(page));
}

/* A text of 1 to size - 1 bytes. */
static bool read_text(const uint8_t *in, size_t size, char *ret) {
        if (in[0] == '\0' || !memchr(in, '\0', size))
                return false;
        memcpy(ret, in, size);
        return true;
}

static bool read_column(const uint8_t *in, const uint8_t *first, unsigned n_columns, struct schema_column *ret) {
        ret->kind = in[AT_KIND] & (HAS_FIRST - 1);
        ret->has_first = in[AT_KIND] & HAS_FIRST;
        ret->first = ret->has_first ? (int64_t) get_le64(first) : 0;
        ret->decimals = in[AT_DECIMALS];
        ret->integral_of = in[AT_INTEGRAL] & 0x7f;
        ret->is_export = in[AT_INTEGRAL] >> 7;
        if (ret->integral_of > n_columns)
                return false;
        return read_text(in + AT_KEY, sizeof ret->key, ret->key) && ret->kind <= COLUMN_COUNTER
               && ret->decimals <= DECIMALS_MAX;
}

bool schema_read(const uint8_t *page, struct schema *ret) {
        struct schema s = {
                .serial = get_le64(page + AT_SERIAL), .hold_ticks = get_le32(page + AT_HOLD),
                .era = get_le32(page + AT_ERA), .era_start = (int64_t) get_le64(page + AT_ERA_START),
                .n_columns = page[AT_N_COLUMNS],
        };

        if (get_le32(page + AT_MAGIC) != MAGIC || get_le32(page + AT_CRC) != checksum(page))
                return false;
        if (s.n_columns > SCHEMA_COLUMNS_MAX || !read_text(page + AT_METER, sizeof s.meter, s.meter))
                return false;
        for (unsigned i = 0; i < s.n_columns; i++)
                if (!read_column(page + AT_COLUMNS + i * COLUMN_BYTES, page + AT_FIRSTS + i * 8, s.n_columns,
                                 &s.columns[i]))
                        return false;
        *ret = s;
        return true;
}
