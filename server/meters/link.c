#include "meters/link.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "meters/outbox.h"
#include "meters/port.h"
#include "meters/resolver.h"

enum {
        READ_CHUNK = 512,
        RETRY_MIN_MS = 100,
        RETRY_MAX_MS = 5000,
        RESOLVE_POLL_MS = 50,
        CONNECT_TIMEOUT_MS = 10000,
        GATHER_US = 40000,           /* at 9600 baud every byte is a wake-up: let them gather */
        RECORDING_GATHER_US = 5000,  /* five bytes of those: what stands in one line of a recording has one time */
        PRIORITY = -100,             /* meters before HTTP */
};

enum stage { STAGE_CLOSED, STAGE_RESOLVING, STAGE_CONNECTING, STAGE_OPEN };

struct link {
        sd_event *event;             /* borrowed */
        const char *name, *port_text;
        bool is_recording;
        struct link_callbacks callbacks;
        void *userdata;

        enum stage stage;
        struct port port;
        uint32_t baud;
        struct resolver *resolver;
        sd_event_source *io, *timer, *watch;
        uint64_t retry_ms;
        unsigned attempts;           /* a host with several addresses: each attempt takes the next one */
        int last_error;              /* already logged */
        char error[96];
        uint64_t opens, read_bytes;
        struct outbox *outbox;       /* owned; NULL: listens only, there is no way to write anything */
};

static void try_open(struct link *l);

