/* Superblocks and schemas as they may be found in a file: the first byte says what the page is to be taken for, and
 * whether its checksum is made right first. What is taken for good says the same when written again. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "history/page.h"
#include "history/schema.h"
#include "history/store.h"
#include "history/superblock.h"

#define SUPERBLOCK_CRC (PAGE_BYTES - 4)
#define SCHEMA_CRC 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_regions(const struct superblock *sb) {
        uint32_t next = sb->scratch.first + sb->scratch.count;

        assert(sb->schemas.first == SUPERBLOCK_COPIES && sb->schemas.count <= STORE_SCHEMAS_MAX);
        assert(sb->scratch.first == sb->schemas.first + sb->schemas.count && sb->scratch.count <= STORE_SCRATCH);
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                assert(sb->rings[t].first == next && sb->rings[t].count > 0);
                next += sb->rings[t].count;
        }
        assert(next == superblock_pages(sb) && next <= SUPERBLOCK_PAGES_MAX);
}

static void try_superblock(uint8_t *page, bool right) {
        struct superblock sb, again;
        uint8_t written[PAGE_BYTES];

        if (right)
                put_le32(page + SUPERBLOCK_CRC, crc32c(page, SUPERBLOCK_CRC));
        if (superblock_read(page, &sb) != SUPERBLOCK_GOOD)
                return;
        check_regions(&sb);
        superblock_write(&sb, written);
        assert(superblock_read(written, &again) == SUPERBLOCK_GOOD);
        assert(memcmp(&sb, &again, sizeof sb) == 0);
}

static void try_schema(uint8_t *page, bool right) {
        struct schema s, again;
        uint8_t written[PAGE_BYTES];

        if (right)
                put_le32(page + SCHEMA_CRC, crc32c(page + SCHEMA_CRC + 4, PAGE_BYTES - SCHEMA_CRC - 4));
        if (!schema_read(page, &s))
                return;
        assert(s.n_columns <= SCHEMA_COLUMNS_MAX && strlen(s.meter) <= SCHEMA_METER_MAX);
        schema_write(&s, written);
        assert(schema_read(written, &again));
        assert(schema_equal(&s, &again) && s.serial == again.serial);
        assert(s.era == again.era && s.era_start == again.era_start);
        for (unsigned i = 0; i < s.n_columns; i++)
                assert(schema_find(&s, s.columns[i].key) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t page[PAGE_BYTES] = { 0 };

        if (size == 0)
                return 0;
        memcpy(page, data + 1, size - 1 < PAGE_BYTES ? size - 1 : PAGE_BYTES);
        if (data[0] & 1)
                try_superblock(page, data[0] & 2);
        else
                try_schema(page, data[0] & 2);
        return 0;
}
