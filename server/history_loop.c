#include "history_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "meters/recorder.h"

#define TIMER_ACCURACY_US 100000   /* a flush may be a little late: it shares a wake-up with others */
#define CLOCK_CHECK_MS    1000     /* while the time is not trusted yet */
#define CLOCK_STEP_MS     1000     /* less is no news */

struct history_loop {
        struct history *history;     /* borrowed */
        struct events *events;       /* borrowed */
        sd_event_source *slices, *timer;
        bool had_error, had_events_error;
        bool knows_time;
        int64_t offset_ms;           /* of UTC to boot time, when it was last looked at */
        void (*ready)(void *userdata);
        void *userdata;
};

static void tell(struct history_loop *l) {
        const char *note, *error = history_error(l->history);

        while ((note = history_next_note(l->history)))
                log_notice("history: %s", note);
        if (error[0] && !l->had_error)
                log_error("history: %s", error);
        l->had_error = error[0] != 0;
        if (events_error(l->events)[0] && !l->had_events_error)
                log_error("events: %s", events_error(l->events));
        l->had_events_error = events_error(l->events)[0] != 0;
}

static void watch_clock(struct history_loop *l, uint64_t now_ms) {
        struct event e = { .kind = EVENT_CLOCK, .has_time = true, .has_value = true, .decimals = 3 };
        int64_t offset_ms;

        if (!clock_to_utc_ms(now_ms, &e.utc_ms))
                return;
        offset_ms = e.utc_ms - (int64_t) now_ms;
        e.value = offset_ms - l->offset_ms;
        if (l->knows_time && (e.value >= CLOCK_STEP_MS || e.value <= -CLOCK_STEP_MS))
                events_put(l->events, now_ms, &e);
        l->knows_time = true;
        l->offset_ms = offset_ms;
}

static void work(struct history_loop *l) {
        uint64_t now_ms = clock_now_ms(), next_ms;

        recorder_set_clock(l->history, now_ms);
        watch_clock(l, now_ms);
        next_ms = history_poll(l->history, now_ms);
        (void) events_sync(l->events, now_ms);
        if (next_ms > now_ms + EVENTS_REPEAT_MS)
                next_ms = now_ms + EVENTS_REPEAT_MS;
        if (!clock_trusted() && next_ms > now_ms + CLOCK_CHECK_MS)
                next_ms = now_ms + CLOCK_CHECK_MS;
        tell(l);
        (void) sd_event_source_set_time(l->timer, next_ms * 1000);
        (void) sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source, (void) usec;
        work(userdata);
        return 0;
}

static int on_slice(sd_event_source *source, void *userdata) {
        struct history_loop *l = userdata;

        if (history_step(l->history) > 0)
                return 0;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        l->ready(l->userdata);
        work(l);
        return 0;
}

int history_loop_new(sd_event *event, struct history *h, struct events *events, void (*ready)(void *userdata),
                     void *userdata, struct history_loop **ret) {
        CLEANUP(history_loop_freep) struct history_loop *l = calloc(1, sizeof *l);
        int r;

        if (!l)
                return -ENOMEM;
        l->history = h;
        l->events = events;
        l->ready = ready;
        l->userdata = userdata;
        r = sd_event_add_time(event, &l->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US, on_timer, l);
        if (r < 0)
                return r;
        r = sd_event_add_defer(event, &l->slices, on_slice, l);
        if (r < 0)
                return r;
        /* Meters and clients go first. */
        r = sd_event_source_set_priority(l->slices, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(l->slices, SD_EVENT_ON);
        if (r < 0)
                return r;
        *ret = TAKE(l);
        return 0;
}

struct history_loop *history_loop_free(struct history_loop *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->slices);
        sd_event_source_disable_unref(l->timer);
        free(l);
        return NULL;
}
