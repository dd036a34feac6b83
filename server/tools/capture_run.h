/* A recording under way: ports that are only ever read, and a file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/protocol.h"

struct capture_settings {
        const char *port;          /* from the meter; /dev/..., tcp://host:port */
        const char *port_tx;       /* to the meter; NULL: one direction only */
        const char *out;           /* "-": stdout */
        const struct protocol *protocol;
        uint32_t baud;             /* 0: those of the protocol are tried */
        uint64_t rotate_bytes, rotate_ms;  /* 0: never */
        uint64_t duration_ms;      /* 0: until a signal */
        unsigned keep;             /* 0: all files */
        bool show_secrets;
};

/* Until a signal, the end of the duration or an error, which has been told then. Returns an exit status. */
int capture_run(const struct capture_settings *settings);
