/* What a client says of representations: which codings it takes, and which versions it has already. Parsers of outside
 * text: anything may come. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Weights in thousandths, -1 where nothing was said. */
struct codings {
        int gzip, identity, other;
};

/* Nothing said. */
static inline struct codings codings_init(void) {
        return (struct codings) { -1, -1, -1 };
}

/* Takes in the value of an Accept-Encoding header; there may be several. What is no coding with a weight is left
 * out. */
void codings_add(struct codings *c, const char *text);

/* True when gzip is welcome and not less than the plain bytes are. */
bool codings_prefer_gzip(const struct codings *c);

#define ETAG_MAX 24  /* W/"0123456789abcdef" with its end */

void etag_format(uint64_t tag, char buf[ETAG_MAX]);

/* True when a list of an If-None-Match header names the tag, weakly compared, or is "*". */
bool etag_is_listed(const char *list, uint64_t tag);
