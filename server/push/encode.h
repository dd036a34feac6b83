/* A batch as the body of a remote write request: protocol buffers, compressed as one snappy block. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "push/feed.h"

/* The body, to be freed by the caller. -ENOMEM. Samples of a series stand in the order of the batch, labels in
 * that of their names. */
int encode_batch(const struct batch *b, const struct remote_write_config *config, uint8_t **ret, size_t *ret_len);

/* value / 10^places, rounded once: the double that reading the decimal text gives. */
double encode_double(int64_t value, unsigned places);
