/* Any bytes as a file of events: the first byte says which checksums are made right so that the rest is reached, then
 * come two headers, then records, each after two bytes that name its slot. Opened, read, gone on with, and opened
 * again: order, numbers and what was put have to hold. */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "history/event_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_AT 8192
#define FILE_BYTES (RECORDS_AT + EVENTS_MAX * EVENT_RECORD_BYTES)

enum { FIX_HEADERS = 1, FIX_RECORDS = 2, CRASH = 4 };

static char directory[64];
static uint8_t image[FILE_BYTES];   /* what is in the file; the one in the directory is a shell */

static ssize_t image_read(void *userdata, int fd, void *buf, size_t len, off_t offset) {
        (void) userdata, (void) fd;
        assert(offset >= 0 && (size_t) offset + len <= sizeof image);
        memcpy(buf, image + offset, len);
        return (ssize_t) len;
}

static ssize_t image_write(void *userdata, int fd, const void *buf, size_t len, off_t offset) {
        (void) userdata;
        assert(offset >= 0 && (size_t) offset + len <= sizeof image);
        memcpy(image + offset, buf, len);
        if (ftruncate(fd, sizeof image) < 0)
                abort();
        return (ssize_t) len;
}

static int image_sync(void *userdata, int fd) {
        (void) userdata, (void) fd;
        return 0;
}

static const struct store_io image_io = { .pread = image_read, .pwrite = image_write, .sync = image_sync };

static void empty_directory(void) {
        DIR *dir = opendir(directory);
        struct dirent *e;

        while (dir && (e = readdir(dir)))
                if (e->d_name[0] != '.')
                        unlinkat(dirfd(dir), e->d_name, 0);
        if (dir)
                closedir(dir);
}

static void remove_directory(void) {
        empty_directory();
        rmdir(directory);
}

static void make_directory(void) {
        snprintf(directory, sizeof directory, "/tmp/metergate-fuzz-XXXXXX");
        if (!mkdtemp(directory))
                abort();
        atexit(remove_directory);
}

static void make_shell(void) {
        char path[128];
        int fd;

        snprintf(path, sizeof path, "%s/%s", directory, EVENTS_FILE_NAME);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        if (fd < 0 || ftruncate(fd, sizeof image) < 0)
                abort();
        close(fd);
}

/* Up to len bytes. */
static void take(const uint8_t **data, size_t *size, uint8_t *ret, size_t len) {
        if (len > *size)
                len = *size;
        memcpy(ret, *data, len);
        *data += len;
        *size -= len;
}

/* Numbers close below the end of their range, which no gateway reaches by counting, are moved away from it. */
static void spare_end(uint8_t *number) {
        if (get_le64(number) >> 61 == 1)
                put_le64(number, get_le64(number) & (UINT64_MAX >> 4));
}

static void fill_image(const uint8_t *data, size_t size, unsigned flags) {
        uint8_t slot[2];

        memset(image, 0, sizeof image);
        for (unsigned i = 0; i < 2; i++) {
                uint8_t *header = image + i * RECORDS_AT / 2;

                take(&data, &size, header, EVENT_RECORD_BYTES);
                spare_end(header + 32);
                if (flags & FIX_HEADERS)
                        put_le32(header + EVENT_RECORD_BYTES - 4, crc32c(header, EVENT_RECORD_BYTES - 4));
        }
        while (size > sizeof slot) {
                uint8_t *record;

                take(&data, &size, slot, sizeof slot);
                record = image + RECORDS_AT + get_le16(slot) % EVENTS_MAX * EVENT_RECORD_BYTES;
                take(&data, &size, record, EVENT_RECORD_BYTES);
                spare_end(record + 8);
                if (flags & FIX_RECORDS)
                        put_le32(record + 4, crc32c(record + 8, EVENT_RECORD_BYTES - 8));
        }
}

static struct events *open_events(void) {
        struct events *e;

        if (events_new(directory, &image_io, &e) < 0)
                abort();
        assert(events_error(e)[0] == '\0');
        return e;
}

/* Number of events; the last of them in ret. */
static unsigned walk(const struct events *e, struct event *ret) {
        uint64_t last = 0;
        unsigned n = 0;

        for (; events_next(e, last, ret); n++) {
                assert(ret->number > last && ret->number < events_end(e) && ret->kind < EVENT_KINDS);
                assert(strlen(ret->meter) <= EVENT_METER_MAX && strlen(ret->series) <= EVENT_SERIES_MAX &&
                       strlen(ret->text) <= EVENT_TEXT_MAX);
                last = ret->number;
        }
        assert(n <= EVENTS_MAX);
        return n;
}

static void go_on(struct events *e, bool crash) {
        struct event put = { .kind = EVENT_CLOCK, .has_value = true, .value = 12345 }, got;
        unsigned n = walk(e, &got);
        uint64_t number;

        events_put(e, 1000, &put);
        assert(walk(e, &got) <= n + 1 && got.value == put.value);
        number = got.number;
        if (crash) {
                static uint8_t copy[FILE_BYTES];

                memcpy(copy, image, sizeof copy);
                events_free(e);
                memcpy(image, copy, sizeof copy);
        } else
                events_free(e);
        e = open_events();
        assert(walk(e, &got) > 0 && got.number == number && got.value == put.value);
        assert(crash ? events_end(e) > number + 1 : events_end(e) == number + 1);
        events_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (size == 0)
                return 0;
        if (!directory[0])
                make_directory();
        fill_image(data + 1, size - 1, data[0]);
        make_shell();
        go_on(open_events(), data[0] & CRASH);
        empty_directory();
        return 0;
}
