/* Text between frames: prompts, echoes and the module's own log. It is collected into lines for people. Keys and
 * install codes can stand in it, as text and as bytes of a damaged frame; those are not kept. */
#include "protocols/vue/session.h"

#include <stdio.h>
#include <string.h>

#include "protocols/vue/secret.h"

enum {
        GAP_MS = 1000,            /* what was begun before is a line of its own */
        FOREIGN_SHARE = 8,        /* one in so many characters may be damaged in what still counts as text */
};

static const char prompt[] = "SeIhd>";

/* Replaces runs of hex that can be keys. True when there was one. */
static bool hide_hex(char *line, size_t *len) {
        static const char mark[] = "(redacted)";
        size_t done = 0, out = 0, at, n;
        struct vue_secrets secrets;
        bool any = false;

        vue_secret_begin(&secrets, line, *len);
        while (vue_secret_next(&secrets, &at, &n)) {
                memmove(line + out, line + done, at - done);
                out += at - done;
                memcpy(line + out, mark, strlen(mark));
                out += strlen(mark);
                done = at + n;
                any = true;
        }
        memmove(line + out, line + done, *len - done);
        *len = out + *len - done;
        return any;
}

static bool hide_secrets(char *line, size_t *len) {
        static const char whole[] = "(redacted: a line about keys)";

        if (!vue_secret_line(line, *len))
                return hide_hex(line, len);
        memcpy(line, whole, strlen(whole));
        *len = strlen(whole);
        return true;
}

/* ---- lines ---- */

static bool is_text(char c) {
        return (c >= 0x20 && c < 0x7f) || c == '\t';
}

static unsigned count_foreign(const char *line, size_t len) {
        unsigned n = 0;

        for (size_t i = 0; i < len; i++)
                n += !is_text(line[i]);
        return n;
}

/* Prompts stand alone, doubled, or in front of what comes next. */
static void drop_prompts(char *line, size_t *len) {
        size_t n = strlen(prompt), at = 0;

        for (;;) {
                while (at < *len && line[at] == ' ')
                        at++;
                if (*len - at < n || memcmp(line + at, prompt, n) != 0)
                        break;
                at += n;
        }
        *len -= at;
        memmove(line, line + at, *len);
}

static bool is_request(const char *line, size_t len) {
        return len == 2 && line[0] == '$' && line[1] != '\0' && strchr("fmijr", line[1]) != NULL;
}

static void look_at(struct vue_console *c) {
        static const char boot[] = "reset info";

        if (vue_text_find(c->line, c->len, boot) == 0)
                c->booted = true;
        if (is_request(c->line, c->len))
                c->echoed = true;
}

/* Returns how many lines that makes, 0 or 1. */
static unsigned end_line(struct vue_console *c, uint64_t at_ms, unsigned *ret_redacted) {
        char note[48];
        unsigned foreign;

        drop_prompts(c->line, &c->len);
        if (c->len == 0)
                return 0;
        look_at(c);
        foreign = count_foreign(c->line, c->len);
        if (foreign > 0 && (size_t) foreign * FOREIGN_SHARE > c->len) {
                int n = snprintf(note, sizeof note, "(%zu bytes that are no text)", c->len);

                text_log_put(&c->log, at_ms, note, (size_t) n);
        } else {
                *ret_redacted += hide_secrets(c->line, &c->len);
                text_log_put(&c->log, at_ms, c->line, c->len);
        }
        c->len = 0;
        return 1;
}

/* The rest of a damaged frame passes as text; that of an install code must not be kept. True while it does. */
static bool is_debris(struct vue_console *c, uint8_t byte) {
        switch (c->debris) {
        case VUE_DEBRIS_NONE:
        case VUE_DEBRIS_DOLLAR:
                if (c->debris == VUE_DEBRIS_DOLLAR && byte == 1) {
                        c->debris = VUE_DEBRIS_TYPE;
                        c->len -= c->len > 0;  /* the '$' */
                        return true;
                }
                c->debris = byte == '$' ? VUE_DEBRIS_DOLLAR : VUE_DEBRIS_NONE;
                return false;
        case VUE_DEBRIS_TYPE:
                c->debris = VUE_DEBRIS_LENGTH;
                return true;
        case VUE_DEBRIS_LENGTH:
                c->debris = VUE_DEBRIS_PAYLOAD;
                c->debris_left = byte + 1u;
                return true;
        case VUE_DEBRIS_PAYLOAD:
                if (--c->debris_left == 0)
                        c->debris = VUE_DEBRIS_NONE;
                return true;
        }
        return false;
}

unsigned vue_console_take(struct vue_console *c, uint64_t now_ms, const uint8_t *bytes, size_t len,
                          unsigned *ret_redacted) {
        unsigned lines = 0;

        *ret_redacted = 0;
        if (len > 0 && now_ms > c->last_ms + GAP_MS) {
                c->debris = VUE_DEBRIS_NONE;
                lines += end_line(c, c->last_ms, ret_redacted);
        }
        c->last_ms = now_ms;
        for (size_t i = 0; i < len; i++) {
                if (is_debris(c, bytes[i]))
                        continue;
                if (bytes[i] == '\r' || bytes[i] == '\n')
                        lines += end_line(c, now_ms, ret_redacted);
                else if (c->len < sizeof c->line)
                        c->line[c->len++] = (char) bytes[i];
        }
        return lines;
}

void vue_console_frame(struct vue_console *c) {
        c->debris = VUE_DEBRIS_NONE;
}
