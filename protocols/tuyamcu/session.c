/* The dialogue: what the Wi-Fi module would say to the MCU, and when. */
#include "protocols/tuyamcu/session.h"

#include <string.h>

#include "protocols/tuyamcu/tuyamcu.h"

enum {
        TX_GAP_MS = 50,              /* between two frames of ours */
        TX_BLOCKED_MAX_MS = 1000,    /* noise must not keep us from speaking for ever */
        STEP_TIMEOUT_MS = 1000,
        STEP_TRIES = 3,
        HEARTBEAT_TIMEOUT_MS = 3000,
        HEARTBEAT_PERIOD_MS = 10000,
        START_SILENCE_MS = 5000,     /* during start-up: begin again */
        QUERY_QUIET_MS = 300,        /* the answer to a query has no end mark */
        QUERY_MAX_MS = 3000,
        MISSED_STALE = 2,
        MISSED_OFFLINE = 4,
        SILENCE_OFFLINE_MS = 30000,
        PINS_HINT_MS = 60000,
};

enum { STATE_CONFIGURED = 2, STATE_WIFI = 3, STATE_CLOUD = 4, STATE_UNSEEN = 0xff };

struct step {
        uint8_t command;
        uint8_t data_len;
        uint8_t data;
};

/* The order of the PJ-MGW1103's own module (00 01 02 08 03/03 03/04), with the state 02 that other modules send
 * first, and with a second query once the MCU measures. */
static const struct step steps[] = {
        { TUYA_HEARTBEAT, 0, 0 },
        { TUYA_PRODUCT, 0, 0 },
        { TUYA_MODE, 0, 0 },
        { TUYA_NETWORK_STATE, 1, STATE_CONFIGURED },
        { TUYA_QUERY, 0, 0 },
        { TUYA_NETWORK_STATE, 1, STATE_WIFI },
        { TUYA_NETWORK_STATE, 1, STATE_CLOUD },
        { TUYA_QUERY, 0, 0 },
};
enum {
        STEP_SEARCH = 0,
        STEP_PRODUCT = 1,
        STEP_CLOUD = 6,
        STEP_ONLINE = STEP_CLOUD + 1,
        STEP_RUN = sizeof steps / sizeof steps[0],
};

static void set_state(struct tuya_session *s, enum meter_state state, const char *reason) {
        s->base.state = state;
        s->base.reason = reason;
}

/* The speeds to try: the profile's, then the protocol's. 0 past the last. */
static uint32_t candidate_baud(const struct tuya_session *s, unsigned index) {
        const struct profile *p = s->config.profile;
        unsigned n = p ? p->n_bauds : 0;

        return index < n ? p->bauds[index] : tuyamcu_protocol.bauds[index - n];
}

static void next_baud(struct tuya_session *s) {
        uint32_t before = s->base.baud_wanted;

        if (s->config.baud != 0)
                return;
        do {
                s->baud_index++;
                if (candidate_baud(s, s->baud_index) == 0)
                        s->baud_index = 0;
                s->base.baud_wanted = candidate_baud(s, s->baud_index);
        } while (s->base.baud_wanted == before && s->baud_index != 0);
        if (s->base.baud_wanted != before)
                s->base.counters[TUYA_BAUD_CHANGES]++;
}

static void begin_search(struct tuya_session *s, uint64_t now_ms) {
        s->step = STEP_SEARCH;
        s->tries = 0;
        s->probe = false;
        s->unsure = false;
        s->heard = false;
        s->request.waiting = false;
        s->last_heard_ms = now_ms;
        s->missed = 0;
}

void tuya_start(struct session *base, const struct session_config *config, uint64_t now_ms) {
        struct tuya_session *s = tuya_session(base);

        s->config = *config;
        s->n_answers = 0;
        s->last_tx_ms = 0;
        s->blocked_since_ms = 0;
        s->module_state = STATE_UNSEEN;
        s->has_heartbeat = false;
        s->was_online = false;
        if (config->baud != 0)
                base->baud_wanted = config->baud;
        else if (base->baud_wanted == 0)
                base->baud_wanted = candidate_baud(s, 0);
        begin_search(s, now_ms);
        tuya_unpublish(s, TUYA_WITHHELD_RESTART);
        s->last_data_ms = now_ms;
        base->hint = NULL;
        set_state(s, METER_CONNECTING, config->listen_only ? "listening" : "waiting for the meter's first answer");
}

