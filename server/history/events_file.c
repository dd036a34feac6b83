#include "history/events_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history/store_parts.h"

#define BLOCK_BYTES  4096   /* what is torn when the power goes is torn within such blocks */
#define BLOCK_RECORDS (BLOCK_BYTES / EVENT_RECORD_BYTES)
#define HEADERS      2
#define BLOCKS       (HEADERS + EVENTS_MAX / BLOCK_RECORDS)

/* So many records at most are lost when the power goes, and the ring never consists of such alone: of the numbers
 * that were given out one close to the highest is always found. */
#define IN_FLIGHT_RECORDS_MAX (EVENTS_MAX / 4)

static off_t record_offset(uint64_t number) {
        return HEADERS * BLOCK_BYTES + (off_t) (number % EVENTS_MAX) * EVENT_RECORD_BYTES;
}

/* The first failure is the one that is told. Returns r. */
static int fail(struct events_file *f, int r, const char *what) {
        if (!f->error[0])
                snprintf(f->error, sizeof f->error, "%s: %s: %s; new events stay in memory only", f->path, what,
                         strerror(-r));
        f->writable = false;
        return r;
}

/* ---- the calls ---- */

/* Beyond the end there are zeros. */
static int read_at(const struct events_file *f, off_t offset, uint8_t *buf, size_t len) {
        size_t at = 0;

        while (at < len) {
                ssize_t got = f->io.pread(f->io.userdata, f->fd, buf + at, len - at, offset + (off_t) at);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (got == 0)
                        memset(buf + at, 0, len - at);
                at += got == 0 ? len - at : (size_t) got;
        }
        return 0;
}

static int write_at(struct events_file *f, off_t offset, const uint8_t *buf, size_t len) {
        for (size_t at = 0; at < len;) {
                ssize_t put = f->io.pwrite(f->io.userdata, f->fd, buf + at, len - at, offset + (off_t) at);

                if (put < 0 && errno == EINTR)
                        continue;
                if (put <= 0)
                        return put < 0 ? -errno : -EIO;
                at += (size_t) put;
        }
        f->dirty = true;
        return 0;
}

static int sync_now(struct events_file *f) {
        while (f->io.sync(f->io.userdata, f->fd) < 0)
                if (errno != EINTR)
                        return -errno;
        f->dirty = false;
        f->in_flight = 0;
        return 0;
}

static void close_fd(struct events_file *f) {
        if (f->fd >= 0)
                close(f->fd);
        f->fd = -1;
}

/* ---- headers: the older copy is overwritten, so that one is always good ---- */

static int read_headers(struct events_file *f) {
        struct events_header headers[HEADERS];
        int verdicts[HEADERS];
        uint8_t record[EVENT_RECORD_BYTES];
        unsigned newest;

        for (unsigned i = 0; i < HEADERS; i++) {
                verdicts[i] = read_at(f, i * BLOCK_BYTES, record, sizeof record);
                if (verdicts[i] == 0)
                        verdicts[i] = (int) events_header_read(record, &headers[i]);
        }
        if (verdicts[0] == EVENTS_GOOD && verdicts[1] == EVENTS_GOOD)
                newest = (int64_t) (headers[1].generation - headers[0].generation) > 0;     /* it may go round */
        else if (verdicts[0] == EVENTS_GOOD || verdicts[1] == EVENTS_GOOD)
                newest = verdicts[1] == EVENTS_GOOD;
        else
                newest = verdicts[0] == EVENTS_FOREIGN;     /* the other may tell more */
        if (verdicts[newest] == EVENTS_GOOD) {
                f->header = headers[newest];
                f->newest_header = newest;
        }
        return verdicts[newest];
}

static int write_header(struct events_file *f, uint64_t number, bool clean) {
        struct events_header next = { .generation = f->header.generation + 1, .next = number, .clean = clean };
        uint8_t record[EVENT_RECORD_BYTES];
        int r;

        events_header_write(&next, record);
        r = write_at(f, !f->newest_header * BLOCK_BYTES, record, sizeof record);
        if (r == 0)
                r = sync_now(f);
        if (r < 0)
                return fail(f, r, "cannot be written");
        f->header = next;
        f->newest_header = !f->newest_header;
        return 0;
}

/* ---- creating ---- */

/* Some file systems cannot sync a directory, and say so. */
static int sync_directory(const char *directory) {
        int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

        if (fd < 0)
                return -errno;
        if (fsync(fd) < 0 && errno != EINVAL)
                r = -errno;
        close(fd);
        return r;
}

static int fill(struct events_file *f) {
        uint8_t block[BLOCK_BYTES] = { 0 };
        int r = 0;

        for (off_t i = HEADERS; i < BLOCKS && r == 0; i++)
                r = write_at(f, i * BLOCK_BYTES, block, sizeof block);
        f->header = (struct events_header) { .generation = 1, .next = 1, .clean = true };
        f->newest_header = 0;
        events_header_write(&f->header, block);
        for (off_t i = 0; i < HEADERS && r == 0; i++)
                r = write_at(f, i * BLOCK_BYTES, block, sizeof block);
        return r < 0 ? r : sync_now(f);
}

