/* Which values belong together, and when they may be published.
 *
 * An MCU reports zeros until it was told that it is connected, and again after a restart that we learn of only at
 * the next heartbeat. So a moment is held back
 *   - while the MCU has not been told (publishing is off),
 *   - while everything it ever said in this run is zero, for some seconds,
 *   - when it takes a value to zero, until a heartbeat answer shows that the MCU has not restarted,
 *   - while it holds a power whose direction comes in another frame: that lags behind by up to a second, and which
 *     power it belongs to cannot be seen. So the power waits for a second, and counts only if its direction did not
 *     change around it. */
#include "protocols/tuyamcu/session.h"

#include <string.h>

#include "protocols/tuyamcu/layout.h"

enum {
        MOMENT_GAP_MS = 150,       /* datapoints of one moment come a few ms apart, one per frame */
        MOMENT_MAX_MS = 1000,      /* a meter that never pauses still gets rows */
        DIRECTION_LAG_MS = 1000,   /* a direction may come this much later than the power it belongs to */
        DIRECTION_LEAD_MS = 300,   /* and this much earlier */
        ZERO_START_MS = 30000,     /* the PJ-MGW1103's first real values come after the next heartbeat, 15 s at most */
        CONFIRM_MAX_MS = 10000,    /* a heartbeat is answered within 3 s and repeated */
        LISTEN_CONFIRM_MS = 20000, /* listening only: the real module asks every 15 s */
        LISTEN_PUBLISH_MS = 5000,
};

static bool is_mapped(const struct tuya_session *s, uint8_t id) {
        const struct profile_datapoint *row = profile_datapoint(s->config.profile, id);

        return row && (row->quantity != Q_NONE || row->layout != LAYOUT_NONE) &&
               (!row->is_increment || tuya_counts_increment(s->config.profile, row));
}

static bool is_increment(const struct tuya_session *s, uint8_t id) {
        const struct profile_datapoint *row = profile_datapoint(s->config.profile, id);

        return row && row->is_increment;
}

/* Increments are no states: they go with the next moment. */
void tuya_moment_drop(struct tuya_session *s, enum tuya_counter counter) {
        for (unsigned id = 0; s->moment.open && id < 256; id++)
                s->base.counters[counter] += s->moment.has[id] && is_mapped(s, (uint8_t) id) &&
                                             !is_increment(s, (uint8_t) id);
        s->moment = (struct tuya_moment) { 0 };
}

void tuya_publish(struct tuya_session *s, uint64_t now_ms) {
        if (s->publishing)
                return;
        /* What came before the acknowledgement may be the zeros of an MCU that did not measure yet. */
        if (!s->config.listen_only)
                tuya_moment_drop(s, TUYA_WITHHELD_STARTING);
        s->publishing = true;
        s->publish_on_report = false;
        s->seen_nonzero = false;
        s->publishing_since_ms = now_ms;
        s->last_data_ms = now_ms;
}

void tuya_unpublish(struct tuya_session *s, enum tuya_counter counter) {
        tuya_moment_drop(s, counter);
        s->publishing = false;
        s->publish_on_report = false;
        s->first_report_ms = 0;
}

/* When the moment is complete if nothing more comes. */
static uint64_t complete_at(const struct tuya_session *s) {
        const struct tuya_moment *m = &s->moment;

        if (m->n_held > 0)
                return m->held[0].last_seen_ms + DIRECTION_LAG_MS;
        return min_u64(m->last_ms + MOMENT_GAP_MS, m->first_ms + MOMENT_MAX_MS);
}

static bool is_complete(const struct tuya_session *s, uint64_t now_ms) {
        return now_ms >= complete_at(s);
}

static void list_datapoint(struct tuya_session *s, uint64_t now_ms, const struct tuya_datapoint *d) {
        datapoint_table_put(&s->base.datapoints, now_ms, d->id, d->type, d->numeric, d->number,
                            d->value.data, d->value.len);
        if (s->config.profile && !profile_datapoint(s->config.profile, d->id))
                s->base.counters[TUYA_UNKNOWN_DATAPOINTS]++;
}

/* Of a value that waits for its direction the first in a moment counts: only that is old enough in the end. */
static void hold_directed(struct tuya_session *s, uint8_t id) {
        const struct profile_datapoint *row = profile_datapoint(s->config.profile, id);
        const struct datapoint *value = datapoint_table_get(&s->base.datapoints, id);
        struct tuya_moment *m = &s->moment;

        if (!row || !value || row->direction_id == 0 || m->has[id] || m->n_held == TUYA_HELD_MAX)
                return;
        m->held[m->n_held++] = *value;
}

