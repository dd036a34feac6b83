#include "base/json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

void json_begin(struct json_writer *w, struct buffer *out) {
        *w = (struct json_writer) { .out = out };
}

static void put_escape(struct buffer *out, unsigned char c) {
        switch (c) {
        case '"':
                buffer_puts(out, "\\\"");
                break;
        case '\\':
                buffer_puts(out, "\\\\");
                break;
        case '\n':
                buffer_puts(out, "\\n");
                break;
        case '\r':
                buffer_puts(out, "\\r");
                break;
        case '\t':
                buffer_puts(out, "\\t");
                break;
        default:
                buffer_printf(out, "\\u%04x", c);
                break;
        }
}

static void put_quoted(struct buffer *out, const char *text, size_t len) {
        const unsigned char *s = (const unsigned char *) text;
        size_t plain = 0;  /* bytes before s[i] that still wait to be copied start here */

        buffer_putc(out, '"');
        for (size_t i = 0; i < len;) {
                size_t n = utf8_sequence(s + i, len - i);

                if (n > 1 || (n == 1 && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] != 0x7f)) {
                        i += n;
                        continue;
                }
                if (i > plain)
                        buffer_put(out, s + plain, i - plain);
                if (n == 0)
                        buffer_puts(out, "\xef\xbf\xbd");
                else
                        put_escape(out, s[i]);
                plain = ++i;
        }
        if (len > plain)
                buffer_put(out, s + plain, len - plain);
        buffer_putc(out, '"');
}

static void begin_value(struct json_writer *w, const char *key) {
        if (w->has_items[w->depth])
                buffer_putc(w->out, ',');
        w->has_items[w->depth] = true;
        if (key) {
                put_quoted(w->out, key, strlen(key));
                buffer_putc(w->out, ':');
        }
}

static void begin_container(struct json_writer *w, const char *key, char c) {
        begin_value(w, key);
        buffer_putc(w->out, c);
        assert(w->depth + 1 < JSON_DEPTH_MAX);
        w->has_items[++w->depth] = false;
}

static void end_container(struct json_writer *w, char c) {
        assert(w->depth > 0);
        w->depth--;
        buffer_putc(w->out, c);
}

void json_object_begin(struct json_writer *w, const char *key) {
        begin_container(w, key, '{');
}

void json_object_end(struct json_writer *w) {
        end_container(w, '}');
}

void json_array_begin(struct json_writer *w, const char *key) {
        begin_container(w, key, '[');
}

void json_array_end(struct json_writer *w) {
        end_container(w, ']');
}

void json_put_string(struct json_writer *w, const char *key, const char *value) {
        if (value)
                json_put_string_n(w, key, value, strlen(value));
        else
                json_put_null(w, key);
}

void json_put_string_n(struct json_writer *w, const char *key, const char *value, size_t len) {
        begin_value(w, key);
        put_quoted(w->out, value, len);
}

void json_put_int(struct json_writer *w, const char *key, int64_t value) {
        begin_value(w, key);
        buffer_put_decimal(w->out, value, 0);
}

void json_put_uint(struct json_writer *w, const char *key, uint64_t value) {
        begin_value(w, key);
        if (value <= INT64_MAX)
                buffer_put_decimal(w->out, (int64_t) value, 0);
        else
                buffer_printf(w->out, "%" PRIu64, value);
}

void json_put_decimal(struct json_writer *w, const char *key, int64_t value, unsigned places) {
        begin_value(w, key);
        buffer_put_decimal(w->out, value, places);
}

void json_put_bool(struct json_writer *w, const char *key, bool value) {
        begin_value(w, key);
        buffer_puts(w->out, value ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *key) {
        begin_value(w, key);
        buffer_puts(w->out, "null");
}

void json_put_hex(struct json_writer *w, const char *key, const uint8_t *data, size_t len) {
        begin_value(w, key);
        buffer_putc(w->out, '"');
        buffer_put_hex(w->out, data, len, NULL);
        buffer_putc(w->out, '"');
}

/* The comma before and the key belong to what is said, only the value does not. */
static void begin_volatile(struct json_writer *w, const char *key) {
        begin_value(w, key);
        buffer_volatile_begin(w->out);
}

void json_put_volatile_decimal(struct json_writer *w, const char *key, int64_t value, unsigned places) {
        begin_volatile(w, key);
        buffer_put_decimal(w->out, value, places);
        buffer_volatile_end(w->out);
}

void json_put_volatile_string(struct json_writer *w, const char *key, const char *value) {
        begin_volatile(w, key);
        put_quoted(w->out, value, strlen(value));
        buffer_volatile_end(w->out);
}

void json_put_raw(struct json_writer *w, const char *key, const char *json, size_t len) {
        begin_value(w, key);
        buffer_put(w->out, json, len);
}
