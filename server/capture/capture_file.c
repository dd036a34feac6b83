#include "capture/capture_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/time_text.h"
#include "capture/capture_time.h"

#define LOG_MARKER "TUYAMCU received:"

/* What a recording consists of, settled by its first line with bytes. */
enum form {
        FORM_UNKNOWN,
        FORM_HEX,      /* 55 AA 03 00 */
        FORM_TIMED,    /* 2026-11-21T10:00:00.123Z rx 55 AA 03 00 */
        FORM_ENTRIES,  /* "2026-11-21 10:00:00",55AA0300, several on one line as well */
        FORM_LOG,      /* anything; only lines with the marker count */
};

static const char *const expected[] = {
        [FORM_UNKNOWN] = "hex bytes, TIME [rx|tx] HEX, \"YYYY-MM-DD HH:MM:SS\",HEX or a log with \"" LOG_MARKER "\"",
        [FORM_HEX] = "bytes as pairs of hex digits, such as 55 AA 03 00",
        [FORM_TIMED] = "TIME [rx|tx] HEX, such as 2026-11-21T10:00:00.123Z rx 55AA0300",
        [FORM_ENTRIES] = "\"YYYY-MM-DD HH:MM:SS\",HEX",
        [FORM_LOG] = "pairs of hex digits behind \"" LOG_MARKER "\"",
};

struct capture {
        FILE *file;                     /* owned */
        const char *name;
        uint64_t line;
        enum form form;
        bool begun, given;              /* something has been read; bytes have been given out */
        bool frames_kind;               /* "# kind: frames" */
        bool new_stream;
        bool at_end;                    /* the file ended with what was read last */
        bool has_stamp;                 /* an entry's time has been read, its bytes not yet */
        int64_t stamp_ms;
        int deferred;                   /* error that counts unless this turns out to be a log; 0: none */
        unsigned max_lines;             /* without bytes in one turn; 0: any number */
        size_t n_bytes;
        char error[CAPTURE_ERROR_MAX];
        char deferred_error[CAPTURE_ERROR_MAX];
        char remark[CAPTURE_ERROR_MAX];
        char text[CAPTURE_LINE_MAX + 1];
        uint8_t bytes[CAPTURE_LINE_MAX / 2];
};

static int fail(struct capture *c, int error, const char *what, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct capture *c, int error, const char *what, ...) {
        char text[160];
        va_list ap;

        va_start(ap, what);
        vsnprintf(text, sizeof text, what, ap);
        va_end(ap);
        snprintf(c->error, sizeof c->error, "%.120s:%llu: %s; expected %s", c->name,
                 (unsigned long long) c->line, text, expected[c->form]);
        return error;
}

static int fail_character(struct capture *c, const char *at) {
        if (isprint((unsigned char) *at))
                return fail(c, -EINVAL, "unexpected '%c' in column %zu", *at, (size_t) (at - c->text) + 1);
        return fail(c, -EINVAL, "unexpected byte 0x%02X in column %zu", (unsigned char) *at,
                    (size_t) (at - c->text) + 1);
}

int capture_open_stream(FILE *file, const char *name, struct capture **ret) {
        struct capture *c = calloc(1, sizeof *c);

        if (!c) {
                fclose(file);
                return -ENOMEM;
        }
        c->file = file;
        c->name = name;
        *ret = c;
        return 0;
}

int capture_open(const char *path, struct capture **ret, char *error) {
        bool is_stdin = strcmp(path, "-") == 0;
        FILE *file = is_stdin ? stdin : fopen(path, "re");
        int r;

        r = file ? capture_open_stream(file, is_stdin ? "stdin" : path, ret) : -errno;
        if (r < 0)
                snprintf(error, CAPTURE_ERROR_MAX, "%.300s: %s", path, strerror(-r));
        return r;
}

struct capture *capture_free(struct capture *c) {
        if (!c)
                return NULL;
        fclose(c->file);
        free(c);
        return NULL;
}

const char *capture_error(const struct capture *c) {
        return c->error;
}

