#include "cut_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/random.h"

#define FILES_MAX 8
#define SECTOR 512

struct image {
        uint8_t *data;
        size_t len, cap;
};

struct pending {
        off_t offset;
        size_t len;
        uint8_t *data;
};

struct file {
        bool known;
        dev_t device;
        ino_t inode;
        struct image now, safe;     /* what is read; what is surely on the disk */
        struct pending *pending;    /* in the order of writing */
        size_t n_pending, cap_pending;
};

struct cut_disk_files {
        struct file files[FILES_MAX];
        unsigned oldest;
};

static void *grown(void *p, size_t size) {
        p = realloc(p, size);
        if (!p)
                abort();
        return p;
}

static void image_put(struct image *i, off_t offset, const void *data, size_t len) {
        size_t end = (size_t) offset + len;

        if (end > i->cap) {
                i->data = grown(i->data, 2 * end);
                memset(i->data + i->cap, 0, 2 * end - i->cap);
                i->cap = 2 * end;
        }
        memcpy(i->data + offset, data, len);
        if (end > i->len)
                i->len = end;
}

static void forget_pending(struct file *f) {
        for (size_t i = 0; i < f->n_pending; i++)
                free(f->pending[i].data);
        f->n_pending = 0;
}

static void forget_file(struct file *f) {
        forget_pending(f);
        free(f->pending);
        free(f->now.data);
        free(f->safe.data);
        *f = (struct file) { .known = false };
}

static void load(struct file *f, int fd) {
        uint8_t buf[16384];
        ssize_t n;

        while ((n = pread(fd, buf, sizeof buf, (off_t) f->now.len)) > 0) {
                image_put(&f->safe, (off_t) f->now.len, buf, (size_t) n);
                image_put(&f->now, (off_t) f->now.len, buf, (size_t) n);
        }
}

/* A number of a removed file may come again with a new one: that one is empty. */
static struct file *file_of(struct cut_disk *d, int fd) {
        struct cut_disk_files *files = d->files;
        struct file *f = NULL;
        struct stat st;

        if (fstat(fd, &st) < 0)
                abort();
        for (unsigned i = 0; i < FILES_MAX; i++)
                if (files->files[i].known && files->files[i].device == st.st_dev &&
                    files->files[i].inode == st.st_ino)
                        f = &files->files[i];
        if (f && (size_t) st.st_size == f->now.len)
                return f;
        if (!f)
                f = &files->files[files->oldest++ % FILES_MAX];
        forget_file(f);
        *f = (struct file) { .known = true, .device = st.st_dev, .inode = st.st_ino };
        load(f, fd);
        return f;
}

/* ---- the directory, as it is when the power goes ---- */

static void empty(const char *directory) {
        char path[600];
        struct dirent *e;
        DIR *dir = opendir(directory);

        while (dir && (e = readdir(dir))) {
                snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
                unlink(path);
        }
        if (dir)
                closedir(dir);
}

static void link_all(const char *from, const char *to) {
        char path[600], new_path[600];
        struct dirent *e;
        DIR *dir = opendir(from);

        while (dir && (e = readdir(dir))) {
                snprintf(path, sizeof path, "%s/%s", from, e->d_name);
                snprintf(new_path, sizeof new_path, "%s/%s", to, e->d_name);
                if (e->d_name[0] != '.' && link(path, new_path) < 0)
                        abort();
        }
        if (dir)
                closedir(dir);
}

static void go_off(struct cut_disk *d) {
        if (d->off)
                return;
        d->off = true;
        mkdir(d->shadow, 0700);
        empty(d->shadow);
        link_all(d->directory, d->shadow);
}

/* One more write or sync. True: the power goes with it. */
static bool count_down(struct cut_disk *d) {
        if (d->power_off_at == 0 || d->writes + d->syncs < d->power_off_at)
                return false;
        go_off(d);
        return true;
}

/* ---- the calls ---- */

static ssize_t fails(int error) {
        errno = error;
        return -1;
}

static ssize_t disk_read(void *userdata, int fd, void *buf, size_t len, off_t offset) {
        struct cut_disk *d = userdata;
        struct file *f;

        d->reads++;
        if (d->off)
                return fails(EIO);
        if (d->read_error && (d->read_error_to == 0 || (offset < d->read_error_to &&
                                                        offset + (off_t) len > d->read_error_from)))
                return fails(d->read_error);
        f = file_of(d, fd);
        if ((size_t) offset >= f->now.len)
                return 0;
        if (len > f->now.len - (size_t) offset)
                len = f->now.len - (size_t) offset;
        memcpy(buf, f->now.data + offset, len);
        return (ssize_t) len;
}

static ssize_t disk_write(void *userdata, int fd, const void *buf, size_t len, off_t offset) {
        struct cut_disk *d = userdata;
        struct pending *p;
        struct file *f;

        if (d->off)
                return fails(EIO);
        if (d->write_error)
                return fails(d->write_error);
        f = file_of(d, fd);
        d->writes++;
        if (f->n_pending == f->cap_pending) {
                f->cap_pending = 2 * f->cap_pending + 8;
                f->pending = grown(f->pending, f->cap_pending * sizeof f->pending[0]);
        }
        p = &f->pending[f->n_pending++];
        *p = (struct pending) { .offset = offset, .len = len, .data = grown(NULL, len) };
        memcpy(p->data, buf, len);
        image_put(&f->now, offset, buf, len);
        if (ftruncate(fd, (off_t) f->now.len) < 0)
                abort();
        d->bytes_written += len;
        return count_down(d) ? fails(EIO) : (ssize_t) len;
}

static int disk_start_sync(void *userdata, int fd) {
        struct cut_disk *d = userdata;

        (void) fd;
        return d->off ? (int) fails(EIO) : 0;
}

