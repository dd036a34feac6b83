#include "http/connection.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

unsigned connections_of_peer(const struct connections *set, const struct peer_key *peer) {
        unsigned n = 0;

        for (const struct connection *c = set->first; c; c = c->next)
                if (peer_key_equal(&c->peer, peer))
                        n++;
        return n;
}

static void arm(struct connections *set, uint64_t at_ms) {
        set->timer_ms = at_ms;
        if (at_ms == 0) {
                sd_event_source_set_enabled(set->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time(set->timer, at_ms * 1000);
        sd_event_source_set_enabled(set->timer, SD_EVENT_ONESHOT);
}

/* libmicrohttpd sees the end of a connection that was shut down and cleans up by itself. Until then the deadline is
 * gone, so that a connection is cut once. */
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        struct connections *set = userdata;
        uint64_t now_ms = clock_now_ms(), next_ms = 0;

        (void) source;
        (void) usec;
        for (struct connection *c = set->first; c; c = c->next) {
                if (c->deadline_ms == 0)
                        continue;
                if (c->deadline_ms <= now_ms) {
                        c->deadline_ms = 0;
                        shutdown(c->fd, SHUT_RDWR);
                } else if (next_ms == 0 || c->deadline_ms < next_ms) {
                        next_ms = c->deadline_ms;
                }
        }
        arm(set, next_ms);
        return 0;
}

void connection_set_deadline(struct connections *set, struct connection *c, uint32_t delay_ms) {
        c->deadline_ms = clock_now_ms() + delay_ms;
        /* A timer that is early finds out so when it fires; moving it with each request would cost a system call. */
        if (set->timer_ms == 0 || c->deadline_ms < set->timer_ms)
                arm(set, c->deadline_ms);
}

void connection_clear_deadline(struct connection *c) {
        c->deadline_ms = 0;
}

int connections_init(struct connections *set, sd_event *event) {
        int r;

        /* The same clock as clock_now_ms. */
        r = sd_event_add_time(event, &set->timer, CLOCK_BOOTTIME, UINT64_MAX, 1000, on_deadline, set);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(set->timer, SD_EVENT_OFF);
}

void connections_done(struct connections *set) {
        set->timer = sd_event_source_disable_unref(set->timer);
}

struct connection *connection_new(struct connections *set, struct http_server *server, int fd,
                                  const struct sockaddr *peer) {
        struct connection *c = calloc(1, sizeof *c);

        if (!c)
                return NULL;
        c->server = server;
        c->fd = fd;
        c->peer = peer_key(peer);
        buffer_init(&c->body, HTTP_BODY_MAX);
        c->next = set->first;
        if (c->next)
                c->next->link = &c->next;
        c->link = &set->first;
        set->first = c;
        set->n++;
        return c;
}

void connection_set_handshake(struct connections *set, struct connection *c, struct handshake *handshake) {
        c->handshake = handshake;
        set->n_secure++;
}

struct connection *connection_free(struct connections *set, struct connection *c) {
        if (!c)
                return NULL;
        if (c->handshake)
                set->n_secure--;
        handshake_free(c->handshake);
        *c->link = c->next;
        if (c->next)
                c->next->link = c->link;
        set->n--;
        buffer_free(&c->body);
        free(c->target);
        free(c);
        return NULL;
}