void tuya_stop(struct session *base, const char *reason) {
        struct tuya_session *s = tuya_session(base);

        tuya_unpublish(s, TUYA_WITHHELD_RESTART);
        set_state(s, base->state == METER_CONNECTING ? METER_CONNECTING : METER_OFFLINE, reason);
}

void tuya_set_profile(struct session *base, const struct profile *profile) {
        struct tuya_session *s = tuya_session(base);
        const struct profile *before = s->config.profile;
        bool same = before && profile && strcmp(before->name, profile->name) == 0;

        s->config.profile = profile;
        if (!same)
                memset(s->nonzero, 0, sizeof s->nonzero);
}

/* ---- receiving ---- */

static void step_done(struct tuya_session *s, uint64_t now_ms) {
        s->request.waiting = false;
        if (s->step == STEP_RUN)
                return;
        s->step++;
        s->tries = 0;
        if (s->step == STEP_RUN) {
                s->heartbeat_due_ms = now_ms + HEARTBEAT_PERIOD_MS;
                s->poll_due_ms = now_ms + s->config.poll_ms;
        }
}

/* An answer with this command arrived: true when it is the one that we wait for. */
static bool is_awaited(const struct tuya_session *s, uint8_t command) {
        return s->request.waiting && s->request.command == command;
}

/* The MCU has to be told everything again. */
static void begin_again(struct tuya_session *s, const char *reason) {
        tuya_unpublish(s, TUYA_WITHHELD_RESTART);
        s->request.waiting = false;
        s->unsure = false;
        s->step = STEP_PRODUCT;
        s->tries = 0;
        set_state(s, METER_CONNECTING, reason);
}

static void on_heartbeat(struct tuya_session *s, uint64_t now_ms, struct span data) {
        bool first = !s->has_heartbeat;

        if (data.len == 0) {
                /* Only a module sends it empty: the original one, or ourselves through joined wires. */
                if (!s->config.listen_only) {
                        s->base.counters[TUYA_ECHOES]++;
                        s->base.hint = "the gateway hears its own frames: the RX and TX wires touch, or are swapped "
                                       "at one end";
                }
                return;
        }
        s->has_heartbeat = true;
        if (data.data[0] == 0 && !first) {
                s->base.counters[TUYA_RESTARTS]++;
                begin_again(s, "the meter restarted");
                return;
        }
        if (s->unsure && s->step == STEP_RUN) {
                begin_again(s, "a heartbeat went unanswered: the meter may have restarted");
                return;
        }
        tuya_moment_confirm(s);
        if (!is_awaited(s, TUYA_HEARTBEAT))
                return;
        if (s->step == STEP_SEARCH)
                step_done(s, now_ms);
        s->request.waiting = false;
}

static void on_product(struct tuya_session *s, uint64_t now_ms, struct span data) {
        if (data.len == 0)
                return;
        tuya_product_field(data.data, data.len, 'p', s->base.product_key, sizeof s->base.product_key);
        tuya_product_field(data.data, data.len, 'v', s->base.firmware, sizeof s->base.firmware);
        s->base.started = true;
        if (is_awaited(s, TUYA_PRODUCT))
                step_done(s, now_ms);
}

static void on_network_state(struct tuya_session *s, uint64_t now_ms, struct span data) {
        if (data.len > 0) {
                s->module_state = data.data[0];  /* from the real module, when listening on a shared line */
                return;
        }
        if (s->config.listen_only && s->module_state == STATE_CLOUD)
                tuya_publish(s, now_ms);
        if (!is_awaited(s, TUYA_NETWORK_STATE))
                return;
        if (s->step == STEP_CLOUD)
                tuya_publish(s, now_ms);
        step_done(s, now_ms);
}

