/* HTTP on sd-event: libmicrohttpd on an epoll descriptor inside our loop, connections accepted by ourselves.
 * Knows nothing of meters. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "http/limits.h"
#include "http/route.h"

#define HTTP_ERROR_MAX 256

struct http_options {
        const struct route *routes;    /* borrowed for the server's life */
        size_t n_routes;
        void *app;                     /* handed to handlers */
        /* A number that changes whenever anything of the subject (a meter's id, "" for all) does; NULL: no answer is
         * kept. See struct reply. */
        uint64_t (*version)(void *app, const char *subject);
        const struct http_limits *limits;  /* NULL: those of limits.h; copied */
};

/* What a reload may change. Strings are copied; the files are read by each policy_new and http_server_set_policy. */
struct http_policy {
        bool token_required;
        const char *tokens_path;       /* files, or "credential:NAME" (http/secret_file.h) */
        const char *certificate_path, *key_path;  /* both or none; with them, TCP speaks TLS and nothing else */
        unsigned n_hosts, n_cors_origins;
        char *const *hosts;            /* names to answer to beside IP literals, localhost and this host's own */
        char *const *cors_origins;
};

struct http_listen {
        const char *text;              /* for messages */
        struct sockaddr_storage address;
        socklen_t address_len;
};

struct http_count {
        const char *route;             /* pattern, or "other" */
        unsigned code;
        uint64_t requests;
};

struct http_server;
struct policy;

int http_server_new(sd_event *event, const struct http_options *options, struct http_server **ret);
struct http_server *http_server_free(struct http_server *s);  /* finishes or cuts every connection */
static inline void http_server_freep(struct http_server **s) { http_server_free(*s); }

/* On failure nothing changes and error says why (file and line for a bad tokens file). Connections stay as they are,
 * new requests follow the new policy; live streams end: their clients come again. */
int http_server_set_policy(struct http_server *s, const struct http_policy *policy, char error[HTTP_ERROR_MAX]);

/* The same in two steps, with what policy_new has made of it (http/policy.h): the first may fail and changes nothing
 * that can be seen, the second cannot and takes the policy over. */
int http_server_prepare_policy(struct http_server *s, const struct policy *policy, char error[HTTP_ERROR_MAX]);
void http_server_take_policy(struct http_server *s, struct policy *policy);

/* Listens on exactly these addresses: keeps those open already, opens the new ones, then closes the others.
 * On failure nothing changes and error names the address. */
int http_server_listen(struct http_server *s, const struct http_listen *addresses, unsigned n,
                       char error[HTTP_ERROR_MAX]);

/* Takes over a listening socket (from systemd); owned from now on, kept across http_server_listen. On failure it
 * stays the caller's. */
int http_server_adopt(struct http_server *s, int fd, char error[HTTP_ERROR_MAX]);

/* The first address, as text, that was handed over and that other machines can reach; NULL: there is none. */
const char *http_server_exposed(const struct http_server *s);

/* "http://127.0.0.1:8730" of the first TCP listener, https with TLS, with the port the kernel chose where it was 0.
 * "" when there is none. */
const char *http_server_url(const struct http_server *s);

/* Request counters, one entry per route and code; false past the last. */
bool http_server_count(const struct http_server *s, unsigned i, struct http_count *ret);

/* There may be something new to tell in streams. */
void http_server_wake_streams(struct http_server *s);

unsigned http_server_connections(const struct http_server *s);

/* What goes on, for diagnostics. */
struct http_facts {
        unsigned connections;                /* open */
        unsigned streams, long_answers;      /* being sent */
        unsigned secure_connections;         /* those over TLS */
        uint64_t auth_failures;              /* requests with a token that is not known */
        uint64_t auth_refusals;              /* those whose token was not looked at, after too many wrong ones */
        uint64_t answers, not_modified;      /* since the start; those of 304 among them */
        uint64_t cache_hits, cache_misses;   /* of answers that may be kept */
};
struct http_facts http_server_facts(const struct http_server *s);
