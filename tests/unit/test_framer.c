/* Framing by TuyaMCU's rule: resynchronisation, part-frames, and bytes that are never lost from the count. */
#include "protocols/framer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "from_environment.h"
#include "protocols/tuyamcu/frame.h"

/* dp 18 = 77, from the article that started this project (a PJ-MGW1103's answer to a query). */
static const uint8_t good[] = { 0x55, 0xaa, 0x03, 0x07, 0x00, 0x08, 0x12, 0x02,
                                0x00, 0x04, 0x00, 0x00, 0x00, 0x4d, 0x76 };

static size_t frame_bytes;  /* of all frames that push_all has seen */

static unsigned push_all(struct framer *f, const uint8_t *data, size_t len) {
        const uint8_t *frame;
        unsigned n = 0;
        size_t frame_len;

        while (len > 0) {
                size_t taken = framer_push(f, data, len);

                assert_true(taken > 0);
                data += taken;
                len -= taken;
                while ((frame_len = framer_next(f, &frame)) > 0) {
                        frame_bytes += frame_len;
                        n++;
                }
        }
        return n;
}

static void assert_balance(const struct framer *f, size_t in_frames) {
        assert_int_equal(in_frames + f->noise_bytes + framer_pending(f), f->total_bytes);
}

static void test_every_prefix_needs_more(void **state) {
        long page = sysconf(_SC_PAGESIZE);
        uint8_t *map = mmap(NULL, 2 * (size_t) page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void) state;
        assert_ptr_not_equal(map, MAP_FAILED);
        assert_int_equal(mprotect(map + page, (size_t) page, PROT_NONE), 0);
        for (size_t n = 0; n < sizeof good; n++) {
                uint8_t *at = map + page - n;

                memcpy(at, good, n);
                assert_int_equal(tuya_frame_check(at, n), 0);
        }
        memcpy(map + page - sizeof good, good, sizeof good);
        assert_int_equal(tuya_frame_check(map + page - sizeof good, sizeof good), sizeof good);
        munmap(map, 2 * (size_t) page);
}

static void test_every_flipped_bit_is_refused(void **state) {
        (void) state;
        for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
                uint8_t bad[sizeof good];

                memcpy(bad, good, sizeof good);
                bad[bit / 8] ^= (uint8_t) (1 << bit % 8);
                assert_true(tuya_frame_check(bad, sizeof bad) <= 0);
        }
}

static void test_both_length_bytes_count(void **state) {
        uint8_t data[272] = { 1, 2, 3 }, buf[300];
        size_t n = tuya_frame_build(buf, sizeof buf, 3, TUYA_REPORT, data, sizeof data);
        struct framer f;

        (void) state;
        assert_int_equal(n, 279);
        assert_int_equal(buf[4], 1);
        assert_int_equal(buf[5], 0x10);
        framer_init(&f, tuya_frame_check);
        assert_int_equal(push_all(&f, buf, n), 1);
        assert_int_equal(tuya_frame_open(buf, n).data.len, 272);
}

static void test_oversize_drops_one_byte(void **state) {
        uint8_t bytes[6 + sizeof good] = { 0x55, 0xaa, 0x03, 0x07, 0x04, 0x01 };
        struct framer f;

        (void) state;
        memcpy(bytes + 6, good, sizeof good);
        framer_init(&f, tuya_frame_check);
        assert_int_equal(push_all(&f, bytes, sizeof bytes), 1);
        assert_int_equal(f.oversize, 1);
        assert_int_equal(f.noise_bytes, 6);
        assert_balance(&f, sizeof good);
}

/* A good frame inside the length that a broken one announces must come out. */
static void test_frame_inside_a_false_length(void **state) {
        uint8_t bytes[9 + sizeof good + 4] = { 0x55, 0xaa, 0x03, 0x07, 0x00, 0x10, 0x99, 0x99, 0x99 };
        struct framer f;

        (void) state;
        memcpy(bytes + 9, good, sizeof good);
        framer_init(&f, tuya_frame_check);
        assert_int_equal(push_all(&f, bytes, sizeof bytes), 1);
        assert_int_equal(f.checksum_errors, 1);
        assert_balance(&f, sizeof good);
}

