/* JSON text straight into a buffer, with fixed-point numbers. Commas are its own business; the nesting is the
 * caller's (a wrong one is a bug and asserted). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define JSON_DEPTH_MAX 16

struct json_writer {
        struct buffer *out;               /* borrowed */
        unsigned depth;
        bool has_items[JSON_DEPTH_MAX];
};

void json_begin(struct json_writer *w, struct buffer *out);

/* key is NULL inside arrays and at the top. */
void json_object_begin(struct json_writer *w, const char *key);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w, const char *key);
void json_array_end(struct json_writer *w);

void json_put_string(struct json_writer *w, const char *key, const char *value);  /* NULL value: null */
/* Bytes that may be anything: invalid UTF-8 becomes U+FFFD, control characters are escaped. */
void json_put_string_n(struct json_writer *w, const char *key, const char *value, size_t len);
void json_put_int(struct json_writer *w, const char *key, int64_t value);
void json_put_uint(struct json_writer *w, const char *key, uint64_t value);
void json_put_decimal(struct json_writer *w, const char *key, int64_t value, unsigned places);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_null(struct json_writer *w, const char *key);
void json_put_hex(struct json_writer *w, const char *key, const uint8_t *data, size_t len);  /* "0A1B" */
/* Values that change by themselves, as an age does: they do not count for the text's buffer_tag. */
void json_put_volatile_decimal(struct json_writer *w, const char *key, int64_t value, unsigned places);
void json_put_volatile_string(struct json_writer *w, const char *key, const char *value);
/* Text that is JSON already. */
void json_put_raw(struct json_writer *w, const char *key, const char *json, size_t len);
