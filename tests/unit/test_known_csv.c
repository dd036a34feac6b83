/* The exports that utilities and apps write: times in every form and zone, numbers in every notation, holes, units,
 * and what is told where nothing can be made of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tools/csv_number.h"
#include "tools/csv_time.h"
#include "tools/known_csv.h"

#define NOON INT64_C(1702036800000)  /* 2023-12-08T12:00:00Z */

static void use_zone(const char *name) {
        setenv("TZ", name, 1);
        tzset();
}

/* ---- times ---- */

/* 0 when it is none. */
static int64_t time_of(const char *text, bool day_first) {
        struct csv_time t;
        int64_t ms;

        if (!csv_time_parse(text, &t) || !csv_time_settle(&t, day_first, &ms))
                return 0;
        return ms;
}

static void test_times(void **state) {
        static const char *const same[] = {
                "2023-12-08T12:00:00Z", "2023-12-08 12:00:00Z", "2023-12-08T13:00:00+01:00", "1702036800",
                "1702036800000", "1702036800.0", "2023-12-08 12:00:00", "2023-12-08T12:00:00", "2023-12-08 12:00",
                "2023/12/08 12:00:00", "12/08/2023 12:00:00", "12/8/2023 12:00", "12/08/23 12:00:00",
                "12/8/2023, 12:00:00 PM", "12/08/2023 12:00 pm", "08.12.2023 12:00:00", "8.12.2023 12:00",
                "08.12.23 12:00:00", "  2023-12-08 12:00:00  ", "2023-12-08 12:00:00.000", "1702036800000000",
                "1702036800000000000", "2023-12-08 13:00:00+0100", "2023-12-08 13:00:00 +01:00",
                "2023-12-08T13:00:00+01", "12/08/2023 13:00:00 +01:00", "08.12.2023 07:00 -0500",
                "2023-12-08 12:00:00 UTC", "12/08/2023 12:00:00 GMT", "12/08/2023 2:00 PM GMT+2", "8-Dec-2023 12:00",
                "08-dec-23 12:00:00", "8 December 2023 12:00:00", "Dec 8, 2023 12:00:00 PM", "December 8 2023, 12:00",
                "12/8/2023 12:00:00 p.m.", "Fri 08.12.2023 12:00", "Fri, 8 Dec 2023 12:00:00 GMT",
                "friday 2023-12-08 12:00:00Z",
        };
        static const char *const none[] = {
                "", "time", "12:00:00", "1.6560", "170203680", "2023-13-08 12:00:00", "2023-02-29 12:00:00",
                "31.04.2023 12:00", "2023-12-08 24:00:00", "2023-12-08 12:60:00", "2023-12-08 12:00:00 noon",
                "12/08/2023 13:00 PM", "0/08/2023 12:00:00", "13/13/2023 12:00:00", "1/2/3/4", "08-12-202",
                "192.168.1.1", "2023-12-08 12:00:00+", "99999999999999999999", "17020368000000", "8-De-2023 12:00",
                "8-Decem-2023x", "Decembers 8 2023", "31-Feb-2023 12:00", "2023-12-08 12:00:00 +15:00",
                "2023-12-08 12:00:00 +01:60", "2023-12-08 12:00:00 CEST", "2023-12-08 12:00 a", "12/08/2023 0:00 am",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(same); i++)
                if (time_of(same[i], false) != NOON)
                        fail_msg("%s: %lld", same[i], (long long) time_of(same[i], false));
        for (size_t i = 0; i < ELEMENTS(none); i++)
                if (time_of(none[i], false) != 0)
                        fail_msg("%s: %lld", none[i], (long long) time_of(none[i], false));
        assert_int_equal(time_of("08/12/2023 12:00:00", true), NOON);
        assert_int_equal(time_of("12/8/2023 12:00:00 AM", false), NOON - 12 * 3600000);
        assert_int_equal(time_of("2023-12-08 12:00:00.250", false), NOON + 250);
        assert_int_equal(time_of("29.02.2024 00:00", false), INT64_C(1709164800000));
        /* The name of this host's zone says nothing new, that of another one nobody knows. */
        use_zone("Europe/Berlin");
        assert_int_equal(time_of("2023-12-08 12:00:00 CET", false), NOON);
        assert_int_equal(time_of("08.12.2023 12:00 CEST", false), NOON);
        assert_int_equal(time_of("2023-12-08 12:00:00 PST", false), 0);
        use_zone("UTC");
        /* The first day of a year here is the last one of another in UTC. */
        assert_int_equal(time_of("01/01/2024 00:30 +01:00", false), INT64_C(1704065400000));
}

