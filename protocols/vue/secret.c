#include "protocols/vue/secret.h"

#include <string.h>

#include "protocols/vue/frame.h"

enum {
        SECRET_BYTES = 8,         /* the shortest secret: an install code */
        OPEN_BYTES = 4,           /* of a secret that breaks off: more than any number of the console has */
        SEPARATORS_MAX = 3,       /* between two bytes of one key */
};

static bool is_hex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Also the x of 0x. */
static bool is_separator(char c) {
        return c != '\0' && strchr(" :-,._x", c) != NULL;
}

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

size_t vue_text_find(const char *text, size_t len, const char *word) {
        size_t n = strlen(word);

        for (size_t i = 0; i + n <= len; i++) {
                size_t k = 0;

                while (k < n && lower(text[i + k]) == word[k])
                        k++;
                if (k == n)
                        return i;
        }
        return len;
}

static bool is_word(char c) {
        return is_hex(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* Length of the group of hex digits at i that can be bytes: a single digit only if it stands alone. */
static size_t hex_group(const char *line, size_t len, size_t i) {
        size_t n = 0;

        while (i + n < len && is_hex(line[i + n]))
                n++;
        if (n == 1 && ((i > 0 && is_word(line[i - 1])) || (i + 1 < len && is_word(line[i + 1]))))
                return 0;
        return n;
}

/* End of the run of hex bytes that begins at from; *ret_bytes is how many it has. */
static size_t hex_run(const char *line, size_t len, size_t from, size_t *ret_bytes) {
        size_t end = from + 1, gap = 0, bytes = 0;

        for (size_t i = from; i < len && gap <= SEPARATORS_MAX;) {
                size_t n = hex_group(line, len, i);

                if (n > 0) {
                        bytes += (n + 1) / 2;
                        i += n;
                        end = i;
                        gap = 0;
                } else if (is_separator(line[i]) || (line[i] == '0' && i + 1 < len && line[i + 1] == 'x')) {
                        gap += line[i] != '0' && line[i] != 'x';
                        i++;
                } else
                        break;
        }
        *ret_bytes = bytes;
        return end;
}

/* Without the separators behind which a key may go on. */
static size_t key_end(const char *line, size_t len) {
        size_t end = len;

        while (end > 0 && len - end < SEPARATORS_MAX && is_separator(line[end - 1]))
                end--;
        return end;
}

/* The bytes of a meter's reading: the one long run of hex that is no secret. */
static void find_payload(const char *line, size_t len, size_t *ret_from, size_t *ret_to) {
        static const char word[] = "payload[";
        const char *end;

        *ret_from = *ret_to = len;
        if (vue_text_find(line, len, "clus 0x0702") == len)
                return;
        *ret_from = vue_text_find(line, len, word);
        if (*ret_from == len)
                return;
        *ret_from += strlen(word);
        end = memchr(line + *ret_from, ']', len - *ret_from);
        *ret_to = end ? (size_t) (end - line) : len;
}

void vue_secret_begin(struct vue_secrets *s, const char *line, size_t len) {
        *s = (struct vue_secrets) { .line = line, .len = len };
        find_payload(line, len, &s->payload_from, &s->payload_to);
}

bool vue_secret_next(struct vue_secrets *s, size_t *ret_from, size_t *ret_len) {
        while (s->at < s->len) {
                size_t from = s->at, bytes = 0;

                s->at++;
                if (from == s->payload_from && s->payload_to > from)
                        s->at = s->payload_to;
                else if (is_hex(s->line[from]))
                        s->at = hex_run(s->line, from < s->payload_from ? s->payload_from : s->len, from, &bytes);
                if (bytes < (s->is_open && s->at >= key_end(s->line, s->len) ? OPEN_BYTES : SECRET_BYTES))
                        continue;
                *ret_from = from;
                *ret_len = s->at - from;
                return true;
        }
        return false;
}

bool vue_secret_line(const char *line, size_t len) {
        return vue_text_find(line, len, "key") < len || vue_text_find(line, len, "install") < len;
}

/* ---- blanked in place ---- */

static bool is_line_end(uint8_t c) {
        return c == '\r' || c == '\n';
}

static size_t set_bytes(uint8_t *bytes, size_t len, uint8_t value) {
        size_t changed = 0;

        for (size_t i = 0; i < len; i++) {
                changed += bytes[i] != value;
                bytes[i] = value;
        }
        return changed;
}

/* Digits become 0, so that what comes behind a long line's first part still counts as more of the same key. */
static size_t blank_digits(uint8_t *bytes, size_t len) {
        size_t changed = 0;

        for (size_t i = 0; i < len; i++)
                if (is_hex((char) bytes[i]))
                        changed += set_bytes(bytes + i, 1, '0');
        return changed;
}

static size_t blank_line(uint8_t *bytes, size_t len, bool is_open) {
        struct vue_secrets secrets;
        size_t from, n, changed = 0;

        if (vue_secret_line((const char *) bytes, len)) {
                for (size_t i = 0; i < len; i++)
                        if (is_word((char) bytes[i]))
                                changed += set_bytes(bytes + i, 1, 'x');
                return changed;
        }
        vue_secret_begin(&secrets, (const char *) bytes, len);
        secrets.is_open = is_open;
        while (vue_secret_next(&secrets, &from, &n))
                changed += blank_digits(bytes + from, n);
        return changed;
}

size_t vue_blank_frame(uint8_t *frame, size_t len) {
        if (frame[2] != VUE_INSTALL_CODE)
                return 0;
        return set_bytes(frame + VUE_HEADER_SIZE, len - VUE_FRAME_OVERHEAD, 0);
}

/* A letter that nobody knows may have been that of an install code. */
static bool may_be_code(uint8_t letter) {
        return letter == '\0' || !strchr("fmjre", letter);
}

/* The rest of an install code's frame that was damaged, from its letter on where even its first bytes are gone. What
 * was another frame is text like any other: its length tells nothing about what follows now. */
enum debris { DEBRIS_NONE, DEBRIS_FRAME, DEBRIS_CODE };

static enum debris begins_debris(const uint8_t *bytes, size_t len) {
        if (len >= 2 && bytes[0] == '$' && bytes[1] == 0x01 && (len == 2 || may_be_code(bytes[2])))
                return DEBRIS_FRAME;
        if (len >= 2 && bytes[0] == VUE_INSTALL_CODE && bytes[1] == VUE_INSTALL_CODE_SIZE)
                return DEBRIS_CODE;
        return DEBRIS_NONE;
}

/* Its bytes; 0: it goes on beyond len, or may. The length may be what is damaged. */
static size_t debris_size(const uint8_t *bytes, size_t len, enum debris debris) {
        size_t header = debris == DEBRIS_CODE ? 2 : VUE_HEADER_SIZE, payload;

        if (len < header)
                return 0;
        payload = bytes[header - 1];
        if (payload < VUE_INSTALL_CODE_SIZE)
                payload = VUE_INSTALL_CODE_SIZE;
        return header + payload + 1 <= len ? header + payload + 1 : 0;
}

static size_t blank_debris(uint8_t *bytes, size_t len, enum debris debris) {
        size_t header = debris == DEBRIS_CODE ? 2 : VUE_HEADER_SIZE;

        return len > header ? set_bytes(bytes + header, len - header, 0) : 0;
}

/* Up to and with the end of the line, or up to a damaged frame; 0: it goes on. */
static size_t line_size(const uint8_t *bytes, size_t len) {
        for (size_t i = 0; i < len; i++) {
                if (is_line_end(bytes[i]))
                        return i + 1;
                if (i > 0 && begins_debris(bytes + i, len - i) != DEBRIS_NONE)
                        return i;
        }
        return 0;
}

/* One line, or one damaged frame. Returns how many of its bytes are done, 0 when they have to wait. */
static size_t blank_piece(uint8_t *bytes, size_t len, bool is_all, size_t *changed) {
        enum debris debris = begins_debris(bytes, len);
        size_t n = debris ? debris_size(bytes, len, debris) : line_size(bytes, len);
        bool is_open = n == 0;

        if (is_open && is_all)
                n = len;
        if (debris) {
                *changed += n > 0 ? blank_debris(bytes, n, debris) : 0;
                return n;
        }
        if (n > 0 || len >= VUE_BLANK_WAIT_MAX)
                *changed += blank_line(bytes, n > 0 ? n : len, is_open);
        /* What is kept of a line without an end is longer than any key. */
        return n == 0 && len >= VUE_BLANK_WAIT_MAX ? len / 2 : n;
}

size_t vue_blank_text(uint8_t *bytes, size_t len, bool is_all, size_t *ret_changed) {
        size_t done = 0, changed = 0, n;

        while (done < len && (n = blank_piece(bytes + done, len - done, is_all, &changed)) > 0)
                done += n;
        *ret_changed = changed;
        return done;
}

/* ---- cut within a secret ---- */

/* A frame that may be an install code's, or the rest of one, has begun and not ended; its letter may be all there
 * is. */
static bool ends_in_debris(const uint8_t *bytes, size_t len) {
        for (size_t i = 0; i < len; i++) {
                enum debris debris = begins_debris(bytes + i, len - i);

                if (debris && debris_size(bytes + i, len - i, debris) == 0)
                        return true;
        }
        return len > 0 && bytes[len - 1] == VUE_INSTALL_CODE;
}

/* A line about keys, or hex digits, have not ended. */
static bool ends_in_key(const char *line, size_t len) {
        size_t end = key_end(line, len);

        return (end > 0 && is_hex(line[end - 1])) || vue_secret_line(line, len);
}

bool vue_is_text_cut(const uint8_t *bytes, size_t len) {
        size_t line = len;

        while (line > 0 && !is_line_end(bytes[line - 1]))
                line--;
        return ends_in_debris(bytes, len) || ends_in_key((const char *) bytes + line, len - line);
}
