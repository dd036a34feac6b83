#include "http/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/listen_socket.h"

#define URL_MAX 80

struct listener {
        struct listeners *set;
        struct listen_socket socket;
        sd_event_source *source;
        bool adopted;
        struct sockaddr_storage asked;  /* as in the configuration: the port may be 0 */
        socklen_t asked_len;
};

struct listeners {
        sd_event *event;
        struct listener_calls calls;
        void *userdata;
        sd_event_source *timer;   /* ends starved */
        bool full, starved, secure;
        unsigned n;
        struct listener *listener[HTTP_LISTENERS_MAX];  /* adopted ones first */
        char url[URL_MAX];
        char exposed[URL_MAX];    /* of the first adopted one that other machines can reach */
};

static struct listener *listener_free(struct listener *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->source);
        listen_socket_close(&l->socket);
        free(l);
        return NULL;
}

static inline void listener_freep(struct listener **l) {
        listener_free(*l);
}

struct listeners *listeners_free(struct listeners *l) {
        if (!l)
                return NULL;
        for (unsigned i = 0; i < l->n; i++)
                listener_free(l->listener[i]);
        sd_event_source_disable_unref(l->timer);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}

static bool is_paused(const struct listeners *l) {
        return l->full || l->starved;
}

static void apply_pause(struct listeners *l) {
        for (unsigned i = 0; i < l->n; i++)
                sd_event_source_set_enabled(l->listener[i]->source, is_paused(l) ? SD_EVENT_OFF : SD_EVENT_ON);
}

void listeners_set_full(struct listeners *l, bool full) {
        bool was_paused = is_paused(l);

        l->full = full;
        if (!full)
                l->starved = false;
        if (was_paused != is_paused(l))
                apply_pause(l);
}

static int on_starved_end(sd_event_source *source, uint64_t usec, void *userdata) {
        struct listeners *l = userdata;

        (void) source;
        (void) usec;
        l->starved = false;
        apply_pause(l);
        return 0;
}

