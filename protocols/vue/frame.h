/* Frames and requests of the radio module in an Emporia Vue Utility Connect. A request is '$', a letter and CR; a
 * frame is '$', 01, a letter, an 8-bit length, the payload and CR. There is no checksum. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocols/bytes.h"

enum {
        VUE_HEADER_SIZE = 4,
        VUE_FRAME_OVERHEAD = VUE_HEADER_SIZE + 1,
        VUE_PAYLOAD_MAX = 255,
        VUE_REQUEST_SIZE = 3,
};

/* Letters of requests and of their answers. */
enum vue_type {
        VUE_FIRMWARE = 'f',
        VUE_MAC = 'm',
        VUE_INSTALL_CODE = 'i',
        VUE_JOIN = 'j',
        VUE_READ = 'r',
        VUE_NOTICE = 'e',  /* never asked for */
};

/* Payload sizes of the messages that have one size only. */
enum {
        VUE_MAC_SIZE = 8,
        VUE_INSTALL_CODE_SIZE = 8,
};

struct vue_frame {
        uint8_t type;         /* any byte */
        struct span payload;  /* points into the buffer that was parsed */
};

/* frame_check_fn, see framer.h. -EBADMSG: the byte where CR belongs is another one. */
ssize_t vue_frame_check(const uint8_t *buf, size_t len);

/* The same for a request. */
ssize_t vue_request_check(const uint8_t *buf, size_t len);

/* Takes apart a frame that vue_frame_check has accepted. */
struct vue_frame vue_frame_of(const uint8_t *frame, size_t len);

/* Writes a request: VUE_REQUEST_SIZE bytes, which it returns. */
size_t vue_request_write(uint8_t *out, char letter);
