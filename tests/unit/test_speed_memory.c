/* The small file of speeds: kept across restarts, and never in the way. */
#include "meters/speed_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"

static char directory[] = "/tmp/metergate-speeds-XXXXXX";

static struct speed_memory *open_memory(const char *where) {
        struct speed_memory *m;

        assert_int_equal(speed_memory_new(where, &m), 0);
        return m;
}

static void write_file(const char *text) {
        char path[128];
        FILE *f;

        snprintf(path, sizeof path, "%s/speeds", directory);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static void test_kept_across_restarts(void **state) {
        struct speed_memory *m = open_memory(directory);

        (void) state;
        assert_int_equal(speed_memory_get(m, "main"), 0);
        speed_memory_put(m, "main", 9600);
        speed_memory_put(m, "garage", 115200);
        speed_memory_put(m, "main", 38400);
        speed_memory_free(m);
        m = open_memory(directory);
        assert_int_equal(speed_memory_get(m, "main"), 38400);
        assert_int_equal(speed_memory_get(m, "garage"), 115200);
        speed_memory_free(m);
}

static void test_damaged_file_is_no_memory(void **state) {
        struct speed_memory *m;

        (void) state;
        write_file("main\n\xff\xfe 12\nGARAGE 9600\ngood 9600\nnull 0\nlong-long-long-long-long-long-long-long 9600\n");
        m = open_memory(directory);
        assert_int_equal(speed_memory_get(m, "main"), 0);
        assert_int_equal(speed_memory_get(m, "good"), 9600);
        assert_int_equal(speed_memory_get(m, "null"), 0);
        speed_memory_free(m);
}

static void test_more_meters_than_fit(void **state) {
        struct speed_memory *m = open_memory(NULL);
        char id[METER_ID_MAX + 1];

        (void) state;
        for (unsigned i = 0; i < METERS_MAX + 5; i++) {
                snprintf(id, sizeof id, "m%u", i);
                speed_memory_put(m, id, 9600 + i);
        }
        assert_int_equal(speed_memory_get(m, "m4"), 0);
        assert_int_equal(speed_memory_get(m, "m5"), 9605);
        speed_memory_free(m);
}

static void test_folder_that_is_not_there(void **state) {
        struct speed_memory *m = open_memory("/nonexistent/metergate");

        (void) state;
        speed_memory_put(m, "main", 9600);
        assert_int_equal(speed_memory_get(m, "main"), 9600);
        speed_memory_free(m);
}

static int set_up(void **state) {
        (void) state;
        return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state) {
        char path[128];

        (void) state;
        snprintf(path, sizeof path, "%s/speeds", directory);
        unlink(path);
        return rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kept_across_restarts),
                cmocka_unit_test(test_damaged_file_is_no_memory),
                cmocka_unit_test(test_more_meters_than_fit),
                cmocka_unit_test(test_folder_that_is_not_there),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
