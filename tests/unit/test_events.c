/* Events: what is kept, in which order, under which numbers; restarts, power cuts, floods. METERGATE_CUTS sets how
 * often the power goes, METERGATE_SEED repeats a run. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cut_disk.h"
#include "history/event_record.h"
#include "history/events.h"
#include "store_bench.h"
#include "tools/random.h"

#define CUTS_DEFAULT 200
#define FILE_BYTES (8192 + EVENTS_MAX * EVENT_RECORD_BYTES)
#define SECOND 1000u
#define STEP (61 * SECOND)      /* so far apart none is a repeat */

static char directory[BENCH_DIRECTORY_MAX];
static struct cut_disk *disk;       /* NULL: the system's */
static struct events *events;
static uint64_t now_ms;

static int set_up(void **state) {
        (void) state;
        bench_directory(directory);
        now_ms = 1000;
        return 0;
}

static int tear_down(void **state) {
        (void) state;
        events = events_free(events);
        disk = cut_disk_free(disk);
        bench_directory_remove(directory);
        return 0;
}

static void reopen(void) {
        events = events_free(events);
        assert_int_equal(events_new(directory, disk ? &disk->io : NULL, &events), 0);
}

static void open_well(void) {
        reopen();
        assert_string_equal(events_error(events), "");
        assert_string_equal(events_note(events), "");
}

static const char *file_path(const char *suffix) {
        static char path[200];

        snprintf(path, sizeof path, "%s/%s%s", directory, EVENTS_FILE_NAME, suffix);
        return path;
}

static bool exists(const char *suffix) {
        return access(file_path(suffix), F_OK) == 0;
}

static struct event make(enum event_kind kind, const char *meter, const char *series, int64_t value) {
        struct event e = { .has_time = true, .utc_ms = 1795255200000 + (int64_t) now_ms, .kind = kind,
                           .has_value = true, .value = value, .decimals = 3 };

        snprintf(e.meter, sizeof e.meter, "%s", meter);
        snprintf(e.series, sizeof e.series, "%s", series);
        return e;
}

static void put_at(uint64_t boot_ms, enum event_kind kind, const char *meter, const char *series, int64_t value) {
        struct event e;

        now_ms = boot_ms;
        e = make(kind, meter, series, value);
        events_put(events, now_ms, &e);
}

/* One that stands alone. */
static void put(int64_t value) {
        put_at(now_ms + STEP, EVENT_WITHHELD, "main", value % 2 ? "power_w" : "voltage_v", value);
}

/* All that are kept have these values, in this order, their numbers ascending. */
static void assert_values(const int64_t *values, unsigned n) {
        struct event e = { .number = 0 };

        for (unsigned i = 0; i < n; i++) {
                uint64_t last = e.number;

                assert_true(events_next(events, last, &e));
                assert_true(e.number > last && e.number < events_end(events));
                assert_int_equal(e.value, values[i]);
        }
        assert_false(events_next(events, e.number, &e));
}
#define VALUES(...) ((const int64_t[]) { __VA_ARGS__ })
#define ASSERT_VALUES(...) assert_values(VALUES(__VA_ARGS__), ELEMENTS(VALUES(__VA_ARGS__)))

static unsigned count(uint64_t *ret_all) {
        struct event e = { .number = 0 };
        unsigned n = 0;

        *ret_all = 0;
        for (; events_next(events, e.number, &e); n++)
                *ret_all += UINT64_C(1) + e.repeats;
        return n;
}

/* ---- records ---- */

static void assert_same(const struct event *a, const struct event *b) {
        assert_int_equal(a->number, b->number);
        assert_int_equal(a->has_time, b->has_time);
        assert_int_equal(a->utc_ms, b->utc_ms);
        assert_int_equal(a->kind, b->kind);
        assert_string_equal(a->meter, b->meter);
        assert_string_equal(a->series, b->series);
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->has_value, b->has_value);
        assert_int_equal(a->has_previous, b->has_previous);
        assert_int_equal(a->value, b->value);
        assert_int_equal(a->previous, b->previous);
        assert_int_equal(a->decimals, b->decimals);
        assert_int_equal(a->frame, b->frame);
        assert_int_equal(a->repeats, b->repeats);
}

