#include "tools/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"

enum { READ_MAX = 512 };

void terminal_init(struct terminal *t, sd_event *event, const char *link_path,
                   void (*received)(void *userdata, const uint8_t *data, size_t len), void *userdata) {
        *t = (struct terminal) { .event = event, .link_path = link_path, .received = received,
                                 .userdata = userdata, .master = -1, .slave = -1 };
}

static int make_raw(int fd) {
        struct termios t;

        if (tcgetattr(fd, &t) < 0)
                return -errno;
        cfmakeraw(&t);
        return tcsetattr(fd, TCSANOW, &t) < 0 ? -errno : 0;
}

/* Replaces what an earlier run left behind, but nothing that is no link. */
static int place_link(struct terminal *t) {
        char old[8];

        if (!t->link_path)
                return 0;
        if (readlink(t->link_path, old, sizeof old) >= 0 && unlink(t->link_path) < 0)
                return -errno;
        if (symlink(t->path, t->link_path) < 0)
                return -errno;
        t->linked = true;
        return 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct terminal *t = userdata;
        uint8_t buf[READ_MAX];
        ssize_t n = read(fd, buf, sizeof buf);

        (void) source;
        (void) revents;
        if (n > 0)
                t->received(t->userdata, buf, (size_t) n);
        return 0;
}

/* The slave is held open too: without it the master reads as hung up until a peer comes, and again after it left. */
int terminal_open(struct terminal *t) {
        int r;

        t->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (t->master < 0)
                return -errno;
        if (grantpt(t->master) < 0 || unlockpt(t->master) < 0)
                return -errno;
        r = ptsname_r(t->master, t->path, sizeof t->path);
        if (r != 0) {
                t->path[0] = '\0';
                return -r;
        }
        t->slave = open(t->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (t->slave < 0)
                return -errno;
        r = make_raw(t->slave);
        if (r < 0)
                return r;
        r = place_link(t);
        if (r < 0)
                return r;
        return sd_event_add_io(t->event, &t->io, t->master, EPOLLIN, on_readable, t);
}

void terminal_close(struct terminal *t) {
        t->io = sd_event_source_disable_unref(t->io);
        if (t->linked)
                unlink(t->link_path);
        t->linked = false;
        if (t->slave >= 0)
                close(t->slave);
        if (t->master >= 0)
                close(t->master);
        t->master = t->slave = -1;
        t->path[0] = '\0';
}

bool terminal_reopen(struct terminal *t) {
        int r = terminal_open(t);

        if (r >= 0)
                return true;
        log_error("simulator: cannot open a new terminal: %s", strerror(-r));
        terminal_close(t);
        return false;
}

bool terminal_write(struct terminal *t, const uint8_t *data, size_t len) {
        return len > 0 && t->master >= 0 && write(t->master, data, len) >= 0;
}

void terminal_readmit(struct terminal *t) {
        if (t->slave >= 0)
                ioctl(t->slave, TIOCNXCL);
}
