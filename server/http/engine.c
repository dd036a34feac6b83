#include "http/engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "http/limits.h"
#include "http/tls.h"

/* ---- its turns ---- */

/* Moves the timer only when it would be late: one that is early costs a wake-up now and then, moving it each time
 * costs a system call per request. */
static int arm_timer(struct engine *e) {
        MHD_UNSIGNED_LONG_LONG ms;
        uint64_t now_us, at_us;
        int r;

        if (MHD_get_timeout(e->mhd, &ms) != MHD_YES) {
                e->timer_us = 0;
                return sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
        }
        r = sd_event_now(sd_event_source_get_event(e->timer), CLOCK_MONOTONIC, &now_us);
        if (r < 0)
                return r;
        at_us = now_us + ms * 1000;
        if (e->timer_us > 0 && e->timer_us <= at_us)
                return 0;
        r = sd_event_source_set_time(e->timer, at_us);
        if (r < 0)
                return r;
        e->timer_us = at_us;
        return sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

void engine_run(struct engine *e) {
        int r;

        if (!e->mhd || e->running)
                return;
        e->running = true;
        r = MHD_run(e->mhd) == MHD_YES ? 0 : -EIO;
        e->running = false;
        if (e->calls->ran)
                e->calls->ran(e->userdata);
        /* What still has to leave when the loop has ended needs no timer, and could not have one. */
        if (r >= 0 && sd_event_get_state(sd_event_source_get_event(e->timer)) != SD_EVENT_FINISHED)
                r = arm_timer(e);
        if (r < 0)
                log_error("http: the server's loop: %s", strerror(-r));
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) source;
        (void) fd;
        (void) revents;
        engine_run(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct engine *e = userdata;

        (void) source;
        (void) usec;
        e->timer_us = 0;
        engine_run(e);
        return 0;
}

/* ---- begin and end ---- */

/* Its messages are about what clients do wrong. */
__attribute__((format(printf, 2, 0)))
static void on_library_message(void *userdata, const char *format, va_list args) {
        char text[256];

        (void) userdata;
        vsnprintf(text, sizeof text, format, args);
        text[strcspn(text, "\r\n")] = 0;
        log_debug("http: libmicrohttpd: %s", text);
}

static struct MHD_Daemon *start_mhd(struct engine *e, unsigned connections, bool secure) {
        const struct engine_calls *calls = e->calls;
        struct MHD_OptionItem tls[] = {
                { MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *) (uintptr_t) tls_retrieve_certificate },
                { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *) (uintptr_t) TLS_PRIORITIES },
                { MHD_OPTION_END, 0, NULL },
        };

        return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                                        MHD_USE_ERROR_LOG | (secure ? MHD_USE_TLS : 0),
                                0, NULL, NULL, calls->request, e->userdata,
                                MHD_OPTION_EXTERNAL_LOGGER, on_library_message, NULL,
                                MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) HTTP_INACTIVITY_S,
                                MHD_OPTION_CONNECTION_LIMIT, connections,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HTTP_POOL_SIZE,
                                MHD_OPTION_NOTIFY_CONNECTION, calls->connection, e->userdata,
                                MHD_OPTION_URI_LOG_CALLBACK, calls->request_line, e->userdata,
                                MHD_OPTION_NOTIFY_COMPLETED, calls->completed, e->userdata,
                                MHD_OPTION_ARRAY, secure ? tls : &tls[2],
                                MHD_OPTION_END);
}

static int add_sources(struct engine *e, sd_event *event) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(e->mhd, MHD_DAEMON_INFO_EPOLL_FD);
        int r;

        if (!info || info->epoll_fd < 0)
                return -EIO;
        r = sd_event_add_io(event, &e->io, info->epoll_fd, EPOLLIN, on_io, e);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &e->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer, e);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
}

int engine_start(struct engine *e, sd_event *event, const struct engine_calls *calls, void *userdata,
                 unsigned connections, bool secure) {
        *e = (struct engine) { .calls = calls, .userdata = userdata };
        e->mhd = start_mhd(e, connections, secure);
        return e->mhd ? add_sources(e, event) : -EIO;
}

void engine_add(struct engine *e, int fd, const struct sockaddr *peer, socklen_t peer_len) {
        if (MHD_add_connection(e->mhd, fd, peer, peer_len) != MHD_YES)
                log_debug("http: a connection could not be taken: %s", strerror(errno));
}

void engine_stop(struct engine *e) {
        e->io = sd_event_source_disable_unref(e->io);
        e->timer = sd_event_source_disable_unref(e->timer);
        if (e->mhd)
                MHD_stop_daemon(e->mhd);
        e->mhd = NULL;
}