/* Out of descriptors or memory: the socket stays readable, so without a pause the loop would spin. */
static void starve(struct listeners *l, int error) {
        log_warning("http: cannot accept connections: %s; trying again in a second", strerror(error));
        l->starved = true;
        apply_pause(l);
        sd_event_source_set_time_relative(l->timer, HTTP_STARVED_US);
        sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

/* Errors of the connection that was waiting, not of the listening socket: accept(2) asks to go on after these. */
static bool is_peer_error(int error) {
        switch (error) {
        case EINTR:
        case ECONNABORTED:
        case ENETDOWN:
        case EPROTO:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EPERM:
                return true;
        default:
                return false;
        }
}

static int on_waiting(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct listener *listener = userdata;
        struct listeners *l = listener->set;

        (void) source;
        (void) revents;
        for (unsigned i = 0; i < HTTP_ACCEPT_BATCH && !is_paused(l); i++) {
                struct sockaddr_storage peer = { 0 };
                socklen_t peer_len = sizeof peer;
                int client = accept4(fd, (struct sockaddr *) &peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (client >= 0)
                        l->calls.accepted(l->userdata, client, (struct sockaddr *) &peer, peer_len);
                else if (errno == EAGAIN)
                        break;
                else if (!is_peer_error(errno))
                        starve(l, errno);
        }
        l->calls.accepted_all(l->userdata);
        return 0;
}

int listeners_new(sd_event *event, const struct listener_calls *calls, void *userdata, struct listeners **ret) {
        struct listeners *l = calloc(1, sizeof *l);
        int r;

        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->calls = *calls;
        l->userdata = userdata;
        r = sd_event_add_time_relative(event, &l->timer, CLOCK_MONOTONIC, 0, 0, on_starved_end, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        if (r < 0) {
                listeners_free(l);
                return r;
        }
        *ret = l;
        return 0;
}

/* Takes over socket on success. */
static int listener_new(struct listeners *set, struct listen_socket socket, struct listener **ret) {
        CLEANUP(listener_freep) struct listener *l = calloc(1, sizeof *l);
        int r;

        if (!l)
                return -ENOMEM;
        l->set = set;
        l->socket.fd = -1;
        r = sd_event_add_io(set->event, &l->source, socket.fd, EPOLLIN, on_waiting, l);
        if (r >= 0 && is_paused(set))
                r = sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        l->socket = socket;
        *ret = TAKE(l);
        return 0;
}

static void update_url(struct listeners *l) {
        l->url[0] = 0;
        for (unsigned i = 0; i < l->n && !l->url[0]; i++)
                listen_socket_url(&l->listener[i]->socket, l->secure, l->url, sizeof l->url);
}

void listeners_set_secure(struct listeners *l, bool secure) {
        l->secure = secure;
        update_url(l);
}

const char *listeners_exposed(const struct listeners *l) {
        return l->exposed[0] ? l->exposed : NULL;
}

const char *listeners_url(const struct listeners *l) {
        return l->url;
}

/* Already listening there: by the address as it was asked for, or, for sockets we were given, as it is. */
static struct listener *find(const struct listeners *l, const struct http_listen *address) {
        for (unsigned i = 0; i < l->n; i++) {
                struct listener *old = l->listener[i];

                if (old->adopted ? listen_address_equal(&old->socket.address, old->socket.address_len,
                                                        &address->address, address->address_len)
                                 : listen_address_equal(&old->asked, old->asked_len, &address->address,
                                                        address->address_len))
                        return old;
        }
        return NULL;
}

static bool contains(struct listener *const *list, unsigned n, const struct listener *l) {
        for (unsigned i = 0; i < n; i++)
                if (list[i] == l)
                        return true;
        return false;
}

static bool is_asked_twice(const struct http_listen *addresses, unsigned i) {
        for (unsigned k = 0; k < i; k++)
                if (listen_address_equal(&addresses[k].address, addresses[k].address_len, &addresses[i].address,
                                         addresses[i].address_len))
                        return true;
        return false;
}

/* While 127.0.0.1:8730 is still open, 0.0.0.0:8730 could not be bound; between our own two sockets the kernel can
 * be told that we mean it. */
static void share_port(struct listeners *l, const struct http_listen *addresses, unsigned n,
                       const struct http_listen *address, bool *ret_shared) {
        *ret_shared = false;
        for (unsigned i = 0; i < l->n; i++) {
                bool stays = l->listener[i]->adopted;

                for (unsigned k = 0; k < n && !stays; k++)
                        stays = find(l, &addresses[k]) == l->listener[i];
                if (stays || !listen_socket_same_port(&l->listener[i]->socket, address))
                        continue;
                listen_socket_share_port(&l->listener[i]->socket);
                *ret_shared = true;
        }
}

static int open_new(struct listeners *l, const struct http_listen *addresses, unsigned n,
                    const struct http_listen *address, struct listener **ret) {
        struct listen_socket socket;
        bool shared;
        int r;

        share_port(l, addresses, n, address, &shared);
        r = listen_socket_open(address, shared, &socket);
        if (r < 0)
                return r;
        r = listener_new(l, socket, ret);
        if (r < 0) {
                listen_socket_close(&socket);
                return r;
        }
        (*ret)->asked = address->address;
        (*ret)->asked_len = address->address_len;
        return 0;
}

int listeners_set(struct listeners *l, const struct http_listen *addresses, unsigned n, char *error) {
        struct listener *next[HTTP_LISTENERS_MAX];
        unsigned n_next = 0, n_asked = 0;
        int r = 0;

        for (unsigned i = 0; i < l->n; i++)
                if (l->listener[i]->adopted)
                        next[n_next++] = l->listener[i];
        for (unsigned i = 0; i < n && r >= 0; i++) {
                struct listener *item = find(l, &addresses[i]);

                if (is_asked_twice(addresses, i) || contains(next, n_next, item))
                        continue;
                if (n_next == HTTP_LISTENERS_MAX)
                        r = -E2BIG;
                else if (!item)
                        r = open_new(l, addresses, n, &addresses[i], &item);
                if (r >= 0) {
                        next[n_next++] = item;
                        n_asked++;
                } else if (listen_address_dispensable(&addresses[i], r) && n > 1) {
                        log_notice("http: this host has no IPv6, so not listening on %s", addresses[i].text);
                        r = 0;
                } else {
                        listen_explain(&addresses[i], r, error);
                }
        }
        if (r >= 0 && n > 0 && n_next == 0) {
                snprintf(error, HTTP_ERROR_MAX, "http.listen: this host has none of these addresses");
                r = -EADDRNOTAVAIL;
        }
        /* Either the old ones go that are not among the next, or the new ones that are not among the old. */
        for (unsigned i = 0; r < 0 && i < n_next; i++)
                if (!contains(l->listener, l->n, next[i]))
                        listener_free(next[i]);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < l->n; i++)
                if (!contains(next, n_next, l->listener[i]))
                        listener_free(l->listener[i]);
        memcpy(l->listener, next, n_next * sizeof *next);
        l->n = n_next;
        update_url(l);
        return 0;
}

int listeners_adopt(struct listeners *l, int fd, char *error) {
        struct listen_socket socket;
        struct listener *item;
        unsigned at = 0;
        int r;

        r = l->n == HTTP_LISTENERS_MAX ? -E2BIG : listen_socket_adopt(fd, &socket);
        if (r < 0) {
                snprintf(error, HTTP_ERROR_MAX, "socket handed over as descriptor %d: %s", fd,
                         r == -EINVAL ? "not a listening stream socket" : strerror(-r));
                return r;
        }
        r = listener_new(l, socket, &item);
        if (r < 0) {
                snprintf(error, HTTP_ERROR_MAX, "socket handed over as descriptor %d: %s", fd, strerror(-r));
                return r;
        }
        item->adopted = true;
        if (!l->exposed[0] && !listen_socket_is_local(&socket))
                listen_socket_text(&socket, l->exposed, sizeof l->exposed);
        while (at < l->n && l->listener[at]->adopted)
                at++;
        memmove(&l->listener[at + 1], &l->listener[at], (l->n - at) * sizeof *l->listener);
        l->listener[at] = item;
        l->n++;
        update_url(l);
        return 0;
}
