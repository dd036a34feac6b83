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
        bool any_separator;
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

/* The next line into text, without its end. 1, 0 at the end of the file. */
static int read_line(struct csv_reader *c) {
        int ch = EOF;

        c->line++;
        c->len = 0;
        errno = 0;
        while ((ch = getc_unlocked(c->file)) != EOF && ch != '\n') {
                c->done++;
                if (ch == '\0')
                        return csv_fail(c, (unsigned) c->len + 1, "a zero byte: this is no text");
                if (c->len == CSV_LINE_MAX) {
                        (void) csv_fail(c, CSV_LINE_MAX + 1, "the line is longer than %d characters", CSV_LINE_MAX);
                        c->failed = -EFBIG;
                        return c->failed;
                }
                c->text[c->len++] = (char) ch;
        }
        c->done += ch == '\n';
        if (ch == EOF && ferror(c->file))
                return fail_reading(c);
        if (ch == EOF && c->len == 0)
                return 0;
        if (c->len > 0 && c->text[c->len - 1] == '\r')
                c->len--;
        c->text[c->len] = '\0';
        return 1;
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

        c->separator = c->any_separator ? find_separator(c->text) : ',';
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

void csv_take_any_separator(struct csv_reader *c) {
        c->any_separator = true;
}

const char *csv_error(const struct csv_reader *c) {
        return c->error;
}

void csv_progress(const struct csv_reader *c, uint64_t *ret_done, uint64_t *ret_total) {
        *ret_done = c->done;
        *ret_total = c->total;
}
