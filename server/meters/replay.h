/* A recording in the place of a port: what was captured is heard once more, at its own times or faster. Each direction
 * arrives at a line of its own, through the callbacks of a link; what has no direction in the file is the meter's.
 * Ends for good with the file. */
#pragma once

#include "meters/line.h"

struct replay;

struct replay_source {
        const char *path;
        uint32_t speed;         /* in thousandths */
        unsigned silence_ms;    /* so much in the recording ends a part-frame, however short it is when replayed */
};

/* name (for log lines) is borrowed; lines are what the callbacks get. */
int replay_new(sd_event *event, const char *name, const struct replay_source *source,
               const struct link_callbacks *callbacks, void *const lines[LINE_COUNT], struct replay **ret);
struct replay *replay_free(struct replay *r);
static inline void replay_freep(struct replay **r) { replay_free(*r); }

int replay_start(struct replay *r);

/* Points the borrowed name at its equal in a reloaded configuration. */
void replay_rename(struct replay *r, const char *name);

/* Of one direction. */
struct link_info replay_info(const struct replay *r, enum line_side side);
