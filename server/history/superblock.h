/* The first two pages of the file say what is where. Both say the same; they are written one after the other, so that
 * one is always good, and the one with the higher generation counts. Pure. */
#pragma once

#include <stdint.h>

#include "history/tier.h"

#define SUPERBLOCK_COPIES 2
#define SUPERBLOCK_PAGES_MAX (4u * 1024 * 1024)   /* 16 GiB: the index of such a file takes 50 MB */

struct region {
        uint32_t first, count;      /* pages of the file */
};

struct superblock {
        uint8_t uuid[16];
        uint64_t generation;
        struct region schemas, scratch, rings[TIER_COUNT];
        uint64_t synced[TIER_COUNT];    /* when this was written all pages below these were safely on the disk */
        uint64_t reserved;              /* and row numbers below this may have been handed out */
};

enum superblock_verdict {
        SUPERBLOCK_GOOD,
        SUPERBLOCK_FOREIGN,         /* not a file of ours */
        SUPERBLOCK_UNKNOWN,         /* ours, of another version, byte order, page size or unit of time */
        SUPERBLOCK_DAMAGED,
};

/* The regions of a file of so many pages (STORE_MIN_BYTES at least); room for n_schemas at least. */
void superblock_plan(uint32_t n_pages, uint32_t n_schemas, struct superblock *ret);
uint32_t superblock_pages(const struct superblock *sb);

/* To and from a page (PAGE_BYTES). */
void superblock_write(const struct superblock *sb, uint8_t *page);
enum superblock_verdict superblock_read(const uint8_t *page, struct superblock *ret);
