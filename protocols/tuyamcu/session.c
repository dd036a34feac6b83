/* The session as a whole: what arrives, and the state that others see. */
#include "protocols/tuyamcu/session.h"

#include <errno.h>
#include <string.h>

#include "protocols/tuyamcu/tuyamcu.h"

enum {
        START_SILENCE_MS = 5000,     /* during a script: begin again */
        MISSED_STALE = 2,
        MISSED_OFFLINE = 4,
        SILENCE_OFFLINE_MS = 30000,
        LISTEN_SPEED_MS = 20000,     /* the real module asks every 15 s, whatever the meter does */
        PINS_HINT_MS = 60000,
};

void tuya_set_state(struct tuya_session *s, enum meter_state state, const char *reason) {
        s->base.state = state;
        s->base.reason = reason;
}

void tuya_start(struct session *base, const struct session_config *config, uint64_t now_ms) {
        struct tuya_session *s = tuya_session(base);

        s->config = *config;
        s->n_answers = 0;
        s->last_tx_ms = 0;
        s->blocked_since_ms = 0;
        s->module_state = TUYA_STATE_NONE;
        s->network_state = TUYA_STATE_CONFIGURED;
        s->swapped = s->asked = s->understood = false;
        s->speed_since_ms = now_ms;
        s->has_heartbeat = false;
        s->was_online = false;
        s->low_power = false;
        s->mode_has_pins = false;
        if (base->baud_wanted == 0)
                base->baud_wanted = tuya_first_baud(s);
        tuya_search(s, now_ms);
        tuya_unpublish(s, TUYA_WITHHELD_RESTART);
        s->last_data_ms = now_ms;
        base->hint = NULL;
        tuya_set_state(s, METER_CONNECTING,
                       config->listen_only ? "listening" : "waiting for the meter's first answer");
}

void tuya_stop(struct session *base, const char *reason) {
        struct tuya_session *s = tuya_session(base);

        tuya_unpublish(s, TUYA_WITHHELD_RESTART);
        tuya_write_abandon(s, max_u64(max_u64(s->last_heard_ms, s->last_tx_ms), base->write.asked_ms));
        tuya_set_state(s, base->state == METER_CONNECTING ? METER_CONNECTING : METER_OFFLINE, reason);
}

void tuya_set_profile(struct session *base, const struct profile *profile) {
        struct tuya_session *s = tuya_session(base);
        const struct profile *before = s->config.profile;
        bool same = before && profile && strcmp(before->name, profile->name) == 0;

        s->config.profile = profile;
        if (same)
                return;
        memset(s->nonzero, 0, sizeof s->nonzero);
        memset(s->increments, 0, sizeof s->increments);
}

/* ---- receiving ---- */

/* Only a module sends it empty: ourselves, through joined wires. */
static void on_empty_heartbeat(struct tuya_session *s) {
        s->base.counters[TUYA_ECHOES]++;
        s->base.hint = "the gateway hears its own frames: the RX and TX wires touch, or are swapped at one end";
}

static void on_heartbeat(struct tuya_session *s, uint64_t now_ms, struct span data) {
        bool first = !s->has_heartbeat;

        if (data.len == 0) {
                on_empty_heartbeat(s);
                return;
        }
        s->has_heartbeat = true;
        if (s->low_power) {  /* it was none after all */
                s->low_power = false;
                tuya_begin_again(s, now_ms, "the meter answers heartbeats");
                return;
        }
        if (data.data[0] == 0 && !first) {
                s->base.counters[TUYA_RESTARTS]++;
                tuya_begin_again(s, now_ms, "the meter restarted");
                return;
        }
        if (s->unsure && tuya_is_running(s)) {
                tuya_begin_again(s, now_ms, "a heartbeat went unanswered: the meter may have restarted");
                return;
        }
        tuya_moment_confirm(s);
        if (tuya_is_awaited(s, TUYA_HEARTBEAT))
                tuya_answered(s, now_ms);
}