static void test_zones(void **state) {
        struct csv_zone z = { .valid = false };
        int64_t october = INT64_C(1698537600000);  /* 2023-10-29 00:00 of the wall clock */

        (void) state;
        use_zone("Europe/Berlin");
        assert_int_equal(csv_zone_utc(&z, october), october - 2 * 3600000);
        assert_int_equal(csv_zone_utc(&z, october + 2 * 3600000), october);
        assert_int_equal(csv_zone_utc(&z, october + 3 * 3600000 - 1000), october + 3600000 - 1000);
        /* The hour comes again. */
        assert_int_equal(csv_zone_utc(&z, october + 2 * 3600000), october + 3600000);
        assert_int_equal(csv_zone_utc(&z, october + 3 * 3600000), october + 2 * 3600000);
        use_zone("UTC");
}

/* ---- numbers ---- */

static void assert_number(const char *text, char separator, int64_t value, unsigned places, const char *rest) {
        struct csv_number n;

        if (!csv_number_parse(text, separator, &n))
                fail_msg("%s: no number", text);
        assert_int_equal(n.value, value);
        assert_int_equal(n.places, places);
        assert_string_equal(n.rest, rest);
}

static void test_numbers(void **state) {
        static const char *const none[] = { "", "-", "kW", "n/a", ".", "1.2.3", "unavailable", "99999999999",
                                            "192.168.1.12", "(5", "(n/a)" };
        struct csv_number n;

        (void) state;
        assert_number("1.6560", ',', 1656000000, 4, "");
        assert_number("-0.5", ',', -500000000, 1, "");
        assert_number("+7", ',', 7000000000, 0, "");
        assert_number("1,656", ';', 1656000000, 3, "");
        assert_number("1.234,5", ';', INT64_C(1234500000000), 1, "");
        assert_number("1,234", ',', INT64_C(1234000000000), 0, "");
        assert_number("1,234.5", ',', INT64_C(1234500000000), 1, "");
        assert_number("1,5", ',', 1500000000, 1, "");
        assert_number("1'234.5 kW", ',', INT64_C(1234500000000), 1, " kW");
        assert_number("2.5e-3", ',', 2500000, 4, "");
        assert_number("1e3", ',', INT64_C(1000000000000), 0, "");
        assert_number("0.1234567891234", ',', 123456789, 9, "");
        assert_number("1 234 567,8 W", ';', INT64_C(1234567800000000), 1, " W");
        assert_number("1.234.567", ';', INT64_C(1234567000000000), 0, "");
        assert_number("5 858.9", ',', INT64_C(5858900000000), 1, "");
        assert_number("12 5", ',', INT64_C(12000000000), 0, " 5");
        assert_number("(1,234.5)", ',', -INT64_C(1234500000000), 1, "");
        assert_number("12.5-", ',', -INT64_C(12500000000), 1, "");
        assert_number("12.5 - 13", ',', INT64_C(12500000000), 1, " - 13");
        for (size_t i = 0; i < ELEMENTS(none); i++)
                if (csv_number_parse(none[i], ',', &n))
                        fail_msg("%s is no number", none[i]);
}

/* ---- files ---- */

static struct known_csv csv;
static char error[CSV_ERROR_MAX];

static int read_with(const char *text, const struct known_csv_options *options) {
        FILE *file = fmemopen((void *) text, strlen(text) ? strlen(text) : 1, "r");

        assert_non_null(file);
        if (*text == '\0')
                fgetc(file);
        known_csv_free(&csv);
        error[0] = '\0';
        return known_csv_read_stream(file, "test.csv", options, &csv, error);
}

static void read_text(const char *text, const char *column) {
        const struct known_csv_options options = { .column = column, .near_first_ms = NOON, .near_last_ms = NOON };
        int r = read_with(text, &options);

        if (r < 0)
                print_error("%s\n", error);
        assert_int_equal(r, 0);
}

static void assert_row(size_t i, int64_t utc_ms, int64_t value) {
        assert_true(i < csv.known.n);
        assert_int_equal(csv.known.rows[i].utc_ms, utc_ms);
        assert_int_equal(csv.known.rows[i].value, value);
}

