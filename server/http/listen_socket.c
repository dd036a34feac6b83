#include "http/listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/limits.h"
#include "http/peer.h"

#define UNIX_MODE 0660  /* the owner and its group, as for a serial port */

static const char *unix_path(const struct sockaddr_storage *address) {
        const char *path = ((const struct sockaddr_un *) address)->sun_path;

        return address->ss_family == AF_UNIX && path[0] ? path : NULL;
}

static unsigned port_of(const struct sockaddr_storage *address) {
        if (address->ss_family == AF_INET)
                return ntohs(((const struct sockaddr_in *) address)->sin_port);
        if (address->ss_family == AF_INET6)
                return ntohs(((const struct sockaddr_in6 *) address)->sin6_port);
        return 0;
}

bool listen_address_equal(const struct sockaddr_storage *a, socklen_t a_len, const struct sockaddr_storage *b,
                          socklen_t b_len) {
        if (a->ss_family != b->ss_family || port_of(a) != port_of(b))
                return false;
        if (a->ss_family == AF_INET)
                return ((const struct sockaddr_in *) a)->sin_addr.s_addr ==
                       ((const struct sockaddr_in *) b)->sin_addr.s_addr;
        if (a->ss_family == AF_INET6)
                return memcmp(&((const struct sockaddr_in6 *) a)->sin6_addr,
                              &((const struct sockaddr_in6 *) b)->sin6_addr, sizeof(struct in6_addr)) == 0 &&
                       ((const struct sockaddr_in6 *) a)->sin6_scope_id ==
                               ((const struct sockaddr_in6 *) b)->sin6_scope_id;
        if (unix_path(a) && unix_path(b))
                return strncmp(unix_path(a), unix_path(b), sizeof(((struct sockaddr_un *) NULL)->sun_path)) == 0;
        return a_len == b_len && memcmp(a, b, a_len) == 0;
}

bool listen_address_dispensable(const struct http_listen *listen, int r) {
        if (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL)
                return false;
        return listen->address.ss_family == AF_INET6 &&
               IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) &listen->address)->sin6_addr);
}

static const char *advice(const struct http_listen *listen, int r) {
        bool local = listen->address.ss_family == AF_UNIX;

        switch (-r) {
        case EADDRINUSE:
                return local ? "another program (or another metergate) listens there; choose another path"
                             : "another program (or another metergate) listens there; choose another port";
        case EACCES:
                return local ? "no permission to make a socket there; choose a folder that this user may write to"
                             : "ports below 1024 need a privilege; choose a higher one or let systemd open it";
        case EADDRNOTAVAIL:
                return "this host has no such address; choose one of its own";
        case EAFNOSUPPORT:
                return "this host does not have this kind of address";
        case EEXIST:
                return "something else than a socket is there; remove it or choose another path";
        case ENOENT:
                return "its folder is missing; create it or choose another path";
        case E2BIG:
                return "too many addresses";
        default:
                return NULL;
        }
}

void listen_explain(const struct http_listen *listen, int r, char *error) {
        const char *what_next = advice(listen, r);

        snprintf(error, HTTP_ERROR_MAX, "%s: %s%s%s", listen->text, strerror(-r), what_next ? "; " : "",
                 what_next ? what_next : "");
}

