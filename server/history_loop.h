/* Gives the history and the events beside it their turns in the event loop: the slices of the start-up, deadlines,
 * the clock, and a voice in the log. */
#pragma once

#include <systemd/sd-event.h>

#include "history/events.h"
#include "history/history.h"

struct history_loop;

/* History and events are borrowed and must outlive the loop. Starts at once; ready is called when the history can be
 * asked. */
int history_loop_new(sd_event *event, struct history *h, struct events *events, void (*ready)(void *userdata),
                     void *userdata, struct history_loop **ret);
struct history_loop *history_loop_free(struct history_loop *l);
static inline void history_loop_freep(struct history_loop **l) { history_loop_free(*l); }
