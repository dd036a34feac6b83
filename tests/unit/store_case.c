#include "store_case.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

char directory[BENCH_DIRECTORY_MAX], error[STORE_ERROR_MAX];
struct cut_disk *disk;
struct store *store;

int set_up(void **state) {
        (void) state;
        bench_directory(directory);
        return 0;
}

int tear_down(void **state) {
        (void) state;
        store = store_free(store);
        disk = cut_disk_free(disk);
        bench_directory_remove(directory);
        return 0;
}

int try_open(uint64_t size_bytes, bool read_only) {
        struct store_options options = { .directory = directory, .size_bytes = size_bytes, .read_only = read_only,
                                         .io = disk ? &disk->io : NULL };

        store = store_free(store);
        error[0] = '\0';
        return bench_open(&options, &store, error);
}

void reopen(uint64_t size_bytes) {
        if (try_open(size_bytes, false) < 0)
                fail_msg("%s", error);
}

const char *file_path(const char *suffix) {
        static char path[200];

        snprintf(path, sizeof path, "%s/%s%s", directory, STORE_FILE_NAME, suffix);
        return path;
}

void write_file(const void *data, size_t len) {
        int fd = open(file_path(""), O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_int_equal(write(fd, data, len), len);
        close(fd);
}

bool exists(const char *suffix) {
        return access(file_path(suffix), F_OK) == 0;
}

void damage(uint32_t page, unsigned offset) {
        int fd = open(file_path(""), O_RDWR);
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, (off_t) page * PAGE_BYTES + offset), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t) page * PAGE_BYTES + offset), 1);
        close(fd);
}

struct superblock layout(uint64_t size_bytes) {
        struct superblock sb = { .generation = 0 };

        superblock_plan((uint32_t) (size_bytes / PAGE_BYTES), 0, &sb);
        return sb;
}

int add(unsigned *ret_slot) {
        struct schema schema = bench_schema("main");

        return store_add_schema(store, &schema, ret_slot);
}

/* Pages whose salt is their seq. */
void append(enum history_tier tier, unsigned n) {
        if (!store_schema(store, 0))
                assert_int_equal(add(&(unsigned) { 0 }), 0);
        for (unsigned i = 0; i < n; i++) {
                uint64_t seq = store_next_seq(store, tier);
                struct bench_page p = { .tier = tier, .tick = 1000 + (int64_t) seq * 1000, .salt = seq,
                                        .reserved = 100 * seq };

                assert_int_equal(bench_append(store, &p), 0);
        }
}

void checkpoint(uint32_t version, uint64_t salt) {
        struct bench_page p = { .tier = TIER_RAW, .version = version, .salt = salt, .tick = 5000,
                                .reserved = 7000000 };
        uint8_t page[PAGE_BYTES];

        bench_page_make(store, &p, page);
        assert_int_equal(store_checkpoint(store, page), 0);
}

void check_page(enum history_tier tier, uint64_t seq) {
        uint8_t page[PAGE_BYTES];

        assert_int_equal(store_read(store, tier, seq, page), 0);
        assert_int_equal(bench_page_salt(page), seq);
}

void check_note(const char *part) {
        const char *note = store_next_note(store);

        assert_non_null(note);
        if (!strstr(note, part) || !strstr(note, directory))
                fail_msg("\"%s\" is not in: %s", part, note);
}

void check_error(const char *part) {
        if (!strstr(error, part) || !strstr(error, directory))
                fail_msg("\"%s\" is not in: %s", part, error);
        assert_null(strchr(error, '\n'));
}

void append_with(enum history_tier tier, unsigned slot, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                struct bench_page p = { .tier = tier, .slot = slot, .tick = 1 };

                assert_int_equal(bench_append(store, &p), 0);
        }
}
