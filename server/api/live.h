/* What all live streams share: the newest rows, each rendered once; whether the meters' states have changed; and one
 * reader of the history for streams that are further behind. So a stream itself is a place in the row of numbers and
 * little more, and streams cost the same memory whatever they do. */
#pragma once

#include <systemd/sd-event.h>

#include "api/app.h"
#include "history/query.h"

#define LIVE_ROWS    64    /* kept at hand: 20 s of three meters that report each second */
#define LIVE_TICK_MS 1000  /* between looks at what changes with time alone */
#define LIVE_FOLLOW_MS 100 /* between looks for frames */

/* wake: there may be news for the streams. app is borrowed; its history must outlive this. */
int live_new(sd_event *event, const struct app *app, void (*wake)(void *userdata), void *userdata, struct live **ret);
struct live *live_free(struct live *l);

/* Nothing is done while there is no stream. */
void live_join(struct live *l);
void live_leave(struct live *l, const void *stream);

/* The same for those who follow what goes over a meter's wire, which happens oftener: they are woken LIVE_FOLLOW_MS
 * after it at the latest. Beside live_join and live_leave. */
void live_follow(struct live *l);
void live_unfollow(struct live *l);

/* The state of a meter, or the set of meters, has changed. */
void live_meters_changed(struct live *l);

/* Counts the changes of what is told of a meter, by its place in the fleet; 0: there is none. */
uint32_t live_version(struct live *l, unsigned meter);

/* The row after a number: 1, 0 when there is none yet, -EAGAIN: call again in another turn of the loop, -errno.
 * stream tells the callers apart. ret holds totals that are not to be shown yet. */
int live_next(struct live *l, const void *stream, uint64_t after, struct sample *ret);

/* Appends a row that live_next gave, as JSON, whole and as it may be shown. */
void live_put(struct live *l, const struct sample *s, struct buffer *out);
