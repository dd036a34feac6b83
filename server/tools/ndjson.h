/* Lines for programs on stdout. */
#pragma once

#include "base/buffer.h"

/* Writes what the buffer holds and a line end, all of it, and clears it. -EPIPE when nobody reads any more,
 * -ENOBUFS when the buffer had failed. SIGPIPE must be ignored. */
int ndjson_write(struct buffer *line);
