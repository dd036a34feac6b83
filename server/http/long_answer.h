/* Answers that are produced piece by piece while they are sent, so that neither their length costs memory nor their
 * making holds up the loop. */
#pragma once

#include <microhttpd.h>
#include <systemd/sd-event.h>

#include "http/limits.h"
#include "http/route.h"

struct long_answer;

/* How long an answer was when it was sent: nobody knows before. */
struct long_answer_length {
        uint64_t tag;
        bool compressed;
        uint64_t length;
};

struct long_answers {
        unsigned n;                      /* being sent */
        struct long_answer *waiting;     /* suspended until the loop has had its turn */
        sd_event_source *turn;
        struct long_answer_length lengths[HTTP_LENGTHS_MAX];   /* of the newest that were sent in full */
        unsigned next_length;            /* place of the next */
        void (*pump)(void *userdata);    /* lets libmicrohttpd go on with what was resumed */
        void *userdata;
};

int long_answers_init(struct long_answers *set, sd_event *event, void (*pump)(void *userdata), void *userdata);

/* Lets every suspended connection go on: libmicrohttpd must not be stopped with one. */
void long_answers_resume(struct long_answers *set);
void long_answers_done(struct long_answers *set);

/* The response for a reply that has a producer, as it is or compressed; takes the producer's state over. NULL without
 * memory. */
struct MHD_Response *long_answer_response(struct long_answers *set, struct MHD_Connection *mhd, struct reply *reply,
                                          bool compress);

/* A response without a body, for a 304 in place of that one. */
struct MHD_Response *long_answer_unchanged(struct long_answers *set, const struct reply *reply, bool compress);
