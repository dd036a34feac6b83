/* home-assistant.yaml, read back with libyaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "api_bench.h"
#include "base/cleanup.h"

#define PATH "/api/v1/home-assistant.yaml"

static void load(struct fixture *f, const char *target, yaml_document_t *document) {
        yaml_parser_t parser;
        struct reply reply;
        const char *text = get_text(f, target, "application/yaml", &reply);

        assert_true(yaml_parser_initialize(&parser));
        yaml_parser_set_input_string(&parser, (const unsigned char *) text, reply.body.len);
        if (!yaml_parser_load(&parser, document))
                fail_msg("line %zu: %s", parser.problem_mark.line + 1, parser.problem);
        yaml_parser_delete(&parser);
        reply_free(&reply);
}

/* A member of a map, NULL when it has none. */
static yaml_node_t *member(yaml_document_t *d, yaml_node_t *map, const char *key) {
        assert_int_equal(map->type, YAML_MAPPING_NODE);
        for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
                if (strcmp((const char *) yaml_document_get_node(d, p->key)->data.scalar.value, key) == 0)
                        return yaml_document_get_node(d, p->value);
        return NULL;
}

static const char *text_of(yaml_document_t *d, yaml_node_t *map, const char *key) {
        yaml_node_t *node = member(d, map, key);

        return node ? (const char *) node->data.scalar.value : NULL;
}

static unsigned count(const yaml_node_t *list) {
        assert_int_equal(list->type, YAML_SEQUENCE_NODE);
        return (unsigned) (list->data.sequence.items.top - list->data.sequence.items.start);
}

static yaml_node_t *item(yaml_document_t *d, yaml_node_t *list, unsigned i) {
        return yaml_document_get_node(d, list->data.sequence.items.start[i]);
}

static yaml_node_t *rest_of(yaml_document_t *d) {
        return member(d, yaml_document_get_root_node(d), "rest");
}

/* The sensor of that unique_id. */
static yaml_node_t *sensor(yaml_document_t *d, const char *id) {
        yaml_node_t *rest = rest_of(d);

        for (unsigned i = 0; i < count(rest); i++) {
                yaml_node_t *sensors = member(d, item(d, rest, i), "sensor");

                for (unsigned k = 0; k < count(sensors); k++)
                        if (strcmp(text_of(d, item(d, sensors, k), "unique_id"), id) == 0)
                                return item(d, sensors, k);
        }
        return NULL;
}

static void test_structure(void **state) {
        yaml_document_t d;
        yaml_node_t *rest;

        load(*state, PATH, &d);
        rest = rest_of(&d);
        assert_int_equal(count(rest), 3);
        assert_string_equal(text_of(&d, item(&d, rest, 0), "resource"),
                            "http://meter.local:8730/api/v1/meters/main/now");
        assert_string_equal(text_of(&d, item(&d, rest, 0), "scan_interval"), "10");
        assert_null(member(&d, item(&d, rest, 0), "headers"));
        assert_int_equal(count(member(&d, item(&d, rest, 0), "sensor")), 8);
        assert_int_equal(count(member(&d, item(&d, rest, 1), "sensor")), 8);
        yaml_document_delete(&d);
}

static void test_sensor(void **state) {
        yaml_document_t d;
        yaml_node_t *s;

        load(*state, PATH, &d);
        s = sensor(&d, "metergate_main_power_w");
        assert_non_null(s);
        assert_string_equal(text_of(&d, s, "name"), "House \"main\" \\ gr\xc3\xbcn Active power");
        assert_string_equal(text_of(&d, s, "device_class"), "power");
        assert_string_equal(text_of(&d, s, "state_class"), "measurement");
        assert_string_equal(text_of(&d, s, "unit_of_measurement"), "W");
        assert_string_equal(text_of(&d, s, "value_template"), "{% set value = (value_json | default({})).power_w %}"
                            "{{ value if value is number else {} | dictsort(by='null') }}");
        assert_string_equal(text_of(&d, s, "availability"), "{{ (value_json | default({})).power_w is number }}");
        assert_null(text_of(&d, sensor(&d, "metergate_main_power_factor"), "unit_of_measurement"));
        s = sensor(&d, "metergate_three_l1_power_w");
        assert_string_equal(text_of(&d, s, "availability"),
                            "{{ (((value_json | default({})).channels | default({})).l1 | default({})).power_w "
                            "is number }}");
        s = sensor(&d, "metergate_three_energy_import_kwh");
        assert_string_equal(text_of(&d, s, "device_class"), "energy");
        assert_string_equal(text_of(&d, s, "state_class"), "total");
        assert_string_equal(text_of(&d, s, "unit_of_measurement"), "kWh");
        /* Integrated. */
        s = sensor(&d, "metergate_main_energy_export_kwh");
        assert_string_equal(text_of(&d, s, "availability"),
                            "{{ (value_json | default({})).energy_export_kwh is number }}");
        assert_string_equal(text_of(&d, s, "state_class"), "total");
        assert_non_null(sensor(&d, "metergate_three_l2_energy_import_kwh"));
        assert_null(sensor(&d, "metergate_three_energy_export_kwh"));
        yaml_document_delete(&d);
}

