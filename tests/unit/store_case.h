/* A test case of the store: its folder, the disk below it, and the store that is open; and what can be done with them
 * in one line. Everything here fails the test when it does not work. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cut_disk.h"
#include "history/superblock.h"
#include "store_bench.h"

#define SMALL (2u * 1024 * 1024)
#define LARGE (3u * 1024 * 1024)

extern char directory[BENCH_DIRECTORY_MAX], error[STORE_ERROR_MAX];
extern struct cut_disk *disk;       /* NULL: the system's */
extern struct store *store;         /* NULL: none is open */

int set_up(void **state);
int tear_down(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Closes the store if one is open. try_open may fail, with error. */
int try_open(uint64_t size_bytes, bool read_only);
void reopen(uint64_t size_bytes);

/* The store's file, or one whose name begins with its name. */
const char *file_path(const char *suffix);
bool exists(const char *suffix);
void write_file(const void *data, size_t len);
void damage(uint32_t page, unsigned offset);
struct superblock layout(uint64_t size_bytes);

int add(unsigned *ret_slot);
/* Pages whose salt is their seq, of the schema in slot 0, which is made if need be. */
void append(enum history_tier tier, unsigned n);
void append_with(enum history_tier tier, unsigned slot, unsigned n);
void checkpoint(uint32_t version, uint64_t salt);
void check_page(enum history_tier tier, uint64_t seq);

/* The next note, or the error, is one line that has this part and names the folder. */
void check_note(const char *part);
void check_error(const char *part);
