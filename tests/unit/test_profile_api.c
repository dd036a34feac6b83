/* The profile of a meter as a file: as it is, and with what somebody accepts of the suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/accept.h"
#include "api_bench.h"
#include "base/cleanup.h"
#include "config/profile_file.h"
#include "protocols/quantity.h"

#define MAIN_YAML "/api/v1/meters/main/profile.yaml"
#define THREE_YAML "/api/v1/meters/three/profile.yaml"
#define UNKNOWN_YAML "/api/v1/meters/unknown/profile.yaml"

/* What serve would make of the answer. */
static struct profile *read_answer(struct fixture *f, const char *target) {
        struct config_error error = { .text = "" };
        struct profile *p = NULL;
        struct reply reply;
        const char *text = get_text(f, target, "application/yaml", &reply);

        assert_string_equal(reply.disposition, "attachment; filename=\"profile.yaml\"");
        if (profile_parse("answer", text, reply.body.len, &p, &error) < 0)
                fail_msg("%s in\n%s", error.text, text);
        reply_free(&reply);
        return p;
}

static void expect_problem(struct fixture *f, const char *target, unsigned status, const char *parameter,
                           const char *words) {
        char expected[80];
        struct reply reply;

        get(f, target, &reply);
        if (reply.status != status || !strstr(reply.body.data, words))
                fail_msg("%s: %u %s; expected %u with: %s", target, reply.status, reply.body.data, status, words);
        snprintf(expected, sizeof expected, "\"parameter\":\"%s\"", parameter ? parameter : "");
        assert_int_equal(strstr(reply.body.data, expected) != NULL, parameter != NULL);
        assert_null(reply.disposition);
        reply_free(&reply);
}

static void test_the_profile_in_use(void **state) {
        CLEANUP(profile_freep) struct profile *p = read_answer(*state, MAIN_YAML);
        CLEANUP(profile_freep) struct profile *renamed = read_answer(*state, MAIN_YAML "?name=other-1");

        assert_string_equal(p->name, "plug");
        assert_int_equal(p->n_product_keys, 0);
        assert_int_equal(p->n_datapoints, 4);
        assert_string_equal(renamed->name, "other-1");
        assert_int_equal(renamed->n_datapoints, 4);
}

static void test_of_a_meter_that_has_none(void **state) {
        CLEANUP(profile_freep) struct profile *p =
                read_answer(*state, UNKNOWN_YAML "?accept=19:power_w:0.1,20:voltage_v:0.1,18:current_a:0.001");

        assert_string_equal(p->name, "unknown");
        assert_string_equal(p->title, "Unknown");
        assert_string_equal(p->protocol, "tuyamcu");
        assert_int_equal(p->n_product_keys, 1);
        assert_string_equal(p->product_keys[0], "abcdefgh12345678");
        assert_int_equal(p->n_datapoints, 3);
        assert_int_equal(p->datapoints[0].id, 19);
        assert_int_equal(p->datapoints[0].type, DATAPOINT_VALUE);
        assert_int_equal(p->datapoints[0].quantity, Q_POWER);
        assert_int_equal(p->datapoints[0].scale_num, 100);
        assert_int_equal(p->datapoints[0].scale_den, 1);
        assert_int_equal(p->datapoints[2].quantity, Q_CURRENT);
        assert_int_equal(p->datapoints[2].scale_num, 1);
}

static void test_rows_take_the_place_of_others(void **state) {
        CLEANUP(profile_freep) struct profile *p = read_answer(*state, MAIN_YAML "?accept=19:l1.power_w:1:inverted");
        const struct profile_datapoint *row = profile_datapoint(p, 19);

        assert_string_equal(p->name, "main");
        assert_string_equal(p->title, "Test meter");
        assert_int_equal(p->n_datapoints, 4);
        assert_non_null(profile_datapoint(p, 18));
        assert_non_null(profile_datapoint(p, 26));
        assert_int_equal(row->scale_num, 1000);
        assert_true(row->inverted);
        assert_string_equal(p->channels[row->channel], "l1");
}

