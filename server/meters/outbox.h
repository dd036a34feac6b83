/* Bytes on their way into a port, and the only code that writes any into one. A link that only listens has none. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define OUTBOX_SIZE 512  /* what a congested line has not taken yet: more than the largest frame sent */

struct outbox {
        uint64_t written_bytes, errors;
        size_t len;
        uint8_t bytes[OUTBOX_SIZE];
};

/* Takes all of it or nothing, and writes what the descriptor takes now. -EAGAIN: the line is congested; another
 * negative errno: nothing of what waits will ever be written. */
int outbox_put(struct outbox *o, int fd, const uint8_t *data, size_t len);

/* Goes on writing; what is left waits in len. */
int outbox_flush(struct outbox *o, int fd);