/* An MCU that speaks version 00 and answers no heartbeat is a battery device. */
static bool looks_low_power(const struct tuya_session *s, const struct tuya_frame *f) {
        if (s->low_power || s->has_heartbeat || s->config.listen_only || f->version != 0)
                return false;
        switch (f->command) {
        case TUYA_PRODUCT:
                return f->data.len > 0 && tuya_is_searching(s);
        case TUYA_LOW_REPORT:
                return f->data.len >= 4;
        case TUYA_LOW_RECORD:
                return f->data.len >= 7;
        default:
                return f->command == TUYA_LOW_DP_CACHE;
        }
}

static void on_product(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        if (f->data.len == 0)
                return;
        tuya_product_field(f->data.data, f->data.len, 'p', s->base.product_key, sizeof s->base.product_key);
        tuya_product_field(f->data.data, f->data.len, 'v', s->base.firmware, sizeof s->base.firmware);
        s->base.started = true;
        if (s->low_power && f->version != 0) {
                s->low_power = false;
                tuya_search(s, now_ms);
        } else if (tuya_is_awaited(s, TUYA_PRODUCT) && (s->low_power || !tuya_is_searching(s)))
                tuya_answered(s, now_ms);
}

static void on_mode(struct tuya_session *s, uint64_t now_ms, struct span data) {
        if (!tuya_is_awaited(s, TUYA_MODE))
                return;
        s->mode_has_pins = data.len == 2 || data.len == 3;
        tuya_answered(s, now_ms);
}

static void on_network_state(struct tuya_session *s, uint64_t now_ms, struct span data) {
        if (data.len > 0)
                return;  /* our own, through joined wires */
        if (s->config.listen_only && s->module_state == TUYA_STATE_CLOUD)
                tuya_publish(s, now_ms);
        if (tuya_is_awaited(s, TUYA_NETWORK_STATE))
                tuya_answered(s, now_ms);
}

static void note_latency(struct session *base, uint32_t latency_ms) {
        base->latency_last_ms = latency_ms;
        if (latency_ms > base->latency_max_ms)
                base->latency_max_ms = latency_ms;
        base->latency_sum_ms += latency_ms;
        base->latency_count++;
}

static void on_report(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        if (tuya_is_awaited(s, TUYA_QUERY) && !s->request.answered) {
                s->request.answered = true;
                note_latency(&s->base, (uint32_t) (now_ms - s->request.sent_ms));
        } else if (s->asked)
                note_latency(&s->base, (uint32_t) (now_ms - s->asked_ms));
        s->asked = false;
        tuya_moment_add(s, now_ms, f->data);
        if (f->command != TUYA_REPORT_SYNC || s->config.listen_only)
                return;
        tuya_queue_answer(s, TUYA_REPORT_SYNC_ANSWER, (const uint8_t[]) { 1 }, 1);
        s->base.counters[TUYA_SYNC_ACKNOWLEDGED]++;
}

/* An echo, or, when listening, the real module on a receiver that hears both. */
static bool is_module_frame(const struct tuya_session *s, const struct tuya_frame *f) {
        bool asks = f->command == TUYA_HEARTBEAT || f->command == TUYA_QUERY;

        if (f->version != 0)
                return false;
        if (!s->config.listen_only)
                return asks && f->data.len == 0;
        if (f->data.len > 0)
                return f->command == TUYA_NETWORK_STATE || f->command == TUYA_SET;
        return asks || f->command == TUYA_PRODUCT || f->command == TUYA_MODE;
}

/* Of version 0 is what a module sends, and what some meters do. The module's answers (the time, the signal) look like
 * a meter's questions: only what is no module's shows that a meter is there. */
static bool shows_meter(const struct tuya_session *s, const struct tuya_frame *f) {
        static const uint8_t of_meters[] = { TUYA_HEARTBEAT, TUYA_PRODUCT, TUYA_MODE, TUYA_REPORT, TUYA_REPORT_SYNC,
                                             TUYA_LOW_REPORT, TUYA_LOW_RECORD };

        if (is_module_frame(s, f))
                return false;
        if (!s->config.listen_only || f->version != 0 || f->command == TUYA_NETWORK_STATE)
                return true;
        return f->data.len > 0 && memchr(of_meters, f->command, sizeof of_meters) != NULL;
}

