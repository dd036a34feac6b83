#include "http/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

#define ALLOW_MAX sizeof(((struct reply *) NULL)->allow)

void reply_init(struct reply *r) {
        *r = (struct reply) {
                .status = 200,
                .content_type = "application/json",
                .cache_control = "no-cache",
        };
        buffer_init(&r->body, REPLY_BODY_MAX);
}

void reply_drop_producer(struct reply *r) {
        if (r->produce)
                r->free_state(r->state);
        r->produce = NULL;
        r->is_stream = false;
}

void reply_free(struct reply *r) {
        reply_drop_producer(r);
        buffer_free(&r->body);
}

struct span {
        char *begin, *end;
};

/* Compares only: scratch must stay whole for the next pattern. -1 when it does not match, else how many args. */
static int match_pattern(const char *pattern, char *path, struct span args[ROUTE_ARGS_MAX]) {
        int n = 0;

        while (*pattern) {
                if (*pattern != '{') {
                        if (*pattern++ != *path++)
                                return -1;
                        continue;
                }
                if (n == ROUTE_ARGS_MAX)
                        return -1;
                args[n].begin = path;
                args[n].end = path += strcspn(path, "/");
                if (args[n].begin == args[n].end)
                        return -1;
                n++;
                pattern += strcspn(pattern, "}");
                if (*pattern)
                        pattern++;
        }
        return *path ? -1 : n;
}

static bool answers_method(const struct route *route, const char *method) {
        if (strcmp(route->method, method) == 0)
                return true;
        return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

static void add_allow(char allow[ALLOW_MAX], const char *method) {
        size_t len = strlen(allow), method_len = strlen(method);
        const char *p = strstr(allow, method);

        /* No method we use is part of another one's name. */
        if (p || len + method_len + 3 > ALLOW_MAX)
                return;
        snprintf(allow + len, ALLOW_MAX - len, "%s%s", len ? ", " : "", method);
}

/* The path is known, the method is not: OPTIONS asks for exactly this list. */
static void answer_allow(const struct request *request, struct reply *reply) {
        add_allow(reply->allow, "OPTIONS");
        if (strcmp(request->method, "OPTIONS") != 0) {
                reply_problem(reply, 405, NULL, "%s is not possible here, only %s", request->method, reply->allow);
                return;
        }
        reply->status = 204;
        reply->content_type = NULL;
}

int route_match(const struct route *routes, size_t n_routes, struct request *request, char *scratch,
                size_t scratch_size, struct reply *reply) {
        size_t len = strlen(request->path);
        bool path_known = false;

        if (len >= scratch_size) {
                reply_problem(reply, 414, NULL, "the path is too long");
                return -1;
        }
        memcpy(scratch, request->path, len + 1);
        for (size_t i = 0; i < n_routes; i++) {
                struct span args[ROUTE_ARGS_MAX];
                int n = match_pattern(routes[i].pattern, scratch, args);

                if (n < 0)
                        continue;
                if (answers_method(&routes[i], request->method)) {
                        reply->allow[0] = 0;
                        for (int k = 0; k < n; k++) {
                                *args[k].end = 0;
                                request->args[k] = args[k].begin;
                        }
                        return (int) i;
                }
                path_known = true;
                add_allow(reply->allow, routes[i].method);
                if (strcmp(routes[i].method, "GET") == 0)
                        add_allow(reply->allow, "HEAD");
        }
        if (!path_known && strcmp(request->path, "*") == 0 && strcmp(request->method, "OPTIONS") == 0) {
                add_allow(reply->allow, "GET");
                add_allow(reply->allow, "HEAD");
                path_known = true;
        }
        if (path_known)
                answer_allow(request, reply);
        else
                reply_problem(reply, 404, NULL, "there is nothing at %s", request->path);
        return -1;
}

static bool check_role(const struct route *route, const struct request *request, struct reply *reply) {
        return !route->control || request_may_control(request, NULL, reply);
}

/* "application/json", also with the "; charset=utf-8" that JSON does not need and clients send. */
static bool has_content_type(const struct request *request, const char *content_type) {
        size_t len = strlen(content_type);

        return strncasecmp(request->content_type, content_type, len) == 0 &&
               strchr("; \t", request->content_type[len]);
}

/* What a GET carries means nothing, and is left alone. */
static bool check_body(const struct route *route, const struct request *request, struct reply *reply) {
        const struct route_body *body = route->body;

        if (strcmp(route->method, "GET") == 0 || (!body && !request->has_body))
                return true;
        if (!body)
                reply_problem(reply, 415, NULL, "%s %s takes no body", route->method, request->path);
        else if (!request->has_length)
                reply_problem(reply, 411, NULL, "this needs a body of %s, and a Content-Length", body->content_type);
        else if (!has_content_type(request, body->content_type))
                reply_problem(reply, 415, NULL, "the body has to be %s, and its Content-Type has to say so",
                              body->content_type);
        else if (request->content_encoding[0] && strcasecmp(request->content_encoding, "identity") != 0)
                reply_problem(reply, 415, NULL, "a body with a Content-Encoding is not understood");
        else
                return true;
        return false;
}

bool route_check(const struct route *route, struct request *request, struct reply *reply) {
        request->route = route;
        return check_role(route, request, reply) && request_check(request, reply) &&
               check_body(route, request, reply);
}

void route_call(const struct route *route, void *app, struct request *request, struct reply *reply) {
        int r;

        if (!route_check(route, request, reply))
                return;
        r = route->handler(app, request, reply);
        if (r >= 0 && !reply->body.failed)
                return;
        if (r >= 0)
                r = -ENOBUFS;
        log_error("http: %s %s: %s", request->method, route->pattern, strerror(-r));
        reply_problem(reply, 500, NULL, "this is an error of the server; its log says more");
}

int route_dispatch(const struct route *routes, size_t n_routes, void *app, struct request *request,
                   char *scratch, size_t scratch_size, struct reply *reply) {
        int i = route_match(routes, n_routes, request, scratch, scratch_size, reply);

        if (i >= 0)
                route_call(&routes[i], app, request, reply);
        return i;
}
