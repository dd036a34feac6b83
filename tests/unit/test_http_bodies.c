/* Bodies of requests over real sockets: what arrives, what is refused before it is read,
 * and clients that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "http_case.h"

#define TEXT "Content-Type: text/plain\r\n"
#define POST(length) "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: " #length "\r\n\r\n"

static unsigned calls;   /* of handlers that take a body */

static int echo(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        calls++;
        reply->content_type = "text/plain";
        buffer_printf(&reply->body, "%zu:", request->body_len);
        buffer_put(&reply->body, request->body ? request->body : "", request->body_len);
        return 0;
}

static int plain(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        reply->content_type = "text/plain";
        buffer_puts(&reply->body, request->body ? "a body" : "none");
        return 0;
}

static const struct parameter x_parameter[] = { { .name = "x", .type = PARAMETER_TEXT, .max = 8 }, { .name = NULL } };
static const struct route_body text = { .content_type = "text/plain" };

static const struct route routes[] = {
        { .method = "GET", .pattern = "/api/plain", .handler = plain },
        { .method = "POST", .pattern = "/api/plain", .handler = plain },
        { .method = "POST", .pattern = "/api/echo", .handler = echo, .parameters = x_parameter, .body = &text },
        { .method = "POST", .pattern = "/api/control", .handler = echo, .control = true, .body = &text },
};

static const struct http_options options = { .routes = routes, .n_routes = ELEMENTS(routes) };

static int start(void **state) {
        (void) state;
        calls = 0;
        bench_start(&bench, &options);
        return 0;
}

static void expect_body(struct client *c, int status, const char *body) {
        assert_true(client_response(c, false));
        assert_int_equal(c->status, status);
        assert_string_equal(c->body, body);
}

/* The one client's connection is there, and what it has sent so far has been read. */
static void wait_taken(void) {
        while (http_server_connections(bench.server) == 0)
                bench_turn(&bench);
        while (sd_event_run(bench.event, 1000) > 0)
                ;
}

/* ---- what arrives ---- */

static void test_whole(void **state) {
        static char body[HTTP_BODY_MAX];
        struct client *c = client_tcp(&bench);
        char request[256];

        (void) state;
        client_send(c, POST(5) "hello");
        expect_body(c, 200, "5:hello");
        client_send(c, POST(0));
        expect_body(c, 200, "0:");
        memset(body, 'b', sizeof body);
        snprintf(request, sizeof request, "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: %d\r\n\r\n",
                 HTTP_BODY_MAX);
        client_send(c, request);
        client_send_n(c, body, sizeof body);
        assert_true(client_response(c, false));
        assert_int_equal(strlen(c->body), HTTP_BODY_MAX + strlen("4096:"));
        /* Nothing of it is left for the next one. */
        client_send(c, POST(1) "x" GET("/api/plain"));
        expect_body(c, 200, "1:x");
        expect_body(c, 200, "none");
        client_close(c);
}

static void test_in_pieces(void **state) {
        static const char request[] = POST(11) "hello\r\n\r\nyou" GET("/api/plain");
        struct client *c = client_tcp(&bench);

        (void) state;
        for (size_t i = 0; i < sizeof request - 1; i++) {
                client_send_n(c, request + i, 1);
                while (sd_event_run(bench.event, 0) > 0)
                        ;
        }
        expect_body(c, 200, "11:hello\r\n\r\nyo");
        assert_true(client_response(c, false));
        /* One byte more than was announced is the next request's: "uGET" is no method of ours. */
        assert_true(c->status == 405 || c->status == 400 || c->status == 404);
        client_close(c);
}

static void test_pipelined(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        for (int i = 0; i < 20; i++)
                client_send(c, POST(3) "abc" GET("/api/plain") POST(0));
        for (int i = 0; i < 20; i++) {
                expect_body(c, 200, "3:abc");
                expect_body(c, 200, "none");
                expect_body(c, 200, "0:");
        }
        assert_false(c->closed);
        client_close(c);
}

/* The body of a GET means nothing; it is read, so that it is not taken for the next request. */
static void test_body_of_a_get(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        client_send(c, "GET /api/plain HTTP/1.1\r\n" HOST "Content-Length: 47\r\n\r\n"
                       "POST /api/control HTTP/1.1\r\nHost: localhost\r\n\r\n" GET("/api/plain"));
        expect_body(c, 200, "none");
        expect_body(c, 200, "none");
        assert_int_equal(calls, 0);
        client_close(c);
}

