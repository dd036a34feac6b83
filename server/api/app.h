/* What API handlers work on, and the table of routes that serve.c gives to the HTTP server. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "history/events.h"
#include "history/history.h"
#include "http/route.h"
#include "meters/fleet.h"

struct http_server;
struct live;
struct push;

struct app {
        const struct config *config;      /* borrowed; swapped on reload */
        const struct fleet *fleet;        /* borrowed */
        struct history *history;          /* borrowed; NULL: none */
        struct events *events;            /* borrowed; NULL: none */
        struct live *live;                /* borrowed; NULL: no streams */
        const struct http_server *http;   /* borrowed; NULL in tests */
        const struct push *push;          /* borrowed; NULL: none */
        uint64_t started_ms;              /* clock_now_ms at start */
        uint64_t run;                     /* a random number of this run of the program */
        unsigned reloads;                 /* of the configuration */
};

/* For http_options: changes with what is shown of a meter, or with subject "" of anything that is not the history. */
uint64_t api_version(void *userdata, const char *subject);

extern const struct route api_routes[];
extern const size_t api_n_routes;
