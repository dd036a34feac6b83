/* What the tests of the store share: a folder, pages to put into the store, opening it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "history/store.h"

#define BENCH_DIRECTORY_MAX 64

/* A new folder below /tmp; removed with everything in it. */
void bench_directory(char ret[BENCH_DIRECTORY_MAX]);
void bench_directory_remove(const char *directory);

/* Opens and steps until it is ready. -errno with the words of the error. */
int bench_open(const struct store_options *options, struct store **ret, char error[STORE_ERROR_MAX]);

struct bench_page {
        enum history_tier tier;
        uint32_t version;           /* 0: for the ring */
        unsigned slot;              /* of the schema of its rows */
        int64_t tick;
        uint64_t reserved;
        uint64_t salt;              /* pages of different salt differ everywhere */
};

/* A page that is nearly full, with the seq that the store expects next. */
void bench_page_make(const struct store *s, const struct bench_page *p, uint8_t *page);
/* Makes it and appends it. */
int bench_append(struct store *s, const struct bench_page *p);
/* The salt of a good page. */
uint64_t bench_page_salt(const uint8_t *page);

/* A schema of one column. */
struct schema bench_schema(const char *meter);
