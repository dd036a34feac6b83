/* Events: what is kept, in which order, under which numbers, and what is a repeat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "events_case.h"

/* ---- records ---- */

static void assert_same(const struct event *a, const struct event *b) {
        assert_int_equal(a->number, b->number);
        assert_int_equal(a->has_time, b->has_time);
        assert_int_equal(a->utc_ms, b->utc_ms);
        assert_int_equal(a->kind, b->kind);
        assert_string_equal(a->meter, b->meter);
        assert_string_equal(a->series, b->series);
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->has_value, b->has_value);
        assert_int_equal(a->has_previous, b->has_previous);
        assert_int_equal(a->value, b->value);
        assert_int_equal(a->previous, b->previous);
        assert_int_equal(a->decimals, b->decimals);
        assert_int_equal(a->frame, b->frame);
        assert_int_equal(a->repeats, b->repeats);
}

static void test_everything_comes_back(void **state) {
        struct event e = make(EVENT_COUNTER_RESET, "main", "l1.energy_import_kwh", INT64_MIN), got;

        (void) state;
        e.has_previous = true;
        e.previous = INT64_MAX;
        e.frame = UINT64_MAX;
        e.decimals = 6;
        memset(e.text, 'x', EVENT_TEXT_MAX);
        memset(e.meter, 'm', EVENT_METER_MAX);
        memset(e.series, 's', EVENT_SERIES_MAX);
        open_well();
        events_put(events, now_ms, &e);
        for (unsigned round = 0; round < 2; round++) {
                assert_true(events_next(events, 0, &got));
                e.number = 1;
                assert_same(&got, &e);
                open_well();
        }
        e = (struct event) { .kind = EVENT_STARTED };
        events_put(events, now_ms, &e);
        open_well();
        assert_true(events_next(events, 1, &got));
        e.number = 2;
        assert_same(&got, &e);
}

static void test_known_bytes(void **state) {
        struct event e = { .has_time = true, .utc_ms = 0x0102030405060708, .kind = EVENT_CLOCK, .meter = "main" };
        uint8_t record[EVENT_RECORD_BYTES];
        static const uint8_t expected[] = { 'M', 'V', 'T', '1', 0x1d, 0x53, 0xa9, 0x56, 5, 0, 0, 0, 0, 0, 0, 0,
                                            8, 7, 6, 5, 4, 3, 2, 1 };
        static const uint8_t expected_48[] = { 7, 0, 0, 0, EVENT_CLOCK, 1, 0, 0, 'm', 'a', 'i', 'n', 0 };

        (void) state;
        event_record_write(&e, record);
        event_record_seal(record, 5, 7);
        assert_memory_equal(record, expected, sizeof expected);
        assert_memory_equal(record + 48, expected_48, sizeof expected_48);
        for (unsigned i = 0; i < sizeof record * 8; i++) {
                record[i / 8] ^= (uint8_t) (1 << i % 8);
                assert_false(event_record_read(record, &e));
                record[i / 8] ^= (uint8_t) (1 << i % 8);
        }
}

static void test_names(void **state) {
        (void) state;
        for (unsigned i = 0; i < EVENT_KINDS; i++)
                assert_non_null(event_kind_names[i]);
}

/* ---- the ring ---- */

static void test_order_and_paging(void **state) {
        struct event e;

        (void) state;
        open_well();
        assert_false(events_next(events, 0, &e));
        assert_int_equal(events_end(events), 1);
        for (int64_t i = 1; i <= 5; i++)
                put(i);
        ASSERT_VALUES(1, 2, 3, 4, 5);
        assert_true(events_next(events, 3, &e));
        assert_int_equal(e.number, 4);
        assert_false(events_next(events, 5, &e));
        assert_false(events_next(events, UINT64_MAX, &e));
        assert_int_equal(events_end(events), 6);
}

static void test_wrap_around(void **state) {
        struct event e;
        uint64_t all;

        (void) state;
        open_well();
        for (int64_t i = 1; i <= EVENTS_MAX + 100; i++)
                put(i);
        for (unsigned round = 0; round < 2; round++) {
                assert_int_equal(count(&all), EVENTS_MAX);
                assert_int_equal(all, EVENTS_MAX);
                assert_true(events_next(events, 0, &e));
                assert_int_equal(e.number, 101);
                assert_int_equal(e.value, 101);
                assert_true(events_next(events, EVENTS_MAX + 99, &e));
                assert_int_equal(e.value, EVENTS_MAX + 100);
                open_well();
        }
}

