#include "http/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "http/limits.h"

static void resume(struct handshake *h) {
        h->suspended = false;
        (void) sd_event_source_set_enabled(h->source, SD_EVENT_OFF);
        MHD_resume_connection(h->mhd);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct handshake *h = userdata;
        struct engine *engine = h->set->engine;

        (void) source;
        (void) fd;
        (void) revents;
        resume(h);
        engine_run(engine);
        return 0;
}

/* What GnuTLS reads with; it is the only place that shows that a handshake has to wait. */
static ssize_t pull(gnutls_transport_ptr_t userdata, void *data, size_t len) {
        struct handshake *h = userdata;
        ssize_t n = recv(h->fd, data, len, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                h->starved = true;
        return n;
}

struct handshake *handshake_new(struct handshakes *set, struct MHD_Connection *mhd, int fd,
                                struct tls_identity *identity) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        struct handshake *h = info ? calloc(1, sizeof *h) : NULL;
        sd_event *event = sd_event_source_get_event(set->engine->io);

        if (!h)
                return NULL;
        if (sd_event_add_io(event, &h->source, fd, EPOLLIN, on_ready, h) < 0) {
                free(h);
                return NULL;
        }
        (void) sd_event_source_set_enabled(h->source, SD_EVENT_OFF);
        h->set = set;
        h->mhd = mhd;
        h->session = info->tls_session;
        h->fd = fd;
        h->identity = tls_identity_ref(identity);
        h->starved = true;  /* its first step has to wait for its turn like the others */
        gnutls_session_set_ptr(h->session, identity);
        gnutls_transport_set_ptr2(h->session, h, (gnutls_transport_ptr_t) (intptr_t) fd);
        gnutls_transport_set_pull_function(h->session, pull);
        gnutls_handshake_set_max_packet_length(h->session, TLS_MESSAGE_MAX);
        h->next = set->first;
        if (h->next)
                h->next->link = &h->next;
        h->link = &set->first;
        set->first = h;
        return h;
}

void handshake_done(struct handshake *h) {
        if (!h->link)
                return;
        *h->link = h->next;
        if (h->next)
                h->next->link = h->link;
        h->next = NULL;
        h->link = NULL;
        h->source = sd_event_source_disable_unref(h->source);
}

struct handshake *handshake_free(struct handshake *h) {
        if (!h)
                return NULL;
        handshake_done(h);
        tls_identity_unref(h->identity);
        free(h);
        return NULL;
}

static void suspend(struct handshake *h, uint32_t events) {
        MHD_suspend_connection(h->mhd);
        h->suspended = true;
        h->starved = false;
        (void) sd_event_source_set_io_events(h->source, events);
        (void) sd_event_source_set_enabled(h->source, SD_EVENT_ONESHOT);
}

void handshakes_settle(struct handshakes *set) {
        for (struct handshake *h = set->first; h; h = h->next) {
                if (h->suspended)
                        continue;
                if (h->starved)
                        suspend(h, EPOLLIN);
                else if (gnutls_record_get_direction(h->session) == 1)
                        suspend(h, EPOLLOUT);
        }
}

void handshakes_resume(struct handshakes *set) {
        for (struct handshake *h = set->first; h; h = h->next)
                if (h->suspended)
                        resume(h);
}
