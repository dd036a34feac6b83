/* The store and the file it finds or cannot have: not ours, of another size, in use, full, refused, unreadable. */
#include "store_case.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- files that are not ours, or of another size ---- */

static void check_set_aside(const char *suffix, const void *data, size_t len, const char *words) {
        uint8_t *back = malloc(len + 1);
        int fd;

        write_file(data, len);
        assert_int_equal(try_open(SMALL, true), -EBADMSG);
        check_error(words);
        assert_false(exists(suffix));
        reopen(SMALL);
        check_note(words);
        check_note("created");
        append(TIER_RAW, 1);
        assert_true(exists(suffix));
        fd = open(file_path(suffix), O_RDONLY);
        assert_int_equal(read(fd, back, len + 1), len);
        assert_memory_equal(back, data, len);
        close(fd);
        free(back);
        store = store_free(store);
}

static void test_foreign_files_are_set_aside(void **state) {
        struct superblock sb = layout(SMALL);
        uint8_t page[PAGE_BYTES];

        (void) state;
        check_set_aside(".set-aside-1", "not ours", 8, "not a history file");
        check_set_aside(".set-aside-2", "", 0, "not a history file");
        superblock_write(&sb, page);
        page[8] = 2;
        check_set_aside(".set-aside-3", page, sizeof page, "a history file of an unknown version");
        superblock_write(&sb, page);
        memcpy(page + 12, (const uint8_t[]) { 1, 2, 3, 4 }, 4);
        unlink(file_path(".set-aside-2"));
        check_set_aside(".set-aside-2", page, sizeof page, "a history file of an unknown version");
        superblock_write(&sb, page);
        page[60] ^= 1;
        check_set_aside(".set-aside-4", page, sizeof page, "a history file whose beginning is damaged");
}

static void test_not_a_file(void **state) {
        (void) state;
        assert_int_equal(mkdir(file_path(""), 0700), 0);
        assert_true(try_open(SMALL, false) < 0);
        check_error("cannot be opened: Is a directory");
        rmdir(file_path(""));
        assert_int_equal(mkfifo(file_path(""), 0600), 0);
        assert_int_equal(try_open(SMALL, false), -EINVAL);
        check_error("not a regular file");
}

/* The newest pages, the checkpoint and the schemas move into a file of another size and back. */
static void test_resize(void **state) {
        uint64_t n_small, n_large;
        unsigned slot;
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        n_small = store_n_pages(store, TIER_RAW);
        assert_int_equal(add(&slot), 0);
        append(TIER_RAW, 300);
        append(TIER_MINUTE, 40);
        checkpoint(3, 333);
        reopen(LARGE);
        check_note("resized to 3.0 MiB");
        n_large = store_n_pages(store, TIER_RAW);
        assert_true(n_large > n_small);
        assert_int_equal(store_oldest_seq(store, TIER_RAW), 300 - n_small);
        assert_int_equal(store_reserved(store), 7000000);
        append(TIER_RAW, 150);
        checkpoint(4, 444);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(store_next_seq(store, TIER_RAW), 450);
                for (uint64_t seq = 450 - n_large > 300 - n_small ? 450 - n_large : 300 - n_small; seq < 450; seq++)
                        check_page(TIER_RAW, seq);
                reopen(LARGE);
        }
        reopen(SMALL);
        check_note("resized to 2.0 MiB");
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(store_stats(store).bytes_allocated, SMALL);
                assert_int_equal(store_oldest_seq(store, TIER_RAW), 450 - n_small);
                assert_int_equal(store_stats(store).used_pages[TIER_RAW], n_small);
                assert_int_equal(store_stats(store).damaged_pages[TIER_RAW], 0);
                assert_int_equal(store_next_seq(store, TIER_MINUTE), 40);
                for (uint64_t seq = 450 - n_small; seq < 450; seq++)
                        check_page(TIER_RAW, seq);
                assert_true(store_recovered(store, page));
                assert_int_equal(bench_page_salt(page), 444);
                assert_int_equal(store_schema(store, slot)->serial, 1);
                reopen(SMALL);
        }
        assert_false(exists(".new"));
}