static void test_numbers_go_on_after_a_clean_end(void **state) {
        (void) state;
        open_well();
        put(1);
        open_well();
        open_well();
        put(2);
        open_well();
        assert_int_equal(events_end(events), 3);
        ASSERT_VALUES(1, 2);
}

/* As when the process was killed: everything is in the file but the last word. */
static void test_numbers_leap_after_a_crash(void **state) {
        struct stat st;
        char command[300];
        uint64_t end;

        (void) state;
        open_well();
        put(1);
        put(2);
        end = events_end(events);
        snprintf(command, sizeof command, "%s.copy", directory);
        assert_int_equal(mkdir(command, 0700), 0);
        snprintf(command, sizeof command, "cp %s/%s %s.copy/", directory, EVENTS_FILE_NAME, directory);
        assert_int_equal(system(command), 0);
        snprintf(command, sizeof command, "rm -r %s && mv %s.copy %s", directory, directory, directory);
        events = events_free(events);
        assert_int_equal(system(command), 0);
        open_well();
        ASSERT_VALUES(1, 2);
        assert_true(events_end(events) > end + EVENTS_MAX);
        put(3);
        ASSERT_VALUES(1, 2, 3);
        open_well();
        ASSERT_VALUES(1, 2, 3);
        assert_int_equal(stat(file_path(""), &st), 0);
        assert_int_equal(st.st_size, FILE_BYTES);
}

static void test_a_damaged_record_is_skipped(void **state) {
        (void) state;
        open_well();
        for (int64_t i = 1; i <= 4; i++)
                put(i);
        events = events_free(events);
        poke(8192 + 2 * EVENT_RECORD_BYTES + 99, "?", 1);
        open_well();
        ASSERT_VALUES(1, 3, 4);
        put(5);
        ASSERT_VALUES(1, 3, 4, 5);
        /* Also one that is damaged while it is open, in a run that does not remember it. */
        open_well();
        poke(8192 + 3 * EVENT_RECORD_BYTES + 99, "?", 1);
        ASSERT_VALUES(1, 4, 5);
}

/* A later version may have kinds that this one does not know. */
static void test_an_unknown_kind_is_skipped(void **state) {
        struct event e = make(EVENT_CLOCK, "", "", 1);
        uint8_t record[EVENT_RECORD_BYTES];

        (void) state;
        open_well();
        put(1);
        events = events_free(events);
        event_record_write(&e, record);
        record[52] = EVENT_KINDS;
        event_record_seal(record, 2, 0);
        poke(8192 + 2 * EVENT_RECORD_BYTES, record, sizeof record);
        open_well();
        ASSERT_VALUES(1);
        put(3);
        ASSERT_VALUES(1, 3);
        assert_true(events_end(events) > 3);
}

static void test_one_header_is_enough(void **state) {
        (void) state;
        open_well();
        put(1);
        for (unsigned i = 0; i < 2; i++) {
                events = events_free(events);
                poke(i * 4096, "???????????????????????", 23);
                open_well();
                put(2 + i);
        }
        ASSERT_VALUES(1, 2, 3);
}

/* ---- repeats ---- */

static void test_a_flood_is_one_record_a_minute(void **state) {
        struct event e;
        uint64_t all, writes;

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        put_at(10 * SECOND, EVENT_WITHHELD, "main", "power_w", 0);
        writes = disk->writes;
        for (unsigned i = 1; i < 600; i++)
                put_at(10 * SECOND + i * SECOND, EVENT_WITHHELD, "main", "power_w", i);
        assert_int_equal(count(&all), 10);
        assert_int_equal(disk->writes - writes, 9);
        assert_true(events_next(events, 1, &e));
        assert_int_equal(e.value, 59);
        assert_int_equal(e.repeats, 58);
        /* The last minute is over when nothing comes any more. */
        assert_int_equal(events_sync(events, 700 * SECOND), 0);
        assert_int_equal(count(&all), 11);
        assert_int_equal(all, 600);
        assert_int_equal(events_sync(events, 1000 * SECOND), 0);
        assert_int_equal(count(&all), 11);
        put_at(1000 * SECOND, EVENT_WITHHELD, "main", "power_w", 7);
        assert_int_equal(count(&all), 12);
}