/* 0 when a left-over of an earlier run was removed; the negative errno says why not. */
static int remove_stale(const struct sockaddr *address, socklen_t len, const char *path) {
        struct stat st;
        int fd, r;

        if (lstat(path, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        r = connect(fd, address, len) < 0 ? errno : 0;
        close(fd);
        if (r != ECONNREFUSED)
                return -EADDRINUSE;
        return unlink(path) < 0 ? -errno : 0;
}

static int bind_unix(const struct http_listen *listen, struct listen_socket *s) {
        const struct sockaddr *address = (const struct sockaddr *) &listen->address;
        const char *path = unix_path(&listen->address);
        struct stat st;
        int r;

        if (bind(s->fd, address, listen->address_len) < 0) {
                if (errno != EADDRINUSE || !path)
                        return -errno;
                r = remove_stale(address, listen->address_len, path);
                if (r < 0)
                        return r;
                if (bind(s->fd, address, listen->address_len) < 0)
                        return -errno;
        }
        if (!path)
                return 0;
        /* Nobody can connect before listen(), so there is no moment with the wrong mode. */
        if (lstat(path, &st) < 0)
                return -errno;
        s->unlink = true;
        s->dev = st.st_dev;
        s->ino = st.st_ino;
        s->address = listen->address;
        return chmod(path, UNIX_MODE) < 0 ? -errno : 0;
}

static int bind_ip(const struct http_listen *listen, bool share_port, struct listen_socket *s) {
        const int on = 1;

        /* Without it a restart within a minute of a connection's end could not have the port back. */
        if (setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
                return -errno;
        if (share_port && setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
                return -errno;
        if (listen->address.ss_family == AF_INET6 &&
            setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
                return -errno;
        if (bind(s->fd, (const struct sockaddr *) &listen->address, listen->address_len) < 0)
                return -errno;
        return 0;
}

static int finish_open(const struct http_listen *to, bool share_port, struct listen_socket *s) {
        const int off = 0;
        int r;

        if (to->address.ss_family == AF_UNIX)
                r = bind_unix(to, s);
        else
                r = bind_ip(to, share_port, s);
        if (r < 0)
                return r;
        if (listen(s->fd, HTTP_BACKLOG) < 0)
                return -errno;
        if (share_port && setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &off, sizeof off) < 0)
                return -errno;
        if (getsockname(s->fd, (struct sockaddr *) &s->address, &s->address_len) < 0)
                return -errno;
        return 0;
}

int listen_socket_open(const struct http_listen *listen, bool share_port, struct listen_socket *ret) {
        struct listen_socket s = { .address_len = sizeof s.address };
        int r;

        s.fd = socket(listen->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s.fd < 0)
                return -errno;
        r = finish_open(listen, share_port, &s);
        if (r < 0) {
                listen_socket_close(&s);
                return r;
        }
        *ret = s;
        return 0;
}

static int int_option(int fd, int name, int *ret) {
        socklen_t len = sizeof *ret;

        return getsockopt(fd, SOL_SOCKET, name, ret, &len) < 0 ? -errno : 0;
}

int listen_socket_adopt(int fd, struct listen_socket *ret) {
        struct listen_socket s = { .fd = fd, .address_len = sizeof s.address };
        int type = 0, accepts = 0, flags;

        if (int_option(fd, SO_TYPE, &type) < 0 || int_option(fd, SO_ACCEPTCONN, &accepts) < 0 ||
            type != SOCK_STREAM || !accepts)
                return -EINVAL;
        if (getsockname(fd, (struct sockaddr *) &s.address, &s.address_len) < 0)
                return -errno;
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        *ret = s;
        return 0;
}

void listen_socket_close(struct listen_socket *s) {
        const char *path = unix_path(&s->address);
        struct stat st;

        /* A successor may have replaced the path by its own socket. */
        if (s->unlink && path && lstat(path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
                unlink(path);
        s->unlink = false;
        if (s->fd >= 0)
                close(s->fd);
        s->fd = -1;
}

void listen_socket_share_port(struct listen_socket *s) {
        const int on = 1;

        /* Where it fails, the bind fails too and is reported. */
        (void) setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

bool listen_socket_same_port(const struct listen_socket *s, const struct http_listen *listen) {
        return s->address.ss_family == listen->address.ss_family && port_of(&s->address) != 0 &&
               port_of(&s->address) == port_of(&listen->address);
}

bool listen_socket_is_local(const struct listen_socket *s) {
        return s->address.ss_family == AF_UNIX || peer_key((const struct sockaddr *) &s->address).loopback;
}

void listen_socket_text(const struct listen_socket *s, char *text, size_t size) {
        char address[INET6_ADDRSTRLEN];

        if (s->address.ss_family == AF_INET)
                snprintf(text, size, "%s:%u",
                         inet_ntop(AF_INET, &((const struct sockaddr_in *) &s->address)->sin_addr, address,
                                   sizeof address),
                         port_of(&s->address));
        else if (s->address.ss_family == AF_INET6)
                snprintf(text, size, "[%s]:%u",
                         inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) &s->address)->sin6_addr, address,
                                   sizeof address),
                         port_of(&s->address));
        else
                snprintf(text, size, "an address of another kind");
}

void listen_socket_url(const struct listen_socket *s, bool secure, char *url, size_t size) {
        const char *scheme = secure ? "https" : "http";
        char text[INET6_ADDRSTRLEN];

        url[0] = 0;
        if (s->address.ss_family == AF_INET) {
                struct in_addr a = ((const struct sockaddr_in *) &s->address)->sin_addr;

                if (a.s_addr == htonl(INADDR_ANY))
                        a.s_addr = htonl(INADDR_LOOPBACK);
                snprintf(url, size, "%s://%s:%u", scheme, inet_ntop(AF_INET, &a, text, sizeof text),
                         port_of(&s->address));
        } else if (s->address.ss_family == AF_INET6) {
                struct in6_addr a = ((const struct sockaddr_in6 *) &s->address)->sin6_addr;

                if (IN6_IS_ADDR_UNSPECIFIED(&a))
                        a = in6addr_loopback;
                snprintf(url, size, "%s://[%s]:%u", scheme, inet_ntop(AF_INET6, &a, text, sizeof text),
                         port_of(&s->address));
        }
}