/* What the real module says, when listening. */
static void note_module(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        if (f->command == TUYA_NETWORK_STATE && f->data.len > 0)
                s->module_state = f->data.data[0];
        if (f->command != TUYA_QUERY)
                return;
        s->asked = true;
        s->asked_ms = now_ms;
}

void tuya_request(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len) {
        struct tuya_session *s = tuya_session(base);
        struct tuya_frame f = tuya_frame_open(frame, len);

        s->understood = true;
        s->swapped |= f.data.len > 0 && (f.command == TUYA_REPORT || f.command == TUYA_REPORT_SYNC);
        note_module(s, now_ms, &f);
}

static bool take_ordinary(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        switch (f->command) {
        case TUYA_MODE:
                on_mode(s, now_ms, f->data);
                return true;
        case TUYA_NETWORK_STATE:
                on_network_state(s, now_ms, f->data);
                return true;
        case TUYA_REPORT:
        case TUYA_REPORT_SYNC:
                on_report(s, now_ms, f);
                return true;
        default:
                return is_module_frame(s, f) || tuya_answer_request(s, now_ms, f);
        }
}

static bool take_low_power(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        if (f->command == TUYA_LOW_STATE && tuya_is_awaited(s, TUYA_LOW_STATE))
                tuya_answered(s, now_ms);
        return tuya_answer_low_power(s, now_ms, f);
}

void tuya_frame(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len) {
        struct tuya_session *s = tuya_session(base);
        struct tuya_frame f = tuya_frame_open(frame, len);
        bool known = true;

        s->understood = true;
        if (s->config.listen_only && is_module_frame(s, &f)) {
                note_module(s, now_ms, &f);
                return;
        }
        if (shows_meter(s, &f)) {
                s->last_heard_ms = now_ms;
                s->heard = true;
                s->missed = 0;
        }
        if (looks_low_power(s, &f)) {
                s->low_power = true;
                tuya_play(s, now_ms, &tuya_script_low_power, f.command == TUYA_PRODUCT ? 1 : 0);
        }
        if (f.command == TUYA_HEARTBEAT)
                on_heartbeat(s, now_ms, f.data);
        else if (f.command == TUYA_PRODUCT)
                on_product(s, now_ms, &f);
        else
                known = s->low_power ? take_low_power(s, now_ms, &f) : take_ordinary(s, now_ms, &f);
        if (!known)
                base->counters[TUYA_UNKNOWN_COMMANDS]++;
}

/* ---- state ---- */

static uint64_t silence_limit(const struct tuya_session *s) {
        return tuya_is_running(s) ? SILENCE_OFFLINE_MS : START_SILENCE_MS;
}

/* The dialogue has come so far that the meter counts as there. */
static bool is_up(const struct tuya_session *s) {
        if (s->config.listen_only || s->low_power)
                return s->heard || s->was_online;
        return s->told_cloud;
}

static uint64_t listen_deadline(const struct tuya_session *s) {
        if (!s->understood && s->config.has_speed)
                return s->speed_since_ms + LISTEN_SPEED_MS;
        return is_up(s) && s->base.state != METER_OFFLINE ? s->last_heard_ms + SILENCE_OFFLINE_MS : SESSION_NEVER;
}

/* When silence alone changes something. A device that sleeps, or asked for silence, may be silent. */
static uint64_t silence_deadline(const struct tuya_session *s) {
        if (s->config.listen_only)
                return listen_deadline(s);
        if (tuya_is_searching(s) || (s->wants_silence && tuya_is_running(s)))
                return SESSION_NEVER;
        return s->last_heard_ms + silence_limit(s);
}

/* Nobody can be asked whether the speed is right. */
static void listen_at_next_speed(struct tuya_session *s, uint64_t now_ms) {
        if (s->understood || !s->config.has_speed || now_ms < s->speed_since_ms + LISTEN_SPEED_MS)
                return;
        tuya_next_baud(s);
        s->speed_since_ms = now_ms;
}

static void check_silence(struct tuya_session *s, uint64_t now_ms) {
        if (s->config.listen_only)
                listen_at_next_speed(s, now_ms);
        if (s->config.listen_only || tuya_is_searching(s))
                return;
        if (now_ms < silence_deadline(s) && s->missed < MISSED_OFFLINE)
                return;
        if (s->was_online && !s->low_power)
                tuya_set_state(s, METER_OFFLINE, "the meter does not answer");
        tuya_unpublish(s, TUYA_WITHHELD_UNCONFIRMED);
        tuya_search(s, now_ms);
}

