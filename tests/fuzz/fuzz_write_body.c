/* Bodies of set-datapoint. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/write_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct write_body_error error = { .text = "" };
        struct datapoint_write w = { .id = 0 };

        if (write_body_read((const char *) data, size, &w, &error) < 0) {
                if (w.id != 0 || error.text[0] == 0 || strlen(error.text) >= sizeof error.text)
                        abort();
                return 0;
        }
        if (w.id == 0 || w.form >= VALUE_FORM_COUNT || w.len > sizeof w.bytes ||
            (w.form == VALUE_FLAG && w.number != 0 && w.number != 1))
                abort();
        return 0;
}
