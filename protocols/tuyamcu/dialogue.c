/* What the Wi-Fi module says, and when: scripts of requests, one outstanding at a time, then a routine. */
#include "protocols/tuyamcu/session.h"

#include <string.h>

#include "protocols/tuyamcu/tuyamcu.h"

enum {
        TX_GAP_MS = 50,              /* between two frames of ours */
        TX_BLOCKED_MAX_MS = 1000,    /* noise must not keep us from speaking for ever */
        STEP_TIMEOUT_MS = 1000,
        STEP_TRIES = 3,
        OTHER_SPEED_TRIES = 2,       /* heartbeats at a speed that is only a guess */
        SPEEDS_MAX = 8,
        HEARTBEAT_TIMEOUT_MS = 3000,
        HEARTBEAT_PERIOD_MS = 10000,
        STATE_PERIOD_MS = 21500000,  /* some meters with a display fall silent after 6 h without the network state */
        QUERY_QUIET_MS = 300,        /* the answer to a query has no end mark */
        QUERY_MAX_MS = 3000,
};

#define SCRIPT(list) { sizeof(list) / sizeof((list)[0]), list }
#define ASK(c) { .command = (c) }
#define TELL(c, state) { .command = (c), .data_len = 1, .data = (state), .is_cloud = (state) == TUYA_STATE_CLOUD }
#define TELL_LATER(c, state) \
        { .command = (c), .data_len = 1, .data = (state), .delay_ms = 1000, .is_cloud = (state) == TUYA_STATE_CLOUD }

/* The order of the PJ-MGW1103's own module (00 01 02 08 03/03 03/04), with the state 02 that other modules send
 * first, and with a second query once the MCU measures. */
static const struct tuya_step start_steps[] = {
        ASK(TUYA_HEARTBEAT),
        ASK(TUYA_PRODUCT),
        ASK(TUYA_MODE),
        TELL(TUYA_NETWORK_STATE, TUYA_STATE_CONFIGURED),
        ASK(TUYA_QUERY),
        TELL(TUYA_NETWORK_STATE, TUYA_STATE_WIFI),
        TELL(TUYA_NETWORK_STATE, TUYA_STATE_CLOUD),
        ASK(TUYA_QUERY),
};

/* What a module tells while it pairs. */
static const struct tuya_step pairing_ez_steps[] = {
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_EZ),
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_CONFIGURED),
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_WIFI),
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_CLOUD),
        ASK(TUYA_QUERY),
};
static const struct tuya_step pairing_ap_steps[] = {
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_ACCESS_POINT),
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_CONFIGURED),
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_WIFI),
        TELL_LATER(TUYA_NETWORK_STATE, TUYA_STATE_CLOUD),
        ASK(TUYA_QUERY),
};

/* A battery device: it reports by itself once it was told, and then switches its module off. */
static const struct tuya_step low_power_steps[] = {
        ASK(TUYA_PRODUCT),
        TELL(TUYA_LOW_STATE, TUYA_STATE_WIFI),
        TELL(TUYA_LOW_STATE, TUYA_STATE_CLOUD),
};

const struct tuya_script tuya_script_start = SCRIPT(start_steps);
const struct tuya_script tuya_script_pairing_ez = SCRIPT(pairing_ez_steps);
const struct tuya_script tuya_script_pairing_ap = SCRIPT(pairing_ap_steps);
const struct tuya_script tuya_script_low_power = SCRIPT(low_power_steps);

static const struct tuya_step heartbeat_step = ASK(TUYA_HEARTBEAT), query_step = ASK(TUYA_QUERY),
                              product_step = ASK(TUYA_PRODUCT),
                              cloud_step = TELL(TUYA_NETWORK_STATE, TUYA_STATE_CLOUD);

/* ---- speeds ---- */

static unsigned add_speed(uint32_t speeds[SPEEDS_MAX], unsigned n, uint32_t baud) {
        for (unsigned i = 0; i < n; i++)
                if (speeds[i] == baud)
                        return n;
        if (baud == 0 || n == SPEEDS_MAX)
                return n;
        speeds[n] = baud;
        return n + 1;
}

