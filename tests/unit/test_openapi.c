/* The API's document: complete, and of one mind with the table of routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "base/cleanup.h"

static json_t *document_of(enum access_mode access) {
        struct request request = { .method = "GET", .host = "", .content_type = "", .role = HTTP_ROLE_READ };
        struct config config = { .http.access = access };
        struct app app = { .config = &config };
        char target[] = "/api/v1/openapi.json", scratch[64];
        struct reply reply;
        json_error_t error;
        json_t *document;

        reply_init(&reply);
        assert_true(request_set_target(&request, target, &reply));
        assert_true(route_dispatch(api_routes, api_n_routes, &app, &request, scratch, sizeof scratch, &reply) >= 0);
        assert_int_equal(reply.status, 200);
        document = json_loadb(reply.fixed, reply.fixed_len, JSON_REJECT_DUPLICATES, &error);
        if (!document)
                fail_msg("%s at %d", error.text, error.position);
        reply_free(&reply);
        return document;
}

static json_t *operation_of(json_t *document, const struct route *route) {
        json_t *item = json_object_get(json_object_get(document, "paths"), route->pattern);

        return json_object_get(item, strcmp(route->method, "GET") == 0 ? "get" : "post");
}

/* "#/components/schemas/Now" */
static json_t *resolve(json_t *document, const char *reference) {
        char copy[128], *part, *rest = copy + 2;
        json_t *at = document;

        assert_true(strncmp(reference, "#/", 2) == 0 && strlen(reference) < sizeof copy);
        strcpy(copy, reference);
        while ((part = strsep(&rest, "/")))
                at = json_object_get(at, part);
        return at;
}

static void check_references(json_t *document, json_t *value) {
        const char *reference = json_string_value(json_object_get(value, "$ref")), *key;
        json_t *inner;
        size_t i;

        if (reference && !resolve(document, reference))
                fail_msg("nothing is at %s", reference);
        if (json_is_string(json_object_get(value, "enum")))
                fail_msg("words were left: %s", json_string_value(json_object_get(value, "enum")));
        json_object_foreach(value, key, inner)
                check_references(document, inner);
        json_array_foreach(value, i, inner)
                check_references(document, inner);
}

static void test_references(void **state) {
        json_t *document = document_of(ACCESS_OPEN);

        (void) state;
        check_references(document, document);
        json_decref(document);
}

static void check_parameters(const struct route *route, const struct parameter *p, unsigned max) {
        struct parameter_value value;
        unsigned n = 0;

        for (; p && p->name; p++, n++) {
                if (!p->description)
                        fail_msg("%s: %s has no description", route->pattern, p->name);
                if (p->fallback && !parameter_read(p, p->fallback, &value))
                        fail_msg("%s: the fallback of %s is refused: %s", route->pattern, p->name, p->fallback);
                if (p->example && !parameter_read(p, p->example, &value))
                        fail_msg("%s: the example of %s is refused: %s", route->pattern, p->name, p->example);
                assert_true(p->n_choices <= PARAMETER_CHOICES_MAX);
        }
        assert_true(n <= max);
}

static unsigned count(const char *text, char c) {
        unsigned n = 0;

        for (; *text; text++)
                n += *text == c;
        return n;
}

/* The page's files are the only addresses that it does not tell of. */
static void test_table(void **state) {
        (void) state;
        for (size_t i = 0; i < api_n_routes; i++) {
                const struct route *route = &api_routes[i];
                unsigned n = 0;

                while (route->arguments && route->arguments[n].name)
                        n++;
                assert_int_equal(n, count(route->pattern, '{'));
                check_parameters(route, route->arguments, ROUTE_ARGS_MAX);
                check_parameters(route, route->parameters, ROUTE_PARAMETERS_MAX);
                if (!route->name)
                        assert_true(route->public && strncmp(route->pattern, "/api/", 5) != 0);
                else if (!route->tag || !route->summary || !route->description || !route->answers)
                        fail_msg("%s is not told of", route->pattern);
        }
}

static void test_operations(void **state) {
        json_t *document = document_of(ACCESS_OPEN);
        unsigned n = 0, told = 0;
        const char *path;
        json_t *item;

        (void) state;
        for (size_t i = 0; i < api_n_routes; i++) {
                const struct route *route = &api_routes[i];
                json_t *operation = operation_of(document, route);

                if (!route->name)
                        continue;
                n++;
                assert_string_equal(json_string_value(json_object_get(operation, "operationId")), route->name);
                for (const struct route_answer *a = route->answers; a->status; a++) {
                        char key[12];

                        snprintf(key, sizeof key, "%u", a->status);
                        assert_non_null(json_object_get(json_object_get(operation, "responses"), key));
                }
        }
        json_object_foreach(json_object_get(document, "paths"), path, item)
                told += (unsigned) json_object_size(item);
        assert_int_equal(n, told);
        json_decref(document);
}

static size_t ways_in(json_t *document, const char *path, const char *method) {
        json_t *item = json_object_get(json_object_get(document, "paths"), path);

        return json_array_size(json_object_get(json_object_get(item, method), "security"));
}

/* With open access the empty way is a third one; none at all: no token is looked at. */
static void test_security(void **state) {
        json_t *open = document_of(ACCESS_OPEN), *token = document_of(ACCESS_TOKEN);

        (void) state;
        assert_int_equal(ways_in(open, "/api/v1/meters", "get"), 3);
        assert_int_equal(ways_in(token, "/api/v1/meters", "get"), 2);
        assert_int_equal(ways_in(open, "/api/v1/meters/{id}/actions/{action}", "post"), 2);
        assert_int_equal(ways_in(token, "/healthz", "get"), 0);
        json_decref(open);
        json_decref(token);
}

static void test_words(void **state) {
        json_t *document = document_of(ACCESS_OPEN), *schema, *words;

        (void) state;
        words = json_object_get(resolve(document, "#/components/schemas/State"), "enum");
        assert_int_equal(json_array_size(words), METER_STATE_COUNT);
        assert_string_equal(json_string_value(json_array_get(words, 0)), "connecting");
        schema = resolve(document, "#/components/schemas/Reading/properties/source/enum");
        assert_true(json_is_null(json_array_get(schema, json_array_size(schema) - 1)));
        schema = resolve(document, "#/components/schemas/Values/properties/power_w");
        assert_string_equal(json_string_value(json_object_get(schema, "description")), "Active power in W.");
        json_decref(document);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),    cmocka_unit_test(test_references), cmocka_unit_test(test_operations),
                cmocka_unit_test(test_security), cmocka_unit_test(test_words),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("openapi", tests, NULL, NULL);
}
