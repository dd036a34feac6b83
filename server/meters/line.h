/* The lines of a meter: where bytes come from, and the frames that are cut from them. Each line has a framer of its own,
 * so that noise on the one does not hurt the other. */
#pragma once

#include "config/config.h"
#include "meters/link.h"
#include "protocols/framer.h"

enum line_side {
        LINE_RX,     /* what the meter sends */
        LINE_TX,     /* what somebody else sends to the meter while we listen */
        LINE_COUNT,
};

struct replay;
struct line;

typedef void (*line_frame_fn)(struct line *line, uint64_t now_ms, const uint8_t *frame, size_t len);

struct line {
        enum line_side side;
        struct link *link;           /* owned; NULL: a recording brings its bytes, or there is no such line */
        struct replay *replay;       /* borrowed; NULL: a port brings them */
        struct framer framer;
        unsigned silence_ms;         /* ends a part-frame; a recording tells itself where it was silent */
        uint64_t last_byte_ms;
        line_frame_fn frame;
        void *userdata;              /* of whom the line belongs to */
};

/* All lines of a meter. */
struct lines {
        unsigned count;              /* LINE_TX is there when it is 2 */
        struct line items[LINE_COUNT];
        struct replay *replay;       /* owned; NULL: there are ports */
};

/* Makes what the configuration asks for; links and replay get the callbacks, with their line as userdata. What is
 * there already must be freed with lines_clear on failure too. */
int lines_init(struct lines *l, sd_event *event, const struct meter_config *config,
               const struct link_callbacks *callbacks, line_frame_fn frame, void *userdata);
void lines_clear(struct lines *l);

int lines_start(struct lines *l, uint32_t baud);

/* Sets the speed of serial ports that have another one; 0: it does not matter. */
void lines_follow_baud(struct lines *l, const struct meter_config *config, uint32_t baud);

/* Points the borrowed texts at their equals in a reloaded configuration. */
void lines_rename(struct lines *l, const struct meter_config *config);

/* NULL when there is no such line. */
static inline const struct line *lines_get(const struct lines *l, enum line_side side) {
        return (unsigned) side < l->count ? &l->items[side] : NULL;
}

/* The meter itself is heard, but not the other line that should be. */
bool lines_miss_one(const struct lines *l);

/* Gives up part-frames that were followed by silence. */
void lines_check_silence(struct lines *l, uint64_t now_ms);
/* When lines_check_silence has something to do; UINT64_MAX: never. */
uint64_t lines_deadline(const struct lines *l);

/* Bytes that have arrived: gives out the frames that are complete now. */
void line_take(struct line *l, uint64_t now_ms, const uint8_t *data, size_t len);

/* There was a silence, however short it seemed: gives up a part-frame. */
void line_end_frame(struct line *l, uint64_t now_ms);

struct link_info line_info(const struct line *l);
