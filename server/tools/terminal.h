/* A pseudo terminal that stands for a meter's serial port, with a symbolic link that follows it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct terminal {
        sd_event *event;                /* borrowed */
        const char *link_path;          /* borrowed; NULL: none */
        void (*received)(void *userdata, const uint8_t *data, size_t len);
        void *userdata;
        sd_event_source *io;            /* owned */
        int master, slave;              /* owned; -1 while it is closed */
        char path[64];                  /* "" while it is closed */
        bool linked;                    /* the link at link_path is ours */
};

/* Closed to begin with. received is called from within the event loop. */
void terminal_init(struct terminal *t, sd_event *event, const char *link_path,
                   void (*received)(void *userdata, const uint8_t *data, size_t len), void *userdata);

/* A new terminal each time. terminal_close is needed after a failure too. */
int terminal_open(struct terminal *t);
void terminal_close(struct terminal *t);
/* After terminal_close, as when a cable is plugged in again. False: it stays closed, which has been told. */
bool terminal_reopen(struct terminal *t);

/* What a full line does not take is lost: nobody listens. True when something was written. */
bool terminal_write(struct terminal *t, const uint8_t *data, size_t len);

/* A peer that claims the terminal for itself leaves that mark behind, because the terminal stays open here, and
 * nobody but root could ever come back. To be called now and then. */
void terminal_readmit(struct terminal *t);
