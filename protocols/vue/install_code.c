#include "protocols/vue/install_code.h"

#include "protocols/vue/frame.h"

enum { CODE_SIZE = VUE_INSTALL_CODE_SIZE - 2 };

/* CRC-16/X-25: polynomial 1021 mirrored, begun and ended with all ones. */
static uint16_t crc16(const uint8_t *data, size_t len) {
        uint16_t crc = 0xffff;

        for (size_t i = 0; i < len; i++) {
                crc ^= data[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = (uint16_t) (crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1);
        }
        return crc ^ 0xffff;
}

bool vue_install_code_is_intact(struct span code) {
        return code.len == VUE_INSTALL_CODE_SIZE &&
               crc16(code.data, CODE_SIZE) == (code.data[CODE_SIZE] | code.data[CODE_SIZE + 1] << 8);
}
