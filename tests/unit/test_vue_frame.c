/* Frames of an Emporia Vue Utility Connect: only the length byte tells where one ends, and a module's console talks
 * between them. */
#include "protocols/vue/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/framer.h"
#include "protocols/vue/install_code.h"
#include "protocols/vue/reading.h"

/* "Worked example" of the protocol notes of nekorevend/esphome-emporia-vue-utility, docs/yaml.md. */
static const uint8_t reading[] = {
        0x24, 0x01, 0x72, 0x2c, 0x18, 0x91, 0x01, 0x00, 0x00, 0x00, 0x25, 0x80, 0x66, 0x59, 0x00, 0x00, 0x00,
        0x01, 0x00, 0x00, 0x25, 0x78, 0xf4, 0x78, 0x00, 0x00, 0x00, 0x01, 0x03, 0x00, 0x22, 0x01, 0x00, 0x00,
        0x02, 0x03, 0x00, 0x22, 0xe8, 0x03, 0x00, 0x00, 0x04, 0x00, 0x2a, 0x8d, 0x03, 0x00, 0x0d,
};
/* The join answer 0 of the same project's issue 4. */
static const uint8_t join[] = { 0x24, 0x01, 0x6a, 0x01, 0x00, 0x0d };

struct heard {
        size_t len;
        uint8_t bytes[512];
};

static void hear(void *userdata, const uint8_t *bytes, size_t len) {
        struct heard *h = userdata;

        assert_true(h->len + len <= sizeof h->bytes);
        memcpy(h->bytes + h->len, bytes, len);
        h->len += len;
}

static void push(struct framer *f, const void *data, size_t len) {
        assert_int_equal(framer_push(f, data, len), len);
}

static void assert_next(struct framer *f, const uint8_t *expected, size_t len) {
        const uint8_t *frame;

        assert_int_equal(framer_next(f, &frame), len);
        assert_memory_equal(frame, expected, len);
}

static void assert_nothing(struct framer *f) {
        const uint8_t *frame;

        assert_int_equal(framer_next(f, &frame), 0);
}

/* A block that ends with the last byte, so that a read past it is seen. */
static uint8_t *at_end(const uint8_t *bytes, size_t len) {
        uint8_t *block = malloc(len > 0 ? len : 1);

        assert_non_null(block);
        memcpy(block, bytes, len);
        return block;
}

static void test_every_prefix_needs_more(void **state) {
        (void) state;
        for (size_t n = 0; n <= sizeof reading; n++) {
                uint8_t *block = at_end(reading, n);

                assert_int_equal(vue_frame_check(block, n), n == sizeof reading ? n : 0);
                free(block);
        }
}

/* Without a checksum only header, length and end can be wrong; anything else passes here. */
static void test_flipped_bytes(void **state) {
        (void) state;
        for (size_t i = 0; i < sizeof reading; i++)
                for (unsigned mask = 1; mask < 256; mask++) {
                        uint8_t *block = at_end(reading, sizeof reading);
                        ssize_t r;

                        block[i] ^= (uint8_t) mask;
                        r = vue_frame_check(block, sizeof reading);
                        if (i < 2)
                                assert_int_equal(r, -EPROTO);
                        else if (i == 3)
                                assert_int_equal(r, block[i] > reading[i] ? 0 : block[block[i] + 4] == 0x0d ?
                                                 block[i] + 5 : -EBADMSG);
                        else if (i == sizeof reading - 1)
                                assert_int_equal(r, -EBADMSG);
                        else
                                assert_int_equal(r, sizeof reading);
                        free(block);
                }
}

static void test_every_length(void **state) {
        uint8_t buf[VUE_FRAME_OVERHEAD + VUE_PAYLOAD_MAX];

        (void) state;
        memset(buf, 0x0d, sizeof buf);  /* CR everywhere: none of them ends it */
        memcpy(buf, "\x24\x01q", 3);
        for (unsigned len = 0; len <= VUE_PAYLOAD_MAX; len++) {
                size_t total = VUE_FRAME_OVERHEAD + len;
                struct vue_frame f;

                buf[3] = (uint8_t) len;
                assert_int_equal(vue_frame_check(buf, total - 1), 0);
                assert_int_equal(vue_frame_check(buf, total), total);
                f = vue_frame_of(buf, total);
                assert_int_equal(f.type, 'q');
                assert_int_equal(f.payload.len, len);
                assert_ptr_equal(f.payload.data, buf + VUE_HEADER_SIZE);
        }
}

/* A sequence number of 24 was captured and broke an early parser; a whole header can follow it. */
static void test_payload_looks_like_a_frame(void **state) {
        uint8_t bytes[sizeof reading];
        struct framer f;

        (void) state;
        memcpy(bytes, reading, sizeof bytes);
        memcpy(bytes + 11, join, sizeof join);  /* in the place of the delivered total */
        framer_init(&f, vue_frame_check);
        push(&f, bytes, sizeof bytes);
        assert_next(&f, bytes, sizeof bytes);
        assert_nothing(&f);
        assert_int_equal(f.noise_bytes, 0);
}

static void test_console_text_is_heard(void **state) {
        static const char before[] = "SeIhd>\r\n-- Got Meter Rsp, len=44, 145 = 145?\r\n", between[] = "$m\r$$SeIhd>";
        struct heard heard = { 0 };
        struct framer f;

        (void) state;
        framer_init(&f, vue_frame_check);
        framer_on_text(&f, hear, &heard);
        push(&f, before, sizeof before - 1);
        push(&f, reading, sizeof reading);
        push(&f, between, sizeof between - 1);
        push(&f, join, sizeof join);
        assert_next(&f, reading, sizeof reading);
        assert_next(&f, join, sizeof join);
        assert_nothing(&f);
        assert_int_equal(heard.len, sizeof before - 1 + sizeof between - 1);
        assert_memory_equal(heard.bytes, before, sizeof before - 1);
        assert_memory_equal(heard.bytes + sizeof before - 1, between, sizeof between - 1);
}