/* Likeliest first: what the configuration says or the last session found, the profile's, the protocol's. */
static unsigned collect_speeds(const struct tuya_session *s, uint32_t speeds[SPEEDS_MAX]) {
        const struct profile *p = s->config.profile;
        unsigned n = add_speed(speeds, 0, s->config.baud);

        for (unsigned i = 0; p && i < p->n_bauds; i++)
                n = add_speed(speeds, n, p->bauds[i]);
        for (const uint32_t *baud = tuyamcu_protocol.bauds; *baud != 0; baud++)
                n = add_speed(speeds, n, *baud);
        return n;
}

uint32_t tuya_first_baud(const struct tuya_session *s) {
        uint32_t speeds[SPEEDS_MAX];

        collect_speeds(s, speeds);
        return speeds[0];
}

void tuya_next_baud(struct tuya_session *s) {
        uint32_t speeds[SPEEDS_MAX];
        unsigned n = collect_speeds(s, speeds), at = 0;

        s->speeds_tried++;
        if (!s->config.has_speed)
                return;
        while (at < n && speeds[at] != s->base.baud_wanted)
                at++;
        s->base.baud_wanted = speeds[(at + 1) % n];
        s->base.counters[TUYA_BAUD_CHANGES]++;
}

/* ---- scripts ---- */

void tuya_play(struct tuya_session *s, uint64_t now_ms, const struct tuya_script *script, unsigned step) {
        tuya_write_abandon(s, now_ms);
        s->script = script;
        s->step = step;
        s->tries = 0;
        s->step_since_ms = now_ms;
        s->probe = false;
        s->unsure = false;
        s->told_cloud = false;
        s->request.waiting = false;
}

void tuya_search(struct tuya_session *s, uint64_t now_ms) {
        tuya_play(s, now_ms, s->low_power ? &tuya_script_low_power : &tuya_script_start, 0);
        s->speeds_tried = 0;
        s->heard = false;
        s->wants_silence = false;
        s->push_time = false;
        s->last_heard_ms = now_ms;
        s->missed = 0;
}

void tuya_begin_again(struct tuya_session *s, uint64_t now_ms, const char *reason) {
        tuya_unpublish(s, TUYA_WITHHELD_RESTART);
        tuya_play(s, now_ms, &tuya_script_start, 1);
        s->wants_silence = false;
        s->push_time = false;
        tuya_set_state(s, METER_CONNECTING, reason);
}

bool tuya_is_running(const struct tuya_session *s) {
        return s->step >= s->script->count;
}

bool tuya_is_searching(const struct tuya_session *s) {
        return s->step == 0 && (s->script == &tuya_script_start || s->script == &tuya_script_low_power);
}

static void step_done(struct tuya_session *s, uint64_t now_ms, bool acknowledged) {
        const struct tuya_step *step = &s->script->steps[s->step];

        s->request.waiting = false;
        if (step->command == TUYA_PRODUCT)
                s->base.started = true;
        if (step->is_cloud) {
                s->told_cloud = true;
                if (acknowledged)
                        tuya_publish(s, now_ms);
                else
                        s->publish_on_report = true;
        }
        s->step++;
        s->tries = 0;
        s->step_since_ms = now_ms;
        s->heartbeat_due_ms = now_ms + HEARTBEAT_PERIOD_MS;
        s->poll_due_ms = now_ms + s->config.poll_ms;
        s->state_due_ms = now_ms + STATE_PERIOD_MS;
}

bool tuya_is_awaited(const struct tuya_session *s, uint8_t command) {
        return s->request.waiting && s->request.command == command;
}

void tuya_answered(struct tuya_session *s, uint64_t now_ms) {
        bool is_step = !tuya_is_running(s) && s->script->steps[s->step].command == s->request.command;

        s->request.waiting = false;
        if (is_step)
                step_done(s, now_ms, true);
}

/* ---- time-outs ---- */

