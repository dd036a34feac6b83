#include "base/crc32c.h"

#include <stdbool.h>

#include "base/little_endian.h"

/* Most processors have an instruction for exactly this checksum; it takes a quarter of the tables' time. */
#if defined(__x86_64__)
#include <nmmintrin.h>
#define HAS_INSTRUCTION 1
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define TAKE_8(crc, v) ((uint32_t) _mm_crc32_u64(crc, v))
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define HAS_INSTRUCTION 1
#define WITH_INSTRUCTION __attribute__((target("+crc")))
#define TAKE_8(crc, v) __crc32cd(crc, v)
#else
#define HAS_INSTRUCTION 0
#endif

#define POLYNOMIAL 0x82f63b78u  /* 0x1edc6f41 with its bits reversed */

/* tables[k][b]: what byte b does to the checksum when k more bytes follow it. With eight of them eight bytes are
 * taken at a time. Made at the first use: 8 KiB of numbers are nothing to read. */
static uint32_t tables[8][256];

static void make_tables(void) {
        for (uint32_t b = 0; b < 256; b++) {
                uint32_t crc = b;

                for (int bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
                tables[0][b] = crc;
        }
        for (int k = 1; k < 8; k++)
                for (int b = 0; b < 256; b++)
                        tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
}

static uint32_t take_8(uint32_t crc, uint64_t v) {
        v ^= crc;
        return tables[7][v & 0xff] ^ tables[6][v >> 8 & 0xff] ^ tables[5][v >> 16 & 0xff] ^
               tables[4][v >> 24 & 0xff] ^ tables[3][v >> 32 & 0xff] ^ tables[2][v >> 40 & 0xff] ^
               tables[1][v >> 48 & 0xff] ^ tables[0][v >> 56];
}

#if HAS_INSTRUCTION
static bool has_instruction(void) {
#if defined(__x86_64__)
        return __builtin_cpu_supports("sse4.2");
#else
        return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
}

WITH_INSTRUCTION static uint32_t take_by_instruction(uint32_t crc, const uint8_t *data, size_t len) {
        for (; len >= 8; data += 8, len -= 8)
                crc = TAKE_8(crc, get_le64(data));
        return crc;
}
#endif

uint32_t crc32c(const uint8_t *data, size_t len) {
        size_t eights = len / 8 * 8, i = 0;
        uint32_t crc = UINT32_MAX;

        if (tables[0][1] == 0)
                make_tables();
#if HAS_INSTRUCTION
        if (has_instruction()) {
                crc = take_by_instruction(crc, data, eights);
                i = eights;
        }
#endif
        for (; i < eights; i += 8)
                crc = take_8(crc, get_le64(data + i));
        for (; i < len; i++)
                crc = crc >> 8 ^ tables[0][(crc ^ data[i]) & 0xff];
        return ~crc;
}
