#include "tools/csv_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

struct csv_reader {
        FILE *file;                     /* owned */
        const char *name;
        uint64_t line;                  /* the one in text, from 1 */
        uint64_t done, total;           /* bytes */
        bool is_export;                 /* made for people: see csv_take_exports */
        enum { NARROW, WIDE_LITTLE, WIDE_BIG } width;  /* of a character in the file: one byte, or UTF-16 */
        char pending[3];                /* what comes next, the last one first */
        unsigned n_pending;
        char separator;                 /* of the line in text */
        size_t len;
        int failed;                     /* 0, or the error that ended reading */
        struct csv_row row;
        char error[CSV_ERROR_MAX];
        char text[CSV_LINE_MAX + 1];    /* fields are cut out of it in place */
};

static void put_error(struct csv_reader *c, unsigned column, const char *what, va_list args) {
        int n = snprintf(c->error, sizeof c->error, "%.200s:%llu:%u: ", c->name, (unsigned long long) c->line,
                         column);

        vsnprintf(c->error + n, sizeof c->error - (size_t) n, what, args);
}

int csv_fail(struct csv_reader *c, unsigned column, const char *what, ...) {
        va_list args;

        va_start(args, what);
        put_error(c, column, what, args);
        va_end(args);
        c->failed = -EINVAL;
        return c->failed;
}

/* ---- lines ---- */

static int fail_reading(struct csv_reader *c) {
        c->failed = errno > 0 ? -errno : -EIO;
        snprintf(c->error, sizeof c->error, "%.200s: cannot be read: %s", c->name, strerror(-c->failed));
        return c->failed;
}

/* Two bytes; a question mark where the second one is missing. */
static int next_unit(struct csv_reader *c) {
        int first = getc_unlocked(c->file), second;

        if (first == EOF)
                return EOF;
        second = getc_unlocked(c->file);
        c->done += second == EOF ? 1 : 2;
        if (second == EOF)
                return '?';
        return c->width == WIDE_BIG ? first << 8 | second : second << 8 | first;
}

/* Of UTF-16 the next byte as UTF-8; half a pair becomes a question mark. */
static int next_wide(struct csv_reader *c) {
        long code = next_unit(c);
        int lead;

        if (code == EOF)
                return EOF;
        if (code >= 0xd800 && code < 0xdc00) {
                int low = next_unit(c);

                code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : '?';
        } else if (code >= 0xdc00 && code < 0xe000) {
                code = '?';
        }
        c->n_pending = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        for (unsigned i = 0; i < c->n_pending; i++)
                c->pending[i] = (char) (0x80 | (code >> 6 * i & 0x3f));
        lead = c->n_pending == 0 ? 0 : 0xf0 << (3 - c->n_pending) & 0xff;
        return lead | (int) (code >> 6 * c->n_pending);
}

static int next_byte(struct csv_reader *c) {
        int ch;

        if (c->n_pending > 0)
                return (unsigned char) c->pending[--c->n_pending];
        if (c->width != NARROW)
                return next_wide(c);
        ch = getc_unlocked(c->file);
        c->done += ch != EOF;
        return ch;
}

/* The mark in front of UTF-16, as spreadsheets write "Unicode text". */
static void find_width(struct csv_reader *c) {
        int first = getc_unlocked(c->file), second;

        if (first != 0xff && first != 0xfe) {
                ungetc(first, c->file);
                return;
        }
        second = getc_unlocked(c->file);
        c->done = 2;
        if (first + second == 0xff + 0xfe) {
                c->width = first == 0xff ? WIDE_LITTLE : WIDE_BIG;
                return;
        }
        ungetc(second, c->file);
        c->done = 1;
        c->pending[0] = (char) first;
        c->n_pending = 1;
}

static int fail_as_binary(struct csv_reader *c) {
        if (c->line == 1 && c->len >= 4 && memcmp(c->text, "PK\3\4", 4) == 0)
                return csv_fail(c, 1, "a workbook of a spreadsheet program, no text: save it as CSV there");
        return csv_fail(c, (unsigned) c->len + 1, "a zero byte: this is no text");
}

