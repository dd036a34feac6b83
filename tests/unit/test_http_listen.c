/* Listening: IPv4, IPv6, unix paths, sockets handed over, and changing among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "http_case.h"

static void test_unix_socket(void **state) {
        char folder[] = "/tmp/test-http-XXXXXX", path[64];
        struct http_listen address;
        struct bench other;
        struct client *c;
        struct stat st;
        int fd;

        (void) state;
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/api.sock", folder);
        address = bench_unix(path);
        /* What a killed process leaves behind. */
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address.address, address.address_len), 0);
        close(fd);
        assert_int_equal(http_server_listen(bench.server, &address, 1, bench.error), 0);
        assert_string_equal(http_server_url(bench.server), "");
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0660);
        c = client_connect(&bench, &address);
        client_send(c, "GET / HTTP/1.1\r\nHost: anything.example\r\n\r\n");
        assert_true(client_response(c, false));
        assert_int_equal(c->status, 200);
        client_close(c);

        /* One that lives is not taken over, and a file is not removed. */
        bench_start(&other, &plain_options);
        assert_int_equal(http_server_listen(other.server, &address, 1, other.error), -EADDRINUSE);
        assert_non_null(strstr(other.error, path));
        assert_non_null(strstr(other.error, "choose another path"));
        bench_stop(&other);
        assert_int_equal(lstat(path, &st), 0);

        assert_int_equal(http_server_listen(bench.server, NULL, 0, bench.error), 0);
        assert_int_equal(lstat(path, &st), -1);
        fd = open(path, O_CREAT | O_WRONLY, 0600);
        close(fd);
        assert_int_equal(http_server_listen(bench.server, &address, 1, bench.error), -EEXIST);
        assert_int_equal(lstat(path, &st), 0);
        unlink(path);
        rmdir(folder);
        assert_int_equal(http_server_listen(bench.server, &address, 1, bench.error), -ENOENT);
}

static void test_long_unix_client_name(void **state) {
        char folder[] = "/tmp/test-http-XXXXXX", path[64], name[108];
        struct http_listen address, from;
        struct client *c;

        (void) state;
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/api.sock", folder);
        snprintf(name, sizeof name, "%s/%0*d", folder, (int) (sizeof name - 2 - strlen(folder)), 0);
        address = bench_unix(path);
        from = bench_unix(name);
        assert_int_equal(http_server_listen(bench.server, &address, 1, bench.error), 0);
        c = client_connect_from(&bench, &from, &address);
        client_send(c, "GET / HTTP/1.0\r\n\r\n");
        assert_true(client_response(c, false));
        assert_string_equal(c->body, "<p>hello");
        client_close(c);
        unlink(name);
        assert_int_equal(http_server_listen(bench.server, NULL, 0, bench.error), 0);
        rmdir(folder);
}

static void test_listen_again(void **state) {
        struct http_listen both[2] = { bench_tcp("127.0.0.1", 0), bench_tcp("127.0.0.2", 0) };
        struct http_listen everywhere = bench_tcp("0.0.0.0", bench.port);
        unsigned port = bench.port;
        struct client *kept, *c;
        char url[64];

        (void) state;
        assert_int_equal(ask(&bench, GET("/"), &kept), 200);
        snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
        assert_int_equal(http_server_listen(bench.server, both, 2, bench.error), 0);
        assert_string_equal(http_server_url(bench.server), url);
        assert_int_equal(ask(&bench, GET("/"), NULL), 200);

        /* The other one alone: the first closes, connections stay. */
        assert_int_equal(http_server_listen(bench.server, both + 1, 1, bench.error), 0);
        assert_int_equal(sscanf(http_server_url(bench.server), "http://127.0.0.2:%u", &bench.port), 1);
        client_send(kept, GET("/"));
        assert_true(client_response(kept, false));
        client_close(kept);

        /* From one address to all on the same port, and back. */
        both[0] = bench_tcp("127.0.0.1", port);
        assert_int_equal(http_server_listen(bench.server, both, 1, bench.error), 0);
        assert_int_equal(http_server_listen(bench.server, &everywhere, 1, bench.error), 0);
        bench.port = port;
        assert_int_equal(ask(&bench, GET("/"), &c), 200);
        client_close(c);
        assert_int_equal(http_server_listen(bench.server, both, 1, bench.error), 0);
        assert_string_equal(http_server_url(bench.server), url);
        assert_int_equal(ask(&bench, GET("/"), NULL), 200);
}