/* A damaged page below the last one that is known to be safe does not end the ring after a resize either. */
static void test_resize_with_damage(void **state) {
        struct superblock sb = layout(SMALL);

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 50);
        assert_int_equal(store_sync(store), 0);
        checkpoint(1, 1);
        store = store_free(store);
        damage(sb.rings[TIER_RAW].first + 30, 1000);
        for (unsigned i = 0; i < 4; i++) {
                reopen(i % 2 ? SMALL : LARGE);
                assert_int_equal(store_next_seq(store, TIER_RAW), 50);
                assert_int_equal(store_stats(store).damaged_pages[TIER_RAW], 1);
                check_page(TIER_RAW, 0);
                check_page(TIER_RAW, 49);
        }
}

static void test_schemas_survive_a_smaller_file(void **state) {
        unsigned slot;

        (void) state;
        reopen(16u * 1024 * 1024);
        for (unsigned i = 0; i < 60; i++) {
                assert_int_equal(add(&slot), 0);
                store_hold_schema(store, slot, true);
        }
        append_with(TIER_RAW, 59, 1);
        reopen(SMALL);
        assert_int_equal(store_schema(store, 59)->serial, 60);
        reopen(SMALL);
        assert_int_equal(store_schema(store, 59)->serial, 60);
        assert_int_equal(store_next_seq(store, TIER_RAW), 1);
}

static void test_file_of_wrong_length(void **state) {
        struct stat st;

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 20);
        append(TIER_QUARTER, 30);
        store = store_free(store);
        assert_int_equal(truncate(file_path(""), SMALL - 40 * PAGE_BYTES), 0);
        reopen(0);
        assert_int_equal(store_next_seq(store, TIER_RAW), 20);
        check_page(TIER_RAW, 19);
        assert_int_equal(stat(file_path(""), &st), 0);
        assert_int_equal(st.st_size, SMALL);
        store = store_free(store);
        assert_int_equal(truncate(file_path(""), LARGE), 0);
        reopen(SMALL);
        check_page(TIER_RAW, 19);
        assert_int_equal(stat(file_path(""), &st), 0);
        assert_int_equal(st.st_size, SMALL);
}

static void test_sizes_out_of_range(void **state) {
        (void) state;
        assert_int_equal(try_open(SMALL - 1, false), -EINVAL);
        check_error("2 MiB to 16 GiB");
        assert_int_equal(try_open(UINT64_MAX, false), -EINVAL);
        assert_int_equal(try_open(0, false), -ENOENT);
        check_error("there is no history");
        assert_int_equal(try_open(SMALL, true), -ENOENT);
        assert_false(exists(""));
}

/* ---- what can go wrong ---- */

static void test_one_writer(void **state) {
        struct store *second = NULL;
        struct store_options options = { .directory = directory, .size_bytes = SMALL };
        char holder[64];

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 2);
        assert_int_equal(bench_open(&options, &second, error), -EBUSY);
        snprintf(holder, sizeof holder, "in use by process %ld (", (long) getpid());
        check_error(holder);
        options.read_only = true;
        options.size_bytes = 0;
        assert_int_equal(bench_open(&options, &second, error), 0);
        assert_int_equal(store_next_seq(second, TIER_RAW), 2);
        assert_false(store_is_writable(second));
        assert_int_equal(bench_append(second, &(struct bench_page) { .tick = 1 }), -EROFS);
        assert_string_equal(store_error(second), "");
        second = store_free(second);
        store = store_free(store);
        reopen(SMALL);
}

