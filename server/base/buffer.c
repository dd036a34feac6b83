#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/hash.h"

#define FIRST_CAPACITY 256

void buffer_init(struct buffer *b, size_t max) {
        *b = (struct buffer) { .max = max };
}

void buffer_free(struct buffer *b) {
        if (!b)
                return;
        free(b->data);
        buffer_init(b, b->max);
}

void buffer_clear(struct buffer *b) {
        b->len = 0;
        b->failed = false;
        b->tagged = 0;
        b->tag = 0;
        if (b->data)
                b->data[0] = 0;
}

void buffer_drop(struct buffer *b, size_t len) {
        if (len == 0)
                return;
        b->len -= len;
        memmove(b->data, b->data + len, b->len + 1);
}

/* Makes room for len more bytes and the final 0; false and failed when the limit or the memory says no. */
static bool reserve(struct buffer *b, size_t len) {
        size_t need, cap;
        char *data;

        if (b->failed || len > b->max - b->len) {
                b->failed = true;
                return false;
        }
        need = b->len + len + 1;
        if (need <= b->cap)
                return true;
        cap = b->cap ? b->cap * 2 : FIRST_CAPACITY;
        if (cap < need)
                cap = need;
        if (cap > b->max + 1)
                cap = b->max + 1;
        data = realloc(b->data, cap);
        if (!data) {
                b->failed = true;
                return false;
        }
        b->data = data;
        b->cap = cap;
        return true;
}

void buffer_put(struct buffer *b, const void *data, size_t len) {
        if (!reserve(b, len))
                return;
        if (len > 0)
                memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = 0;
}

void buffer_puts(struct buffer *b, const char *text) {
        buffer_put(b, text, strlen(text));
}

void buffer_putc(struct buffer *b, char c) {
        buffer_put(b, &c, 1);
}

void buffer_printf(struct buffer *b, const char *format, ...) {
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(NULL, 0, format, args);
        va_end(args);
        if (n < 0) {
                b->failed = true;
                return;
        }
        if (!reserve(b, (size_t) n))
                return;
        va_start(args, format);
        vsnprintf(b->data + b->len, (size_t) n + 1, format, args);
        va_end(args);
        b->len += (size_t) n;
}

void buffer_put_decimal(struct buffer *b, int64_t value, unsigned places) {
        char text[DECIMAL_TEXT_MAX];
        size_t len = decimal_format(value, places, text);

        buffer_put(b, text, len);
}

void buffer_put_hex(struct buffer *b, const uint8_t *data, size_t len, const char *separator) {
        static const char digits[] = "0123456789ABCDEF";

        for (size_t i = 0; i < len; i++) {
                char pair[2] = { digits[data[i] >> 4], digits[data[i] & 15] };

                if (i > 0 && separator)
                        buffer_puts(b, separator);
                buffer_put(b, pair, sizeof pair);
        }
}

uint64_t buffer_tag(const struct buffer *b) {
        return b->data ? hash_bytes(b->tag, b->data + b->tagged, b->len - b->tagged) : b->tag;
}

void buffer_volatile_begin(struct buffer *b) {
        b->tag = buffer_tag(b);
        b->tagged = b->len;
}

void buffer_volatile_end(struct buffer *b) {
        b->tagged = b->len;
}