static uint64_t stale_at(const struct tuya_session *s) {
        /* Without a profile nothing is ever published: then any report shows that it lives. */
        uint64_t data_ms = s->config.profile || s->last_report_ms < s->last_data_ms ? s->last_data_ms
                                                                                     : s->last_report_ms;

        return data_ms + s->config.stale_after_ms;
}

static void update_hint(struct tuya_session *s, uint64_t now_ms) {
        bool up = is_up(s);

        if (s->swapped) {
                s->base.hint = "the meter's reports arrive at port_tx: port and port_tx are swapped";
                return;
        }
        if (!up && s->config.listen_only && s->understood)
                s->base.hint = "the module is heard, the meter is not: port belongs on the line that the meter sends "
                               "on";
        else if (!up && !s->heard && s->base.state == METER_CONNECTING && s->base.counters[TUYA_ECHOES] == 0)
                s->base.hint = "nothing understandable arrives: check the power of the meter, RX and TX, and the "
                               "speed (baud)";
        if (!up)
                return;
        s->base.hint = NULL;
        if (s->low_power)
                s->base.hint = "this device speaks the low-power command set of battery devices: it sleeps most of "
                               "the time, and its values come when it wakes";
        else if (s->mode_has_pins && now_ms >= s->last_data_ms + PINS_HINT_MS && s->last_report_ms < s->last_data_ms)
                s->base.hint = "this meter may wait for its module's LED pin: connect that pin through a resistor "
                               "to the level that lights the LED";
}

static void update_state(struct tuya_session *s, uint64_t now_ms) {
        update_hint(s, now_ms);
        if (!is_up(s))
                return;
        s->was_online = true;
        if (s->config.listen_only && now_ms >= s->last_heard_ms + SILENCE_OFFLINE_MS)
                tuya_set_state(s, METER_OFFLINE, "the line is silent");
        else if (s->missed >= MISSED_STALE)
                tuya_set_state(s, METER_STALE, "heartbeats are not answered");
        else if (now_ms >= stale_at(s))
                tuya_set_state(s, METER_STALE, s->low_power ? "the device sleeps" : "no fresh readings");
        else
                tuya_set_state(s, METER_ONLINE, "the meter answers");
}

void tuya_poll(struct session *base, uint64_t now_ms, bool receiving, struct session_output *out) {
        struct tuya_session *s = tuya_session(base);

        out->tx_len = 0;
        out->has_report = false;
        tuya_write_update(s, now_ms);
        tuya_dialogue_update(s, now_ms);
        check_silence(s, now_ms);
        tuya_moment_poll(s, now_ms, out);
        update_state(s, now_ms);
        if (!s->config.listen_only)
                tuya_dialogue_send(s, now_ms, receiving, out);
        out->next_ms = min_u64(tuya_dialogue_deadline(s, now_ms, receiving), tuya_moment_deadline(s, now_ms));
        out->next_ms = min_u64(out->next_ms, min_u64(silence_deadline(s), tuya_write_deadline(s)));
        if (base->state == METER_ONLINE)
                out->next_ms = min_u64(out->next_ms, stale_at(s));
}

/* A battery device is awake when it likes, and some meters asked not to be disturbed. The start-up queries anyway. */
static int query(struct tuya_session *s, uint64_t now_ms) {
        if (tuya_is_searching(s) || s->low_power || s->wants_silence)
                return -EBUSY;
        s->poll_due_ms = now_ms;
        s->poll_again = true;
        return 0;
}

int tuya_act(struct session *base, uint64_t now_ms, const struct action_request *request,
             struct action_refusal *refusal) {
        struct tuya_session *s = tuya_session(base);

        if (s->config.listen_only)
                return -EOPNOTSUPP;
        switch (request->action) {
        case ACTION_QUERY:
                return query(s, now_ms);
        case ACTION_SET_DATAPOINT:
                return tuya_write_begin(s, now_ms, &request->write, refusal);
        default:
                return -EOPNOTSUPP;
        }
}
