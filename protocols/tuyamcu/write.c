/* One datapoint that somebody wants written: whether it may be, its frame, and whether the meter has done it.
 *
 * It is sent once. A frame sent twice could switch twice, and one that waits for a better time would switch when
 * nobody expects it any more; so what cannot leave at once is given up, and what is not confirmed is told. */
#include "protocols/tuyamcu/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
        UNSENT_MAX_MS = 5000,   /* a request before it is answered or given up by then */
        CONFIRM_MAX_MS = 6000,  /* 1 s for a report by itself, then a query of 3 s at most, and one more heartbeat */
};

/* ---- may it be written? ---- */

__attribute__((format(printf, 3, 4)))
static int refuse(struct action_refusal *refusal, int result, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(refusal->text, sizeof refusal->text, format, args);
        va_end(args);
        return result;
}

static int refuse_value(struct action_refusal *refusal, const struct datapoint_write *what, const char *expected) {
        refusal->key = value_form_keys[what->form];
        return refuse(refusal, -EINVAL, "datapoint %u takes %s", what->id, expected);
}

static int check_allowed(const struct tuya_session *s, const struct datapoint_write *what,
                         const struct profile_datapoint *row, struct action_refusal *refusal) {
        const struct datapoint *seen = datapoint_table_get(&s->base.datapoints, what->id);

        if (!s->config.profile)
                return refuse(refusal, -EACCES, "nothing is written to a meter without a profile");
        if (!row)
                return refuse(refusal, -EACCES, "its profile %s does not know datapoint %u", s->config.profile->name,
                              what->id);
        if (row->danger != DANGER_NONE)
                return refuse(refusal, -EACCES, "datapoint %u is never written: its profile %s marks it as dangerous "
                              "(%s)", what->id, s->config.profile->name, datapoint_danger_names[row->danger]);
        if (!row->writable)
                return refuse(refusal, -EACCES,
                              "datapoint %u is not writable: its profile %s does not say access: rw", what->id,
                              s->config.profile->name);
        if (seen && seen->type != row->type)
                return refuse(refusal, -EACCES, "datapoint %u is not written: the meter reports it with another type "
                              "than its profile %s says", what->id, s->config.profile->name);
        return 0;
}

/* What the type and its width can hold. */
static void type_range(uint8_t type, unsigned width, int64_t *ret_min, int64_t *ret_max) {
        bool is_signed = type == DATAPOINT_VALUE && width == 4;

        *ret_min = is_signed ? INT32_MIN : 0;
        *ret_max = is_signed ? INT32_MAX : type == DATAPOINT_BOOL ? 1 : (INT64_C(1) << 8 * width) - 1;
}

static int check_number(const struct datapoint_write *what, const struct profile_datapoint *row, unsigned width,
                        struct action_refusal *refusal) {
        char expected[64];
        int64_t min, max;

        type_range(row->type, width, &min, &max);
        if (row->has_range) {
                min = row->range_min > min ? row->range_min : min;
                max = row->range_max < max ? row->range_max : max;
        }
        if (row->type == DATAPOINT_BOOL)
                snprintf(expected, sizeof expected, "true or false");
        else
                snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long) min,
                         (long long) max);
        if ((what->form == VALUE_FLAG && row->type != DATAPOINT_BOOL) || what->number < min || what->number > max)
                return refuse_value(refusal, what, expected);
        return 0;
}

/* In the last step of the start, when the meter already counts as there, a write waits for its turn. */
static int check_ready(const struct tuya_session *s, struct action_refusal *refusal) {
        if (!s->told_cloud)
                return -EBUSY;
        if (s->unsure || s->missed > 0)
                return refuse(refusal, -EBUSY, "it has not answered the last heartbeat");
        if (s->low_power || s->wants_silence)
                return refuse(refusal, -EBUSY, "it sleeps, or asked not to be disturbed");
        return 0;
}

/* ---- its frame ---- */

/* As the meter itself has it; one that was never seen has its usual width. */
static unsigned width_of(const struct tuya_session *s, const struct datapoint_write *what,
                         const struct profile_datapoint *row) {
        const struct datapoint *seen = datapoint_table_get(&s->base.datapoints, what->id);

        if (seen && (seen->length == 1 || seen->length == 2 || seen->length == 4))
                return seen->length;
        if (row->type == DATAPOINT_VALUE)
                return 4;
        if (row->type != DATAPOINT_BITMAP || what->number <= UINT8_MAX)
                return 1;
        return what->number <= UINT16_MAX ? 2 : 4;
}

static void put_number(struct tuya_write *w, unsigned width, int64_t number) {
        for (unsigned i = 0; i < width; i++)
                w->unit[TUYA_UNIT_HEADER_SIZE + i] = (uint8_t) ((uint64_t) number >> 8 * (width - 1 - i));
        w->len = width;
}

