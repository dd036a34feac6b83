#include "http/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "http/response.h"

#define HTTP_HOST_MAX 256  /* a DNS name has at most 253 characters */

static struct response_context context_of(const struct answer *a) {
        return (struct response_context) {
                .mhd = a->mhd, .policy = a->policy, .headers = &a->connection->headers, .gzip = a->gzip,
                .long_answers = a->long_answers, .streams = a->streams, .connection = a->connection,
                .method = a->method, .must_close = a->must_close,
        };
}

static enum MHD_Result queue(struct answer *a, unsigned status, struct MHD_Response *response) {
        enum MHD_Result result = response ? MHD_queue_response(a->mhd, status, response) : MHD_NO;

        if (result == MHD_YES)
                a->status = status;
        return result;
}

static bool is_unchanged(const struct answer *a, const struct reply *reply) {
        return reply->has_tag && request_headers_have(&a->connection->headers, reply->tag, a->mhd);
}

/* What this client wants. */
static enum response_form choose_form(const struct answer *a, const struct reply *reply) {
        return response_is_read(a->method) && codings_prefer_gzip(&a->connection->headers.codings) &&
               response_can_gzip(reply) ? RESPONSE_GZIP : RESPONSE_PLAIN;
}

static void check_room(const struct answer *a, struct reply *reply) {
        if (reply->is_stream && a->streams->n >= a->n_streams_max)
                reply_problem(reply, 503, NULL, "%u streams are open already; try again in %d s", a->n_streams_max,
                              HTTP_RETRY_AFTER_S);
        else if (!reply->is_stream && a->long_answers->n >= HTTP_LONG_ANSWERS_MAX)
                reply_problem(reply, 503, NULL, "%d long answers are being sent already; try again in %d s",
                              HTTP_LONG_ANSWERS_MAX, HTTP_RETRY_AFTER_S);
}

static enum MHD_Result send_reply(struct answer *a, struct reply *reply) {
        struct response_context x = context_of(a);
        struct MHD_Response *response;
        enum MHD_Result result;
        bool unchanged;

        response_complete(&x, reply);
        unchanged = is_unchanged(a, reply);
        if (!unchanged && reply->produce)
                check_room(a, reply);
        a->is_stream = reply->produce && reply->is_stream;
        if (unchanged && reply->produce)
                response = response_make_unchanged(&x, reply, choose_form(a, reply));
        else
                response = response_make(&x, reply, choose_form(a, reply));
        result = queue(a, unchanged ? 304 : reply->status, response);
        if (response)
                MHD_destroy_response(response);
        return result;
}

/* ---- answers that are kept ---- */

/* Pages of other origins get headers of their own. */
static bool may_share(const struct answer *a) {
        return a->options->version && response_is_read(a->method) &&
               !(a->connection->headers.origin && policy_has_origins(a->policy));
}

static enum MHD_Result send_entry(struct answer *a, struct cache_entry *e) {
        struct response_context x = context_of(a);

        if (!e)
                return MHD_NO;
        a->route = e->route;
        return queue(a, is_unchanged(a, &e->reply) ? 304 : e->reply.status,
                     cache_response(e, &x, choose_form(a, &e->reply)));
}

/* False: there is none. Who asks has shown by then that answers for his role are for him. */
static bool send_kept(struct answer *a, const char *target, enum http_role role, enum MHD_Result *ret) {
        const char *accept = a->connection->headers.accept ? a->connection->headers.accept : "";
        struct cache_entry *e = may_share(a) ? cache_find(a->cache, target, accept, role, clock_now_ms()) : NULL;

        if (!e || a->options->version(a->options->app, e->subject) != e->version)
                return false;
        a->cache->hits++;
        *ret = send_entry(a, e);
        return true;
}

/* target is as it was sent, "" when it is too long to be kept. */
static enum MHD_Result keep_and_send(struct answer *a, const char *target, enum http_role role, struct reply *reply) {
        const char *accept = reply->by_accept && a->connection->headers.accept ? a->connection->headers.accept : "";
        struct response_context x = context_of(a);

        response_complete(&x, reply);
        if (reply->status != 200 || !reply->subject || reply->produce || !target[0] || !may_share(a) ||
            strlen(reply->subject) > HTTP_CACHE_SUBJECT_MAX || reply->body.len > HTTP_CACHE_BODY_MAX ||
            strlen(accept) >= HTTP_CACHE_ACCEPT_MAX)
                return send_reply(a, reply);
        a->cache->misses++;
        return send_entry(a, cache_put(a->cache, &x, target, accept, role, a->route, clock_now_ms(),
                                       a->options->version(a->options->app, reply->subject), reply));
}

/* ---- before the handler ---- */

