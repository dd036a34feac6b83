/* The session as a whole: its beginning and end, and what arrives. */
#include "protocols/vue/session.h"

#include <stdio.h>
#include <string.h>

void vue_start(struct session *base, const struct session_config *config, uint64_t now_ms) {
        struct vue_session *s = vue_session(base);

        s->config = *config;
        s->open = true;
        s->heard = false;
        s->has_good = s->has_unusable = false;
        s->has_sequence = false;
        s->zeros_in_row = 0;
        s->frame_len = 0;
        s->n_pending = 0;
        s->last_tx_ms = s->last_input_ms = s->last_text_ms = s->last_heard_ms = 0;
        s->blocked_since_ms = 0;
        s->started_ms = now_ms;
        s->console.echoed = s->console.booted = false;
        s->console.len = 0;
        s->console.debris = VUE_DEBRIS_NONE;
        base->baud_wanted = config->baud;
        base->started = false;
        base->hint = NULL;
        vue_begin(s, now_ms);
        vue_update_state(s, now_ms);
}

void vue_stop(struct session *base, const char *reason) {
        struct vue_session *s = vue_session(base);

        s->open = false;
        s->n_pending = 0;
        s->request.waiting = false;
        base->hint = NULL;
        base->state = base->state == METER_CONNECTING ? METER_CONNECTING : METER_OFFLINE;
        base->reason = reason;
}

void vue_set_profile(struct session *base, const struct profile *profile) {
        (void) base, (void) profile;  /* the module says everything itself */
}

/* ---- receiving ---- */

static void on_firmware(struct vue_session *s, struct span payload) {
        s->has_firmware = true;
        s->firmware = payload.data[0];
        snprintf(s->base.firmware, sizeof s->base.firmware, "%u", (unsigned) s->firmware);
}

static void on_mac(struct vue_session *s, struct span payload) {
        s->has_mac = true;
        vue_mac_text(payload, s->mac);
}

static void on_install_code(struct vue_session *s, struct span payload) {
        s->has_install_code = true;
        memcpy(s->install_code, payload.data, sizeof s->install_code);
}

static void on_join(struct vue_session *s, uint64_t now_ms, struct span payload) {
        s->has_join = true;
        s->join = payload.data[0];
        s->join_at_ms = now_ms;
}

static void on_notice(struct vue_session *s, uint64_t now_ms, struct span payload) {
        s->has_notice = true;
        s->notice = payload.data[0];
        s->notice_at_ms = now_ms;
        s->base.counters[s->notice <= 2 ? (unsigned) VUE_NOTICES_0 + s->notice : (unsigned) VUE_NOTICES_OTHER]++;
}

static void take(struct vue_session *s, uint64_t now_ms, struct vue_frame f, const uint8_t *frame, size_t len) {
        switch (f.type) {
        case VUE_FIRMWARE:
                on_firmware(s, f.payload);
                vue_answered(s, now_ms, VUE_ASK_FIRMWARE);
                break;
        case VUE_MAC:
                on_mac(s, f.payload);
                vue_answered(s, now_ms, VUE_ASK_MAC);
                break;
        case VUE_INSTALL_CODE:
                on_install_code(s, f.payload);
                vue_answered(s, now_ms, VUE_ASK_INSTALL_CODE);
                break;
        case VUE_JOIN:
                on_join(s, now_ms, f.payload);
                vue_answered(s, now_ms, VUE_ASK_JOIN);
                break;
        case VUE_READ:
                vue_take_reading(s, now_ms, frame, len);
                break;
        default:
                on_notice(s, now_ms, f.payload);
                break;
        }
}

void vue_frame(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len) {
        struct vue_session *s = vue_session(base);
        struct vue_frame f = vue_frame_of(frame, len);
        enum vue_reject reject = vue_frame_reject(f);

        s->last_input_ms = now_ms;
        vue_console_frame(&s->console);
        if (reject != VUE_OK) {
                base->counters[reject == VUE_BAD_LENGTH ? VUE_ERROR_BAD_LENGTH : VUE_ERROR_UNKNOWN_TYPE]++;
                return;
        }
        take(s, now_ms, f, frame, len);
        vue_heard(s, now_ms);
}

void vue_request(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len) {
        struct vue_session *s = vue_session(base);
        enum vue_ask ask;

        (void) len;
        if (s->open && vue_ask_of((char) frame[1], &ask))
                vue_asked(s, now_ms, ask);
}

void vue_text(struct session *base, uint64_t now_ms, const uint8_t *bytes, size_t len) {
        struct vue_session *s = vue_session(base);
        unsigned redacted;

        s->last_input_ms = s->last_text_ms = now_ms;
        base->counters[VUE_CONSOLE_LINES] += vue_console_take(&s->console, now_ms, bytes, len, &redacted);
        base->counters[VUE_CONSOLE_REDACTED] += redacted;
        if (!s->console.booted)
                return;
        s->console.booted = false;
        if (s->open)
                vue_booted(s, now_ms);
}

/* ---- a turn ---- */

void vue_poll(struct session *base, uint64_t now_ms, bool receiving, struct session_output *out) {
        struct vue_session *s = vue_session(base);

        out->tx_len = 0;
        vue_dialogue_update(s, now_ms, receiving);
        out->has_report = vue_next_report(s, &out->report);
        vue_update_state(s, now_ms);
        if (!s->config.listen_only)
                vue_dialogue_send(s, now_ms, receiving, out);
        out->next_ms = vue_earlier(vue_dialogue_deadline(s, now_ms, receiving), vue_state_deadline(s, now_ms));
}