static int arm_timer(struct link *l, uint64_t delay_ms) {
        int r = sd_event_source_set_time_relative(l->timer, delay_ms * 1000);

        return r < 0 ? r : sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

/* ---- closed: wait for the port to come back ---- */

static int on_directory_change(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        struct link *l = userdata;
        const char *base = strrchr(l->port_text, '/') + 1;

        (void) source;
        if (event->len > 0 && strcmp(event->name, base) == 0 && l->stage == STAGE_CLOSED)
                (void) arm_timer(l, 0);
        return 0;
}

/* A hint only, to be quick: where the folder does not exist yet, the timer does the work. */
static void watch_directory(struct link *l) {
        char folder[PATH_MAX];
        const char *slash = strrchr(l->port_text, '/');

        if (l->watch || l->port_text[0] != '/' || slash == l->port_text)
                return;
        snprintf(folder, sizeof folder, "%.*s", (int) (slash - l->port_text), l->port_text);
        (void) sd_event_add_inotify(l->event, &l->watch, folder, IN_CREATE | IN_ATTRIB | IN_MOVED_TO,
                                    on_directory_change, l);
}

static const char *explain(int error) {
        switch (error) {
        case -EBUSY:
                return "in use by another program";
        case -EACCES:
                return "permission denied: the user must be in group dialout";
        case -ENOTTY:
                return "not a serial port";
        case -EOPNOTSUPP:
                return "does not support this speed";
        case -EHOSTUNREACH:
                return "host not found or not reachable";
        default:
                return strerror(-error);
        }
}

static void go_down(struct link *l, int error, const char *reason) {
        bool was_open = l->stage == STAGE_OPEN;

        l->io = sd_event_source_disable_unref(l->io);
        l->resolver = resolver_free(l->resolver);
        port_close(&l->port);
        if (l->outbox)
                l->outbox->len = 0;
        l->stage = STAGE_CLOSED;
        snprintf(l->error, sizeof l->error, "%s", reason);
        if ((was_open || error != l->last_error) && !l->is_recording)
                log_warning("meter %s: %s: %s; it is tried again and again", l->name, l->port_text, reason);
        l->last_error = error;
        watch_directory(l);
        l->retry_ms = was_open || l->retry_ms == 0 ? RETRY_MIN_MS : l->retry_ms * 2;
        if (l->retry_ms > RETRY_MAX_MS)
                l->retry_ms = RETRY_MAX_MS;
        (void) arm_timer(l, l->retry_ms);
        if (was_open)
                l->callbacks.closed(l->userdata, "the port is gone");
}

/* ---- open: read and write ---- */

static int want_events(struct link *l) {
        return sd_event_source_set_io_events(l->io, l->outbox->len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* A read of 0 and EIO both mean that the other side hung up; nothing to read is EAGAIN. */
static void receive(struct link *l, uint32_t revents) {
        uint8_t chunk[READ_CHUNK];
        ssize_t n;

        do {
                n = read(l->port.fd, chunk, sizeof chunk);
                if (n > 0) {
                        l->read_bytes += (uint64_t) n;
                        l->callbacks.received(l->userdata, chunk, (size_t) n);
                }
                /* Before a hang-up everything that is still there is read. */
        } while (n == (ssize_t) sizeof chunk || (n > 0 && (revents & EPOLLHUP)));
        if (n == 0)
                go_down(l, -EPIPE, "the other side hung up");
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
                go_down(l, -errno, strerror(errno));
        else if (n < 0 && (revents & (EPOLLHUP | EPOLLERR)))
                go_down(l, -EPIPE, "the port hung up");
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct link *l = userdata;

        (void) source, (void) fd;
        if (l->outbox && (revents & EPOLLOUT)) {
                int r = outbox_flush(l->outbox, l->port.fd);

                if (r < 0) {
                        go_down(l, r, strerror(-r));
                        return 0;
                }
                (void) want_events(l);
        }
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(l, revents);
        return 0;
}

static void come_up(struct link *l) {
        int r;

        l->io = sd_event_source_disable_unref(l->io);
        r = sd_event_add_io(l->event, &l->io, l->port.fd, EPOLLIN, on_io, l);
        if (r < 0) {
                go_down(l, r, strerror(-r));
                return;
        }
        (void) sd_event_source_set_priority(l->io, PRIORITY);
        (void) sd_event_source_set_ratelimit(l->io, l->is_recording ? RECORDING_GATHER_US : GATHER_US, 1);
        l->watch = sd_event_source_disable_unref(l->watch);
        (void) sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        l->stage = STAGE_OPEN;
        l->attempts = 0;
        l->opens++;
        l->error[0] = '\0';
        l->last_error = 0;
        if (!l->is_recording)
                log_info("meter %s: %s opened%s%s", l->name, l->port_text, l->port.usb[0] ? ", " : "", l->port.usb);
        l->callbacks.opened(l->userdata);
}

/* ---- opening ---- */

static int on_connected(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct link *l = userdata;
        int r = port_tcp_result(&l->port);

        (void) source, (void) fd, (void) revents;
        if (r < 0)
                go_down(l, r, explain(r));
        else
                come_up(l);
        return 0;
}

static void open_tcp(struct link *l) {
        const char *at = l->port_text + strlen("tcp://"), *colon = strrchr(at, ':');
        char host[256];
        bool bracketed = at[0] == '[';
        int r;

        snprintf(host, sizeof host, "%.*s", (int) (colon - at) - (bracketed ? 2 : 0), at + bracketed);
        r = resolver_new(host, colon + 1, &l->resolver);
        if (r < 0) {
                go_down(l, r, strerror(-r));
                return;
        }
        l->stage = STAGE_RESOLVING;
        (void) arm_timer(l, RESOLVE_POLL_MS);
}

static const struct addrinfo *pick_address(const struct addrinfo *list, unsigned attempt) {
        const struct addrinfo *a = list;
        unsigned n = 0;

        for (; a; a = a->ai_next)
                n++;
        for (a = list, n = attempt % n; n > 0; n--)
                a = a->ai_next;
        return a;
}

static void continue_resolving(struct link *l) {
        const struct addrinfo *address;
        int r = resolver_result(l->resolver, &address);

        if (r == -EAGAIN) {
                (void) arm_timer(l, RESOLVE_POLL_MS);
                return;
        }
        if (r == 0) {
                address = pick_address(address, l->attempts++);
                r = port_open_tcp(address->ai_addr, address->ai_addrlen, &l->port);
        }
        l->resolver = resolver_free(l->resolver);
        if (r == 0)
                r = sd_event_add_io(l->event, &l->io, l->port.fd, EPOLLOUT, on_connected, l);
        if (r < 0) {
                go_down(l, r, explain(r));
                return;
        }
        l->stage = STAGE_CONNECTING;
        (void) arm_timer(l, CONNECT_TIMEOUT_MS);
}

static void try_open(struct link *l) {
        int r;

        if (l->port_text[0] != '/') {
                open_tcp(l);
                return;
        }
        r = port_open_tty(l->port_text, l->baud, !l->outbox, &l->port);
        if (r < 0)
                go_down(l, r, explain(r));
        else
                come_up(l);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct link *l = userdata;

        (void) source, (void) usec;
        switch (l->stage) {
        case STAGE_CLOSED:
                try_open(l);
                break;
        case STAGE_RESOLVING:
                continue_resolving(l);
                break;
        case STAGE_CONNECTING:
                go_down(l, -ETIMEDOUT, "no answer to the connection attempt");
                break;
        case STAGE_OPEN:
                break;
        }
        return 0;
}

/* ---- outside ---- */

int link_new(sd_event *event, const char *name, const char *port, bool listen_only,
             const struct link_callbacks *callbacks, void *userdata, struct link **ret) {
        CLEANUP(link_freep) struct link *l = NULL;
        int r;

        l = calloc(1, sizeof *l);
        if (!l)
                return -ENOMEM;
        l->event = event;
        l->name = name;
        l->port_text = port;
        l->callbacks = *callbacks;
        l->userdata = userdata;
        l->port.fd = -1;
        if (!listen_only) {
                l->outbox = calloc(1, sizeof *l->outbox);
                if (!l->outbox)
                        return -ENOMEM;
        }
        r = sd_event_add_time_relative(event, &l->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, l);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE(l);
        return 0;
}

struct link *link_free(struct link *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->io);
        sd_event_source_disable_unref(l->timer);
        sd_event_source_disable_unref(l->watch);
        resolver_free(l->resolver);
        port_close(&l->port);
        free(l->outbox);
        free(l);
        return NULL;
}

int link_start(struct link *l, uint32_t baud) {
        l->baud = baud;
        return arm_timer(l, 0);
}

void link_set_recording(struct link *l) {
        l->is_recording = true;
}

void link_rename(struct link *l, const char *name, const char *port) {
        l->name = name;
        l->port_text = port;
}

int link_set_baud(struct link *l, uint32_t baud) {
        l->baud = baud;
        return l->stage == STAGE_OPEN ? port_set_baud(&l->port, baud) : 0;
}

int link_write(struct link *l, const uint8_t *data, size_t len) {
        int r;

        if (!l->outbox)
                return -EROFS;
        if (l->stage != STAGE_OPEN)
                return -ENOTCONN;
        r = outbox_put(l->outbox, l->port.fd, data, len);
        if (r < 0)
                return r;  /* the hang-up itself arrives as an event */
        return l->outbox->len > 0 ? want_events(l) : 0;
}

void link_read_now(struct link *l) {
        if (l->stage == STAGE_OPEN)
                receive(l, EPOLLIN);
}

struct link_info link_info(const struct link *l) {
        return (struct link_info) {
                .open = l->stage == STAGE_OPEN,
                .baud = l->stage == STAGE_OPEN ? l->port.baud : 0,
                .opens = l->opens,
                .read_bytes = l->read_bytes,
                .written_bytes = l->outbox ? l->outbox->written_bytes : 0,
                .write_errors = l->outbox ? l->outbox->errors : 0,
                .error = l->error,
                .usb = l->port.usb,
        };
}
