#include "meters/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/capture_file.h"

enum {
        TURN_BYTES = 512,        /* given out in one turn of the loop, as a port would */
        TURN_LINES = 100,        /* read in one turn where there are no bytes in them: some ms where each is as long
                                  * as a line may be */
        UNTIMED_MS = 100,        /* between two chunks without times; their frames are no single moment */
        GAP_MAX_MS = 86400000,   /* nobody waits for longer: a clock was set while it was recorded */
        END_MS = 6000,           /* what came last may still wait for its direction, or 5 s because it is all zeros */
        TIMER_ACCURACY_US = 1000,
};

struct replay {
        sd_event *event;         /* borrowed */
        const char *name;
        char *path;              /* owned */
        uint32_t speed;          /* in thousandths */
        unsigned silence_ms;
        struct link_callbacks callbacks;
        void *lines[LINE_COUNT];
        sd_event_source *timer;
        struct capture *capture; /* owned; NULL: not open */
        uint64_t due_us;         /* when the chunk is heard, or was */
        bool begun, has_chunk;
        struct capture_chunk chunk;
        size_t done;             /* bytes of it that were given out */
        struct capture_clock last, lasts[LINE_COUNT];
        uint64_t opens, read_bytes[LINE_COUNT];
        bool ending, over;
        char error[CAPTURE_ERROR_MAX];
};