/* ---- what is refused before it is read ---- */

static void test_refused_by_its_headers(void **state) {
        static const struct {
                const char *request;
                int status;
        } cases[] = {
                { "POST /api/plain HTTP/1.1\r\n" HOST TEXT "Content-Length: 4000\r\n\r\n", 415 },
                { "POST /api/nothing HTTP/1.1\r\n" HOST TEXT "Content-Length: 4000\r\n\r\n", 404 },
                { "PUT /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: 4000\r\n\r\n", 405 },
                { "POST /api/echo HTTP/1.1\r\n" HOST "Content-Length: 4000\r\n\r\n", 415 },
                { "POST /api/echo HTTP/1.1\r\n" HOST "Content-Type: text/plainer\r\nContent-Length: 4000\r\n\r\n", 415 },
                { "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Encoding: gzip\r\nContent-Length: 4000\r\n\r\n", 415 },
                { "POST /api/echo?y=1 HTTP/1.1\r\n" HOST TEXT "Content-Length: 4000\r\n\r\n", 400 },
                { "POST /api/control HTTP/1.1\r\n" HOST TEXT "Content-Length: 4000\r\n\r\n", 403 },
                { "POST /api/echo HTTP/1.1\r\nHost: evil.example\r\n" TEXT "Content-Length: 4000\r\n\r\n", 421 },
                { "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Origin: https://evil.example\r\nContent-Length: 4000\r\n\r\n",
                  403 },
                { "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: 4097\r\n\r\n", 413 },
                { "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: 5000000000\r\n\r\n", 413 },
                { "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: 99999999999999999999\r\n\r\n", 413 },
                { "GET /api/plain HTTP/1.1\r\n" HOST "Content-Length: 4097\r\n\r\n", 413 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct client *c;

                if (ask(&bench, cases[i].request, &c) != cases[i].status)
                        fail_msg("%s gave %d", cases[i].request, c->status);
                /* What follows must not be taken for a request: it may be the body. */
                client_await_end(c);
                client_close(c);
        }
        assert_int_equal(calls, 0);
}

static void test_no_length(void **state) {
        (void) state;
        expect_status("POST /api/echo HTTP/1.1\r\n" HOST TEXT "\r\n", 411);
        expect_status("POST /api/plain HTTP/1.1\r\n" HOST "\r\n", 200);
        assert_int_equal(calls, 0);
}

/* As curl does: the body follows only when it is asked for. */
static void test_expect(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        client_send(c, "POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        assert_true(client_response(c, true));
        assert_int_equal(c->status, 100);
        client_send(c, "hello");
        expect_body(c, 200, "5:hello");
        client_send(c, "POST /api/plain HTTP/1.1\r\n" HOST TEXT "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        assert_true(client_response(c, false));
        assert_int_equal(c->status, 415);
        client_await_end(c);
        client_close(c);
        expect_status("POST /api/echo HTTP/1.1\r\n" HOST TEXT "Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n",
                      413);
        expect_status("POST /api/control HTTP/1.1\r\n" HOST TEXT "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
                      403);
}

/* ---- framing that a proxy may see differently ---- */

static void test_smuggling(void **state) {
        static const struct {
                const char *headers;
                int status;
        } cases[] = {
                { "Transfer-Encoding: chunked\r\n", 411 },
                { "Transfer-Encoding: identity\r\n", 411 },
                { "Transfer-Encoding: xchunked\r\n", 411 },
                { "Transfer-Encoding:\tchunked\r\n", 411 },
                { "transfer-encoding: chunked\r\nContent-Length: 3\r\n", 411 },
                { "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 411 },
                { "Content-Length: 3\r\nContent-Length: 4\r\n", 400 },
                { "Content-Length: 3\r\nContent-Length: 3\r\n", 400 },
                { "Content-Length: 3, 3\r\n", 400 },
                { "Content-Length: +3\r\n", 400 },
                { "Content-Length: -3\r\n", 400 },
                { "Content-Length: 0x3\r\n", 400 },
                { "Content-Length: 3 4\r\n", 400 },
                { "Content-Length: 3.0\r\n", 400 },
                { "Content-Length: \r\n", 400 },
                { "Content-Length : 3\r\n", 400 },
                { "Content-Length: 3\r\n X: folded\r\n", 400 },
                { " Transfer-Encoding: chunked\r\n", 400 },
                { "\vContent-Length: 3\r\n", 400 },
                { "X: a\rContent-Length: 3\r\n", 400 },
                { "X: a\177\r\nContent-Length: 3\r\n", 400 },
                { "X\x80: a\r\nContent-Length: 3\r\n", 400 },
                { "Transfer-Encoding : chunked\r\n", 400 },
                { "X: y\n\r\nContent-Length: 3\r\n", 411 },
        };
        char request[512];

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct client *c = client_tcp(&bench);

                snprintf(request, sizeof request, "POST /api/echo HTTP/1.1\r\n" HOST TEXT "%s\r\n", cases[i].headers);
                client_send(c, request);
                if (!client_response(c, false))
                        fail_msg("%s: no answer", cases[i].headers);
                if (c->status != cases[i].status)
                        fail_msg("%s gave %d", cases[i].headers, c->status);
                client_await_end(c);
                client_close(c);
        }
        assert_int_equal(calls, 0);
}

/* ---- clients that go away, or hardly speak ---- */

static void test_early_end(void **state) {
        (void) state;
        for (int how = 0; how < 4; how++) {
                struct client *c = client_tcp(&bench);
                struct linger reset = { .l_onoff = 1 };

                client_send(c, POST(1000) "half a body");
                wait_taken();
                if (how == 1)
                        shutdown(c->fd, SHUT_WR);
                if (how == 2)
                        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
                if (how == 3)
                        shutdown(c->fd, SHUT_RDWR);
                client_close(c);
                bench_await_gone(&bench);
        }
        assert_int_equal(calls, 0);
        expect_status(POST(2) "ok", 200);
}

static void test_slow_body(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct client *c;

        (void) state;
        limits.body_ms = 60;
        bench_start_limited(&bench, &options, &limits);
        c = client_tcp(&bench);
        client_send(c, POST(4096));
        for (unsigned i = 0; !c->closed; i++) {
                if (i < 4000)   /* never the whole body, however quick the machine */
                        client_send_n(c, "x", 1);
                assert_true(sd_event_run(bench.event, 2000) >= 0);
                assert_true(i < 100000);
        }
        assert_int_equal(c->len, 0);
        client_close(c);
        bench_stop(&bench);
}

/* Bodies are held where a route takes them, and only until the answer. */
static void test_memory_of_many(void **state) {
        enum { MANY = 60 };
        static struct client *clients[MANY];
        static char body[HTTP_BODY_MAX];
        size_t before, during, after;

        (void) state;
        memset(body, 'b', sizeof body);
        for (unsigned i = 0; i < MANY; i++)
                clients[i] = client_tcp(&bench);
        while (http_server_connections(bench.server) < MANY)
                bench_turn(&bench);
        before = mallinfo2().uordblks;
        for (unsigned i = 0; i < MANY; i++) {
                client_send(clients[i], POST(4096));
                client_send_n(clients[i], body, sizeof body - 1);
        }
        while (sd_event_run(bench.event, 50000) > 0)
                ;
        during = mallinfo2().uordblks;
        assert_true(during < before + MANY * (2 * HTTP_BODY_MAX + HTTP_POOL_SIZE));
        for (unsigned i = 0; i < MANY; i++) {
                client_send(clients[i], "b");
                assert_true(client_response(clients[i], false));
                assert_int_equal(clients[i]->status, 200);
        }
        after = mallinfo2().uordblks;
        assert_true(after < before + MANY * HTTP_BODY_MAX / 2);
        for (unsigned i = 0; i < MANY; i++)
                client_close(clients[i]);
        bench_await_gone(&bench);
}

static void test_stop_inside_a_body(void **state) {
        struct client *c;

        (void) state;
        bench_start(&bench, &options);
        c = client_tcp(&bench);
        client_send(c, POST(1000) "half a body");
        wait_taken();
        bench.server = http_server_free(bench.server);
        client_await_end(c);
        client_close(c);
        bench_stop(&bench);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_whole, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_in_pieces, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_pipelined, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_body_of_a_get, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_refused_by_its_headers, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_no_length, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_expect, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_smuggling, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_early_end, start, stop_bench),
                cmocka_unit_test(test_slow_body),
                cmocka_unit_test_setup_teardown(test_memory_of_many, start, stop_bench),
                cmocka_unit_test(test_stop_inside_a_body),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
