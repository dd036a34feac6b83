/* CSV as people and programs write it: commas, optional quotes, either line end, a byte order mark in front, also
 * that of UTF-16. Row by row in bounded memory; every field knows where it stands, so that a mistake can be told by
 * line and column. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define CSV_LINE_MAX   16384  /* characters of one line */
#define CSV_FIELDS_MAX 256
#define CSV_ERROR_MAX  512

struct csv_field {
        const char *text;         /* without its quotes; blanks around one without quotes are dropped */
        unsigned column;          /* of its first character in the line, from 1 */
};

/* Never empty: lines without any character but blanks are passed over. */
struct csv_row {
        unsigned n_fields;
        char separator;           /* between them */
        struct csv_field fields[CSV_FIELDS_MAX];
};

struct csv_reader;

/* path "-" reads stdin. -errno with a line in error (CSV_ERROR_MAX bytes). */
int csv_open(const char *path, struct csv_reader **ret, char *error);
/* Takes over file, also on failure; name stands for it in messages (borrowed). */
int csv_open_stream(FILE *file, const char *name, struct csv_reader **ret);
struct csv_reader *csv_free(struct csv_reader *c);

/* Before the first row: what programs make for people. Fields may also be separated by semicolons or tabs, as each
 * line shows; hard and narrow blanks, the minus sign of typesetters and their apostrophe become plain ones. */
void csv_take_exports(struct csv_reader *c);

/* Returns 1 with a row (the reader's, valid until the next call), 0 at the end, -EINVAL for a malformed line, -EFBIG
 * for one beyond the limits, or what reading the file gave; csv_error says where and why. After an error nothing more
 * can be read. */
int csv_next(struct csv_reader *c, const struct csv_row **ret);

/* Makes an error of what the caller found wrong in the row it was given last: "FILE:LINE:COLUMN: what". -EINVAL. */
int csv_fail(struct csv_reader *c, unsigned column, const char *what, ...) __attribute__((format(printf, 3, 4)));
const char *csv_error(const struct csv_reader *c);

/* How far reading has come, in bytes; total is 0 where nobody knows it. */
void csv_progress(const struct csv_reader *c, uint64_t *ret_done, uint64_t *ret_total);