static void test_no_space(void **state) {
        (void) state;
        disk = cut_disk_new(directory, 1);
        disk->write_error = ENOSPC;
        assert_int_equal(try_open(SMALL, false), -ENOSPC);
        check_error("2.0 MiB are needed");
        check_error("MiB are free");
        assert_false(exists(".new"));
        assert_false(exists(""));
        disk->write_error = 0;
        reopen(SMALL);
        append(TIER_RAW, 3);
        assert_int_equal(store_sync(store), 0);
        store = store_free(store);
        disk->write_error = ENOSPC;
        reopen(LARGE);
        check_note("3.0 MiB are needed");
        assert_int_equal(store_stats(store).bytes_allocated, SMALL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 3);
        assert_true(store_is_writable(store));
        assert_false(exists(".new"));
        check_page(TIER_RAW, 2);
}

static void test_write_errors(void **state) {
        uint8_t page[PAGE_BYTES];

        (void) state;
        disk = cut_disk_new(directory, 1);
        reopen(SMALL);
        append(TIER_RAW, 200);
        disk->write_error = EIO;
        assert_int_equal(bench_append(store, &(struct bench_page) { .tick = 1 }), -EIO);
        assert_false(store_is_writable(store));
        snprintf(error, sizeof error, "%s", store_error(store));
        check_error("cannot be written: Input/output error; new values are kept in memory only");
        assert_string_equal(store_stats(store).error, error);
        /* Nothing is tried again. */
        disk->write_error = 0;
        assert_int_equal(bench_append(store, &(struct bench_page) { .tick = 1 }), -EIO);
        assert_int_equal(store_sync(store), -EIO);
        assert_int_equal(store_start_sync(store), -EIO);
        assert_int_equal(add(&(unsigned) { 0 }), -EIO);
        assert_int_equal(store_next_seq(store, TIER_RAW), 200);
        assert_int_equal(store_read(store, TIER_RAW, 200 - 179, page), -ENOENT);
        check_page(TIER_RAW, 199);
        reopen(SMALL);
        disk->sync_error = EIO;
        append(TIER_RAW, 1);
        assert_int_equal(store_sync(store), -EIO);
        assert_false(store_is_writable(store));
        assert_int_equal(store_synced(store, TIER_RAW), 200);
        assert_true(store_is_dirty(store));
        /* A start that cannot clean up still shows what there is. */
        reopen(SMALL);
        assert_false(store_is_writable(store));
        check_page(TIER_RAW, 200);
}

static void test_read_errors(void **state) {
        struct superblock sb = layout(SMALL);
        uint8_t page[PAGE_BYTES];

        (void) state;
        disk = cut_disk_new(directory, 1);
        reopen(SMALL);
        append(TIER_RAW, 100);
        assert_int_equal(store_sync(store), 0);
        append(TIER_RAW, 1);
        disk->read_error = EIO;
        disk->read_error_from = (off_t) (sb.rings[TIER_RAW].first + 20) * PAGE_BYTES;
        disk->read_error_to = disk->read_error_from + 1;
        assert_int_equal(store_read(store, TIER_RAW, 20, page), -EIO);
        check_page(TIER_RAW, 19);
        reopen(SMALL);
        check_note("1 page cannot be read");
        check_note("1 of 101 pages of the raw ring is damaged");
        assert_true(store_is_writable(store));
        check_page(TIER_RAW, 21);
        /* One copy of the superblock. */
        disk->read_error_from = 0;
        disk->read_error_to = 1;
        reopen(SMALL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 101);
        disk->read_error_from = disk->read_error_to = 0;
        assert_int_equal(try_open(SMALL, false), -EIO);
        check_error("cannot be read: Input/output error");
        /* Nearly everything: that is no empty file. */
        disk->read_error_from = 3 * PAGE_BYTES;
        disk->read_error_to = SMALL;
        assert_int_equal(try_open(SMALL, false), -EIO);
        check_error("too much of it cannot be read");
        disk->read_error = 0;
        reopen(SMALL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 101);
        assert_false(exists(".set-aside-1"));
}

