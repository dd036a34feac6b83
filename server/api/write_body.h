/* The body of set-datapoint: {"dp": 1, "raw": true}, with "text" or "hex" in place of "raw" where the datapoint holds
 * a text or bytes. */
#pragma once

#include <stddef.h>

#include "protocols/protocol.h"

struct write_body_error {
        const char *key;    /* static text; NULL: it is about none of them */
        char text[256];
};

/* 0, or -EINVAL with what is wrong. Knows nothing of the meter: whether it takes that value is for its profile. */
int write_body_read(const char *body, size_t len, struct datapoint_write *ret, struct write_body_error *error);
