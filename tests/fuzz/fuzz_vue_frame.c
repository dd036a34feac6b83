/* Any bytes from a radio module, fed in three ways: the same frames and the same text come out in the same order, and
 * together they are the bytes that went in. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/framer.h"
#include "protocols/vue/frame.h"
#include "protocols/vue/install_code.h"
#include "protocols/vue/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct passage {
        struct framer framer;
        uint8_t *bytes;      /* text and frames as they came out */
        size_t len, size;
        uint64_t order;      /* of the frames' places and lengths */
        uint64_t finished;   /* frames that came out at the end only */
};

static void append(void *userdata, const uint8_t *bytes, size_t len) {
        struct passage *p = userdata;

        assert(len <= p->size - p->len);
        memcpy(p->bytes + p->len, bytes, len);
        p->len += len;
}

static void read_message(struct vue_frame f) {
        char text[VUE_MAC_TEXT_SIZE];

        if (vue_frame_reject(f) != VUE_OK)
                return;
        if (f.type == VUE_MAC) {
                vue_mac_text(f.payload, text);
                assert(strlen(text) == VUE_MAC_TEXT_SIZE - 1);
        } else if (f.type == VUE_INSTALL_CODE)
                vue_install_code_is_intact(f.payload);
}

static void take_frame(struct passage *p, const uint8_t *frame, size_t len) {
        uint8_t *copy = malloc(len);  /* exact size, so that a read past the end is seen */
        struct vue_frame f;

        if (!copy)
                abort();
        memcpy(copy, frame, len);
        assert(vue_frame_check(copy, len) == (ssize_t) len);
        f = vue_frame_of(copy, len);
        assert(f.payload.len == len - VUE_FRAME_OVERHEAD && f.payload.len == copy[3]);
        read_message(f);
        p->order = (p->order + p->len) * UINT64_C(0x9e3779b97f4a7c15) + len;
        append(p, copy, len);
        free(copy);
}

static void feed(struct passage *p, const uint8_t *data, size_t len) {
        const uint8_t *frame;
        size_t n;

        while (len > 0) {
                n = framer_push(&p->framer, data, len);
                assert(n > 0);
                data += n;
                len -= n;
                while ((n = framer_next(&p->framer, &frame)) > 0)
                        take_frame(p, frame, n);
        }
}

static void begin(struct passage *p, size_t size) {
        *p = (struct passage) { .bytes = malloc(size > 0 ? size : 1), .size = size };
        if (!p->bytes)
                abort();
        framer_init(&p->framer, vue_frame_check);
        framer_on_text(&p->framer, append, p);
}

static void finish(struct passage *p, const uint8_t *data) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_finish(&p->framer, &frame)) > 0) {
                take_frame(p, frame, n);
                p->finished++;
        }
        assert(p->len + framer_pending(&p->framer) == p->size);
        assert(p->len == 0 || memcmp(p->bytes, data, p->len) == 0);
        assert(p->framer.total_bytes == p->size);
        free(p->bytes);
}

static void assert_same(const struct passage *a, const struct passage *b) {
        assert(a->framer.frames == b->framer.frames && a->order == b->order && a->finished == b->finished);
        assert(a->framer.noise_bytes == b->framer.noise_bytes);
        assert(a->framer.checksum_errors == b->framer.checksum_errors);
        assert(framer_pending(&a->framer) == framer_pending(&b->framer));
}

/* The bytes themselves tell how the pieces are cut. */
static void feed_pieces(struct passage *p, const uint8_t *data, size_t size) {
        while (size > 0) {
                size_t n = 1 + data[0] % 67;

                n = n < size ? n : size;
                feed(p, data, n);
                data += n;
                size -= n;
        }
}

static bool is_request(const uint8_t *frame, size_t len) {
        return len == VUE_REQUEST_SIZE && frame[0] == '$' && frame[1] >= 'a' && frame[1] <= 'z' && frame[2] == '\r';
}

/* What a host sends, or what arrives where it should; with_answers: or the module's answers. */
static void find_requests(const uint8_t *data, size_t size, bool with_answers) {
        static struct framer f;
        size_t in_frames = 0;
        const uint8_t *frame;
        size_t n;

        framer_init(&f, with_answers ? vue_frame_check : vue_request_check);
        if (with_answers)
                framer_add_check(&f, vue_request_check);
        while (size > 0) {
                n = framer_push(&f, data, size);
                data += n;
                size -= n;
                while ((n = framer_next(&f, &frame)) > 0) {
                        assert(is_request(frame, n) || (with_answers && vue_frame_check(frame, n) == (ssize_t) n));
                        in_frames += n;
                }
        }
        assert(in_frames + f.noise_bytes + framer_pending(&f) == f.total_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct passage whole, bytes, pieces;

        find_requests(data, size, false);
        find_requests(data, size, true);
        begin(&whole, size);
        feed(&whole, data, size);
        finish(&whole, data);
        begin(&bytes, size);
        for (size_t i = 0; i < size; i++)
                feed(&bytes, data + i, 1);
        finish(&bytes, data);
        begin(&pieces, size);
        feed_pieces(&pieces, data, size);
        finish(&pieces, data);
        assert_same(&whole, &bytes);
        assert_same(&whole, &pieces);
        return 0;
}
