/* What a client says of representations: which codings it takes, and which versions it has already. Parsers of
 * outside text: anything may come. */
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

/* How welcome a media type is to a client with this Accept header, in thousandths (RFC 9110, 12.5.1: the range that
 * names it most exactly decides). version is what its parameter of that name would be; ranges of other versions do
 * not mean it. -1: nothing was said of it; with named also where only a wildcard was. */
int media_weight(const char *accept, const char *type, const char *version, bool named);

#define ETAG_MAX 24  /* W/"0123456789abcdef" with its end */

void etag_format(uint64_t tag, char buf[ETAG_MAX]);

/* True when a list of an If-None-Match header names the tag, weakly compared, or is "*". */
bool etag_is_listed(const char *list, uint64_t tag);
