/* One listening socket and what there is to say about its address. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "http/server.h"

struct listen_socket {
        int fd;
        struct sockaddr_storage address;  /* with the port the kernel chose */
        socklen_t address_len;
        bool unlink;                      /* a unix path made by us; dev and ino tell whether it still is ours */
        dev_t dev;
        ino_t ino;
};

/* share_port: another socket of ours on an overlapping address has it too. A unix path that nobody answers behind is
 * a left-over and replaced; -EEXIST: something else than a socket is there. */
int listen_socket_open(const struct http_listen *listen, bool share_port, struct listen_socket *ret);

/* -EINVAL: not a listening stream socket. fd stays the caller's on failure. */
int listen_socket_adopt(int fd, struct listen_socket *ret);
void listen_socket_close(struct listen_socket *s);

/* Until its close, lets another socket of this user have the same port on an overlapping address. */
void listen_socket_share_port(struct listen_socket *s);
bool listen_socket_same_port(const struct listen_socket *s, const struct http_listen *listen);

bool listen_address_equal(const struct sockaddr_storage *a, socklen_t a_len, const struct sockaddr_storage *b,
                          socklen_t b_len);

/* True for [::1] on a host without IPv6: it is in the default configuration, and the other loopback does. */
bool listen_address_dispensable(const struct http_listen *listen, int r);

/* "127.0.0.1:80: Permission denied; what to do", into HTTP_ERROR_MAX bytes. */
void listen_explain(const struct http_listen *listen, int r, char *error);

/* Whether only this machine can connect to it. */
bool listen_socket_is_local(const struct listen_socket *s);

/* "0.0.0.0:8730", "[::]:8730", for messages. */
void listen_socket_text(const struct listen_socket *s, char *text, size_t size);

/* "http://[::1]:8730", "" for unix sockets. A wildcard becomes the loopback address. */
void listen_socket_url(const struct listen_socket *s, bool secure, char *url, size_t size);
