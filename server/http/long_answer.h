/* Answers that are produced piece by piece while they are sent, so that neither their length costs memory nor their
 * making holds up the loop. */
#pragma once

#include <microhttpd.h>
#include <systemd/sd-event.h>

#include "http/route.h"

struct long_answer;

struct long_answers {
        unsigned n;                      /* being sent */
        struct long_answer *waiting;     /* suspended until the loop has had its turn */
        sd_event_source *turn;
        void (*pump)(void *userdata);    /* lets libmicrohttpd go on with what was resumed */
        void *userdata;
};

int long_answers_init(struct long_answers *set, sd_event *event, void (*pump)(void *userdata), void *userdata);

/* Lets every suspended connection go on: libmicrohttpd must not be stopped with one. */
void long_answers_resume(struct long_answers *set);
void long_answers_done(struct long_answers *set);

/* The response for a reply that has a producer; takes the producer's state over. NULL without memory. */
struct MHD_Response *long_answer_response(struct long_answers *set, struct MHD_Connection *mhd, struct reply *reply);
