#include "http/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define PATH_SIZE 1024  /* as long as one in the configuration may be */

static bool is_credential(const char *name) {
        return strncmp(name, SECRET_FILE_CREDENTIAL, strlen(SECRET_FILE_CREDENTIAL)) == 0;
}

bool secret_file_is_out_of_reach(const char *name) {
        return is_credential(name) && !getenv("CREDENTIALS_DIRECTORY");
}

static int find_path(const char *name, char path[PATH_SIZE], char *error, size_t error_size) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        int n;

        if (!is_credential(name)) {
                n = snprintf(path, PATH_SIZE, "%s", name);
        } else if (directory) {
                n = snprintf(path, PATH_SIZE, "%s/%s", directory, name + strlen(SECRET_FILE_CREDENTIAL));
        } else {
                snprintf(error, error_size,
                         "%s: systemd has handed over no credentials; add LoadCredential=%s:FILE to the service "
                         "(systemctl edit metergate)",
                         name, name + strlen(SECRET_FILE_CREDENTIAL));
                return -ENOENT;
        }
        if (n < PATH_SIZE)
                return 0;
        snprintf(error, error_size, "%.100s...: %s", name, strerror(ENAMETOOLONG));
        return -ENAMETOOLONG;
}

/* The length, -EFBIG when the file does not fit. */
static ssize_t read_all(int fd, char *buf, size_t cap) {
        size_t len = 0;
        ssize_t n;

        do {
                n = read(fd, buf + len, cap - len);
                if (n > 0)
                        len += (size_t) n;
        } while ((n > 0 && len < cap) || (n < 0 && errno == EINTR));
        if (n < 0)
                return -errno;
        return len == cap ? -EFBIG : (ssize_t) len;
}

static void warn_of_readers(const char *name, int fd) {
        struct stat st;

        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
                log_warning("%s can be read by every user of this machine; chmod o= takes that away", name);
}

ssize_t secret_file_read(const char *name, size_t max, bool is_secret, char **ret, char *error, size_t error_size) {
        char path[PATH_SIZE], *text;
        ssize_t len;
        int fd, r;

        r = find_path(name, path, error, error_size);
        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        r = fd < 0 ? -errno : 0;
        text = malloc(max + 1);
        len = r < 0 ? r : !text ? -ENOMEM : read_all(fd, text, max + 1);
        if (len >= 0 && is_secret)
                warn_of_readers(name, fd);
        if (fd >= 0)
                close(fd);
        if (len < 0) {
                secret_file_free(text, max + 1);
                snprintf(error, error_size, "%s: %s", name, strerror((int) -len));
                return len;
        }
        text[len] = 0;
        *ret = text;
        return len;
}

void secret_file_free(char *text, size_t len) {
        if (text)
                explicit_bzero(text, len);
        free(text);
}
