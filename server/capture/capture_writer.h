/* Writes recordings that capture_file.h reads: lines "TIME rx|tx HEX" and comments, in files that may be changed by
 * size and by age. Lines are collected and written whole, so that whatever ends the program leaves whole lines. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "capture/capture_file.h"

#define CAPTURE_ROTATE_BYTES_MIN 4096  /* a header and the longest line fit in */
#define CAPTURE_KEEP_MAX         100000

struct capture_writer_options {
        const char *path;          /* borrowed; "-": stdout, which is never set aside */
        uint64_t rotate_bytes;     /* a file that would grow larger is set aside; 0: any size */
        uint64_t rotate_ms;        /* one that is as old, too; 0: any age */
        unsigned keep;             /* files at most, the one that is written counts; the oldest are deleted. 0: all */
        /* Comment lines for the beginning of each file. */
        void (*header)(void *userdata, struct buffer *out);
        void *userdata;
};

struct capture_writer;

/* Only a disk is waited for. What nobody takes out of a pipe in time is kept as far as there is room; whole lines are
 * left out beyond that, and a comment in their place tells how many.
 *
 * A file that is there already and holds a recording is continued, anything else is left alone (-EEXIST). A file that
 * is set aside is called after the time of its beginning: of meter.hex meter-20261121T100000.123Z.hex, so that names
 * stand in the order of time. */
int capture_writer_new(const struct capture_writer_options *options, uint64_t now_ms, int64_t utc_ms,
                       struct capture_writer **ret, char *error);

/* Gives up what is not flushed. */
struct capture_writer *capture_writer_free(struct capture_writer *w);
static inline void capture_writer_freep(struct capture_writer **w) { capture_writer_free(*w); }

/* At most CAPTURE_READ_MAX bytes. After an error, of these and of those below, the file has whole lines and nothing
 * more can be written. */
int capture_writer_bytes(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms, enum capture_direction direction,
                         const uint8_t *data, size_t len);

/* A comment "# note: TIME TEXT"; TEXT is one line. */
int capture_writer_note(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms, const char *text);

/* Once a second or so: what was collected goes into the file, and one that is old enough is changed. */
int capture_writer_tick(struct capture_writer *w, uint64_t now_ms, int64_t utc_ms);

/* Writes the rest and makes sure that it is on the disk. -ETIMEDOUT: it is for a pipe, and was
 * not taken out of it in some seconds. */
int capture_writer_end(struct capture_writer *w);

const char *capture_writer_error(const struct capture_writer *w);  /* of the last error */
unsigned capture_writer_files(const struct capture_writer *w);     /* written to so far */
uint64_t capture_writer_lost(const struct capture_writer *w);      /* lines that were left out */
uint64_t capture_writer_written(const struct capture_writer *w);   /* bytes of them */
