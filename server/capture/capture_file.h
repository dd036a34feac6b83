/* Recorded bytes in any of the forms that people have them in: hex lines, lines with a time before the bytes,
 * entries of terminal programs, OpenBeken logs. One chunk after the other, in bounded memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CAPTURE_LINE_MAX  65536  /* characters of one line or entry; real ones stay below 4000 */
#define CAPTURE_ERROR_MAX 384

enum capture_direction {
        CAPTURE_UNKNOWN,
        CAPTURE_RX,  /* from the meter */
        CAPTURE_TX,  /* to the meter */
};

struct capture_chunk {
        const uint8_t *data;      /* never empty; the reader's, valid until the next call */
        size_t len;
        int64_t utc_ms;           /* valid when has_time */
        unsigned resolution_ms;   /* of that time: 1 or 1000 */
        enum capture_direction direction;
        bool has_time;
        bool stands_alone;        /* its bytes belong neither to the chunk before nor to the one behind it */
        bool new_stream;          /* a "# kind:" line came before it: nothing unfinished goes on here */
};

/* When the last bytes of one direction came. */
struct capture_clock {
        int64_t utc_ms;           /* valid when has_time */
        unsigned resolution_ms;
        bool has_time;
};

struct capture;

/* path "-" reads stdin. -errno with a line in capture_error's form in error (CAPTURE_ERROR_MAX bytes). */
int capture_open(const char *path, struct capture **ret, char *error);

/* Takes over file, also on failure; name stands for it in messages (borrowed). */
int capture_open_stream(FILE *file, const char *name, struct capture **ret);

struct capture *capture_free(struct capture *c);
static inline void capture_freep(struct capture **c) { capture_free(*c); }

/* From now on capture_next gives up its turn, with -EAGAIN, after so many lines without any bytes: it can be called
 * again. For those who must not be kept waiting. */
void capture_limit_turn(struct capture *c, unsigned max_lines);

/* Returns 1 with a chunk, 0 at the end, -EINVAL for a malformed line, -EFBIG for one beyond CAPTURE_LINE_MAX, or
 * what reading the file gave. After an error nothing more can be read. */
int capture_next(struct capture *c, struct capture_chunk *ret);

/* "FILE:LINE: what is wrong; what was expected" of the last error. */
const char *capture_error(const struct capture *c);

/* "FILE:LINE: ..." where the file ended in the middle of a line, as after a power cut; what is whole of that was
 * given. "": it did not. */
const char *capture_remark(const struct capture *c);

struct capture_clock capture_clock_of(const struct capture_chunk *chunk);

/* True when the line was surely silent for longer than silence_ms before the chunk: what had come of a frame ends. */
bool capture_was_silent(const struct capture_clock *before, const struct capture_chunk *chunk, unsigned silence_ms);