static void test_forms(void **state) {
        (void) state;
        read_text("12/08/2023 12:00:00,1.6560\n12/08/2023 12:00:01,1.6790\n", NULL);
        assert_row(0, NOON, 1656000000);
        assert_row(1, NOON + 1000, 1679000000);
        assert_int_equal(csv.known.digit, 100000);
        assert_true(csv.unit_assumed && csv.is_local && csv.day_undecided == false && csv.day_first == false);
        assert_string_equal(csv.unit->name, "kW");

        read_text("\xef\xbb\xbfZeit;Leistung [W]\r\n08.12.2023 12:00:00;1.656,5\r\n08.12.2023 12:00:10;\r\n", NULL);
        assert_row(0, NOON, INT64_C(1656500000000));
        assert_row(1, NOON + 10000, KNOWN_HOLE);
        assert_string_equal(csv.unit->name, "W");
        assert_int_equal(csv.blanks, 1);

        read_text("# exported\nentity_id,state,last_changed\nsensor.v,unavailable,2023-12-08T11:59:00.000Z\n"
                  "sensor.v,230.1,2023-12-08T12:00:00.000Z\n", NULL);
        assert_row(1, NOON, INT64_C(230100000000));
        assert_string_equal(csv.column, "state");

        read_text("Date\tTime\tPhase A\tMains (kWatts)\n12/8/2023\t12:00:00\t230\t1.5\n", "mains");
        assert_row(0, NOON, 1500000000);
        assert_string_equal(csv.unit->name, "kW");
        assert_false(csv.unit_assumed);

        read_text("t,a\n1702036800,1 kWh\n1702036800,1.5 kWh\n1702036801,2 kWh\n", NULL);
        assert_row(0, NOON, 1500000000);
        assert_row(1, NOON + 1000, 2000000000);
        assert_string_equal(csv.unit->name, "kWh");
        assert_true(csv.known.is_total);

        /* No unit: kW, but no house takes 230 of them. */
        read_text("t,state\n1702036800,99\n", NULL);
        assert_string_equal(csv.unit->name, "kW");
        read_text("t,state\n1702036800,\n1702036801,5\n1702036802,-230.5\n", NULL);
        assert_string_equal(csv.unit->name, "W");
        assert_true(csv.unit_assumed);

        /* The newest first. */
        read_text("t,a\n1702036802,3\n1702036801,2\n1702036800,1\n", NULL);
        assert_row(0, NOON, 1000000000);
        assert_row(2, NOON + 2000, 3000000000);
}

/* What stands above a table, beside it and below it. */
static void test_tables(void **state) {
        (void) state;
        read_text("Account,12345\nExported,2023-12-09 09:00:00\nFrom;2023-12-08\nTime,Power (W)\n"
                  "1702036800,5\n1702036801,6\nTotal,11\n", NULL);
        assert_row(0, NOON, 5000000000);
        assert_string_equal(csv.column, "Power (W)");
        assert_int_equal(csv.rows, 2);
        assert_int_equal(csv.skipped, 1);
        /* Rows are numbered. */
        read_text("#,Time,Power (W),Voltage (V)\n1,1702036800,500,230\n2,1702036801,600,231\n", NULL);
        assert_row(0, NOON, INT64_C(500000000000));
        assert_string_equal(csv.others, "#, Voltage (V)");
        read_text("Time,Power (W)\n1702036800,5\n", "power");
        assert_string_equal(csv.others, "");
        /* The clock stands before the day. */
        read_text("Time,Date,W\n12:00:00,12/08/2023,5\n12:00:01,12/08/2023,6\n", NULL);
        assert_row(1, NOON + 1000, 6000000000);
        read_text("TYPE,DATE,START TIME,END TIME,USAGE,UNITS,NOTES\nElectric,2023-12-08,12:00,12:14,0.25,kWh,\n"
                  "Electric,2023-12-08,12:15,12:29,0.20,kWh,\n", NULL);
        assert_row(0, NOON, 250000000);
        assert_string_equal(csv.unit->name, "kWh");
        assert_false(csv.unit_assumed);
}

