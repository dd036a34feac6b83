/* What is being recorded, on its way from the ports to a file: every direction's bytes as they were read, with what
 * is secret in them overwritten, and counts of the frames in them. Where there may be secrets bytes are held back,
 * until they are known to hold none: for as long as a frame or a line of text takes, and never more than
 * CAPTURE_HELD_MAX of them. What silence cuts within a secret is written down without it, and its rest overwritten.
 * That is with a protocol that has some; and with any other until its first good frame in that direction, for it may
 * be the wrong one. Fixed size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/capture_file.h"
#include "protocols/protocol.h"

#define CAPTURE_HELD_MAX  4096  /* bytes of a direction: a frame in the making, a line of text and one read */
#define CAPTURE_READ_MAX  512   /* bytes given at a time; more become several reads */
#define CAPTURE_READS_MAX 256   /* held of a direction; beyond it the newest ones become one */

struct capture_intake_callbacks {
        /* Bytes to write down, as one read gave them. blanked: so many are overwritten in them and in what comes
         * next. */
        void (*bytes)(void *userdata, enum capture_direction direction, int64_t utc_ms, const uint8_t *data,
                      size_t len, size_t blanked);
        void *userdata;
};

struct capture_counts {
        uint64_t bytes, frames;
        uint64_t noise_bytes;      /* outside any frame; of text too, where a protocol has some */
        uint64_t strays;           /* frames of the meter on the line to it, where they differ from those to it */
};

struct capture_intake;

/* protocol: how frames are known, and what is secret. show_secrets: nothing is held back or overwritten. */
int capture_intake_new(const struct protocol *protocol, bool show_secrets,
                       const struct capture_intake_callbacks *callbacks, struct capture_intake **ret);
struct capture_intake *capture_intake_free(struct capture_intake *in);
static inline void capture_intake_freep(struct capture_intake **in) { capture_intake_free(*in); }

/* The port is open, or has another speed: what comes at once may be the rest of a secret whose beginning nobody
 * heard, and is overwritten until a frame or a line ends. */
void capture_intake_begin(struct capture_intake *in, enum capture_direction direction, uint64_t now_ms);

/* direction is CAPTURE_RX or CAPTURE_TX. now_ms is monotonic, utc_ms goes into the file. */
void capture_intake_put(struct capture_intake *in, enum capture_direction direction, uint64_t now_ms, int64_t utc_ms,
                        const uint8_t *data, size_t len);

/* To be called several times a second: silence ends what was begun. */
void capture_intake_tick(struct capture_intake *in, uint64_t now_ms);

/* The port is gone, or the recording over: nothing that comes later belongs to what is held. */
void capture_intake_end(struct capture_intake *in, enum capture_direction direction);

struct capture_counts capture_intake_counts(const struct capture_intake *in, enum capture_direction direction);
