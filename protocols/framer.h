/* Cuts a byte stream into frames by a protocol's own rule: the same code for live ports, decode and fuzzing.
 * Bytes that belong to no frame are dropped one at a time and counted, so that a good frame right behind a
 * broken one, or inside a falsely announced length, comes out. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAMER_CAPACITY 2048  /* more than the largest accepted frame of any protocol (TuyaMCU: 1031 bytes) */

/* Looks at the start of a buffer. Returns the length of the good frame that starts there, 0 when more bytes are
 * needed, -EPROTO when no frame starts here, -EBADMSG on a wrong checksum, -EMSGSIZE when the announced length is
 * beyond the limit. */
typedef ssize_t (*frame_check_fn)(const uint8_t *buf, size_t len);

/* Gets every byte that belongs to no frame, in order. */
typedef void (*framer_text_fn)(void *userdata, const uint8_t *bytes, size_t len);

struct framer {
        frame_check_fn check;
        frame_check_fn other;       /* tried where check says that no frame starts; NULL: there is none */
        framer_text_fn text;        /* NULL: nobody wants them */
        void *text_userdata;
        size_t start, len;          /* unread bytes are buf[start .. start + len) */
        uint64_t frames;
        uint64_t noise_bytes;       /* outside any frame, those of broken frames included */
        uint64_t checksum_errors;
        uint64_t oversize;
        uint64_t timeouts;          /* part-frames given up after silence */
        uint64_t total_bytes;
        uint8_t buf[FRAMER_CAPACITY];
};

void framer_init(struct framer *f, frame_check_fn check);

/* Takes frames of another form, too. One that other accepts is never the beginning of one that check accepts. */
void framer_add_check(struct framer *f, frame_check_fn other);

/* text is called from within the functions below; it must not call them. */
void framer_on_text(struct framer *f, framer_text_fn text, void *userdata);

/* Forgets unread bytes (as noise); the counters stay. For a port that was reopened. */
void framer_reset(struct framer *f);

/* Takes up to len bytes, returns how many. Call framer_next until it returns 0 before pushing again: then there
 * is always room for at least one byte. */
size_t framer_push(struct framer *f, const uint8_t *data, size_t len);

/* The next frame. Returns its length and points ret_frame into the framer's buffer (valid until the next call of
 * any framer function), or 0 when more bytes are needed. */
size_t framer_next(struct framer *f, const uint8_t **ret_frame);

/* Bytes that may be the start of a frame. */
static inline size_t framer_pending(const struct framer *f) {
        return f->len;
}

/* The line has been silent: gives up the unfinished frame at the front by dropping its first byte. Call
 * framer_next afterwards, and both again until framer_pending is 0. */
void framer_timeout(struct framer *f);

/* End of a recording, where no silence can be measured: looks for a complete frame behind the unfinished one.
 * Returns it like framer_next, counting the bytes before it as noise, or 0 when there is none; what is then left
 * in framer_pending is a frame that never finished, not noise. */
size_t framer_finish(struct framer *f, const uint8_t **ret_frame);
