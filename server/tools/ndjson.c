#include "tools/ndjson.h"

#include <errno.h>
#include <unistd.h>

int ndjson_write(struct buffer *line) {
        size_t done = 0;

        buffer_putc(line, '\n');
        if (line->failed)
                return -ENOBUFS;
        while (done < line->len) {
                ssize_t n = write(STDOUT_FILENO, line->data + done, line->len - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n > 0 ? (size_t) n : 0;
        }
        buffer_clear(line);
        return 0;
}
