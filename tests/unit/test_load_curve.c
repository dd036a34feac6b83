/* The made-up household and the replay of recorded ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "tools/load_curve.h"
#include "tools/trace_file.h"

#define DAY_MS INT64_C(86400000)
#define NOON   (INT64_C(1795255200) * 1000)

static void test_same_seed_same_load(void **state) {
        struct load a, b;
        unsigned different = 0;

        (void) state;
        for (int64_t t = 0; t < 1000; t++) {
                load_curve_at(7, NOON + t * 1000, &a);
                load_curve_at(7, NOON + t * 1000, &b);
                assert_memory_equal(&a, &b, sizeof a);
                load_curve_at(8, NOON + t * 1000, &b);
                different += a.power_mw != b.power_mw;
        }
        assert_true(different > 990);
}

/* V * I * PF = P with a power factor of at most 1, also in the steps of the wire. */
static void test_physics_hold(void **state) {
        int64_t max_mw = 0, min_mw = INT64_MAX;
        struct load l;

        (void) state;
        for (uint64_t seed = 0; seed < 5; seed++)
                for (int64_t t = -DAY_MS; t < DAY_MS; t += 7919) {
                        load_curve_at(seed, NOON + t, &l);
                        assert_in_range(l.voltage_mv, 220000, 236000);
                        assert_true(l.power_mw * 1000 <= l.voltage_mv * l.current_ma);
                        assert_true(l.power_mw * 1000 > l.voltage_mv * l.current_ma / 2);
                        max_mw = l.power_mw > max_mw ? l.power_mw : max_mw;
                        min_mw = l.power_mw < min_mw ? l.power_mw : min_mw;
                }
        assert_in_range(min_mw, 60000, 110000);       /* the base load alone */
        assert_in_range(max_mw, 2000000, 3500000);    /* with kettle and fridge */
}

static void test_something_happens_in_a_day(void **state) {
        unsigned kettle_s = 0, evening_more = 0;
        struct load l;

        (void) state;
        for (int64_t s = 0; s < 86400; s++) {
                load_curve_at(1, s * 1000, &l);
                kettle_s += l.power_mw > 1900000;
                evening_more += s > 20 * 3600 && s < 21 * 3600 && l.power_mw > 200000;
        }
        assert_in_range(kettle_s, 300, 7200);
        assert_true(evening_more > 3000);
}

static void test_times_before_1970(void **state) {
        struct load l;

        (void) state;
        load_curve_at(1, -1, &l);
        assert_true(l.power_mw > 0);
        load_curve_at(1, -DAY_MS * 365, &l);
        assert_true(l.power_mw > 0);
}

/* Writes text to a temporary file, compressed when asked; the caller removes it. */
static void write_file(char *path, const char *text, int compressed) {
        int fd;

        strcpy(path, "/tmp/trace-XXXXXX");
        fd = mkstemp(path);
        assert_true(fd >= 0);
        if (compressed) {
                gzFile gz = gzdopen(fd, "wb");

                assert_int_equal(gzwrite(gz, text, (unsigned) strlen(text)), strlen(text));
                gzclose(gz);
        } else {
                assert_int_equal(write(fd, text, strlen(text)), strlen(text));
                close(fd);
        }
}

static struct trace *open_text(const char *text, int compressed, bool loop, char *error) {
        struct trace *t = NULL;
        char path[32];

        write_file(path, text, compressed);
        error[0] = '\0';
        if (trace_open(path, loop, &t, error) < 0)
                t = NULL;
        unlink(path);
        return t;
}

static void assert_load(struct trace *t, uint64_t at_ms, int more, int64_t mv, int64_t ma, int64_t mw) {
        char error[TRACE_ERROR_MAX];
        struct load l;

        assert_int_equal(trace_at(t, at_ms, &l, error), more);
        assert_int_equal(l.voltage_mv, mv);
        assert_int_equal(l.current_ma, ma);
        assert_int_equal(l.power_mw, mw);
}

static void test_trace(void **state) {
        static const char text[] = "ts,voltage_dV,current_mA,power_dW,other\n"
                                   "1755388800,2297,0,0,1\n1755388801,2301,500,1100,2\n1755388911,2300,1,2,x\n";
        char error[TRACE_ERROR_MAX];

        (void) state;
        for (int compressed = 0; compressed < 2; compressed++) {
                struct trace *t = open_text(text, compressed, false, error);

                assert_non_null(t);
                assert_load(t, 0, 1, 229700, 0, 0);
                assert_load(t, 999, 1, 229700, 0, 0);
                assert_load(t, 1000, 1, 230100, 500, 110000);
                assert_load(t, 110999, 1, 230100, 500, 110000);
                assert_load(t, 111000, 1, 230000, 1, 200);
                assert_load(t, 111001, 0, 230000, 1, 200);
                assert_load(t, 999999, 0, 230000, 1, 200);
                trace_free(t);
        }
}

static void test_trace_units_and_gaps(void **state) {
        char error[TRACE_ERROR_MAX];
        struct trace *t;

        (void) state;
        t = open_text("ts,voltage_cV,current_mA,power_W\r\n5,24197,10600,2580\r\n", 0, false, error);
        assert_non_null(t);
        assert_load(t, 0, 1, 241970, 10600, 2580000);
        trace_free(t);
        t = open_text("ts,power_1s_dW,power_8s_dW\n5,2300,9\n", 0, false, error);
        assert_non_null(t);
        assert_load(t, 0, 1, 230000, 1000, 230000);
        trace_free(t);
}

static void test_trace_loops(void **state) {
        char error[TRACE_ERROR_MAX];
        struct trace *t = open_text("ts,power_W\n10,1\n12,2\n", 1, true, error);

        (void) state;
        assert_non_null(t);
        assert_load(t, 2000, 1, 230000, 8, 2000);
        assert_load(t, 3000, 1, 230000, 4, 1000);
        assert_load(t, 5000, 1, 230000, 8, 2000);
        assert_load(t, 300000, 1, 230000, 4, 1000);
        trace_free(t);
}

static void test_broken_traces_are_refused(void **state) {
        static const char *const broken[] = {
                "", "a,b\n1,2\n", "ts,power_X\n1,2\n", "ts,power_W\n", "ts,power_W\n1\n", "ts,power_W\nx,2\n",
                "ts,power_W\n1,2.5\n", "ts,power_W\n1,99999999999999999999\n", "power_W\n1\n",
        };
        char error[TRACE_ERROR_MAX];

        (void) state;
        for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
                assert_null(open_text(broken[i], 0, false, error));
                assert_non_null(strstr(error, "; expected "));
        }
        assert_int_equal(trace_open("/nonexistent/trace", false, &(struct trace *) { NULL }, error), -2);
        assert_string_equal(error, "/nonexistent/trace: No such file or directory");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same_seed_same_load),
                cmocka_unit_test(test_physics_hold),
                cmocka_unit_test(test_something_happens_in_a_day),
                cmocka_unit_test(test_times_before_1970),
                cmocka_unit_test(test_trace),
                cmocka_unit_test(test_trace_units_and_gaps),
                cmocka_unit_test(test_trace_loops),
                cmocka_unit_test(test_broken_traces_are_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
