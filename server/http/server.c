#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/answer.h"
#include "http/connection.h"
#include "http/engine.h"
#include "http/handshake.h"
#include "http/listener.h"
#include "http/long_answer.h"
#include "http/policy.h"
#include "http/stream.h"

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
        struct streams streams;
        struct throttle throttle;
        sd_event *event;
        struct engine plain, secure; /* secure: from the first policy with a certificate on */
        struct handshakes handshakes;
        struct cache cache;
        struct gzip *gzip;
        uint64_t answers, not_modified;
        struct http_count *counts;   /* in order of first use; room for all that route_counts can point at */
        unsigned n_counts;
        struct route_counts *route_counts;   /* [n_routes + 1], the last for what has no route */
};

/* Both daemons: what was resumed may belong to either. */
static void pump(struct http_server *s) {
        engine_run(&s->plain);
        engine_run(&s->secure);
}

static void on_turn(void *userdata) {
        pump(userdata);
}

static bool is_full(const struct http_server *s) {
        return s->connections.n >= s->limits.connections ||
               s->connections.n_secure >= s->limits.secure_connections;
}

/* Who comes over a unix socket is on this machine: nobody else can listen in. */
static struct engine *engine_for(struct http_server *s, const struct sockaddr *peer) {
        return policy_identity(s->policy) && peer->sa_family != AF_UNIX ? &s->secure : &s->plain;
}

static void on_accepted(void *userdata, int fd, const struct sockaddr *peer, socklen_t peer_len) {
        struct http_server *s = userdata;
        struct peer_key key = peer_key(peer);

        if (!(key.loopback && s->limits.spare_loopback) &&
            connections_of_peer(&s->connections, &key) >= s->limits.per_address) {
                close(fd);
                return;
        }
        engine_add(engine_for(s, peer), fd, peer, peer_len);
        handshakes_settle(&s->handshakes);
        if (is_full(s))
                listeners_set_full(s->listeners, true);
}

static void on_accepted_all(void *userdata) {
        pump(userdata);
}

static struct connection *connection_of(struct MHD_Connection *mhd) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

static bool begin_handshake(struct http_server *s, struct MHD_Connection *mhd, struct connection *c) {
        struct handshake *h = handshake_new(&s->handshakes, mhd, c->fd, policy_identity(s->policy));

        if (h)
                connection_set_handshake(&s->connections, c, h);
        return h;
}

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what) {
        struct http_server *s = userdata;
        const union MHD_ConnectionInfo *fd, *peer;
        struct connection *c;

        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
                *context = connection_free(&s->connections, *context);
                if (s->listeners && !is_full(s))
                        listeners_set_full(s->listeners, false);
                return;
        }
        fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        peer = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        c = connection_new(&s->connections, s, fd->connect_fd, peer->client_addr);
        *context = c;
        if (c && MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION) && !begin_handshake(s, mhd, c))
                c = NULL;
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
        if (c->handshake)
                handshake_done(c->handshake);
        c->begun = false;
        c->target_too_long = len >= HTTP_TARGET_MAX;
        free(c->target);
        c->target = strdup(c->target_too_long ? "" : target);
        if (!c->target)
                return NULL;
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
                free(c->target);
                c->target = NULL;
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
                .long_answers = &s->long_answers, .streams = &s->streams, .n_streams_max = s->limits.streams,
                .cache = &s->cache, .gzip = s->gzip, .method = method, .version = version, .route = -1,
        };
        enum MHD_Result result;

        (void) url;
        if (!c)
                return MHD_NO;
        a.access_rules = (struct access_rules) {
                .policy = s->policy, .throttle = &s->throttle, .peer = &c->peer,
                .slows = !(c->peer.loopback && s->limits.spare_loopback),
        };
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
                connection_set_deadline(&s->connections, c, a.is_stream ? s->limits.stalled_ms : s->limits.send_ms);
        }
        return result;
}

static void on_ran(void *userdata) {
        struct http_server *s = userdata;

        handshakes_settle(&s->handshakes);
}

static const struct engine_calls engine_calls = {
        .request = on_request,
        .request_line = on_request_line,
        .completed = on_completed,
        .connection = on_connection,
        .ran = on_ran,
};

/* Where the process may open fewer files, clients get what ports and files leave. */
static unsigned affordable(unsigned connections) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
                return connections;
        if (limit.rlim_cur <= 2 * HTTP_DESCRIPTORS_LEFT)
                return connections < HTTP_DESCRIPTORS_LEFT ? connections : HTTP_DESCRIPTORS_LEFT;
        limit.rlim_cur -= HTTP_DESCRIPTORS_LEFT;
        return limit.rlim_cur < connections ? (unsigned) limit.rlim_cur : connections;
}

