#include "tools/openbeken_script.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* Zero bytes count as blanks, so that words can be strings. */
static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

/* Bytes of the blank at p, 0 where there is none: a hard space comes along when a script is copied from a page. */
static size_t blank_at(const char *p, const char *end) {
        if (p < end && is_blank(*p))
                return 1;
        return end - p >= 2 && memcmp(p, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

static size_t separator_at(const char *p, const char *end) {
        return p < end && *p == ',' ? 1 : blank_at(p, end);
}

void openbeken_lines_begin(struct openbeken_lines *l, const char *text, size_t len) {
        size_t mark = strlen(BYTE_ORDER_MARK);

        *l = (struct openbeken_lines) { .at = text, .end = text + len };
        if (len >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0)
                l->at += mark;
}

/* A comment may follow a command directly, but "http://..." is none. */
static const char *find_comment(const char *line, const char *end) {
        bool quoted = false;

        for (const char *p = line; p < end; p++) {
                if (*p == '"')
                        quoted = !quoted;
                if (!quoted && end - p >= 2 && p[0] == '/' && p[1] == '/' && (p == line || p[-1] != ':'))
                        return p;
        }
        return end;
}

static void trim(const char **start, const char **end) {
        size_t n;

        while ((n = blank_at(*start, *end)) > 0)
                *start += n;
        for (;;) {
                if (*end > *start && is_blank((*end)[-1]))
                        (*end)--;
                else if (*end - *start >= 2 && memcmp(*end - 2, "\xc2\xa0", 2) == 0)
                        *end -= 2;
                else
                        break;
        }
}

bool openbeken_lines_next(struct openbeken_lines *l, const char **ret_line, size_t *ret_len) {
        const char *start = l->at, *end;

        if (l->at == l->end)
                return false;
        end = l->at;
        while (end < l->end && *end != '\n' && *end != '\r')
                end++;
        l->at = end;
        if (l->end - l->at >= 2 && l->at[0] == '\r' && l->at[1] == '\n')
                l->at += 2;
        else if (l->at < l->end)
                l->at++;
        l->number++;
        end = find_comment(start, end);
        trim(&start, &end);
        *ret_line = start;
        *ret_len = (size_t) (end - start);
        return true;
}

bool openbeken_next_part(const char **at, const char *end, const char **ret_part, size_t *ret_len) {
        const char *start = *at, *stop = *at;
        bool quoted = false;

        if (start == end)
                return false;
        for (; stop < end && (quoted || *stop != ';'); stop++)
                if (*stop == '"')
                        quoted = !quoted;
        *at = stop < end ? stop + 1 : stop;
        trim(&start, &stop);
        *ret_part = start;
        *ret_len = (size_t) (stop - start);
        return true;
}

int openbeken_split(const char *line, size_t len, struct openbeken_words *ret) {
        const char *p, *end;
        char *out = ret->text;
        size_t n;

        if (len > OPENBEKEN_LINE_MAX)
                return -E2BIG;
        memcpy(ret->line, line, len);
        ret->line[len] = 0;
        ret->n = 0;
        p = ret->line;
        end = p + len;
        while (ret->n < OPENBEKEN_WORDS_MAX) {
                while ((n = separator_at(p, end)) > 0)
                        p += n;
                if (p == end)
                        break;
                ret->rest[ret->n] = p;
                ret->word[ret->n++] = out;
                if (*p == '"') {
                        for (p++; p < end && *p != '"'; p++)
                                *out++ = *p;
                        p += p < end;
                } else {
                        while (p < end && separator_at(p, end) == 0 && *p != '"')
                                *out++ = *p++;
                }
                *out++ = 0;
        }
        return 0;
}

const char *openbeken_text_from(const struct openbeken_words *w, unsigned i) {
        return w->rest[i][0] == '"' && i + 1 == w->n ? w->word[i] : w->rest[i];
}

int openbeken_integer(const char *word, int64_t min, int64_t max, int64_t *ret) {
        int64_t n = 0;
        int r = 0;

        if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
                size_t len = strlen(word + 2);

                if (len == 0 || strspn(word + 2, "0123456789abcdefABCDEF") != len)
                        return -EINVAL;
                if (len > 15)
                        return -ERANGE;
                n = (int64_t) strtoull(word + 2, NULL, 16);
        } else {
                r = decimal_parse(word, 0, &n);
        }
        if (r < 0)
                return r;
        if (n < min || n > max)
                return -ERANGE;
        *ret = n;
        return 0;
}