/* Zeros that were held must not travel with the first real values, which need not renew them. */
static void add_datapoint(struct tuya_session *s, uint64_t now_ms, const struct tuya_datapoint *d) {
        if (s->moment.open && s->moment.zero_start && is_complete(s, now_ms))
                tuya_moment_drop(s, TUYA_WITHHELD_STARTING);
        if (!s->moment.open)
                s->moment = (struct tuya_moment) { .open = true, .first_ms = now_ms };
        hold_directed(s, d->id);
        if (d->numeric)
                tuya_increment_take(s, d->id, d->number);
        s->moment.has[d->id] = true;
        s->moment.last_ms = now_ms;
        s->moment.confirmed = false;
        /* Listening only, the acknowledgement may have passed before we came. */
        if (s->config.listen_only && d->numeric && d->number != 0 && is_mapped(s, d->id))
                tuya_publish(s, now_ms);
}

static void read_datapoints(struct tuya_session *s, uint64_t now_ms, struct span data, bool of_now) {
        struct tuya_truncation truncation;
        struct tuya_datapoint d;
        size_t offset = 0;
        int r;

        while ((r = tuya_datapoint_next(data, &offset, &d, &truncation)) > 0) {
                list_datapoint(s, now_ms, &d);
                if (!of_now)
                        continue;
                add_datapoint(s, now_ms, &d);
                tuya_write_note(s, now_ms, &d);
        }
        if (r < 0)
                s->base.counters[TUYA_DP_ERRORS]++;
}

void tuya_moment_add(struct tuya_session *s, uint64_t now_ms, struct span data) {
        s->last_report_ms = now_ms;
        if (s->first_report_ms == 0)
                s->first_report_ms = now_ms;
        if (s->publish_on_report)
                tuya_publish(s, now_ms);
        read_datapoints(s, now_ms, data, true);
}

void tuya_moment_note(struct tuya_session *s, uint64_t now_ms, struct span data) {
        read_datapoints(s, now_ms, data, false);
}

void tuya_moment_confirm(struct tuya_session *s) {
        s->moment.confirmed = s->moment.open;
}

static struct tuya_datapoint from_table(const struct datapoint *d) {
        return (struct tuya_datapoint) {
                .id = (uint8_t) d->id, .type = d->type, .numeric = d->numeric, .number = d->number,
                .value = span_of(d->bytes, d->length < DATAPOINT_BYTES_MAX ? d->length : DATAPOINT_BYTES_MAX),
        };
}

static const struct datapoint *held_value(const struct tuya_session *s, uint8_t id) {
        for (unsigned i = 0; i < s->moment.n_held; i++)
                if (s->moment.held[i].id == id)
                        return &s->moment.held[i];
        return NULL;
}

/* The direction did not change shortly before the value, nor since. */
static bool is_direction_certain(const struct tuya_session *s, const struct datapoint *value) {
        const struct profile_datapoint *row = profile_datapoint(s->config.profile, (uint8_t) value->id);
        const struct datapoint *direction = datapoint_table_get(&s->base.datapoints, row->direction_id);

        return direction && direction->last_change_ms + DIRECTION_LEAD_MS <= value->last_seen_ms;
}

static unsigned count_uncertain(const struct tuya_session *s) {
        unsigned n = 0;

        for (unsigned i = 0; i < s->moment.n_held; i++)
                n += !is_direction_certain(s, &s->moment.held[i]);
        return n;
}

static void map_value(const struct tuya_session *s, const struct tuya_directions *directions,
                      const struct datapoint *last, struct report *report) {
        const struct datapoint *held = held_value(s, (uint8_t) last->id);
        const struct profile_datapoint *row = profile_datapoint(s->config.profile, (uint8_t) last->id);
        struct tuya_datapoint d = from_table(held ? held : last);

        if (row && row->is_increment)
                d.number = tuya_increment_sum(s, d.id);
        if (!held || is_direction_certain(s, held))
                tuya_datapoint_map(s->config.profile, directions, &d, report);
}

/* Mapped only now, when everything of the moment is there. */
static void map_moment(const struct tuya_session *s, struct report *report) {
        const struct datapoint_table *table = &s->base.datapoints;
        struct tuya_directions directions = { 0 };

        *report = (struct report) { .at_ms = s->moment.n_held > 0 ? s->moment.held[0].last_seen_ms
                                                                  : s->moment.last_ms };
        for (unsigned i = 0; i < table->count; i++) {
                struct tuya_datapoint d = from_table(&table->items[i]);

                tuya_directions_note(&directions, &d);
        }
        for (unsigned i = 0; i < table->count; i++)
                if (s->moment.has[table->items[i].id] || tuya_increment_sum(s, (uint8_t) table->items[i].id) != 0)
                        map_value(s, &directions, &table->items[i], report);
}

