/* Finds the file, or what stands in its place, and locks it. The lock is on the directory: it also holds while the
 * file is being made, and while another takes its place. */
#include "history/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SET_ASIDE_MAX 1000

/* ---- the system's calls ---- */

static ssize_t system_pread(void *userdata, int fd, void *buf, size_t len, off_t offset) {
        (void) userdata;
        return pread(fd, buf, len, offset);
}

static ssize_t system_pwrite(void *userdata, int fd, const void *buf, size_t len, off_t offset) {
        (void) userdata;
        return pwrite(fd, buf, len, offset);
}

/* Only a hint: whether it has worked is told by the sync that follows. */
static int system_start_sync(void *userdata, int fd) {
        (void) userdata;
        (void) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        return 0;
}

static int system_sync(void *userdata, int fd) {
        (void) userdata;
        return fdatasync(fd);
}

const struct store_io store_system_io = {
        .pread = system_pread, .pwrite = system_pwrite, .start_sync = system_start_sync, .sync = system_sync,
};

/* ---- the directory ---- */

static void fclosep(FILE **f) {
        if (*f)
                fclose(*f);
}

/* The process that holds the lock; 0 when it cannot be told. */
static unsigned lock_holder(int fd) {
        CLEANUP(fclosep) FILE *f = fopen("/proc/locks", "re");
        unsigned pid, major_number, minor_number;
        unsigned long long inode;
        struct stat st;
        char line[256];

        if (!f || fstat(fd, &st) < 0)
                return 0;
        while (fgets(line, sizeof line, f))
                if (sscanf(line, "%*s FLOCK %*s %*s %u %x:%x:%llu", &pid, &major_number, &minor_number,
                           &inode) == 4 &&
                    major_number == major(st.st_dev) && minor_number == minor(st.st_dev) && inode == st.st_ino)
                        return pid;
        return 0;
}

static void process_name(unsigned pid, char *ret, size_t cap) {
        CLEANUP(fclosep) FILE *f = NULL;
        char path[64];

        snprintf(path, sizeof path, "/proc/%u/comm", pid);
        f = fopen(path, "re");
        if (!f || !fgets(ret, (int) cap, f))
                snprintf(ret, cap, "?");
        ret[strcspn(ret, "\n")] = '\0';
}

