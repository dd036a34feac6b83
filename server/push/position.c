#include "push/position.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/little_endian.h"

#define VERSION 1
#define AT_VERSION 8
#define AT_NUMBER 16
#define AT_CRC (POSITION_BYTES - 4)

static const char magic[8] = { 'R', 'E', 'M', 'O', 'T', 'E', '-', 'W' };

void position_write(uint64_t number, uint8_t bytes[POSITION_BYTES]) {
        memset(bytes, 0, POSITION_BYTES);
        memcpy(bytes, magic, sizeof magic);
        put_le32(bytes + AT_VERSION, VERSION);
        put_le64(bytes + AT_NUMBER, number);
        put_le32(bytes + AT_CRC, crc32c(bytes, AT_CRC));
}

bool position_read(const uint8_t *bytes, size_t len, uint64_t *ret_number) {
        if (len != POSITION_BYTES || memcmp(bytes, magic, sizeof magic) != 0 ||
            get_le32(bytes + AT_VERSION) != VERSION || get_le32(bytes + AT_CRC) != crc32c(bytes, AT_CRC))
                return false;
        *ret_number = get_le64(bytes + AT_NUMBER);
        return true;
}

static int path_of(const char *directory, const char *receiver, const char *suffix, char path[PATH_MAX]) {
        int n = snprintf(path, PATH_MAX, "%s/" POSITION_NAME "%s", directory, receiver, suffix);

        return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int position_load(const char *directory, const char *receiver, uint64_t *ret_number) {
        uint8_t bytes[POSITION_BYTES + 1];
        char path[PATH_MAX];
        ssize_t len;
        int fd, r;

        r = path_of(directory, receiver, "", path);
        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        len = read(fd, bytes, sizeof bytes);
        r = len < 0 ? -errno : 0;
        close(fd);
        if (r == 0 && !position_read(bytes, (size_t) len, ret_number))
                r = -EBADMSG;
        return r;
}

static int write_file(const char *path, const uint8_t bytes[POSITION_BYTES]) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        ssize_t n;
        int r;

        if (fd < 0)
                return -errno;
        n = write(fd, bytes, POSITION_BYTES);
        r = n < 0 ? -errno : n < POSITION_BYTES ? -ENOSPC : fdatasync(fd) < 0 ? -errno : 0;
        close(fd);
        return r;
}

int position_save(const char *directory, const char *receiver, uint64_t number) {
        char path[PATH_MAX], fresh[PATH_MAX];
        uint8_t bytes[POSITION_BYTES];
        int r;

        r = path_of(directory, receiver, "", path);
        if (r >= 0)
                r = path_of(directory, receiver, ".new", fresh);
        if (r < 0)
                return r;
        position_write(number, bytes);
        r = write_file(fresh, bytes);
        if (r >= 0 && rename(fresh, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(fresh);
        return r;
}
