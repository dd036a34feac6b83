/* The text of OpenBeken scripts: lines, comments, quotes, words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/openbeken_script.h"

/* "1[one] 3[two]": number and text of the lines that are not empty. */
static void check_lines(const char *text, const char *expected) {
        char found[512] = "";
        struct openbeken_lines l;
        const char *line;
        size_t len;

        openbeken_lines_begin(&l, text, strlen(text));
        while (openbeken_lines_next(&l, &line, &len))
                if (len > 0)
                        sprintf(found + strlen(found), "%s%u[%.*s]", *found ? " " : "", l.number, (int) len, line);
        assert_string_equal(found, expected);
}

static void lines(void **state) {
        (void) state;
        check_lines("", "");
        check_lines("one", "1[one]");
        check_lines("one\n\ntwo\n", "1[one] 3[two]");
        check_lines("one\r\n\r\ntwo\r\n", "1[one] 3[two]");
        check_lines("one\rtwo\r", "1[one] 2[two]");
        check_lines("\xef\xbb\xbf" "one\n\xef\xbb\xbf", "1[one] 2[\xef\xbb\xbf]");
        check_lines("  one two \t\n\t\n", "1[one two]");
        check_lines("\xc2\xa0one\xc2\xa0\n", "1[one]");
}

static void comments(void **state) {
        (void) state;
        check_lines("// one\n  // two\n//", "");
        check_lines("one // two", "1[one]");
        check_lines("one// two", "1[one]");
        check_lines("one \"a // b\" // two", "1[one \"a // b\"]");
        check_lines("get http://host/ // two", "1[get http://host/]");
        check_lines("one / two", "1[one / two]");
        check_lines("one \"a // two", "1[one \"a // two]");
}

static void check_words(const char *line, const char *expected) {
        struct openbeken_words w;
        char found[512] = "";

        assert_int_equal(openbeken_split(line, strlen(line), &w), 0);
        for (unsigned i = 0; i < w.n; i++)
                sprintf(found + strlen(found), "[%s]", w.word[i]);
        assert_string_equal(found, expected);
}

static void words(void **state) {
        (void) state;
        check_words("", "");
        check_words("a", "[a]");
        check_words("a  b\tc", "[a][b][c]");
        check_words("a \"b c\" d", "[a][b c][d]");
        check_words("a \"\" d", "[a][][d]");
        check_words("a\"b c\"d", "[a][b c][d]");
        check_words("a \"b c", "[a][b c]");
        check_words("a,1, 2", "[a][1][2]");
        check_words("a\xc2\xa0" "b à", "[a][b][à]");
        check_words("\"", "[]");
        check_words("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33",
                    "[1][2][3][4][5][6][7][8][9][10][11][12][13][14][15][16][17][18][19][20][21][22][23][24][25][26]"
                    "[27][28][29][30][31][32]");
}

/* The longest line, in the form that takes most room: each word is a character and its final 0. */
static void the_longest_line(void **state) {
        char line[OPENBEKEN_LINE_MAX + 2];
        struct openbeken_words w;

        (void) state;
        for (size_t i = 0; i < sizeof line; i++)
                line[i] = i < 62 && i % 2 == 0 ? 'a' : '"';
        assert_int_equal(openbeken_split(line, OPENBEKEN_LINE_MAX, &w), 0);
        assert_int_equal(w.n, OPENBEKEN_WORDS_MAX);
        memset(line, 'b', sizeof line);
        assert_int_equal(openbeken_split(line, OPENBEKEN_LINE_MAX, &w), 0);
        assert_int_equal(strlen(w.word[0]), OPENBEKEN_LINE_MAX);
        assert_int_equal(openbeken_split(line, OPENBEKEN_LINE_MAX + 1, &w), -E2BIG);
}

static void texts(void **state) {
        static const struct { const char *line, *text; } cases[] = {
                { "l 1 \"Breaker ID\"", "Breaker ID" }, { "l 1 Total Energy, all", "Total Energy, all" },
                { "l 1 \"a\" b", "\"a\" b" },           { "l 1 x", "x" },
        };
        struct openbeken_words w;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(openbeken_split(cases[i].line, strlen(cases[i].line), &w), 0);
                assert_string_equal(openbeken_text_from(&w, 2), cases[i].text);
        }
}

static void check_parts(const char *text, const char *expected) {
        const char *at = text, *part;
        char found[256] = "";
        size_t len;

        while (openbeken_next_part(&at, text + strlen(text), &part, &len))
                sprintf(found + strlen(found), "[%.*s]", (int) len, part);
        assert_string_equal(found, expected);
}

static void parts(void **state) {
        (void) state;
        check_parts("", "");
        check_parts("a", "[a]");
        check_parts("a b ; c;d;", "[a b][c][d]");
        check_parts("a \"b;c\"; ;d", "[a \"b;c\"][][d]");
}

static void integers(void **state) {
        static const struct { const char *text; int r; int64_t n; } cases[] = {
                { "0", 0, 0 },        { "255", 0, 255 },      { "-1", 0, -1 },        { "0x14", 0, 20 },
                { "0XfF", 0, 255 },   { "007", 0, 7 },        { "256", -ERANGE, 0 },  { "-2", -ERANGE, 0 },
                { "", -EINVAL, 0 },   { "x", -EINVAL, 0 },    { "0x", -EINVAL, 0 },   { "0xg", -EINVAL, 0 },
                { "$CH1", -EINVAL, 0 }, { "1e2", -EINVAL, 0 }, { "1 ", -EINVAL, 0 },
                { "0xffffffffffffffff", -ERANGE, 0 }, { "99999999999999999999", -ERANGE, 0 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int64_t n = 0;

                assert_int_equal(openbeken_integer(cases[i].text, -1, 255, &n), cases[i].r);
                assert_int_equal(n, cases[i].n);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines),
                cmocka_unit_test(comments),
                cmocka_unit_test(words),
                cmocka_unit_test(the_longest_line),
                cmocka_unit_test(texts),
                cmocka_unit_test(parts),
                cmocka_unit_test(integers),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
