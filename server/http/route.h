/* Requests, replies and the route table: what a handler sees. No sockets here, so tests call handlers directly. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define ROUTE_ARGS_MAX     2     /* {id} and {series} */
#define REQUEST_QUERY_MAX          16    /* query parameters of one request */
#define REPLY_BODY_MAX     (4 * 1024 * 1024)  /* no answer of ours comes near; a bug must not eat the machine */

enum http_role {
        HTTP_ROLE_NONE,
        HTTP_ROLE_READ,
        HTTP_ROLE_CONTROL,
};

struct query_item {
        const char *name;
        const char *value;   /* "" when there was none */
};

struct request {
        const char *method;
        const char *path;                        /* decoded, without the query */
        const char *host;                        /* Host header, "" when absent */
        const char *scheme;                      /* "http" */
        const char *args[ROUTE_ARGS_MAX];        /* what matched {..}, in order */
        unsigned n_query;
        struct query_item query[REQUEST_QUERY_MAX];
        enum http_role role;
        bool has_body;
};

/* Puts the next piece of a long answer into out, some KiB at a time and after a few ms of work at most. Returns 1 when
 * there may be more, 0 when that was all, -EAGAIN when the piece needs another call (out may be empty then), or
 * another negative errno: the answer is broken off. */
typedef int (*reply_producer)(void *state, struct buffer *out);

struct reply {
        unsigned status;              /* 200 at start */
        const char *content_type;     /* static text; "application/json" at start */
        const char *cache_control;    /* static text; "no-cache" at start; NULL: no header */
        const char *disposition;      /* static text for Content-Disposition, or NULL */
        char allow[32];               /* Allow header for a 405, or "" */
        const void *fixed;            /* a body that lives as long as the process; used instead of body when set */
        size_t fixed_len;
        struct buffer body;
        reply_producer produce;       /* not NULL: the body comes from it, piece by piece */
        void *state;                  /* its, freed by free_state when the answer has ended however it did */
        void (*free_state)(void *state);
};

/* Fills the reply. A negative errno makes it a 500. */
typedef int (*route_handler)(void *app, const struct request *request, struct reply *reply);

struct route {
        const char *method;           /* "GET" answers HEAD too */
        const char *pattern;          /* "/api/v1/meters/{id}/now" */
        route_handler handler;
        bool public;                  /* needs no token even with access: token */
        const char *const *parameters;  /* names of the query parameters it knows, NULL-terminated; NULL: none */
};

void reply_init(struct reply *r);
void reply_free(struct reply *r);

/* Frees the producer, if there is one: the body is then as for any other reply. */
void reply_drop_producer(struct reply *r);

/* Makes the reply an RFC 9457 problem. parameter may be NULL. Returns 0, so that handlers can return it. */
int reply_problem(struct reply *r, unsigned status, const char *parameter, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The value of a query parameter, NULL when it was not given. */
const char *request_query(const struct request *r, const char *name);

/* Standard phrase of a status code: 404 gives "Not Found". */
const char *http_status_text(unsigned status);

/* Splits a request target ("/a%20b?from=-1h") into path and query of r, decoding it in place: r points into target.
 * An escape that is none, an encoded NUL or too many parameters make reply a 400 and the result false. */
bool request_set_target(struct request *r, char *target, struct reply *reply);

/* The two halves of route_dispatch, for the server, which looks at the token in between. route_match returns -1
 * with the reply filled for 404 and 405, and for OPTIONS, which is answered here. */
int route_match(const struct route *routes, size_t n_routes, struct request *request, char *scratch,
                size_t scratch_size, struct reply *reply);
void route_call(const struct route *route, void *app, const struct request *request, struct reply *reply);

/* Finds the route of a request by method and path, fills request->args (pointing into scratch, which holds a copy
 * of the path), checks the query parameters, and calls the handler; 404, 405 with Allow, 400 naming the parameter
 * come from here. Returns the route's index, or -1 when none matched. */
int route_dispatch(const struct route *routes, size_t n_routes, void *app, struct request *request,
                   char *scratch, size_t scratch_size, struct reply *reply);