static bool has_body(const struct answer *a) {
        const char *length = a->connection->headers.content_length;

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
static void check_framing(const struct request_headers *h, struct reply *reply) {
        if (h->malformed)
                reply_problem(reply, 400, NULL, "a header that is not \"Name: value\"");
        else if (h->n_transfer_encoding > 0)
                reply_problem(reply, 411, NULL, "Transfer-Encoding is not supported; send a Content-Length");
        else if (h->n_content_length > 1)
                reply_problem(reply, 400, NULL, "more than one Content-Length");
        else if (h->content_length && h->content_length[strspn(h->content_length, "0123456789")])
                reply_problem(reply, 400, NULL, "the Content-Length is not a number");
        else if (h->n_host > 1)
                reply_problem(reply, 400, NULL, "more than one Host");
        else if (h->content_length && is_too_large(h->content_length))
                reply_problem(reply, 413, NULL, "a body may have at most %d bytes", HTTP_BODY_MAX);
}

/* "GET http://host/path" is what clients of proxies send; the host in it then counts instead of the header. host
 * gets a copy of it. */
static char *split_absolute_target(const struct answer *a, char *target, char *host, size_t host_size) {
        const char *scheme = a->connection->handshake ? "https://" : "http://";
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
        const struct request_headers *h = &a->connection->headers;
        const char *host;

        if (response_is_read(a->method))
                return true;
        if (h->origin && policy_allows_origin(a->policy, h->origin))
                return true;
        host = h->origin ? strstr(h->origin, "://") : NULL;
        /* Either of the two is missing in some browsers; programs send neither. */
        if ((!h->origin || (host && strcasecmp(host + 3, request->host) == 0)) &&
            (!h->fetch_site || strcasecmp(h->fetch_site, "same-origin") == 0 ||
             strcasecmp(h->fetch_site, "none") == 0))
                return true;
        reply_problem(reply, 403, NULL,
                      "a page of another site may not do this; add its origin to http.cors_origins to allow it");
        return false;
}

/* What the headers tell. */
static struct request request_of(const struct answer *a) {
        const struct request_headers *h = &a->connection->headers;

        return (struct request) {
                .method = a->method,
                .host = h->host ? h->host : "",
                .scheme = a->connection->handshake ? "https" : "http",
                .accept = h->accept ? h->accept : "",
                .role = a->connection->access.role,
                .last_event_id = h->last_event_id ? h->last_event_id : "",
                .has_body = has_body(a),
                .has_length = h->content_length,
                .content_type = h->content_type ? h->content_type : "",
                .content_encoding = h->content_encoding ? h->content_encoding : "",
        };
}

/* target is decoded in place; scratch keeps what the request then points to. NULL with the reply filled when it
 * cannot be answered. */
static const struct route *find_route(struct answer *a, struct request *request, char *target, char *scratch,
                                      size_t scratch_size, struct reply *reply) {
        const struct route *route;

        if (!request_set_target(request, target, reply))
                return NULL;
        a->route = route_match(a->options->routes, a->options->n_routes, request, scratch, scratch_size, reply);
        if (a->route < 0)
                return NULL;
        route = &a->options->routes[a->route];
        if (!check_origin(a, request, reply))
                return NULL;
        if (!route->public && !access_check(&a->access_rules, &a->connection->access, reply))
                return NULL;
        return route;
}

static bool check_target_length(const struct answer *a, struct reply *reply) {
        if (!a->connection->target_too_long)
                return true;
        reply_problem(reply, 414, NULL, "path and query may have at most %d bytes", HTTP_TARGET_MAX - 1);
        return false;
}

/* All that can be said against a request that announces a body, before that is read. The target is decoded in a copy,
 * because the answer proper needs it as it was sent. */
static void check_body(struct answer *a, struct reply *reply) {
        char copy[HTTP_TARGET_MAX], scratch[HTTP_TARGET_MAX], *target;
        struct request request = request_of(a);
        const struct route *route;
        char host[HTTP_HOST_MAX];

        if (!check_target_length(a, reply))
                return;
        strcpy(copy, a->connection->target);
        target = split_absolute_target(a, copy, host, sizeof host);
        if (target != copy)
                request.host = host;
        if (!check_host(a, &request, reply))
                return;
        route = find_route(a, &request, target, scratch, sizeof scratch, reply);
        a->takes_body = route && route_check(route, &request, reply) && route->body;
}

enum MHD_Result answer_check(struct answer *a) {
        CLEANUP(reply_free) struct reply reply;

        request_headers_read(&a->connection->headers, a->mhd);
        a->connection->access = access_look(&a->access_rules, a->connection->headers.authorization);
        reply_init(&reply);
        check_framing(&a->connection->headers, &reply);
        if (reply.status == 200 && has_body(a) && !response_is_read(a->method))
                check_body(a, &reply);
        if (reply.status == 200)
                return MHD_YES;
        a->must_close = true;
        return send_reply(a, &reply);
}

static void dispatch(struct answer *a, struct request *request, char *target, struct reply *reply) {
        const struct buffer *body = &a->connection->body;
        char scratch[HTTP_TARGET_MAX];
        const struct route *route = find_route(a, request, target, scratch, sizeof scratch, reply);

        if (!route)
                return;
        request->body = body->data;
        request->body_len = body->len;
        if (body->failed)
                reply_problem(reply, 503, NULL, "there is no memory for the body now");
        else
                route_call(route, a->options->app, request, reply);
}

enum MHD_Result answer_request(struct answer *a) {
        CLEANUP(reply_free) struct reply reply;
        const struct access *access = &a->connection->access;
        char *target = a->connection->target;
        char as_sent[HTTP_CACHE_TARGET_MAX] = "";
        char host[HTTP_HOST_MAX];
        struct request request = request_of(a);
        enum MHD_Result result;

        reply_init(&reply);
        if (!check_target_length(a, &reply))
                return send_reply(a, &reply);
        target = split_absolute_target(a, target, host, sizeof host);
        if (target != a->connection->target)
                request.host = host;
        if (!check_host(a, &request, &reply))
                return send_reply(a, &reply);
        if (!access->failed && access->wait_ms == 0 && send_kept(a, target, request.role, &result))
                return result;
        if (strlen(target) < sizeof as_sent)
                strcpy(as_sent, target);
        dispatch(a, &request, target, &reply);
        return keep_and_send(a, as_sent, request.role, &reply);
}
