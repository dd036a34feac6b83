/* HTTPS connections: handshakes that go well, and those that do not. */
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
#include "http_case.h"
#include "tls_files.h"

#define TLS_1_2   "NORMAL:-VERS-ALL:+VERS-TLS1.2"

static char body[CLIENT_BUFFER];

static int scheme(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        buffer_printf(&reply->body, "%s://%s", request->scheme, request->host);
        return 0;
}

static const struct route routes[] = {
        { .method = "GET", .pattern = "/", .handler = scheme, .public = true },
        { .method = "GET", .pattern = "/api/large", .handler = serve_large },
};

static const struct http_options options = { .routes = routes, .n_routes = ELEMENTS(routes) };

static int set_policy(void) {
        struct http_policy policy = { .certificate_path = certificate, .key_path = key };

        return http_server_set_policy(bench.server, &policy, bench.error);
}

static void start_with(const struct http_limits *limits) {
        bench_start_limited(&bench, &options, limits);
        make_files("localhost", 30, NULL);
        assert_int_equal(set_policy(), 0);
}

static int start(void **state) {
        (void) state;
        start_with(NULL);
        return 0;
}

static int stop(void **state) {
        (void) state;
        bench_stop(&bench);
        remove_files();
        return 0;
}

static void test_versions(void **state) {
        static const char *const good[] = { NULL, TLS_1_2, "NORMAL:-VERS-ALL:+VERS-TLS1.3",
                                            "NORMAL:-GROUP-ALL:+GROUP-SECP256R1", "NORMAL:-CIPHER-ALL:+AES-256-GCM" };
        static const char *const bad[] = { "LEGACY:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0",
                                           TLS_1_2 ":-KX-ALL:+DHE-RSA:+RSA",
                                           TLS_1_2 ":-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC" };
        struct tls_client t;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                tls_client_open(&t, &bench, good[i]);
                assert_int_equal(tls_client_handshake(&t), 0);
                for (int k = 0; k < 3; k++) {
                        assert_int_equal(tls_client_ask(&t, GET("/"), body, sizeof body), 200);
                        assert_string_equal(body, "https://localhost");
                }
                assert_int_equal(tls_client_ask(&t, GET("/api/large"), body, sizeof body), 200);
                assert_int_equal(strlen(body), 100000);
                assert_int_equal(http_server_facts(bench.server).secure_connections, 1);
                tls_client_close(&t);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                tls_client_open(&t, &bench, bad[i]);
                assert_true(tls_client_handshake(&t) < 0);
                tls_client_close(&t);
        }
        bench_await_gone(&bench);
        assert_int_equal(http_server_facts(bench.server).secure_connections, 0);
}