static uint64_t request_deadline(const struct tuya_session *s) {
        if (!s->request.waiting)
                return SESSION_NEVER;
        if (s->request.answered)
                return min_u64(s->last_report_ms + QUERY_QUIET_MS, s->request.sent_ms + QUERY_MAX_MS);
        if (tuya_is_running(s) && s->request.command == TUYA_HEARTBEAT)
                return s->request.sent_ms + HEARTBEAT_TIMEOUT_MS;
        return s->request.sent_ms + STEP_TIMEOUT_MS;
}

static unsigned heartbeats_per_speed(const struct tuya_session *s) {
        return s->speeds_tried == 0 ? STEP_TRIES : OTHER_SPEED_TRIES;
}

/* Battery devices answer no heartbeat: once all speeds were in vain, each is also asked for its product. */
static bool asks_product_too(const struct tuya_session *s) {
        uint32_t speeds[SPEEDS_MAX];

        return s->script == &tuya_script_start && s->speeds_tried >= collect_speeds(s, speeds);
}

static void search_unanswered(struct tuya_session *s, uint64_t now_ms) {
        if (s->tries < heartbeats_per_speed(s) + asks_product_too(s))
                return;
        if (s->heard && s->script == &tuya_script_start) {
                s->base.counters[TUYA_REQUESTS_UNANSWERED]++;
                step_done(s, now_ms, false);  /* it speaks, but does not answer heartbeats */
                return;
        }
        s->tries = 0;
        if (!s->low_power)  /* one that sleeps will wake at the same speed */
                tuya_next_baud(s);
}

static void step_unanswered(struct tuya_session *s, uint64_t now_ms) {
        if (tuya_is_searching(s)) {
                search_unanswered(s, now_ms);
                return;
        }
        if (s->tries < STEP_TRIES)
                return;
        s->base.counters[TUYA_REQUESTS_UNANSWERED]++;
        step_done(s, now_ms, false);
        s->probe = !tuya_is_running(s) && !s->low_power;
}

static void routine_unanswered(struct tuya_session *s) {
        if (s->request.command == TUYA_HEARTBEAT) {
                s->base.counters[TUYA_HEARTBEATS_MISSED]++;
                s->missed++;
                s->unsure = true;
        } else if (s->request.command != TUYA_SET)
                s->base.counters[TUYA_REQUESTS_UNANSWERED]++;
}

/* A meter that had the value already has nothing to report: it is asked rather than told twice. */
static void ask_for_written(struct tuya_session *s, uint64_t now_ms) {
        s->poll_due_ms = now_ms;
        s->poll_again = true;
}

void tuya_dialogue_update(struct tuya_session *s, uint64_t now_ms) {
        bool is_probe = s->request.command == TUYA_HEARTBEAT && !tuya_is_searching(s);

        if (now_ms < request_deadline(s))
                return;
        if (s->request.answered) {
                tuya_answered(s, now_ms);
                return;
        }
        s->request.waiting = false;
        if (s->request.command == TUYA_SET)
                ask_for_written(s, now_ms);
        if (tuya_is_running(s))
                routine_unanswered(s);
        else if (!is_probe)
                step_unanswered(s, now_ms);
}

/* ---- sending ---- */

static void send(struct tuya_session *s, uint64_t now_ms, uint8_t command, const uint8_t *data, size_t len,
                 struct session_output *out) {
        out->tx_len = tuya_frame_build(out->tx, sizeof out->tx, 0, command, data, len);
        s->last_tx_ms = now_ms;
}

static void request(struct tuya_session *s, uint64_t now_ms, const struct tuya_step *step,
                    struct session_output *out) {
        send(s, now_ms, step->command, &step->data, step->data_len, out);
        s->request = (struct tuya_request) { .waiting = true, .command = step->command, .sent_ms = now_ms };
        if (step->data_len > 0)
                s->network_state = step->data;
}

static void send_write(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        send(s, now_ms, TUYA_SET, s->write.unit, s->write.len, out);
        s->request = (struct tuya_request) { .waiting = true, .command = TUYA_SET, .sent_ms = now_ms };
        tuya_write_sent(s, now_ms);
}

static void send_answer(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        send(s, now_ms, s->answers[0].command, s->answers[0].data, s->answers[0].len, out);
        s->n_answers--;
        memmove(s->answers, s->answers + 1, s->n_answers * sizeof s->answers[0]);
}

