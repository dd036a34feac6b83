/* Answers that are kept for the next who asks the same, ready to be sent: for a tenth of a second, and only while
 * nothing that they show has changed. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/limits.h"
#include "http/response.h"
#include "http/route.h"

struct cache_entry {
        char target[HTTP_CACHE_TARGET_MAX];     /* as sent; "": free */
        char accept[HTTP_CACHE_ACCEPT_MAX];     /* as sent; counts with reply.by_accept */
        enum http_role role;
        char subject[HTTP_CACHE_SUBJECT_MAX + 1];
        uint64_t version, made_ms;
        int route;
        struct reply reply;                     /* its body's bytes are those of forms[RESPONSE_PLAIN] */
        struct MHD_Response *forms[2];          /* by enum response_form; NULL: not made yet */
};

struct cache {
        uint64_t hits, misses;
        struct cache_entry entries[HTTP_CACHE_ENTRIES];
};

void cache_clear(struct cache *c);

/* An answer to this target and Accept header for this role that was made less than HTTP_CACHE_MS ago; NULL: there is
 * none. Whether it still holds is the caller's to see: by version of its subject. */
struct cache_entry *cache_find(struct cache *c, const char *target, const char *accept, enum http_role role,
                               uint64_t now_ms);

/* Keeps a reply; takes its body over. version is that of its subject. NULL without memory. */
struct cache_entry *cache_put(struct cache *c, const struct response_context *x, const char *target,
                              const char *accept, enum http_role role, int route, uint64_t now_ms,
                              uint64_t version, struct reply *reply);

/* The entry's response in a form, borrowed; NULL without memory. */
struct MHD_Response *cache_response(struct cache_entry *e, const struct response_context *x, enum response_form form);
