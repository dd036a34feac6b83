/* Requests over real sockets: answers and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http_case.h"

static int hello(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        buffer_printf(&reply->body, "{\"host\":\"%s\",\"x\":\"%s\"}", request->host, request_text(request, "x"));
        return 0;
}

static int broken(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        (void) reply;
        return -EIO;
}

static const struct parameter x_parameter[] = {
        { .name = "x", .type = PARAMETER_TEXT, .max = 8000, .fallback = "" },
        { .name = NULL },
};
static const struct route_body text = { .content_type = "text/plain" };

static const struct route routes[] = {
        { .method = "GET", .pattern = "/", .handler = serve_page, .public = true },
        { .method = "GET", .pattern = "/api/hello", .handler = hello, .parameters = x_parameter },
        { .method = "GET", .pattern = "/api/large", .handler = serve_large },
        { .method = "GET", .pattern = "/api/broken", .handler = broken },
        { .method = "POST", .pattern = "/api/act", .handler = hello, .parameters = x_parameter, .body = &text },
};

static const struct http_options options = { .routes = routes, .n_routes = ELEMENTS(routes) };

static int start(void **state) {
        (void) state;
        bench_start(&bench, &options);
        return 0;
}

static uint64_t counted(const char *route, unsigned code) {
        struct http_count count;

        for (unsigned i = 0; http_server_count(bench.server, i, &count); i++)
                if (strcmp(count.route, route) == 0 && count.code == code)
                        return count.requests;
        return 0;
}

static void test_answer(void **state) {
        struct client *c;

        (void) state;
        assert_int_equal(ask(&bench, GET("/api/hello?x=1"), &c), 200);
        assert_string_equal(c->body, "{\"host\":\"localhost\",\"x\":\"1\"}");
        assert_string_equal(client_header(c, "Content-Type"), "application/json");
        assert_string_equal(client_header(c, "Cache-Control"), "no-cache");
        assert_string_equal(client_header(c, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(client_header(c, "Referrer-Policy"), "no-referrer");
        assert_null(client_header(c, "Content-Security-Policy"));
        assert_string_equal(client_header(c, "Vary"), "Accept-Encoding");
        assert_string_equal(client_header(c, "Cross-Origin-Resource-Policy"), "same-origin");
        client_close(c);
        assert_int_equal(ask(&bench, GET("/"), &c), 200);
        assert_string_equal(c->body, "<p>hello");
        assert_non_null(strstr(client_header(c, "Content-Security-Policy"), "default-src 'none'; script-src 'self'"));
        assert_non_null(strstr(client_header(c, "Content-Security-Policy"), "frame-ancestors 'self'"));
        assert_null(strstr(client_header(c, "Content-Security-Policy"), "unsafe"));
        client_close(c);
        assert_int_equal(ask(&bench, GET("/api/large"), &c), 200);
        assert_int_equal(strlen(c->body), 100000);
        client_close(c);
}

static void test_keep_alive_and_pipelining(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        for (int i = 0; i < 3; i++) {
                client_send(c, GET("/api/hello?x=a"));
                assert_true(client_response(c, false));
                assert_int_equal(c->status, 200);
        }
        for (int i = 0; i < 20; i++)
                client_send(c, i % 2 ? GET("/nothing") : GET("/api/hello"));
        for (int i = 0; i < 20; i++) {
                assert_true(client_response(c, false));
                assert_int_equal(c->status, i % 2 ? 404 : 200);
        }
        assert_false(c->closed);
        assert_int_equal(http_server_connections(bench.server), 1);
        assert_int_equal(counted("/api/hello", 200), 13);
        assert_int_equal(counted("other", 404), 10);
        client_close(c);
        bench_await_gone(&bench);
}

static void test_head_and_options(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        client_send(c, "HEAD /api/hello HTTP/1.1\r\n" HOST "\r\n" GET("/"));
        assert_true(client_response(c, true));
        assert_int_equal(c->status, 200);
        assert_string_equal(client_header(c, "Content-Length"), "27");
        assert_true(client_response(c, false));
        assert_string_equal(c->body, "<p>hello");
        client_send(c, "OPTIONS /api/hello HTTP/1.1\r\n" HOST "\r\n" GET("/"));
        assert_true(client_response(c, true));
        assert_int_equal(c->status, 204);
        assert_string_equal(client_header(c, "Allow"), "GET, HEAD, OPTIONS");
        assert_true(client_response(c, false));
        assert_int_equal(c->status, 200);
        client_close(c);
}

static void test_errors(void **state) {
        struct client *c;

        (void) state;
        expect_status(GET("/nothing"), 404);
        assert_int_equal(ask(&bench, "PUT /api/hello HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", &c), 405);
        assert_string_equal(client_header(c, "Allow"), "GET, HEAD, OPTIONS");
        assert_string_equal(client_header(c, "Content-Type"), "application/problem+json");
        client_close(c);
        expect_status(GET("/api/hello?y=1"), 400);
        expect_status(GET("/%00"), 400);
        expect_status(GET("/%00.css"), 400);
        expect_status(GET("/api/%zzhello"), 400);
        expect_status(GET("/api/hello?x=%"), 400);
        expect_status("GET api/hello HTTP/1.1\r\n" HOST "\r\n", 400);
        log_set_level((enum log_level) 0);
        expect_status(GET("/api/broken"), 500);
        log_set_level(LOG_LEVEL_INFO);
        assert_int_equal(counted("/api/broken", 500), 1);
}

static void test_long_target(void **state) {
        static char request[8192];

        (void) state;
        for (int len = HTTP_TARGET_MAX - 2; len <= HTTP_TARGET_MAX; len++) {
                snprintf(request, sizeof request, "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", len, 0);
                expect_status(request, len < HTTP_TARGET_MAX - 1 ? 404 : 414);
        }
}

static void test_hosts(void **state) {
        static const struct {
                const char *host;
                int status;
        } cases[] = {
                { "localhost", 200 }, { "LocalHost:1", 200 }, { "localhost.", 200 }, { "127.0.0.1", 200 },
                { "192.168.1.2:8730", 200 }, { "[::1]", 200 }, { "[fe80::1]:80", 200 }, { "gateway.example", 200 },
                { "GATEWAY.example:9", 200 }, { "evil.example", 421 }, { "localhost.evil.example", 421 },
                { "127.0.0.1.evil.example", 421 }, { "127.1", 421 }, { "[::1", 421 }, { "[::1]x", 421 },
                { "[localhost]", 421 }, { "localhost:80x", 421 }, { ":80", 421 }, { "[gateway.example]", 421 },
                { "localhost@evil.example", 421 }, { "::1", 421 }, { "", 400 },
        };
        char host[256], *hosts[] = { (char[]) { "gateway.example" } };
        struct http_policy policy = { .n_hosts = 1, .hosts = hosts };
        char request[512];

        (void) state;
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].host);
                expect_status(request, cases[i].status);
        }
        assert_int_equal(gethostname(host, sizeof host - 1), 0);
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s:1\r\n\r\n", host);
        expect_status(request, 200);
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %.*s.local\r\n\r\n",
                 (int) strcspn(host, "."), host);
        expect_status(request, 200);
        expect_status("GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200);
        expect_status("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421);
        expect_status("GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", 400);
}

static void test_host_problem_names_the_setting(void **state) {
        struct client *c;

        (void) state;
        assert_int_equal(ask(&bench, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", &c), 421);
        assert_non_null(strstr(c->body, "evil.example"));
        assert_non_null(strstr(c->body, "http.hosts"));
        client_close(c);
}

static void test_tokens(void **state) {
        char path[] = "/tmp/test-http-XXXXXX";
        struct http_policy policy = { .token_required = true, .tokens_path = path };
        struct client *c;
        int fd = mkstemp(path);

        (void) state;
        assert_int_equal(write(fd, "read secret\n", 12), 12);
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), 0);
        assert_int_equal(ask(&bench, GET("/api/hello"), &c), 401);
        assert_string_equal(client_header(c, "WWW-Authenticate"), "Bearer");
        client_close(c);
        expect_status("GET /api/hello HTTP/1.1\r\n" HOST "Authorization: Bearer wrong\r\n\r\n", 401);
        expect_status("GET /api/hello HTTP/1.1\r\n" HOST "Authorization: Bearer secret\r\n\r\n", 200);
        expect_status("GET /api/hello HTTP/1.1\r\n" HOST "Authorization: Basic eDpzZWNyZXQ=\r\n\r\n", 200);
        expect_status(GET("/"), 200);
        expect_status(GET("/nothing"), 404);
        assert_int_equal(write(fd, "bad\n", 4), 4);
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), -EINVAL);
        assert_non_null(strstr(bench.error, path));
        assert_non_null(strstr(bench.error, ":2:"));
        expect_status(GET("/api/hello"), 401);
        policy.tokens_path = NULL;
        assert_true(http_server_set_policy(bench.server, &policy, bench.error) < 0);
        close(fd);
        unlink(path);
}

static void test_origins(void **state) {
        char *origins[] = { (char[]) { "https://ha.example" } };
        struct http_policy policy = { .n_cors_origins = 1, .cors_origins = origins };
        struct client *c;

        (void) state;
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), 0);
        assert_int_equal(ask(&bench, "GET /api/hello HTTP/1.1\r\n" HOST
                                "Origin: https://ha.example\r\n\r\n", &c), 200);
        assert_string_equal(client_header(c, "Access-Control-Allow-Origin"), "https://ha.example");
        assert_string_equal(client_header(c, "Vary"), "Accept-Encoding, Origin");
        client_close(c);
        assert_int_equal(ask(&bench, "GET /api/hello HTTP/1.1\r\n" HOST
                                "Origin: https://evil.example\r\n\r\n", &c), 200);
        assert_null(client_header(c, "Access-Control-Allow-Origin"));
        assert_string_equal(client_header(c, "Vary"), "Accept-Encoding, Origin");
        client_close(c);
        assert_int_equal(ask(&bench, "OPTIONS /api/hello HTTP/1.1\r\n" HOST "Origin: https://ha.example\r\n"
                                     "Access-Control-Request-Method: GET\r\n\r\n", &c), 204);
        assert_string_equal(client_header(c, "Access-Control-Allow-Methods"), "GET, HEAD, OPTIONS");
        assert_non_null(strstr(client_header(c, "Access-Control-Allow-Headers"), "Authorization"));
        client_close(c);
        /* Their panels may show the page in a frame. */
        assert_int_equal(ask(&bench, GET("/"), &c), 200);
        assert_non_null(strstr(client_header(c, "Content-Security-Policy"),
                               "frame-ancestors 'self' https://ha.example"));
        client_close(c);
        expect_status("POST /api/act HTTP/1.1\r\n" HOST
                      "Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n", 403);
        expect_status("POST /api/act HTTP/1.1\r\n" HOST
                      "Origin: null\r\nContent-Length: 0\r\n\r\n", 403);
        expect_status("POST /api/act HTTP/1.1\r\n" HOST
                      "Origin: http://localhost\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n", 200);
        expect_status("POST /api/act HTTP/1.1\r\n" HOST
                      "Origin: https://ha.example\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n", 200);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_answer, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_keep_alive_and_pipelining, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_head_and_options, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_errors, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_long_target, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_hosts, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_host_problem_names_the_setting, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_tokens, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_origins, start, stop_bench),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
