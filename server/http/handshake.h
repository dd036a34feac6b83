/* The TLS side of a connection. libmicrohttpd (0.9.75, on epoll) does not notice that a handshake waits for the
 * client: it tries again all the time, at the cost of a whole processor, for as long as the client likes. So until
 * its first request a connection is suspended whenever there is nothing to read, and watched by ourselves. It also
 * makes each step of a handshake one turn of the loop, with meters served in between. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "http/engine.h"
#include "http/tls.h"

struct handshake {
        struct handshake *next, **link;    /* of those not done; link: what points at us, NULL when done */
        struct handshakes *set;
        struct MHD_Connection *mhd;
        gnutls_session_t session;
        struct tls_identity *identity;
        int fd;                            /* borrowed */
        sd_event_source *source;           /* on fd, while not done */
        bool starved;                      /* the session found nothing to read */
        bool suspended;
};

/* Those that are not done yet. */
struct handshakes {
        struct handshake *first;
        struct engine *engine;
};

/* For a connection that libmicrohttpd has just begun; NULL without memory. */
struct handshake *handshake_new(struct handshakes *set, struct MHD_Connection *mhd, int fd,
                                struct tls_identity *identity);
struct handshake *handshake_free(struct handshake *h);  /* NULL is fine */

/* The first request is there: from here on libmicrohttpd does well by itself. */
void handshake_done(struct handshake *h);

/* After each run of the engine: suspends those that wait for their client. */
void handshakes_settle(struct handshakes *set);

/* Lets every suspended connection go on: libmicrohttpd must not be stopped with one. */
void handshakes_resume(struct handshakes *set);