/* The next line into text, without its end. 1, 0 at the end of the file. */
static int read_line(struct csv_reader *c) {
        int ch = EOF;

        if (c->line++ == 0)
                find_width(c);
        c->len = 0;
        errno = 0;
        while ((ch = next_byte(c)) != EOF && ch != '\n') {
                if (ch == '\0')
                        return fail_as_binary(c);
                if (c->len == CSV_LINE_MAX) {
                        (void) csv_fail(c, CSV_LINE_MAX + 1, "the line is longer than %d characters", CSV_LINE_MAX);
                        c->failed = -EFBIG;
                        return c->failed;
                }
                c->text[c->len++] = (char) ch;
        }
        if (ch == EOF && ferror(c->file))
                return fail_reading(c);
        if (ch == EOF && c->len == 0)
                return 0;
        if (c->len > 0 && c->text[c->len - 1] == '\r')
                c->len--;
        c->text[c->len] = '\0';
        return 1;
}

/* What typesetters use in place of a blank, a minus and an apostrophe. */
static const struct { const char *typeset; char plain; } plain_forms[] = {
        { "\xc2\xa0", ' ' },     { "\xe2\x80\xaf", ' ' }, { "\xe2\x80\x89", ' ' }, { "\xe2\x80\x87", ' ' },
        { "\xe2\x88\x92", '-' }, { "\xe2\x80\x99", '\'' },
};

/* The plain form of what stands at p, and in *ret_len how many bytes it took. A lone 0xA0 is the hard blank of files
 * that are not in UTF-8. */
static char plain_form(const char *p, bool follows_ascii, size_t *ret_len) {
        for (size_t i = 0; i < ELEMENTS(plain_forms); i++) {
                *ret_len = strlen(plain_forms[i].typeset);
                if (strncmp(p, plain_forms[i].typeset, *ret_len) == 0)
                        return plain_forms[i].plain;
        }
        *ret_len = 1;
        return (unsigned char) *p == 0xa0 && follows_ascii ? ' ' : *p;
}

static void make_plain(char *text) {
        char *to = text;
        bool follows_ascii = true;

        while (*text) {
                size_t len;
                char plain = plain_form(text, follows_ascii, &len);

                follows_ascii = (unsigned char) text[len - 1] < 0x80;
                *to++ = plain;
                text += len;
        }
        *to = '\0';
}

/* ---- fields ---- */

static bool is_blank(char ch) {
        return ch == ' ' || ch == '\t';
}

static size_t skip_blanks(const struct csv_reader *c, size_t at) {
        while (is_blank(c->text[at]) && c->text[at] != c->separator)
                at++;
        return at;
}

/* Behind the opening quote at *at: takes the quotes out in place. Leaves *at behind the closing one. */
static int cut_quoted(struct csv_reader *c, size_t *at) {
        size_t open = *at, from = open + 1, to = from;

        for (;; from++) {
                if (c->text[from] == '\0')
                        return csv_fail(c, (unsigned) open + 1, "a quote without its end in this line");
                if (c->text[from] == '"' && c->text[++from] != '"')
                        break;
                c->text[to++] = c->text[from];
        }
        *at = skip_blanks(c, from);
        if (c->text[*at] != c->separator && c->text[*at] != '\0')
                return csv_fail(c, (unsigned) *at + 1, "expected a %s behind the closing quote",
                                c->separator == ',' ? "comma" : "separator");
        c->text[to] = '\0';
        return 0;
}

static size_t cut_plain(struct csv_reader *c, size_t at) {
        size_t begin = at, end;

        at += strcspn(c->text + at, (char[]) { c->separator, '\0' });
        for (end = at; end > begin && is_blank(c->text[end - 1]); end--)
                ;
        if (end < at)
                c->text[end] = '\0';
        return at;
}

