/* Answers that are kept for the next request: over real sockets, with handlers that count their calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http_case.h"

static unsigned calls, value;
static uint64_t version_all, version_meter;

static int kept(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        calls++;
        reply->subject = strcmp(request->path, "/meter") == 0 ? "meter" : "";
        buffer_printf(&reply->body, "%s %u for role %d", request->path, value, (int) request->role);
        return 0;
}

static int by_accept(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        calls++;
        reply->subject = "";
        reply->by_accept = true;
        buffer_puts(&reply->body, request->accept);
        return 0;
}

static uint64_t version(void *app, const char *subject) {
        (void) app;
        return subject[0] ? version_meter : version_all;
}

static const struct route routes[] = {
        { .method = "GET", .pattern = "/all", .handler = kept, .public = true },
        { .method = "GET", .pattern = "/meter", .handler = kept, .public = true },
        { .method = "GET", .pattern = "/by-accept", .handler = by_accept, .public = true },
};

static const struct http_options options = { .routes = routes, .n_routes = ELEMENTS(routes), .version = version };

static int start(void **state) {
        (void) state;
        calls = value = 0;
        version_all = version_meter = 1;
        bench_start(&bench, &options);
        return 0;
}

static uint64_t hits(void) {
        return http_server_facts(bench.server).cache_hits;
}

/* Asks until an answer was a kept one; on a slow machine a tenth of a second may be over before the next request. */
static void ask_until_kept(const char *request) {
        for (uint64_t before = hits(); hits() == before;)
                assert_int_equal(ask(&bench, request, NULL), 200);
}

static void test_kept_while_nothing_changes(void **state) {
        struct client *c;
        unsigned before;

        (void) state;
        ask_until_kept(GET("/all"));
        /* What has changed is never shown as it was. */
        for (value = 1; value < 20; value++) {
                version_all++;
                before = calls;
                assert_int_equal(ask(&bench, GET("/all"), &c), 200);
                assert_int_equal(calls, before + 1);
                assert_int_equal(strtoul(c->body + strlen("/all "), NULL, 10), value);
                client_close(c);
        }
        ask_until_kept("HEAD /all HTTP/1.1\r\n" HOST "\r\n");
}

static void test_kept_for_a_moment_only(void **state) {
        unsigned before;

        (void) state;
        assert_int_equal(ask(&bench, GET("/all"), NULL), 200);
        for (before = calls; calls == before;)
                assert_int_equal(ask(&bench, GET("/all"), NULL), 200);
        assert_true(http_server_facts(bench.server).cache_misses >= 2);
}

static void test_kept_by_subject(void **state) {
        struct client *c;

        (void) state;
        ask_until_kept(GET("/meter"));
        version_all++;
        ask_until_kept(GET("/meter"));
        value = 7;
        version_meter++;
        assert_int_equal(ask(&bench, GET("/meter"), &c), 200);
        assert_string_equal(c->body, "/meter 7 for role 1");
        client_close(c);
}

static void test_kept_by_target_and_role(void **state) {
        static const char tokens[] = "control secretsecretsecret\nread othersothersothers\n";
        struct http_policy policy = { .tokens_path = "test_http_cache.tokens" };
        FILE *f = fopen(policy.tokens_path, "w");
        struct client *c;

        (void) state;
        assert_non_null(f);
        fputs(tokens, f);
        fclose(f);
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), 0);
        remove(policy.tokens_path);
        ask_until_kept(GET("/all"));
        assert_int_equal(ask(&bench, GET("/meter"), &c), 200);
        assert_string_equal(c->body, "/meter 0 for role 1");
        client_close(c);
        assert_int_equal(ask(&bench, GET_WITH("/all", "Authorization: Bearer secretsecretsecret\r\n"), &c), 200);
        assert_string_equal(c->body, "/all 0 for role 2");
        client_close(c);
        ask_until_kept(GET_WITH("/all", "Authorization: Bearer secretsecretsecret\r\n"));
        assert_int_equal(ask(&bench, GET("/all"), &c), 200);
        assert_string_equal(c->body, "/all 0 for role 1");
        client_close(c);
}

/* Where the form goes by it, and there only. */
static void test_kept_by_accept(void **state) {
        char request[400], type[HTTP_CACHE_ACCEPT_MAX + 1];
        struct client *c;

        (void) state;
        for (unsigned round = 0; round < 3; round++)
                for (const char *const *t = (const char *const[]) { "text/a", "text/b", "", NULL }; *t; t++) {
                        snprintf(request, sizeof request, GET_WITH("/by-accept", "Accept: %s\r\n"), *t);
                        ask_until_kept(request);
                        assert_int_equal(ask(&bench, request, &c), 200);
                        assert_string_equal(c->body, *t);
                        assert_string_equal(client_header(c, "Vary"), "Accept, Accept-Encoding");
                        client_close(c);
                }
        /* Others do not look at it. */
        ask_until_kept(GET("/all"));
        ask_until_kept(GET_WITH("/all", "Accept: text/a\r\n"));
        /* Too long to be kept. */
        memset(type, 'x', sizeof type - 1);
        type[sizeof type - 1] = 0;
        snprintf(request, sizeof request, GET_WITH("/by-accept", "Accept: %s\r\n"), type);
        for (unsigned i = 0, before = calls; i < 5; i++)
                assert_int_equal(ask(&bench, request, NULL) + calls, 200 + before + i + 1);
}

/* More addresses than there are places: the newest stay, nothing is mixed up. */
static void test_more_targets_than_places(void **state) {
        char request[300], tail[HTTP_CACHE_TARGET_MAX + 1];
        struct client *c;

        (void) state;
        for (unsigned round = 0; round < 2; round++)
                for (unsigned i = 0; i < 2 * HTTP_CACHE_ENTRIES; i++) {
                        value = i;
                        version_all++;
                        snprintf(request, sizeof request, GET("/all?%u"), i);
                        assert_int_equal(ask(&bench, request, &c), 200);
                        assert_int_equal(strtoul(c->body + strlen("/all "), NULL, 10), i);
                        client_close(c);
                }
        /* Too long to be kept. */
        memset(tail, 'x', sizeof tail - 1);
        tail[sizeof tail - 1] = 0;
        snprintf(request, sizeof request, "GET /all?%s HTTP/1.1\r\n" HOST "\r\n", tail);
        for (unsigned i = 0, before = calls; i < 5; i++)
                assert_int_equal(ask(&bench, request, NULL) + calls, 200 + before + i + 1);
        assert_int_equal(hits(), 0);
}

static void test_other_origins_have_their_own(void **state) {
        char *origins[] = { (char[]) { "https://ha.example" } };
        struct http_policy policy = { .n_cors_origins = 1, .cors_origins = origins };
        struct client *c;

        (void) state;
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), 0);
        ask_until_kept(GET("/all"));
        assert_int_equal(ask(&bench, GET_WITH("/all", "Origin: https://ha.example\r\n"), &c), 200);
        assert_string_equal(client_header(c, "Access-Control-Allow-Origin"), "https://ha.example");
        assert_non_null(strstr(client_header(c, "Access-Control-Expose-Headers"), "ETag"));
        client_close(c);
        assert_int_equal(ask(&bench, GET("/all"), &c), 200);
        assert_null(client_header(c, "Access-Control-Allow-Origin"));
        assert_string_equal(client_header(c, "Vary"), "Accept-Encoding, Origin");
        client_close(c);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_kept_while_nothing_changes, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_kept_for_a_moment_only, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_kept_by_subject, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_kept_by_target_and_role, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_kept_by_accept, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_more_targets_than_places, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_other_origins_have_their_own, start, stop_bench),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
