/* Events and their file: files that are not ours, disks that fail, and what is in memory only. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "events_case.h"

/* ---- files that are not ours ---- */

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

int main(void) {
        const struct CMUnitTest tests[] = {
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
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
