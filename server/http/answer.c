#include "http/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/log.h"

#define CONTENT_SECURITY_POLICY                                                                                      \
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

static const char out_of_memory[] = "{\"title\":\"Internal Server Error\",\"status\":500}";

static const char *header(const struct answer *a, const char *name) {
        return MHD_lookup_connection_value(a->mhd, MHD_HEADER_KIND, name);
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value) {
        return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool starts_with(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

static struct MHD_Response *response_of_reply(const struct answer *a, struct reply *reply) {
        struct MHD_Response *response;

        if (reply->produce)
                return long_answer_response(a->long_answers, a->mhd, reply);
        /* A buffer that ran full or out of memory holds half an answer. */
        if (reply->body.failed) {
                reply->status = 500;
                reply->content_type = "application/problem+json";
                reply->fixed = out_of_memory;
                reply->fixed_len = sizeof out_of_memory - 1;
        }
        if (reply->fixed)
                return MHD_create_response_from_buffer(reply->fixed_len, (void *) (uintptr_t) reply->fixed,
                                                       MHD_RESPMEM_PERSISTENT);
        if (!reply->body.data)
                return MHD_create_response_from_buffer(0, (void *) (uintptr_t) "", MHD_RESPMEM_PERSISTENT);
        response = MHD_create_response_from_buffer(reply->body.len, reply->body.data, MHD_RESPMEM_MUST_FREE);
        if (response)
                buffer_init(&reply->body, REPLY_BODY_MAX);
        return response;
}

/* Pages of the configured origins may read what we say. Their browsers first ask by OPTIONS where a request carries
 * a token. */
static bool add_cors(const struct answer *a, const struct reply *reply, struct MHD_Response *response) {
        const char *origin = header(a, "Origin");

        if (!policy_has_origins(a->policy))
                return true;
        if (!add_header(response, "Vary", "Origin"))
                return false;
        if (!origin || !policy_allows_origin(a->policy, origin))
                return true;
        if (!add_header(response, "Access-Control-Allow-Origin", origin))
                return false;
        if (strcmp(a->method, "OPTIONS") != 0 || !header(a, "Access-Control-Request-Method"))
                return true;
        return add_header(response, "Access-Control-Allow-Methods", reply->allow) &&
               add_header(response, "Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID") &&
               add_header(response, "Access-Control-Max-Age", "600");
}

static bool add_headers(const struct answer *a, const struct reply *reply, struct MHD_Response *response) {
        if (reply->content_type && !add_header(response, "Content-Type", reply->content_type))
                return false;
        if (reply->content_type && starts_with(reply->content_type, "text/html") &&
            !add_header(response, "Content-Security-Policy", CONTENT_SECURITY_POLICY))
                return false;
        if (reply->cache_control && !add_header(response, "Cache-Control", reply->cache_control))
                return false;
        if (reply->disposition && !add_header(response, "Content-Disposition", reply->disposition))
                return false;
        if (reply->allow[0] && !add_header(response, "Allow", reply->allow))
                return false;
        if (reply->status == 503 && !add_header(response, "Retry-After", HTTP_RETRY_AFTER_S))
                return false;
        if (reply->status == 401 && !add_header(response, "WWW-Authenticate", "Bearer"))
                return false;
        return add_header(response, "X-Content-Type-Options", "nosniff") &&
               add_header(response, "Referrer-Policy", "no-referrer") && add_cors(a, reply, response);
}

static enum MHD_Result send_reply(struct answer *a, struct reply *reply) {
        struct MHD_Response *response = response_of_reply(a, reply);
        enum MHD_Result result = MHD_NO;

        if (response && add_headers(a, reply, response))
                result = MHD_queue_response(a->mhd, reply->status, response);
        if (response)
                MHD_destroy_response(response);
        if (result == MHD_YES)
                a->status = reply->status;
        return result;
}

struct framing {
        unsigned hosts, lengths, encodings;
        const char *length;
};

static enum MHD_Result note_framing(void *userdata, enum MHD_ValueKind kind, const char *name, const char *value) {
        struct framing *f = userdata;

        (void) kind;
        if (strcasecmp(name, "Host") == 0)
                f->hosts++;
        if (strcasecmp(name, "Transfer-Encoding") == 0)
                f->encodings++;
        if (strcasecmp(name, "Content-Length") == 0) {
                f->lengths++;
                f->length = value;
        }
        return MHD_YES;
}

static bool has_body(const struct answer *a) {
        const char *length = header(a, "Content-Length");

        return length && length[strspn(length, "0")];
}

/* A number that libmicrohttpd has accepted; too long ones count as too large. */
static bool is_too_large(const char *length) {
        char *end;
        unsigned long long n;

        errno = 0;
        n = strtoull(length, &end, 10);
        return errno != 0 || *end || n > HTTP_BODY_MAX;
}

/* The library takes the first of several and lets Transfer-Encoding win silently; a proxy before us may see it
 * differently, and then one's body is the other's next request. */
static void check_framing(const struct framing *f, struct reply *reply) {
        if (f->encodings > 0)
                reply_problem(reply, 411, NULL, "Transfer-Encoding is not supported; send a Content-Length");
        else if (f->lengths > 1)
                reply_problem(reply, 400, NULL, "more than one Content-Length");
        else if (f->hosts > 1)
                reply_problem(reply, 400, NULL, "more than one Host");
        else if (f->length && is_too_large(f->length))
                reply_problem(reply, 413, NULL, "a body may have at most %d bytes", HTTP_BODY_MAX);
}

enum MHD_Result answer_check(struct answer *a) {
        CLEANUP(reply_free) struct reply reply;
        struct framing f = { 0 };

        MHD_get_connection_values(a->mhd, MHD_HEADER_KIND, note_framing, &f);
        reply_init(&reply);
        check_framing(&f, &reply);
        return reply.status == 200 ? MHD_YES : send_reply(a, &reply);
}

/* "GET http://host/path" is what clients of proxies send; the host in it then counts instead of the header. host
 * gets a copy of it. */
static char *split_absolute_target(char *target, char *host, size_t host_size) {
        static const char scheme[] = "http://";
        char *begin, *end;
        size_t len;

        if (strncasecmp(target, scheme, strlen(scheme)) != 0)
                return target;
        begin = target + strlen(scheme);
        end = begin + strcspn(begin, "/?");
        len = (size_t) (end - begin);
        if (*end != '/' || len == 0 || len >= host_size)
                return target;
        memcpy(host, begin, len);
        host[len] = 0;
        return end;
}

static bool check_host(const struct answer *a, const struct request *request, struct reply *reply) {
        if (!request->host[0]) {
                /* Browsers, the ones to be protected, always send it. */
                if (strcmp(a->version, "HTTP/1.0") == 0)
                        return true;
                reply_problem(reply, 400, NULL, "a request needs a Host header");
                return false;
        }
        if (a->connection->peer.family == 0 || policy_knows_host(a->policy, request->host))
                return true;
        reply_problem(reply, 421, NULL,
                      "this server does not answer to the name %.255s; if it should, add it to http.hosts in the "
                      "configuration",
                      request->host);
        return false;
}

/* Pages of other sites can send a POST although they may not read the answer. */
static bool check_origin(const struct answer *a, const struct request *request, struct reply *reply) {
        const char *origin = header(a, "Origin"), *host;

        if (!origin || strcmp(a->method, "GET") == 0 || strcmp(a->method, "HEAD") == 0)
                return true;
        host = strstr(origin, "://");
        if ((host && strcasecmp(host + 3, request->host) == 0) || policy_allows_origin(a->policy, origin))
                return true;
        reply_problem(reply, 403, NULL,
                      "a page of another site may not do this; add its origin to http.cors_origins to allow it");
        return false;
}

static void dispatch(struct answer *a, struct request *request, char *target, struct reply *reply) {
        char scratch[HTTP_TARGET_MAX];
        const struct route *route;

        if (!check_host(a, request, reply) || !request_set_target(request, target, reply))
                return;
        a->route = route_match(a->options->routes, a->options->n_routes, request, scratch, sizeof scratch, reply);
        if (a->route < 0)
                return;
        route = &a->options->routes[a->route];
        if (!check_origin(a, request, reply))
                return;
        if (request->role == HTTP_ROLE_NONE && !route->public) {
                reply_problem(reply, 401, NULL, "this needs a token: Authorization: Bearer TOKEN, or the token as "
                                                "the password of Basic");
                return;
        }
        route_call(route, a->options->app, request, reply);
        if (reply->produce && a->long_answers->n >= HTTP_LONG_ANSWERS_MAX)
                reply_problem(reply, 503, NULL, "%d long answers are being sent already; try again in %s s",
                              HTTP_LONG_ANSWERS_MAX, HTTP_RETRY_AFTER_S);
}

enum MHD_Result answer_request(struct answer *a) {
        CLEANUP(reply_free) struct reply reply;
        char *target = a->connection->target;
        char host[256];  /* a DNS name has at most 253 characters */
        struct request request = {
                .method = a->method,
                .host = header(a, "Host"),
                .scheme = "http",
                .role = policy_role(a->policy, header(a, "Authorization")),
                .has_body = has_body(a),
                .content_type = header(a, "Content-Type"),
        };

        if (!request.host)
                request.host = "";
        if (!request.content_type)
                request.content_type = "";
        reply_init(&reply);
        if (a->connection->target_too_long) {
                reply_problem(&reply, 414, NULL, "path and query may have at most %d bytes", HTTP_TARGET_MAX - 1);
                return send_reply(a, &reply);
        }
        target = split_absolute_target(target, host, sizeof host);
        if (target != a->connection->target)
                request.host = host;
        dispatch(a, &request, target, &reply);
        return send_reply(a, &reply);
}
