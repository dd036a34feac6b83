/* Files of the dashboard, embedded in the binary. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/embedded.h"

struct asset {
        const char *name;          /* "app.js" */
        const char *content_type;
        const unsigned char *data;
        size_t len;
        const unsigned char *gzip; /* NULL where compressing it does not pay */
        size_t gzip_len;
        uint64_t tag;              /* of its bytes */
};

extern const struct embedded_file embedded_assets[];  /* web/src, by build-aux/embed.sh */

/* "/app.js" finds app.js and "/" index.html; exact match, NULL when there is none. The result lives as long as the
 * process. */
const struct asset *asset_find(const char *path);
