#include "meters/outbox.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int outbox_flush(struct outbox *o, int fd) {
        ssize_t n;

        if (o->len == 0)
                return 0;
        n = write(fd, o->bytes, o->len);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        o->written_bytes += (uint64_t) n;
        o->len -= (size_t) n;
        memmove(o->bytes, o->bytes + n, o->len);
        return 0;
}

int outbox_put(struct outbox *o, int fd, const uint8_t *data, size_t len) {
        int r;

        if (len > sizeof o->bytes - o->len) {
                o->errors++;
                return -EAGAIN;
        }
        memcpy(o->bytes + o->len, data, len);
        o->len += len;
        r = outbox_flush(o, fd);
        if (r < 0) {
                o->errors++;
                o->len = 0;
        }
        return r;
}