static int disk_sync(void *userdata, int fd) {
        struct cut_disk *d = userdata;
        struct file *f;

        if (d->off)
                return (int) fails(EIO);
        if (d->sync_error)
                return (int) fails(d->sync_error);
        d->syncs++;
        if (count_down(d))
                return (int) fails(EIO);
        f = file_of(d, fd);
        for (size_t i = 0; i < f->n_pending; i++)
                image_put(&f->safe, f->pending[i].offset, f->pending[i].data, f->pending[i].len);
        forget_pending(f);
        return 0;
}

/* ---- the power comes back ---- */

enum fate { FATE_KEPT, FATE_DROPPED, FATE_TORN, FATE_GARBLED };

static void write_part(struct cut_disk *d, struct file *f, const struct pending *p) {
        enum fate fate = random_below(&d->random, 4);
        size_t begin = random_below(&d->random, (uint32_t) (p->len / SECTOR + 1));

        (*(uint64_t *[]) { &d->kept, &d->dropped, &d->torn, &d->garbled }[fate])++;
        if (fate == FATE_DROPPED)
                return;
        for (size_t at = 0; at < p->len; at += SECTOR) {
                size_t len = p->len - at < SECTOR ? p->len - at : SECTOR;
                bool lost = fate != FATE_KEPT && random_below(&d->random, 2) > 0;

                /* Torn: half the time from one place on, else here and there. */
                if (fate == FATE_TORN && begin % 2 == 0)
                        lost = at / SECTOR >= begin;
                if (lost && fate == FATE_TORN)
                        continue;
                image_put(&f->safe, p->offset + (off_t) at, p->data + at, len);
                for (size_t i = 0; lost && i < len; i++)
                        f->safe.data[(size_t) p->offset + at + i] = (uint8_t) random_below(&d->random, 256);
        }
}

static void settle(struct cut_disk *d, struct file *f) {
        for (size_t left = f->n_pending; left > 0; left--) {
                size_t i = random_below(&d->random, (uint32_t) left);
                struct pending p = f->pending[i];

                write_part(d, f, &p);
                f->pending[i] = f->pending[left - 1];
                f->pending[left - 1] = p;
        }
        forget_pending(f);
        f->now.len = 0;
        if (f->safe.len > 0)
                image_put(&f->now, 0, f->safe.data, f->safe.len);
}

/* The shells get the sizes that the disk has come back with. */
static void resize_shells(struct cut_disk *d) {
        struct dirent *e;
        struct stat st;
        DIR *dir = opendir(d->directory);

        while (dir && (e = readdir(dir))) {
                if (fstatat(dirfd(dir), e->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
                        continue;
                for (unsigned i = 0; i < FILES_MAX; i++) {
                        const struct file *f = &d->files->files[i];
                        char path[600];

                        snprintf(path, sizeof path, "%s/%s", d->directory, e->d_name);
                        if (f->known && f->device == st.st_dev && f->inode == st.st_ino &&
                            truncate(path, (off_t) f->now.len) < 0)
                                abort();
                }
        }
        if (dir)
                closedir(dir);
}

void cut_disk_restart(struct cut_disk *d) {
        go_off(d);
        empty(d->directory);
        link_all(d->shadow, d->directory);
        empty(d->shadow);
        for (unsigned i = 0; i < FILES_MAX; i++)
                if (d->files->files[i].known)
                        settle(d, &d->files->files[i]);
        resize_shells(d);
        d->power_off_at = 0;
        d->off = false;
}

void cut_disk_power_off(struct cut_disk *d, unsigned after) {
        d->power_off_at = d->writes + d->syncs + after;
        if (after == 0)
                go_off(d);
}

static struct file *named(struct cut_disk *d, const char *file_name, int *ret_fd) {
        char path[600];

        snprintf(path, sizeof path, "%s/%s", d->directory, file_name);
        *ret_fd = open(path, O_RDWR | O_CLOEXEC);
        if (*ret_fd < 0)
                abort();
        return file_of(d, *ret_fd);
}

void cut_disk_poke(struct cut_disk *d, const char *file_name, off_t offset, const void *data, size_t len) {
        int fd;
        struct file *f = named(d, file_name, &fd);

        image_put(&f->now, offset, data, len);
        image_put(&f->safe, offset, data, len);
        if (ftruncate(fd, (off_t) f->now.len) < 0)
                abort();
        close(fd);
}

void cut_disk_peek(struct cut_disk *d, const char *file_name, off_t offset, void *data, size_t len) {
        int fd;
        struct file *f = named(d, file_name, &fd);

        if ((size_t) offset + len > f->now.len)
                abort();
        memcpy(data, f->now.data + offset, len);
        close(fd);
}

struct cut_disk *cut_disk_new(const char *directory, uint64_t seed) {
        struct cut_disk *d = calloc(1, sizeof *d);
        struct cut_disk_files *files = calloc(1, sizeof *files);

        if (!d || !files)
                abort();
        d->files = files;
        d->random = random_seed(seed);
        d->io = (struct store_io) { .pread = disk_read, .pwrite = disk_write, .start_sync = disk_start_sync,
                                    .sync = disk_sync, .userdata = d };
        snprintf(d->directory, sizeof d->directory, "%s", directory);
        snprintf(d->shadow, sizeof d->shadow, "%s.cut", d->directory);
        return d;
}

struct cut_disk *cut_disk_free(struct cut_disk *d) {
        if (!d)
                return NULL;
        for (unsigned i = 0; i < FILES_MAX; i++)
                forget_file(&d->files->files[i]);
        empty(d->shadow);
        rmdir(d->shadow);
        free(d->files);
        free(d);
        return NULL;
}
