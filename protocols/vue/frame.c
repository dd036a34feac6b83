#include "protocols/vue/frame.h"

#include <errno.h>

/*  0    1    2     3         4 ..        4+L
 *  '$'  01   type  length L  payload ..  CR   */

enum {
        START = '$',
        RESPONSE = 0x01,  /* a '$' with anything else behind it is text, such as an echoed request */
        END = '\r',
};

ssize_t vue_frame_check(const uint8_t *buf, size_t len) {
        size_t total;

        if (len == 0)
                return 0;
        if (buf[0] != START || (len > 1 && buf[1] != RESPONSE))
                return -EPROTO;
        if (len < VUE_HEADER_SIZE)
                return 0;
        total = VUE_FRAME_OVERHEAD + (size_t) buf[3];
        if (len < total)
                return 0;
        if (buf[total - 1] != END)
                return -EBADMSG;
        return (ssize_t) total;
}

ssize_t vue_request_check(const uint8_t *buf, size_t len) {
        if (len == 0)
                return 0;
        if (buf[0] != START || (len > 1 && (buf[1] < 'a' || buf[1] > 'z')) || (len > 2 && buf[2] != END))
                return -EPROTO;
        return len < VUE_REQUEST_SIZE ? 0 : VUE_REQUEST_SIZE;
}

struct vue_frame vue_frame_of(const uint8_t *frame, size_t len) {
        return (struct vue_frame) {
                .type = frame[2],
                .payload = span_of(frame + VUE_HEADER_SIZE, len - VUE_FRAME_OVERHEAD),
        };
}

size_t vue_request_write(uint8_t *out, char letter) {
        out[0] = START;
        out[1] = (uint8_t) letter;
        out[2] = END;
        return VUE_REQUEST_SIZE;
}