static bool is_all_zero(const struct report *report) {
        for (unsigned i = 0; i < report->count; i++)
                if (report->readings[i].value != 0)
                        return false;
        return true;
}

static bool takes_to_zero(const struct tuya_session *s, const struct report *report) {
        for (unsigned i = 0; i < report->count; i++) {
                const struct reading *r = &report->readings[i];

                if (r->value == 0 && !r->is_increment && s->nonzero[r->channel][r->quantity])
                        return true;
        }
        return false;
}

enum verdict { PUBLISH, HOLD_ZERO, HOLD_CONFIRM, DROP };

static enum verdict judge(const struct tuya_session *s, uint64_t now_ms, const struct report *report) {
        uint64_t held_ms = now_ms - s->moment.last_ms;

        if (!s->seen_nonzero && is_all_zero(report) && now_ms < s->publishing_since_ms + ZERO_START_MS)
                return HOLD_ZERO;
        if (s->moment.confirmed || !takes_to_zero(s, report))
                return PUBLISH;
        if (s->config.listen_only)
                return held_ms < LISTEN_CONFIRM_MS ? HOLD_CONFIRM : PUBLISH;
        if (!s->has_heartbeat || s->wants_silence)
                return PUBLISH;  /* an MCU that answers none cannot be asked */
        return held_ms < CONFIRM_MAX_MS ? HOLD_CONFIRM : DROP;
}

/* Powers that were left out are asked for again. */
static void end_moment(struct tuya_session *s, uint64_t now_ms) {
        unsigned uncertain = count_uncertain(s);

        s->base.counters[TUYA_WITHHELD_DIRECTION] += uncertain;
        if (uncertain > 0) {
                s->poll_due_ms = now_ms;
                s->poll_again = true;
        }
        s->moment = (struct tuya_moment) { 0 };
}

static void publish_report(struct tuya_session *s, uint64_t now_ms, const struct report *report,
                           struct session_output *out) {
        for (unsigned i = 0; i < report->count; i++) {
                const struct reading *r = &report->readings[i];

                s->nonzero[r->channel][r->quantity] = r->value != 0;
                s->seen_nonzero |= r->value != 0;
        }
        s->last_data_ms = s->moment.last_ms;
        tuya_increments_published(s);
        end_moment(s, now_ms);
        out->report = *report;
        out->has_report = true;
}

void tuya_moment_poll(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        struct report report;

        if (s->config.listen_only && s->first_report_ms > 0 && now_ms >= s->first_report_ms + LISTEN_PUBLISH_MS)
                tuya_publish(s, now_ms);
        if (!s->moment.open || !is_complete(s, now_ms))
                return;
        if (!s->publishing && !s->config.listen_only) {
                tuya_moment_drop(s, TUYA_WITHHELD_STARTING);
                return;
        }
        if (!s->publishing)
                return;
        map_moment(s, &report);
        if (report.count == 0) {
                end_moment(s, now_ms);
                return;
        }
        switch (judge(s, now_ms, &report)) {
        case PUBLISH:
                publish_report(s, now_ms, &report, out);
                break;
        case DROP:
                tuya_moment_drop(s, TUYA_WITHHELD_UNCONFIRMED);
                break;
        case HOLD_ZERO:
                s->moment.zero_start = true;
                break;
        case HOLD_CONFIRM:
                break;
        }
}

static enum verdict current_verdict(const struct tuya_session *s, uint64_t now_ms) {
        struct report report;

        map_moment(s, &report);
        return judge(s, now_ms, &report);
}

bool tuya_moment_wants_heartbeat(const struct tuya_session *s, uint64_t now_ms) {
        return s->moment.open && s->publishing && !s->config.listen_only && is_complete(s, now_ms) &&
               current_verdict(s, now_ms) == HOLD_CONFIRM;
}

uint64_t tuya_moment_deadline(const struct tuya_session *s, uint64_t now_ms) {
        uint64_t listen_ms = SESSION_NEVER;

        if (s->config.listen_only && !s->publishing && s->first_report_ms > 0)
                listen_ms = s->first_report_ms + LISTEN_PUBLISH_MS;
        if (!s->moment.open)
                return listen_ms;
        if (!is_complete(s, now_ms))
                return min_u64(listen_ms, complete_at(s));
        if (!s->publishing)
                return listen_ms;
        if (current_verdict(s, now_ms) == HOLD_ZERO)
                return s->publishing_since_ms + ZERO_START_MS;
        return s->moment.last_ms + (s->config.listen_only ? LISTEN_CONFIRM_MS : CONFIRM_MAX_MS);
}
