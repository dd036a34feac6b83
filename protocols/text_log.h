/* The last lines of text that a module printed between its frames. Fixed size; printable characters only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEXT_LOG_LINES     32
#define TEXT_LOG_LINE_MAX  160  /* of a longer line the beginning is kept; the longest published one has 153 */

struct text_log_line {
        uint64_t at_ms;                   /* monotonic, of its end */
        char text[TEXT_LOG_LINE_MAX + 1];
};

struct text_log {
        uint64_t total;                   /* lines ever */
        struct text_log_line lines[TEXT_LOG_LINES];  /* line n (from 0) stands at n % TEXT_LOG_LINES */
};

/* Adds a line; what is not printable ASCII becomes '?'. */
void text_log_put(struct text_log *l, uint64_t at_ms, const char *text, size_t len);

/* The i-th of those kept, oldest first; NULL past the newest. */
const struct text_log_line *text_log_get(const struct text_log *l, unsigned i);