static void test_doubled_start_byte(void **state) {
        uint8_t bytes[1 + sizeof good] = { 0x55 };
        struct framer f;

        (void) state;
        memcpy(bytes + 1, good, sizeof good);
        framer_init(&f, tuya_frame_check);
        assert_int_equal(push_all(&f, bytes, sizeof bytes), 1);
        assert_int_equal(f.noise_bytes, 1);
}

static void test_lone_start_byte_is_kept(void **state) {
        static const uint8_t bytes[] = { 0x00, 0xff, 0x55 };
        struct framer f;

        (void) state;
        framer_init(&f, tuya_frame_check);
        assert_int_equal(push_all(&f, bytes, sizeof bytes), 0);
        assert_int_equal(framer_pending(&f), 1);
        assert_int_equal(push_all(&f, good + 1, sizeof good - 1), 1);
        assert_int_equal(f.noise_bytes, 2);
}

static void test_silence_gives_up_a_part_frame(void **state) {
        uint8_t bytes[8 + 10] = { 0x55, 0xaa, 0x03, 0x07, 0x00, 0x20, 0x55, 0xaa };
        const uint8_t *frame;
        struct framer f;

        (void) state;
        memcpy(bytes + 8, good, 10);
        framer_init(&f, tuya_frame_check);
        assert_int_equal(push_all(&f, bytes, sizeof bytes), 0);
        while (framer_pending(&f) > 0) {
                framer_timeout(&f);
                assert_int_equal(framer_next(&f, &frame), 0);
        }
        assert_int_equal(f.noise_bytes, sizeof bytes);
        assert_true(f.timeouts >= 2);
        assert_int_equal(push_all(&f, good, sizeof good), 1);
}

static void test_end_of_a_recording(void **state) {
        uint8_t bytes[6 + sizeof good + 2] = { 0x55, 0xaa, 0x03, 0x07, 0x02, 0x10 };
        const uint8_t *frame;
        struct framer f;

        (void) state;
        memcpy(bytes + 6, good, sizeof good);
        bytes[6 + sizeof good] = 0x55;
        bytes[6 + sizeof good + 1] = 0xaa;
        framer_init(&f, tuya_frame_check);
        assert_int_equal(push_all(&f, bytes, sizeof bytes), 0);
        assert_int_equal(framer_finish(&f, &frame), sizeof good);
        assert_memory_equal(frame, good, sizeof good);
        assert_int_equal(framer_finish(&f, &frame), 0);
        assert_int_equal(f.noise_bytes, 6);
        assert_int_equal(framer_pending(&f), 2);
        assert_balance(&f, sizeof good);
}

/* Random bytes with good frames between them, whole and in random pieces: the same frames, every byte counted. */
static void test_random_streams(void **state) {
        unsigned seed = (unsigned) test_seed();
        static uint8_t bytes[20000];

        (void) state;
        srand(seed);
        for (unsigned round = 0; round < 50; round++) {
                struct framer whole, pieces;
                size_t len = 0;
                unsigned n_whole, n_pieces = 0;

                while (len < 15000) {
                        for (int noise = rand() % 20; noise > 0; noise--)
                                bytes[len++] = rand() % 3 ? (uint8_t) rand() : (rand() % 2 ? 0x55 : 0xaa);
                        memcpy(bytes + len, good, sizeof good);
                        len += sizeof good;
                }
                framer_init(&whole, tuya_frame_check);
                framer_init(&pieces, tuya_frame_check);
                frame_bytes = 0;
                n_whole = push_all(&whole, bytes, len);
                assert_balance(&whole, frame_bytes);
                for (size_t at = 0, n; at < len; at += n) {
                        n = 1 + (size_t) rand() % 40;
                        n = n < len - at ? n : len - at;
                        n_pieces += push_all(&pieces, bytes + at, n);
                }
                assert_int_equal(n_whole, n_pieces);
                assert_int_equal(whole.noise_bytes, pieces.noise_bytes);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_prefix_needs_more),
                cmocka_unit_test(test_every_flipped_bit_is_refused),
                cmocka_unit_test(test_both_length_bytes_count),
                cmocka_unit_test(test_oversize_drops_one_byte),
                cmocka_unit_test(test_frame_inside_a_false_length),
                cmocka_unit_test(test_doubled_start_byte),
                cmocka_unit_test(test_lone_start_byte_is_kept),
                cmocka_unit_test(test_silence_gives_up_a_part_frame),
                cmocka_unit_test(test_end_of_a_recording),
                cmocka_unit_test(test_random_streams),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
