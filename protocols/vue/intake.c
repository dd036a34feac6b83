/* What readings say, and whether they may be published. */
#include "protocols/vue/session.h"

#include <stdio.h>
#include <string.h>

#include "protocols/vue/zcl.h"

enum {
        MARKER_RAW = 4194304,        /* "no value" in a record dump, and a count that every register reaches once */
        MARKER_REACH = 20000,        /* counts below it from which it is believed */
        REPEAT_MS = 1000,            /* a record dump has no sequence number: so soon it is a repetition */

        /* Origins of record dumps: no attribute of the five has this bit. */
        ORIGIN_BYTE = 0x8000,
        BYTE_IMPORT = 4,
        BYTE_POWER = 57,
};

void vue_origin_name(uint16_t origin, char *buf, size_t size) {
        if (origin & ORIGIN_BYTE)
                snprintf(buf, size, "byte %u", (unsigned) (origin & ~ORIGIN_BYTE));
        else
                snprintf(buf, size, "attribute 0x%04X", (unsigned) origin);
}

/* ---- what arrived ---- */

/* The same frame once more. Two record dumps can be equal where the house stands still, and the module's counter. */
static bool is_duplicate(const struct vue_session *s, uint64_t now_ms, const uint8_t *frame, size_t len) {
        if (len != s->frame_len || memcmp(s->frame, frame, len) != 0)
                return false;
        /* Listening, whoever asks need not be heard. */
        return s->reading.has_sequence ||
               !(s->config.listen_only || (s->request.waiting && s->request.ask == VUE_ASK_READ)) ||
               now_ms < s->frame_at_ms + REPEAT_MS;
}

static void keep_frame(struct vue_session *s, uint64_t now_ms, const uint8_t *frame, size_t len) {
        memcpy(s->frame, frame, len);
        s->frame_len = len;
        s->frame_at_ms = now_ms;
}

static void list_attributes(struct vue_session *s, uint64_t now_ms, struct span payload) {
        struct span records = span_from(payload, ZCL_HEADER_SIZE);
        struct zcl_record record;
        struct vue_number number;
        size_t offset = 0;

        while (zcl_record_next(records, &offset, &record) > 0) {
                bool numeric = zcl_number(&record, &number);

                if (record.status == ZCL_SUCCESS)
                        datapoint_table_put(&s->base.datapoints, now_ms, record.id, record.type, numeric,
                                            numeric ? vue_number_clamped(number) : 0, record.value.data,
                                            record.value.len);
        }
}

static void follow_sequence(struct vue_session *s, const struct vue_reading *r) {
        if (!r->has_sequence)
                return;
        if (s->has_sequence && r->sequence != s->sequence && r->sequence != (uint8_t) (s->sequence + 1))
                s->base.counters[VUE_SEQUENCE_GAPS]++;
        s->has_sequence = true;
        s->sequence = r->sequence;
}

static void follow_scale(struct vue_session *s, uint64_t now_ms, const struct vue_reading *r) {
        uint64_t multiplier = r->multiplier.number.magnitude, divisor = r->divisor.number.magnitude;

        if (s->has_scale && (multiplier != s->multiplier || divisor != s->divisor)) {
                s->base.counters[VUE_SCALE_CHANGES]++;
                s->scale_changed = true;
                s->scale_changed_ms = now_ms;
        }
        s->has_scale = true;
        s->multiplier = multiplier;
        s->divisor = divisor;
}

/* The count that also means "no value" is believed when the register was about to reach it. */
static void settle_marker(struct vue_session *s, struct vue_reading *r) {
        if (r->import_doubtful) {
                if (s->has_import_raw && s->import_raw <= MARKER_RAW && MARKER_RAW - s->import_raw <= MARKER_REACH &&
                    r->import_if_true != 0) {
                        r->import.presence = VUE_PRESENT;
                        r->import.value = r->import_if_true;
                } else
                        s->base.counters[VUE_WITHHELD_MARKER]++;
        }
        if (r->layout != VUE_V2 || r->import.presence != VUE_PRESENT)
                return;
        s->has_import_raw = true;
        s->import_raw = r->import.raw.magnitude;
}

/* ---- publishing ---- */