static int value_of(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
               c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Appends the bytes of text. */
static int read_hex(struct capture *c, const char *text) {
        for (;; text += 2) {
                int high, low;

                text += strspn(text, " \t");
                if (*text == '\0')
                        return 0;
                high = value_of(text[0]);
                if (high < 0)
                        return fail_character(c, text);
                low = value_of(text[1]);
                if (low < 0)
                        return fail(c, -EINVAL, "half a byte in column %zu", (size_t) (text - c->text) + 1);
                if (c->n_bytes == sizeof c->bytes)
                        return fail(c, -EFBIG, "more than %zu bytes at one time", sizeof c->bytes);
                c->bytes[c->n_bytes++] = (uint8_t) (high << 4 | low);
        }
}

/* Reads up to a line end, or up to and including the stop character, which is then dropped like a line end (0: none).
 * Returns 1 with the text in c->text, 0 at the end of the file. */
static int read_until(struct capture *c, char stop) {
        size_t n = 0;
        int ch;

        while ((ch = getc_unlocked(c->file)) != EOF && ch != '\n') {
                if (n == CAPTURE_LINE_MAX)
                        return fail(c, -EFBIG, "line longer than %d characters", CAPTURE_LINE_MAX);
                if (ch == '\0')
                        return fail(c, -EINVAL, "a zero byte in column %zu", n + 1);
                c->text[n++] = (char) ch;
                if (stop && ch == stop)
                        break;
        }
        if (ch == EOF && ferror(c->file)) {
                int error = errno > 0 ? errno : EIO;

                snprintf(c->error, sizeof c->error, "%.120s: %s", c->name, strerror(error));
                return -error;
        }
        c->at_end = ch == EOF;
        while (n > 0 && strchr(" \t\r", c->text[n - 1]))
                n--;
        c->text[n] = '\0';
        return ch != EOF || n > 0;
}

static int read_comment(struct capture *c, const char *text) {
        const char *kind;

        text += 1 + strspn(text + 1, " \t");
        if (strncmp(text, "kind:", 5) != 0)
                return 0;
        kind = text + 5 + strspn(text + 5, " \t");
        if (strcmp(kind, "stream") != 0 && strcmp(kind, "frames") != 0) {
                snprintf(c->error, sizeof c->error,
                         "%.120s:%llu: unknown kind; expected # kind: stream or # kind: frames", c->name,
                         (unsigned long long) c->line);
                return -EINVAL;
        }
        c->frames_kind = strcmp(kind, "frames") == 0;
        c->new_stream = true;
        return 0;
}

/* rx or tx as a word of its own. Returns how many characters it takes. */
static size_t read_direction(const char *text, enum capture_direction *ret) {
        bool rx = strncasecmp(text, "rx", 2) == 0, tx = strncasecmp(text, "tx", 2) == 0;

        if ((!rx && !tx) || (text[2] != ' ' && text[2] != '\t' && text[2] != '\0'))
                return 0;
        *ret = rx ? CAPTURE_RX : CAPTURE_TX;
        return 2;
}

/* A time with something behind it; ten digits alone on a line are five bytes. */
static size_t leading_time(const char *text, struct capture_chunk *chunk) {
        int64_t utc_ms;
        unsigned resolution_ms;
        size_t n = capture_time_parse(text, &utc_ms, &resolution_ms);

        if (n == 0 || (text[n] != ' ' && text[n] != '\t'))
                return 0;
        chunk->has_time = true;
        chunk->utc_ms = utc_ms;
        chunk->resolution_ms = resolution_ms;
        return n + strspn(text + n, " \t");
}

static int read_log_line(struct capture *c, const char *text, const char *marker, struct capture_chunk *chunk) {
        int r;

        leading_time(text, chunk);
        chunk->direction = CAPTURE_RX;
        chunk->stands_alone = true;
        r = read_hex(c, marker + strlen(LOG_MARKER));
        if (r == 0 && c->n_bytes == 0)
                return fail(c, -EINVAL, "no bytes");
        return r;
}

static int read_timed_line(struct capture *c, const char *text, struct capture_chunk *chunk) {
        size_t n = leading_time(text, chunk);

        if (n == 0)
                return fail(c, -EINVAL, "no time at the start");
        text += n;
        text += read_direction(text, &chunk->direction);
        chunk->stands_alone = c->frames_kind;
        return read_hex(c, text);
}

static int read_data_line(struct capture *c, const char *text, struct capture_chunk *chunk) {
        const char *marker = strcasestr(text, LOG_MARKER);
        struct capture_chunk probe;

        if (marker && (c->form == FORM_UNKNOWN || c->form == FORM_LOG)) {
                c->form = FORM_LOG;
                c->deferred = 0;
                return read_log_line(c, text, marker, chunk);
        }
        if (c->form == FORM_LOG)
                return 0;
        if (c->form == FORM_TIMED || (c->form == FORM_UNKNOWN && leading_time(text, &probe) > 0))
                return read_timed_line(c, text, chunk);
        chunk->stands_alone = c->frames_kind;
        return read_hex(c, text);
}

/* A line that fits no form may still be the beginning of a log. Its error waits for what follows. */
static int settle_form(struct capture *c, int r, const struct capture_chunk *chunk) {
        if (c->form != FORM_UNKNOWN)
                return r;
        if (r == -EINVAL) {
                if (!c->deferred)
                        memcpy(c->deferred_error, c->error, sizeof c->error);
                c->error[0] = '\0';
                c->deferred = r;
                c->n_bytes = 0;
                return 0;
        }
        if (r == 0 && c->n_bytes > 0 && !c->deferred)
                c->form = chunk->has_time ? FORM_TIMED : FORM_HEX;
        return r;
}

static int report_deferred(struct capture *c) {
        memcpy(c->error, c->deferred_error, sizeof c->error);
        return c->deferred;
}

/* What some programs put at the beginning of a text. */
static void skip_byte_order_mark(struct capture *c) {
        int ch = getc_unlocked(c->file);

        c->begun = true;
        if (ch == 0xef && getc_unlocked(c->file) == 0xbb)
                (void) getc_unlocked(c->file);
        else if (ch != EOF)
                ungetc(ch, c->file);
}

/* One line in any form but entries. Bytes may or may not come of it. */
static int read_line(struct capture *c, struct capture_chunk *chunk) {
        const char *text;
        int r;

        c->line++;
        r = read_until(c, 0);
        if (r <= 0)
                return r;
        text = c->text + strspn(c->text, " \t");
        if (*text == '\0')
                return 1;
        if (*text == '#') {
                r = read_comment(c, text);
                return r < 0 ? r : 1;
        }
        r = settle_form(c, read_data_line(c, text, chunk), chunk);
        if (r == 0 && c->n_bytes == 0 && c->form != FORM_LOG && !c->deferred)
                r = fail(c, -EINVAL, "no bytes");
        return r < 0 ? r : 1;
}

/* Where the next line begins with a quote, entries begin. */
static bool at_entry(struct capture *c) {
        int ch;

        if (c->form != FORM_UNKNOWN && c->form != FORM_ENTRIES)
                return false;
        while ((ch = getc_unlocked(c->file)) == ' ' || ch == '\t' || ch == '\r' ||
               (c->form == FORM_ENTRIES && ch == '\n'))
                c->line += ch == '\n';
        if (ch != EOF)
                ungetc(ch, c->file);
        return ch == '"';
}

/* The time of the next entry, behind its opening quote up to the comma. Returns 1, 0 when there is no entry left. */
static int read_stamp(struct capture *c) {
        size_t n;
        int ch, r;

        while ((ch = getc_unlocked(c->file)) == '#') {
                r = read_until(c, 0);
                if (r < 0)
                        return r;
                c->line++;
                at_entry(c);
        }
        if (ch == EOF)
                return 0;
        if (ch != '"')
                return fail(c, -EINVAL, "no quote where an entry should begin");
        r = read_until(c, '"');
        if (r < 0)
                return r;
        n = strlen(c->text);
        if (n == 0 || c->text[n - 1] != '"')
                return fail(c, -EINVAL, "a time without its closing quote");
        c->text[n - 1] = '\0';
        if (time_text_local(c->text, &c->stamp_ms) < 0)
                return fail(c, -EINVAL, "not a time");
        ch = getc_unlocked(c->file);
        c->at_end = ch == EOF;
        if (ch != ',')
                return fail(c, -EINVAL, "no comma behind the time");
        c->has_stamp = true;
        return 1;
}

/* The bytes of an entry end at a line end or at the quote of the next one, which is put back. */
static int read_entry_bytes(struct capture *c) {
        size_t before = c->n_bytes, n;
        bool at_quote;
        int r;

        r = read_until(c, '"');
        if (r < 0)
                return r;
        n = strlen(c->text);
        at_quote = n > 0 && c->text[n - 1] == '"';
        if (at_quote) {
                ungetc('"', c->file);
                c->text[n - 1] = '\0';
        }
        r = read_hex(c, c->text);
        if (r == 0 && c->n_bytes == before)
                return fail(c, -EINVAL, "a time without bytes");
        c->line += !at_quote;
        return r;
}

/* All entries that carry the same time are one chunk: terminal programs cut anywhere. */
static int read_entries(struct capture *c, struct capture_chunk *chunk) {
        int r = c->has_stamp ? 1 : read_stamp(c);

        if (r <= 0)
                return r;
        *chunk = (struct capture_chunk) { .has_time = true, .utc_ms = c->stamp_ms, .resolution_ms = 1000 };
        do {
                c->has_stamp = false;
                r = read_entry_bytes(c);
                if (r < 0)
                        return r;
                at_entry(c);
                r = read_stamp(c);
                if (r < 0)
                        return r;
        } while (r > 0 && c->stamp_ms == chunk->utc_ms);
        return 1;
}

void capture_limit_turn(struct capture *c, unsigned max_lines) {
        c->max_lines = max_lines;
}

/* A recording that has been good so far, and ends in the middle of a line. */
static int settle_cut(struct capture *c, int r) {
        if (r != -EINVAL || !c->at_end || (!c->given && c->n_bytes == 0))
                return r;
        snprintf(c->remark, sizeof c->remark, "%.120s:%llu: the recording ends in the middle of this line", c->name,
                 (unsigned long long) c->line);
        c->error[0] = '\0';
        return 1;
}

static int next_chunk(struct capture *c, struct capture_chunk *chunk) {
        unsigned lines = 0;
        int r = 1;

        if (!c->begun)
                skip_byte_order_mark(c);
        while (r > 0 && c->n_bytes == 0) {
                if (c->max_lines > 0 && lines++ == c->max_lines)
                        return -EAGAIN;
                *chunk = (struct capture_chunk) { .direction = CAPTURE_UNKNOWN };
                if (c->has_stamp || at_entry(c)) {
                        if (c->form == FORM_UNKNOWN)
                                c->line++;
                        c->form = FORM_ENTRIES;
                        r = read_entries(c, chunk);
                } else if (c->form == FORM_ENTRIES) {
                        r = read_stamp(c);
                } else {
                        r = read_line(c, chunk);
                }
                r = settle_cut(c, r);
                if (r >= 0 && c->deferred && (c->n_bytes > 0 || r == 0))
                        return report_deferred(c);
        }
        return r;
}

int capture_next(struct capture *c, struct capture_chunk *ret) {
        struct capture_chunk chunk;
        int r;

        c->n_bytes = 0;
        r = next_chunk(c, &chunk);
        if (r <= 0)
                return r;
        chunk.data = c->bytes;
        chunk.len = c->n_bytes;
        chunk.new_stream = c->new_stream;
        c->new_stream = false;
        c->given = true;
        *ret = chunk;
        return 1;
}

const char *capture_remark(const struct capture *c) {
        return c->remark;
}

struct capture_clock capture_clock_of(const struct capture_chunk *chunk) {
        return (struct capture_clock) { chunk->utc_ms, chunk->resolution_ms, chunk->has_time };
}

bool capture_was_silent(const struct capture_clock *before, const struct capture_chunk *chunk, unsigned silence_ms) {
        int64_t sure_ms;

        if (!chunk->has_time || !before->has_time)
                return false;
        sure_ms = chunk->utc_ms - before->utc_ms - (before->resolution_ms > 1 ? before->resolution_ms : 0);
        return sure_ms > silence_ms;
}