int http_server_new(sd_event *event, const struct http_options *options, struct http_server **ret) {
        static const struct http_limits default_limits = HTTP_LIMITS_DEFAULT;
        static const struct listener_calls calls = { .accepted = on_accepted, .accepted_all = on_accepted_all };
        CLEANUP(http_server_freep) struct http_server *s = calloc(1, sizeof *s);
        char error[HTTP_ERROR_MAX];
        int r;

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->handshakes.engine = &s->secure;
        s->options = *options;
        s->limits = options->limits ? *options->limits : default_limits;
        s->limits.connections = affordable(s->limits.connections);
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
        r = streams_init(&s->streams, event, &s->connections, s->limits.stalled_ms, on_turn, s);
        if (r < 0)
                return r;
        r = engine_start(&s->plain, event, &engine_calls, s, s->limits.connections + MHD_SPARE, false);
        if (r < 0)
                return r;
        r = listeners_new(event, &calls, s, &s->listeners);
        if (r < 0)
                return r;
        *ret = TAKE(s);
        return 0;
}

static void resume_all(struct http_server *s) {
        long_answers_resume(&s->long_answers);
        handshakes_resume(&s->handshakes);
        streams_end(&s->streams);
}

struct http_server *http_server_free(struct http_server *s) {
        if (!s)
                return NULL;
        s->listeners = listeners_free(s->listeners);
        for (unsigned i = 0; i < STOP_ROUNDS; i++) {
                resume_all(s);
                pump(s);
        }
        resume_all(s);
        engine_stop(&s->plain);
        engine_stop(&s->secure);
        long_answers_done(&s->long_answers);
        streams_done(&s->streams);
        connections_done(&s->connections);
        cache_clear(&s->cache);
        gzip_free(s->gzip);
        policy_free(s->policy);
        sd_event_unref(s->event);
        free(s->route_counts);
        free(s->counts);
        free(s);
        return NULL;
}

int http_server_prepare_policy(struct http_server *s, const struct policy *policy, char error[HTTP_ERROR_MAX]) {
        int r;

        if (!policy_identity(policy) || engine_is_started(&s->secure))
                return 0;
        r = engine_start(&s->secure, s->event, &engine_calls, s, s->limits.secure_connections + MHD_SPARE, true);
        if (r < 0) {
                engine_stop(&s->secure);
                snprintf(error, HTTP_ERROR_MAX,
                         "http.tls: this libmicrohttpd cannot do TLS; put a TLS proxy in front");
        }
        return r;
}

void http_server_take_policy(struct http_server *s, struct policy *policy) {
        policy_free(s->policy);
        s->policy = policy;
        cache_clear(&s->cache);
        listeners_set_secure(s->listeners, policy_identity(policy));
        /* They may have been opened with a token that is gone; who still may comes back to where he was. */
        streams_end(&s->streams);
        pump(s);
}

int http_server_set_policy(struct http_server *s, const struct http_policy *policy, char error[HTTP_ERROR_MAX]) {
        CLEANUP(policy_freep) struct policy *next = NULL;
        int r;

        r = policy_new(policy, &next, error);
        if (r >= 0)
                r = http_server_prepare_policy(s, next, error);
        if (r < 0)
                return r;
        http_server_take_policy(s, TAKE(next));
        return 0;
}

int http_server_listen(struct http_server *s, const struct http_listen *addresses, unsigned n,
                       char error[HTTP_ERROR_MAX]) {
        return listeners_set(s->listeners, addresses, n, error);
}

int http_server_adopt(struct http_server *s, int fd, char error[HTTP_ERROR_MAX]) {
        return listeners_adopt(s->listeners, fd, error);
}

const char *http_server_exposed(const struct http_server *s) {
        return listeners_exposed(s->listeners);
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

void http_server_wake_streams(struct http_server *s) {
        streams_wake(&s->streams);
}

unsigned http_server_connections(const struct http_server *s) {
        return s->connections.n;
}

struct http_facts http_server_facts(const struct http_server *s) {
        return (struct http_facts) {
                .secure_connections = s->connections.n_secure, .auth_failures = s->throttle.failures,
                .auth_refusals = s->throttle.refusals, .connections = s->connections.n, .streams = s->streams.n,
                .long_answers = s->long_answers.n, .answers = s->answers, .not_modified = s->not_modified,
                .cache_hits = s->cache.hits, .cache_misses = s->cache.misses,
        };
}
