/* Datapoint units: every type and length, truncation, and the way to a reading. */
#include "protocols/tuyamcu/datapoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/datapoints.h"

static struct tuya_datapoint read_one(const uint8_t *bytes, size_t len) {
        struct tuya_truncation truncation;
        struct tuya_datapoint d;
        size_t offset = 0;

        assert_int_equal(tuya_datapoint_next(span_of(bytes, len), &offset, &d, &truncation), 1);
        assert_int_equal(offset, len);
        return d;
}

static void assert_number(const uint8_t *bytes, size_t len, int64_t expected) {
        struct tuya_datapoint d = read_one(bytes, len);

        assert_true(d.numeric);
        assert_int_equal(d.number, expected);
}

#define NUMBER(expected, ...) do { \
        const uint8_t bytes_[] = { __VA_ARGS__ }; \
        assert_number(bytes_, sizeof bytes_, expected); \
} while (0)

static void test_numbers_by_wire_type_and_length(void **state) {
        (void) state;
        NUMBER(-10, 1, 2, 0, 4, 0xff, 0xff, 0xff, 0xf6);
        NUMBER(2403, 20, 2, 0, 4, 0x00, 0x00, 0x09, 0x63);
        NUMBER(0xfff6, 1, 2, 0, 2, 0xff, 0xf6);  /* only 4 bytes are signed */
        NUMBER(0xff, 1, 2, 0, 1, 0xff);
        NUMBER(2, 1, 1, 0, 1, 2);                /* a bool keeps its wire number */
        NUMBER(3, 1, 4, 0, 1, 3);
        NUMBER(0x80000000, 26, 5, 0, 4, 0x80, 0, 0, 0);
        NUMBER(0x010203, 26, 5, 0, 3, 1, 2, 3);
}

static void test_what_stays_bytes(void **state) {
        static const uint8_t raw[] = { 6, 0, 0, 2, 1, 2 }, text[] = { 18, 3, 0, 3, 'a', 'b', 'c' },
                             empty[] = { 19, 2, 0, 0 }, wide[] = { 1, 2, 0, 5, 1, 2, 3, 4, 5 },
                             odd[] = { 1, 9, 0, 1, 7 };

        (void) state;
        assert_false(read_one(raw, sizeof raw).numeric);
        assert_false(read_one(text, sizeof text).numeric);
        assert_int_equal(read_one(text, sizeof text).value.len, 3);
        assert_false(read_one(empty, sizeof empty).numeric);
        assert_false(read_one(wide, sizeof wide).numeric);
        assert_false(read_one(odd, sizeof odd).numeric);
}

static void test_truncation_keeps_what_came_before(void **state) {
        static const uint8_t bytes[] = { 18, 2, 0, 4, 0, 0, 0, 77, 19, 2, 0, 4, 0, 17 };
        struct tuya_truncation t;
        struct tuya_datapoint d;
        size_t offset = 0;

        (void) state;
        assert_int_equal(tuya_datapoint_next(span_of(bytes, sizeof bytes), &offset, &d, &t), 1);
        assert_int_equal(d.number, 77);
        assert_int_equal(tuya_datapoint_next(span_of(bytes, sizeof bytes), &offset, &d, &t), -EBADMSG);
        assert_true(t.has_declared);
        assert_int_equal(t.id, 19);
        assert_int_equal(t.declared, 4);
        assert_int_equal(t.present, 2);
        offset = 8;
        assert_int_equal(tuya_datapoint_next(span_of(bytes, 11), &offset, &d, &t), -EBADMSG);
        assert_false(t.has_declared);
        assert_int_equal(t.id, 19);
        assert_int_equal(t.present, 0);
        offset = 11;
        assert_int_equal(tuya_datapoint_next(span_of(bytes, 11), &offset, &d, &t), 0);
        assert_int_equal(tuya_datapoint_next(span_of(NULL, 0), &(size_t) { 0 }, &d, &t), 0);
}

static struct profile *one_row(struct profile_datapoint row) {
        struct profile *p = calloc(1, sizeof *p + sizeof p->datapoints[0]);

        assert_non_null(p);
        p->n_channels = 1;
        p->n_datapoints = 1;
        p->datapoints[0] = row;
        return p;
}

