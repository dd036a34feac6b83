/* What is worth telling about a meter, put into words and figures for the list of events. events may be NULL: nobody
 * keeps them. */
#pragma once

#include "history/events.h"
#include "meters/series.h"
#include "meters/totals.h"
#include "protocols/protocol.h"

void meter_event_state(struct events *events, const char *meter, uint64_t now_ms, enum meter_state state);
void meter_event_reconnected(struct events *events, const char *meter, uint64_t now_ms);

/* Somebody asked for an action; outcome is one word. */
void meter_event_action(struct events *events, const char *meter, uint64_t now_ms, enum session_action action,
                        const char *outcome);
/* A write has ended. */
void meter_event_write(struct events *events, const char *meter, const struct protocol *protocol,
                       const struct session_write *w);

/* A reading that came at at_ms and what is thought of it. */
struct judged_reading {
        const char *meter;
        uint64_t at_ms;
        uint64_t frame;                  /* number in the frame log, 0: none */
        const struct series_set *set;
        const struct reading *reading;   /* as the meter shows it */
        bool has_previous;
        int64_t previous;                /* the last that was believed */
};

void meter_event_outside_limits(struct events *events, const struct judged_reading *j);
/* Of a counter: nothing is told of what is accepted, or waits for a second reading. */
void meter_event_verdict(struct events *events, const struct judged_reading *j, enum counter_verdict verdict);
