/* One daemon of libmicrohttpd inside our loop. A daemon speaks either plain HTTP or TLS, so a server has two; what
 * comes of a connection does not depend on which one it is. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

struct engine_calls {
        MHD_AccessHandlerCallback request;
        void *(*request_line)(void *userdata, const char *target, struct MHD_Connection *mhd);
        MHD_RequestCompletedCallback completed;
        MHD_NotifyConnectionCallback connection;
        /* After each run of the daemon, before it is asked when it wants to run again; may be NULL. */
        void (*ran)(void *userdata);
};

struct engine {
        struct MHD_Daemon *mhd;      /* NULL: not started */
        const struct engine_calls *calls;
        void *userdata;              /* of all the calls */
        sd_event_source *io, *timer;
        uint64_t timer_us;           /* when timer fires; 0: off */
        bool running;                /* inside MHD_run, which must not be entered again */
};

/* connections: how many at a time; what is above is refused without an answer. calls are borrowed. On failure the
 * engine is to be stopped as well. */
int engine_start(struct engine *e, sd_event *event, const struct engine_calls *calls, void *userdata,
                 unsigned connections, bool secure);

static inline bool engine_is_started(const struct engine *e) {
        return e->mhd;
}

/* Takes the descriptor over, also when it fails. */
void engine_add(struct engine *e, int fd, const struct sockaddr *peer, socklen_t peer_len);

/* Lets the daemon go on with whatever is ready; nothing when it is not started, or running already. */
void engine_run(struct engine *e);

/* Closes every connection; none may be suspended. An engine of zeros is fine. */
void engine_stop(struct engine *e);
