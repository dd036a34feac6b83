/* The headers of a request that matter to the server itself, gathered in one walk: libmicrohttpd looks through all of
 * them for each name that is asked for. */
#pragma once

#include <microhttpd.h>

#include "http/negotiate.h"

/* Values are libmicrohttpd's, valid as long as the request; NULL: there is none. Of several, the first. */
struct request_headers {
        const char *host, *authorization, *origin, *fetch_site, *content_length, *content_type,
                *content_encoding, *if_none_match, *last_event_id, *accept;
        unsigned n_host, n_content_length, n_transfer_encoding, n_if_none_match;
        bool malformed;         /* a name that is none, or a value with control characters */
        struct codings codings;
};

void request_headers_read(struct request_headers *h, struct MHD_Connection *mhd);

/* True when the client has the version with this tag already. */
bool request_headers_have(const struct request_headers *h, uint64_t tag, struct MHD_Connection *mhd);
