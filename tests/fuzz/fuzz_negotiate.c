/* What a client says of representations: Accept-Encoding, Accept and If-None-Match. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/negotiate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_weight(int weight) {
        if (weight < -1 || weight > 1000)
                abort();
}

static void check_codings(const char *text) {
        struct codings c = codings_init(), again;
        bool prefers;

        codings_add(&c, text);
        check_weight(c.gzip);
        check_weight(c.identity);
        check_weight(c.other);
        /* Saying the same once more changes nothing. */
        prefers = codings_prefer_gzip(&c);
        again = c;
        codings_add(&again, text);
        if (codings_prefer_gzip(&again) != prefers || memcmp(&again, &c, sizeof c) != 0)
                abort();
        if (prefers && !strchr(text, '*') && !strcasestr(text, "gzip"))
                abort();
}

static void check_media(const char *text) {
        int weight = media_weight(text, "text/plain", "0.0.4", false);
        int named = media_weight(text, "text/plain", "0.0.4", true);

        check_weight(weight);
        check_weight(named);
        /* Its own name is the most exact. */
        if (named >= 0 && (named != weight || !strcasestr(text, "text/plain")))
                abort();
        if (weight >= 0 && named < 0 && !strstr(text, "/*"))
                abort();
}

/* Whatever stands around a tag, it is found only if it is there. */
static void check_tags(const char *text) {
        char own[ETAG_MAX];

        etag_format(0x0123456789abcdef, own);
        if (etag_is_listed(text, 0x0123456789abcdef) && !strstr(text, own + 2) && !strchr(text, '*'))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1);

        if (!text)
                abort();
        if (size > 0)
                memcpy(text, data, size);
        text[size] = 0;
        check_codings(text);
        check_media(text);
        check_tags(text);
        free(text);
        return 0;
}
