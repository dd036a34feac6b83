#include "protocols/tuyamcu/tuyamcu.h"

#include <string.h>

/* The product answer is a flat JSON object with one-letter keys, in any order, sometimes damaged or cut off.
 * A scan for "key" followed by a colon, outside of strings and of anything nested, reads all of them; a full parser
 * would refuse some. */

struct scanner {
        const uint8_t *text;
        size_t len, at;
};

static void skip_blanks(struct scanner *s) {
        while (s->at < s->len && strchr(" \t\r\n", s->text[s->at]) && s->text[s->at] != '\0')
                s->at++;
}

/* At an opening quote: returns where the string's content begins and its length, and moves behind it. */
static bool read_string(struct scanner *s, const uint8_t **ret, size_t *ret_len) {
        size_t begin = ++s->at;

        while (s->at < s->len && s->text[s->at] != '"')
                s->at += s->text[s->at] == '\\' ? 2 : 1;
        if (s->at >= s->len)
                return false;
        *ret = s->text + begin;
        *ret_len = s->at++ - begin;
        return true;
}

static void copy_printable(char *buf, size_t size, const uint8_t *text, size_t len) {
        size_t n = len < size - 1 ? len : size - 1;

        for (size_t i = 0; i < n; i++)
                buf[i] = text[i] >= 0x20 && text[i] < 0x7f ? (char) text[i] : '?';
        buf[n] = '\0';
}

/* The value behind a colon: a string, or bare characters up to a comma or brace. */
static void copy_value(struct scanner *s, char *buf, size_t size) {
        const uint8_t *text;
        size_t len = 0;

        skip_blanks(s);
        if (s->at >= s->len)
                return;
        if (s->text[s->at] == '"') {
                if (read_string(s, &text, &len))
                        copy_printable(buf, size, text, len);
                return;
        }
        text = s->text + s->at;
        while (s->at + len < s->len && text[len] != ',' && text[len] != '}')
                len++;
        copy_printable(buf, size, text, len);
}

static int nesting(uint8_t c) {
        return c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
}

void tuya_product_field(const uint8_t *json, size_t len, char key, char *buf, size_t size) {
        struct scanner s = { json, len, 0 };
        int depth = 0;

        buf[0] = '\0';
        while (s.at < s.len) {
                const uint8_t *name;
                size_t name_len;

                if (s.text[s.at] != '"') {
                        depth += nesting(s.text[s.at++]);
                        continue;
                }
                if (!read_string(&s, &name, &name_len))
                        return;
                skip_blanks(&s);
                if (s.at >= s.len || s.text[s.at] != ':')
                        continue;  /* a value, not a name */
                s.at++;
                if (depth <= 1 && name_len == 1 && name[0] == (uint8_t) key) {
                        copy_value(&s, buf, size);
                        return;
                }
        }
}
