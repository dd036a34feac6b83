/* Answers that are produced while they are sent: complete, in turns of the loop, and freed whatever happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http_case.h"

#define ENDLESS 1000000000

/* A source of the lines 0, 1, 2...; how many of them exist is the test's own count. */
struct counting {
        int next, end;
        int piece;        /* numbers in a call's worth; 0: 100 */
        bool pauses;      /* every other call yields nothing */
        bool breaks;      /* fails in place of its end */
        bool paused;
};

static int n_states;
static int n_calls;

static int count_on(void *state, struct buffer *out) {
        struct counting *s = state;

        n_calls++;
        if (s->pauses && !s->paused) {
                s->paused = true;
                return -EAGAIN;
        }
        s->paused = false;
        for (int i = 0; i < (s->piece ? s->piece : 100) && s->next < s->end; i++)
                buffer_printf(out, "%d\n", s->next++);
        if (s->next < s->end)
                return 1;
        return s->breaks ? -EIO : 0;
}

static void free_counting(void *state) {
        n_states--;
        free(state);
}

static int answer(struct reply *reply, struct counting values) {
        struct counting *s = malloc(sizeof *s);

        assert_non_null(s);
        *s = values;
        n_states++;
        reply->content_type = "text/plain";
        reply->produce = count_on;
        reply->state = s;
        reply->free_state = free_counting;
        return 0;
}

static int thousand(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        return answer(reply, (struct counting) { .end = 1000, .pauses = true });
}

static int nothing(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        return answer(reply, (struct counting) { .end = 0, .pauses = true });
}

static int breaking(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        return answer(reply, (struct counting) { .end = 1000, .breaks = true });
}

static int endless(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        return answer(reply, (struct counting) { .end = ENDLESS, .piece = 2000 });
}

static int refused(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        answer(reply, (struct counting) { .end = 10 });
        return reply_problem(reply, 400, "x", "no");
}

static int failed(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        answer(reply, (struct counting) { .end = 10 });
        return -EIO;
}

#define ROUTE(address, function) { .method = "GET", .pattern = address, .handler = function, .public = true }

static const struct route routes[] = {
        ROUTE("/thousand", thousand), ROUTE("/nothing", nothing), ROUTE("/breaking", breaking),
        ROUTE("/endless", endless),   ROUTE("/refused", refused), ROUTE("/failed", failed),
};

static int start(void **state) {
        static const struct http_options options = { .routes = routes, .n_routes = ELEMENTS(routes) };

        (void) state;
        n_states = 0;
        bench_start(&bench, &options);
        return 0;
}

static int stop(void **state) {
        (void) state;
        bench_stop(&bench);
        assert_int_equal(n_states, 0);
        return 0;
}

static void test_complete(void **state) {
        static char body[CLIENT_BUFFER];
        struct client *c = client_tcp(&bench);
        char expected[16];
        size_t len, at = 0;

        (void) state;
        for (int round = 0; round < 3; round++, at = 0) {
                client_send(c, GET("/thousand"));
                assert_true(client_response(c, false));
                assert_int_equal(c->status, 200);
                assert_string_equal(client_header(c, "Transfer-Encoding"), "chunked");
                len = client_chunks(c, body);
                for (int i = 0; i < 1000; i++) {
                        size_t n = (size_t) snprintf(expected, sizeof expected, "%d\n", i);

                        assert_memory_equal(body + at, expected, n);
                        at += n;
                }
                assert_int_equal(at, len);
        }
        client_close(c);
}

static void test_empty(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        client_send(c, GET("/nothing"));
        assert_true(client_response(c, false));
        client_await(c, "0\r\n\r\n");
        client_close(c);
}

/* What is broken off must not look complete. */
static void test_broken_off(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        client_send(c, GET("/breaking"));
        assert_true(client_response(c, false));
        client_await_end(c);
        assert_null(memmem(c->data, c->len, "\r\n0\r\n\r\n", 7));
        client_close(c);
}

static void test_problems_free_the_producer(void **state) {
        (void) state;
        assert_int_equal(ask(&bench, GET("/refused"), NULL), 400);
        assert_int_equal(ask(&bench, GET("/failed"), NULL), 500);
        assert_int_equal(ask(&bench, "HEAD /endless HTTP/1.1\r\nHost: localhost\r\n\r\n", NULL), 200);
}

/* A client that does not read costs what it was given and no more work; others are served beside it. */
static void test_slow_clients(void **state) {
        struct client *slow[HTTP_LONG_ANSWERS_MAX], *c;
        int calls;

        (void) state;
        for (unsigned i = 0; i < HTTP_LONG_ANSWERS_MAX; i++) {
                slow[i] = client_tcp(&bench);
                client_send(slow[i], GET("/endless"));
                assert_true(client_response(slow[i], false));
                sd_event_source_set_enabled(slow[i]->source, SD_EVENT_OFF);
        }
        assert_int_equal(ask(&bench, GET("/thousand"), &c), 503);
        assert_int_equal(atoi(client_header(c, "Retry-After")), HTTP_RETRY_AFTER_S);
        assert_non_null(strstr(c->body, "long answers"));
        client_close(c);
        for (calls = -1; calls != n_calls;) {   /* until the sockets are full */
                calls = n_calls;
                for (int i = 0; i < 50; i++)
                        assert_true(sd_event_run(bench.event, 1000) >= 0);
        }
        assert_int_equal(n_states, HTTP_LONG_ANSWERS_MAX);
        for (unsigned i = 0; i < HTTP_LONG_ANSWERS_MAX; i++)
                client_close(slow[i]);
        while (n_states > 0)
                bench_turn(&bench);
        assert_int_equal(ask(&bench, GET("/thousand"), NULL), 200);
}

static void test_stop_in_the_middle(void **state) {
        struct client *reads = client_tcp(&bench), *gone = client_tcp(&bench);

        (void) state;
        client_send(reads, GET("/endless"));
        assert_true(client_response(reads, false));
        client_send(gone, GET("/thousand"));
        while (n_states < 2)
                bench_turn(&bench);
        client_close(gone);
        client_close(reads);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_complete, start, stop),
                cmocka_unit_test_setup_teardown(test_empty, start, stop),
                cmocka_unit_test_setup_teardown(test_broken_off, start, stop),
                cmocka_unit_test_setup_teardown(test_problems_free_the_producer, start, stop),
                cmocka_unit_test_setup_teardown(test_slow_clients, start, stop),
                cmocka_unit_test_setup_teardown(test_stop_in_the_middle, start, stop),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
