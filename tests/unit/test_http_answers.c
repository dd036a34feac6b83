/* Answers that are not sent again, or are compressed: over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "http_case.h"

static unsigned calls, value, age;

/* One that the server keeps. */
static int kept(void *app, const struct request *request, struct reply *reply) {
        (void) app, (void) request;
        reply->subject = "";
        buffer_printf(&reply->body, "value %u", value);
        return 0;
}

static int ageing(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        buffer_printf(&reply->body, "value %u, age ", value);
        buffer_volatile_begin(&reply->body);
        buffer_printf(&reply->body, "%u", age++);
        buffer_volatile_end(&reply->body);
        return 0;
}

static int secret(void *app, const struct request *request, struct reply *reply) {
        reply->cache_control = "no-store";
        return ageing(app, request, reply);
}

static int always_other(void *app, const struct request *request, struct reply *reply) {
        reply->is_volatile = true;
        return ageing(app, request, reply);
}

static int large(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        reply->subject = strcmp(request->path, "/large-kept") == 0 ? "" : NULL;
        for (int i = 0; i < 500; i++)
                buffer_printf(&reply->body, "line %d\n", i);
        return 0;
}

static int fixed(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        reply->fixed = "a file";
        reply->fixed_len = 6;
        reply->fixed_gzip = "not really gzip";
        reply->fixed_gzip_len = 15;
        return 0;
}

/* 3000 lines, one in a piece, every other time none. */
static int produce(void *state, struct buffer *out) {
        unsigned *line = state;

        calls++;
        if (calls % 2)
                return -EAGAIN;
        buffer_printf(out, "line %u\n", *line);
        return ++*line < 3000;
}

static int produced(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        reply->state = calloc(1, sizeof(unsigned));
        reply->produce = produce;
        reply->free_state = free;
        reply->tag = value;
        reply->has_tag = true;
        return 0;
}

static uint64_t version(void *app, const char *subject) {
        (void) app, (void) subject;
        return 1;
}

#define ROUTE(address, function) { .method = "GET", .pattern = address, .handler = function, .public = true }

static const struct route routes[] = {
        ROUTE("/all", kept), ROUTE("/ageing", ageing), ROUTE("/secret", secret), ROUTE("/other", always_other),
        ROUTE("/large", large), ROUTE("/large-kept", large), ROUTE("/fixed", fixed), ROUTE("/produced", produced),
};

static const struct http_options options = { .routes = routes, .n_routes = ELEMENTS(routes), .version = version };

static int start(void **state) {
        (void) state;
        calls = value = age = 0;
        bench_start(&bench, &options);
        return 0;
}

/* The header's value as one's own; NULL: there is none. */
static char *copy_of(const struct client *c, const char *name) {
        const char *found = client_header(c, name);

        return found ? strdup(found) : NULL;
}

/* ---- not sent again ---- */

static void ask_with_tag(const char *path, const char *tag, const char *more, struct client **ret) {
        char request[300];

        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "If-None-Match: %s\r\n%s\r\n", path, tag, more);
        ask(&bench, request, ret);
}

static void expect_not_modified(const char *path, const char *tag) {
        struct client *c;
        char *again;

        ask_with_tag(path, tag, "", &c);
        assert_int_equal(c->status, 304);
        again = copy_of(c, "ETag");
        assert_non_null(again);
        assert_string_equal(again, tag);
        assert_string_equal(client_header(c, "Vary"), "Accept-Encoding");
        assert_string_equal(client_header(c, "Cache-Control"), "no-cache");
        assert_null(client_header(c, "Transfer-Encoding"));
        free(again);
        client_close(c);
}

static void test_not_modified(void **state) {
        static const char *const paths[] = { "/all", "/ageing", "/large", "/large-kept", "/fixed", "/produced" };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                char request[100], *tag;
                struct client *c;

                snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\n" HOST "\r\n", paths[i]);
                assert_int_equal(ask(&bench, request, &c), 200);
                tag = copy_of(c, "ETag");
                client_close(c);
                assert_non_null(tag);
                assert_memory_equal(tag, "W/\"", 3);
                for (int k = 0; k < 3; k++)
                        expect_not_modified(paths[i], tag);
                ask_with_tag(paths[i], "W/\"0000000000000001\"", "", &c);
                assert_int_equal(c->status, 200);
                client_close(c);
                ask_with_tag(paths[i], "\"x\"", "If-None-Match: *\r\n", &c);
                assert_int_equal(c->status, 304);
                client_close(c);
                free(tag);
        }
        assert_true(http_server_facts(bench.server).not_modified >= 3 * ELEMENTS(paths));
}

