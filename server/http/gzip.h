/* gzip for answers, with memory that is bounded whatever is compressed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct gzip;

/* NULL without memory. */
struct gzip *gzip_new(void);
struct gzip *gzip_free(struct gzip *g);

/* Begins anew. Also to be called after a failure. */
void gzip_begin(struct gzip *g);

/* Compresses data and adds what is ready to out; with is_last all the rest. False when out is full or without memory;
 * it then holds a part. */
bool gzip_put(struct gzip *g, const void *data, size_t len, bool is_last, struct buffer *out);
