/* The way to a meter: a serial port, a pty or tcp://host:port. Opens, reads, writes, and opens again with back-off
 * when it went away or is not there yet. One code for all three from the descriptor on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct link;

struct link_callbacks {
        void (*opened)(void *userdata);
        void (*closed)(void *userdata, const char *reason);
        void (*received)(void *userdata, const uint8_t *data, size_t len);
        /* Only of a recording, which knows itself where it was silent: what has come of a frame ends. */
        void (*silence)(void *userdata);
};

struct link_info {
        bool open;
        uint32_t baud;             /* as set now; 0 for TCP */
        uint64_t opens;            /* times it was opened; reconnects are opens - 1 */
        uint64_t read_bytes, written_bytes, write_errors;
        bool over;                 /* a recording that has ended: it does not open again */
        const char *error;         /* why it is not open, "" when it is */
        const char *usb;           /* "FTDI FT232R 0403:6001", "" when it is no USB port */
};

/* port and name (for log lines) are borrowed. listen_only: a tty is opened read-only, and the link has nothing to
 * write with. */
int link_new(sd_event *event, const char *name, const char *port, bool listen_only,
             const struct link_callbacks *callbacks, void *userdata, struct link **ret);
struct link *link_free(struct link *l);
static inline void link_freep(struct link **l) { link_free(*l); }

/* Starts opening; from then on the link keeps itself open. Callbacks come from the loop only. */
int link_start(struct link *l, uint32_t baud);

/* For a recorder, before link_start: bytes come as they arrive, not gathered, and nothing is logged, for callbacks
 * and link_info tell all there is. */
void link_set_recording(struct link *l);

/* Points the borrowed texts at their equals in a reloaded configuration. */
void link_rename(struct link *l, const char *name, const char *port);

/* Changes the speed; without effect on TCP and when it is the same. */
int link_set_baud(struct link *l, uint32_t baud);

/* Writes all of it or nothing: -ENOTCONN, -EROFS (listen only), -EAGAIN when the line is congested. */
int link_write(struct link *l, const uint8_t *data, size_t len);

/* Gives out what has arrived without waiting for its event. */
void link_read_now(struct link *l);

struct link_info link_info(const struct link *l);
