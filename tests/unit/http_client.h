/* A server in an sd-event loop and raw clients of it, all in one thread: nothing here sleeps, every wait is one for
 * the loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "http/server.h"

#define CLIENT_BUFFER 131072

#define HOST "Host: localhost\r\n"
#define GET(path) GET_WITH(path, "")
#define GET_WITH(path, headers) "GET " path " HTTP/1.1\r\n" HOST headers "\r\n"

struct bench {
        sd_event *event;
        struct http_server *server;
        unsigned port;
        char error[HTTP_ERROR_MAX];
};

struct client {
        struct bench *bench;
        int fd;
        sd_event_source *source;
        bool closed;                 /* the server closed, or reset, the connection */
        size_t len;
        char data[CLIENT_BUFFER];    /* received and not taken yet */
        int status;                  /* of the response last taken */
        char head[8192], body[CLIENT_BUFFER];
};

/* Listens on 127.0.0.1, on a port of the kernel's choice. */
void bench_start(struct bench *b, const struct http_options *options);
void bench_start_limited(struct bench *b, const struct http_options *options, const struct http_limits *limits);
void bench_stop(struct bench *b);
struct http_listen bench_tcp(const char *address, unsigned port);
struct http_listen bench_unix(const char *path);

/* One turn of the loop; fails the test when nothing happens for seconds. */
void bench_turn(struct bench *b);
/* Turns it until the server has noticed that nobody is connected. */
void bench_await_gone(struct bench *b);

struct client *client_connect(struct bench *b, const struct http_listen *to);
struct client *client_connect_from(struct bench *b, const struct http_listen *from, const struct http_listen *to);
struct client *client_tcp(struct bench *b);
void client_close(struct client *c);
void client_send(struct client *c, const char *text);
void client_send_n(struct client *c, const char *data, size_t len);

/* Takes the next response; no_body: the answer to a HEAD. False when the connection ended before. */
bool client_response(struct client *c, bool no_body);

/* Turns the loop until this has been received. It is not taken. */
bool client_has(const struct client *c, const char *text);
void client_await(struct client *c, const char *text);

/* Takes the chunks of a chunked body up to the last one. Returns how long the whole in out is. */
size_t client_chunks(struct client *c, char *out);

/* Turns the loop until the server has closed the connection. */
void client_await_end(struct client *c);

/* A new connection, one request, its status. */
int ask(struct bench *b, const char *request, struct client **ret);

/* The value of a header of the last response, NULL when absent; valid until the next call. */
const char *client_header(const struct client *c, const char *name);
