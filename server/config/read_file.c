#include "config/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/yaml.h"

static int fail(const char *path, int r, struct config_error *error) {
        snprintf(error->text, sizeof error->text, "%.240s: %s", path, strerror(-r));
        yaml_one_line(error->text);
        return r;
}

static int read_fd(int fd, struct buffer *out) {
        char chunk[4096];
        ssize_t n;

        while (out->len < out->max) {
                size_t room = out->max - out->len;

                n = read(fd, chunk, room < sizeof chunk ? room : sizeof chunk);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                buffer_put(out, chunk, (size_t) n);
                if (out->failed)
                        return -ENOMEM;
        }
        return 0;
}

int read_file(const char *path, bool regular_only, struct buffer *out, struct config_error *error) {
        struct stat st;
        int fd, r;

        if (strcmp(path, "-") == 0 && !regular_only) {
                r = read_fd(STDIN_FILENO, out);
                return r < 0 ? fail(path, r, error) : 0;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular_only ? O_NONBLOCK : 0));
        if (fd < 0)
                return fail(path, -errno, error);
        r = fstat(fd, &st) < 0 ? -errno : 0;
        if (r == 0 && regular_only && !S_ISREG(st.st_mode))
                r = S_ISDIR(st.st_mode) ? -EISDIR : -EBADF;
        if (r == 0)
                r = read_fd(fd, out);
        close(fd);
        return r < 0 ? fail(path, r, error) : 0;
}