/* An app that turns to kW where W become many, and cells that hold words. */
static void test_cells(void **state) {
        (void) state;
        read_text("t,v\n1702036800,950 W\n1702036801,1.234 kW\n1702036802,N/A\n1702036803,230 V\n1702036804,\n",
                  NULL);
        assert_string_equal(csv.unit->name, "W");
        assert_row(0, NOON, INT64_C(950000000000));
        assert_row(1, NOON + 1000, INT64_C(1234000000000));
        assert_row(3, NOON + 3000, KNOWN_HOLE);
        assert_int_equal(csv.known.digit, KNOWN_UNITS);
        assert_int_equal(csv.not_numbers, 2);
        assert_string_equal(csv.not_number, "N/A");
        assert_int_equal(csv.blanks, 3);
        /* The last place of 1.2 kW is worth 100 W. */
        read_text("t,v\n1702036800,950 W\n1702036801,1.2 kW\n", NULL);
        assert_int_equal(csv.known.digit, 100 * (int64_t) KNOWN_UNITS);
        read_text("t,W\n1702036800,1\n1702036800,2\n1702036801,3\n", NULL);
        assert_int_equal(csv.known.repeated, 1);
        /* Typeset blanks, minus and apostrophe. */
        read_text("t;W\n1702036800;1\xc2\xa0" "234,5\n1702036801;\xe2\x88\x92" "1\xe2\x80\xaf" "234,5\n"
                  "1702036802;1\xe2\x80\x99" "234,5\n1702036803;1\xa0" "234,5\n", NULL);
        assert_row(0, NOON, INT64_C(1234500000000));
        assert_row(1, NOON + 1000, -INT64_C(1234500000000));
        assert_row(2, NOON + 2000, INT64_C(1234500000000));
        assert_row(3, NOON + 3000, INT64_C(1234500000000));
}

static void test_thousands(void **state) {
        (void) state;
        read_text("t;W\n1702036800;1.234\n1702036801;987\n1702036802;12.000\n", NULL);
        assert_true(csv.were_thousands);
        assert_row(0, NOON, INT64_C(1234000000000));
        assert_row(1, NOON + 1000, INT64_C(987000000000));
        assert_int_equal(csv.known.digit, KNOWN_UNITS);
        /* One that has other than three places, or begins with 0, settles it; so do small whole ones. */
        read_text("t;kW\n1702036800;1.234\n1702036801;987\n1702036802;1.5\n", NULL);
        assert_row(0, NOON, 1234000000);
        read_text("t;kW\n1702036800;1.234\n1702036801;987\n1702036802;0.500\n", NULL);
        assert_row(0, NOON, 1234000000);
        read_text("t;kW\n1702036800;1.234\n1702036801;2\n", NULL);
        assert_row(0, NOON, 1234000000);
        assert_false(csv.were_thousands);
}

/* Of whole numbers the zeros at the end tell that they were rounded, where there are enough of them. */
static void test_rounding(void **state) {
        static const struct { int step; unsigned n; int64_t digit; } cases[] = {
                { 10, 40, 10 }, { 100, 40, 100 }, { 1000, 40, 100 }, { 10, 10, 1 }, { 5, 40, 1 },
        };

        (void) state;
        for (size_t c = 0; c < ELEMENTS(cases); c++) {
                char text[4096] = "t,W\n";

                for (unsigned i = 0; i < cases[c].n; i++)
                        snprintf(text + strlen(text), sizeof text - strlen(text), "%u,%d\n", 1702036800 + i,
                                 (int) (i * i % 31) * cases[c].step);
                read_text(text, NULL);
                assert_int_equal(csv.known.digit, cases[c].digit * KNOWN_UNITS);
        }
}

/* The hour that comes twice in autumn, the newest row first. */
static void test_autumn_backwards(void **state) {
        (void) state;
        use_zone("Europe/Berlin");
        read_text("t,W\n29.10.2023 03:00,5\n29.10.2023 02:30,4\n29.10.2023 02:00,3\n29.10.2023 02:30,2\n"
                  "29.10.2023 02:00,1\n", NULL);
        use_zone("UTC");
        assert_int_equal(csv.known.n, 5);
        for (size_t i = 0; i < 5; i++)
                assert_row(i, INT64_C(1698537600000) + (int64_t) i * 1800000, (int64_t) (i + 1) * KNOWN_UNITS);
}

static void test_columns(void **state) {
        const char *text = "time,name,power_w,voltage_v\n1702036800,x,5,230\n1702036801,y,6,231\n";

        (void) state;
        read_text(text, NULL);
        assert_string_equal(csv.column, "power_w");
        read_text(text, "voltage_v");
        assert_row(0, NOON, INT64_C(230000000000));
        assert_string_equal(csv.unit->quantity, "voltage_v");
        read_text(text, "4");
        assert_string_equal(csv.column, "voltage_v");
}

