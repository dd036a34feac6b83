/* GET /api/v1/samples: every row once, in order, from any cursor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "known_history.h"

static void check_sample(const json_t *s, unsigned number) {
        unsigned i = number <= ROWS ? number - 1 : number - 1 - ROWS;
        char cursor[24], at[CLOCK_RFC3339_MAX];

        snprintf(cursor, sizeof cursor, "%u", number);
        assert_string_equal(json_string_value(json_object_get(s, "cursor")), cursor);
        assert_string_equal(json_string_value(json_object_get(s, "meter")), number <= ROWS ? "main" : "unknown");
        assert_int_equal(json_integer_value(json_object_get(s, "at_ms")), (base_s + i) * 1000);
        clock_format_rfc3339((base_s + i) * 1000, at);
        assert_string_equal(json_string_value(json_object_get(s, "at")), at);
        assert_int_equal(count_of_number(json_object_get(s, "power_w"), 1000), power_of(i));
        assert_true(!json_object_get(s, "voltage_v") == !has_voltage(i));
        assert_true(json_object_get(s, "energy_import_kwh") != NULL);
}

static void samples_are_complete(void **state) {
        char target[100], next[24] = "0";
        unsigned n = 0;
        size_t got, i;
        json_t *s;

        do {
                json_t *page, *list;

                snprintf(target, sizeof target, "/api/v1/samples?after=%s&limit=77", next);
                page = get_table(*state, target);
                list = json_object_get(page, "samples");
                got = json_array_size(list);
                json_array_foreach(list, i, s)
                        check_sample(s, ++n);
                assert_int_equal(json_integer_value(json_object_get(page, "lost")), 0);
                assert_true(json_is_false(json_object_get(page, "restarted")));
                snprintf(next, sizeof next, "%s", json_string_value(json_object_get(page, "next")));
                json_decref(page);
        } while (got > 0);
        assert_int_equal(n, ROWS + OTHER_ROWS);
        assert_int_equal(atoi(next), n);
}

static void samples_after_a_foreign_cursor(void **state) {
        json_t *page = get_table(*state, "/api/v1/samples?after=9223372036854775807&limit=1"), *list;

        list = json_object_get(page, "samples");
        assert_int_equal(json_array_size(list), 1);
        check_sample(json_array_get(list, 0), 1);
        assert_true(json_is_true(json_object_get(page, "restarted")));
        assert_string_equal(json_string_value(json_object_get(page, "next")), "1");
        json_decref(page);
        page = get_table(*state, "/api/v1/samples");
        assert_int_equal(json_array_size(json_object_get(page, "samples")), 1000);
        json_decref(page);
}

static void samples_mistakes(void **state) {
        assert_problem(*state, "/api/v1/samples?after=abc", 400, "after", "cursor");
        assert_problem(*state, "/api/v1/samples?after=-1", 400, "after", "cursor");
        assert_problem(*state, "/api/v1/samples?after=9223372036854775808", 400, "after", "cursor");
        assert_problem(*state, "/api/v1/samples?limit=0", 400, "limit", "1 to 11000");
        assert_problem(*state, "/api/v1/samples?limit=11001", 400, "limit", "1 to 11000");
        assert_problem(*state, "/api/v1/samples?from=0", 400, "from", "unknown");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(samples_are_complete),
                cmocka_unit_test(samples_after_a_foreign_cursor),
                cmocka_unit_test(samples_mistakes),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
