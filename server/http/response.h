/* From a struct reply to libmicrohttpd's response with all its headers. */
#pragma once

#include <microhttpd.h>

#include "http/gzip.h"
#include "http/headers.h"
#include "http/long_answer.h"
#include "http/policy.h"
#include "http/route.h"
#include "http/stream.h"

/* What shapes an answer beside the reply itself. */
struct response_context {
        struct MHD_Connection *mhd;
        const struct policy *policy;
        const struct request_headers *headers;
        struct long_answers *long_answers;
        struct streams *streams;
        struct connection *connection;   /* of a stream, which lives as long */
        struct gzip *gzip;         /* for bodies that are compressed at once */
        const char *method;
        bool must_close;           /* the connection ends with this answer */
};

/* A response of either form may also be queued with 304: it then says how long the body would have been, as it must
 * if it says anything, and libmicrohttpd always does. */
enum response_form {
        RESPONSE_PLAIN,
        RESPONSE_GZIP,             /* of a reply that response_can_gzip */
};

/* After the handler: makes a body that failed a 500, and finds the tag of a reply that has none of its own. */
void response_complete(const struct response_context *x, struct reply *reply);

/* Worth it, and possible; whether the client wants it is another matter. */
bool response_can_gzip(const struct reply *reply);

/* NULL without memory. Takes over what the form needs: a producer, and of RESPONSE_PLAIN the body, which then lives
 * as long as the response. */
struct MHD_Response *response_make(const struct response_context *x, struct reply *reply, enum response_form form);

/* For a 304 in place of a reply that has a producer, which is not started. */
struct MHD_Response *response_make_unchanged(const struct response_context *x, struct reply *reply,
                                             enum response_form form);

/* What does not depend on the reply: whether the answer to this request may have one of several forms, or none. */
bool response_is_read(const char *method);