static void test_everything_comes_back(void **state) {
        struct event e = make(EVENT_COUNTER_RESET, "main", "l1.energy_import_kwh", INT64_MIN), got;

        (void) state;
        e.has_previous = true;
        e.previous = INT64_MAX;
        e.frame = UINT64_MAX;
        e.decimals = 6;
        memset(e.text, 'x', EVENT_TEXT_MAX);
        memset(e.meter, 'm', EVENT_METER_MAX);
        memset(e.series, 's', EVENT_SERIES_MAX);
        open_well();
        events_put(events, now_ms, &e);
        for (unsigned round = 0; round < 2; round++) {
                assert_true(events_next(events, 0, &got));
                e.number = 1;
                assert_same(&got, &e);
                open_well();
        }
        e = (struct event) { .kind = EVENT_STARTED };
        events_put(events, now_ms, &e);
        open_well();
        assert_true(events_next(events, 1, &got));
        e.number = 2;
        assert_same(&got, &e);
}

static void test_known_bytes(void **state) {
        struct event e = { .has_time = true, .utc_ms = 0x0102030405060708, .kind = EVENT_CLOCK, .meter = "main" };
        uint8_t record[EVENT_RECORD_BYTES];
        static const uint8_t expected[] = { 'M', 'V', 'T', '1', 0x1d, 0x53, 0xa9, 0x56, 5, 0, 0, 0, 0, 0, 0, 0,
                                            8, 7, 6, 5, 4, 3, 2, 1 };
        static const uint8_t expected_48[] = { 7, 0, 0, 0, EVENT_CLOCK, 1, 0, 0, 'm', 'a', 'i', 'n', 0 };

        (void) state;
        event_record_write(&e, record);
        event_record_seal(record, 5, 7);
        assert_memory_equal(record, expected, sizeof expected);
        assert_memory_equal(record + 48, expected_48, sizeof expected_48);
        for (unsigned i = 0; i < sizeof record * 8; i++) {
                record[i / 8] ^= (uint8_t) (1 << i % 8);
                assert_false(event_record_read(record, &e));
                record[i / 8] ^= (uint8_t) (1 << i % 8);
        }
}

static void test_names(void **state) {
        (void) state;
        for (unsigned i = 0; i < EVENT_KINDS; i++)
                assert_non_null(event_kind_names[i]);
}

/* ---- the ring ---- */

static void test_order_and_paging(void **state) {
        struct event e;

        (void) state;
        open_well();
        assert_false(events_next(events, 0, &e));
        assert_int_equal(events_end(events), 1);
        for (int64_t i = 1; i <= 5; i++)
                put(i);
        ASSERT_VALUES(1, 2, 3, 4, 5);
        assert_true(events_next(events, 3, &e));
        assert_int_equal(e.number, 4);
        assert_false(events_next(events, 5, &e));
        assert_false(events_next(events, UINT64_MAX, &e));
        assert_int_equal(events_end(events), 6);
}

static void test_wrap_around(void **state) {
        struct event e;
        uint64_t all;

        (void) state;
        open_well();
        for (int64_t i = 1; i <= EVENTS_MAX + 100; i++)
                put(i);
        for (unsigned round = 0; round < 2; round++) {
                assert_int_equal(count(&all), EVENTS_MAX);
                assert_int_equal(all, EVENTS_MAX);
                assert_true(events_next(events, 0, &e));
                assert_int_equal(e.number, 101);
                assert_int_equal(e.value, 101);
                assert_true(events_next(events, EVENTS_MAX + 99, &e));
                assert_int_equal(e.value, EVENTS_MAX + 100);
                open_well();
        }
}

static void test_numbers_go_on_after_a_clean_end(void **state) {
        (void) state;
        open_well();
        put(1);
        open_well();
        open_well();
        put(2);
        open_well();
        assert_int_equal(events_end(events), 3);
        ASSERT_VALUES(1, 2);
}