static int lock(struct store *s, const char *directory, char *error) {
        char name[32];
        unsigned pid;
        int r;

        if (flock(s->directory_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        r = -errno;
        if (r != -EWOULDBLOCK) {
                snprintf(error, STORE_ERROR_MAX, "%s: cannot be locked: %s", directory, strerror(-r));
                return r;
        }
        pid = lock_holder(s->directory_fd);
        if (pid > 0) {
                process_name(pid, name, sizeof name);
                snprintf(error, STORE_ERROR_MAX, "%s: in use by process %u (%s): stop that first", directory, pid,
                         name);
        } else
                snprintf(error, STORE_ERROR_MAX, "%s: in use by another process: stop that first", directory);
        return -EBUSY;
}

static int open_directory(struct store *s, const char *directory, char *error) {
        int r;

        if (!s->read_only && mkdir(directory, 0755) < 0 && errno != EEXIST) {
                r = -errno;
                snprintf(error, STORE_ERROR_MAX, "%s: the directory cannot be made: %s", directory, strerror(-r));
                return r;
        }
        s->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->directory_fd < 0) {
                r = -errno;
                snprintf(error, STORE_ERROR_MAX, "%s: the directory cannot be opened: %s", directory, strerror(-r));
                return r;
        }
        return s->read_only ? 0 : lock(s, directory, error);
}

/* ---- the file ---- */

/* A file that can only be read still shows what it has. */
static int open_file(struct store *s) {
        if (!s->read_only) {
                s->file.fd = open(s->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
                s->writable = true;
                if (s->file.fd >= 0)
                        return 0;
                if (errno != EACCES && errno != EROFS && errno != EPERM)
                        return -errno;
                (void) store_fail(s, -errno, "cannot be opened for writing");
        }
        s->file.fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        return s->file.fd < 0 ? -errno : 0;
}

/* The verdict (or -errno) on both copies: a good one makes the file good; else the one that tells most. */
static int read_superblocks(struct store *s) {
        struct pages_file *f = &s->file;
        struct superblock copies[SUPERBLOCK_COPIES];
        enum superblock_verdict verdicts[SUPERBLOCK_COPIES];
        uint8_t page[PAGE_BYTES];
        int results[SUPERBLOCK_COPIES];
        unsigned newest;

        for (unsigned i = 0; i < SUPERBLOCK_COPIES; i++) {
                results[i] = store_read_pages(s, f->fd, i, page, 1);
                verdicts[i] = results[i] < 0 ? SUPERBLOCK_DAMAGED : superblock_read(page, &copies[i]);
        }
        if (results[0] < 0 && results[1] < 0)
                return results[0];
        if (verdicts[0] == SUPERBLOCK_GOOD && verdicts[1] == SUPERBLOCK_GOOD)
                newest = copies[1].generation > copies[0].generation;
        else if (verdicts[0] == SUPERBLOCK_GOOD || verdicts[1] == SUPERBLOCK_GOOD)
                newest = verdicts[1] == SUPERBLOCK_GOOD;
        else
                newest = verdicts[0] == SUPERBLOCK_FOREIGN;
        if (verdicts[newest] == SUPERBLOCK_GOOD) {
                f->superblock = copies[newest];
                f->newest_copy = newest;
                f->copy_damaged = verdicts[!newest] != SUPERBLOCK_GOOD;
        }
        return (int) verdicts[newest];
}

static const char *const verdict_words[] = {
        [SUPERBLOCK_GOOD] = "good",
        [SUPERBLOCK_FOREIGN] = "not a history file",
        [SUPERBLOCK_UNKNOWN] = "a history file of an unknown version",
        [SUPERBLOCK_DAMAGED] = "a history file whose beginning is damaged",
};

int store_rename_aside(const char *path, char ret_aside[PATH_MAX]) {
        for (unsigned n = 1; n <= SET_ASIDE_MAX; n++) {
                snprintf(ret_aside, PATH_MAX, "%s.set-aside-%u", path, n);
                if (faccessat(AT_FDCWD, ret_aside, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        return rename(path, ret_aside) < 0 ? -errno : 0;
        }
        return -EEXIST;
}

static int set_aside(struct store *s, const char *what, char *error) {
        char aside[PATH_MAX];
        int r;

        r = store_rename_aside(s->path, aside);
        if (r < 0) {
                snprintf(error, STORE_ERROR_MAX, "%s: %s, and it cannot be set aside: %s", s->path,
                         what, strerror(-r));
                return r;
        }
        store_note(s, "%s: %s: set aside as %s", s->path, what, strrchr(aside, '/') + 1);
        pages_file_close(&s->file);
        return 0;
}

static int look_at_file(struct store *s, char *error) {
        struct stat st;
        int r;

        if (fstat(s->file.fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode)) {
                snprintf(error, STORE_ERROR_MAX, "%s: not a regular file: move it away", s->path);
                return -EINVAL;
        }
        r = read_superblocks(s);
        if (r < 0)
                snprintf(error, STORE_ERROR_MAX, "%s: cannot be read: %s", s->path, strerror(-r));
        if (r != SUPERBLOCK_GOOD)
                return r;
        /* Too short or too long for what it says: it is made anew, too. */
        if (s->wanted_pages == 0)
                s->wanted_pages = superblock_pages(&s->file.superblock);
        if (s->wanted_pages == superblock_pages(&s->file.superblock) &&
            (uint64_t) st.st_size == (uint64_t) s->wanted_pages * PAGE_BYTES)
                s->wanted_pages = 0;
        return SUPERBLOCK_GOOD;
}

/* What is there is used, set aside, or begun. */
static int begin(struct store *s, char *error) {
        int r;

        /* Left behind when the power went. */
        if (!s->read_only)
                (void) unlink(s->path_new);
        r = open_file(s);
        if (r == 0) {
                r = look_at_file(s, error);
                if (r < 0)
                        return r;
                if (r == SUPERBLOCK_GOOD)
                        return store_scan_begin(s);
                if (!s->writable) {
                        snprintf(error, STORE_ERROR_MAX, "%s: %s", s->path, verdict_words[r]);
                        return -EBADMSG;
                }
                r = set_aside(s, verdict_words[r], error);
                if (r < 0)
                        return r;
        } else if (r != -ENOENT) {
                snprintf(error, STORE_ERROR_MAX, "%s: cannot be opened: %s", s->path, strerror(-r));
                return r;
        }
        if (s->read_only || s->wanted_pages == 0) {
                snprintf(error, STORE_ERROR_MAX, "%s: there is no history", s->path);
                return -ENOENT;
        }
        r = store_create_begin(s, 0);
        if (r < 0)
                memcpy(error, s->error, STORE_ERROR_MAX);
        return r;
}

static int check_size(const struct store_options *options, uint32_t *ret_pages, char *error) {
        uint64_t pages = options->size_bytes / PAGE_BYTES;

        if (options->size_bytes != 0 && (options->size_bytes < STORE_MIN_BYTES || pages > SUPERBLOCK_PAGES_MAX)) {
                snprintf(error, STORE_ERROR_MAX, "%s: the history can be 2 MiB to 16 GiB large", options->directory);
                return -EINVAL;
        }
        *ret_pages = (uint32_t) pages;
        return 0;
}

int store_open(const struct store_options *options, struct store **ret, char error[STORE_ERROR_MAX]) {
        CLEANUP(store_freep) struct store *s = calloc(1, sizeof *s);
        int r;

        snprintf(error, STORE_ERROR_MAX, "%s: out of memory", options->directory);
        if (!s)
                return -ENOMEM;
        s->directory_fd = s->file.fd = s->coming.fd = -1;
        s->read_only = options->read_only;
        s->failure = -EROFS;
        s->io = options->io ? *options->io : store_system_io;
        s->slice = malloc((size_t) SLICE_PAGES * PAGE_BYTES);
        if (!s->slice || asprintf(&s->path, "%s/%s", options->directory, STORE_FILE_NAME) < 0)
                return -ENOMEM;
        if (asprintf(&s->path_new, "%s.new", s->path) < 0)
                return -ENOMEM;
        r = check_size(options, &s->wanted_pages, error);
        if (r < 0)
                return r;
        r = open_directory(s, options->directory, error);
        if (r < 0)
                return r;
        r = begin(s, error);
        if (r < 0)
                return r;
        error[0] = '\0';
        *ret = TAKE(s);
        return 0;
}

struct store *store_free(struct store *s) {
        if (!s)
                return NULL;
        store_create_abandon(s);
        pages_file_close(&s->file);
        if (s->directory_fd >= 0)
                close(s->directory_fd);
        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                free(s->schemas[i].schema);
        free(s->slice);
        free(s->path);
        free(s->path_new);
        free(s);
        return NULL;
}
