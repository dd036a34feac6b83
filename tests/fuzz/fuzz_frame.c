/* Any bytes on the wire, in any pieces: every byte is accounted for, and the session survives what comes out. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/framer.h"
#include "protocols/tuyamcu/session.h"
#include "protocols/tuyamcu/tuyamcu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every id has a row: numbers, layouts, directions. */
static const struct profile *any_profile(void) {
        static struct profile *p;

        if (p)
                return p;
        p = calloc(1, sizeof *p + 255 * sizeof p->datapoints[0]);
        if (!p)
                abort();
        p->n_channels = 4;
        p->n_datapoints = 255;
        for (unsigned i = 0; i < 255; i++)
                p->datapoints[i] = (struct profile_datapoint) {
                        .id = (uint8_t) (i + 1), .channel = (uint8_t) (i % 4),
                        .type = i % 3 == 0 ? DATAPOINT_RAW : DATAPOINT_VALUE,
                        .quantity = (uint8_t) (i % 3 == 0 ? Q_NONE : i % (Q_COUNT + 1)),
                        .layout = (uint8_t) (i % 3 == 0 ? i % LAYOUT_COUNT : LAYOUT_NONE),
                        .scale_num = 1 + i, .scale_den = 1 + i % 7,
                        .direction_id = (uint8_t) (i % 5 == 0 ? i : 0), .direction_reverse = 1,
                };
        return p;
}

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
                                         .has_speed = true,
                                         .listen_only = size > 0 && data[0] & 1,
                                         .profile = size > 0 && data[0] & 2 ? any_profile() : NULL };
        struct session *s = calloc(1, tuyamcu_protocol.session_size);
        uint64_t now_ms = 1000;

        if (!s)
                return 0;
        framer_init(&framer, tuyamcu_protocol.frame_check);
        framer_init(&whole, tuyamcu_protocol.frame_check);
        s->clock = (struct session_clock) { .known = size > 0 && data[0] & 4,
                                            .utc_minus_now_ms = INT64_C(1795239409400), .zone_offset_s = 3600 };
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