/* A byte is lost, and its frame ends inside the next one, which must not be lost with it. */
static void test_frame_behind_a_short_one(void **state) {
        struct framer f;

        (void) state;
        for (size_t lost = 4; lost < sizeof reading - 1; lost++) {
                framer_init(&f, vue_frame_check);
                push(&f, reading, lost);
                push(&f, reading + lost + 1, sizeof reading - lost - 1);
                push(&f, reading, sizeof reading);
                assert_next(&f, reading, sizeof reading);
                assert_nothing(&f);
                assert_int_equal(f.checksum_errors, 1);
                assert_int_equal(f.noise_bytes, sizeof reading - 1);
        }
}

static void test_false_header_gives_way(void **state) {
        static const uint8_t header[] = { 0x24, 0x01, 0x72, 0xff };
        const uint8_t *frame;
        struct framer f;

        (void) state;
        framer_init(&f, vue_frame_check);
        push(&f, header, sizeof header);
        push(&f, join, sizeof join);
        assert_nothing(&f);
        framer_timeout(&f);
        assert_next(&f, join, sizeof join);
        assert_int_equal(f.noise_bytes, sizeof header);

        framer_init(&f, vue_frame_check);
        push(&f, header, sizeof header);
        push(&f, join, sizeof join);
        assert_int_equal(framer_finish(&f, &frame), sizeof join);
        assert_int_equal(framer_finish(&f, &frame), 0);
        assert_int_equal(framer_pending(&f), 0);

        framer_init(&f, vue_frame_check);
        push(&f, reading, sizeof reading - 1);
        assert_int_equal(framer_finish(&f, &frame), 0);
        assert_int_equal(framer_pending(&f), sizeof reading - 1);
        assert_int_equal(f.noise_bytes, 0);
}

static void test_requests(void **state) {
        uint8_t buf[4] = { 0, 0, 0, 0xee };

        (void) state;
        assert_int_equal(vue_request_write(buf, VUE_READ), 3);
        assert_memory_equal(buf, "\x24\x72\x0d\xee", 4);
        assert_int_equal(vue_frame_check(buf, 3), -EPROTO);  /* its echo is no frame */
        vue_request_write(buf, VUE_INSTALL_CODE);
        assert_memory_equal(buf, "\x24\x69\x0d", 3);
}

static void test_fixed_lengths(void **state) {
        static const struct { char type; size_t len; } messages[] = {
                { VUE_FIRMWARE, 1 }, { VUE_MAC, 8 }, { VUE_INSTALL_CODE, 8 }, { VUE_JOIN, 1 }, { VUE_NOTICE, 1 },
        };
        static const uint8_t zeros[16];

        (void) state;
        for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
                for (size_t len = 0; len <= sizeof zeros; len++) {
                        struct vue_frame f = { (uint8_t) messages[i].type, span_of(zeros, len) };

                        assert_int_equal(vue_frame_reject(f), len == messages[i].len ? VUE_OK : VUE_BAD_LENGTH);
                }
        for (unsigned type = 0; type < 256; type++)
                if (type == 0 || !strchr("fmijer", (int) type))
                        assert_int_equal(vue_frame_reject((struct vue_frame) { (uint8_t) type, span_of(zeros, 1) }),
                                         VUE_UNKNOWN_TYPE);
        for (size_t len = 0; len <= sizeof zeros; len++)
                assert_int_equal(vue_frame_reject((struct vue_frame) { VUE_READ, span_of(zeros, len) }), VUE_OK);
}

/* The pattern that the published documents use; the wire has the last byte first. */
static void test_mac(void **state) {
        static const uint8_t mac[] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
        char text[VUE_MAC_TEXT_SIZE];

        (void) state;
        vue_mac_text(span_of(mac, sizeof mac), text);
        assert_string_equal(text, "88:77:66:55:44:33:22:11");
}

/* An invented code, like the one of the captures. */
static void test_install_code(void **state) {
        uint8_t code[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x5c, 0x3f };
        uint8_t *block;

        (void) state;
        assert_true(vue_install_code_is_intact(span_of(code, 8)));
        for (size_t i = 0; i < 8; i++)
                for (unsigned mask = 1; mask < 256; mask++) {
                        code[i] ^= (uint8_t) mask;
                        assert_false(vue_install_code_is_intact(span_of(code, 8)));
                        code[i] ^= (uint8_t) mask;
                }
        for (size_t len = 0; len < 8; len++) {
                block = at_end(code, len);
                assert_false(vue_install_code_is_intact(span_of(block, len)));
                free(block);
        }
        for (size_t i = 0; i < 4; i++) {  /* the order in which an early document had it */
                uint8_t swapped = code[i];

                code[i] = code[7 - i];
                code[7 - i] = swapped;
        }
        assert_false(vue_install_code_is_intact(span_of(code, 8)));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_prefix_needs_more),
                cmocka_unit_test(test_flipped_bytes),
                cmocka_unit_test(test_every_length),
                cmocka_unit_test(test_payload_looks_like_a_frame),
                cmocka_unit_test(test_console_text_is_heard),
                cmocka_unit_test(test_frame_behind_a_short_one),
                cmocka_unit_test(test_false_header_gives_way),
                cmocka_unit_test(test_requests),
                cmocka_unit_test(test_fixed_lengths),
                cmocka_unit_test(test_mac),
                cmocka_unit_test(test_install_code),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
