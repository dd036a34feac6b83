/* Answers without an end: server-sent events. There is no queue for anybody: a stream is a producer that knows how
 * far it has come, and is asked for the next piece only when its last one has left for the socket. So a client that
 * reads slowly, or not at all, costs one piece and a place. Pieces are made in turns of the loop that everything else
 * goes before, some streams at a time. Knows nothing of what is told. */
#pragma once

#include <microhttpd.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "http/connection.h"
#include "http/route.h"

struct stream;

struct stream_list {
        struct stream *first, *last;
};

struct streams {
        unsigned n;                      /* being sent */
        struct stream_list due, idle;    /* suspended: to be asked in the next turns; until there is news */
        uint64_t news;                   /* counts the wake-ups */
        unsigned epoch;                  /* streams of earlier ones end */
        uint32_t stalled_ms;
        struct connections *connections; /* borrowed */
        sd_event *event;
        sd_event_source *turn;
        void (*pump)(void *userdata);    /* lets libmicrohttpd go on with what was resumed */
        void *userdata;
};

int streams_init(struct streams *set, sd_event *event, struct connections *connections, uint32_t stalled_ms,
                 void (*pump)(void *userdata), void *userdata);
void streams_done(struct streams *set);  /* all are freed by then */

/* There may be something new for everybody. */
void streams_wake(struct streams *set);

/* Every stream ends as soon as what was made of it is sent. The caller lets libmicrohttpd go on, which must not be
 * stopped with a suspended connection. */
void streams_end(struct streams *set);

/* The response for a reply that is a stream; takes the producer's state over. NULL without memory. */
struct MHD_Response *stream_response(struct streams *set, struct MHD_Connection *mhd, struct connection *connection,
                                     struct reply *reply);
