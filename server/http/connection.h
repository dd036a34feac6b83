/* The open connections and their absolute deadlines: libmicrohttpd only knows inactivity, which a client that sends
 * a byte now and then never shows. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/buffer.h"
#include "http/access.h"
#include "http/handshake.h"
#include "http/headers.h"
#include "http/limits.h"
#include "http/peer.h"

struct http_server;

struct connection {
        struct connection *next, **link;  /* link: what points at us */
        struct http_server *server;
        int fd;                           /* borrowed from libmicrohttpd */
        struct peer_key peer;
        uint64_t deadline_ms;             /* boot time */
        struct handshake *handshake;      /* owned; NULL: plain HTTP */
        bool begun;                       /* the handler has seen this request's headers */
        bool target_too_long;
        bool takes_body;                  /* the route of this request wants its body */
        struct buffer body;               /* of this request, as far as it has come */
        struct request_headers headers;   /* of that request */
        struct access access;             /* what its token allows */
        char *target;                     /* of the request being served, as sent; owned; NULL between requests */
};

struct connections {
        struct connection *first;
        unsigned n;
        unsigned n_secure;                /* of them over TLS */
        sd_event_source *timer;           /* at the earliest deadline or before */
        uint64_t timer_ms;                /* 0: off */
};

int connections_init(struct connections *set, sd_event *event);
void connections_done(struct connections *set);  /* all are closed by then */

/* NULL without memory. */
struct connection *connection_new(struct connections *set, struct http_server *server, int fd,
                                  const struct sockaddr *peer);

/* Takes it over: this connection is one over TLS. */
void connection_set_handshake(struct connections *set, struct connection *c, struct handshake *handshake);
struct connection *connection_free(struct connections *set, struct connection *c);

/* Cuts the connection after delay_ms unless another deadline replaces this one. */
void connection_set_deadline(struct connections *set, struct connection *c, uint32_t delay_ms);

/* It may take as long as it likes. */
void connection_clear_deadline(struct connection *c);

unsigned connections_of_peer(const struct connections *set, const struct peer_key *peer);