static void test_everything_a_row_can_have(void **state) {
        CLEANUP(profile_freep) struct profile *p = read_answer(*state, THREE_YAML
                "?name=all&accept=17:l2.phase:0.1,104:voltages,11:direction,"
                "4:l2.power_w:0.1:direction:11:2,12:energy_export_kwh:0.01:increment,3:l9.voltage_v");

        assert_string_equal(p->name, "all");
        assert_int_equal(profile_datapoint(p, 17)->layout, LAYOUT_PHASE);
        assert_int_equal(profile_datapoint(p, 17)->power_den, 10);
        assert_int_equal(profile_datapoint(p, 104)->layout, LAYOUT_VOLTAGES);
        assert_string_equal(profile_datapoint(p, 11)->name, "direction");
        assert_int_equal(profile_datapoint(p, 4)->direction_id, 11);
        assert_int_equal(profile_datapoint(p, 4)->direction_reverse, 2);
        assert_true(profile_datapoint(p, 12)->is_increment);
        assert_int_equal(profile_datapoint(p, 12)->scale_num, 10000);
        assert_int_equal(profile_datapoint(p, 3)->scale_num, 1000);
        /* The three voltages bring a third channel, the last row a fourth. */
        assert_int_equal(p->n_channels, 5);
        assert_string_equal(p->channels[3], "l3");
        assert_string_equal(p->channels[4], "l9");
}

static void test_what_is_refused(void **state) {
        static const struct {
                const char *target, *words;
        } mistakes[] = {
                { MAIN_YAML "?accept=1", "\\\"1\\\": a piece is DP:MEANING[:SCALE]" },
                { MAIN_YAML "?accept=19:power_w,", "\\\"\\\": a piece is" },
                { MAIN_YAML "?accept=0:power_w", "a piece is" },
                { MAIN_YAML "?accept=256:power_w", "a piece is" },
                { MAIN_YAML "?accept=%2B9:power_w", "a piece is" },
                { MAIN_YAML "?accept=19:watts", "watts is neither a quantity's key nor a layout nor direction" },
                { MAIN_YAML "?accept=19:L1.power_w", "does not begin with a channel's name" },
                { MAIN_YAML "?accept=19:.power_w", "does not begin with a channel's name" },
                { MAIN_YAML "?accept=19:ninechars.power_w", "does not begin with a channel's name" },
                { MAIN_YAML "?accept=19:power_w:0", "0 is not a scale" },
                { MAIN_YAML "?accept=19:power_w:1e3", "1e3 is not a scale" },
                { MAIN_YAML "?accept=19:power_w:0.0000000000001", "is not a scale" },
                { MAIN_YAML "?accept=19:power_w:1000001", "is not a scale" },
                { MAIN_YAML "?accept=19:power_w:direction:20", "direction is not followed by" },
                { MAIN_YAML "?accept=19:power_w:direction:20:256", "direction is not followed by" },
                { MAIN_YAML "?accept=19:power_w:1:1:1:1:1:1:1:1", "too long" },
                { MAIN_YAML "?accept=77:power_w", "\\\"77:power_w\\\": the meter has not sent this datapoint" },
                { MAIN_YAML "?accept=26:power_w", "\\\"26:power_w\\\": quantity: \\\"power_w\\\" comes from" },
                { MAIN_YAML "?accept=18:current_a,18:voltage_v", "\\\"18:voltage_v\\\": dp: datapoint" },
                { MAIN_YAML "?accept=19:phase", "\\\"19:phase\\\": layout: a datapoint of type value has no layout" },
                { THREE_YAML "?accept=17:phase:0.2", "0.2 is not 1 or 0.1" },
                { THREE_YAML "?accept=1:energy_import_kwh,17:power_w",
                  "\\\"17:power_w\\\": quantity: a datapoint of type raw holds no number" },
                { UNKNOWN_YAML "?accept=105:power_w", "of type string holds no number" },
        };

        for (size_t i = 0; i < ELEMENTS(mistakes); i++)
                expect_problem(*state, mistakes[i].target, 400, "accept", mistakes[i].words);
        expect_problem(*state, MAIN_YAML "?name=A", 400, "name", "1 to 32 of a-z, 0-9 and -");
        expect_problem(*state, MAIN_YAML "?acept=1", 400, "acept", "unknown query parameter");
        expect_problem(*state, UNKNOWN_YAML, 404, NULL, "datapoints?suggest=1");
        expect_problem(*state, "/api/v1/meters/nobody/profile.yaml", 404, NULL, "nobody");
}