/* As when the process was killed: everything is in the file but the last word. */
static void test_numbers_leap_after_a_crash(void **state) {
        struct stat st;
        char command[300];
        uint64_t end;

        (void) state;
        open_well();
        put(1);
        put(2);
        end = events_end(events);
        snprintf(command, sizeof command, "%s.copy", directory);
        assert_int_equal(mkdir(command, 0700), 0);
        snprintf(command, sizeof command, "cp %s/%s %s.copy/", directory, EVENTS_FILE_NAME, directory);
        assert_int_equal(system(command), 0);
        snprintf(command, sizeof command, "rm -r %s && mv %s.copy %s", directory, directory, directory);
        events = events_free(events);
        assert_int_equal(system(command), 0);
        open_well();
        ASSERT_VALUES(1, 2);
        assert_true(events_end(events) > end + EVENTS_MAX);
        put(3);
        ASSERT_VALUES(1, 2, 3);
        open_well();
        ASSERT_VALUES(1, 2, 3);
        assert_int_equal(stat(file_path(""), &st), 0);
        assert_int_equal(st.st_size, FILE_BYTES);
}

static void poke(off_t offset, const void *data, size_t len) {
        int fd = open(file_path(""), O_WRONLY);

        assert_int_equal(pwrite(fd, data, len, offset), len);
        close(fd);
}

static void test_a_damaged_record_is_skipped(void **state) {
        (void) state;
        open_well();
        for (int64_t i = 1; i <= 4; i++)
                put(i);
        events = events_free(events);
        poke(8192 + 2 * EVENT_RECORD_BYTES + 99, "?", 1);
        open_well();
        ASSERT_VALUES(1, 3, 4);
        put(5);
        ASSERT_VALUES(1, 3, 4, 5);
        /* Also one that is damaged while it is open, in a run that does not remember it. */
        open_well();
        poke(8192 + 3 * EVENT_RECORD_BYTES + 99, "?", 1);
        ASSERT_VALUES(1, 4, 5);
}

/* A later version may have kinds that this one does not know. */
static void test_an_unknown_kind_is_skipped(void **state) {
        struct event e = make(EVENT_CLOCK, "", "", 1);
        uint8_t record[EVENT_RECORD_BYTES];

        (void) state;
        open_well();
        put(1);
        events = events_free(events);
        event_record_write(&e, record);
        record[52] = EVENT_KINDS;
        event_record_seal(record, 2, 0);
        poke(8192 + 2 * EVENT_RECORD_BYTES, record, sizeof record);
        open_well();
        ASSERT_VALUES(1);
        put(3);
        ASSERT_VALUES(1, 3);
        assert_true(events_end(events) > 3);
}

static void test_one_header_is_enough(void **state) {
        (void) state;
        open_well();
        put(1);
        for (unsigned i = 0; i < 2; i++) {
                events = events_free(events);
                poke(i * 4096, "???????????????????????", 23);
                open_well();
                put(2 + i);
        }
        ASSERT_VALUES(1, 2, 3);
}

/* ---- files that are not ours ---- */

