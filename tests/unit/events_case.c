#include "events_case.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

char directory[BENCH_DIRECTORY_MAX];
struct cut_disk *disk;
struct events *events;
uint64_t now_ms;

int set_up(void **state) {
        (void) state;
        bench_directory(directory);
        now_ms = 1000;
        return 0;
}

int tear_down(void **state) {
        (void) state;
        events = events_free(events);
        disk = cut_disk_free(disk);
        bench_directory_remove(directory);
        return 0;
}

void reopen(void) {
        events = events_free(events);
        assert_int_equal(events_new(directory, disk ? &disk->io : NULL, &events), 0);
}

void open_well(void) {
        reopen();
        assert_string_equal(events_error(events), "");
        assert_string_equal(events_note(events), "");
}

const char *file_path(const char *suffix) {
        static char path[200];

        snprintf(path, sizeof path, "%s/%s%s", directory, EVENTS_FILE_NAME, suffix);
        return path;
}

bool exists(const char *suffix) {
        return access(file_path(suffix), F_OK) == 0;
}

void write_file(const char *data, size_t len) {
        int fd = open(file_path(""), O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_int_equal(write(fd, data, len), len);
        close(fd);
}

void poke(off_t offset, const void *data, size_t len) {
        int fd = open(file_path(""), O_WRONLY);

        assert_int_equal(pwrite(fd, data, len, offset), len);
        close(fd);
}

struct event make(enum event_kind kind, const char *meter, const char *series, int64_t value) {
        struct event e = { .has_time = true, .utc_ms = 1795255200000 + (int64_t) now_ms, .kind = kind,
                           .has_value = true, .value = value, .decimals = 3 };

        snprintf(e.meter, sizeof e.meter, "%s", meter);
        snprintf(e.series, sizeof e.series, "%s", series);
        return e;
}

void put_at(uint64_t boot_ms, enum event_kind kind, const char *meter, const char *series, int64_t value) {
        struct event e;

        now_ms = boot_ms;
        e = make(kind, meter, series, value);
        events_put(events, now_ms, &e);
}

void put(int64_t value) {
        put_at(now_ms + STEP, EVENT_WITHHELD, "main", value % 2 ? "power_w" : "voltage_v", value);
}

void assert_values(const int64_t *values, unsigned n) {
        struct event e = { .number = 0 };

        for (unsigned i = 0; i < n; i++) {
                uint64_t last = e.number;

                assert_true(events_next(events, last, &e));
                assert_true(e.number > last && e.number < events_end(events));
                assert_int_equal(e.value, values[i]);
        }
        assert_false(events_next(events, e.number, &e));
}

unsigned count(uint64_t *ret_all) {
        struct event e = { .number = 0 };
        unsigned n = 0;

        *ret_all = 0;
        for (; events_next(events, e.number, &e); n++)
                *ret_all += UINT64_C(1) + e.repeats;
        return n;
}
