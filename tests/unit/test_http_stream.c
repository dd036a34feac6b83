/* Answers without an end: who is asked when, what a client that does not read costs, and how they end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "http_case.h"

#define STREAMS 4
#define ENDLESS 1000000000

static unsigned n_states, n_calls;
static int newest;                  /* streams tell the numbers up to this one */

struct teller {
        int told, last, result;     /* result: once the last one is told */
        bool is_hesitant, has_paused;
};

static int tell(void *state, struct buffer *out) {
        struct teller *t = state;

        n_calls++;
        if (t->is_hesitant && (t->has_paused = !t->has_paused))
                return -EAGAIN;
        while (t->told < newest && t->told < t->last && out->len < 1000)
                buffer_printf(out, "data: %d\n\n", ++t->told);
        if (t->told == t->last)
                return t->result;
        return t->told < newest ? 1 : -ENODATA;
}

static void free_teller(void *state) {
        n_states--;
        free(state);
}

static int answer(struct reply *reply, struct teller values) {
        struct teller *t = malloc(sizeof *t);

        assert_non_null(t);
        *t = values;
        n_states++;
        reply->content_type = "text/event-stream";
        reply->produce = tell;
        reply->state = t;
        reply->free_state = free_teller;
        reply->is_stream = true;
        return 0;
}

static int endless(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        return answer(reply, (struct teller) { .told = atoi(request->last_event_id), .last = ENDLESS });
}

static int hesitant(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        return answer(reply, (struct teller) { .last = ENDLESS, .is_hesitant = true });
}

static int finite(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        return answer(reply, (struct teller) { .last = 3 });
}

static int breaking(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        return answer(reply, (struct teller) { .last = 3, .result = -EIO });
}

static int plain(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        buffer_puts(&reply->body, "hello");
        return 0;
}

static const struct route routes[] = {
        { .method = "GET", .pattern = "/endless", .handler = endless, .public = true },
        { .method = "GET", .pattern = "/hesitant", .handler = hesitant, .public = true },
        { .method = "GET", .pattern = "/finite", .handler = finite, .public = true },
        { .method = "GET", .pattern = "/breaking", .handler = breaking, .public = true },
        { .method = "GET", .pattern = "/plain", .handler = plain, .public = true },
};

static int start(void **state) {
        static struct http_limits limits = HTTP_LIMITS_DEFAULT;
        static const struct http_options options = { .routes = routes, .n_routes = ELEMENTS(routes),
                                                     .limits = &limits };

        (void) state;
        n_states = n_calls = 0;
        newest = 0;
        limits.streams = STREAMS;
        limits.stalled_ms = 200;
        limits.send_ms = limits.idle_ms = 50;   /* must not cut a stream */
        bench_start(&bench, &options);
        return 0;
}

static int stop(void **state) {
        (void) state;
        bench_stop(&bench);
        assert_int_equal(n_states, 0);
        return 0;
}

static void tell_up_to(int number) {
        newest = number;
        http_server_wake_streams(bench.server);
}

static struct client *listen_to(const char *request) {
        struct client *c = client_tcp(&bench);

        client_send(c, request);
        assert_true(client_response(c, true));
        assert_int_equal(c->status, 200);
        return c;
}

static void test_everybody_hears_the_news(void **state) {
        struct client *c[STREAMS];
        char text[32];

        (void) state;
        for (unsigned i = 0; i < STREAMS; i++)
                c[i] = listen_to(i % 2 ? GET("/hesitant") : GET("/endless"));
        assert_string_equal(client_header(c[0], "Content-Type"), "text/event-stream");
        assert_string_equal(client_header(c[0], "X-Accel-Buffering"), "no");
        for (int n = 1; n <= 300; n += n < 20 ? 1 : 140) {
                tell_up_to(n);
                snprintf(text, sizeof text, "data: %d\n\n", n);
                for (unsigned i = 0; i < STREAMS; i++)
                        client_await(c[i], text);
        }
        for (unsigned i = 0; i < STREAMS; i++) {
                assert_true(client_has(c[i], "data: 77\n\n"));
                client_close(c[i]);
        }
}

/* Without news nobody is asked; the rest of the server goes on. */
static void test_idle_streams_sleep(void **state) {
        struct client *c = listen_to(GET("/endless"));
        unsigned calls;

        (void) state;
        tell_up_to(1);
        client_await(c, "data: 1\n\n");
        assert_int_equal(ask(&bench, GET("/plain"), NULL), 200);
        calls = n_calls;
        for (int i = 0; i < 20; i++)
                assert_int_equal(ask(&bench, GET("/plain"), NULL), 200);
        assert_int_equal(n_calls, calls);
        for (int i = 0; i < 20; i++)            /* longer than send_ms and idle_ms */
                assert_true(sd_event_run(bench.event, 10000) >= 0);
        assert_false(c->closed);
        tell_up_to(2);
        client_await(c, "data: 2\n\n");
        client_close(c);
}

