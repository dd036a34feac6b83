#include "protocols/tuyamcu/frame.h"

#include <errno.h>
#include <string.h>

/*  0    1    2        3        4      5      6 ..        6+N
 *  55   AA   version  command  length N (BE) data ..     sum of all before, modulo 256  */

static uint8_t sum8(const uint8_t *buf, size_t len) {
        uint8_t sum = 0;

        for (size_t i = 0; i < len; i++)
                sum = (uint8_t) (sum + buf[i]);
        return sum;
}

ssize_t tuya_frame_check(const uint8_t *buf, size_t len) {
        size_t data_len, total;

        if (len == 0)
                return 0;
        if (buf[0] != 0x55 || (len > 1 && buf[1] != 0xaa))
                return -EPROTO;
        if (len < TUYA_HEADER_SIZE)
                return 0;
        data_len = get_be16(buf + 4);
        if (data_len > TUYA_DATA_MAX)
                return -EMSGSIZE;
        total = TUYA_FRAME_OVERHEAD + data_len;
        if (len < total)
                return 0;
        if (sum8(buf, total - 1) != buf[total - 1])
                return -EBADMSG;
        return (ssize_t) total;
}

struct tuya_frame tuya_frame_open(const uint8_t *buf, size_t len) {
        return (struct tuya_frame) {
                .version = buf[2],
                .command = buf[3],
                .data = span_of(buf + TUYA_HEADER_SIZE, len - TUYA_FRAME_OVERHEAD),
        };
}

size_t tuya_frame_build(uint8_t *buf, size_t cap, uint8_t version, uint8_t command,
                        const uint8_t *data, size_t data_len) {
        size_t total = TUYA_FRAME_OVERHEAD + data_len;

        if (data_len > TUYA_DATA_MAX || total > cap)
                return 0;
        buf[0] = 0x55;
        buf[1] = 0xaa;
        buf[2] = version;
        buf[3] = command;
        put_be16(buf + 4, (uint16_t) data_len);
        if (data_len > 0)
                memcpy(buf + TUYA_HEADER_SIZE, data, data_len);
        buf[total - 1] = sum8(buf, total - 1);
        return total;
}