/* Made beside its place and moved there when it is complete. */
static int create(struct events_file *f, const char *directory) {
        int r;

        f->fd = open(f->path_new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (f->fd < 0)
                return fail(f, -errno, "cannot be created");
        r = fill(f);
        if (r == 0 && rename(f->path_new, f->path) < 0)
                r = -errno;
        if (r < 0) {
                unlink(f->path_new);
                close_fd(f);
                return fail(f, r, "cannot be created");
        }
        f->writable = true;
        r = sync_directory(directory);
        return r < 0 ? fail(f, r, "cannot be written") : 0;
}

/* ---- opening ---- */

/* A file that can only be read still shows what it has. */
static int open_for_reading(struct events_file *f, int r) {
        if (r != -EACCES && r != -EROFS && r != -EPERM)
                return r == -ENOENT ? r : fail(f, r, "cannot be opened");
        (void) fail(f, r, "cannot be opened for writing");
        f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        return f->fd < 0 ? -errno : 0;
}

static int look_at_file(struct events_file *f) {
        struct stat st;
        int r;

        if (fstat(f->fd, &st) < 0)
                return fail(f, -errno, "cannot be read");
        if (!S_ISREG(st.st_mode))
                return fail(f, -EINVAL, "not a regular file");
        r = read_headers(f);
        if (r < 0)
                return fail(f, r, "cannot be read");
        return r == EVENTS_GOOD && st.st_size != (off_t) BLOCKS * BLOCK_BYTES ? EVENTS_DAMAGED : r;
}

static int set_aside(struct events_file *f, const char *what) {
        char aside[PATH_MAX];
        int r;

        snprintf(f->note, sizeof f->note, "%s: %s", f->path, what);
        if (!f->writable)
                return -EROFS;
        r = store_rename_aside(f->path, aside);
        if (r < 0)
                return fail(f, r, "cannot be set aside");
        snprintf(f->note, sizeof f->note, "%s: %s: set aside as %s", f->path, what, strrchr(aside, '/') + 1);
        return -ENOENT;
}

/* -ENOENT: it has to be created. */
static int open_existing(struct events_file *f) {
        static const char *const words[] = {
                [EVENTS_FOREIGN] = "not a file of events",
                [EVENTS_UNKNOWN] = "a file of events of an unknown version",
                [EVENTS_DAMAGED] = "a damaged file of events",
        };
        int r = 0;

        f->fd = open(f->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        f->writable = f->fd >= 0;
        if (f->fd < 0)
                r = open_for_reading(f, -errno);
        if (r < 0)
                return r;
        r = look_at_file(f);
        if (r != EVENTS_GOOD)
                close_fd(f);
        return r > EVENTS_GOOD ? set_aside(f, words[r]) : r;
}

int events_file_open(struct events_file *f, const char *directory, const struct store_io *io) {
        int r;

        *f = (struct events_file) { .fd = -1, .io = io ? *io : store_system_io };
        if (asprintf(&f->path, "%s/%s", directory, EVENTS_FILE_NAME) < 0)
                f->path = NULL;
        if (!f->path || asprintf(&f->path_new, "%s.new", f->path) < 0) {
                f->path_new = NULL;
                return -ENOMEM;
        }
        /* Left behind when the power went. */
        (void) unlink(f->path_new);
        r = open_existing(f);
        if (r == -ENOENT)
                (void) create(f, directory);
        return 0;
}

void events_file_close(struct events_file *f, uint64_t next) {
        if (f->writable && (f->header.next != next || !f->header.clean))
                (void) write_header(f, next, true);
        close_fd(f);
        free(f->path);
        free(f->path_new);
        *f = (struct events_file) { .fd = -1 };
}

/* ---- records ---- */

uint64_t events_file_scan(struct events_file *f, uint64_t numbers[EVENTS_MAX]) {
        uint8_t block[BLOCK_BYTES];
        uint64_t highest = 0;

        for (unsigned slot = 0; slot < EVENTS_MAX; slot++) {
                const uint8_t *record = block + slot % BLOCK_RECORDS * EVENT_RECORD_BYTES;
                uint64_t number;

                if (record == block && read_at(f, record_offset(slot), block, sizeof block) < 0)
                        memset(block, 0, sizeof block);
                number = event_record_number(record);
                if (number == 0 || number % EVENTS_MAX != slot)
                        continue;
                numbers[slot] = number;
                if (number > highest)
                        highest = number;
        }
        return highest;
}

int events_file_begin(struct events_file *f, uint64_t next) {
        return write_header(f, next, false);
}

int events_file_put(struct events_file *f, const uint8_t *record) {
        int r;

        if (f->in_flight == IN_FLIGHT_RECORDS_MAX && events_file_sync(f) < 0)
                return -EIO;
        r = write_at(f, record_offset(event_record_number(record)), record, EVENT_RECORD_BYTES);
        if (r < 0)
                return fail(f, r, "cannot be written");
        f->in_flight++;
        return 0;
}

bool events_file_get(const struct events_file *f, uint64_t number, uint8_t *record) {
        return f->fd >= 0 && read_at(f, record_offset(number), record, EVENT_RECORD_BYTES) == 0 &&
               event_record_number(record) == number;
}

int events_file_sync(struct events_file *f) {
        int r = f->writable && f->dirty ? sync_now(f) : 0;

        return r < 0 ? fail(f, r, "cannot be written") : 0;
}