static void test_tag_changes_with_the_value(void **state) {
        struct client *c;
        char *tag;

        (void) state;
        assert_int_equal(ask(&bench, GET("/ageing"), &c), 200);
        tag = copy_of(c, "ETag");
        client_close(c);
        expect_not_modified("/ageing", tag);
        value++;
        ask_with_tag("/ageing", tag, "", &c);
        assert_int_equal(c->status, 200);
        assert_string_not_equal(client_header(c, "ETag"), tag);
        client_close(c);
        free(tag);
}

static void test_answers_without_a_tag(void **state) {
        static const char *const requests[] = {
                GET_WITH("/secret", "If-None-Match: *\r\n"), GET_WITH("/other", "If-None-Match: *\r\n"),
        };
        struct client *c;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(requests); i++) {
                assert_int_equal(ask(&bench, requests[i], &c), 200);
                assert_null(client_header(c, "ETag"));
                client_close(c);
        }
        assert_int_equal(ask(&bench, GET_WITH("/nothing", "If-None-Match: *\r\n"), &c), 404);
        assert_null(client_header(c, "ETag"));
        client_close(c);
}

/* A 304 says how long the answer would have been, or nothing; the connection goes on where it can be known. */
static void test_length_of_what_is_not_sent(void **state) {
        struct client *c = client_tcp(&bench);
        char length[20];

        (void) state;
        for (int compressed = 0; compressed < 2; compressed++) {
                client_send(c, compressed ? GET_WITH("/large", "Accept-Encoding: gzip\r\n") : GET("/large"));
                assert_true(client_response(c, false));
                snprintf(length, sizeof length, "%s", client_header(c, "Content-Length"));
                client_send(c, compressed ? GET_WITH("/large", "Accept-Encoding: gzip\r\nIf-None-Match: *\r\n")
                                          : GET_WITH("/large", "If-None-Match: *\r\n"));
                assert_true(client_response(c, false));
                assert_int_equal(c->status, 304);
                assert_string_equal(client_header(c, "Content-Length"), length);
        }
        client_send(c, GET("/produced"));
        assert_true(client_response(c, false));
        snprintf(length, sizeof length, "%zu", client_chunks(c, c->body));
        client_send(c, GET_WITH("/produced", "If-None-Match: *\r\n"));
        assert_true(client_response(c, false));
        assert_int_equal(c->status, 304);
        assert_string_equal(client_header(c, "Content-Length"), length);
        /* Nobody has fetched this one. */
        value++;
        client_send(c, GET_WITH("/produced", "If-None-Match: *\r\n"));
        assert_true(client_response(c, false));
        assert_int_equal(c->status, 304);
        assert_null(client_header(c, "Content-Length"));
        client_await_end(c);
        assert_int_equal(c->len, 0);
        client_close(c);
}

/* Many on one connection, sent before the first was answered. */
static void test_pipelined(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        for (int i = 0; i < 50; i++)
                client_send(c, i % 2 ? GET_WITH("/all", "If-None-Match: *\r\n") : GET("/large"));
        for (int i = 0; i < 50; i++) {
                assert_true(client_response(c, false));
                assert_int_equal(c->status, i % 2 ? 304 : 200);
        }
        client_close(c);
}

/* ---- compressed ---- */

static size_t unpack(const char *data, size_t len, char *out, size_t cap) {
        z_stream z = { .next_in = (unsigned char *) (uintptr_t) data, .avail_in = (uInt) len,
                       .next_out = (unsigned char *) out, .avail_out = (uInt) cap };

        assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        inflateEnd(&z);
        return z.total_out;
}

#define GZIP "Accept-Encoding: gzip\r\n"

static void expect_same_when_compressed(const char *plain_request, const char *gzip_request) {
        static char text[CLIENT_BUFFER];
        struct client *plain, *packed;
        size_t len, packed_len;
        char *tag;

        assert_int_equal(ask(&bench, plain_request, &plain), 200);
        assert_null(client_header(plain, "Content-Encoding"));
        assert_int_equal(ask(&bench, gzip_request, &packed), 200);
        assert_string_equal(client_header(packed, "Content-Encoding"), "gzip");
        assert_string_equal(client_header(packed, "Vary"), "Accept-Encoding");
        packed_len = strtoul(client_header(packed, "Content-Length"), NULL, 10);
        len = unpack(packed->body, packed_len, text, sizeof text);
        assert_int_equal(len, strlen(plain->body));
        assert_memory_equal(text, plain->body, len);
        assert_true(packed_len < len / 2);
        tag = copy_of(plain, "ETag");
        assert_string_equal(tag, client_header(packed, "ETag"));
        free(tag);
        client_close(plain);
        client_close(packed);
}

