/* Which price holds when, from the configuration's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "config/tariffs.h"

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static struct config *parse(const char *tariffs) {
        struct config_error error = { .text = "" };
        struct config *c = NULL;
        char text[1024];

        snprintf(text, sizeof text, "meters: []\ntariffs:\n%s", tariffs);
        if (config_parse("t.yaml", text, strlen(text), &c, &error) < 0)
                fail_msg("%s", error.text);
        return c;
}

static void assert_refused(const char *tariffs, const char *expected) {
        struct config_error error = { .text = "" };
        struct config *c = NULL;
        char text[1024];

        snprintf(text, sizeof text, "meters: []\ntariffs:\n%s", tariffs);
        assert_int_equal(config_parse("t.yaml", text, strlen(text), &c, &error), -22);
        assert_string_equal(error.text, expected);
}

static const char *name_at(const struct config *c, unsigned weekday, unsigned hour, unsigned minute) {
        const struct tariff *t = tariff_at(c->tariffs, c->n_tariffs, weekday, hour * 60 + minute);

        return t ? t->name : "none";
}

static void first_that_fits_wins(void **state) {
        CLEANUP(config_freep) struct config *c = parse(
                "  - { name: day, price: 0.28, currency: EUR, days: mon-fri, hours: \"06:00-22:00\" }\n"
                "  - { name: night, price: 0.19, currency: EUR }\n");

        (void) state;
        assert_int_equal(c->n_tariffs, 2);
        assert_int_equal(c->n_warnings, 0);
        assert_int_equal(c->tariffs[0].price, 280000);
        assert_string_equal(c->tariffs[1].currency, "EUR");
        assert_string_equal(name_at(c, MON, 5, 59), "night");
        assert_string_equal(name_at(c, MON, 6, 0), "day");
        assert_string_equal(name_at(c, FRI, 21, 59), "day");
        assert_string_equal(name_at(c, FRI, 22, 0), "night");
        assert_string_equal(name_at(c, SAT, 12, 0), "night");
        assert_null(tariff_at(c->tariffs, 0, MON, 0));
}

static void over_midnight(void **state) {
        CLEANUP(config_freep) struct config *c = parse(
                "  - { name: night, price: 0.1, currency: PLN, days: fri, hours: '22:30-06:15, 13:00-15:00' }\n"
                "  - { name: weekend, price: 0.000001, currency: PLN, days: sat-mon }\n"
                "  - { name: rest, price: -0.5, currency: PLN, days: 'tue-thu,fri' }\n");

        (void) state;
        assert_int_equal(c->n_warnings, 0);
        assert_int_equal(c->tariffs[1].price, 1);
        assert_int_equal(c->tariffs[2].price, -500000);
        assert_string_equal(name_at(c, FRI, 22, 29), "rest");
        assert_string_equal(name_at(c, FRI, 22, 30), "night");
        assert_string_equal(name_at(c, FRI, 23, 59), "night");
        assert_string_equal(name_at(c, FRI, 0, 0), "night");
        assert_string_equal(name_at(c, FRI, 6, 14), "night");
        assert_string_equal(name_at(c, FRI, 6, 15), "rest");
        assert_string_equal(name_at(c, FRI, 14, 0), "night");
        /* Both the day and the hour are those of the clock. */
        assert_string_equal(name_at(c, SAT, 2, 0), "weekend");
        assert_string_equal(name_at(c, SUN, 23, 45), "weekend");
        assert_string_equal(name_at(c, MON, 0, 0), "weekend");
        assert_string_equal(name_at(c, TUE, 0, 0), "rest");
}

static void whole_days(void **state) {
        CLEANUP(config_freep) struct config *c = parse(
                "  - { name: a, price: 1, currency: CHF, days: tue, hours: '00:00-24:00' }\n"
                "  - { name: b, price: 2, currency: CHF, days: wed-tue, hours: '18:00-24:00,00:00-18:00' }\n");

        (void) state;
        assert_int_equal(c->n_warnings, 0);
        for (unsigned minute = 0; minute < 24 * 60; minute++) {
                assert_string_equal(name_at(c, TUE, 0, minute), "a");
                assert_string_equal(name_at(c, WED, 0, minute), "b");
                assert_string_equal(name_at(c, MON, 0, minute), "b");
        }
}

static void holes_are_told(void **state) {
        CLEANUP(config_freep) struct config *c = parse(
                "  - { name: day, price: 1, currency: EUR, days: mon-fri }\n"
                "  - { name: rest, price: 1, currency: EUR, days: 'sat,sun', hours: '00:00-23:45' }\n");

        (void) state;
        assert_int_equal(c->n_warnings, 1);
        assert_string_equal(c->warnings[0], "t.yaml:3:3: tariffs: no price holds on sat at 23:45; the cost of such "
                            "times is not known");
        assert_null(tariff_at(c->tariffs, c->n_tariffs, SUN, 23 * 60 + 59));
        assert_non_null(tariff_at(c->tariffs, c->n_tariffs, SUN, 23 * 60 + 44));
}

static void mistakes(void **state) {
        (void) state;
        assert_refused("  - { name: a, price: 1, currency: EUR }\n  - { name: b, price: 1, currency: USD }\n",
                       "t.yaml:4:36: tariffs[1].currency: \"USD\" is a second currency, and costs in two cannot be "
                       "added up; expected EUR");
        assert_refused("  - { name: a, price: 1, currency: EUR, hours: '06:05-22:00' }\n",
                       "t.yaml:3:48: tariffs[0].hours: \"06:05-22:00\" cannot be read; expected times of day in "
                       "quarter hours such as \"06:00-22:00\"");
        assert_refused("  - { name: a, price: 1, currency: EUR, hours: '06:00-06:00' }\n",
                       "t.yaml:3:48: tariffs[0].hours: \"06:00-06:00\" cannot be read; expected times of day in "
                       "quarter hours such as \"06:00-22:00\"");
        assert_refused("  - { name: a, price: 1, currency: EUR, days: mon-friday }\n",
                       "t.yaml:3:47: tariffs[0].days: \"mon-friday\" cannot be read; expected days such as "
                       "mon-fri or mon,wed,sat");
        assert_refused("  - { name: a, price: 1, currency: EUR, days: 'mon,' }\n",
                       "t.yaml:3:47: tariffs[0].days: \"mon,\" cannot be read; expected days such as "
                       "mon-fri or mon,wed,sat");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(first_that_fits_wins), cmocka_unit_test(over_midnight), cmocka_unit_test(whole_days),
                cmocka_unit_test(holes_are_told),       cmocka_unit_test(mistakes),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