static void send_step(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        const struct tuya_step *step = &s->script->steps[s->step];

        if (s->probe) {
                s->probe = false;
                request(s, now_ms, &heartbeat_step, out);
                return;
        }
        if (tuya_is_searching(s) && asks_product_too(s) && s->tries >= heartbeats_per_speed(s))
                step = &product_step;
        s->tries++;
        request(s, now_ms, step, out);
}

/* True when every datapoint that matters came by itself within the last half period. */
static bool can_skip_poll(const struct tuya_session *s, uint64_t now_ms) {
        const struct profile *p = s->config.profile;
        bool any = false;

        for (unsigned i = 0; p && i < p->n_datapoints; i++) {
                const struct profile_datapoint *row = &p->datapoints[i];
                const struct datapoint *d = datapoint_table_get(&s->base.datapoints, row->id);

                if ((row->quantity == Q_NONE && row->layout == LAYOUT_NONE) || !d)
                        continue;
                if (now_ms - d->last_seen_ms > s->config.poll_ms / 2)
                        return false;
                any = true;
        }
        return any;
}

/* When the running session has something to say by itself. A battery device, or one that asked for silence, is
 * left alone. */
static uint64_t routine_due(const struct tuya_session *s) {
        if (s->low_power || s->wants_silence)
                return SESSION_NEVER;
        return min_u64(min_u64(s->heartbeat_due_ms, s->poll_due_ms), s->state_due_ms);
}

static void send_routine(struct tuya_session *s, uint64_t now_ms, struct session_output *out) {
        if (now_ms >= s->heartbeat_due_ms || tuya_moment_wants_heartbeat(s, now_ms)) {
                s->heartbeat_due_ms = now_ms + HEARTBEAT_PERIOD_MS;
                request(s, now_ms, &heartbeat_step, out);
        } else if (now_ms >= s->state_due_ms) {
                s->state_due_ms = now_ms + STATE_PERIOD_MS;
                request(s, now_ms, &cloud_step, out);
                if (s->push_time)
                        tuya_queue_time_push(s, now_ms);
        } else if (now_ms >= s->poll_due_ms) {
                s->poll_due_ms = now_ms + s->config.poll_ms;
                if (s->poll_again || !can_skip_poll(s, now_ms))
                        request(s, now_ms, &query_step, out);
                s->poll_again = false;
        }
}

/* When the next frame wants to leave, not counting pauses between frames. */
static uint64_t wanted_at(const struct tuya_session *s, uint64_t now_ms) {
        if (s->config.listen_only)
                return SESSION_NEVER;
        if (s->n_answers > 0)
                return now_ms;
        if (s->request.waiting)
                return SESSION_NEVER;
        if (!tuya_is_running(s))
                return s->step_since_ms + (s->tries == 0 ? s->script->steps[s->step].delay_ms : 0);
        return tuya_write_is_due(s) || tuya_moment_wants_heartbeat(s, now_ms) ? now_ms : routine_due(s);
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

void tuya_dialogue_send(struct tuya_session *s, uint64_t now_ms, bool receiving, struct session_output *out) {
        if (now_ms < wanted_at(s, now_ms)) {
                s->blocked_since_ms = 0;
                return;
        }
        if (!may_send(s, now_ms, receiving))
                return;
        if (s->n_answers > 0)
                send_answer(s, now_ms, out);
        else if (!tuya_is_running(s))
                send_step(s, now_ms, out);
        else if (tuya_write_is_due(s))
                send_write(s, now_ms, out);
        else
                send_routine(s, now_ms, out);
}

uint64_t tuya_dialogue_deadline(const struct tuya_session *s, uint64_t now_ms, bool receiving) {
        uint64_t next_ms = wanted_at(s, now_ms);

        if (next_ms <= now_ms) {
                next_ms = s->last_tx_ms + TX_GAP_MS;
                if (receiving)
                        next_ms = max_u64(next_ms, s->blocked_since_ms + TX_BLOCKED_MAX_MS);
        }
        return min_u64(next_ms, request_deadline(s));
}
