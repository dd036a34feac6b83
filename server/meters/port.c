#include "meters/port.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Peers that vanish without a word are noticed after 30 + 3 * 10 s. */
enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_INTERVAL_S = 10, KEEPALIVE_PROBES = 3 };

static int serial_error(enum sp_return r) {
        switch (r) {
        case SP_OK:
                return 0;
        case SP_ERR_ARG:
                return -EINVAL;
        case SP_ERR_MEM:
                return -ENOMEM;
        case SP_ERR_SUPP:
                return -EOPNOTSUPP;
        default:
                return errno > 0 ? -errno : -EIO;
        }
}

static void free_configp(struct sp_port_config **c) {
        sp_free_config(*c);
}

static int configure_serial(struct sp_port *serial, uint32_t baud) {
        CLEANUP(free_configp) struct sp_port_config *want = NULL;
        CLEANUP(free_configp) struct sp_port_config *have = NULL;
        int baud_now = 0, r;

        if (sp_new_config(&want) != SP_OK || sp_new_config(&have) != SP_OK)
                return -ENOMEM;
        sp_set_config_baudrate(want, (int) baud);
        sp_set_config_bits(want, 8);
        sp_set_config_parity(want, SP_PARITY_NONE);
        sp_set_config_stopbits(want, 1);
        sp_set_config_flowcontrol(want, SP_FLOWCONTROL_NONE);
        r = serial_error(sp_set_config(serial, want));
        if (r < 0)
                return r;
        /* Some drivers accept a speed that they cannot make. */
        r = serial_error(sp_get_config(serial, have));
        if (r < 0)
                return r;
        sp_get_config_baudrate(have, &baud_now);
        return baud_now == (int) baud ? 0 : -EOPNOTSUPP;
}

static void describe_usb(struct sp_port *serial, char *buf, size_t size) {
        const char *maker = sp_get_port_usb_manufacturer(serial), *product = sp_get_port_usb_product(serial);
        int vendor_id, product_id;

        buf[0] = '\0';
        if (sp_get_port_usb_vid_pid(serial, &vendor_id, &product_id) != SP_OK)
                return;
        snprintf(buf, size, "%.32s %.32s %04x:%04x", maker ? maker : "?", product ? product : "?",
                 (unsigned) vendor_id, (unsigned) product_id);
}

/* One user only, not inherited, and no modem line drops when we close: that resets some boards. */
static int claim(int fd) {
        struct termios t;

        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        if (ioctl(fd, TIOCEXCL) < 0)
                return -errno;
        if (tcgetattr(fd, &t) < 0)
                return -errno;
        if (t.c_cflag & HUPCL) {
                t.c_cflag &= ~(tcflag_t) HUPCL;
                (void) tcsetattr(fd, TCSANOW, &t);
        }
        return 0;
}

static int open_serial(struct sp_port *serial, uint32_t baud, bool read_only, struct port *ret) {
        int fd, r;

        r = serial_error(sp_open(serial, read_only ? SP_MODE_READ : SP_MODE_READ_WRITE));
        if (r < 0)
                return r;
        r = serial_error(sp_get_port_handle(serial, &fd));
        if (r == 0)
                r = claim(fd);
        if (r == 0)
                r = configure_serial(serial, baud);
        if (r < 0) {
                sp_close(serial);
                return r;
        }
        *ret = (struct port) { .fd = fd, .kind = PORT_SERIAL, .serial = serial, .baud = baud };
        describe_usb(serial, ret->usb, sizeof ret->usb);
        return 0;
}

static speed_t speed_constant(uint32_t baud) {
        static const struct { uint32_t baud; speed_t speed; } speeds[] = {
                { 300, B300 },     { 600, B600 },     { 1200, B1200 },     { 2400, B2400 },     { 4800, B4800 },
                { 9600, B9600 },   { 19200, B19200 }, { 38400, B38400 },   { 57600, B57600 },   { 115200, B115200 },
                { 230400, B230400 }, { 460800, B460800 }, { 500000, B500000 }, { 921600, B921600 },
        };

        for (size_t i = 0; i < ELEMENTS(speeds); i++)
                if (speeds[i].baud == baud)
                        return speeds[i].speed;
        return B0;
}

static int configure_pty(int fd, uint32_t baud) {
        speed_t speed = speed_constant(baud);
        struct termios t;

        if (speed == B0)
                return -EOPNOTSUPP;
        if (tcgetattr(fd, &t) < 0)
                return -errno;
        cfmakeraw(&t);
        t.c_cflag |= CLOCAL | CREAD;
        t.c_cflag &= ~(tcflag_t) (HUPCL | CSTOPB | CRTSCTS);
        t.c_iflag &= ~(tcflag_t) (IXOFF | IXANY);
        cfsetspeed(&t, speed);
        /* On a pty libc reports EINVAL when none of the changes took effect, as on the second opening. */
        if (tcsetattr(fd, TCSANOW, &t) < 0 && errno != EINVAL)
                return -errno;
        return 0;
}

static int open_pty(const char *path, uint32_t baud, bool read_only, struct port *ret) {
        int fd, r;

        fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = isatty(fd) ? claim(fd) : -ENOTTY;
        if (r == 0)
                r = configure_pty(fd, baud);
        if (r < 0) {
                close(fd);
                return r;
        }
        *ret = (struct port) { .fd = fd, .kind = PORT_PTY, .baud = baud };
        return 0;
}

int port_open_tty(const char *path, uint32_t baud, bool read_only, struct port *ret) {
        char resolved[PATH_MAX];
        struct sp_port *serial;
        int r;

        /* libserialport 0.1.1 refuses symbolic links, and /dev/serial/by-id/ is made of them. */
        if (!realpath(path, resolved))
                return -errno;
        if (sp_get_port_by_name(resolved, &serial) != SP_OK)
                return open_pty(resolved, baud, read_only, ret);
        r = open_serial(serial, baud, read_only, ret);
        if (r < 0)
                sp_free_port(serial);
        return r;
}

int port_set_baud(struct port *p, uint32_t baud) {
        int r;

        if (p->kind == PORT_TCP || p->baud == baud)
                return 0;
        r = p->kind == PORT_SERIAL ? configure_serial(p->serial, baud) : configure_pty(p->fd, baud);
        if (r < 0)
                return r;
        tcflush(p->fd, TCIFLUSH);
        p->baud = baud;
        return 0;
}

static void set_keepalive(int fd) {
        const int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES;

        (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int port_open_tcp(const void *address, unsigned address_len, struct port *ret) {
        const struct sockaddr *sa = address;
        int fd;

        fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        set_keepalive(fd);
        if (connect(fd, sa, address_len) < 0 && errno != EINPROGRESS) {
                int r = -errno;

                close(fd);
                return r;
        }
        *ret = (struct port) { .fd = fd, .kind = PORT_TCP };
        return 0;
}

int port_tcp_result(const struct port *p) {
        int error = 0;
        socklen_t len = sizeof error;

        if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                return -errno;
        return -error;
}

void port_close(struct port *p) {
        if (p->fd < 0)
                return;
        /* The mark outlives us where somebody else still holds the tty open. */
        if (p->kind != PORT_TCP)
                (void) ioctl(p->fd, TIOCNXCL);
        if (p->serial) {
                sp_close(p->serial);
                sp_free_port(p->serial);
        } else
                close(p->fd);
        *p = (struct port) { .fd = -1 };
}
