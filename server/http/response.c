#include "http/response.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "http/limits.h"

#define TEXT(x) #x
#define NUMBER_TEXT(x) TEXT(x)

#define VARY_MAX 40  /* of a Vary header that names all there is */

static const char out_of_memory[] = "{\"title\":\"Internal Server Error\",\"status\":500}";

bool response_is_read(const char *method) {
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

void response_complete(const struct response_context *x, struct reply *reply) {
        /* A buffer that ran full or out of memory holds half an answer. */
        if (!reply->produce && reply->body.failed) {
                reply->status = 500;
                reply->content_type = "application/problem+json";
                reply->fixed = out_of_memory;
                reply->fixed_len = sizeof out_of_memory - 1;
                reply->fixed_gzip = NULL;
        }
        if (reply->status != 200 || reply->is_volatile || !response_is_read(x->method) ||
            (reply->cache_control && strcmp(reply->cache_control, "no-store") == 0)) {
                reply->has_tag = false;
        } else if (!reply->has_tag && !reply->produce) {
                reply->tag = reply->fixed ? hash_bytes(0, reply->fixed, reply->fixed_len) : buffer_tag(&reply->body);
                reply->has_tag = true;
        }
}

/* Files bring what pays compressed along. */
bool response_can_gzip(const struct reply *reply) {
        size_t len = reply->fixed ? reply->fixed_len : reply->body.len;

        if (reply->status != 200 || reply->is_stream)
                return false;
        if (reply->produce || reply->fixed_gzip)
                return true;
        if (reply->fixed && (!reply->content_type || strcmp(reply->content_type, "application/json") != 0))
                return false;
        return len >= HTTP_GZIP_MIN && len <= HTTP_GZIP_MAX;
}

/* ---- bodies ---- */

static struct MHD_Response *from_constant(const void *data, size_t len) {
        return MHD_create_response_from_buffer(len, (void *) (uintptr_t) data, MHD_RESPMEM_PERSISTENT);
}

/* The response frees what the buffer had. */
static struct MHD_Response *from_buffer(struct buffer *b) {
        struct MHD_Response *response;

        if (!b->data)
                return from_constant("", 0);
        response = MHD_create_response_from_buffer(b->len, b->data, MHD_RESPMEM_MUST_FREE);
        if (response)
                buffer_init(b, b->max);
        return response;
}

static struct MHD_Response *compressed(struct gzip *gzip, const void *data, size_t len) {
        struct MHD_Response *response = NULL;
        struct buffer out;

        buffer_init(&out, REPLY_BODY_MAX);
        gzip_begin(gzip);
        if (gzip_put(gzip, data, len, true, &out))
                response = from_buffer(&out);
        buffer_free(&out);
        return response;
}

/* Of unknown length. After the headers of an answer in chunks libmicrohttpd (0.9.75) sends the last chunk even to a
 * HEAD, which the client would take for the beginning of its next answer: that one ends its connection instead. */
static struct MHD_Response *produced(const struct response_context *x, struct reply *reply, bool compress) {
        struct MHD_Response *response;

        if (reply->is_stream)
                response = stream_response(x->streams, x->mhd, x->connection, reply);
        else
                response = long_answer_response(x->long_answers, x->mhd, reply, compress);
        if (response && strcmp(x->method, "HEAD") == 0)
                MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        return response;
}

static struct MHD_Response *body_of(const struct response_context *x, struct reply *reply, enum response_form form) {
        if (reply->produce)
                return produced(x, reply, form == RESPONSE_GZIP);
        if (form == RESPONSE_GZIP && reply->fixed_gzip)
                return from_constant(reply->fixed_gzip, reply->fixed_gzip_len);
        if (form == RESPONSE_GZIP)
                return compressed(x->gzip, reply->fixed ? reply->fixed : reply->body.data,
                                  reply->fixed ? reply->fixed_len : reply->body.len);
        return reply->fixed ? from_constant(reply->fixed, reply->fixed_len) : from_buffer(&reply->body);
}

/* ---- headers ---- */

static bool add(struct MHD_Response *response, const char *name, const char *value) {
        return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* Pages of the configured origins may read what we say. Their browsers first ask by OPTIONS where a request carries
 * a token or a tag. */
static bool add_cors(const struct response_context *x, const struct reply *reply, struct MHD_Response *response) {
        const char *origin = x->headers->origin;

        if (!policy_has_origins(x->policy) || !origin || !policy_allows_origin(x->policy, origin))
                return true;
        if (!add(response, "Access-Control-Allow-Origin", origin))
                return false;
        if (strcmp(x->method, "OPTIONS") != 0 ||
            !MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, "Access-Control-Request-Method"))
                return add(response, "Access-Control-Expose-Headers", "ETag, Retry-After");
        return add(response, "Access-Control-Allow-Methods", reply->allow) &&
               add(response, "Access-Control-Allow-Headers",
                   "Authorization, Content-Type, If-None-Match, Last-Event-ID") &&
               add(response, "Access-Control-Max-Age", "600");
}

/* What a cache on the way must look at before it gives this answer to somebody else. */
static const char *vary(const struct response_context *x, const struct reply *reply, char buf[VARY_MAX]) {
        bool by_coding = response_is_read(x->method) && reply->status == 200;

        snprintf(buf, VARY_MAX, "%s%s%s", reply->by_accept ? ", Accept" : "", by_coding ? ", Accept-Encoding" : "",
                 policy_has_origins(x->policy) ? ", Origin" : "");
        return buf[0] ? buf + strlen(", ") : NULL;
}

/* About the body. */
static bool add_body_headers(const struct response_context *x, const struct reply *reply, enum response_form form,
                             struct MHD_Response *response) {
        if (reply->content_type && !add(response, "Content-Type", reply->content_type))
                return false;
        if (reply->content_type && strncmp(reply->content_type, "text/html", 9) == 0 &&
            (!add(response, "Content-Security-Policy", policy_page_security(x->policy)) ||
             !add(response, "Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=()")))
                return false;
        /* Asks proxies of nginx's kind not to collect what is to be seen at once. */
        if (reply->is_stream && !add(response, "X-Accel-Buffering", "no"))
                return false;
        if (reply->disposition && !add(response, "Content-Disposition", reply->disposition))
                return false;
        return form != RESPONSE_GZIP || add(response, "Content-Encoding", "gzip");
}

static bool add_retry_after(const struct reply *reply, struct MHD_Response *response) {
        char text[16];

        if (reply->retry_after_s == 0)
                return reply->status != 503 || add(response, "Retry-After", NUMBER_TEXT(HTTP_RETRY_AFTER_S));
        snprintf(text, sizeof text, "%u", reply->retry_after_s);
        return add(response, "Retry-After", text);
}

static bool add_status_headers(const struct reply *reply, struct MHD_Response *response) {
        if (reply->allow[0] && !add(response, "Allow", reply->allow))
                return false;
        if (!add_retry_after(reply, response))
                return false;
        return reply->status != 401 || add(response, "WWW-Authenticate", "Bearer");
}

static bool add_headers(const struct response_context *x, const struct reply *reply, enum response_form form,
                        struct MHD_Response *response) {
        char tag[ETAG_MAX], list[VARY_MAX];
        const char *varies = vary(x, reply, list);

        if (reply->has_tag) {
                etag_format(reply->tag, tag);
                if (!add(response, "ETag", tag))
                        return false;
        }
        if (reply->cache_control && !add(response, "Cache-Control", reply->cache_control))
                return false;
        if (varies && !add(response, "Vary", varies))
                return false;
        if (x->must_close && !add(response, "Connection", "close"))
                return false;
        if (!add_body_headers(x, reply, form, response))
                return false;
        return add_status_headers(reply, response) && add(response, "X-Content-Type-Options", "nosniff") &&
               add(response, "Referrer-Policy", "no-referrer") &&
               add(response, "Cross-Origin-Resource-Policy", "same-origin") && add_cors(x, reply, response);
}

static struct MHD_Response *complete(const struct response_context *x, const struct reply *reply,
                                     enum response_form form, struct MHD_Response *response) {
        if (!response || add_headers(x, reply, form, response))
                return response;
        MHD_destroy_response(response);
        return NULL;
}

struct MHD_Response *response_make(const struct response_context *x, struct reply *reply, enum response_form form) {
        return complete(x, reply, form, body_of(x, reply, form));
}

struct MHD_Response *response_make_unchanged(const struct response_context *x, struct reply *reply,
                                             enum response_form form) {
        return complete(x, reply, form, long_answer_unchanged(x->long_answers, reply, form == RESPONSE_GZIP));
}