static int put_value(struct tuya_session *s, const struct datapoint_write *what, const struct profile_datapoint *row,
                     struct action_refusal *refusal) {
        enum value_form form = row->type == DATAPOINT_STRING ? VALUE_TEXT : VALUE_BYTES;
        unsigned width;
        int r;

        if (row->type == DATAPOINT_STRING || row->type == DATAPOINT_RAW) {
                if (what->form != form)
                        return refuse_value(refusal, what, form == VALUE_TEXT ? "a text: give \"text\""
                                                                              : "bytes: give \"hex\"");
                memcpy(s->write.unit + TUYA_UNIT_HEADER_SIZE, what->bytes, what->len);
                s->write.len = what->len;
                return 0;
        }
        if (what->form != VALUE_NUMBER && what->form != VALUE_FLAG)
                return refuse_value(refusal, what, "a number: give \"raw\"");
        width = width_of(s, what, row);
        r = check_number(what, row, width, refusal);
        if (r == 0)
                put_number(&s->write, width, what->number);
        return r;
}

static void put_header(struct tuya_write *w, uint8_t id, uint8_t type) {
        w->unit[0] = id;
        w->unit[1] = type;
        put_be16(w->unit + 2, (uint16_t) w->len);
        w->len += TUYA_UNIT_HEADER_SIZE;
}

int tuya_write_begin(struct tuya_session *s, uint64_t now_ms, const struct datapoint_write *what,
                     struct action_refusal *refusal) {
        const struct profile_datapoint *row = NULL;
        int r;

        if (s->config.profile && what->id <= UINT8_MAX)
                row = profile_datapoint(s->config.profile, (uint8_t) what->id);
        r = check_allowed(s, what, row, refusal);
        if (r < 0)
                return r;
        if (s->base.write.status == WRITE_PENDING)
                return refuse(refusal, -EBUSY, "datapoint %u is being written", s->base.write.what.id);
        s->write = (struct tuya_write) { .sent = false };
        r = put_value(s, what, row, refusal);
        if (r == 0)
                r = check_ready(s, refusal);
        if (r < 0)
                return r;
        put_header(&s->write, row->id, row->type);
        s->base.write.status = WRITE_PENDING;
        s->base.write.reason = "waiting for its turn";
        s->base.write.what = *what;
        s->base.write.asked_ms = now_ms;
        s->base.write.count++;
        return 0;
}

/* ---- what becomes of it ---- */

static bool is_pending(const struct tuya_session *s) {
        return s->base.write.status == WRITE_PENDING;
}

static void end_write(struct tuya_session *s, uint64_t now_ms, enum write_status status, const char *reason) {
        struct session_write *w = &s->base.write;

        w->status = status;
        w->reason = reason;
        w->ended_ms = now_ms;
        w->ended++;
}

bool tuya_write_is_due(const struct tuya_session *s) {
        return is_pending(s) && !s->write.sent;
}

void tuya_write_sent(struct tuya_session *s, uint64_t now_ms) {
        s->write.sent = true;
        s->write.sent_ms = now_ms;
        s->base.write.reason = "waiting for the meter to report it";
}

static bool is_what_was_written(const struct tuya_write *w, const struct tuya_datapoint *d) {
        size_t len = w->len - TUYA_UNIT_HEADER_SIZE;

        return d->type == w->unit[1] && d->value.len == len &&
               (len == 0 || memcmp(d->value.data, w->unit + TUYA_UNIT_HEADER_SIZE, len) == 0);
}

void tuya_write_note(struct tuya_session *s, uint64_t now_ms, const struct tuya_datapoint *d) {
        if (!is_pending(s) || !s->write.sent || d->id != s->write.unit[0])
                return;
        s->write.differs = !is_what_was_written(&s->write, d);
        if (s->write.differs)
                return;  /* it may have been on its way */
        end_write(s, now_ms, WRITE_CONFIRMED, "the meter reports it");
        if (tuya_is_awaited(s, TUYA_SET))
                tuya_answered(s, now_ms);
}

void tuya_write_abandon(struct tuya_session *s, uint64_t now_ms) {
        if (is_pending(s))
                end_write(s, now_ms, WRITE_UNCONFIRMED,
                          s->write.sent ? "the meter restarted or was lost before it reported the value"
                                        : "the meter restarted or was lost before it was sent: nothing was written");
}

void tuya_write_update(struct tuya_session *s, uint64_t now_ms) {
        if (now_ms < tuya_write_deadline(s))
                return;
        if (!s->write.sent)
                end_write(s, now_ms, WRITE_UNCONFIRMED, "the line was busy for too long: nothing was written");
        else
                end_write(s, now_ms, WRITE_UNCONFIRMED, s->write.differs ? "the meter reports another value"
                                                                         : "the meter did not report it");
}

uint64_t tuya_write_deadline(const struct tuya_session *s) {
        if (!is_pending(s))
                return SESSION_NEVER;
        return s->write.sent ? s->write.sent_ms + CONFIRM_MAX_MS : s->base.write.asked_ms + UNSENT_MAX_MS;
}
