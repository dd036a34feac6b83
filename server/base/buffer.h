/* A text buffer that grows up to a limit set at its start. Past the limit, or without memory, it keeps what it has
 * and remembers that it failed: callers write freely and check once at the end. Always 0-terminated.
 *
 * It can tell whether two texts say the same: buffer_tag is a hash of all bytes but those that stood between
 * buffer_volatile_begin and buffer_volatile_end, such as an age. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
        char *data;   /* owned; NULL until the first byte */
        size_t len;
        size_t cap;
        size_t max;   /* limit of len */
        bool failed;
        size_t tagged;  /* bytes before it are in tag, or left out of it */
        uint64_t tag;
};

void buffer_init(struct buffer *b, size_t max);
void buffer_free(struct buffer *b);  /* NULL is fine; the buffer can be used again after buffer_init */
void buffer_clear(struct buffer *b); /* len = 0, failed = false; keeps the memory */
void buffer_drop(struct buffer *b, size_t len);  /* forgets the first bytes; for a buffer whose tag nobody wants */
void buffer_put(struct buffer *b, const void *data, size_t len);
void buffer_puts(struct buffer *b, const char *text);
void buffer_putc(struct buffer *b, char c);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_put_decimal(struct buffer *b, int64_t value, unsigned places);
void buffer_put_hex(struct buffer *b, const uint8_t *data, size_t len, const char *separator);  /* upper case */

void buffer_volatile_begin(struct buffer *b);
void buffer_volatile_end(struct buffer *b);
uint64_t buffer_tag(const struct buffer *b);
