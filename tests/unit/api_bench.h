/* Four meters behind the API, without any socket: real ones that listen on ptys; what they hear is written here. */
#pragma once

#include <systemd/sd-event.h>

#include "api/app.h"

enum { MAIN, THREE, UNKNOWN, GONE, N_METERS };

struct fixture {
        const struct protocol *protocol;
        sd_event *event;
        struct fleet *fleet;
        struct config config;
        struct meter_config meters[N_METERS];
        struct profile *plug, *phases;
        char ports[N_METERS][64];
        int master[N_METERS], slave[N_METERS];
        struct app app;
};

/* A cmocka fixture: *state is a struct fixture whose first three meters have been fed. */
int bench_setup(void **state);
int bench_setup_with(void **state, const struct protocol *protocol);  /* one that speaks like TuyaMCU */
int bench_teardown(void **state);

/* One turn of the loop; fails past the deadline (5 s are far more than any of these steps takes). */
void bench_turn(struct fixture *f, uint64_t deadline_ms);

/* GET through the route table; free the reply with reply_free. */
void get(struct fixture *f, const char *target, struct reply *reply);

/* Any request through the route table; free the reply with reply_free. */
struct asked {
        const char *method, *target;
        enum http_role role;
        bool has_body;
        const char *accept;  /* header; NULL: none */
        const char *json;  /* a body of this text; NULL: none, whatever has_body says */
        const char *last_event_id;   /* NULL: none */
};
void ask(struct fixture *f, struct asked what, struct reply *reply);

/* The same as get with a check for 200 and the content type; returns the body as text. */
const char *get_text(struct fixture *f, const char *target, const char *type, struct reply *reply);