static void test_resumed(void **state) {
        struct client *c;

        (void) state;
        newest = 5;
        c = listen_to("GET /endless HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 3\r\n\r\n");
        client_await(c, "data: 5\n\n");
        assert_true(client_has(c, "data: 4\n\n"));
        assert_false(client_has(c, "data: 3\n\n"));
        client_close(c);
}

static void test_ends(void **state) {
        struct client *c = listen_to(GET("/finite"));

        (void) state;
        tell_up_to(9);
        client_await(c, "data: 3\n\n");
        client_await(c, "\r\n0\r\n\r\n");
        client_close(c);
        c = listen_to(GET("/breaking"));
        client_await_end(c);
        assert_false(client_has(c, "\r\n0\r\n\r\n"));
        client_close(c);
        c = listen_to("GET /finite HTTP/1.0\r\nHost: localhost\r\n\r\n");
        client_await_end(c);
        assert_true(client_has(c, "data: 3\n\n"));
        client_close(c);
        while (n_states > 0)
                bench_turn(&bench);
        assert_int_equal(ask(&bench, "HEAD /endless HTTP/1.1\r\nHost: localhost\r\n\r\n", NULL), 200);
}

/* A client that is gone gives its place back at once, though nothing is written to it. */
static void test_gone(void **state) {
        static const struct linger reset = { .l_onoff = 1 };
        struct client *c[STREAMS];

        (void) state;
        for (int round = 0; round < 3; round++) {
                for (unsigned i = 0; i < STREAMS; i++)
                        c[i] = listen_to(GET("/endless"));
                assert_int_equal(http_server_facts(bench.server).streams, STREAMS);
                assert_int_equal(ask(&bench, GET("/endless"), NULL), 503);
                for (unsigned i = 0; i < STREAMS; i++) {
                        if (i % 2)
                                assert_int_equal(setsockopt(c[i]->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
                        client_close(c[i]);
                }
                while (n_states > 0)
                        bench_turn(&bench);
        }
}

/* It is cut when its piece does not leave in time, and not before; who reads goes on. */
static void test_client_that_does_not_read(void **state) {
        struct client *slow = listen_to(GET("/endless")), *good = listen_to(GET("/endless"));
        char text[32];

        (void) state;
        sd_event_source_set_enabled(slow->source, SD_EVENT_OFF);
        for (int n = 1; n_states > 1; n += 1000) {
                good->len = 0;
                good->data[0] = 0;
                tell_up_to(n);
                snprintf(text, sizeof text, "data: %d\n\n", n);
                client_await(good, text);
        }
        sd_event_source_set_enabled(slow->source, SD_EVENT_ON);
        while (!slow->closed) {
                slow->len = 0;
                bench_turn(&bench);
        }
        client_close(slow);
        client_close(good);
}

/* After a change of who may ask they have to ask again. */
static void test_new_policy_ends_them(void **state) {
        struct http_policy policy = { 0 };
        struct client *idle = listen_to(GET("/endless")), *busy;
        char error[HTTP_ERROR_MAX];

        (void) state;
        newest = 1000;
        busy = listen_to(GET("/hesitant"));
        assert_int_equal(http_server_set_policy(bench.server, &policy, error), 0);
        client_await(idle, "0\r\n\r\n");
        client_await(busy, "0\r\n\r\n");
        while (n_states > 0)
                bench_turn(&bench);
        client_send(idle, GET("/plain"));
        client_await(idle, "hello");
        client_close(idle);
        client_close(busy);
}

static void test_stop(void **state) {
        struct client *idle = listen_to(GET("/endless")), *busy = listen_to(GET("/hesitant")), *gone;

        (void) state;
        gone = listen_to(GET("/endless"));
        tell_up_to(100000);
        client_close(gone);
        bench_stop(&bench);
        assert_int_equal(n_states, 0);
        client_close(idle);
        client_close(busy);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_everybody_hears_the_news, start, stop),
                cmocka_unit_test_setup_teardown(test_idle_streams_sleep, start, stop),
                cmocka_unit_test_setup_teardown(test_resumed, start, stop),
                cmocka_unit_test_setup_teardown(test_ends, start, stop),
                cmocka_unit_test_setup_teardown(test_gone, start, stop),
                cmocka_unit_test_setup_teardown(test_client_that_does_not_read, start, stop),
                cmocka_unit_test_setup_teardown(test_new_policy_ends_them, start, stop),
                cmocka_unit_test_setup_teardown(test_stop, start, stop),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