static void test_repeats_are_not_lost_at_the_end(void **state) {
        uint64_t all;

        (void) state;
        open_well();
        for (unsigned i = 0; i < 5; i++)
                put_at(SECOND + i, EVENT_RECONNECTED, "main", "", i);
        ASSERT_VALUES(0);
        open_well();
        ASSERT_VALUES(0, 4);
        assert_int_equal(count(&all), 2);
        assert_int_equal(all, 5);
}

static void test_different_ones_are_no_repeats(void **state) {
        struct event e;

        (void) state;
        open_well();
        put_at(SECOND, EVENT_WITHHELD, "main", "power_w", 1);
        put_at(SECOND, EVENT_WITHHELD, "main", "voltage_v", 2);
        put_at(SECOND, EVENT_WITHHELD, "other", "power_w", 3);
        put_at(SECOND, EVENT_COUNTER_RESET, "main", "power_w", 4);
        e = make(EVENT_WITHHELD, "main", "power_w", 5);
        snprintf(e.text, sizeof e.text, "outside its limits");
        events_put(events, SECOND, &e);
        ASSERT_VALUES(1, 2, 3, 4, 5);
}

static void put_state(uint64_t boot_ms, const char *text) {
        struct event e;

        now_ms = boot_ms;
        e = make(EVENT_STATE, "main", "", (int64_t) boot_ms);
        snprintf(e.text, sizeof e.text, "%s", text);
        events_put(events, boot_ms, &e);
}

/* That a meter is back is told at once. */
static void test_states_come_back(void **state) {
        (void) state;
        open_well();
        put_state(1, "online");
        put_state(2, "stale");
        put_state(3, "online");
        ASSERT_VALUES(1, 2, 3);
}

/* A bad contact: the list stays in order, ends with the state that there is, and the disk has peace. */
static void test_flapping(void **state) {
        uint64_t all, before;
        int64_t last = 0;
        struct event e = { .number = 0 };

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        before = disk->writes;
        for (unsigned i = 0; i < 6000; i++)
                put_state(SECOND + i * 100, i % 2 ? "online" : "offline");
        assert_in_range(disk->writes - before, 10, 11 * EVENTS_PER_MINUTE);
        events_sync(events, 800 * SECOND);
        while (events_next(events, e.number, &e)) {
                assert_true(e.value > last);
                last = e.value;
        }
        assert_int_equal(last, SECOND + 5999 * 100);
        assert_string_equal(e.text, "online");
        (void) count(&all);
        assert_int_equal(all, 6000);
}

/* Whatever the meters do, most of what they do is counted. */
static void test_flood_of_different_ones(void **state) {
        uint64_t all, writes;
        char meter[8], series[16];

        (void) state;
        disk = cut_disk_new(directory, 1);
        open_well();
        writes = disk->writes;
        for (unsigned i = 0; i < 60000; i++) {
                snprintf(meter, sizeof meter, "m%u", i % 5);
                snprintf(series, sizeof series, "s%u", i % 97);
                put_at(SECOND + i * 10, i % 3 ? EVENT_WITHHELD : EVENT_COUNTER_RESET, meter, series, i);
        }
        assert_in_range(disk->writes - writes, 10 * 5, 11 * 5 * (EVENTS_PER_MINUTE + 1));
        events_sync(events, 1000 * SECOND);
        (void) count(&all);
        assert_int_equal(all, 60000);
}

/* More at a time than are remembered: some are written that could have been counted, none is lost. */
static void test_more_than_are_remembered(void **state) {
        uint64_t all;
        char meter[8];

        (void) state;
        open_well();
        for (unsigned i = 0; i < 3000; i++) {
                snprintf(meter, sizeof meter, "m%u", i / 2 % 150);
                put_at(SECOND + i, EVENT_RECONNECTED, meter, "", i);
        }
        events_sync(events, 1000 * SECOND);
        (void) count(&all);
        assert_int_equal(all, 3000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_everything_comes_back),
                TEST(test_known_bytes),
                TEST(test_names),
                TEST(test_order_and_paging),
                TEST(test_wrap_around),
                TEST(test_numbers_go_on_after_a_clean_end),
                TEST(test_numbers_leap_after_a_crash),
                TEST(test_a_damaged_record_is_skipped),
                TEST(test_an_unknown_kind_is_skipped),
                TEST(test_one_header_is_enough),
                TEST(test_a_flood_is_one_record_a_minute),
                TEST(test_repeats_are_not_lost_at_the_end),
                TEST(test_different_ones_are_no_repeats),
                TEST(test_states_come_back),
                TEST(test_flapping),
                TEST(test_flood_of_different_ones),
                TEST(test_more_than_are_remembered),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
