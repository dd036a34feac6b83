/* The store by itself: pages, checkpoints, schemas, and what is left of them when some are damaged. */
#include "store_case.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- pages ---- */

static void test_new_file(void **state) {
        struct store_stats stats;
        struct stat st;
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        check_note("created, 2.0 MiB");
        assert_null(store_next_note(store));
        assert_int_equal(stat(file_path(""), &st), 0);
        assert_int_equal(st.st_size, SMALL);
        assert_true((uint64_t) st.st_blocks * 512 >= SMALL);
        assert_false(exists(".new"));
        assert_true(store_is_writable(store));
        assert_false(store_is_dirty(store));
        assert_false(store_recovered(store, page));
        assert_int_equal(store_reserved(store), 0);
        stats = store_stats(store);
        assert_int_equal(stats.bytes_allocated, SMALL);
        assert_int_equal(stats.n_pages[TIER_RAW], 179);
        assert_int_equal(stats.n_pages[TIER_MINUTE], 171);
        assert_int_equal(stats.n_pages[TIER_QUARTER], 48);
        assert_int_equal(stats.used_pages[TIER_RAW], 0);
        assert_true(stats.written_bytes >= SMALL);
        assert_string_equal(stats.error, "");
        reopen(SMALL);
        assert_null(store_next_note(store));
        assert_int_equal(store_reserved(store), STORE_RESERVE);
        assert_int_equal(store_stats(store).written_bytes, 0);
}

static void test_pages_are_kept(void **state) {
        struct page_info info;
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 5);
        append(TIER_QUARTER, 2);
        assert_true(store_is_dirty(store));
        assert_int_equal(store_synced(store, TIER_RAW), 0);
        assert_int_equal(store_start_sync(store), 0);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(store_synced(store, TIER_RAW), 5);
        assert_false(store_is_dirty(store));
        reopen(SMALL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 5);
        assert_int_equal(store_next_seq(store, TIER_MINUTE), 0);
        assert_int_equal(store_next_seq(store, TIER_QUARTER), 2);
        for (unsigned i = 0; i < 5; i++)
                check_page(TIER_RAW, i);
        check_page(TIER_QUARTER, 1);
        assert_int_equal(store_read(store, TIER_RAW, 5, page), -ENOENT);
        info = store_page_info(store, TIER_RAW, 3);
        assert_true(info.valid);
        assert_int_equal(info.t_min, 4000);
        assert_int_equal(info.t_max, 4440);
        assert_int_equal(info.n_values, 440);
        assert_int_equal(info.schema, 0);
        assert_false(store_page_info(store, TIER_RAW, 5).valid);
        assert_int_equal(store_stats(store).values[TIER_RAW], 5 * 440);
        assert_int_equal(store_reserved(store), STORE_RESERVE);
}

static void test_rings_go_round(void **state) {
        uint64_t n;

        (void) state;
        reopen(SMALL);
        n = store_n_pages(store, TIER_RAW);
        append(TIER_RAW, 400);
        append(TIER_QUARTER, 49);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(store_next_seq(store, TIER_RAW), 400);
                assert_int_equal(store_oldest_seq(store, TIER_RAW), 400 - n);
                assert_int_equal(store_oldest_seq(store, TIER_QUARTER), 1);
                assert_int_equal(store_stats(store).used_pages[TIER_RAW], n);
                assert_int_equal(store_stats(store).values[TIER_RAW], n * 440);
                assert_int_equal(store_stats(store).damaged_pages[TIER_RAW], 0);
                assert_false(store_page_info(store, TIER_RAW, 400 - n - 1).valid);
                for (uint64_t seq = 400 - n; seq < 400; seq++)
                        check_page(TIER_RAW, seq);
                reopen(SMALL);
        }
}

static void test_wrong_pages_are_refused(void **state) {
        struct bench_page p = { .tier = TIER_RAW, .tick = 1 };
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        bench_page_make(store, &p, page);
        assert_int_equal(store_checkpoint(store, page), -EINVAL);
        assert_int_equal(store_append(store, page), 0);
        assert_int_equal(store_append(store, page), -EINVAL);
        p.version = 1;
        bench_page_make(store, &p, page);
        assert_int_equal(store_append(store, page), -EINVAL);
        page[100] ^= 1;
        assert_int_equal(store_checkpoint(store, page), -EINVAL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 1);
        assert_true(store_is_writable(store));
}

/* However rarely it is told to. */
static void test_syncs_by_itself(void **state) {
        (void) state;
        disk = cut_disk_new(directory, 1);
        reopen(SMALL);
        append(TIER_RAW, 200);
        assert_true(store_synced(store, TIER_RAW) >= 200 - 44);
        append(TIER_QUARTER, 13);
        assert_true(store_synced(store, TIER_QUARTER) > 0);
        append(TIER_RAW, 1);
        for (unsigned i = 1; i <= 63; i++)
                checkpoint(i, i);
        assert_true(store_synced(store, TIER_RAW) < 201);
        checkpoint(64, 64);
        assert_int_equal(store_synced(store, TIER_RAW), 201);
}

