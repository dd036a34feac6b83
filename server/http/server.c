#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/answer.h"
#include "http/connection.h"
#include "http/listener.h"
#include "http/long_answer.h"
#include "http/policy.h"

#define CODES_PER_ROUTE 16   /* different answers of one route; further ones are not counted apart */
#define MHD_SPARE       16   /* its own limit lies above ours, which pauses the listeners before it is reached */
#define STOP_ROUNDS     3    /* of MHD_run, enough for answers that are ready to leave */

/* Where the counters of one route stand. Routes with one pattern share them: the first has them. */
struct route_counts {
        unsigned first;              /* index of the first route with this pattern */
        unsigned n;
        struct http_count *of[CODES_PER_ROUTE];
};

struct http_server {
        struct http_options options;
        struct http_limits limits;
        struct policy *policy;
        struct listeners *listeners;
        struct connections connections;
        struct long_answers long_answers;
        struct MHD_Daemon *mhd;
        sd_event_source *io, *timer;
        uint64_t timer_us;           /* when timer fires; 0: off */
        bool running;                /* inside MHD_run, which must not be entered again */
        struct cache cache;
        struct gzip *gzip;
        uint64_t answers, not_modified;
        struct http_count *counts;   /* in order of first use; room for all that route_counts can point at */
        unsigned n_counts;
        struct route_counts *route_counts;   /* [n_routes + 1], the last for what has no route */
};

/* Moves the timer only when it would be late: one that is early costs a wake-up now and then, moving it each time
 * costs a system call per request. */
static int arm_timer(struct http_server *s) {
        MHD_UNSIGNED_LONG_LONG ms;
        uint64_t now_us, at_us;
        int r;

        if (MHD_get_timeout(s->mhd, &ms) != MHD_YES) {
                s->timer_us = 0;
                return sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
        }
        r = sd_event_now(sd_event_source_get_event(s->timer), CLOCK_MONOTONIC, &now_us);
        if (r < 0)
                return r;
        at_us = now_us + ms * 1000;
        if (s->timer_us > 0 && s->timer_us <= at_us)
                return 0;
        r = sd_event_source_set_time(s->timer, at_us);
        if (r < 0)
                return r;
        s->timer_us = at_us;
        return sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void pump(struct http_server *s) {
        int r;

        if (s->running)
                return;
        s->running = true;
        r = MHD_run(s->mhd) == MHD_YES ? 0 : -EIO;
        s->running = false;
        if (r >= 0)
                r = arm_timer(s);
        if (r < 0)
                log_error("http: the server's loop: %s", strerror(-r));
}

static void on_turn(void *userdata) {
        pump(userdata);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) source;
        (void) fd;
        (void) revents;
        pump(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct http_server *s = userdata;

        (void) source;
        (void) usec;
        s->timer_us = 0;
        pump(s);
        return 0;
}

static void on_accepted(void *userdata, int fd, const struct sockaddr *peer, socklen_t peer_len) {
        struct http_server *s = userdata;
        struct peer_key key = peer_key(peer);

        if (!(key.loopback && s->limits.spare_loopback) &&
            connections_of_peer(&s->connections, &key) >= s->limits.per_address) {
                close(fd);
                return;
        }
        /* Closes the descriptor when it fails. */
        if (MHD_add_connection(s->mhd, fd, peer, peer_len) != MHD_YES)
                log_debug("http: a connection could not be taken: %s", strerror(errno));
        if (s->connections.n >= s->limits.connections)
                listeners_set_full(s->listeners, true);
}

static void on_accepted_all(void *userdata) {
        pump(userdata);
}

static struct connection *connection_of(struct MHD_Connection *mhd) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what) {
        struct http_server *s = userdata;
        const union MHD_ConnectionInfo *fd, *peer;
        struct connection *c;

        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
                *context = connection_free(&s->connections, *context);
                if (s->listeners)
                        listeners_set_full(s->listeners, false);
                return;
        }
        fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        peer = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        c = connection_new(&s->connections, s, fd->connect_fd, peer->client_addr);
        *context = c;
        if (c)
                connection_set_deadline(&s->connections, c, s->limits.header_ms);
        else
                shutdown(fd->connect_fd, SHUT_RDWR);
}

