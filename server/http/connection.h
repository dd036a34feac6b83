/* The open connections and their absolute deadlines: libmicrohttpd only knows inactivity, which a client that sends
 * a byte now and then never shows. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/buffer.h"
#include "http/headers.h"
#include "http/limits.h"

struct http_server;

/* Connections of one peer: an IPv4 address, an IPv6 /64 (what one household has), or all unix sockets. */
struct peer_key {
        uint8_t family;      /* 4, 6, or 0 for unix sockets */
        uint8_t address[8];
        bool loopback;
};

struct connection {
        struct connection *next, **link;  /* link: what points at us */
        struct http_server *server;
        int fd;                           /* borrowed from libmicrohttpd */
        struct peer_key peer;
        uint64_t deadline_ms;             /* boot time */
        bool begun;                       /* the handler has seen this request's headers */
        bool target_too_long;
        bool takes_body;                  /* the route of this request wants its body */
        struct buffer body;               /* of this request, as far as it has come */
        struct request_headers headers;   /* of that request */
        char target[HTTP_TARGET_MAX];     /* of the request being served, as sent */
};

struct connections {
        struct connection *first;
        unsigned n;
        sd_event_source *timer;           /* at the earliest deadline or before */
        uint64_t timer_ms;                /* 0: off */
};

int connections_init(struct connections *set, sd_event *event);
void connections_done(struct connections *set);  /* all are closed by then */

/* NULL without memory. */
struct connection *connection_new(struct connections *set, struct http_server *server, int fd,
                                  const struct sockaddr *peer);
struct connection *connection_free(struct connections *set, struct connection *c);

/* Cuts the connection after delay_ms unless another deadline replaces this one. */
void connection_set_deadline(struct connections *set, struct connection *c, uint32_t delay_ms);

struct peer_key peer_key(const struct sockaddr *peer);
unsigned connections_of_peer(const struct connections *set, const struct peer_key *peer);
