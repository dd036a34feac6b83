/* One request on a connection: from libmicrohttpd's headers to a struct request, and from a struct reply to its
 * response. */
#pragma once

#include <microhttpd.h>

#include "http/access.h"
#include "http/cache.h"
#include "http/connection.h"
#include "http/gzip.h"
#include "http/long_answer.h"
#include "http/policy.h"
#include "http/route.h"
#include "http/stream.h"

struct answer {
        struct MHD_Connection *mhd;
        struct connection *connection;
        const struct http_options *options;
        const struct policy *policy;
        struct long_answers *long_answers;
        struct streams *streams;
        unsigned n_streams_max;
        struct cache *cache;
        struct gzip *gzip;
        struct access_rules access_rules;
        const char *method;
        const char *version;
        /* Results. */
        int route;              /* index, -1 for none */
        bool must_close;        /* where the next request begins cannot be known */
        unsigned status;        /* 0 until an answer is on its way */
        bool takes_body;        /* answer_check: what comes next is to be collected in connection->body */
        bool is_stream;         /* which has no end */
};

/* Before the body: refuses what cannot be framed, and bodies where none is taken or nobody may send one, so that
 * nothing of them is read. With status 0 there is nothing to object to. MHD_NO: the connection is to be closed. */
enum MHD_Result answer_check(struct answer *a);

/* After the body: the answer proper. */
enum MHD_Result answer_request(struct answer *a);
