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
#include "http_case.h"

#define POST_PART "POST /api/act HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc"

/* A client that keeps sending, slowly, is cut at the deadline; so is one that stops in its second request. */
static void test_deadlines(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        static const char *const partial[] = {
                "", "GE", "GET / HTTP/1.1\r\nHost: local",
                POST_PART,
        };

        (void) state;
        limits.header_ms = limits.body_ms = limits.idle_ms = 40;
        bench_start_limited(&bench, &plain_options, &limits);
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
        bench_await_gone(&bench);
        bench_stop(&bench);
}

static void test_dripping_client_is_cut(void **state) {
        static const char drip[] = "GET / HTTP/1.1\r\nX-Drip: 0123456789";
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct client *c;

        (void) state;
        limits.header_ms = 60;
        bench_start_limited(&bench, &plain_options, &limits);
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
        struct client *idle[4], *waiting;

        (void) state;
        limits.connections = 4;
        bench_start_limited(&bench, &plain_options, &limits);
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
        struct client *first, *second, *third;

        (void) state;
        limits.per_address = 2;
        limits.spare_loopback = false;
        bench_start_limited(&bench, &plain_options, &limits);
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
        bench_await_gone(&bench);
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

/* ---- guessed tokens ---- */

static int ask_from(const char *address, const char *request, struct client **ret) {
        struct http_listen from = bench_tcp(address, 0), to = bench_tcp("127.0.0.1", bench.port);
        struct client *c = client_connect_from(&bench, &from, &to);
        int status;

        client_send(c, request);
        assert_true(client_response(c, false));
        status = c->status;
        if (ret)
                *ret = c;
        else
                client_close(c);
        return status;
}

#define BEARER(token) "Authorization: Bearer " token "\r\n"
#define LARGE_WITH(token) GET_WITH("/api/large", BEARER(token))
#define PAGE_WITH(token) GET_WITH("/", BEARER(token))
#define POST_WITH(token) "POST /api/act HTTP/1.1\r\n" HOST BEARER(token) "Content-Length: 2\r\n\r\n{}"

static void start_with_tokens(char *path, bool spare_loopback) {
        struct http_policy policy = { .token_required = true, .tokens_path = path };
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "read secret\n", 12), 12);
        close(fd);
        limits.spare_loopback = spare_loopback;
        bench_start_limited(&bench, &plain_options, &limits);
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), 0);
}

/* Guesses until they are not looked at any more; on a slow machine tries come back in between. */
static unsigned guess(void) {
        unsigned n = 0;

        while (ask_from("127.0.0.2", LARGE_WITH("wrong"), NULL) == 401)
                assert_true(++n < 1000);
        return n;
}

static void test_guesses_are_slowed(void **state) {
        char path[] = "/tmp/test-limits-XXXXXX";
        unsigned failures = 1;
        struct client *c;

        (void) state;
        log_set_level((enum log_level) 0);
        start_with_tokens(path, false);
        for (int i = 0; i < 2 * THROTTLE_TRIES; i++) {
                assert_int_equal(ask_from("127.0.0.2", PAGE_WITH("wrong"), NULL), 200);
                assert_int_equal(ask_from("127.0.0.2", LARGE_WITH("secret"), NULL), 200);
                assert_int_equal(ask_from("127.0.0.2", GET("/api/large"), NULL), 401);
        }
        assert_int_equal(http_server_facts(bench.server).auth_failures, 0);
        /* A request with a body is looked at before it and after it, and still one try. */
        assert_int_equal(ask_from("127.0.0.2", POST_WITH("wrong"), NULL), 401);
        assert_int_equal(http_server_facts(bench.server).auth_failures, 1);
        failures += guess();
        assert_true(failures >= THROTTLE_TRIES);
        while (ask_from("127.0.0.2", LARGE_WITH("secret"), &c) == 200) {
                client_close(c);
                failures += guess();
        }
        assert_int_equal(c->status, 429);
        assert_in_range(strtol(client_header(c, "Retry-After"), NULL, 10), 1, THROTTLE_TRY_MS / 1000);
        client_close(c);
        assert_int_equal(http_server_facts(bench.server).auth_failures, failures);
        assert_true(http_server_facts(bench.server).auth_refusals >= 2);
        assert_int_equal(ask_from("127.0.0.2", GET("/api/large"), NULL), 401);
        assert_int_equal(ask_from("127.0.0.3", LARGE_WITH("secret"), NULL), 200);
        bench_stop(&bench);
        log_set_level(LOG_LEVEL_INFO);
        unlink(path);
}

static void test_this_machine_is_only_counted(void **state) {
        char path[] = "/tmp/test-limits-XXXXXX";

        (void) state;
        log_set_level((enum log_level) 0);
        start_with_tokens(path, true);
        for (int i = 0; i < 3 * THROTTLE_TRIES; i++)
                assert_int_equal(ask_from("127.0.0.2", LARGE_WITH("wrong"), NULL), 401);
        assert_int_equal(ask_from("127.0.0.2", LARGE_WITH("secret"), NULL), 200);
        assert_int_equal(http_server_facts(bench.server).auth_failures, 3 * THROTTLE_TRIES);
        assert_int_equal(http_server_facts(bench.server).auth_refusals, 0);
        bench_stop(&bench);
        log_set_level(LOG_LEVEL_INFO);
        unlink(path);
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
                cmocka_unit_test_setup_teardown(test_out_of_descriptors, start_plain, stop_bench),
                cmocka_unit_test(test_stop_with_open_connections),
                cmocka_unit_test(test_guesses_are_slowed),
                cmocka_unit_test(test_this_machine_is_only_counted),
                cmocka_unit_test_setup_teardown(test_idle_server_sleeps, start_plain, stop_bench),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