static void write_file(const char *data, size_t len) {
        int fd = open(file_path(""), O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_int_equal(write(fd, data, len), len);
        close(fd);
}

static void test_foreign_files_are_set_aside(void **state) {
        static const char *const names[] = { ".set-aside-1", ".set-aside-2" };
        struct stat st;

        (void) state;
        for (unsigned i = 0; i < 2; i++) {
                write_file("precious", i == 0 ? 8 : 0);
                reopen();
                assert_string_equal(events_error(events), "");
                assert_non_null(strstr(events_note(events), "not a file of events"));
                assert_non_null(strstr(events_note(events), names[i]));
                assert_int_equal(stat(file_path(names[i]), &st), 0);
                assert_int_equal(st.st_size, i == 0 ? 8 : 0);
                put(1);
                open_well();
                ASSERT_VALUES(1);
                events = events_free(events);
        }
}

static void test_an_unknown_version_is_set_aside(void **state) {
        (void) state;
        open_well();
        put(1);
        events = events_free(events);
        poke(8, "\2", 1);
        poke(4096 + 8, "\2", 1);
        reopen();
        assert_non_null(strstr(events_note(events), "unknown version"));
        assert_true(exists(".set-aside-1"));
}

static void test_a_damaged_file_is_set_aside(void **state) {
        (void) state;
        open_well();
        put(1);
        events = events_free(events);
        assert_int_equal(truncate(file_path(""), FILE_BYTES - 4096), 0);
        reopen();
        assert_non_null(strstr(events_note(events), "damaged"));
        assert_true(exists(".set-aside-1"));
}

static void test_what_is_left_of_creating_is_removed(void **state) {
        (void) state;
        assert_int_equal(close(open(file_path(".new"), O_WRONLY | O_CREAT, 0600)), 0);
        open_well();
        assert_false(exists(".new"));
        assert_true(exists(""));
}

/* ---- memory only ---- */

static void assert_memory_only(void) {
        struct event e;
        uint64_t all;

        for (int64_t i = 1; i <= EVENTS_MEMORY_MAX + 10; i++)
                put(i);
        assert_int_equal(count(&all), EVENTS_MEMORY_MAX);
        assert_true(events_next(events, 0, &e));
        assert_int_equal(e.value, 11);
        assert_int_equal(events_sync(events, now_ms), 0);
}

static void test_without_a_folder(void **state) {
        (void) state;
        assert_int_equal(events_new(NULL, NULL, &events), 0);
        assert_string_equal(events_error(events), "");
        assert_memory_only();
}

static void test_folder_that_is_not_there(void **state) {
        char path[120];

        (void) state;
        snprintf(path, sizeof path, "%s/nowhere", directory);
        assert_int_equal(events_new(path, NULL, &events), 0);
        assert_non_null(strstr(events_error(events), "cannot be created: No such file or directory"));
        assert_non_null(strstr(events_error(events), "in memory only"));
        assert_memory_only();
}

static void test_a_folder_in_its_place(void **state) {
        (void) state;
        assert_int_equal(mkdir(file_path(""), 0700), 0);
        reopen();
        assert_non_null(strstr(events_error(events), "cannot be opened: Is a directory"));
        assert_memory_only();
}

static void test_full_disk_at_creation(void **state) {
        (void) state;
        disk = cut_disk_new(directory, 1);
        disk->write_error = ENOSPC;
        reopen();
        assert_non_null(strstr(events_error(events), "cannot be created: No space left on device"));
        assert_false(exists(""));
        assert_false(exists(".new"));
        assert_memory_only();
}

static void test_unreadable_file(void **state) {
        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        put(1);
        events = events_free(events);
        disk->read_error = EIO;
        reopen();
        assert_non_null(strstr(events_error(events), "cannot be read: Input/output error"));
        assert_memory_only();
}

/* What the file has stays to be seen; after a restart numbers begin above those that only memory had. */
static void test_disk_that_fails_later(void **state) {
        struct event e;
        uint64_t all, end;

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        for (int64_t i = 1; i <= 300; i++)
                put(i);
        disk->write_error = EROFS;
        for (int64_t i = 301; i <= 900; i++)
                put(i);
        assert_non_null(strstr(events_error(events), "cannot be written: Read-only file system"));
        assert_int_equal(count(&all), 300 + EVENTS_MEMORY_MAX);
        assert_true(events_next(events, 300, &e));
        assert_int_equal(e.value, 900 - EVENTS_MEMORY_MAX + 1);
        end = events_end(events);
        events = events_free(events);
        disk->write_error = 0;
        open_well();
        assert_int_equal(count(&all), 300);
        assert_true(events_end(events) > end);
}

/* As another user than root, who may write everywhere. */
static void test_no_permission(void **state) {
        bool root = geteuid() == 0;

        (void) state;
        if (root)
                assert_int_equal(chown(directory, 65534, 65534), 0);
        if (root)
                assert_int_equal(seteuid(65534), 0);
        open_well();
        put(1);
        events = events_free(events);
        chmod(file_path(""), 0400);
        for (unsigned i = 0; i < 2; i++) {
                reopen();
                assert_non_null(strstr(events_error(events), "cannot be opened for writing: Permission denied"));
                ASSERT_VALUES(1);
                put(2);
                ASSERT_VALUES(1, 2);
        }
        events = events_free(events);
        chmod(file_path(""), 0600);
        write_file("?", 1);
        chmod(file_path(""), 0400);
        reopen();
        assert_non_null(strstr(events_error(events), "cannot be opened for writing: Permission denied"));
        assert_non_null(strstr(events_note(events), "not a file of events"));
        assert_false(exists(".set-aside-1"));
        assert_memory_only();
        if (root)
                assert_int_equal(seteuid(0), 0);
        events = events_free(events);
}

static void test_sync_that_fails(void **state) {
        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        put(1);
        disk->sync_error = EIO;
        assert_int_equal(events_sync(events, now_ms), -EIO);
        assert_non_null(strstr(events_error(events), "cannot be written: Input/output error"));
        assert_int_equal(events_sync(events, now_ms), 0);
        put(2);
        ASSERT_VALUES(1, 2);
}

/* The disk fails before the first number of a run. Whether the file says clean end or not the next time, that number
 * does not come again. */
static void test_clean_end_that_cannot_be_taken_back(void **state) {
        uint64_t number;

        (void) state;
        disk = cut_disk_new(directory, 1);
        for (unsigned i = 0; i < 2; i++) {
                open_well();
                put(1);
                open_well();
                disk->write_error = i == 0 ? EROFS : 0;
                disk->sync_error = i == 0 ? 0 : EIO;
                put(2);
                number = events_end(events) - 1;
                events = events_free(events);
                disk->write_error = disk->sync_error = 0;
                open_well();
                assert_true(events_end(events) < number - EVENTS_MAX || events_end(events) > number + EVENTS_MAX);
        }
}

static void test_sync_only_what_is_new(void **state) {
        uint64_t syncs, writes;

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        put(1);
        assert_int_equal(events_sync(events, now_ms), 0);
        syncs = disk->syncs;
        writes = disk->writes;
        assert_int_equal(events_sync(events, now_ms), 0);
        assert_int_equal(disk->syncs, syncs);
        put(2);
        assert_int_equal(disk->writes, writes + 1);
        assert_int_equal(disk->syncs, syncs);
        assert_int_equal(events_sync(events, now_ms), 0);
        assert_int_equal(disk->syncs, syncs + 1);
}

/* ---- repeats ---- */

static void test_a_flood_is_one_record_a_minute(void **state) {
        struct event e;
        uint64_t all, writes;

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        put_at(10 * SECOND, EVENT_WITHHELD, "main", "power_w", 0);
        writes = disk->writes;
        for (unsigned i = 1; i < 600; i++)
                put_at(10 * SECOND + i * SECOND, EVENT_WITHHELD, "main", "power_w", i);
        assert_int_equal(count(&all), 10);
        assert_int_equal(disk->writes - writes, 9);
        assert_true(events_next(events, 1, &e));
        assert_int_equal(e.value, 59);
        assert_int_equal(e.repeats, 58);
        /* The last minute is over when nothing comes any more. */
        assert_int_equal(events_sync(events, 700 * SECOND), 0);
        assert_int_equal(count(&all), 11);
        assert_int_equal(all, 600);
        assert_int_equal(events_sync(events, 1000 * SECOND), 0);
        assert_int_equal(count(&all), 11);
        put_at(1000 * SECOND, EVENT_WITHHELD, "main", "power_w", 7);
        assert_int_equal(count(&all), 12);
}

static void test_repeats_are_not_lost_at_the_end(void **state) {
        uint64_t all;

        (void) state;
        open_well();
        for (unsigned i = 0; i < 5; i++)
                put_at(SECOND + i, EVENT_RECONNECTED, "main", "", i);
        ASSERT_VALUES(0);
        open_well();
        ASSERT_VALUES(0, 4);
        assert_int_equal(count(&all), 2);
        assert_int_equal(all, 5);
}

static void test_different_ones_are_no_repeats(void **state) {
        struct event e;

        (void) state;
        open_well();
        put_at(SECOND, EVENT_WITHHELD, "main", "power_w", 1);
        put_at(SECOND, EVENT_WITHHELD, "main", "voltage_v", 2);
        put_at(SECOND, EVENT_WITHHELD, "other", "power_w", 3);
        put_at(SECOND, EVENT_COUNTER_RESET, "main", "power_w", 4);
        e = make(EVENT_WITHHELD, "main", "power_w", 5);
        snprintf(e.text, sizeof e.text, "outside its limits");
        events_put(events, SECOND, &e);
        ASSERT_VALUES(1, 2, 3, 4, 5);
}

static void put_state(uint64_t boot_ms, const char *text) {
        struct event e;

        now_ms = boot_ms;
        e = make(EVENT_STATE, "main", "", (int64_t) boot_ms);
        snprintf(e.text, sizeof e.text, "%s", text);
        events_put(events, boot_ms, &e);
}

/* That a meter is back is told at once. */
static void test_states_come_back(void **state) {
        (void) state;
        open_well();
        put_state(1, "online");
        put_state(2, "stale");
        put_state(3, "online");
        ASSERT_VALUES(1, 2, 3);
}

/* A bad contact: the list stays in order, ends with the state that there is, and the disk has peace. */
static void test_flapping(void **state) {
        uint64_t all, before;
        int64_t last = 0;
        struct event e = { .number = 0 };

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        before = disk->writes;
        for (unsigned i = 0; i < 6000; i++)
                put_state(SECOND + i * 100, i % 2 ? "online" : "offline");
        assert_in_range(disk->writes - before, 10, 11 * EVENTS_PER_MINUTE);
        events_sync(events, 800 * SECOND);
        while (events_next(events, e.number, &e)) {
                assert_true(e.value > last);
                last = e.value;
        }
        assert_int_equal(last, SECOND + 5999 * 100);
        assert_string_equal(e.text, "online");
        (void) count(&all);
        assert_int_equal(all, 6000);
}

/* Whatever the meters do, most of what they do is counted. */
static void test_flood_of_different_ones(void **state) {
        uint64_t all, writes;
        char meter[8], series[16];

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        writes = disk->writes;
        for (unsigned i = 0; i < 60000; i++) {
                snprintf(meter, sizeof meter, "m%u", i % 5);
                snprintf(series, sizeof series, "s%u", i % 97);
                put_at(SECOND + i * 10, i % 3 ? EVENT_WITHHELD : EVENT_COUNTER_RESET, meter, series, i);
        }
        assert_in_range(disk->writes - writes, 10 * 5, 11 * 5 * (EVENTS_PER_MINUTE + 1));
        events_sync(events, 1000 * SECOND);
        (void) count(&all);
        assert_int_equal(all, 60000);
}

/* More at a time than are remembered: some are written that could have been counted, none is lost. */
static void test_more_than_are_remembered(void **state) {
        uint64_t all;
        char meter[8];

        (void) state;
        open_well();
        for (unsigned i = 0; i < 3000; i++) {
                snprintf(meter, sizeof meter, "m%u", i / 2 % 150);
                put_at(SECOND + i, EVENT_RECONNECTED, meter, "", i);
        }
        events_sync(events, 1000 * SECOND);
        (void) count(&all);
        assert_int_equal(all, 3000);
}

/* ---- power cuts ---- */

static struct {
        uint64_t number;
        int64_t value;
        bool synced;
} model[EVENTS_MAX];                /* by slot: what was put there last */
static uint64_t highest;            /* that was given out */

static void put_random(uint64_t *random) {
        int64_t value = random_below(random, UINT32_MAX);
        static int64_t turn;
        struct event e;

        put_at(now_ms + STEP, EVENT_WITHHELD, "main", ++turn % 2 ? "power_w" : "voltage_v", value);
        assert_true(events_next(events, events_end(events) - 2, &e));
        /* Without power nobody learns of its number; it may be in the file. */
        model[e.number % EVENTS_MAX].synced = false;
        if (disk->off)
                return;
        assert_true(e.number > highest && e.value == value);
        highest = e.number;
        model[highest % EVENTS_MAX].number = highest;
        model[highest % EVENTS_MAX].value = value;
}

static void sync_model(void) {
        if (events_sync(events, now_ms) < 0 || events_error(events)[0])
                return;
        for (unsigned i = 0; i < EVENTS_MAX; i++)
                model[i].synced = true;
}

/* What is there is what was put, in order; what was synced is there. */
static void check_model(void) {
        static bool seen[EVENTS_MAX];
        struct event e = { .number = 0 };

        memset(seen, 0, sizeof seen);
        for (uint64_t last = 0; events_next(events, last, &e); last = e.number) {
                unsigned slot = e.number % EVENTS_MAX;

                assert_true(e.number > last);
                /* One that the power took with it may be there after all, and an old one that it had hidden. */
                if (model[slot].number != e.number) {
                        assert_true(!model[slot].synced || model[slot].number == 0);
                        continue;
                }
                assert_int_equal(e.value, model[slot].value);
                seen[slot] = true;
        }
        for (unsigned i = 0; i < EVENTS_MAX; i++)
                assert_true(seen[i] || !model[i].synced || model[i].number == 0);
        assert_true(events_end(events) > highest);
}

/* What is there now is what has to stay. */
static void renew_model(void) {
        struct event e = { .number = 0 };

        memset(model, 0, sizeof model);
        while (events_next(events, e.number, &e)) {
                model[e.number % EVENTS_MAX].number = e.number;
                model[e.number % EVENTS_MAX].value = e.value;
                model[e.number % EVENTS_MAX].synced = true;
        }
}

static void live(uint64_t *random) {
        unsigned n = random_below(random, 4) ? random_below(random, 40) : random_below(random, 2000);

        cut_disk_power_off(disk, 1 + random_below(random, 2 * n + 3));
        for (unsigned i = 0; i < n && !events_error(events)[0]; i++) {
                put_random(random);
                if (random_below(random, 20) == 0)
                        sync_model();
        }
        /* Sometimes it ends by itself. */
        if (random_below(random, 3) == 0 && !events_error(events)[0]) {
                uint64_t end = events_end(events);

                sync_model();
                reopen();
                if (!events_error(events)[0])
                        assert_int_equal(events_end(events), end);
        }
}

static void test_power_cuts(void **state) {
        const char *cuts_text = getenv("METERGATE_CUTS"), *seed_text = getenv("METERGATE_SEED");
        unsigned cuts = cuts_text ? (unsigned) atoi(cuts_text) : CUTS_DEFAULT;
        uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t) time(NULL), random = random_seed(seed);

        (void) state;
        printf("# seed %llu\n", (unsigned long long) seed);
        disk = cut_disk_new(directory, seed);
        cut_disk_power_off(disk, 1 + random_below(&random, 300));
        reopen();
        for (unsigned i = 0; i < cuts; i++) {
                events = events_free(events);
                cut_disk_restart(disk);
                open_well();
                check_model();
                renew_model();
                live(&random);
        }
        printf("# %u cuts, end at %llu, %llu writes; of those in flight %llu kept, %llu dropped, %llu torn, "
               "%llu garbled\n", cuts, (unsigned long long) highest, (unsigned long long) disk->writes,
               (unsigned long long) disk->kept, (unsigned long long) disk->dropped, (unsigned long long) disk->torn,
               (unsigned long long) disk->garbled);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_everything_comes_back),
                TEST(test_known_bytes),
                TEST(test_names),
                TEST(test_order_and_paging),
                TEST(test_wrap_around),
                TEST(test_numbers_go_on_after_a_clean_end),
                TEST(test_numbers_leap_after_a_crash),
                TEST(test_a_damaged_record_is_skipped),
                TEST(test_an_unknown_kind_is_skipped),
                TEST(test_one_header_is_enough),
                TEST(test_foreign_files_are_set_aside),
                TEST(test_an_unknown_version_is_set_aside),
                TEST(test_a_damaged_file_is_set_aside),
                TEST(test_what_is_left_of_creating_is_removed),
                TEST(test_without_a_folder),
                TEST(test_folder_that_is_not_there),
                TEST(test_a_folder_in_its_place),
                TEST(test_full_disk_at_creation),
                TEST(test_unreadable_file),
                TEST(test_disk_that_fails_later),
                TEST(test_no_permission),
                TEST(test_sync_that_fails),
                TEST(test_clean_end_that_cannot_be_taken_back),
                TEST(test_sync_only_what_is_new),
                TEST(test_a_flood_is_one_record_a_minute),
                TEST(test_repeats_are_not_lost_at_the_end),
                TEST(test_different_ones_are_no_repeats),
                TEST(test_states_come_back),
                TEST(test_flapping),
                TEST(test_flood_of_different_ones),
                TEST(test_more_than_are_remembered),
                TEST(test_power_cuts),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
