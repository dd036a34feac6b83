#include "http/gzip.h"

#include <stdlib.h>
#include <zlib.h>

#include "http/limits.h"

#define GZIP_FORMAT 16   /* added to the window's bits: gzip's header and end instead of zlib's */
#define OUT_PIECE   4096

struct gzip {
        z_stream z;
};

struct gzip *gzip_new(void) {
        struct gzip *g = calloc(1, sizeof *g);

        if (!g)
                return NULL;
        if (deflateInit2(&g->z, HTTP_GZIP_LEVEL, Z_DEFLATED, GZIP_FORMAT + HTTP_GZIP_WINDOW_BITS,
                         HTTP_GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
                return g;
        free(g);
        return NULL;
}

struct gzip *gzip_free(struct gzip *g) {
        if (!g)
                return NULL;
        deflateEnd(&g->z);
        free(g);
        return NULL;
}

void gzip_begin(struct gzip *g) {
        deflateReset(&g->z);
}

bool gzip_put(struct gzip *g, const void *data, size_t len, bool is_last, struct buffer *out) {
        unsigned char piece[OUT_PIECE];

        g->z.next_in = (unsigned char *) (uintptr_t) data;
        g->z.avail_in = (uInt) len;
        do {
                g->z.next_out = piece;
                g->z.avail_out = sizeof piece;
                if (deflate(&g->z, is_last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
                        return false;
                buffer_put(out, piece, sizeof piece - g->z.avail_out);
        } while (g->z.avail_out == 0 && !out->failed);
        return !out->failed;
}