static void add(struct vue_pending *p, const struct vue_value *v, unsigned quantity, uint16_t origin,
                const struct vue_reading *r) {
        if (v->presence != VUE_PRESENT)
                return;
        p->readings[p->count++] = (struct reading) {
                .value = v->value, .origin = origin, .quantity = (uint8_t) quantity,
                .step = quantity == Q_POWER ? 0 : r->step_mwh, .wrap = quantity == Q_POWER ? 0 : r->wrap_mwh,
        };
}

static void refuse(struct vue_session *s, uint64_t now_ms, enum vue_counter why) {
        s->base.counters[why]++;
        s->has_unusable = true;
        s->unusable = why;
        s->last_unusable_ms = now_ms;
}

/* What found no place makes room: the newest of a batch counts. */
static void publish(struct vue_session *s, uint64_t now_ms, const struct vue_reading *r) {
        bool dump = r->layout == VUE_V2;
        struct vue_pending p = { .at_ms = now_ms };

        add(&p, &r->power, Q_POWER, dump ? ORIGIN_BYTE | BYTE_POWER : ZCL_INSTANTANEOUS_DEMAND, r);
        add(&p, &r->import, Q_ENERGY_IMPORT, dump ? ORIGIN_BYTE | BYTE_IMPORT : ZCL_SUMMATION_DELIVERED, r);
        add(&p, &r->export, Q_ENERGY_EXPORT, ZCL_SUMMATION_RECEIVED, r);
        if (p.count == 0) {
                refuse(s, now_ms, VUE_NO_VALUES);
                return;
        }
        if (s->n_pending == VUE_PENDING_MAX) {
                s->n_pending--;
                memmove(s->pending, s->pending + 1, s->n_pending * sizeof s->pending[0]);
        }
        s->pending[s->n_pending++] = p;
        s->has_good = s->ever_good = true;
        s->last_good_ms = now_ms;
        s->has_unusable = false;
        s->zeros_in_row = 0;
}

bool vue_next_report(struct vue_session *s, struct report *ret) {
        const struct vue_pending *p = &s->pending[0];

        if (s->n_pending == 0)
                return false;
        ret->at_ms = p->at_ms;
        ret->count = p->count;
        memcpy(ret->readings, p->readings, p->count * sizeof p->readings[0]);
        s->n_pending--;
        memmove(s->pending, s->pending + 1, s->n_pending * sizeof s->pending[0]);
        return true;
}

/* ---- a reading ---- */

static enum vue_counter counter_of(enum vue_reject reject) {
        switch (reject) {
        case VUE_SHORT:
                return VUE_ERROR_SHORT;
        case VUE_NOT_READ_RESPONSE:
                return VUE_ERROR_NOT_READ_RESPONSE;
        case VUE_BAD_RECORD:
                return VUE_ERROR_BAD_RECORD;
        case VUE_NO_SCALE:
                return VUE_WITHHELD_NO_SCALE;
        default:
                return VUE_WITHHELD_UNSCALED;
        }
}

static void judge(struct vue_session *s, uint64_t now_ms, struct vue_reading *r) {
        if (r->reject != VUE_OK) {
                refuse(s, now_ms, counter_of(r->reject));
                return;
        }
        follow_scale(s, now_ms, r);
        settle_marker(s, r);
        if (r->has_unit && r->unit != 0)
                refuse(s, now_ms, VUE_WITHHELD_UNIT);
        else
                publish(s, now_ms, r);
}

void vue_take_reading(struct vue_session *s, uint64_t now_ms, const uint8_t *frame, size_t len) {
        struct vue_reading *r = &s->reading;
        struct span payload = vue_frame_of(frame, len).payload;

        if (is_duplicate(s, now_ms, frame, len)) {
                s->base.counters[VUE_DUPLICATES]++;
                return;
        }
        keep_frame(s, now_ms, frame, len);
        vue_reading_decode(payload, r);
        if (r->layout == VUE_ZCL && r->reject != VUE_BAD_RECORD)
                list_attributes(s, now_ms, payload);
        follow_sequence(s, r);
        /* Some modules send it before the real one: the request is not answered by it. */
        if (r->all_zero) {
                s->base.counters[VUE_ALL_ZERO]++;
                s->zeros_in_row++;
                return;
        }
        vue_answered(s, now_ms, VUE_ASK_READ);
        vue_reached(s, now_ms);
        judge(s, now_ms, r);
}
