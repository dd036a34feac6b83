/* CSV in its forms, good and broken; everything wrong is told with line and column. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/csv_reader.h"

static struct csv_reader *open_text(const char *text, size_t len) {
        struct csv_reader *c = NULL;
        FILE *file = fmemopen((void *) text, len ? len : 1, "r");

        assert_non_null(file);
        if (len == 0)
                fgetc(file);
        assert_int_equal(csv_open_stream(file, "test", &c), 0);
        return c;
}

static struct csv_reader *open_string(const char *text) {
        return open_text(text, strlen(text));
}

/* The fields of the next row, with '|' between them. */
static const struct csv_row *next(struct csv_reader *c, const char *fields) {
        const struct csv_row *row;
        char is[CSV_LINE_MAX + 1] = "";
        int r = csv_next(c, &row);

        if (r < 0)
                print_error("%s\n", csv_error(c));
        assert_int_equal(r, 1);
        for (unsigned i = 0; i < row->n_fields; i++)
                snprintf(is + strlen(is), sizeof is - strlen(is), "%s%s", i > 0 ? "|" : "", row->fields[i].text);
        assert_string_equal(is, fields);
        return row;
}

static void assert_end(struct csv_reader *c) {
        const struct csv_row *row;

        assert_int_equal(csv_next(c, &row), 0);
        assert_int_equal(csv_next(c, &row), 0);
        csv_free(c);
}

/* Good rows may come before the error, which stays. */
static void assert_error(struct csv_reader *c, int error, const char *text) {
        const struct csv_row *row;
        int r;

        while ((r = csv_next(c, &row)) > 0)
                ;
        assert_int_equal(r, error);
        assert_string_equal(csv_error(c), text);
        assert_int_equal(csv_next(c, &row), error);
        csv_free(c);
}

static void test_plain(void **state) {
        struct csv_reader *c = open_string("t_ms,power_w\n1000,1.5\n2000,\n,\n");

        (void) state;
        next(c, "t_ms|power_w");
        next(c, "1000|1.5");
        next(c, "2000|");
        next(c, "|");
        assert_end(c);
        assert_end(open_string(""));
        c = open_string("a");
        next(c, "a");
        assert_end(c);
        c = open_string("a,b,");
        next(c, "a|b|");
        assert_end(c);
}

static void test_line_ends_and_mark(void **state) {
        struct csv_reader *c = open_string("\xef\xbb\xbf" "a,b\r\n\r\n  \t\n1,2\r\n\n3,4");

        (void) state;
        assert_int_equal(next(c, "a|b")->fields[0].column, 4);
        next(c, "1|2");
        next(c, "3|4");
        assert_end(c);
        /* A mark elsewhere is text, and so is a carriage return. */
        c = open_string("a\n\xef\xbb\xbf,b\rc\n");
        next(c, "a");
        next(c, "\xef\xbb\xbf|b\rc");
        assert_end(c);
}

static void test_quotes(void **state) {
        struct csv_reader *c = open_string("\"a\",\"b \"\"c\"\"\" , \"d,e\"\n\"\",\"\"\"\",x\"y\"\n");
        const struct csv_row *row;

        (void) state;
        row = next(c, "a|b \"c\"|d,e");
        assert_int_equal(row->fields[0].column, 1);
        assert_int_equal(row->fields[1].column, 5);
        assert_int_equal(row->fields[2].column, 17);
        next(c, "|\"|x\"y\"");
        assert_end(c);
        assert_error(open_string("a\n1,\"2\n"), -EINVAL, "test:2:3: a quote without its end in this line");
        assert_error(open_string("\"a\"b,c\n"), -EINVAL, "test:1:4: expected a comma behind the closing quote");
        assert_error(open_string("\""), -EINVAL, "test:1:1: a quote without its end in this line");
        assert_error(open_string("\"\"\""), -EINVAL, "test:1:1: a quote without its end in this line");
}

static void test_blanks(void **state) {
        struct csv_reader *c = open_string("  a b ,\t c\t, ,d ");
        const struct csv_row *row;

        (void) state;
        row = next(c, "a b|c||d");
        assert_int_equal(row->fields[0].column, 3);
        assert_int_equal(row->fields[1].column, 10);
        assert_int_equal(row->fields[3].column, 15);
        assert_end(c);
}

static void test_separators(void **state) {
        struct csv_reader *c = open_string("a,b\nc;\"d;e\" ;f,g\nh\t i \t\nj;k\tl\n\"m;n\",o\n");

        (void) state;
        csv_take_exports(c);
        assert_int_equal(next(c, "a|b")->separator, ',');
        assert_int_equal(next(c, "c|d;e|f,g")->separator, ';');
        assert_int_equal(next(c, "h|i|")->separator, '\t');
        next(c, "j|k\tl");
        next(c, "m;n|o");
        assert_end(c);
        c = open_string("a;b,c\n");
        next(c, "a;b|c");
        assert_end(c);
        c = open_string("\"a\" b;c\n");
        csv_take_exports(c);
        assert_error(c, -EINVAL, "test:1:5: expected a separator behind the closing quote");
}