/* As another user than root, who may write everywhere. */
static void test_no_permission(void **state) {
        bool root = geteuid() == 0;
        uint8_t page[PAGE_BYTES];

        (void) state;
        if (root)
                assert_int_equal(chown(directory, 65534, 65534), 0);
        if (root)
                assert_int_equal(seteuid(65534), 0);
        assert_int_equal(chmod(directory, 0500), 0);
        assert_int_equal(try_open(SMALL, false), -EACCES);
        check_error("cannot be created: Permission denied");
        chmod(directory, 0700);
        reopen(SMALL);
        append(TIER_RAW, 4);
        /* The file is ours, the directory is not: no more is needed. */
        chmod(directory, 0500);
        reopen(SMALL);
        assert_true(store_is_writable(store));
        append(TIER_RAW, 1);
        reopen(LARGE);
        check_note("cannot be resized: Permission denied");
        assert_true(store_is_writable(store));
        store = store_free(store);
        chmod(file_path(""), 0400);
        reopen(SMALL);
        assert_false(store_is_writable(store));
        assert_non_null(strstr(store_error(store), "cannot be opened for writing: Permission denied"));
        check_page(TIER_RAW, 4);
        bench_page_make(store, &(struct bench_page) { .tick = 1 }, page);
        assert_int_equal(store_append(store, page), -EACCES);
        chmod(file_path(""), 0);
        assert_int_equal(try_open(SMALL, false), -EACCES);
        check_error("cannot be opened: Permission denied");
        chmod(directory, 0);
        assert_int_equal(try_open(SMALL, false), -EACCES);
        check_error("the directory cannot be opened: Permission denied");
        if (root)
                assert_int_equal(seteuid(0), 0);
        chmod(directory, 0700);
}

static void test_directory_is_made(void **state) {
        struct store_options options = { .size_bytes = SMALL };
        char path[200], below[300];

        (void) state;
        snprintf(path, sizeof path, "%s/history", directory);
        snprintf(below, sizeof below, "%s/no/such", directory);
        options.directory = below;
        assert_int_equal(bench_open(&options, &store, error), -ENOENT);
        check_error("the directory cannot be made: No such file or directory");
        options.directory = path;
        assert_int_equal(bench_open(&options, &store, error), 0);
        assert_true(store_is_writable(store));
}

/* Left half-way, the file is made from the beginning. */
static void test_creation_in_slices(void **state) {
        struct store_options options = { .directory = directory, .size_bytes = SMALL };
        uint64_t done = 0, total, before;
        unsigned steps = 0;
        struct store *s;

        (void) state;
        assert_int_equal(store_open(&options, &s, error), 0);
        assert_string_equal(error, "");
        assert_int_equal(store_step(s), 1);
        assert_true(exists(".new"));
        s = store_free(s);
        assert_false(exists(".new"));
        close(open(file_path(".new"), O_WRONLY | O_CREAT, 0600));
        assert_int_equal(store_open(&options, &s, error), 0);
        do {
                before = done;
                store_progress(s, &done, &total);
                assert_true(done >= before && done - before <= 64 && done <= total);
                steps++;
        } while (store_step(s) > 0);
        store_progress(s, &done, &total);
        assert_int_equal(done, total);
        assert_true(steps >= 8);
        store_free(s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_foreign_files_are_set_aside),
                TEST(test_not_a_file),
                TEST(test_resize),
                TEST(test_resize_with_damage),
                TEST(test_schemas_survive_a_smaller_file),
                TEST(test_file_of_wrong_length),
                TEST(test_sizes_out_of_range),
                TEST(test_one_writer),
                TEST(test_no_space),
                TEST(test_write_errors),
                TEST(test_read_errors),
                TEST(test_no_permission),
                TEST(test_directory_is_made),
                TEST(test_creation_in_slices),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
