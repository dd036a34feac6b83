/* A test case of the events: their folder, the disk below it, and the events that are open; and what can be done with
 * them in one line. Everything here fails the test when it does not work. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "cut_disk.h"
#include "history/event_record.h"
#include "history/events.h"
#include "store_bench.h"

#define FILE_BYTES (8192 + EVENTS_MAX * EVENT_RECORD_BYTES)
#define SECOND 1000u
#define STEP (61 * SECOND)      /* so far apart none is a repeat */

extern char directory[BENCH_DIRECTORY_MAX];
extern struct cut_disk *disk;       /* NULL: the system's */
extern struct events *events;       /* NULL: none are open */
extern uint64_t now_ms;

int set_up(void **state);
int tear_down(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Closes the events if they are open. Afterwards there may be an error or a note;
 * open_well checks that there is none. */
void reopen(void);
void open_well(void);

/* The file of the events, or one whose name begins with its name. */
const char *file_path(const char *suffix);
bool exists(const char *suffix);
void write_file(const char *data, size_t len);
/* Overwrites what is there. */
void poke(off_t offset, const void *data, size_t len);

struct event make(enum event_kind kind, const char *meter, const char *series, int64_t value);
void put_at(uint64_t boot_ms, enum event_kind kind, const char *meter, const char *series, int64_t value);
/* One that stands alone. */
void put(int64_t value);

/* All that are kept have these values, in this order, their numbers ascending. */
void assert_values(const int64_t *values, unsigned n);
#define VALUES(...) ((const int64_t[]) { __VA_ARGS__ })
#define ASSERT_VALUES(...) assert_values(VALUES(__VA_ARGS__), ELEMENTS(VALUES(__VA_ARGS__)))

/* How many are kept, and how many events they stand for. */
unsigned count(uint64_t *ret_all);