static void test_absolute_targets(void **state) {
        struct tls_client t;

        (void) state;
        tls_client_open(&t, &bench, NULL);
        assert_int_equal(tls_client_handshake(&t), 0);
        assert_int_equal(tls_client_ask(&t, "GET https://127.0.0.1/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", body,
                                        sizeof body), 200);
        assert_string_equal(body, "https://127.0.0.1");
        assert_int_equal(tls_client_ask(&t, "GET https://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", body,
                                        sizeof body), 421);
        assert_int_equal(tls_client_ask(&t, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", body, sizeof body), 421);
        tls_client_close(&t);
}

static void test_url(void **state) {
        struct http_policy policy = { 0 };
        char url[64];

        (void) state;
        snprintf(url, sizeof url, "https://127.0.0.1:%u", bench.port);
        assert_string_equal(http_server_url(bench.server), url);
        assert_int_equal(http_server_set_policy(bench.server, &policy, bench.error), 0);
        assert_string_equal(http_server_url(bench.server) + 7, url + 8);
}

static void test_unix_sockets_stay_plain(void **state) {
        char path[] = "/tmp/test-tls-socket-XXXXXX";
        struct http_listen addresses[2];
        struct client *c;
        int fd = mkstemp(path);

        (void) state;
        assert_true(fd >= 0);
        close(fd);
        unlink(path);
        addresses[0] = bench_tcp("127.0.0.1", 0);
        addresses[1] = bench_unix(path);
        assert_int_equal(http_server_listen(bench.server, addresses, 2, bench.error), 0);
        c = client_connect(&bench, &addresses[1]);
        client_send(c, GET("/"));
        assert_true(client_response(c, false));
        assert_string_equal(c->body, "http://localhost");
        assert_int_equal(http_server_facts(bench.server).secure_connections, 0);
        client_close(c);
}

/* libmicrohttpd by itself would go round all the time. */
static void expect_sleep(void) {
        unsigned turns = 0;

        while (sd_event_run(bench.event, 20000) > 0)
                assert_true(turns++ < 50);
}

static void test_stalled_handshakes_cost_nothing(void **state) {
        static const char *const priorities[] = { NULL, TLS_1_2 };
        struct tls_client t;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(priorities); i++) {
                tls_client_open(&t, &bench, priorities[i]);
                expect_sleep();
                client_send_n(t.c, "\x16\x03\x01\x02", 4);
                expect_sleep();
                tls_client_close(&t);
                tls_client_open(&t, &bench, priorities[i]);
                assert_int_equal(tls_client_step(&t), GNUTLS_E_AGAIN);
                expect_sleep();
                assert_true(t.c->len > 0);
                assert_int_equal(tls_client_handshake(&t), 0);
                expect_sleep();
                assert_true(gnutls_record_send(t.session, "GET / HT", 8) == 8);
                expect_sleep();
                assert_int_equal(tls_client_ask(&t, "TP/1.1\r\nHost: localhost\r\n\r\n", body, sizeof body), 200);
                expect_sleep();
                tls_client_close(&t);
                expect_sleep();
        }
        assert_int_equal(http_server_connections(bench.server), 0);
}

/* The request in small records, and all of it in one with the next ones. */
static void test_records_of_any_size(void **state) {
        static const char request[] = GET("/");
        static char many[200 * sizeof request];
        struct tls_client t;

        (void) state;
        tls_client_open(&t, &bench, NULL);
        assert_int_equal(tls_client_handshake(&t), 0);
        for (size_t i = 0; i < sizeof request - 2; i++)
                assert_int_equal(gnutls_record_send(t.session, request + i, 1), 1);
        assert_int_equal(tls_client_ask(&t, "\n", body, sizeof body), 200);
        for (int i = 0; i < 199; i++)
                strcat(many, request);
        assert_int_equal(tls_client_ask(&t, many, body, sizeof body), 200);
        for (size_t seen = 1; seen < 199;) {
                char chunk[4096];
                ssize_t r = gnutls_record_recv(t.session, chunk, sizeof chunk - 1);

                if (r == GNUTLS_E_AGAIN) {
                        bench_turn(&bench);
                        continue;
                }
                assert_true(r > 0);
                chunk[r] = 0;
                for (const char *p = chunk; (p = strstr(p, "HTTP/1.1 200")); p++)
                        seen++;
        }
        tls_client_close(&t);
}

/* A line longer than what the library reads at a time stays in the session's own buffer: nobody must wait for it. The
 * library may cut the connection before its answer has left. */
static void test_long_request_line(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        static char request[HTTP_POOL_SIZE];
        struct tls_client t;
        int status;

        (void) state;
        limits.header_ms = 3600000;
        start_with(&limits);
        tls_client_open(&t, &bench, NULL);
        assert_int_equal(tls_client_handshake(&t), 0);
        memset(request, 'a', sizeof request - 100);
        memcpy(request, "GET /", 5);
        strcpy(request + sizeof request - 100, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        status = tls_client_ask(&t, request, body, sizeof body);
        assert_true(status == 414 || status == -1);
        tls_client_close(&t);
        bench_stop(&bench);
        remove_files();
}

static void test_deadlines(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct tls_client t;

        (void) state;
        limits.header_ms = 60;
        limits.idle_ms = 20;
        start_with(&limits);
        for (int stage = 0; stage < 5; stage++) {
                tls_client_open(&t, &bench, NULL);
                if (stage == 1)
                        client_send_n(t.c, "\x16\x03", 2);
                if (stage == 2)
                        (void) tls_client_step(&t);
                if (stage >= 3)
                        (void) tls_client_handshake(&t);
                if (stage == 4)
                        (void) gnutls_record_send(t.session, "GET /", 5);
                client_await_end(t.c);
                tls_client_close(&t);
        }
        bench_await_gone(&bench);
        bench_stop(&bench);
        remove_files();
}

static void test_not_tls_at_all(void **state) {
        static const char *const texts[] = { GET("/"), "\n", "\x16\x03\x01\xff\xff" "aaaaaaaa",
                                             "\x16\x03\x01\x00\x05\x01\x00\xff\xff\xff" };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                struct client *c = client_tcp(&bench);

                if (i == 3)
                        client_send_n(c, texts[i], 10);
                else
                        client_send(c, texts[i]);
                if (i == 1)
                        client_send(c, GET("/"));
                client_await_end(c);
                assert_null(strstr(c->data, "HTTP/1.1"));
                client_close(c);
        }
}

static void test_limit(void **state) {
        struct http_limits limits = HTTP_LIMITS_DEFAULT;
        struct client *idle[3];
        struct tls_client t;

        (void) state;
        limits.secure_connections = 3;
        start_with(&limits);
        for (int i = 0; i < 3; i++)
                idle[i] = client_tcp(&bench);
        while (http_server_facts(bench.server).secure_connections < 3)
                bench_turn(&bench);
        tls_client_open(&t, &bench, NULL);
        assert_int_equal(tls_client_step(&t), GNUTLS_E_AGAIN);
        expect_sleep();
        assert_int_equal(http_server_facts(bench.server).secure_connections, 3);
        client_close(idle[1]);
        assert_int_equal(tls_client_handshake(&t), 0);
        assert_int_equal(tls_client_ask(&t, GET("/"), body, sizeof body), 200);
        tls_client_close(&t);
        client_close(idle[0]);
        client_close(idle[2]);
        bench_stop(&bench);
        remove_files();
}

static void expect_name(struct tls_client *t, const char *name) {
        char shown[64];

        tls_client_server_name(t, shown, sizeof shown);
        assert_string_equal(shown, name);
}

/* Connections go on; a handshake under way keeps the certificate that it began with; new ones have the new one. */
static void test_reload(void **state) {
        struct http_policy none = { 0 };
        struct tls_client open, begun, fresh;
        struct client *plain;

        (void) state;
        tls_client_open(&open, &bench, NULL);
        assert_int_equal(tls_client_handshake(&open), 0);
        tls_client_open(&begun, &bench, TLS_1_2);
        assert_int_equal(tls_client_step(&begun), GNUTLS_E_AGAIN);
        expect_sleep();
        remove_files();
        make_files("another", 30, NULL);
        assert_int_equal(set_policy(), 0);
        assert_int_equal(tls_client_handshake(&begun), 0);
        expect_name(&begun, "localhost");
        assert_int_equal(tls_client_ask(&begun, GET("/"), body, sizeof body), 200);
        assert_int_equal(tls_client_ask(&open, GET("/"), body, sizeof body), 200);
        tls_client_open(&fresh, &bench, NULL);
        assert_int_equal(tls_client_handshake(&fresh), 0);
        expect_name(&fresh, "another");
        tls_client_close(&fresh);
        /* A file that became bad changes nothing. */
        write_text(key, "nothing\n");
        assert_int_equal(set_policy(), -EINVAL);
        tls_client_open(&fresh, &bench, NULL);
        assert_int_equal(tls_client_handshake(&fresh), 0);
        expect_name(&fresh, "another");
        /* Without TLS new connections are plain, and those there are go on. */
        assert_int_equal(http_server_set_policy(bench.server, &none, bench.error), 0);
        plain = client_tcp(&bench);
        client_send(plain, GET("/"));
        assert_true(client_response(plain, false));
        assert_string_equal(plain->body, "http://localhost");
        assert_int_equal(tls_client_ask(&open, GET("/"), body, sizeof body), 200);
        assert_string_equal(body, "https://localhost");
        client_close(plain);
        tls_client_close(&fresh);
        tls_client_close(&begun);
        tls_client_close(&open);
}

static void test_stop_in_every_stage(void **state) {
        struct tls_client t[5];

        (void) state;
        start_with(NULL);
        for (int i = 0; i < 5; i++)
                tls_client_open(&t[i], &bench, NULL);
        client_send_n(t[1].c, "\x16\x03", 2);
        assert_int_equal(tls_client_step(&t[2]), GNUTLS_E_AGAIN);
        assert_int_equal(tls_client_handshake(&t[3]), 0);
        assert_int_equal(tls_client_handshake(&t[4]), 0);
        assert_int_equal(tls_client_ask(&t[4], GET("/"), body, sizeof body), 200);
        expect_sleep();
        bench.server = http_server_free(bench.server);
        for (int i = 0; i < 5; i++) {
                client_await_end(t[i].c);
                tls_client_close(&t[i]);
        }
        bench_stop(&bench);
        remove_files();
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_versions, start, stop),
                cmocka_unit_test_setup_teardown(test_absolute_targets, start, stop),
                cmocka_unit_test_setup_teardown(test_url, start, stop),
                cmocka_unit_test_setup_teardown(test_unix_sockets_stay_plain, start, stop),
                cmocka_unit_test_setup_teardown(test_stalled_handshakes_cost_nothing, start, stop),
                cmocka_unit_test_setup_teardown(test_records_of_any_size, start, stop),
                cmocka_unit_test(test_long_request_line),
                cmocka_unit_test(test_deadlines),
                cmocka_unit_test_setup_teardown(test_not_tls_at_all, start, stop),
                cmocka_unit_test(test_limit),
                cmocka_unit_test_setup_teardown(test_reload, start, stop),
                cmocka_unit_test(test_stop_in_every_stage),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