static void answer(struct tuya_session *s, uint8_t command, const uint8_t *data, uint8_t len) {
        struct tuya_answer *a;

        if (s->config.listen_only || s->n_answers == TUYA_ANSWERS_MAX)
                return;
        a = &s->answers[s->n_answers++];
        *a = (struct tuya_answer) { .command = command, .len = len };
        memcpy(a->data, data, len);
}

static void on_report(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        if (is_awaited(s, TUYA_QUERY) && !s->request.answered) {
                uint32_t latency_ms = (uint32_t) (now_ms - s->request.sent_ms);

                s->request.answered = true;
                s->base.latency_last_ms = latency_ms;
                if (latency_ms > s->base.latency_max_ms)
                        s->base.latency_max_ms = latency_ms;
                s->base.latency_sum_ms += latency_ms;
                s->base.latency_count++;
        }
        tuya_moment_add(s, now_ms, f->data);
        if (f->command == TUYA_REPORT_SYNC) {
                answer(s, TUYA_REPORT_SYNC_ANSWER, (const uint8_t[]) { 1 }, 1);
                if (!s->config.listen_only)
                        s->base.counters[TUYA_SYNC_ACKNOWLEDGED]++;
        }
}

static bool is_module_frame(const struct tuya_frame *f) {
        return f->version == 0 && f->data.len == 0 && (f->command == TUYA_HEARTBEAT || f->command == TUYA_QUERY);
}

void tuya_frame(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len) {
        struct tuya_session *s = tuya_session(base);
        struct tuya_frame f = tuya_frame_open(frame, len);

        if (!is_module_frame(&f)) {
                s->last_heard_ms = now_ms;
                s->heard = true;
                s->missed = 0;
        }
        switch (f.command) {
        case TUYA_HEARTBEAT:
                on_heartbeat(s, now_ms, f.data);
                break;
        case TUYA_PRODUCT:
                on_product(s, now_ms, f.data);
                break;
        case TUYA_MODE:
                if (is_awaited(s, TUYA_MODE)) {
                        s->mode_has_pins = f.data.len == 2 || f.data.len == 3;
                        step_done(s, now_ms);
                }
                break;
        case TUYA_NETWORK_STATE:
                on_network_state(s, now_ms, f.data);
                break;
        case TUYA_REPORT:
        case TUYA_REPORT_SYNC:
                on_report(s, now_ms, &f);
                break;
        default:
                if (!is_module_frame(&f))
                        base->counters[TUYA_UNKNOWN_COMMANDS]++;
        }
}

/* ---- time ---- */

static uint64_t min_u64(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b) {
        return a > b ? a : b;
}

static uint64_t request_deadline(const struct tuya_session *s) {
        if (!s->request.waiting)
                return SESSION_NEVER;
        if (s->request.answered)
                return min_u64(s->last_report_ms + QUERY_QUIET_MS, s->request.sent_ms + QUERY_MAX_MS);
        if (s->step == STEP_RUN && s->request.command == TUYA_HEARTBEAT)
                return s->request.sent_ms + HEARTBEAT_TIMEOUT_MS;
        return s->request.sent_ms + STEP_TIMEOUT_MS;
}

/* A step had no answer this time. */
static void step_unanswered(struct tuya_session *s, uint64_t now_ms) {
        if (s->tries < STEP_TRIES)
                return;
        if (s->step == STEP_SEARCH && !s->heard) {
                s->tries = 0;
                next_baud(s);
                return;
        }
        s->base.counters[TUYA_REQUESTS_UNANSWERED]++;
        if (s->step == STEP_PRODUCT)
                s->base.started = true;
        if (s->step == STEP_CLOUD)
                s->publish_on_report = true;
        step_done(s, now_ms);
        s->probe = true;
}

static bool is_probe(const struct tuya_session *s) {
        return s->request.command == TUYA_HEARTBEAT && s->step != STEP_SEARCH;
}

