/* The frames of a recording: what a gateway on that wire would have taken for frames, in order. On the line to the
 * meter the meter's own are found as well: the adapters of a recording are easily mixed up. */
#pragma once

#include "capture/capture_file.h"
#include "protocols/protocol.h"

struct captured_frame {
        const uint8_t *data;      /* valid during the call */
        size_t len;
        int64_t utc_ms;           /* when its last bytes came; valid when has_time */
        unsigned resolution_ms;   /* of that time: 1 or 1000 */
        enum capture_direction direction;
        bool has_time;
        bool is_request;          /* it asks the meter for something, in a form that the meter itself never uses */
};

struct captured_frames_handler {
        /* A negative errno ends the reading and is returned. */
        int (*frame)(void *userdata, const struct captured_frame *frame);
        /* What comes now may be another device's; NULL: it is all the same. */
        void (*new_stream)(void *userdata);
        void *userdata;
};

struct captured_stats {
        uint64_t frames;
        uint64_t noise_bytes;     /* outside any frame, those of broken frames included */
        uint64_t pending_bytes;   /* of frames that never ended */
        uint64_t total_bytes;
        uint64_t broken;          /* frames that ended early, or not as they must */
};

/* Reads a recording to its end. Each direction is one stream, and a gap that is surely longer than the protocol allows
 * inside a frame ends a part-frame. Returns 0, what capture_next gave (then capture_error has the line), or what the
 * handler gave. stats may be NULL. */
int captured_frames_read(struct capture *capture, const struct protocol *protocol,
                         const struct captured_frames_handler *handler, struct captured_stats *stats);