static unsigned map_number(struct profile_datapoint row, const struct tuya_directions *dir, int64_t number,
                           int64_t *ret) {
        struct tuya_datapoint d = { .id = row.id, .type = DATAPOINT_VALUE, .numeric = true, .number = number };
        struct profile *p = one_row(row);
        struct report report = { 0 };
        unsigned n = tuya_datapoint_map(p, dir, &d, &report);

        if (n > 0)
                *ret = report.readings[0].value;
        free(p);
        return n;
}

static void test_scale_is_exact_and_rounds(void **state) {
        struct profile_datapoint row = { .id = 19, .quantity = Q_POWER, .scale_num = 100, .scale_den = 1 };
        struct tuya_directions dir = { 0 };
        int64_t v;

        (void) state;
        assert_int_equal(map_number(row, &dir, 177, &v), 1);
        assert_int_equal(v, 17700);
        row.scale_num = 1;
        row.scale_den = 10;
        assert_int_equal(map_number(row, &dir, 15, &v), 1);
        assert_int_equal(v, 2);
        assert_int_equal(map_number(row, &dir, -15, &v), 1);
        assert_int_equal(v, -2);
        row.scale_num = INT64_MAX;
        row.scale_den = 1;
        assert_int_equal(map_number(row, &dir, 2, &v), 0);
}

static void test_sign_and_direction(void **state) {
        struct profile_datapoint row = { .id = 101, .quantity = Q_POWER, .scale_num = 1, .scale_den = 1,
                                         .direction_id = 102, .direction_reverse = 1 };
        struct tuya_directions dir = { 0 };
        int64_t v;

        (void) state;
        /* direction not known yet: no value rather than a wrong sign */
        assert_int_equal(map_number(row, &dir, 50, &v), 0);
        tuya_directions_note(&dir, &(struct tuya_datapoint) { .id = 102, .numeric = true, .number = 1 });
        assert_int_equal(map_number(row, &dir, 50, &v), 1);
        assert_int_equal(v, -50);
        tuya_directions_note(&dir, &(struct tuya_datapoint) { .id = 102, .numeric = true, .number = 0 });
        assert_int_equal(map_number(row, &dir, 50, &v), 1);
        assert_int_equal(v, 50);
        row.inverted = true;
        assert_int_equal(map_number(row, &dir, 50, &v), 1);
        assert_int_equal(v, -50);
}

/* A negative power divided by ten as if it had no sign; no other quantity is touched. */
static void test_wrapped_power(void **state) {
        struct profile_datapoint row = { .id = 19, .quantity = Q_POWER, .scale_num = 100, .scale_den = 1 };
        struct tuya_directions dir = { 0 };
        int64_t v;

        (void) state;
        assert_int_equal(map_number(row, &dir, 429496533, &v), 1);
        assert_int_equal(v, -19700);
        assert_int_equal(map_number(row, &dir, 429346730, &v), 1);
        assert_int_equal(v, -15000000);
        assert_int_equal(map_number(row, &dir, 429346729, &v), 1);
        assert_int_equal(v, 42934672900);
        assert_int_equal(map_number(row, &dir, 429496730, &v), 1);
        assert_int_equal(v, 0);
        assert_int_equal(map_number(row, &dir, 429496731, &v), 1);
        assert_int_equal(v, 42949673100);
        row.quantity = Q_ENERGY_IMPORT;
        assert_int_equal(map_number(row, &dir, 429496533, &v), 1);
        assert_int_equal(v, 42949653300);
}

