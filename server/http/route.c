#include "http/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
}

void reply_free(struct reply *r) {
        reply_drop_producer(r);
        buffer_free(&r->body);
}

const char *request_query(const struct request *r, const char *name) {
        for (unsigned i = 0; i < r->n_query; i++)
                if (strcmp(r->query[i].name, name) == 0)
                        return r->query[i].value;
        return NULL;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* In place; the result is never longer. False for a broken escape and for %00, which would end the text early. */
static bool decode(char *text, bool plus_is_space) {
        char *out = text;

        for (const char *p = text; *p; p++) {
                int high, low;

                if (*p == '+' && plus_is_space) {
                        *out++ = ' ';
                        continue;
                }
                if (*p != '%') {
                        *out++ = *p;
                        continue;
                }
                high = hex_digit(p[1]);
                low = high < 0 ? -1 : hex_digit(p[2]);
                if (low < 0 || (high == 0 && low == 0))
                        return false;
                *out++ = (char) (high << 4 | low);
                p += 2;
        }
        *out = 0;
        return true;
}

static bool add_query_item(struct request *r, char *item, struct reply *reply) {
        char *value = strchr(item, '=');

        if (value)
                *value++ = 0;
        else
                value = item + strlen(item);
        if (r->n_query == REQUEST_QUERY_MAX) {
                reply_problem(reply, 400, NULL, "more than %d query parameters", REQUEST_QUERY_MAX);
                return false;
        }
        if (!decode(item, true)) {
                reply_problem(reply, 400, NULL, "the name of a query parameter has a broken %% escape");
                return false;
        }
        if (!decode(value, true)) {
                reply_problem(reply, 400, item, "the value has a broken %% escape");
                return false;
        }
        r->query[r->n_query++] = (struct query_item) { .name = item, .value = value };
        return true;
}

bool request_set_target(struct request *r, char *target, struct reply *reply) {
        char *query = strchr(target, '?');

        if (query)
                *query++ = 0;
        r->path = target;
        r->n_query = 0;
        if (target[0] != '/' && strcmp(target, "*") != 0) {
                reply_problem(reply, 400, NULL, "the path of a request starts with '/'");
                return false;
        }
        if (!decode(target, false)) {
                reply_problem(reply, 400, NULL, "the path has a broken %% escape, or a NUL");
                return false;
        }
        while (query) {
                char *item = query;

                query = strchr(item, '&');
                if (query)
                        *query++ = 0;
                if (*item && !add_query_item(r, item, reply))
                        return false;
        }
        return true;
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

static bool knows_parameter(const struct route *route, const char *name) {
        for (const char *const *p = route->parameters; p && *p; p++)
                if (strcmp(*p, name) == 0)
                        return true;
        return false;
}

/* False with a 400 in the reply: a misspelt parameter must not silently give something else. Pages are more
 * lenient, because links to them are passed around with marks of others on them. */
static bool check_parameters(const struct route *route, const struct request *request, struct reply *reply) {
        if (strncmp(route->pattern, "/api/", 5) != 0)
                return true;
        for (unsigned i = 0; i < request->n_query; i++) {
                const char *name = request->query[i].name;

                if (!knows_parameter(route, name)) {
                        reply_problem(reply, 400, name, "unknown query parameter");
                        return false;
                }
                for (unsigned k = 0; k < i; k++) {
                        if (strcmp(request->query[k].name, name) == 0) {
                                reply_problem(reply, 400, name, "given more than once");
                                return false;
                        }
                }
        }
        return true;
}

void route_call(const struct route *route, void *app, const struct request *request, struct reply *reply) {
        int r;

        if (!check_parameters(route, request, reply))
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
