/* What holds a server back, and what ends it: deadlines, limits, descriptors, a stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http_client.h"

#define HOST "Host: localhost\r\n"
#define POST_PART "POST /api/act HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

static int page(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        reply->content_type = "text/html; charset=utf-8";
        reply->fixed = "<p>hello";
        reply->fixed_len = 8;
        return 0;
}

static int large(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        for (int i = 0; i < 5000; i++)
                buffer_puts(&reply->body, "twenty characters...");
        return 0;
}

static const struct route_body text = { .content_type = "text/plain" };

static const struct route routes[] = {
        { .method = "GET", .pattern = "/", .handler = page, .public = true },
        { .method = "GET", .pattern = "/api/large", .handler = large },
        { .method = "POST", .pattern = "/api/act", .handler = page, .body = &text },
};

static const struct http_options plain_options = { .routes = routes, .n_routes = ELEMENTS(routes) };
static struct bench bench;

static int start(void **state) {
        (void) state;
        bench_start(&bench, &plain_options);
        return 0;
}

static int stop(void **state) {
        (void) state;
        bench_stop(&bench);
        return 0;
}

/* A client that keeps sending, slowly, is cut at the deadline; so is one that stops in its second request. */
static void test_deadlines(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct http_options options = plain_options;
        static const char *const partial[] = {
                "", "GE", "GET / HTTP/1.1\r\nHost: local",
                POST_PART,
        };

        (void) state;
        limits.header_ms = limits.body_ms = limits.idle_ms = 40;
        options.limits = &limits;
        bench_start(&bench, &options);
        for (size_t i = 0; i < ELEMENTS(partial); i++) {
                struct client *fresh = client_tcp(&bench), *second = client_tcp(&bench);

                client_send(fresh, partial[i]);
                client_send(second, GET("/"));
                assert_true(client_response(second, false));
                client_send(second, partial[i]);
                client_await_end(fresh);
                client_await_end(second);
                client_close(fresh);
                client_close(second);
        }
        while (http_server_connections(bench.server) > 0)
                bench_turn(&bench);
        bench_stop(&bench);
}

static void test_dripping_client_is_cut(void **state) {
        static const char drip[] = "GET / HTTP/1.1\r\nX-Drip: 0123456789";
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct http_options options = plain_options;
        struct client *c;

        (void) state;
        limits.header_ms = 60;
        options.limits = &limits;
        bench_start(&bench, &options);
        c = client_tcp(&bench);
        for (size_t i = 0; !c->closed; i++) {
                if (i < sizeof drip - 1)
                        client_send_n(c, drip + i, 1);
                else
                        client_send_n(c, "x", 1);
                assert_true(sd_event_run(bench.event, 2000) >= 0);
                assert_true(i < 100000);
        }
        assert_int_equal(c->len, 0);
        client_close(c);
        bench_stop(&bench);
}

static void test_connection_limit(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct http_options options = plain_options;
        struct client *idle[4], *waiting;

        (void) state;
        limits.connections = 4;
        options.limits = &limits;
        bench_start(&bench, &options);
        for (int i = 0; i < 4; i++)
                idle[i] = client_tcp(&bench);
        while (http_server_connections(bench.server) < 4)
                bench_turn(&bench);
        waiting = client_tcp(&bench);
        client_send(waiting, GET("/"));
        assert_int_equal(sd_event_run(bench.event, 20000), 0);
        assert_int_equal(http_server_connections(bench.server), 4);
        client_close(idle[2]);
        assert_true(client_response(waiting, false));
        assert_int_equal(waiting->status, 200);
        client_close(waiting);
        for (int i = 0; i < 4; i++)
                if (i != 2)
                        client_close(idle[i]);
        bench_stop(&bench);
}

static void test_limit_per_address(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct http_options options = plain_options;
        struct client *first, *second, *third;

        (void) state;
        limits.per_address = 2;
        limits.spare_loopback = false;
        options.limits = &limits;
        bench_start(&bench, &options);
        assert_int_equal(ask(&bench, GET("/"), &first), 200);
        assert_int_equal(ask(&bench, GET("/"), &second), 200);
        third = client_tcp(&bench);
        client_await_end(third);
        client_close(third);
        client_close(first);
        while (http_server_connections(bench.server) > 1)
                bench_turn(&bench);
        assert_int_equal(ask(&bench, GET("/"), &third), 200);
        client_close(second);
        client_close(third);
        bench_stop(&bench);
}

/* valgrind plays the limit of descriptors itself: it lets the kernel accept and then closes what is above. */
static bool under_valgrind(void) {
        const char *preload = getenv("LD_PRELOAD");

        return preload && strstr(preload, "vgpreload");
}

/* Without a descriptor for the connection, accepting pauses and the loop does not spin; a closed one ends it. */
static void test_out_of_descriptors(void **state) {
        struct client *first, *waiting;
        struct rlimit before, now;
        unsigned turns = 0;
        int highest;

        (void) state;
        if (under_valgrind()) {
                print_message("# skipped: valgrind has its own limit of descriptors\n");
                return;
        }
        log_set_level((enum log_level) 0);
        assert_int_equal(ask(&bench, GET("/"), &first), 200);
        waiting = client_tcp(&bench);
        client_send(waiting, GET("/"));
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        highest = dup(0);
        assert_true(highest >= 0);
        close(highest);
        now = (struct rlimit) { .rlim_cur = (rlim_t) highest, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
        while (sd_event_run(bench.event, 20000) > 0)
                turns++;
        client_close(first);
        while (http_server_connections(bench.server) > 0)
                bench_turn(&bench);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        log_set_level(LOG_LEVEL_INFO);
        assert_true(turns < 10);
        assert_true(client_response(waiting, false));
        assert_int_equal(waiting->status, 200);
        client_close(waiting);
}

static void test_stop_with_open_connections(void **state) {
        struct client *idle, *partial, *reading;

        (void) state;
        bench_start(&bench, &plain_options);
        assert_int_equal(ask(&bench, GET("/"), &idle), 200);
        partial = client_tcp(&bench);
        reading = client_tcp(&bench);
        client_send(partial, POST_PART);
        for (int i = 0; i < 50; i++)
                client_send(reading, GET("/api/large"));
        while (http_server_connections(bench.server) < 3)
                bench_turn(&bench);
        bench.server = http_server_free(bench.server);
        client_await_end(idle);
        client_await_end(partial);
        client_close(idle);
        client_close(partial);
        client_close(reading);
        bench_stop(&bench);
}

/* No clients, nothing to do. */
static void test_idle_server_sleeps(void **state) {
        (void) state;
        assert_int_equal(ask(&bench, GET("/"), NULL), 200);
        while (sd_event_run(bench.event, 20000) > 0)
                ;
        assert_int_equal(http_server_connections(bench.server), 0);
        assert_int_equal(sd_event_run(bench.event, 100000), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_deadlines),
                cmocka_unit_test(test_dripping_client_is_cut),
                cmocka_unit_test(test_connection_limit),
                cmocka_unit_test(test_limit_per_address),
                cmocka_unit_test_setup_teardown(test_out_of_descriptors, start, stop),
                cmocka_unit_test(test_stop_with_open_connections),
                cmocka_unit_test_setup_teardown(test_idle_server_sleeps, start, stop),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