/* ---- checkpoints ---- */

static void test_checkpoint_is_found(void **state) {
        uint8_t page[PAGE_BYTES];
        struct page_header header;

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 3);
        for (unsigned i = 1; i <= 100; i++)
                checkpoint(i, 500 + i);
        reopen(SMALL);
        assert_true(store_recovered(store, page));
        assert_true(page_read_header(page, &header));
        assert_int_equal(header.seq, 3);
        assert_int_equal(header.version, 100);
        assert_int_equal(bench_page_salt(page), 600);
        assert_int_equal(store_reserved(store), 7000000);
        checkpoint(101, 601);
        reopen(SMALL);
        assert_true(store_recovered(store, page));
        assert_int_equal(bench_page_salt(page), 601);
        append(TIER_RAW, 1);
        reopen(SMALL);
        assert_false(store_recovered(store, page));
        assert_int_equal(store_reserved(store), 7000000);
}

static void test_damaged_checkpoint(void **state) {
        struct superblock sb = layout(SMALL);
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        checkpoint(1, 11);
        checkpoint(2, 12);
        store = store_free(store);
        damage(sb.scratch.first + 1, 2000);
        reopen(SMALL);
        assert_true(store_recovered(store, page));
        assert_int_equal(bench_page_salt(page), 11);
}

/* ---- damage ---- */

static void test_damaged_pages_are_left_out(void **state) {
        struct superblock sb = layout(SMALL);
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 150);
        assert_int_equal(store_sync(store), 0);
        append(TIER_RAW, 20);
        damage(sb.rings[TIER_RAW].first + 60, 4000);
        assert_int_equal(store_read(store, TIER_RAW, 60, page), -EBADMSG);
        store = store_free(store);
        damage(sb.rings[TIER_RAW].first + 100, 9);
        reopen(SMALL);
        check_note("2 of 170 pages of the raw ring are damaged");
        assert_int_equal(store_stats(store).damaged_pages[TIER_RAW], 2);
        assert_int_equal(store_next_seq(store, TIER_RAW), 170);
        assert_int_equal(store_read(store, TIER_RAW, 60, page), -ENOENT);
        check_page(TIER_RAW, 61);
        check_page(TIER_RAW, 169);
        append(TIER_RAW, 179);
        reopen(SMALL);
        assert_null(store_next_note(store));
}

/* What comes after a missing page that was never known to be safe is cut off, and does not come back. */
static void test_cut_off_pages_stay_away(void **state) {
        struct superblock sb = layout(SMALL);
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 2);
        checkpoint(1, 77);
        append(TIER_RAW, 3);
        checkpoint(1, 88);
        store = store_free(store);
        damage(sb.rings[TIER_RAW].first + 2, 500);
        assert_int_equal(try_open(0, true), 0);
        assert_int_equal(store_next_seq(store, TIER_RAW), 2);
        reopen(SMALL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 2);
        assert_true(store_recovered(store, page));
        assert_int_equal(bench_page_salt(page), 77);
        assert_int_equal(store_reserved(store), 7000000);
        append(TIER_RAW, 1);
        reopen(SMALL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 3);
        append(TIER_RAW, 2);
        reopen(SMALL);
        assert_int_equal(store_next_seq(store, TIER_RAW), 5);
        assert_false(store_recovered(store, page));
}

/* A page of which a power cut left a part, and what the next power cut may make of it: the whole page. */
static void test_torn_pages_stay_away(void **state) {
        struct superblock sb = layout(SMALL);
        uint8_t page[PAGE_BYTES];

        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 2);
        checkpoint(1, 77);
        checkpoint(2, 88);
        append(TIER_RAW, 1);
        for (unsigned i = 0; i < 2; i++) {
                store = store_free(store);
                damage(sb.rings[TIER_RAW].first + 2, 500);
                damage(sb.scratch.first + 1, 500);
                reopen(SMALL);
                assert_int_equal(store_next_seq(store, TIER_RAW), 2);
                assert_true(store_recovered(store, page));
                assert_int_equal(bench_page_salt(page), 77);
        }
}

/* What was cut off was the last to say how far pages were safe and numbers given: it is still known afterwards. */
static void check_safe_pages_are_known(uint64_t size_bytes) {
        reopen(SMALL);
        append(TIER_RAW, 5);
        assert_int_equal(store_sync(store), 0);
        append(TIER_RAW, 2);
        checkpoint(1, 1);
        store = store_free(store);
        damage(layout(SMALL).rings[TIER_RAW].first + 5, 500);
        reopen(size_bytes);
        assert_int_equal(store_next_seq(store, TIER_RAW), 5);
        store = store_free(store);
        damage(layout(size_bytes).rings[TIER_RAW].first + 3, 500);
        reopen(size_bytes);
        assert_int_equal(store_next_seq(store, TIER_RAW), 5);
        assert_int_equal(store_stats(store).damaged_pages[TIER_RAW], 1);
        assert_int_equal(store_reserved(store), 7000000);
        check_page(TIER_RAW, 4);
}

