#include "meters/meter_events.h"

#include <stdio.h>

#include "base/clock.h"
#include "protocols/quantity.h"

static void put(struct events *events, const char *meter, uint64_t at_ms, struct event e) {
        if (!events)
                return;
        e.has_time = clock_to_utc_ms(at_ms, &e.utc_ms);
        snprintf(e.meter, sizeof e.meter, "%s", meter);
        events_put(events, at_ms, &e);
}

void meter_event_state(struct events *events, const char *meter, uint64_t now_ms, enum meter_state state) {
        struct event e = { .kind = EVENT_STATE };

        snprintf(e.text, sizeof e.text, "%s", meter_state_names[state]);
        put(events, meter, now_ms, e);
}

void meter_event_reconnected(struct events *events, const char *meter, uint64_t now_ms) {
        put(events, meter, now_ms, (struct event) { .kind = EVENT_RECONNECTED });
}

void meter_event_action(struct events *events, const char *meter, uint64_t now_ms, enum session_action action,
                        const char *outcome) {
        struct event e = { .kind = EVENT_ACTION };

        snprintf(e.text, sizeof e.text, "%s: %s", session_action_names[action], outcome);
        put(events, meter, now_ms, e);
}

/* The value is part of the text, so that off after on is no repeat. */
void meter_event_write(struct events *events, const char *meter, const struct protocol *protocol,
                       const struct session_write *w) {
        bool is_number = w->what.form == VALUE_NUMBER || w->what.form == VALUE_FLAG;
        struct event e = { .kind = EVENT_ACTION, .has_value = is_number, .value = w->what.number };
        char origin[16], value[32];

        protocol->origin_name(w->what.id, origin, sizeof origin);
        if (is_number)
                snprintf(value, sizeof value, "%lld", (long long) w->what.number);
        else
                snprintf(value, sizeof value, "%zu bytes", w->what.len);
        snprintf(e.text, sizeof e.text, "%s %s to %s: %s: %s", session_action_names[ACTION_SET_DATAPOINT], origin,
                 value, w->status == WRITE_CONFIRMED ? "confirmed" : "not confirmed", w->reason);
        put(events, meter, w->ended_ms, e);
}

static void put_judged(struct events *events, const struct judged_reading *j, enum event_kind kind,
                       const char *text) {
        const struct quantity_info *info = &quantity_catalogue[j->reading->quantity];
        struct event e = { .kind = kind, .has_value = true, .value = j->reading->value,
                           .decimals = (uint8_t) info->decimals, .has_previous = j->has_previous,
                           .previous = j->previous, .frame = j->frame };

        series_key(j->set, j->reading->channel, j->reading->quantity, e.series, sizeof e.series);
        snprintf(e.text, sizeof e.text, "%s", text);
        put(events, j->meter, j->at_ms, e);
}

void meter_event_outside_limits(struct events *events, const struct judged_reading *j) {
        put_judged(events, j, EVENT_WITHHELD, "outside its limits");
}

void meter_event_verdict(struct events *events, const struct judged_reading *j, enum counter_verdict verdict) {
        static const char *const texts[COUNTER_VERDICT_COUNT] = {
                [COUNTER_DECREASED] = "less than before",
                [COUNTER_JUMPED] = "more than can have flowed since the last reading",
        };

        if (verdict == COUNTER_RESET)
                put_judged(events, j, EVENT_COUNTER_RESET, "");
        else if (texts[verdict])
                put_judged(events, j, EVENT_WITHHELD, texts[verdict]);
}
