#include "capture/capture_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "capture/capture_intake.h"
#include "capture/capture_names.h"

enum {
        COLLECT_MAX = 1 << 20,     /* a second of the fastest line, as text, is 35 KiB: half a minute of it */
        WRITE_AT = 32768,          /* collected sooner than that, it is written at once */
        END_WAIT_MS = 3000,        /* somebody wants us to end */
        HEADER_MAX = 2048,
        NOTE_MAX = 300,
        LINE_MAX_BYTES = CLOCK_RFC3339_MAX + 8 + 3 * CAPTURE_READ_MAX,
};

_Static_assert(HEADER_MAX + LINE_MAX_BYTES <= CAPTURE_ROTATE_BYTES_MIN, "the smallest file");

#define FIRST_LINE "# source: metergate capture\n"
#define BEGAN      "# began: "

struct capture_writer {
        struct capture_writer_options options;
        struct capture_names names;
        bool is_stdout, is_regular;
        int fd;                    /* owned unless it is that of stdout; -1: none */
        int failed;                /* what it was */
        int64_t began_utc_ms;      /* of this file */
        uint64_t too_old_ms;       /* monotonic */
        bool has_lines;            /* with bytes, in this file */
        bool has_surplus;          /* there are more files than are to be kept */
        uint64_t size;             /* of this file, as it is on the disk */
        uint64_t written;
        uint64_t lost, lost_told;  /* lines */
        unsigned files;
        struct buffer text;        /* collected */
        char error[CAPTURE_ERROR_MAX];
};