static int arm(struct replay *r, uint64_t at_us) {
        int e = sd_event_source_set_time(r->timer, at_us);

        return e < 0 ? e : sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

/* ---- the end ---- */

static void close_lines(struct replay *r) {
        r->capture = capture_free(r->capture);
        r->over = true;
        for (unsigned i = 0; i < LINE_COUNT; i++)
                r->callbacks.closed(r->lines[i], r->error);
}

static void tell_silence(struct replay *r) {
        for (unsigned i = 0; i < LINE_COUNT; i++)
                r->callbacks.silence(r->lines[i]);
}

/* Nothing more will come; r->error says why. */
static void begin_end(struct replay *r) {
        r->ending = true;
        tell_silence(r);
        r->due_us += END_MS * 1000;
        (void) arm(r, r->due_us);
}

static void fail(struct replay *r, const char *text) {
        snprintf(r->error, sizeof r->error, "%s", text);
        log_warning("meter %s: %s; the replay ends here", r->name, r->error);
}

/* ---- chunks ---- */

static uint64_t pause_us(const struct replay *r) {
        int64_t gap_ms = UNTIMED_MS;

        if (!r->begun)
                return 0;
        if (r->chunk.has_time && r->last.has_time) {
                gap_ms = r->chunk.utc_ms - r->last.utc_ms;
                gap_ms = gap_ms < 0 ? 0 : gap_ms > GAP_MAX_MS ? GAP_MAX_MS : gap_ms;
        }
        return (uint64_t) gap_ms * 1000 * REPLAY_SPEED_ONE / r->speed;
}

static void next_chunk(struct replay *r, uint64_t now_us) {
        int e = capture_next(r->capture, &r->chunk);

        if (e == -EAGAIN) {
                (void) arm(r, now_us);
                return;
        }
        if (e <= 0) {
                if (e < 0)
                        fail(r, capture_error(r->capture));
                else
                        snprintf(r->error, sizeof r->error, "the recording has ended");
                begin_end(r);
                return;
        }
        r->has_chunk = true;
        r->done = 0;
        r->due_us += pause_us(r);
        r->begun = true;
        r->last = capture_clock_of(&r->chunk);
        (void) arm(r, r->due_us);
}

static enum line_side side_of(const struct capture_chunk *chunk) {
        return chunk->direction == CAPTURE_TX ? LINE_TX : LINE_RX;
}

/* What came of a frame before this chunk may have ended there. */
static void tell_gaps(struct replay *r, enum line_side side) {
        if (r->chunk.new_stream)
                tell_silence(r);
        else if (capture_was_silent(&r->lasts[side], &r->chunk, r->silence_ms))
                r->callbacks.silence(r->lines[side]);
        r->lasts[side] = capture_clock_of(&r->chunk);
}

static void give_out(struct replay *r, uint64_t now_us) {
        enum line_side side = side_of(&r->chunk);
        size_t n = r->chunk.len - r->done;

        if (r->done == 0)
                tell_gaps(r, side);
        if (n > TURN_BYTES)
                n = TURN_BYTES;
        r->read_bytes[side] += n;
        r->callbacks.received(r->lines[side], r->chunk.data + r->done, n);
        r->done += n;
        if (r->done == r->chunk.len) {
                r->has_chunk = false;
                if (r->chunk.stands_alone)
                        r->callbacks.silence(r->lines[side]);
        }
        (void) arm(r, now_us);
}

/* ---- the beginning ---- */

/* What is no file would keep everybody waiting, or never end. */
static FILE *open_file(const char *path) {
        struct stat st;
        FILE *file = NULL;
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;

        if (fd < 0)
                return NULL;
        if (fstat(fd, &st) < 0)
                error = errno;
        else if (!S_ISREG(st.st_mode))
                error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        else {
                file = fdopen(fd, "r");
                error = errno;
        }
        if (!file) {
                close(fd);
                errno = error;
        }
        return file;
}

static int open_recording(struct replay *r) {
        FILE *file = open_file(r->path);
        int e = file ? capture_open_stream(file, r->path, &r->capture) : -errno;

        if (e >= 0)
                capture_limit_turn(r->capture, TURN_LINES);
        return e;
}

static void begin(struct replay *r, uint64_t now_us) {
        char text[CAPTURE_ERROR_MAX];
        int e = open_recording(r);

        if (e < 0) {
                snprintf(text, sizeof text, "%.300s: %s", r->path,
                         e == -EINVAL ? "not a file" : strerror(-e));
                fail(r, text);
                close_lines(r);
                return;
        }
        r->opens++;
        r->due_us = now_us;
        log_info("meter %s: replaying %s", r->name, r->path);
        for (unsigned i = 0; i < LINE_COUNT; i++)
                r->callbacks.opened(r->lines[i]);
        (void) arm(r, now_us);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct replay *r = userdata;
        uint64_t now_us = 0;

        (void) source, (void) usec;
        (void) sd_event_now(r->event, CLOCK_BOOTTIME, &now_us);
        if (r->ending)
                close_lines(r);
        else if (!r->capture)
                begin(r, now_us);
        else if (!r->has_chunk)
                next_chunk(r, now_us);
        else
                give_out(r, now_us);
        return 0;
}

/* ---- outside ---- */

int replay_new(sd_event *event, const char *name, const struct replay_source *source,
               const struct link_callbacks *callbacks, void *const lines[LINE_COUNT], struct replay **ret) {
        CLEANUP(replay_freep) struct replay *r = calloc(1, sizeof *r);
        int e;

        if (!r)
                return -ENOMEM;
        r->event = event;
        r->name = name;
        r->speed = source->speed;
        r->silence_ms = source->silence_ms;
        r->callbacks = *callbacks;
        memcpy(r->lines, lines, sizeof r->lines);
        r->path = strdup(source->path);
        if (!r->path)
                return -ENOMEM;
        e = sd_event_add_time(event, &r->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US, on_timer, r);
        if (e < 0)
                return e;
        /* A fast replay is always due: whoever else has something to do comes first, or in turn. */
        e = sd_event_source_set_priority(r->timer, SD_EVENT_PRIORITY_IDLE);
        if (e < 0)
                return e;
        e = sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
        if (e < 0)
                return e;
        *ret = TAKE(r);
        return 0;
}

struct replay *replay_free(struct replay *r) {
        if (!r)
                return NULL;
        sd_event_source_disable_unref(r->timer);
        capture_free(r->capture);
        free(r->path);
        free(r);
        return NULL;
}

int replay_start(struct replay *r) {
        return arm(r, 0);
}

void replay_rename(struct replay *r, const char *name) {
        r->name = name;
}

struct link_info replay_info(const struct replay *r, enum line_side side) {
        return (struct link_info) {
                .open = r->opens > 0 && !r->over,
                .opens = r->opens,
                .read_bytes = r->read_bytes[side],
                .error = r->over ? r->error : "",
                .usb = "",
                .over = r->over,
        };
}