/* "t,\u00e4\n\U0001f50c,\ud83d?\n" either way round, the last half without its other half. */
static void test_wide_characters(void **state) {
        static const char little[] = "\xff\xfet\0,\0\xe4\0\n\0\x3d\xd8\x0c\xdd,\0\x0c\xdd\n\0\x3d";
        static const char big[] = "\xfe\xff\0t\0,\0\xe4\0\n\xd8\x3d\xdd\x0c\0,\xdd\x0c\0\n";
        struct csv_reader *c = open_text(little, sizeof little - 1);

        (void) state;
        next(c, "t|\xc3\xa4");
        next(c, "\xf0\x9f\x94\x8c|?");
        next(c, "?");
        assert_end(c);
        c = open_text(big, sizeof big - 1);
        next(c, "t|\xc3\xa4");
        next(c, "\xf0\x9f\x94\x8c|?");
        assert_end(c);
        /* No mark: bytes are what they are. */
        c = open_text("\xff,\xfe\n", 4);
        next(c, "\xff|\xfe");
        assert_end(c);
}

static void test_workbooks(void **state) {
        (void) state;
        assert_error(open_text("PK\3\4\24\0\6\0", 8), -EINVAL, "test:1:1: a workbook of a spreadsheet program, no "
                     "text: save it as CSV there");
}

static void test_limits(void **state) {
        static char text[CSV_LINE_MAX + 64];
        struct csv_reader *c;
        const struct csv_row *row;

        (void) state;
        memset(text, 'x', CSV_LINE_MAX);
        text[CSV_LINE_MAX] = '\n';
        c = open_string(text);
        assert_int_equal(csv_next(c, &row), 1);
        assert_int_equal(strlen(row->fields[0].text), CSV_LINE_MAX);
        assert_end(c);
        text[CSV_LINE_MAX] = 'x';
        assert_error(open_string(text), -EFBIG, "test:1:16385: the line is longer than 16384 characters");
        memset(text, ',', CSV_FIELDS_MAX);
        text[CSV_FIELDS_MAX] = '\0';
        assert_error(open_string(text), -EFBIG, "test:1:257: more than 256 fields");
        text[CSV_FIELDS_MAX - 1] = '\0';
        c = open_string(text);
        assert_int_equal(csv_next(c, &row), 1);
        assert_int_equal(row->n_fields, CSV_FIELDS_MAX);
        assert_end(c);
        assert_error(open_text("a\nb\0c\n", 6), -EINVAL, "test:2:2: a zero byte: this is no text");
}

static void test_callers_errors(void **state) {
        struct csv_reader *c = open_string("a,b\n\n1,2\n3,4\n");
        const struct csv_row *row;

        (void) state;
        next(c, "a|b");
        row = next(c, "1|2");
        assert_int_equal(csv_fail(c, row->fields[1].column, "%s is not %d", row->fields[1].text, 7), -EINVAL);
        assert_error(c, -EINVAL, "test:3:3: 2 is not 7");
}

static void test_files(void **state) {
        char path[] = "/tmp/test-csv-XXXXXX", error[CSV_ERROR_MAX], expected[CSV_ERROR_MAX];
        const struct csv_row *row;
        struct csv_reader *c;
        uint64_t done, total;
        int fd = mkstemp(path);

        (void) state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "a,b\n1,2\n", 8), 8);
        close(fd);
        assert_int_equal(csv_open(path, &c, error), 0);
        assert_int_equal(csv_next(c, &row), 1);
        csv_progress(c, &done, &total);
        assert_int_equal(done, 4);
        assert_int_equal(total, 8);
        csv_free(c);
        unlink(path);
        assert_int_equal(csv_open(path, &c, error), -ENOENT);
        snprintf(expected, sizeof expected, "%s: No such file or directory", path);
        assert_string_equal(error, expected);
        /* A folder can be opened, not read. */
        assert_int_equal(csv_open("/", &c, error), 0);
        assert_error(c, -EISDIR, "/: cannot be read: Is a directory");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),   cmocka_unit_test(test_line_ends_and_mark),
                cmocka_unit_test(test_quotes),  cmocka_unit_test(test_blanks),
                cmocka_unit_test(test_separators), cmocka_unit_test(test_wide_characters),
                cmocka_unit_test(test_workbooks),
                cmocka_unit_test(test_limits),  cmocka_unit_test(test_callers_errors),
                cmocka_unit_test(test_files),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
