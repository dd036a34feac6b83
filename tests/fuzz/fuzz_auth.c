/* A tokens file and, after a byte of 0, an Authorization header that is tried on it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(auth_tokens_freep) struct auth_tokens *t = NULL;
        const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
        size_t len = end ? (size_t) (end - data) : size, header_len = end ? size - len - 1 : 0;
        char *file = malloc(len + 1), *header = malloc(header_len + 1), error[128] = "";
        int r;

        if (!file || !header)
                abort();
        if (len > 0)
                memcpy(file, data, len);
        if (header_len > 0)
                memcpy(header, end + 1, header_len);
        header[header_len] = 0;
        r = auth_tokens_parse("tokens", file, len, &t, error, sizeof error);
        /* Either tokens or a reason. */
        if ((r < 0) != (t == NULL) || (r < 0) != (error[0] != 0))
                abort();
        if (t && auth_role(t, header) != auth_role(t, header))
                abort();
        if (auth_role(NULL, header) != HTTP_ROLE_NONE)
                abort();
        free(file);
        free(header);
        return 0;
}