/* The only place that shows the request line as it was sent, before the library decodes it. */
static void *on_request_line(void *userdata, const char *target, struct MHD_Connection *mhd) {
        struct http_server *s = userdata;
        struct connection *c = connection_of(mhd);
        size_t len = strlen(target);

        if (!c)
                return NULL;
        c->begun = false;
        c->target_too_long = len >= sizeof c->target;
        if (!c->target_too_long)
                memcpy(c->target, target, len + 1);
        connection_set_deadline(&s->connections, c, s->limits.header_ms);
        return c;
}

static void on_completed(void *userdata, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode how) {
        struct http_server *s = userdata;
        struct connection *c = *context;

        (void) mhd;
        (void) how;
        if (c) {
                buffer_free(&c->body);
                buffer_init(&c->body, HTTP_BODY_MAX);
                connection_set_deadline(&s->connections, c, s->limits.idle_ms + s->limits.header_ms);
        }
        *context = NULL;
}

static void count(struct http_server *s, int route, unsigned code) {
        struct route_counts *c = &s->route_counts[route >= 0 ? (size_t) route : s->options.n_routes];
        unsigned i = 0;

        s->answers++;
        s->not_modified += code == 304;
        c = &s->route_counts[c->first];
        while (i < c->n && c->of[i]->code != code)
                i++;
        if (i == CODES_PER_ROUTE)
                return;
        if (i == c->n) {
                c->of[c->n++] = &s->counts[s->n_counts];
                s->counts[s->n_counts++] = (struct http_count) {
                        .route = route >= 0 ? s->options.routes[route].pattern : "other", .code = code,
                };
        }
        c->of[i]->requests++;
}

static int make_counts(struct http_server *s) {
        const struct route *routes = s->options.routes;
        unsigned n = (unsigned) s->options.n_routes;

        s->counts = calloc((size_t) (n + 1) * CODES_PER_ROUTE, sizeof *s->counts);
        s->route_counts = calloc(n + 1, sizeof *s->route_counts);
        if (!s->counts || !s->route_counts)
                return -ENOMEM;
        for (unsigned i = 0; i <= n; i++) {
                unsigned first = 0;

                while (first < i && (i == n || strcmp(routes[first].pattern, routes[i].pattern) != 0))
                        first++;
                s->route_counts[i].first = first;
        }
        return 0;
}

/* Called with the headers, then for each piece of the body, then once more: only a request answered in that last
 * call keeps its connection. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **context) {
        struct http_server *s = userdata;
        struct connection *c = *context;
        struct answer a = {
                .mhd = mhd, .connection = c, .options = &s->options, .policy = s->policy,
                .long_answers = &s->long_answers, .cache = &s->cache, .gzip = s->gzip, .method = method, .version = version, .route = -1,
        };
        enum MHD_Result result;

        (void) url;
        if (!c)
                return MHD_NO;
        if (!c->begun) {
                c->begun = true;
                connection_set_deadline(&s->connections, c, s->limits.body_ms);
                result = answer_check(&a);
                c->takes_body = a.takes_body;
        } else if (*upload_len > 0) {
                if (c->takes_body)
                        buffer_put(&c->body, upload, *upload_len);
                *upload_len = 0;  /* read also where nobody wants it, or the connection would be lost */
                return MHD_YES;
        } else {
                result = answer_request(&a);
        }
        if (a.status > 0) {
                count(s, a.route, a.status);
                connection_set_deadline(&s->connections, c, s->limits.send_ms);
        }
        return result;
}

/* Its messages are about what clients do wrong. */
__attribute__((format(printf, 2, 0)))
static void on_library_message(void *userdata, const char *format, va_list args) {
        char text[256];

        (void) userdata;
        vsnprintf(text, sizeof text, format, args);
        text[strcspn(text, "\r\n")] = 0;
        log_debug("http: libmicrohttpd: %s", text);
}