static int fail(struct capture_writer *w, int r, const char *path, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

static int fail(struct capture_writer *w, int r, const char *path, const char *format, ...) {
        char text[200];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        snprintf(w->error, sizeof w->error, "%.160s: %s", path, text);
        w->failed = r;
        return r;
}

static int fail_write(struct capture_writer *w, int r) {
        return fail(w, r, w->is_stdout ? "stdout" : w->options.path, "%s%s", strerror(-r),
                    w->is_regular ? "; what was recorded before is whole" : "");
}

/* ---- bytes into the file ---- */

/* Half a line would make the file unreadable. */
static void cut_to_lines(struct capture_writer *w, size_t done) {
        while (done > 0 && w->text.data[done - 1] != '\n')
                done--;
        if (w->is_regular && ftruncate(w->fd, (off_t) (w->size + done)) == 0) {
                w->size += done;
                w->written += done;
        }
}

/* What a pipe has no room for stays in the text. */
static int write_out(struct capture_writer *w) {
        size_t done = 0;

        while (done < w->text.len) {
                ssize_t n = write(w->fd, w->text.data + done, w->text.len - done);
                int r = n < 0 ? -errno : 0;

                if (n > 0)
                        done += (size_t) n;
                else if (r == -EAGAIN)
                        break;
                else if (r != -EINTR) {
                        cut_to_lines(w, done);
                        return fail_write(w, r < 0 ? r : -EIO);
                }
        }
        w->size += done;
        w->written += done;
        buffer_drop(&w->text, done);
        return 0;
}

/* In the place of lines that were left out. */
static void tell_lost(struct capture_writer *w) {
        buffer_printf(&w->text, "# note: %llu lines are missing here: what is recorded was read too slowly\n",
                      (unsigned long long) (w->lost - w->lost_told));
        w->lost_told = w->lost;
}

/* So much room has to be there after a loss that it does not begin again with the next line. */
static bool has_room(const struct capture_writer *w, size_t len) {
        size_t want = w->lost > w->lost_told ? COLLECT_MAX / 2 : len;

        return want <= COLLECT_MAX - w->text.len;
}

static int add(struct capture_writer *w, const struct buffer *line) {
        if (!has_room(w, line->len)) {
                w->lost++;
                return write_out(w);
        }
        if (w->lost > w->lost_told)
                tell_lost(w);
        buffer_put(&w->text, line->data, line->len);
        if (w->text.failed || line->failed)
                return fail_write(w, -ENOMEM);
        return w->text.len >= WRITE_AT ? write_out(w) : 0;
}

/* At the end. */
static int write_rest(struct capture_writer *w) {
        uint64_t end_ms = clock_now_ms() + END_WAIT_MS;
        int r = write_out(w);

        while (r >= 0 && (w->text.len > 0 || w->lost > w->lost_told)) {
                uint64_t now_ms = clock_now_ms();
                int wait_ms = now_ms < end_ms ? (int) (end_ms - now_ms) : 0;

                if (w->text.len == 0)
                        tell_lost(w);
                else if (poll(&(struct pollfd) { .fd = w->fd, .events = POLLOUT }, 1, wait_ms) <= 0)
                        return fail(w, -ETIMEDOUT, w->is_stdout ? "stdout" : w->options.path,
                                    "is not read any more; the end of what was recorded is missing");
                r = write_out(w);
        }
        return r;
}

/* ---- files ---- */

static int put_header(struct capture_writer *w) {
        char began[CLOCK_RFC3339_MAX];

        clock_format_rfc3339(w->began_utc_ms, began);
        buffer_puts(&w->text, FIRST_LINE BEGAN);
        buffer_printf(&w->text, "%s\n", began);
        w->options.header(w->options.userdata, &w->text);
        buffer_putc(&w->text, '\n');
        return w->text.failed ? fail_write(w, -ENOMEM) : 0;
}

/* A full disk or a crash of the machine left no more than this: there is nothing in it. */
static bool is_torn_header(const char *text, size_t len, uint64_t size) {
        size_t known = strlen(FIRST_LINE BEGAN);

        return len == size && strncmp(text, FIRST_LINE BEGAN, len < known ? len : known) == 0 &&
               (len <= known || !strchr(text + known, '\n'));
}

/* Looks for when the recording began that is in the file. Returns false when there is none; *size is 0 after one that
 * never came to be. */
static bool read_beginning(int fd, uint64_t *size, int64_t *began_utc_ms) {
        char text[sizeof FIRST_LINE BEGAN + CLOCK_RFC3339_MAX];
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        unsigned resolution_ms;

        text[n > 0 ? n : 0] = '\0';
        if (n > 0 && is_torn_header(text, (size_t) n, *size)) {
                *size = 0;
                return true;
        }
        return strncmp(text, FIRST_LINE BEGAN, strlen(FIRST_LINE BEGAN)) == 0 &&
               time_text_rfc3339(text + strlen(FIRST_LINE BEGAN), began_utc_ms, &resolution_ms) > 0;
}

/* The size without what a crash of the machine left of the last line, or has put in the place of others. */
static uint64_t whole_lines(int fd, uint64_t size) {
        char tail[LINE_MAX_BYTES];

        while (size > 0) {
                size_t n = size < sizeof tail ? (size_t) size : sizeof tail;
                ssize_t got = pread(fd, tail, n, (off_t) (size - n));

                for (size -= n; got > 0; got--)
                        if (tail[got - 1] == '\n')
                                return size + (size_t) got;
        }
        return 0;
}

static void close_file(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

static int continue_file(struct capture_writer *w) {
        CLEANUP(close_file) int fd = open(w->options.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return fail(w, -errno, w->options.path, "exists and cannot be read: %s", strerror(errno));
        if (!read_beginning(fd, &w->size, &w->began_utc_ms))
                return fail(w, -EEXIST, w->options.path,
                            "exists and is no recording of metergate capture; name another file");
        w->size = whole_lines(fd, w->size);
        if (ftruncate(w->fd, (off_t) w->size) < 0 || lseek(w->fd, 0, SEEK_END) < 0)
                return fail_write(w, -errno);
        w->has_lines = w->size > 0;
        return 0;
}

static int open_regular(struct capture_writer *w, const struct stat *about) {
        w->is_regular = true;
        w->size = (uint64_t) about->st_size;
        if (flock(w->fd, LOCK_EX | LOCK_NB) < 0)
                return fail(w, -EBUSY, w->options.path, "another program writes to it");
        return w->size > 0 ? continue_file(w) : 0;
}

static int open_path(struct capture_writer *w) {
        struct stat about;

        /* For what is no file: nobody may be there to read from it. */
        w->fd = open(w->options.path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
        if (w->fd < 0 && errno == ENXIO)
                return fail(w, -ENXIO, w->options.path, "is a pipe that nobody reads from; start the reader first");
        if (w->fd < 0 || fstat(w->fd, &about) < 0)
                return fail(w, -errno, w->options.path, "%s", strerror(errno));
        if (S_ISREG(about.st_mode))
                return open_regular(w, &about);
        if (w->options.rotate_bytes > 0 || w->options.rotate_ms > 0)
                return fail(w, -EINVAL, w->options.path, "is no file that can be changed by size or age");
        return 0;
}

/* A pipe or a terminal is opened once more, because others share how it is open. */
static void open_stdout(struct capture_writer *w) {
        struct stat about;

        w->fd = -1;
        if (fstat(STDOUT_FILENO, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISCHR(about.st_mode)))
                w->fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (w->fd < 0)
                w->fd = STDOUT_FILENO;
}

static int rotate(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms);

static bool is_too_old(const struct capture_writer *w, uint64_t now_ms) {
        return w->options.rotate_ms > 0 && w->has_lines && now_ms >= w->too_old_ms;
}

static bool is_full(const struct capture_writer *w, size_t len) {
        return w->options.rotate_bytes > 0 && w->has_lines && w->size + w->text.len + len > w->options.rotate_bytes;
}

static int begin_file(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms) {
        uint64_t age_ms;
        int r;

        w->size = 0;
        w->has_lines = false;
        w->began_utc_ms = utc_ms;
        r = w->is_stdout ? 0 : open_path(w);
        if (r < 0)
                return r;
        age_ms = utc_ms > w->began_utc_ms ? (uint64_t) (utc_ms - w->began_utc_ms) : 0;
        w->too_old_ms = now_ms + (age_ms < w->options.rotate_ms ? w->options.rotate_ms - age_ms : 0);
        w->files++;
        /* One that is continued may have no room for that. */
        return is_full(w, HEADER_MAX) || is_too_old(w, now_ms) ? rotate(w, now_ms, utc_ms) : put_header(w);
}

/* Deletes some of those that are too many; a folder full of them would take too long. */
static int trim(struct capture_writer *w) {
        int r = w->options.keep > 0 ? capture_names_trim(&w->names, w->options.keep - 1) : 0;

        if (r < 0)
                return fail(w, r, w->names.folder, "older files cannot be deleted: %s", strerror(-r));
        w->has_surplus = r > 0;
        return 0;
}

/* Sets the file aside and begins another. */
static int rotate(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms) {
        char aside[PATH_MAX];
        int r = write_out(w);

        if (r < 0)
                return r;
        r = capture_names_next(&w->names, w->began_utc_ms, aside);
        if (r >= 0 && rename(w->options.path, aside) < 0)
                r = -errno;
        if (r < 0)
                return fail(w, r, w->options.path, "cannot be set aside: %s", strerror(-r));
        close(w->fd);
        w->fd = -1;
        r = trim(w);
        if (r < 0)
                return r;
        return begin_file(w, now_ms, utc_ms);
}

/* ---- lines ---- */

/* Frees the line. */
static int put_line(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms, struct buffer *line) {
        int r = w->failed;

        if (r == 0 && (is_too_old(w, now_ms) || is_full(w, line->len)))
                r = rotate(w, now_ms, utc_ms);
        if (r >= 0)
                r = add(w, line);
        buffer_free(line);
        return r;
}

int capture_writer_bytes(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms, enum capture_direction direction,
                         const uint8_t *data, size_t len) {
        char at[CLOCK_RFC3339_MAX];
        struct buffer line;
        int r;

        clock_format_rfc3339(utc_ms, at);
        buffer_init(&line, LINE_MAX_BYTES);
        buffer_printf(&line, "%s %s ", at, direction == CAPTURE_TX ? "tx" : "rx");
        buffer_put_hex(&line, data, len, " ");
        buffer_putc(&line, '\n');
        r = put_line(w, now_ms, utc_ms, &line);
        w->has_lines = true;
        return r;
}

int capture_writer_note(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms, const char *text) {
        char at[CLOCK_RFC3339_MAX];
        struct buffer line;

        clock_format_rfc3339(utc_ms, at);
        buffer_init(&line, LINE_MAX_BYTES);
        buffer_printf(&line, "# note: %s %.*s\n", at, NOTE_MAX, text);
        return put_line(w, now_ms, utc_ms, &line);
}

int capture_writer_tick(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms) {
        int r = w->failed;

        if (r == 0 && w->has_surplus)
                r = trim(w);
        if (r < 0)
                return r;
        return is_too_old(w, now_ms) ? rotate(w, now_ms, utc_ms) : write_out(w);
}

int capture_writer_end(struct capture_writer *w) {
        int r = w->failed < 0 ? w->failed : write_rest(w);

        if (r >= 0 && w->is_regular && fsync(w->fd) < 0)
                r = fail_write(w, -errno);
        return r;
}

/* ---- life ---- */

int capture_writer_new(const struct capture_writer_options *options, uint64_t now_ms, int64_t utc_ms,
                       struct capture_writer **ret, char *error) {
        CLEANUP(capture_writer_freep) struct capture_writer *w = calloc(1, sizeof *w);
        int r;

        if (!w)
                return -ENOMEM;
        w->options = *options;
        w->is_stdout = strcmp(options->path, "-") == 0;
        w->fd = -1;
        if (w->is_stdout)
                open_stdout(w);
        w->has_surplus = options->keep > 0;  /* fewer may be wanted than the last time */
        buffer_init(&w->text, COLLECT_MAX);
        r = w->is_stdout ? 0 : capture_names_of(options->path, &w->names);
        r = r < 0 ? fail(w, r, options->path, "%s", strerror(-r)) : begin_file(w, now_ms, utc_ms);
        if (r >= 0)
                r = write_out(w);
        if (r < 0) {
                snprintf(error, CAPTURE_ERROR_MAX, "%s", w->error);
                return r;
        }
        *ret = TAKE(w);
        return 0;
}

struct capture_writer *capture_writer_free(struct capture_writer *w) {
        if (!w)
                return NULL;
        if (w->fd >= 0 && w->fd != STDOUT_FILENO)
                close(w->fd);
        buffer_free(&w->text);
        free(w);
        return NULL;
}

const char *capture_writer_error(const struct capture_writer *w) {
        return w->error;
}

unsigned capture_writer_files(const struct capture_writer *w) {
        return w->files;
}

uint64_t capture_writer_lost(const struct capture_writer *w) {
        return w->lost;
}

uint64_t capture_writer_written(const struct capture_writer *w) {
        return w->written;
}