static void test_too_many_pieces(void **state) {
        struct accepted accepted;
        struct buffer text, error;

        (void) state;
        buffer_init(&text, ACCEPT_TEXT_MAX);
        buffer_init(&error, 200);
        for (unsigned i = 0; i < ACCEPT_ROWS_MAX; i++)
                buffer_puts(&text, i ? ",9:phase" : "9:phase");
        assert_int_equal(accept_parse(text.data, &accepted, &error), 0);
        assert_int_equal(accepted.count, ACCEPT_ROWS_MAX);
        buffer_puts(&text, ",9:phase");
        assert_int_equal(accept_parse(text.data, &accepted, &error), -EINVAL);
        assert_string_equal(error.data, "there are more than 64 pieces");
        buffer_free(&text);
        buffer_free(&error);
}

/* Whatever is suggested, the piece made of it says the same; what a row cannot say has none. */
static void test_pieces_of_hypotheses(void **state) {
        static const struct {
                struct hypothesis h;
                bool is_word;
                const char *piece;
        } cases[] = {
                { { .quantity = Q_POWER, .scale_num = 1, .scale_den = 10 }, false, "7:power_w:0.1" },
                { { .quantity = Q_VOLTAGE, .channel = "l1", .scale_num = 1, .scale_den = 1 }, false,
                  "7:l1.voltage_v:1" },
                { { .quantity = Q_POWER, .scale_num = 10, .scale_den = 1, .inverted = true, .direction_id = 9,
                    .direction_reverse = 1 }, false, "7:power_w:10:inverted:direction:9:1" },
                { { .quantity = Q_ENERGY_IMPORT, .scale_num = 1, .scale_den = 1000, .is_increment = true }, false,
                  "7:energy_import_kwh:0.001:increment" },
                { { .quantity = Q_NONE, .layout = LAYOUT_PHASE, .channel = "a" }, false, "7:a.phase" },
                { { .quantity = Q_NONE, .layout = LAYOUT_POWERS, .power_den = 10 }, false, "7:powers:0.1" },
                { { .quantity = Q_NONE, .is_direction = true }, false, "7:direction" },
                { { .quantity = Q_POWER, .scale_num = 1, .scale_den = 10 }, true, NULL },
                { { .quantity = Q_NONE }, false, NULL },
        };
        struct accepted accepted;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct suggestion s = { .id = 7, .is_word = cases[i].is_word };
                const struct hypothesis *h = &cases[i].h;
                struct buffer text, error;

                buffer_init(&text, 100);
                buffer_init(&error, 100);
                assert_int_equal(accept_put(&text, &s, h), cases[i].piece != NULL);
                assert_int_equal(text.len > 0, cases[i].piece != NULL);
                if (cases[i].piece) {
                        assert_string_equal(text.data, cases[i].piece);
                        assert_int_equal(accept_parse(text.data, &accepted, &error), 0);
                        assert_int_equal(accepted.rows[0].row.quantity, h->quantity);
                        assert_int_equal(accepted.rows[0].row.inverted, h->inverted);
                        assert_int_equal(accepted.rows[0].row.is_increment, h->is_increment);
                        assert_int_equal(accepted.rows[0].row.direction_id, h->direction_id);
                        assert_string_equal(accepted.rows[0].channel, h->channel);
                }
                buffer_free(&text);
                buffer_free(&error);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_profile_in_use),
                cmocka_unit_test(test_of_a_meter_that_has_none),
                cmocka_unit_test(test_rows_take_the_place_of_others),
                cmocka_unit_test(test_everything_a_row_can_have),
                cmocka_unit_test(test_what_is_refused),
                cmocka_unit_test(test_too_many_pieces),
                cmocka_unit_test(test_pieces_of_hypotheses),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, bench_setup, bench_teardown);
}