static void test_days_and_months(void **state) {
        const struct known_csv_options near = { .near_first_ms = NOON, .near_last_ms = NOON };
        const struct known_csv_options nowhere = { .near_first_ms = 0, .near_last_ms = INT64_MAX / 4 };

        (void) state;
        assert_int_equal(read_with("08/12/2023 12:00:00,1\n", &near), 0);
        assert_true(csv.day_first);
        assert_false(csv.day_undecided);
        assert_row(0, NOON, 1000000000);
        assert_int_equal(read_with("12/08/2023 12:00:00,1\n", &near), 0);
        assert_false(csv.day_first);
        assert_int_equal(read_with("12/08/2023 12:00:00,1\n13/08/2023 12:00:00,1\n", &near), 0);
        assert_true(csv.day_first && !csv.day_undecided);
        assert_int_equal(read_with("08/12/2023 12:00:00,1\n", &nowhere), 0);
        assert_true(csv.day_undecided);
}

static void test_energies(void **state) {
        char text[4096] = "time,kWh\n";

        (void) state;
        for (unsigned i = 0; i < 40; i++)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%u,%u.5\n", 1702036800 + 900 * i, i % 5);
        read_text(text, NULL);
        assert_true(csv.were_increments && csv.known.is_total);
        assert_row(0, NOON, 0);
        assert_row(1, NOON + 900000, 500000000);
        assert_row(2, NOON + 1800000, 2000000000);
}

static void test_holes(void **state) {
        size_t hint = 0;
        int64_t v;

        (void) state;
        read_text("t,W\n1702036800,1\n1702036801,2\n1702036802,3\n1702036862,4\n1702036863,5\n1702036864,6\n"
                  "1702036865,\n1702036866,7\n1702036867,8\n", NULL);
        assert_int_equal(csv.known.interval_ms, 1000);
        assert_int_equal(csv.known.hold_ms, 2000);
        assert_int_equal(csv.known.holes, 2);
        assert_true(known_at(&csv.known, NOON + 1999, &hint, &v));
        assert_int_equal(v, 2000000000);
        assert_true(known_at(&csv.known, NOON + 2999, &hint, &v));
        assert_false(known_at(&csv.known, NOON + 3000, &hint, &v));
        assert_false(known_at(&csv.known, NOON + 61999, &hint, &v));
        assert_true(known_at(&csv.known, NOON + 62000, &hint, &v));
        assert_false(known_at(&csv.known, NOON + 65500, &hint, &v));
        assert_false(known_at(&csv.known, NOON - 1, &hint, &v));
        assert_false(known_at(&csv.known, NOON + 68000, &hint, &v));
}

/* ---- mistakes ---- */

static void assert_mistake(const char *text, const char *column, const char *part) {
        const struct known_csv_options options = { .column = column };

        assert_true(read_with(text, &options) < 0);
        if (!strstr(error, part) || strncmp(error, "test.csv:", 9) != 0)
                fail_msg("'%s' is not in '%s'", part, error);
}

static void test_mistakes(void **state) {
        (void) state;
        assert_mistake("", NULL, "no row with a time");
        assert_mistake("a,b\nc,d\n", NULL, "no row with a time");
        assert_mistake("t,name\n1702036800,x\n", NULL, "no row with a value");
        assert_mistake("t,W,name\n1702036800,1,x\n", "name", "no row with a value in column name");
        assert_mistake("t,W\n1702036800,1\n", "current", "there is no column 'current' for --column; expected a "
                       "number from 1 to 2 or one of t, W");
        assert_mistake("t,W\n1702036800,1\n", "9", "there is no column '9'");
        assert_mistake("t,W\n1702036800,1\n", "0", "there is no column '0'");
        assert_mistake("t,W\n1702036800,1\n", "t", "holds the time");
        assert_mistake("t,W\n1702036800,\"1\n", NULL, "a quote without its end");
}

static int clear(void **state) {
        (void) state;
        known_csv_free(&csv);
        return 0;
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_zones),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_tables),
                cmocka_unit_test(test_cells),
                cmocka_unit_test(test_thousands),
                cmocka_unit_test(test_rounding),
                cmocka_unit_test(test_autumn_backwards),
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_days_and_months),
                cmocka_unit_test(test_energies),
                cmocka_unit_test(test_holes),
                cmocka_unit_test(test_mistakes),
        };

        use_zone("UTC");
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, clear);
}
