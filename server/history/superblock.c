/* Little-endian:
 *
 *    0 magic 89 'M' 'H' 'S' 0D 0A 1A 0A: no text file, and a transfer that changed line ends is noticed
 *    8 u16 major  10 u16 minor: a higher minor only adds
 *   12 u32 0x01020304: byte order      16 u32 page size      20 u32 tick in ms
 *   24 uuid, 16 bytes                  40 u64 generation
 *   48 { u32 first page, u32 pages } of schemas, scratch, the three rings
 *   88 u64 synced[3]                  112 u64 reserved
 * 4092 u32 CRC32C of all before
 */
#include "history/superblock.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "history/page.h"
#include "history/store.h"

#define MAJOR 1
#define MINOR 0
#define BYTE_ORDER_MARK 0x01020304u
#define RING_PAGES_MIN 8
#define SMALL_FILE_PAGES (16u * 1024 * 1024 / PAGE_BYTES)   /* below this schemas take too large a part */
#define SMALL_FILE_SCHEMAS 48
#define NUMBER_MAX (UINT64_C(1) << 56)                      /* more can only be damage; sums cannot overflow */

enum { AT_MAJOR = 8, AT_MINOR = 10, AT_ORDER = 12, AT_PAGE_BYTES = 16, AT_TICK = 20, AT_UUID = 24, AT_GENERATION = 40,
       AT_SCHEMAS = 48, AT_SCRATCH = 56, AT_RINGS = 64, AT_SYNCED = 88, AT_RESERVED = 112, AT_CRC = PAGE_BYTES - 4 };

static const uint8_t magic[8] = { 0x89, 'M', 'H', 'S', '\r', '\n', 0x1a, '\n' };

void superblock_plan(uint32_t n_pages, uint32_t n_schemas, struct superblock *ret) {
        uint32_t usual = n_pages < SMALL_FILE_PAGES ? SMALL_FILE_SCHEMAS : STORE_SCHEMAS_MAX, left;

        ret->schemas = (struct region) { .first = SUPERBLOCK_COPIES, .count = n_schemas > usual ? n_schemas : usual };
        ret->scratch = (struct region) { .first = ret->schemas.first + ret->schemas.count, .count = STORE_SCRATCH };
        ret->rings[TIER_RAW].first = ret->scratch.first + ret->scratch.count;
        left = n_pages - ret->rings[TIER_RAW].first;
        ret->rings[TIER_RAW].count = (uint32_t) ((uint64_t) left * 45 / 100);
        ret->rings[TIER_MINUTE].first = ret->rings[TIER_RAW].first + ret->rings[TIER_RAW].count;
        ret->rings[TIER_MINUTE].count = (uint32_t) ((uint64_t) left * 43 / 100);
        ret->rings[TIER_QUARTER].first = ret->rings[TIER_MINUTE].first + ret->rings[TIER_MINUTE].count;
        ret->rings[TIER_QUARTER].count = n_pages - ret->rings[TIER_QUARTER].first;
}

uint32_t superblock_pages(const struct superblock *sb) {
        return sb->rings[TIER_COUNT - 1].first + sb->rings[TIER_COUNT - 1].count;
}

static void put_region(uint8_t *p, const struct region *r) {
        put_le32(p, r->first);
        put_le32(p + 4, r->count);
}

void superblock_write(const struct superblock *sb, uint8_t *page) {
        memset(page, 0, PAGE_BYTES);
        memcpy(page, magic, sizeof magic);
        put_le16(page + AT_MAJOR, MAJOR);
        put_le16(page + AT_MINOR, MINOR);
        put_le32(page + AT_ORDER, BYTE_ORDER_MARK);
        put_le32(page + AT_PAGE_BYTES, PAGE_BYTES);
        put_le32(page + AT_TICK, TICK_MS);
        memcpy(page + AT_UUID, sb->uuid, sizeof sb->uuid);
        put_le64(page + AT_GENERATION, sb->generation);
        put_region(page + AT_SCHEMAS, &sb->schemas);
        put_region(page + AT_SCRATCH, &sb->scratch);
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                put_region(page + AT_RINGS + 8 * t, &sb->rings[t]);
                put_le64(page + AT_SYNCED + 8 * t, sb->synced[t]);
        }
        put_le64(page + AT_RESERVED, sb->reserved);
        put_le32(page + AT_CRC, crc32c(page, AT_CRC));
}

/* Takes the region if it follows the one before, which ended at *next. */
static bool take_region(const uint8_t *p, uint32_t min, uint32_t max, uint32_t *next, struct region *ret) {
        *ret = (struct region) { .first = get_le32(p), .count = get_le32(p + 4) };
        if (ret->first != *next || ret->count < min || ret->count > max)
                return false;
        *next += ret->count;
        return *next <= SUPERBLOCK_PAGES_MAX;
}

static bool read_numbers(const uint8_t *page, struct superblock *sb) {
        bool good = true;

        sb->generation = get_le64(page + AT_GENERATION);
        sb->reserved = get_le64(page + AT_RESERVED);
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                sb->synced[t] = get_le64(page + AT_SYNCED + 8 * t);
                good = good && sb->synced[t] < NUMBER_MAX;
        }
        return good && sb->generation < NUMBER_MAX && sb->reserved < NUMBER_MAX;
}

static bool read_regions(const uint8_t *page, struct superblock *sb) {
        uint32_t next = SUPERBLOCK_COPIES;

        if (!take_region(page + AT_SCHEMAS, 1, STORE_SCHEMAS_MAX, &next, &sb->schemas) ||
            !take_region(page + AT_SCRATCH, 2, STORE_SCRATCH, &next, &sb->scratch))
                return false;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                if (!take_region(page + AT_RINGS + 8 * t, RING_PAGES_MIN, SUPERBLOCK_PAGES_MAX, &next, &sb->rings[t]))
                        return false;
        return true;
}

enum superblock_verdict superblock_read(const uint8_t *page, struct superblock *ret) {
        struct superblock sb = { .generation = 0 };

        if (memcmp(page, magic, sizeof magic) != 0)
                return SUPERBLOCK_FOREIGN;
        if (get_le16(page + AT_MAJOR) != MAJOR || get_le32(page + AT_ORDER) != BYTE_ORDER_MARK)
                return SUPERBLOCK_UNKNOWN;
        if (get_le32(page + AT_CRC) != crc32c(page, AT_CRC))
                return SUPERBLOCK_DAMAGED;
        if (get_le32(page + AT_PAGE_BYTES) != PAGE_BYTES || get_le32(page + AT_TICK) != TICK_MS)
                return SUPERBLOCK_UNKNOWN;
        memcpy(sb.uuid, page + AT_UUID, sizeof sb.uuid);
        if (!read_numbers(page, &sb) || !read_regions(page, &sb))
                return SUPERBLOCK_UNKNOWN;
        *ret = sb;
        return SUPERBLOCK_GOOD;
}
