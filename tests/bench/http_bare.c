/* The least that libmicrohttpd costs in a loop like ours: it answers every request with the same bytes. Prints its
 * port, runs until its standard input ends. Usage: http_bare BYTES */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

struct bare {
        struct MHD_Daemon *mhd;
        struct MHD_Response *response;
        sd_event_source *timer;
        int listener;
};

static void pump(struct bare *b) {
        MHD_UNSIGNED_LONG_LONG ms;

        MHD_run(b->mhd);
        if (MHD_get_timeout(b->mhd, &ms) != MHD_YES) {
                sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
                return;
        }
        /* Once a second is early enough for its time-outs; at once is where it has more to do. */
        if (ms == 0) {
                sd_event_source_set_time_relative(b->timer, 0);
                sd_event_source_set_enabled(b->timer, SD_EVENT_ONESHOT);
        }
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) source, (void) fd, (void) revents;
        pump(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source, (void) usec;
        pump(userdata);
        return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        struct bare *b = userdata;
        int accepted = accept4(fd, (struct sockaddr *) &peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        (void) source, (void) revents;
        if (accepted >= 0)
                MHD_add_connection(b->mhd, accepted, (struct sockaddr *) &peer, len);
        pump(b);
        return 0;
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) fd, (void) revents, (void) userdata;
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

/* Answered on the second call, as everybody must to keep the connection. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload, size_t *upload_len,
                                  void **context) {
        static int seen;
        struct bare *b = userdata;

        (void) url, (void) method, (void) version, (void) upload, (void) upload_len;
        if (!*context) {
                *context = &seen;
                return MHD_YES;
        }
        return MHD_queue_response(connection, 200, b->response);
}

static struct MHD_Response *constant(size_t bytes) {
        char *body = malloc(bytes + 1);
        struct MHD_Response *response;

        if (!body)
                return NULL;
        memset(body, 'x', bytes);
        response = MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_MUST_FREE);
        if (response)
                MHD_add_response_header(response, "Content-Type", "text/plain");
        return response;
}

static int listen_somewhere(unsigned *ret_port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *) &address, len) < 0 || listen(fd, 128) < 0 ||
            getsockname(fd, (struct sockaddr *) &address, &len) < 0)
                return -errno;
        *ret_port = ntohs(address.sin_port);
        return fd;
}

int main(int argc, char **argv) {
        struct bare b = { 0 };
        sd_event *event = NULL;
        unsigned port = 0;

        if (argc != 2)
                return 2;
        signal(SIGPIPE, SIG_IGN);
        b.listener = listen_somewhere(&port);
        b.response = constant(strtoul(argv[1], NULL, 10));
        b.mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, &b,
                                 MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_CONNECTION_LIMIT, 272u,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) 16384, MHD_OPTION_END);
        if (b.listener < 0 || !b.response || !b.mhd || sd_event_default(&event) < 0)
                return 1;
        sd_event_add_io(event, NULL, MHD_get_daemon_info(b.mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, EPOLLIN, on_io,
                        &b);
        sd_event_add_io(event, NULL, b.listener, EPOLLIN, on_connection, &b);
        sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_end, &b);
        sd_event_add_time(event, &b.timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer, &b);
        printf("%u\n", port);
        fflush(stdout);
        sd_event_loop(event);
        sd_event_unref(event);
        MHD_stop_daemon(b.mhd);
        MHD_destroy_response(b.response);
        return 0;
}
