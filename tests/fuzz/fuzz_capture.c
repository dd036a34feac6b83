/* Any text as a recording: an error with a line, or chunks that are never empty, and an end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_chunk(const struct capture_chunk *chunk) {
        if (chunk->len == 0 || chunk->len > CAPTURE_LINE_MAX / 2 || chunk->direction > CAPTURE_TX)
                abort();
        if (chunk->has_time && chunk->resolution_ms != 1 && chunk->resolution_ms != 1000)
                abort();
        /* Every byte must be there to be read. */
        for (volatile size_t i = 0, sum = 0; i < chunk->len; i++)
                sum += chunk->data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct capture_chunk chunk;
        struct capture *capture;
        size_t bytes = 0;
        FILE *file;
        int r;

        file = size > 0 ? fmemopen((void *) data, size, "r") : NULL;
        if (!file || capture_open_stream(file, "input", &capture) < 0)
                return 0;
        while ((r = capture_next(capture, &chunk)) > 0) {
                check_chunk(&chunk);
                bytes += chunk.len;
        }
        /* Two digits for each byte; and an error that nobody could read would be none. */
        if (bytes > size / 2 || (r < 0 && strlen(capture_error(capture)) < 10))
                abort();
        capture_free(capture);
        return 0;
}
