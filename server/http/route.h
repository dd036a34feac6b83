/* Requests, replies and the route table: what a handler sees. No sockets here, so tests call handlers directly. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "http/parameter.h"

#define ROUTE_ARGS_MAX     2     /* {id} and {series} */
#define ROUTE_PARAMETERS_MAX 8   /* query parameters that one route knows */
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

struct route;

struct request {
        const char *method;
        const char *path;                        /* decoded, without the query */
        const char *host;                        /* Host header, "" when absent */
        const char *scheme;                      /* "http", or "https" over TLS */
        const char *last_event_id;               /* header of that name, "" when absent */
        const char *accept;                      /* header, "" when absent */
        const char *args[ROUTE_ARGS_MAX];        /* what matched {..}, in order */
        unsigned n_query;
        struct query_item query[REQUEST_QUERY_MAX];
        enum http_role role;
        bool has_body;                           /* announced, of whatever length but 0 */
        bool has_length;                         /* a Content-Length was given */
        const char *content_type;                /* header, "" when absent */
        const char *content_encoding;            /* header, "" when absent */
        const char *body;                        /* where the route takes one; not 0-terminated; NULL: empty */
        size_t body_len;
        /* Once the parameters are checked: */
        const struct route *route;
        struct parameter_value values[ROUTE_PARAMETERS_MAX];  /* in the order of route->parameters */
        int arg_choices[ROUTE_ARGS_MAX];         /* index of what {..} chose, -1 where it is no choice */
};

/* Puts the next piece of a long answer into out, some KiB at a time and after a few ms of work at most. Returns 1
 * when there may be more, 0 when that was all, -EAGAIN when the piece needs another call (out may be empty then), or
 * another negative errno: the answer is broken off. Of a stream also -ENODATA: nothing more (out may have something)
 * until http_server_wake_streams. */
typedef int (*reply_producer)(void *state, struct buffer *out);

struct reply {
        unsigned status;              /* 200 at start */
        const char *content_type;     /* static text; "application/json" at start */
        const char *cache_control;    /* static text; "no-cache" at start; NULL: no header */
        const char *disposition;      /* static text for Content-Disposition, or NULL */
        char allow[32];               /* Allow header for a 405, or "" */
        unsigned retry_after_s;       /* Retry-After header; 0: none, but for a 503 its usual one */
        const void *fixed;            /* a body that lives as long as the process; used instead of body when set */
        size_t fixed_len;
        const void *fixed_gzip;       /* the same compressed, or NULL */
        size_t fixed_gzip_len;
        uint64_t tag;                 /* valid with has_tag: changes whenever what the answer says does. A body has */
        bool has_tag;                 /* one by itself (see buffer_tag); a producer only if the handler knows one */
        bool is_volatile;             /* every answer is another one: no tag */
        const char *subject;          /* not NULL: the body may be given to others until this, a meter's id, changes (""
                                       * means anything), but not longer than HTTP_CACHE_MS. Valid while the handler's
                                       * own things are */
        bool by_accept;               /* what it is depends on the Accept header as well */
        struct buffer body;
        reply_producer produce;       /* not NULL: the body comes from it, piece by piece */
        void *state;                  /* its, freed by free_state when the answer has ended however it did */
        void (*free_state)(void *state);
        bool is_stream;               /* the producer's answer has no end: http/stream.h */
};

/* Fills the reply. A negative errno makes it a 500. */
typedef int (*route_handler)(void *app, const struct request *request, struct reply *reply);

/* One kind of answer; several of one status differ in their content type. */
struct route_answer {
        unsigned status;              /* 0 ends an array of them */
        const char *content_type;     /* NULL: no body */
        const char *schema;           /* name of a component of the document; NULL: text of no given form */
        const char *description;
};

struct route_body {
        const char *content_type;     /* the one it may have, without parameters */
        const char *schema;
        const char *description;
};

/* Everything there is to know about one address: the server answers by it and the document is made from it. */
struct route {
        const char *method;           /* "GET" answers HEAD too */
        const char *pattern;          /* "/api/v1/meters/{id}/now" */
        route_handler handler;
        bool public;                  /* needs no token even with access: token */
        const struct parameter *parameters;  /* of the query; NULL: none */
        const struct parameter *arguments;   /* one for each {..}, in their order; NULL: none */
        bool control;                 /* needs a token that may control, whatever access says */
        const struct route_body *body;       /* NULL: takes none */

        const char *name;             /* operationId; NULL: not in the document */
        const char *tag;
        const char *summary, *description;
        const struct route_answer *answers;  /* those of its own, beside what the server says to any request */
};

void reply_init(struct reply *r);
void reply_free(struct reply *r);

/* Frees the producer, if there is one: the body is then as for any other reply. */
void reply_drop_producer(struct reply *r);

/* Makes the reply an RFC 9457 problem. parameter may be NULL. Returns 0, so that handlers can return it. */
int reply_problem(struct reply *r, unsigned status, const char *parameter, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Reads the parameters of request->route into values and arg_choices. False: one is wrong, and reply says which. */
bool request_check(struct request *r, struct reply *reply);

/* Values of query parameters, checked and with their fallbacks. The name must be one that the route knows. */
bool request_given(const struct request *r, const char *name);
const char *request_text(const struct request *r, const char *name);  /* NULL: not given, and no fallback */
int64_t request_number(const struct request *r, const char *name);    /* integer, cursor, ms of a duration */
int request_choice(const struct request *r, const char *name);        /* index, -1: none; of {..} as well */
uint32_t request_choices(const struct request *r, const char *name);  /* 0: not given, and no fallback */

/* A point in time, 1970 at the earliest. False: not given, and no fallback. */
bool request_time(const struct request *r, const char *name, int64_t now_utc_ms, int64_t *ret_utc_ms);

/* False with a 403 in the reply: this needs a token that may control. parameter is the one to blame, or NULL. */
bool request_may_control(const struct request *r, const char *parameter, struct reply *reply);

/* Standard phrase of a status code: 404 gives "Not Found". */
const char *http_status_text(unsigned status);

/* Splits a request target ("/a%20b?from=-1h") into path and query of r, decoding it in place: r points into target.
 * An escape that is none, an encoded NUL or too many parameters make reply a 400 and the result false. */
bool request_set_target(struct request *r, char *target, struct reply *reply);

/* The parts of route_dispatch, for the server, which looks at the token in between. route_match returns -1 with the
 * reply filled for 404 and 405, and for OPTIONS, which is answered here. route_check is false, with the reply filled,
 * for what the table says against the request: it looks at the headers alone, so that a body can be refused before a
 * byte of it is read. route_call does that check and calls the handler. */
int route_match(const struct route *routes, size_t n_routes, struct request *request, char *scratch,
                size_t scratch_size, struct reply *reply);
bool route_check(const struct route *route, struct request *request, struct reply *reply);
void route_call(const struct route *route, void *app, struct request *request, struct reply *reply);

/* Finds the route of a request by method and path, fills request->args (pointing into scratch, which holds a copy
 * of the path), checks its parameters and body, and calls the handler; 404, 405 with Allow, 415, 400 naming the
 * parameter come from here. Returns the route's index, or -1 when none matched. */
int route_dispatch(const struct route *routes, size_t n_routes, void *app, struct request *request,
                   char *scratch, size_t scratch_size, struct reply *reply);