static struct MHD_Daemon *start_mhd(struct http_server *s) {
        return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                                        MHD_USE_ERROR_LOG,
                                0, NULL, NULL, on_request, s,
                                MHD_OPTION_EXTERNAL_LOGGER, on_library_message, NULL,
                                MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) HTTP_INACTIVITY_S,
                                MHD_OPTION_CONNECTION_LIMIT, s->limits.connections + MHD_SPARE,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HTTP_POOL_SIZE,
                                MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                                MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s,
                                MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                                MHD_OPTION_END);
}

static int start_loop(struct http_server *s, sd_event *event) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
        int r;

        if (!info || info->epoll_fd < 0)
                return -EIO;
        r = sd_event_add_io(event, &s->io, info->epoll_fd, EPOLLIN, on_io, s);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &s->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer, s);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
}

int http_server_new(sd_event *event, const struct http_options *options, struct http_server **ret) {
        static const struct http_limits default_limits = HTTP_LIMITS_DEFAULT;
        static const struct listener_calls calls = { .accepted = on_accepted, .accepted_all = on_accepted_all };
        CLEANUP(http_server_freep) struct http_server *s = calloc(1, sizeof *s);
        char error[HTTP_ERROR_MAX];
        int r;

        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->limits = options->limits ? *options->limits : default_limits;
        r = make_counts(s);
        if (r < 0)
                return r;
        s->gzip = gzip_new();
        if (!s->gzip)
                return -ENOMEM;
        /* Writing to a client that went away is an error to be returned, not the end of the process. */
        signal(SIGPIPE, SIG_IGN);
        r = policy_new(NULL, &s->policy, error);
        if (r < 0)
                return r;
        r = connections_init(&s->connections, event);
        if (r < 0)
                return r;
        r = long_answers_init(&s->long_answers, event, on_turn, s);
        if (r < 0)
                return r;
        s->mhd = start_mhd(s);
        if (!s->mhd)
                return -EIO;
        r = start_loop(s, event);
        if (r < 0)
                return r;
        r = listeners_new(event, &calls, s, &s->listeners);
        if (r < 0)
                return r;
        *ret = TAKE(s);
        return 0;
}

struct http_server *http_server_free(struct http_server *s) {
        if (!s)
                return NULL;
        s->listeners = listeners_free(s->listeners);
        for (unsigned i = 0; s->mhd && i < STOP_ROUNDS; i++) {
                long_answers_resume(&s->long_answers);
                MHD_run(s->mhd);
        }
        long_answers_resume(&s->long_answers);
        sd_event_source_disable_unref(s->io);
        sd_event_source_disable_unref(s->timer);
        if (s->mhd)
                MHD_stop_daemon(s->mhd);
        long_answers_done(&s->long_answers);
        connections_done(&s->connections);
        cache_clear(&s->cache);
        gzip_free(s->gzip);
        policy_free(s->policy);
        free(s->route_counts);
        free(s->counts);
        free(s);
        return NULL;
}

int http_server_set_policy(struct http_server *s, const struct http_policy *policy, char error[HTTP_ERROR_MAX]) {
        struct policy *next;
        int r;

        r = policy_new(policy, &next, error);
        if (r < 0)
                return r;
        policy_free(s->policy);
        s->policy = next;
        cache_clear(&s->cache);
        return 0;
}

int http_server_listen(struct http_server *s, const struct http_listen *addresses, unsigned n,
                       char error[HTTP_ERROR_MAX]) {
        return listeners_set(s->listeners, addresses, n, error);
}

int http_server_adopt(struct http_server *s, int fd, char error[HTTP_ERROR_MAX]) {
        return listeners_adopt(s->listeners, fd, error);
}

const char *http_server_url(const struct http_server *s) {
        return listeners_url(s->listeners);
}

bool http_server_count(const struct http_server *s, unsigned i, struct http_count *ret) {
        if (i >= s->n_counts)
                return false;
        *ret = s->counts[i];
        return true;
}

unsigned http_server_connections(const struct http_server *s) {
        return s->connections.n;
}

struct http_facts http_server_facts(const struct http_server *s) {
        return (struct http_facts) {
                .connections = s->connections.n, .long_answers = s->long_answers.n, .answers = s->answers,
                .not_modified = s->not_modified, .cache_hits = s->cache.hits, .cache_misses = s->cache.misses,
        };
}
