/* Listening sockets: TCP over IPv4 and IPv6, unix paths, those handed over by systemd. Connections are accepted here
 * and handed on. */
#pragma once

#include <systemd/sd-event.h>

#include "http/server.h"

struct listeners;

struct listener_calls {
        /* Owns fd (non-blocking, close-on-exec) from here on. */
        void (*accepted)(void *userdata, int fd, const struct sockaddr *peer, socklen_t peer_len);
        /* After the accepted ones of one wake-up. */
        void (*accepted_all)(void *userdata);
};

int listeners_new(sd_event *event, const struct listener_calls *calls, void *userdata, struct listeners **ret);

/* Closes all of them and unlinks the unix paths that we made. */
struct listeners *listeners_free(struct listeners *l);

/* As http_server_listen and http_server_adopt. */
int listeners_set(struct listeners *l, const struct http_listen *addresses, unsigned n, char *error);
int listeners_adopt(struct listeners *l, int fd, char *error);

/* Whether there is room for another connection; without, those who wait stay in the kernel's queue. A closed
 * connection also gave back its descriptor: this ends a pause for want of one. */
void listeners_set_full(struct listeners *l, bool full);

/* Whether their URL is one of https. */
void listeners_set_secure(struct listeners *l, bool secure);

/* As http_server_exposed. */
const char *listeners_exposed(const struct listeners *l);
const char *listeners_url(const struct listeners *l);
