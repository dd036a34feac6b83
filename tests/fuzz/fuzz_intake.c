/* Any bytes on two lines, on their way into a recording: all come out, each direction in its order, with nothing
 * changed but what is told, and what was held stays within its limits. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture_intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
        uint8_t *in, *out;
        size_t n_in, n_out;
};

struct passage {
        struct side sides[CAPTURE_TX + 1];
        size_t blanked;
        int64_t utc_ms;
};

static void on_bytes(void *userdata, enum capture_direction direction, int64_t utc_ms, const uint8_t *data,
                     size_t len, size_t blanked) {
        struct passage *p = userdata;
        struct side *s = &p->sides[direction];

        assert(len > 0 && s->n_out + len <= s->n_in && utc_ms <= p->utc_ms);
        memcpy(s->out + s->n_out, data, len);
        s->n_out += len;
        p->blanked += blanked;
}

static void check(const struct passage *p, const struct capture_intake *in) {
        size_t changed = 0;

        for (enum capture_direction d = CAPTURE_RX; d <= CAPTURE_TX; d++) {
                const struct side *s = &p->sides[d];

                assert(s->n_in == s->n_out && capture_intake_counts(in, d).bytes == s->n_in);
                for (size_t i = 0; i < s->n_in; i++)
                        changed += s->in[i] != s->out[i];
        }
        /* What looked like one thing first and like another then may be overwritten twice. */
        assert(changed <= p->blanked);
}

/* The bytes themselves tell how they are cut, in which direction pieces go and how much later they come. */
static void feed(struct passage *p, struct capture_intake *in, const uint8_t *data, size_t size) {
        uint64_t now_ms = 1;

        while (size > 0) {
                size_t n = 1 + data[0] % 67;
                enum capture_direction d = data[0] >= 0x40 && data[0] % 5 == 0 ? CAPTURE_TX : CAPTURE_RX;
                struct side *s = &p->sides[d];

                n = n < size ? n : size;
                now_ms += data[n - 1] == 0xff ? 1500 : data[n - 1] % 8;
                p->utc_ms = (int64_t) now_ms;
                memcpy(s->in + s->n_in, data, n);
                s->n_in += n;
                capture_intake_put(in, d, now_ms, p->utc_ms, data, n);
                assert(s->n_in - s->n_out <= CAPTURE_HELD_MAX);
                capture_intake_tick(in, now_ms);
                data += n;
                size -= n;
        }
        capture_intake_end(in, CAPTURE_RX);
        capture_intake_end(in, CAPTURE_TX);
}

static void pass(const char *protocol, const uint8_t *data, size_t size) {
        uint8_t *room = malloc(4 * size + 1);
        struct passage p = { 0 };
        const struct capture_intake_callbacks callbacks = { on_bytes, &p };
        struct capture_intake *in;

        if (!room)
                abort();
        for (enum capture_direction d = CAPTURE_RX; d <= CAPTURE_TX; d++) {
                p.sides[d].in = room + 2 * size * (d - CAPTURE_RX);
                p.sides[d].out = p.sides[d].in + size;
        }
        if (capture_intake_new(protocol_find(protocol), false, &callbacks, &in) < 0)
                abort();
        if (size % 2 == 0)
                capture_intake_begin(in, CAPTURE_RX, 0);
        feed(&p, in, data, size);
        check(&p, in);
        capture_intake_free(in);
        free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        pass("vue", data, size);
        pass("tuyamcu", data, size);
        return 0;
}