static void test_parameters(void **state) {
        static const char *const good[] = {
                "https://gate.example/meters", "http://[::1]:8730", "http://192.168.1.5:8730",
        };
        char target[256], expected[128];
        yaml_document_t d;

        for (unsigned i = 0; i < ELEMENTS(good); i++) {
                snprintf(target, sizeof target, "%s?url=%s/&scan_interval=3600", PATH, good[i]);
                snprintf(expected, sizeof expected, "%s/api/v1/meters/main/now", good[i]);
                load(*state, target, &d);
                assert_string_equal(text_of(&d, item(&d, rest_of(&d), 0), "resource"), expected);
                assert_string_equal(text_of(&d, item(&d, rest_of(&d), 0), "scan_interval"), "3600");
                yaml_document_delete(&d);
        }
}

static void test_one_meter(void **state) {
        yaml_document_t d;

        load(*state, PATH "?meter=three", &d);
        assert_int_equal(count(rest_of(&d)), 1);
        assert_non_null(sensor(&d, "metergate_three_l1_power_w"));
        assert_null(sensor(&d, "metergate_main_power_w"));
        yaml_document_delete(&d);
        /* Of which nothing is known yet. */
        load(*state, PATH "?meter=unknown", &d);
        assert_int_equal(count(rest_of(&d)), 0);
        yaml_document_delete(&d);
}

static void test_bad_parameters(void **state) {
        static const struct {
                const char *query, *parameter;
        } bad[] = {
                { "url=", "\"url\"" },
                { "url=gate:8730", "\"url\"" },
                { "url=ftp://gate", "\"url\"" },
                { "url=http://", "\"url\"" },
                { "url=http://:80", "\"url\"" },
                { "url=http://gate:99999", "\"url\"" },
                { "url=http://gate:80x", "\"url\"" },
                { "url=http://gate/%22%0Aevil:", "\"url\"" },
                { "url=http://me@gate", "\"url\"" },
                { "url=http://gate/?a=b", "\"url\"" },
                { "scan_interval=0", "\"scan_interval\"" },
                { "scan_interval=3601", "\"scan_interval\"" },
                { "scan_interval=-5", "\"scan_interval\"" },
                { "scan_interval=10s", "\"scan_interval\"" },
                { "scan_interval=", "\"scan_interval\"" },
                { "interval=5", "\"interval\"" },
                { "meter=", "\"meter\"" },
                { "meter=nowhere", "\"meter\"" },
                { "meter=main&meter=three", "\"meter\"" },
        };
        struct reply reply;
        char target[256];

        for (unsigned i = 0; i < ELEMENTS(bad); i++) {
                snprintf(target, sizeof target, "%s?%s", PATH, bad[i].query);
                get(*state, target, &reply);
                if (reply.status != 400 || !strstr(reply.body.data, bad[i].parameter))
                        fail_msg("%s: %u %s", bad[i].query, reply.status, reply.body.data);
                reply_free(&reply);
        }
}

static void test_token(void **state) {
        struct fixture *f = *state;
        yaml_node_t *headers, *secret;
        yaml_document_t d;

        f->config.http.access = ACCESS_TOKEN;
        load(f, PATH, &d);
        headers = member(&d, item(&d, rest_of(&d), 0), "headers");
        assert_non_null(headers);
        secret = member(&d, headers, "Authorization");
        assert_string_equal((const char *) secret->tag, "!secret");
        assert_string_equal((const char *) secret->data.scalar.value, "metergate_token");
        yaml_document_delete(&d);
        f->config.http.access = ACCESS_OPEN;
}

static void test_unknown_product_is_a_comment(void **state) {
        struct reply reply;
        const char *text = get_text(*state, PATH, "application/yaml", &reply);

        assert_non_null(strstr(text, "\n  # unknown: not known yet"));
        assert_non_null(strstr(text, "packages"));
        reply_free(&reply);
}

static void test_no_meters(void **state) {
        struct fixture *f = *state;
        struct fleet *none;
        yaml_document_t d;

        assert_int_equal(fleet_new(f->event, NULL, NULL, NULL, &none), 0);
        f->app.fleet = none;
        load(f, PATH, &d);
        assert_int_equal(count(rest_of(&d)), 0);
        yaml_document_delete(&d);
        f->app.fleet = f->fleet;
        fleet_free(none);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_structure),
                cmocka_unit_test(test_sensor),
                cmocka_unit_test(test_parameters),
                cmocka_unit_test(test_one_meter),
                cmocka_unit_test(test_bad_parameters),
                cmocka_unit_test(test_token),
                cmocka_unit_test(test_unknown_product_is_a_comment),
                cmocka_unit_test(test_no_meters),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, bench_setup, bench_teardown);
}