static void request_over(struct tuya_session *s, uint64_t now_ms) {
        if (now_ms < request_deadline(s))
                return;
        s->request.waiting = false;
        if (s->step < STEP_RUN) {
                if (s->request.answered)
                        step_done(s, now_ms);
                else if (!is_probe(s))
                        step_unanswered(s, now_ms);
        } else if (s->request.command == TUYA_HEARTBEAT) {
                s->base.counters[TUYA_HEARTBEATS_MISSED]++;
                s->missed++;
                s->unsure = true;
        } else if (!s->request.answered)
                s->base.counters[TUYA_REQUESTS_UNANSWERED]++;
}

static void check_silence(struct tuya_session *s, uint64_t now_ms) {
        uint64_t silent_ms = now_ms - s->last_heard_ms;

        if (s->step == STEP_SEARCH || s->config.listen_only)
                return;
        if (s->step < STEP_RUN ? silent_ms < START_SILENCE_MS
                               : silent_ms < SILENCE_OFFLINE_MS && s->missed < MISSED_OFFLINE)
                return;
        if (s->was_online)
                set_state(s, METER_OFFLINE, "the meter does not answer");
        tuya_unpublish(s, TUYA_WITHHELD_UNCONFIRMED);
        begin_search(s, now_ms);
}

static uint64_t stale_at(const struct tuya_session *s) {
        /* Without a profile nothing is ever published: then any report shows that it lives. */
        uint64_t data_ms = s->config.profile || s->last_report_ms < s->last_data_ms ? s->last_data_ms
                                                                                     : s->last_report_ms;

        return data_ms + s->config.stale_after_ms;
}

static bool is_running(const struct tuya_session *s) {
        return s->config.listen_only ? s->heard : s->step >= STEP_ONLINE;
}

static bool is_line_silent(const struct tuya_session *s, uint64_t now_ms) {
        return s->config.listen_only && now_ms >= s->last_heard_ms + SILENCE_OFFLINE_MS;
}

static void update_state(struct tuya_session *s, uint64_t now_ms) {
        if (!is_running(s)) {
                if (!s->heard && s->base.state == METER_CONNECTING && s->base.counters[TUYA_ECHOES] == 0)
                        s->base.hint = "nothing understandable arrives: check the power of the meter, RX and TX, "
                                       "and the speed (baud)";
                return;
        }
        s->was_online = true;
        if (is_line_silent(s, now_ms))
                set_state(s, METER_OFFLINE, "the line is silent");
        else if (s->missed >= MISSED_STALE)
                set_state(s, METER_STALE, "heartbeats are not answered");
        else if (now_ms >= stale_at(s))
                set_state(s, METER_STALE, "no fresh readings");
        else
                set_state(s, METER_ONLINE, "the meter answers");
        s->base.hint = NULL;
        if (s->mode_has_pins && now_ms >= s->last_data_ms + PINS_HINT_MS && s->last_report_ms < s->last_data_ms)
                s->base.hint = "this meter may wait for its module's LED pin: connect that pin through a resistor "
                               "to the level that lights the LED";
}

/* ---- sending ---- */

static void send(struct tuya_session *s, uint64_t now_ms, uint8_t command, const uint8_t *data, size_t len,
                 struct session_output *out) {
        out->tx_len = tuya_frame_build(out->tx, sizeof out->tx, 0, command, data, len);
        s->last_tx_ms = now_ms;
}

static void request(struct tuya_session *s, uint64_t now_ms, const struct step *step, struct session_output *out) {
        send(s, now_ms, step->command, &step->data, step->data_len, out);
        s->request = (struct tuya_request) { .waiting = true, .command = step->command, .sent_ms = now_ms };
}

static void send_answer(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        send(s, now_ms, s->answers[0].command, s->answers[0].data, s->answers[0].len, out);
        s->n_answers--;
        memmove(s->answers, s->answers + 1, s->n_answers * sizeof s->answers[0]);
}

/* True when every datapoint that matters came by itself within the last half period. */
static bool can_skip_poll(const struct tuya_session *s, uint64_t now_ms) {
        const struct profile *p = s->config.profile;
        bool any = false;

        for (unsigned i = 0; p && i < p->n_datapoints; i++) {
                const struct datapoint *d = datapoint_table_get(&s->base.datapoints, p->datapoints[i].id);

                if (p->datapoints[i].quantity == Q_NONE || !d)
                        continue;
                if (now_ms - d->last_seen_ms > s->config.poll_ms / 2)
                        return false;
                any = true;
        }
        return any;
}