/* A register beside it, of the same channel, is the truth. */
static void test_increments_count_where_no_register_is(void **state) {
        static const struct profile_datapoint increment = { .id = 17, .quantity = Q_ENERGY_IMPORT, .scale_num = 1000,
                                                            .scale_den = 1, .is_increment = true };
        struct tuya_datapoint d = { .id = 17, .type = DATAPOINT_VALUE, .numeric = true, .number = 5 };
        struct profile *p = calloc(1, sizeof *p + 2 * sizeof p->datapoints[0]);
        struct tuya_directions dir = { 0 };
        struct report report = { 0 };

        (void) state;
        assert_non_null(p);
        p->n_channels = 2;
        p->n_datapoints = 2;
        p->datapoints[0] = (struct profile_datapoint) { .id = 1, .quantity = Q_ENERGY_IMPORT, .channel = 1,
                                                        .scale_num = 10000, .scale_den = 1 };
        p->datapoints[1] = increment;
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &report), 1);
        assert_int_equal(report.readings[0].value, 5000);
        assert_true(report.readings[0].is_increment);
        assert_int_equal(report.readings[0].wrap, 0);
        p->datapoints[0].channel = 0;
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &report), 0);
        d.id = 1;
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &report), 1);
        assert_int_equal(report.readings[0].value, 50000);
        assert_false(report.readings[0].is_increment);
        assert_int_equal(report.readings[0].wrap, (INT64_C(1) << 32) * 10000);
        p->datapoints[0].scale_num = INT64_MAX / 5;
        assert_int_equal(tuya_datapoint_map(p, &dir, &d, &report), 1);
        assert_int_equal(report.readings[0].wrap, 0);
        free(p);
}

static void test_rows_without_quantity_have_no_reading(void **state) {
        struct profile_datapoint row = { .id = 26, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1 };
        struct tuya_directions dir = { 0 };
        int64_t v;

        (void) state;
        assert_int_equal(map_number(row, &dir, 1, &v), 0);
        assert_int_equal(tuya_datapoint_map(NULL, &dir, &(struct tuya_datapoint) { .id = 1 }, NULL), 0);
}

static void test_written_units_read_back(void **state) {
        uint8_t buf[8];

        (void) state;
        assert_int_equal(tuya_datapoint_put(buf, sizeof buf, 19, DATAPOINT_VALUE, -123456), 8);
        assert_number(buf, 8, -123456);
        assert_int_equal(tuya_datapoint_put(buf, sizeof buf, 1, DATAPOINT_BOOL, 1), 5);
        assert_number(buf, 5, 1);
        assert_int_equal(tuya_datapoint_put(buf, 7, 19, DATAPOINT_VALUE, 1), 0);
}

static void test_table_counts_changes_and_overflow(void **state) {
        static struct datapoint_table t;
        const uint8_t one[] = { 1 }, two[] = { 2 }, big[100] = { 9 };

        (void) state;
        datapoint_table_put(&t, 100, 1, DATAPOINT_VALUE, true, 1, one, 1);
        datapoint_table_put(&t, 200, 1, DATAPOINT_VALUE, true, 1, one, 1);
        assert_int_equal(datapoint_table_get(&t, 1)->last_change_ms, 100);
        assert_int_equal(datapoint_table_get(&t, 1)->last_seen_ms, 200);
        datapoint_table_put(&t, 300, 1, DATAPOINT_VALUE, true, 2, two, 1);
        assert_int_equal(datapoint_table_get(&t, 1)->last_change_ms, 300);
        assert_int_equal(datapoint_table_get(&t, 1)->count, 3);
        datapoint_table_put(&t, 300, 2, DATAPOINT_RAW, false, 77, big, sizeof big);
        assert_int_equal(datapoint_table_get(&t, 2)->length, 100);
        assert_int_equal(datapoint_table_get(&t, 2)->number, 0);
        assert_null(datapoint_table_get(&t, 3));
        for (unsigned id = 3; id < 3 + DATAPOINTS_MAX; id++)
                datapoint_table_put(&t, 400, (uint16_t) id, DATAPOINT_BOOL, true, 1, one, 1);
        assert_int_equal(t.count, DATAPOINTS_MAX);
        assert_int_equal(t.dropped, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers_by_wire_type_and_length),
                cmocka_unit_test(test_what_stays_bytes),
                cmocka_unit_test(test_truncation_keeps_what_came_before),
                cmocka_unit_test(test_scale_is_exact_and_rounds),
                cmocka_unit_test(test_sign_and_direction),
                cmocka_unit_test(test_wrapped_power),
                cmocka_unit_test(test_increments_count_where_no_register_is),
                cmocka_unit_test(test_rows_without_quantity_have_no_reading),
                cmocka_unit_test(test_written_units_read_back),
                cmocka_unit_test(test_table_counts_changes_and_overflow),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
