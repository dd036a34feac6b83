/* Any bytes on the wire, in any pieces: every byte is accounted for, and the session survives what comes out. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/framer.h"
#include "protocols/tuyamcu/session.h"
#include "protocols/tuyamcu/tuyamcu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct framer *f, struct session *s, const uint8_t *data, size_t len, uint64_t now_ms) {
        struct session_output out;
        const uint8_t *frame;
        size_t n;

        while (len > 0) {
                n = framer_push(f, data, len);
                assert(n > 0);
                data += n;
                len -= n;
                while ((n = framer_next(f, &frame)) > 0)
                        tuyamcu_protocol.frame(s, now_ms, frame, n);
        }
        tuyamcu_protocol.poll(s, now_ms, framer_pending(f) > 0, &out);
        assert(out.tx_len == 0 || tuya_frame_check(out.tx, out.tx_len) == (ssize_t) out.tx_len);
        assert(!out.has_report || out.report.count <= READINGS_MAX);
}

/* Each piece is led by its length and by how long it came after the last one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct framer framer, whole;
        struct session_config config = { .poll_ms = 1000, .stale_after_ms = 8000,
                                         .listen_only = size > 0 && data[0] & 1 };
        struct session *s = calloc(1, tuyamcu_protocol.session_size);
        uint64_t now_ms = 1000;

        if (!s)
                return 0;
        framer_init(&framer, tuyamcu_protocol.frame_check);
        framer_init(&whole, tuyamcu_protocol.frame_check);
        tuyamcu_protocol.start(s, &config, now_ms);
        while (size > 2) {
                size_t len = data[0] < size - 2 ? data[0] : size - 2;

                now_ms += 10 * (uint64_t) data[1];
                feed(&framer, s, data + 2, len, now_ms);
                for (size_t at = 0; at < len; at++) {
                        const uint8_t *frame;

                        framer_push(&whole, data + 2 + at, 1);
                        while (framer_next(&whole, &frame) > 0)
                                ;
                }
                data += 2 + len;
                size -= 2 + len;
        }
        assert(framer.frames == whole.frames && framer.noise_bytes == whole.noise_bytes);
        tuyamcu_protocol.stop(s, "the end");
        free(s);
        return 0;
}
