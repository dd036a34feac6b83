#include "capture/capture_frames.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "protocols/framer.h"

#define DIRECTIONS (CAPTURE_TX + 1)

/* The bytes of one direction. */
struct stream {
        struct framer framer;
        struct capture_clock clock;
        enum capture_direction direction;
};

struct reader {
        const struct protocol *protocol;
        const struct captured_frames_handler *handler;
        struct captured_stats stats;  /* of streams that have ended */
        struct stream streams[DIRECTIONS];
};

/* Where both sides use one form of frames, none of them tells which side it is from. */
static bool is_request(const struct protocol *protocol, const uint8_t *data, size_t len) {
        return protocol->request_check != protocol->frame_check &&
               protocol->request_check(data, len) == (ssize_t) len;
}

static int give_frame(struct reader *r, const struct stream *s, const uint8_t *data, size_t len) {
        return r->handler->frame(r->handler->userdata, &(struct captured_frame) {
                .data = data,
                .len = len,
                .utc_ms = s->clock.utc_ms,
                .resolution_ms = s->clock.resolution_ms,
                .direction = s->direction,
                .has_time = s->clock.has_time,
                .is_request = is_request(r->protocol, data, len),
        });
}

static int give_frames(struct reader *reader, struct stream *s) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_next(&s->framer, &frame)) > 0) {
                int r = give_frame(reader, s, frame, n);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void start_stream(struct reader *r, struct stream *s, enum capture_direction direction) {
        framer_init(&s->framer, r->protocol->frame_check);
        if (direction == CAPTURE_TX)
                framer_add_check(&s->framer, r->protocol->request_check);
        s->direction = direction;
        s->clock.has_time = false;
}

/* Nothing that comes later belongs to these bytes. */
static int end_stream(struct reader *reader, struct stream *s) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_finish(&s->framer, &frame)) > 0) {
                int r = give_frame(reader, s, frame, n);

                if (r < 0)
                        return r;
        }
        reader->stats.frames += s->framer.frames;
        reader->stats.noise_bytes += s->framer.noise_bytes;
        reader->stats.total_bytes += s->framer.total_bytes;
        reader->stats.pending_bytes += framer_pending(&s->framer);
        reader->stats.broken += s->framer.timeouts + s->framer.checksum_errors + (framer_pending(&s->framer) > 0);
        start_stream(reader, s, s->direction);
        return 0;
}

static int end_streams(struct reader *reader) {
        for (unsigned i = 0; i < DIRECTIONS; i++) {
                int r = end_stream(reader, &reader->streams[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* A gap that is surely longer than the protocol allows inside a frame gives up what has come of one. */
static int check_silence(struct reader *reader, struct stream *s, const struct capture_chunk *chunk) {
        bool silent = capture_was_silent(&s->clock, chunk, reader->protocol->silence_ms);

        while (silent && framer_pending(&s->framer) > 0) {
                int r;

                framer_timeout(&s->framer);
                r = give_frames(reader, s);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int begin_stream(struct reader *reader) {
        int r = end_streams(reader);

        if (r >= 0 && reader->handler->new_stream)
                reader->handler->new_stream(reader->handler->userdata);
        return r;
}

static int take_chunk(struct reader *reader, const struct capture_chunk *chunk) {
        struct stream *s = &reader->streams[chunk->direction];
        int r = chunk->new_stream ? begin_stream(reader) : 0;

        if (r < 0)
                return r;
        r = check_silence(reader, s, chunk);
        s->clock = capture_clock_of(chunk);
        for (size_t done = 0; r >= 0 && done < chunk->len;) {
                done += framer_push(&s->framer, chunk->data + done, chunk->len - done);
                r = give_frames(reader, s);
        }
        return r >= 0 && chunk->stands_alone ? end_stream(reader, s) : r;
}

static void free_reader(struct reader **r) {
        free(*r);
}

int captured_frames_read(struct capture *capture, const struct protocol *protocol,
                         const struct captured_frames_handler *handler, struct captured_stats *stats) {
        CLEANUP(free_reader) struct reader *reader = calloc(1, sizeof *reader);
        struct capture_chunk chunk;
        int r;

        if (!reader)
                return -ENOMEM;
        reader->protocol = protocol;
        reader->handler = handler;
        for (unsigned i = 0; i < DIRECTIONS; i++)
                start_stream(reader, &reader->streams[i], (enum capture_direction) i);
        while ((r = capture_next(capture, &chunk)) > 0) {
                r = take_chunk(reader, &chunk);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = end_streams(reader);
        if (r >= 0 && stats)
                *stats = reader->stats;
        return r;
}
