#include "config/yaml_text.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/utf8.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define PLAIN   LETTERS "0123456789 -_/.()+%"
#define LINE_MAX_BYTES 96  /* of a folded text: what an editor of 100 columns shows whole */

bool yaml_text_fits(const char *text) {
        const unsigned char *s = (const unsigned char *) text;
        size_t len = strlen(text);

        for (size_t i = 0; i < len;) {
                size_t n = utf8_sequence(s + i, len - i);

                if (n == 0 || s[i] < 0x20 || s[i] == 0x7f)
                        return false;
                i += n;
        }
        return len > 0;
}

/* Words that some YAML readers take for something other than text. */
static bool is_other_word(const char *text) {
        static const char *const words[] = { "true", "false", "yes", "no", "on", "off", "y", "n", "null" };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strcasecmp(text, words[i]) == 0)
                        return true;
        return false;
}

/* Nothing in it that means something to YAML, anywhere, and nothing that looks like a number. */
static bool is_plain(const char *text) {
        size_t len = strlen(text);

        return len > 0 && strchr(LETTERS, text[0]) && strspn(text, PLAIN) == len && text[len - 1] != ' ' &&
               !is_other_word(text);
}

/* Line ends (U+0085, U+2028, U+2029), the mark at the start of a file and what the YAML standard does not let stand
 * in a file as it is. A hard space is told from a soft one this way, too. */
static bool must_be_escaped(uint32_t c) {
        return (c >= 0x7f && c <= 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff;
}

void yaml_put_quoted(struct buffer *out, const char *text) {
        const unsigned char *s = (const unsigned char *) text;
        size_t len = strlen(text);

        buffer_putc(out, '"');
        for (size_t i = 0; i < len;) {
                size_t n = utf8_sequence(s + i, len - i);
                uint32_t c;

                if (n == 0)
                        break;
                c = utf8_character(s + i, n);
                if (must_be_escaped(c)) {
                        buffer_printf(out, "\\u%04X", (unsigned) c);
                } else {
                        if (c == '"' || c == '\\')
                                buffer_putc(out, '\\');
                        buffer_put(out, s + i, n);
                }
                i += n;
        }
        buffer_putc(out, '"');
}

void yaml_put_text(struct buffer *out, const char *text) {
        if (is_plain(text))
                buffer_puts(out, text);
        else
                yaml_put_quoted(out, text);
}

/* Fit for a folded block, in which only the line ends that we put in mean anything: one space between words. */
static bool is_foldable(const char *text) {
        const unsigned char *s = (const unsigned char *) text;
        size_t len = strlen(text);

        if (len == 0 || s[0] == ' ' || s[len - 1] == ' ' || strstr(text, "  "))
                return false;
        for (size_t i = 0, n; i < len; i += n) {
                n = utf8_sequence(s + i, len - i);
                if (n == 0 || must_be_escaped(utf8_character(s + i, n)))
                        return false;
        }
        return true;
}

void yaml_put_folded(struct buffer *out, const char *text) {
        size_t column = 0;

        if (strlen(text) <= LINE_MAX_BYTES - 20 || !is_foldable(text)) {
                yaml_put_text(out, text);
                buffer_putc(out, '\n');
                return;
        }
        buffer_puts(out, ">-\n ");
        while (*text) {
                size_t word = strcspn(text, " ");

                if (column > 0 && column + 1 + word > LINE_MAX_BYTES) {
                        buffer_puts(out, "\n ");
                        column = 0;
                }
                buffer_putc(out, ' ');
                buffer_put(out, text, word);
                column += 1 + word;
                text += word + (text[word] == ' ');
        }
        buffer_putc(out, '\n');
}

void yaml_put_remark(struct buffer *out, const char *text, size_t len) {
        const unsigned char *s = (const unsigned char *) text;

        for (size_t i = 0; i < len;) {
                size_t n = utf8_sequence(s + i, len - i);

                if (n == 0 || s[i] < 0x20 || must_be_escaped(utf8_character(s + i, n)))
                        buffer_putc(out, '?');
                else
                        buffer_put(out, s + i, n);
                i += n > 0 ? n : 1;
        }
}

void yaml_put_comment(struct buffer *out, unsigned indent, const char *text) {
        while (*text) {
                size_t len = strcspn(text, "\n");

                buffer_printf(out, "%*s#%s", (int) indent, "", len > 0 ? " " : "");
                yaml_put_remark(out, text, len);
                buffer_putc(out, '\n');
                text += len + (text[len] == '\n');
        }
}