static void test_safe_pages_are_known(void **state) {
        (void) state;
        check_safe_pages_are_known(SMALL);
        store = store_free(store);
        unlink(file_path(""));
        check_safe_pages_are_known(LARGE);
}

static void test_superblock_is_repaired(void **state) {
        (void) state;
        reopen(SMALL);
        append(TIER_RAW, 3);
        for (unsigned i = 0; i < 4; i++) {
                store = store_free(store);
                damage(i % 2, i < 2 ? 0 : 50);
                reopen(SMALL);
                assert_int_equal(store_next_seq(store, TIER_RAW), 3);
                assert_true(store_is_writable(store));
        }
        assert_false(exists(".set-aside-1"));
}

/* ---- schemas ---- */

static void test_schemas(void **state) {
        struct schema schema = bench_schema("main");
        unsigned slots[3];

        (void) state;
        reopen(SMALL);
        for (unsigned i = 0; i < 3; i++) {
                schema.era = i;
                assert_int_equal(store_add_schema(store, &schema, &slots[i]), 0);
                store_hold_schema(store, slots[i], true);
                assert_int_equal(slots[i], i);
        }
        reopen(SMALL);
        for (unsigned i = 0; i < 3; i++) {
                assert_non_null(store_schema(store, i));
                assert_int_equal(store_schema(store, i)->serial, i + 1);
                assert_int_equal(store_schema(store, i)->era, i);
                assert_true(schema_equal(store_schema(store, i), &schema));
        }
        assert_null(store_schema(store, 3));
        assert_null(store_schema(store, STORE_SCHEMAS_MAX));
        assert_int_equal(store_add_schema(store, &schema, &slots[0]), 0);
        assert_int_equal(slots[0], 3);
        assert_int_equal(store_schema(store, 3)->serial, 4);
}

static void test_slots_are_used_again(void **state) {
        unsigned slot, n;

        (void) state;
        reopen(SMALL);
        while (add(&slot) == 0 && slot < 47)
                store_hold_schema(store, slot, slot != 5 && slot != 9);
        /* 5 is in a page of the smallest ring, 9 nowhere, 47 in a checkpoint. */
        append_with(TIER_QUARTER, 5, 1);
        checkpoint(1, 1);
        store_hold_schema(store, 47, true);
        assert_int_equal(add(&slot), 0);
        assert_int_equal(slot, 9);
        store_hold_schema(store, 9, true);
        assert_int_equal(add(&slot), -ENOSPC);
        n = (unsigned) store_n_pages(store, TIER_QUARTER);
        append_with(TIER_QUARTER, 1, n - 1);
        assert_int_equal(add(&slot), -ENOSPC);
        append_with(TIER_QUARTER, 1, 1);
        assert_int_equal(add(&slot), 0);
        assert_int_equal(slot, 5);
        assert_int_equal(store_schema(store, 5)->serial, 50);
        /* Nothing is held after a restart, but pages and the checkpoint refer to 0 and 1. */
        reopen(SMALL);
        assert_int_equal(store_schema(store, 9)->serial, 49);
        for (unsigned i = 0; i < 46; i++) {
                assert_int_equal(add(&slot), 0);
                assert_true(slot != 0 && slot != 1);
                store_hold_schema(store, slot, true);
        }
        assert_int_equal(add(&slot), -ENOSPC);
}

static void test_damaged_schema_is_told(void **state) {
        unsigned slot;

        (void) state;
        reopen(SMALL);
        assert_int_equal(add(&slot), 0);
        append(TIER_RAW, 3);
        store = store_free(store);
        damage(2 + slot, 20);
        reopen(SMALL);
        check_note("1 description of a meter is damaged");
        assert_null(store_schema(store, slot));
        assert_int_equal(add(&slot), 0);
        assert_int_equal(slot, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_new_file),
                TEST(test_pages_are_kept),
                TEST(test_rings_go_round),
                TEST(test_wrong_pages_are_refused),
                TEST(test_syncs_by_itself),
                TEST(test_checkpoint_is_found),
                TEST(test_damaged_checkpoint),
                TEST(test_damaged_pages_are_left_out),
                TEST(test_cut_off_pages_stay_away),
                TEST(test_torn_pages_stay_away),
                TEST(test_safe_pages_are_known),
                TEST(test_superblock_is_repaired),
                TEST(test_schemas),
                TEST(test_slots_are_used_again),
                TEST(test_damaged_schema_is_told),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