static void test_address_in_use(void **state) {
        struct http_listen taken[2];
        struct bench other;
        char want[64];

        (void) state;
        bench_start(&other, &plain_options);
        taken[0] = bench_tcp("127.0.0.3", 0);
        taken[1] = bench_tcp("127.0.0.1", other.port);
        snprintf(want, sizeof want, "127.0.0.1:%u", other.port);
        taken[1].text = want;
        assert_int_equal(http_server_listen(bench.server, taken, 2, bench.error), -EADDRINUSE);
        assert_int_equal(strncmp(bench.error, want, strlen(want)), 0);
        assert_non_null(strstr(bench.error, ": Address already in use; another program"));
        assert_int_equal(ask(&bench, GET("/"), NULL), 200);
        snprintf(want, sizeof want, "http://127.0.0.1:%u", bench.port);
        assert_string_equal(http_server_url(bench.server), want);
        taken[1] = bench_tcp("192.0.2.1", 0);
        assert_int_equal(http_server_listen(bench.server, taken, 2, bench.error), -EADDRNOTAVAIL);
        assert_non_null(strstr(bench.error, "no such address"));
        assert_int_equal(ask(&bench, GET("/"), NULL), 200);
        bench_stop(&other);
}

static void test_ipv6(void **state) {
        struct http_listen addresses[2] = { bench_tcp("::1", 0), bench_tcp("127.0.0.1", 0) };
        struct client *c;
        unsigned port;

        (void) state;
        assert_int_equal(http_server_listen(bench.server, addresses, 2, bench.error), 0);
        if (sscanf(http_server_url(bench.server), "http://[::1]:%u", &port) != 1) {
                print_message("# skipped: no IPv6 here\n");
                return;
        }
        addresses[0] = bench_tcp("::1", port);
        c = client_connect(&bench, &addresses[0]);
        client_send(c, "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n");
        assert_true(client_response(c, false));
        assert_int_equal(c->status, 200);
        client_close(c);
        /* V6ONLY: the same port of IPv4 is another socket. */
        addresses[0] = bench_tcp("::", port);
        addresses[1] = bench_tcp("0.0.0.0", port);
        assert_int_equal(http_server_listen(bench.server, addresses, 2, bench.error), 0);
}

static void test_adopt(void **state) {
        struct http_listen address = bench_tcp("127.0.0.1", 0), given;
        char url[64];
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        (void) state;
        assert_int_equal(http_server_adopt(bench.server, fd, bench.error), -EINVAL);
        assert_non_null(strstr(bench.error, "not a listening"));
        assert_int_equal(bind(fd, (struct sockaddr *) &address.address, address.address_len), 0);
        assert_int_equal(listen(fd, 5), 0);
        assert_int_equal(http_server_adopt(bench.server, fd, bench.error), 0);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        given = (struct http_listen) { .text = "given", .address_len = sizeof given.address };
        assert_int_equal(getsockname(fd, (struct sockaddr *) &given.address, &given.address_len), 0);
        assert_int_equal(http_server_listen(bench.server, NULL, 0, bench.error), 0);
        assert_int_equal(http_server_listen(bench.server, &given, 1, bench.error), 0);
        assert_int_equal(sscanf(http_server_url(bench.server), "http://127.0.0.1:%u", &bench.port), 1);
        snprintf(url, sizeof url, "http://127.0.0.1:%u", bench.port);
        assert_string_equal(http_server_url(bench.server), url);
        assert_int_equal(ask(&bench, GET("/"), NULL), 200);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_unix_socket, start_plain, stop_bench),
                cmocka_unit_test_setup_teardown(test_long_unix_client_name, start_plain, stop_bench),
                cmocka_unit_test_setup_teardown(test_listen_again, start_plain, stop_bench),
                cmocka_unit_test_setup_teardown(test_address_in_use, start_plain, stop_bench),
                cmocka_unit_test_setup_teardown(test_ipv6, start_plain, stop_bench),
                cmocka_unit_test_setup_teardown(test_adopt, start_plain, stop_bench),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
