/* Positions of remote write as they may be found in a file:
 * what is taken for good says the same when written again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "push/position.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(const uint8_t *data, size_t size) {
        uint8_t again[POSITION_BYTES];
        uint64_t number, same;

        if (!position_read(data, size, &number))
                return;
        position_write(number, again);
        assert(position_read(again, sizeof again, &same) && same == number);
}

/* As it is, and with a checksum that is right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t right[POSITION_BYTES];

        try(data, size);
        if (size != sizeof right)
                return 0;
        memcpy(right, data, sizeof right);
        put_le32(right + sizeof right - 4, crc32c(right, sizeof right - 4));
        try(right, sizeof right);
        return 0;
}
