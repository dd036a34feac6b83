/* Any text as CSV: rows of fields that lie within their line, or an error with a place. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/csv_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t check_row(const struct csv_row *row) {
        size_t bytes = 0;
        unsigned column = 0;

        if (row->n_fields == 0 || row->n_fields > CSV_FIELDS_MAX)
                abort();
        for (unsigned i = 0; i < row->n_fields; i++) {
                const struct csv_field *f = &row->fields[i];

                if (f->column <= column || f->column > CSV_LINE_MAX + 1 || strchr(f->text, '\n'))
                        abort();
                column = f->column;
                bytes += strlen(f->text);
        }
        return bytes + row->n_fields - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct csv_row *row;
        struct csv_reader *csv;
        uint64_t done, total;
        size_t bytes = 0;
        FILE *file;
        int r;

        file = size > 0 ? fmemopen((void *) data, size, "r") : NULL;
        if (!file || csv_open_stream(file, "input", &csv) < 0)
                return 0;
        while ((r = csv_next(csv, &row)) > 0)
                bytes += check_row(row);
        csv_progress(csv, &done, &total);
        /* Two bytes of UTF-16 can be three of UTF-8. */
        if (bytes > size + size / 2 || done > size || (r == 0 && done != size) ||
            (r < 0 && strncmp(csv_error(csv), "input:", 6) != 0))
                abort();
        csv_free(csv);
        return 0;
}
