#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_US (20 * 1000000ULL)  /* far above anything but a hang, also under valgrind */

struct http_listen bench_tcp(const char *address, unsigned port) {
        struct http_listen l = { .text = address };
        struct sockaddr_in *in = (struct sockaddr_in *) &l.address;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &l.address;

        if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
                in->sin_family = AF_INET;
                in->sin_port = htons((uint16_t) port);
                l.address_len = sizeof *in;
        } else {
                assert_int_equal(inet_pton(AF_INET6, address, &in6->sin6_addr), 1);
                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons((uint16_t) port);
                l.address_len = sizeof *in6;
        }
        return l;
}

struct http_listen bench_unix(const char *path) {
        struct http_listen l = { .text = path, .address_len = sizeof(struct sockaddr_un) };
        struct sockaddr_un *un = (struct sockaddr_un *) &l.address;

        un->sun_family = AF_UNIX;
        assert_true(strlen(path) < sizeof un->sun_path);
        memcpy(un->sun_path, path, strlen(path) + 1);
        return l;
}

void bench_start(struct bench *b, const struct http_options *options) {
        struct http_listen address = bench_tcp("127.0.0.1", 0);

        memset(b, 0, sizeof *b);
        assert_true(sd_event_new(&b->event) >= 0);
        assert_int_equal(http_server_new(b->event, options, &b->server), 0);
        assert_int_equal(http_server_listen(b->server, &address, 1, b->error), 0);
        assert_int_equal(sscanf(http_server_url(b->server), "http://127.0.0.1:%u", &b->port), 1);
}

void bench_start_limited(struct bench *b, const struct http_options *options, const struct http_limits *limits) {
        struct http_options limited = *options;

        limited.limits = limits;
        bench_start(b, &limited);
}

void bench_stop(struct bench *b) {
        b->server = http_server_free(b->server);
        b->event = sd_event_unref(b->event);
}

void bench_turn(struct bench *b) {
        int r = sd_event_run(b->event, PATIENCE_US);

        if (r == 0)
                fail_msg("nothing happened for too long");
        assert_true(r > 0);
}

void bench_await_gone(struct bench *b) {
        while (http_server_connections(b->server) > 0)
                bench_turn(b);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct client *c = userdata;
        ssize_t n;

        (void) revents;
        n = recv(fd, c->data + c->len, sizeof c->data - 1 - c->len, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n <= 0) {
                c->closed = true;
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
                return 0;
        }
        c->len += (size_t) n;
        c->data[c->len] = 0;
        return 0;
}

struct client *client_connect_from(struct bench *b, const struct http_listen *from, const struct http_listen *to) {
        struct client *c = calloc(1, sizeof *c);

        assert_non_null(c);
        c->bench = b;
        c->fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(c->fd >= 0);
        if (from)
                assert_int_equal(bind(c->fd, (const struct sockaddr *) &from->address, from->address_len), 0);
        if (connect(c->fd, (const struct sockaddr *) &to->address, to->address_len) < 0)
                fail_msg("connect: %s", strerror(errno));
        assert_true(sd_event_add_io(b->event, &c->source, c->fd, EPOLLIN, on_client, c) >= 0);
        return c;
}

struct client *client_connect(struct bench *b, const struct http_listen *to) {
        return client_connect_from(b, NULL, to);
}

struct client *client_tcp(struct bench *b) {
        struct http_listen to = bench_tcp("127.0.0.1", b->port);

        return client_connect(b, &to);
}

void client_close(struct client *c) {
        sd_event_source_disable_unref(c->source);
        close(c->fd);
        free(c);
}

void client_send_n(struct client *c, const char *data, size_t len) {
        while (len > 0) {
                ssize_t n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EAGAIN) {
                        bench_turn(c->bench);
                        continue;
                }
                if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
                        return;
                assert_true(n > 0);
                data += n;
                len -= (size_t) n;
        }
}

void client_send(struct client *c, const char *text) {
        client_send_n(c, text, strlen(text));
}

const char *client_header(const struct client *c, const char *name) {
        static char value[1024];
        size_t name_len = strlen(name);

        for (const char *p = strstr(c->head, "\r\n"); p; p = strstr(p, "\r\n")) {
                p += 2;
                if (strncasecmp(p, name, name_len) != 0 || p[name_len] != ':')
                        continue;
                p += name_len + 1;
                p += strspn(p, " ");
                snprintf(value, sizeof value, "%.*s", (int) strcspn(p, "\r"), p);
                return value;
        }
        return NULL;
}

bool client_response(struct client *c, bool no_body) {
        size_t head_len, body_len;
        const char *end, *length;

        while (!(end = strstr(c->data, "\r\n\r\n"))) {
                if (c->closed)
                        return false;
                bench_turn(c->bench);
        }
        head_len = (size_t) (end + 4 - c->data);
        assert_true(head_len < sizeof c->head);
        memcpy(c->head, c->data, head_len);
        c->head[head_len] = 0;
        assert_int_equal(sscanf(c->head, "HTTP/1.%*d %d", &c->status), 1);
        length = client_header(c, "Content-Length");
        body_len = no_body || c->status == 304 || !length ? 0 : strtoul(length, NULL, 10);
        while (c->len < head_len + body_len) {
                if (c->closed)
                        return false;
                bench_turn(c->bench);
        }
        memcpy(c->body, c->data + head_len, body_len);
        c->body[body_len] = 0;
        c->len -= head_len + body_len;
        memmove(c->data, c->data + head_len + body_len, c->len + 1);
        return true;
}

bool client_has(const struct client *c, const char *text) {
        return memmem(c->data, c->len, text, strlen(text));
}

void client_await(struct client *c, const char *text) {
        while (!client_has(c, text)) {
                assert_false(c->closed);
                bench_turn(c->bench);
        }
}

size_t client_chunks(struct client *c, char *out) {
        size_t total = 0, taken, n;

        do {
                char *end;

                client_await(c, "\r\n");
                n = strtoul(c->data, &end, 16);
                assert_true(end > c->data && end[0] == '\r');
                end += 2;
                taken = (size_t) (end - c->data) + n + 2;
                while (c->len < taken) {
                        assert_false(c->closed);
                        bench_turn(c->bench);
                }
                memcpy(out + total, end, n);
                total += n;
                c->len -= taken;
                memmove(c->data, c->data + taken, c->len + 1);
        } while (n > 0);
        return total;
}

void client_await_end(struct client *c) {
        while (!c->closed)
                bench_turn(c->bench);
}

int ask(struct bench *b, const char *request, struct client **ret) {
        struct client *c = client_tcp(b);
        int status;

        client_send(c, request);
        assert_true(client_response(c, strncmp(request, "HEAD", 4) == 0));
        status = c->status;
        if (ret)
                *ret = c;
        else
                client_close(c);
        return status;
}
