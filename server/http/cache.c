#include "http/cache.h"

#include <string.h>

#include "base/cleanup.h"

static void forget(struct cache_entry *e) {
        /* Those still being sent stay until they are. */
        for (unsigned i = 0; i < ELEMENTS(e->forms); i++)
                if (e->forms[i])
                        MHD_destroy_response(e->forms[i]);
        memset(e, 0, sizeof *e);
}

void cache_clear(struct cache *c) {
        for (unsigned i = 0; i < HTTP_CACHE_ENTRIES; i++)
                forget(&c->entries[i]);
}

static bool answers(const struct cache_entry *e, const char *target, const char *accept, enum http_role role) {
        return e->role == role && strcmp(e->target, target) == 0 &&
               (!e->reply.by_accept || strcmp(e->accept, accept) == 0);
}

struct cache_entry *cache_find(struct cache *c, const char *target, const char *accept, enum http_role role,
                               uint64_t now_ms) {
        for (unsigned i = 0; i < HTTP_CACHE_ENTRIES; i++) {
                struct cache_entry *e = &c->entries[i];

                if (e->target[0] && answers(e, target, accept, role))
                        return now_ms - e->made_ms < HTTP_CACHE_MS ? e : NULL;
        }
        return NULL;
}

/* The one for the same, a free one or the oldest. */
static struct cache_entry *place_for(struct cache *c, const char *target, const char *accept, enum http_role role) {
        struct cache_entry *oldest = &c->entries[0];

        for (unsigned i = 0; i < HTTP_CACHE_ENTRIES; i++) {
                struct cache_entry *e = &c->entries[i];

                if (answers(e, target, accept, role))
                        return e;
                if (e->made_ms < oldest->made_ms)
                        oldest = e;
        }
        return oldest;
}

struct cache_entry *cache_put(struct cache *c, const struct response_context *x, const char *target,
                              const char *accept, enum http_role role, int route, uint64_t now_ms,
                              uint64_t version, struct reply *reply) {
        struct buffer body = reply->body;
        struct MHD_Response *plain = response_make(x, reply, RESPONSE_PLAIN);
        struct cache_entry *e;

        if (!plain)
                return NULL;
        e = place_for(c, target, accept, role);
        forget(e);
        strcpy(e->target, target);
        strcpy(e->accept, accept);
        strcpy(e->subject, reply->subject);
        e->role = role;
        e->version = version;
        e->made_ms = now_ms;
        e->route = route;
        e->reply = *reply;
        e->reply.subject = e->subject;
        e->reply.body = body;
        e->forms[RESPONSE_PLAIN] = plain;
        return e;
}

struct MHD_Response *cache_response(struct cache_entry *e, const struct response_context *x,
                                    enum response_form form) {
        if (!e->forms[form])
                e->forms[form] = response_make(x, &e->reply, form);
        return e->forms[form];
}