static void test_gzip(void **state) {
        struct client *c;

        (void) state;
        expect_same_when_compressed(GET("/large"), GET_WITH("/large", GZIP));
        for (int i = 0; i < 5; i++)
                expect_same_when_compressed(GET("/large-kept"), GET_WITH("/large-kept", GZIP));
        assert_int_equal(ask(&bench, GET_WITH("/fixed", GZIP), &c), 200);
        assert_string_equal(client_header(c, "Content-Encoding"), "gzip");
        assert_string_equal(c->body, "not really gzip");
        client_close(c);
        /* Too short. */
        assert_int_equal(ask(&bench, GET_WITH("/all", GZIP), &c), 200);
        assert_null(client_header(c, "Content-Encoding"));
        assert_string_equal(client_header(c, "Vary"), "Accept-Encoding");
        client_close(c);
        assert_int_equal(ask(&bench, GET_WITH("/large", "Accept-Encoding: gzip;q=0\r\n"), &c), 200);
        assert_null(client_header(c, "Content-Encoding"));
        client_close(c);
}

static void test_gzip_of_long_answers(void **state) {
        static char packed[CLIENT_BUFFER], text[CLIENT_BUFFER], line[20];
        struct client *c = client_tcp(&bench);
        size_t len, at = 0;

        (void) state;
        client_send(c, GET_WITH("/produced", GZIP));
        assert_true(client_response(c, false));
        assert_string_equal(client_header(c, "Content-Encoding"), "gzip");
        assert_string_equal(client_header(c, "Transfer-Encoding"), "chunked");
        len = client_chunks(c, packed);
        text[unpack(packed, len, text, sizeof text - 1)] = 0;
        assert_true(len < strlen(text) / 3);
        for (unsigned i = 0; i < 3000; i++) {
                snprintf(line, sizeof line, "line %u\n", i);
                assert_memory_equal(text + at, line, strlen(line));
                at += strlen(line);
        }
        assert_int_equal(at, strlen(text));
        /* The connection goes on. */
        client_send(c, GET("/large"));
        assert_true(client_response(c, false));
        assert_int_equal(c->status, 200);
        client_close(c);
}

/* Nothing follows the headers. */
static void test_head_of_long_answers(void **state) {
        struct client *c = client_tcp(&bench);

        (void) state;
        client_send(c, "HEAD /produced HTTP/1.1\r\n" HOST GZIP "\r\n");
        assert_true(client_response(c, true));
        assert_int_equal(c->status, 200);
        assert_string_equal(client_header(c, "Content-Encoding"), "gzip");
        client_await_end(c);
        assert_int_equal(c->len, 0);
        client_close(c);
}

static void test_head_has_the_headers_of_get(void **state) {
        static const char *const wanted[] = { "Content-Length", "Content-Encoding", "ETag", "Vary", "Cache-Control",
                                              "Content-Type" };
        static const char *const paths[] = { "/all", "/large", "/large-kept", "/fixed" };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(paths) * 2; i++) {
                char get[100], head[120], *value_of_get;
                struct client *g, *h;

                snprintf(get, sizeof get, "GET %s HTTP/1.1\r\n" HOST "%s\r\n", paths[i / 2], i % 2 ? GZIP : "");
                snprintf(head, sizeof head, "HEAD %s", get + 4);
                assert_int_equal(ask(&bench, get, &g), 200);
                assert_int_equal(ask(&bench, head, &h), 200);
                for (size_t k = 0; k < ELEMENTS(wanted); k++) {
                        const char *of_head = client_header(h, wanted[k]);

                        value_of_get = of_head ? strdup(of_head) : NULL;
                        of_head = client_header(g, wanted[k]);
                        assert_int_equal(!value_of_get, !of_head);
                        if (of_head)
                                assert_string_equal(value_of_get, of_head);
                        free(value_of_get);
                }
                client_close(g);
                client_close(h);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_not_modified, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_tag_changes_with_the_value, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_answers_without_a_tag, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_length_of_what_is_not_sent, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_pipelined, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_gzip, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_gzip_of_long_answers, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_head_of_long_answers, start, stop_bench),
                cmocka_unit_test_setup_teardown(test_head_has_the_headers_of_get, start, stop_bench),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