static void send_routine(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        if (now_ms >= s->heartbeat_due_ms || tuya_moment_wants_heartbeat(s, now_ms)) {
                s->heartbeat_due_ms = now_ms + HEARTBEAT_PERIOD_MS;
                request(s, now_ms, &(struct step) { TUYA_HEARTBEAT, 0, 0 }, out);
        } else if (now_ms >= s->poll_due_ms) {
                s->poll_due_ms = now_ms + s->config.poll_ms;
                if (!can_skip_poll(s, now_ms))
                        request(s, now_ms, &(struct step) { TUYA_QUERY, 0, 0 }, out);
        }
}

/* Our turn to speak? Remembers since when a frame on its way keeps us waiting. */
static bool may_send(struct tuya_session *s, uint64_t now_ms, bool receiving) {
        if (!receiving) {
                s->blocked_since_ms = 0;
                return now_ms >= s->last_tx_ms + TX_GAP_MS;
        }
        if (s->blocked_since_ms == 0)
                s->blocked_since_ms = now_ms;
        return now_ms >= s->blocked_since_ms + TX_BLOCKED_MAX_MS && now_ms >= s->last_tx_ms + TX_GAP_MS;
}

static bool wants_to_send(const struct tuya_session *s, uint64_t now_ms) {
        if (s->config.listen_only)
                return false;
        if (s->n_answers > 0)
                return true;
        if (s->request.waiting)
                return false;
        return s->step < STEP_RUN || now_ms >= min_u64(s->heartbeat_due_ms, s->poll_due_ms) ||
               tuya_moment_wants_heartbeat(s, now_ms);
}

static void transmit(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        if (s->n_answers > 0)
                send_answer(s, now_ms, out);
        else if (s->step < STEP_RUN && s->probe) {
                s->probe = false;
                request(s, now_ms, &steps[STEP_SEARCH], out);
        } else if (s->step < STEP_RUN) {
                s->tries++;
                request(s, now_ms, &steps[s->step], out);
        } else
                send_routine(s, now_ms, out);
}

static uint64_t silence_deadline(const struct tuya_session *s) {
        if (s->config.listen_only)
                return s->base.state == METER_OFFLINE ? SESSION_NEVER : s->last_heard_ms + SILENCE_OFFLINE_MS;
        if (s->step == STEP_SEARCH)
                return SESSION_NEVER;
        return s->last_heard_ms + (s->step < STEP_RUN ? START_SILENCE_MS : SILENCE_OFFLINE_MS);
}

static uint64_t next_deadline(const struct tuya_session *s, uint64_t now_ms, bool receiving) {
        uint64_t next = min_u64(tuya_moment_deadline(s, now_ms), request_deadline(s));

        next = min_u64(next, silence_deadline(s));
        if (s->base.state == METER_ONLINE)
                next = min_u64(next, stale_at(s));
        if (wants_to_send(s, now_ms))
                return min_u64(next, max_u64(s->last_tx_ms + TX_GAP_MS,
                                             receiving ? s->blocked_since_ms + TX_BLOCKED_MAX_MS : 0));
        if (!s->config.listen_only && !s->request.waiting && s->step == STEP_RUN)
                next = min_u64(next, min_u64(s->heartbeat_due_ms, s->poll_due_ms));
        return next;
}

void tuya_poll(struct session *base, uint64_t now_ms, bool receiving, struct session_output *out) {
        struct tuya_session *s = tuya_session(base);

        out->tx_len = 0;
        out->has_report = false;
        request_over(s, now_ms);
        check_silence(s, now_ms);
        tuya_moment_poll(s, now_ms, out);
        update_state(s, now_ms);
        if (wants_to_send(s, now_ms) && may_send(s, now_ms, receiving))
                transmit(s, now_ms, out);
        out->next_ms = next_deadline(s, now_ms, receiving);
}
