#include "http/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/limits.h"

struct stream {
        struct streams *set;
        struct MHD_Connection *mhd;
        struct connection *connection;   /* borrowed */
        reply_producer produce;
        void *state;
        void (*free_state)(void *state);
        struct buffer piece;
        size_t sent;                     /* of piece */
        uint64_t news;                   /* of the set, when it was last asked */
        unsigned epoch;
        bool has_more;                   /* as it said itself */
        bool is_over, is_broken;
        sd_event_source *hangup;
        struct stream_list *list;        /* NULL unless suspended */
        struct stream *previous, *next;
};

/* ---- lists ---- */

static void list_append(struct stream_list *list, struct stream *s) {
        s->list = list;
        s->previous = list->last;
        s->next = NULL;
        *(list->last ? &list->last->next : &list->first) = s;
        list->last = s;
}

static void list_remove(struct stream *s) {
        struct stream_list *list = s->list;

        *(s->previous ? &s->previous->next : &list->first) = s->next;
        *(s->next ? &s->next->previous : &list->last) = s->previous;
        s->list = NULL;
}

/* ---- suspended and not ---- */

static void schedule(struct streams *set) {
        if (set->due.first)
                (void) sd_event_source_set_enabled(set->turn, SD_EVENT_ONESHOT);
}

static void suspend(struct stream *s) {
        struct streams *set = s->set;

        MHD_suspend_connection(s->mhd);
        connection_clear_deadline(s->connection);
        list_append(s->has_more || s->news != set->news ? &set->due : &set->idle, s);
        schedule(set);
}

static void resume(struct stream *s) {
        list_remove(s);
        MHD_resume_connection(s->mhd);
}

/* Asks for the next piece; what there is goes on its way. */
static void ask(struct stream *s) {
        int r;

        s->news = s->set->news;
        r = s->produce(s->state, &s->piece);
        s->has_more = r > 0 || r == -EAGAIN;
        s->is_over = r == 0;
        s->is_broken = s->piece.failed || (r < 0 && r != -EAGAIN && r != -ENODATA);
        if (s->piece.len > 0 || s->is_over || s->is_broken) {
                resume(s);
                return;
        }
        list_remove(s);
        list_append(s->has_more ? &s->set->due : &s->set->idle, s);
}

static int on_turn(sd_event_source *source, void *userdata) {
        struct streams *set = userdata;
        uint64_t begun_ms = clock_now_ms();

        (void) source;
        for (unsigned i = 0; set->due.first && i < HTTP_STREAM_BATCH; i++) {
                ask(set->due.first);
                if (clock_now_ms() - begun_ms >= HTTP_STREAM_TURN_MS)
                        break;
        }
        schedule(set);
        set->pump(set->userdata);
        return 0;
}

void streams_wake(struct streams *set) {
        set->news++;
        while (set->idle.first) {
                struct stream *s = set->idle.first;

                list_remove(s);
                list_append(&set->due, s);
        }
        schedule(set);
}

void streams_end(struct streams *set) {
        set->epoch++;
        while (set->due.first)
                resume(set->due.first);
        while (set->idle.first)
                resume(set->idle.first);
}

int streams_init(struct streams *set, sd_event *event, struct connections *connections, uint32_t stalled_ms,
                 void (*pump)(void *userdata), void *userdata) {
        int r;

        *set = (struct streams) {
                .stalled_ms = stalled_ms, .connections = connections, .pump = pump, .userdata = userdata,
        };
        r = sd_event_add_defer(event, &set->turn, on_turn, set);
        if (r < 0)
                return r;
        set->event = sd_event_ref(event);
        r = sd_event_source_set_priority(set->turn, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(set->turn, SD_EVENT_OFF);
}

void streams_done(struct streams *set) {
        set->turn = sd_event_source_disable_unref(set->turn);
        set->event = sd_event_unref(set->event);
}

/* ---- one stream ---- */

/* Each chunk has its own time to leave for the socket. */
static ssize_t read_some(void *userdata, uint64_t position, char *out, size_t max) {
        struct stream *s = userdata;
        size_t left = s->piece.len - s->sent, n = left < max ? left : max;

        (void) position;
        if (n > 0) {
                memcpy(out, s->piece.data + s->sent, n);
                s->sent += n;
                connection_set_deadline(s->set->connections, s->connection, s->set->stalled_ms);
                return (ssize_t) n;
        }
        buffer_free(&s->piece);
        buffer_init(&s->piece, HTTP_STREAM_PIECE_MAX);
        s->sent = 0;
        if (s->is_broken)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        if (s->is_over || s->epoch != s->set->epoch)
                return MHD_CONTENT_READER_END_OF_STREAM;
        suspend(s);
        return 0;
}

/* libmicrohttpd looks at a suspended connection only when something is written to it. */
static int on_hangup(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct stream *s = userdata;

        (void) fd, (void) revents;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        s->is_broken = true;
        s->sent = s->piece.len;
        if (s->list) {
                resume(s);
                s->set->pump(s->set->userdata);
        }
        return 0;
}

/* A client that stops reading is to be noticed early, one that vanished without a word, too. Unix sockets know
 * neither option. */
static void set_up_socket(int fd) {
        const int size = HTTP_STREAM_SEND_BUFFER, unacked_ms = HTTP_STREAM_UNACKED_MS;

        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        (void) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

static void free_stream(void *userdata) {
        struct stream *s = userdata;

        if (s->list)
                list_remove(s);
        sd_event_source_disable_unref(s->hangup);
        s->set->n--;
        s->free_state(s->state);
        buffer_free(&s->piece);
        free(s);
}

struct MHD_Response *stream_response(struct streams *set, struct MHD_Connection *mhd, struct connection *connection,
                                     struct reply *reply) {
        struct stream *s = calloc(1, sizeof *s);
        struct MHD_Response *response;

        if (!s)
                return NULL;
        *s = (struct stream) {
                .set = set, .mhd = mhd, .connection = connection, .produce = reply->produce, .state = reply->state,
                .free_state = reply->free_state, .epoch = set->epoch, .has_more = true,
        };
        buffer_init(&s->piece, HTTP_STREAM_PIECE_MAX);
        set->n++;
        reply->produce = NULL;
        /* Without the source a client that is gone is found by the next write. */
        (void) sd_event_add_io(set->event, &s->hangup, connection->fd, EPOLLET | EPOLLRDHUP, on_hangup, s);
        set_up_socket(connection->fd);
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_STREAM_BLOCK, read_some, s, free_stream);
        if (!response)
                free_stream(s);
        return response;
}
