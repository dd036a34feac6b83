#include "api/write_body.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define ID_MAX UINT16_MAX  /* datapoints of every protocol; which of them a meter has, its profile says */

__attribute__((format(printf, 3, 4)))
static int fail(struct write_body_error *error, const char *key, const char *format, ...) {
        va_list args;

        error->key = key;
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
        return -EINVAL;
}

static int read_id(const json_t *value, struct datapoint_write *w, struct write_body_error *error) {
        json_int_t id = json_integer_value(value);

        if (!json_is_integer(value) || id < 1 || id > ID_MAX)
                return fail(error, "dp", "expected the datapoint's number, 1 to %d", ID_MAX);
        w->id = (uint16_t) id;
        return 0;
}

static int read_raw(const json_t *value, struct datapoint_write *w, struct write_body_error *error) {
        if (json_is_boolean(value)) {
                w->form = VALUE_FLAG;
                w->number = json_is_true(value);
                return 0;
        }
        if (!json_is_integer(value))
                return fail(error, "raw",
                            "expected true, false or a whole number, as the datapoint has it on the wire");
        w->form = VALUE_NUMBER;
        w->number = json_integer_value(value);
        return 0;
}

static int read_text(const json_t *value, struct datapoint_write *w, struct write_body_error *error) {
        size_t len = json_string_length(value);

        if (!json_is_string(value) || len > WRITE_BYTES_MAX)
                return fail(error, "text", "expected a text of at most %d bytes", WRITE_BYTES_MAX);
        w->form = VALUE_TEXT;
        w->len = len;
        memcpy(w->bytes, json_string_value(value), len);
        return 0;
}

static int digit(char c) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *at = c ? strchr(digits, c) : NULL;
        int n = at ? (int) (at - digits) : -1;

        return n < 16 ? n : n - 6;
}

static int read_hex(const json_t *value, struct datapoint_write *w, struct write_body_error *error) {
        const char *text = json_string_value(value);
        size_t len = json_string_length(value);

        w->form = VALUE_BYTES;
        w->len = len / 2;
        if (json_is_string(value) && len % 2 == 0 && w->len <= WRITE_BYTES_MAX &&
            strspn(text, "0123456789abcdefABCDEF") == len) {
                for (size_t i = 0; i < w->len; i++)
                        w->bytes[i] = (uint8_t) (digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
                return 0;
        }
        return fail(error, "hex", "expected at most %d bytes, each as two hexadecimal digits", WRITE_BYTES_MAX);
}

static const struct {
        const char *key;
        int (*read)(const json_t *value, struct datapoint_write *w, struct write_body_error *error);
        bool is_value;
} keys[] = {
        { "dp", read_id, false },
        { "raw", read_raw, true },
        { "text", read_text, true },
        { "hex", read_hex, true },
};

static int check_keys(const json_t *object, struct write_body_error *error) {
        const char *name;
        json_t *value;

        json_object_foreach((json_t *) object, name, value) {
                size_t i = 0;

                while (i < ELEMENTS(keys) && strcmp(keys[i].key, name) != 0)
                        i++;
                if (i == ELEMENTS(keys))
                        return fail(error, NULL, "unknown key \"%.64s\"; expected dp and one of raw, text, hex",
                                    name);
        }
        return 0;
}

static int read_object(const json_t *object, struct datapoint_write *w, struct write_body_error *error) {
        const char *given = NULL;
        int r = check_keys(object, error);

        if (r == 0 && !json_object_get(object, "dp"))
                return fail(error, "dp", "missing; expected the datapoint's number");
        for (size_t i = 0; r == 0 && i < ELEMENTS(keys); i++) {
                const json_t *value = json_object_get(object, keys[i].key);

                if (!value)
                        continue;
                if (keys[i].is_value && given)
                        return fail(error, keys[i].key, "%s is given already; expected one of raw, text, hex", given);
                given = keys[i].is_value ? keys[i].key : NULL;
                r = keys[i].read(value, w, error);
        }
        if (r == 0 && !given)
                return fail(error, "raw", "missing; expected a value: one of raw, text, hex");
        return r;
}

int write_body_read(const char *body, size_t len, struct datapoint_write *ret, struct write_body_error *error) {
        CLEANUP(json_decrefp) json_t *root = NULL;
        struct datapoint_write w = { 0 };
        json_error_t json_error;
        int r;

        if (len == 0)
                return fail(error, NULL,
                            "the body is empty; expected a JSON object such as {\"dp\": 1, \"raw\": true}");
        root = json_loadb(body, len, JSON_REJECT_DUPLICATES, &json_error);
        if (!root)
                return fail(error, NULL, "the body is no good JSON: line %d, column %d: %s", json_error.line,
                            json_error.column, json_error.text);
        if (!json_is_object(root))
                return fail(error, NULL, "expected a JSON object such as {\"dp\": 1, \"raw\": true}");
        r = read_object(root, &w, error);
        if (r == 0)
                *ret = w;
        return r;
}