/* The field that begins at *at; *at comes to stand on the comma behind it or on the end. */
static int cut_field(struct csv_reader *c, size_t *at) {
        struct csv_field *field = &c->row.fields[c->row.n_fields];
        size_t begin = skip_blanks(c, *at);
        int r = 0;

        *field = (struct csv_field) { .text = c->text + begin, .column = (unsigned) begin + 1 };
        *at = begin;
        if (c->text[begin] == '"') {
                field->text++;
                r = cut_quoted(c, at);
        } else
                *at = cut_plain(c, begin);
        c->row.n_fields++;
        return r;
}

/* Each line by itself, since what stands above a table is often of another kind: a semicolon outside quotes, else a
 * tab, else a comma. */
static char find_separator(const char *text) {
        bool is_quoted = false, has_tab = false;

        for (; *text; text++) {
                is_quoted ^= *text == '"';
                if (!is_quoted && *text == ';')
                        return ';';
                has_tab |= !is_quoted && *text == '\t';
        }
        return has_tab ? '\t' : ',';
}

static int cut_fields(struct csv_reader *c) {
        size_t at = 0;

        c->separator = c->is_export ? find_separator(c->text) : ',';
        c->row.separator = c->separator;
        if (c->line == 1 && strncmp(c->text, "\xef\xbb\xbf", 3) == 0)
                at = 3;
        c->row.n_fields = 0;
        for (;; at++) {
                bool is_last;
                int r;

                if (c->row.n_fields == CSV_FIELDS_MAX) {
                        (void) csv_fail(c, (unsigned) at + 1, "more than %d fields", CSV_FIELDS_MAX);
                        c->failed = -EFBIG;
                        return c->failed;
                }
                r = cut_field(c, &at);
                if (r < 0)
                        return r;
                is_last = c->text[at] == '\0';
                c->text[at] = '\0';
                if (is_last)
                        return 1;
        }
}

static bool is_empty(const struct csv_reader *c) {
        return c->text[skip_blanks(c, 0)] == '\0';
}

int csv_next(struct csv_reader *c, const struct csv_row **ret) {
        int r = c->failed;

        if (r == 0)
                do
                        r = read_line(c);
                while (r > 0 && is_empty(c));
        if (r > 0 && c->is_export)
                make_plain(c->text);
        if (r > 0)
                r = cut_fields(c);
        if (r > 0)
                *ret = &c->row;
        return r;
}

/* ---- the rest ---- */

int csv_open_stream(FILE *file, const char *name, struct csv_reader **ret) {
        struct csv_reader *c = calloc(1, sizeof *c);
        struct stat st;

        if (!c) {
                fclose(file);
                return -ENOMEM;
        }
        c->file = file;
        c->name = name;
        if (fileno(file) >= 0 && fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode))
                c->total = (uint64_t) st.st_size;
        *ret = c;
        return 0;
}

int csv_open(const char *path, struct csv_reader **ret, char *error) {
        bool is_stdin = strcmp(path, "-") == 0;
        FILE *file = is_stdin ? stdin : fopen(path, "re");
        int r;

        if (!file) {
                r = -errno;
                snprintf(error, CSV_ERROR_MAX, "%.200s: %s", path, strerror(-r));
                return r;
        }
        r = csv_open_stream(file, is_stdin ? "stdin" : path, ret);
        if (r < 0)
                snprintf(error, CSV_ERROR_MAX, "%.200s: %s", path, strerror(-r));
        return r;
}

struct csv_reader *csv_free(struct csv_reader *c) {
        if (!c)
                return NULL;
        if (c->file != stdin)
                fclose(c->file);
        free(c);
        return NULL;
}

void csv_take_exports(struct csv_reader *c) {
        c->is_export = true;
}

const char *csv_error(const struct csv_reader *c) {
        return c->error;
}

void csv_progress(const struct csv_reader *c, uint64_t *ret_done, uint64_t *ret_total) {
        *ret_done = c->done;
        *ret_total = c->total;
}
