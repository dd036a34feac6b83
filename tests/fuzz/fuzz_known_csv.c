/* Any text as an export: an error with a place, or rows in order of time whose values can be asked for. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/known_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct known_csv *csv) {
        size_t hint = 0;
        int64_t value;

        if (csv->known.n == 0 || csv->known.n > csv->rows || csv->blanks >= csv->rows || !csv->unit ||
            csv->known.digit < 1 || csv->known.hold_ms < 1 || !csv->column[0])
                abort();
        for (size_t i = 0; i < csv->known.n; i++) {
                const struct known_row *row = &csv->known.rows[i];
                bool is_known = known_at(&csv->known, row->utc_ms, &hint, &value);

                if (i > 0 && row->utc_ms <= row[-1].utc_ms)
                        abort();
                if (is_known && (row->value == KNOWN_HOLE || value != row->value))
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* The first byte chooses a column. */
        const char *const columns[] = { NULL, "2", "power" };
        const struct known_csv_options options = { .column = size > 0 ? columns[data[0] % 3] : NULL };
        char error[CSV_ERROR_MAX] = "";
        struct known_csv csv;
        FILE *file;

        file = size > 1 ? fmemopen((void *) (data + 1), size - 1, "r") : NULL;
        if (!file)
                return 0;
        if (known_csv_read_stream(file, "input", &options, &csv, error) < 0) {
                if (strncmp(error, "input", 5) != 0 || strlen(error) < 10)
                        abort();
                return 0;
        }
        check(&csv);
        known_csv_free(&csv);
        return 0;
}
