/* What the host says, and when: the start, readings at the poll times, and joining again with back-off. One request
 * is outstanding at a time; one that timed out is never repeated at once. */
#include "protocols/vue/session.h"

#include <errno.h>
#include <stdio.h>

enum {
        TX_GAP_MS = 50,               /* between two requests */
        TX_BLOCKED_MAX_MS = 1000,     /* noise must not keep us from speaking for ever */
        QUIET_MS = 100,               /* the console has said what it wanted to say */
        DRAIN_MAX_MS = 1000,
        ASK_TIMEOUT_MS = 2000,
        RADIO_TIMEOUT_MS = 10000,     /* what needs the radio */
        FIRMWARE_PERIOD_MS = 3000,
        UNANSWERED_LOST = 3,
        BOOT_PAUSE_MS = 10000,        /* a start that our own beginning provoked begins nothing again */
        OWNER_JOIN_GAP_MS = 5000,
        OWNER_READ_GAP_MS = 1000,
};

static const char letters[VUE_ASK_COUNT] = {
        [VUE_ASK_FIRMWARE] = VUE_FIRMWARE,
        [VUE_ASK_MAC] = VUE_MAC,
        [VUE_ASK_INSTALL_CODE] = VUE_INSTALL_CODE,
        [VUE_ASK_JOIN] = VUE_JOIN,
        [VUE_ASK_READ] = VUE_READ,
};

static const uint32_t rejoin_pauses_ms[] = { 30000, 60000, 120000, 300000 };

/* ---- times ---- */

static uint32_t timeout_ms(enum vue_ask ask) {
        return ask == VUE_ASK_JOIN || ask == VUE_ASK_READ ? RADIO_TIMEOUT_MS : ASK_TIMEOUT_MS;
}

static uint64_t request_deadline(const struct vue_session *s) {
        return s->request.waiting ? s->request.sent_ms + timeout_ms(s->request.ask) : SESSION_NEVER;
}

static bool is_draining(const struct vue_session *s) {
        return s->step == VUE_STEP_DRAIN || s->step == VUE_STEP_DRAIN_AGAIN;
}

/* A frame on its way is not quiet, however slowly it comes. */
static uint64_t drain_deadline(const struct vue_session *s, bool receiving) {
        uint64_t end_ms = s->step_since_ms + DRAIN_MAX_MS;

        if (!is_draining(s))
                return SESSION_NEVER;
        return receiving ? end_ms : vue_earlier(end_ms, vue_later(s->step_since_ms, s->last_input_ms) + QUIET_MS);
}

/* Whether it is worth asking for the firmware: while it is unknown, and to learn whether anybody is there. */
static bool wants_firmware(const struct vue_session *s) {
        return !s->has_firmware || s->unanswered > 0;
}

static uint64_t poll_due(const struct vue_session *s) {
        if (!s->read_wanted)
                return s->read_due_ms;
        return vue_earlier(s->read_due_ms, s->request.last_sent_ms[VUE_ASK_READ] + OWNER_READ_GAP_MS);
}

static uint64_t join_due(const struct vue_session *s) {
        uint64_t due_ms = s->lost ? SESSION_NEVER : s->rejoin_due_ms;

        if (s->join_wanted)
                due_ms = vue_earlier(due_ms, s->request.last_sent_ms[VUE_ASK_JOIN] + OWNER_JOIN_GAP_MS);
        return due_ms;
}

static uint64_t firmware_due(const struct vue_session *s) {
        return wants_firmware(s) ? s->firmware_due_ms : SESSION_NEVER;
}

/* The first wall-clock multiple of poll that lies at least half a poll ahead. */
static uint64_t aligned_read(const struct vue_session *s, uint64_t now_ms) {
        int64_t poll = s->config.poll_ms;
        int64_t local = (int64_t) now_ms + s->base.clock.utc_minus_now_ms +
                        (int64_t) s->base.clock.zone_offset_s * 1000;

        if (local < 0)
                return now_ms + s->config.poll_ms;
        return now_ms + (uint64_t) (((local + poll / 2) / poll + 1) * poll - local);
}

static void schedule_read(struct vue_session *s, uint64_t now_ms) {
        uint64_t poll = s->config.poll_ms;

        if (s->read_due_ms > now_ms)
                return;
        if (s->config.poll_aligned && s->base.clock.known)
                s->read_due_ms = aligned_read(s, now_ms);
        else
                s->read_due_ms += poll * ((now_ms + poll / 2 - s->read_due_ms) / poll + 1);
}

static void schedule_rejoin(struct vue_session *s, uint64_t now_ms) {
        unsigned last = sizeof rejoin_pauses_ms / sizeof rejoin_pauses_ms[0] - 1;
        unsigned i = s->rejoins_in_row < last ? s->rejoins_in_row : last;

        s->rejoins_in_row++;
        s->rejoin_due_ms = now_ms + vue_later(rejoin_pauses_ms[i], s->config.poll_ms);
}

/* ---- steps ---- */

static void enter(struct vue_session *s, uint64_t now_ms, enum vue_step step) {
        if (step == VUE_STEP_LOG_LEVEL && s->config.console_log_level == 0)
                step = VUE_STEP_FIRMWARE;
        s->step = step;
        s->step_since_ms = now_ms;
        if (step != VUE_STEP_RUNNING)
                return;
        s->base.started = true;
        s->read_due_ms = now_ms;
        s->rejoin_due_ms = now_ms + vue_reading_limit(s);
        s->rejoins_in_row = 0;
}

void vue_begin(struct vue_session *s, uint64_t now_ms) {
        s->request = (struct vue_request) { .waiting = false };
        s->unanswered = 0;
        s->firmware_unanswered = s->read_unanswered = false;
        s->lost = false;
        s->read_tried = false;
        s->join_wanted = s->read_wanted = s->level_wanted = false;
        s->has_join = false;
        s->begun_ms = now_ms;
        s->firmware_due_ms = now_ms;
        s->read_due_ms = s->rejoin_due_ms = now_ms;
        enter(s, now_ms, s->config.listen_only ? VUE_STEP_RUNNING : VUE_STEP_WAKE);
}

void vue_booted(struct vue_session *s, uint64_t now_ms) {
        if (now_ms < s->begun_ms + BOOT_PAUSE_MS)
                return;
        s->base.counters[VUE_POWER_CYCLES]++;
        vue_begin(s, now_ms);
}

static void lose(struct vue_session *s, uint64_t now_ms) {
        s->lost = true;
        s->join_wanted = s->read_wanted = false;
        s->has_good = false;
        s->has_unusable = false;
        s->has_join = false;
        if (s->step == VUE_STEP_RUNNING)
                return;
        enter(s, now_ms, VUE_STEP_RUNNING);
        s->base.started = false;
}

void vue_heard(struct vue_session *s, uint64_t now_ms) {
        bool back = s->lost, known = s->heard;

        s->heard = true;
        s->last_heard_ms = now_ms;
        /* Whoever was asked for the firmware and kept silent was starting, and then heard no log level either. */
        s->level_wanted |= s->firmware_unanswered && s->config.console_log_level != 0;
        s->unanswered = 0;
        s->firmware_unanswered = s->read_unanswered = false;
        if (!back)
                return;
        if (known)
                s->base.counters[VUE_POWER_CYCLES]++;
        vue_begin(s, now_ms);
}

void vue_reached(struct vue_session *s, uint64_t now_ms) {
        s->rejoins_in_row = 0;
        s->rejoin_due_ms = now_ms + vue_reading_limit(s);
}

/* ---- answers ---- */

static void note_latency(struct session *base, uint32_t latency_ms) {
        base->latency_last_ms = latency_ms;
        if (latency_ms > base->latency_max_ms)
                base->latency_max_ms = latency_ms;
        base->latency_sum_ms += latency_ms;
        base->latency_count++;
}

static void done(struct vue_session *s, uint64_t now_ms, enum vue_ask ask) {
        s->request.waiting = false;
        if (s->step >= VUE_STEP_FIRMWARE && s->step < VUE_STEP_RUNNING &&
            ask == (enum vue_ask) (s->step - VUE_STEP_FIRMWARE))
                enter(s, now_ms, s->step + 1);
        if (ask != VUE_ASK_READ)
                return;
        s->read_tried = true;
        schedule_read(s, now_ms);
}

bool vue_answered(struct vue_session *s, uint64_t now_ms, enum vue_ask ask) {
        bool awaited = s->request.waiting && s->request.ask == ask, owed = s->request.owed[ask];

        if (awaited || owed)
                s->base.counters[VUE_ANSWERS + ask]++;
        else
                s->base.counters[VUE_UNASKED]++;
        if (owed && !awaited)
                s->base.counters[VUE_LATE_ANSWERS]++;
        /* It may be the answer to the request before: then its time would say nothing. */
        if (awaited && !owed && ask == VUE_ASK_READ)
                note_latency(&s->base, (uint32_t) (now_ms - s->request.sent_ms));
        s->request.owed[ask] = false;
        if (awaited)
                done(s, now_ms, ask);
        return awaited;
}

/* Nothing is answered. A module that has spoken before may be one that answers nothing but readings. */
static bool looks_lost(const struct vue_session *s) {
        return !s->lost && s->unanswered >= UNANSWERED_LOST && s->firmware_unanswered &&
               (!s->heard || s->read_unanswered);
}

static void time_out(struct vue_session *s, uint64_t now_ms) {
        enum vue_ask ask = s->request.ask;

        s->base.counters[VUE_TIMEOUTS + ask]++;
        s->request.owed[ask] = true;
        s->unanswered++;
        s->firmware_unanswered |= ask == VUE_ASK_FIRMWARE;
        s->read_unanswered |= ask == VUE_ASK_READ;
        done(s, now_ms, ask);
        if (looks_lost(s))
                lose(s, now_ms);
}

bool vue_ask_of(char letter, enum vue_ask *ret) {
        for (unsigned i = 0; i < VUE_ASK_COUNT; i++)
                if (letters[i] == letter) {
                        *ret = (enum vue_ask) i;
                        return true;
                }
        return false;
}

static void begin_request(struct vue_session *s, uint64_t now_ms, enum vue_ask ask) {
        s->base.counters[VUE_REQUESTS + ask]++;
        s->request.waiting = true;
        s->request.ask = ask;
        s->request.sent_ms = s->request.last_sent_ms[ask] = now_ms;
}

void vue_asked(struct vue_session *s, uint64_t now_ms, enum vue_ask ask) {
        if (s->request.waiting)
                time_out(s, now_ms);  /* whoever asked has given up waiting */
        begin_request(s, now_ms, ask);
}

void vue_dialogue_update(struct vue_session *s, uint64_t now_ms, bool receiving) {
        if (now_ms >= request_deadline(s))
                time_out(s, now_ms);
        if (now_ms >= drain_deadline(s, receiving))
                enter(s, now_ms, s->step + 1);
}

/* ---- sending ---- */

static bool next_ask(const struct vue_session *s, uint64_t now_ms, enum vue_ask *ret) {
        if (s->step < VUE_STEP_RUNNING)
                *ret = (enum vue_ask) (s->step - VUE_STEP_FIRMWARE);
        else if (now_ms >= poll_due(s))
                *ret = VUE_ASK_READ;
        else if (now_ms >= join_due(s))
                *ret = VUE_ASK_JOIN;
        else if (now_ms >= firmware_due(s))
                *ret = VUE_ASK_FIRMWARE;
        else
                return false;
        return true;
}

static void note_asked(struct vue_session *s, uint64_t now_ms, enum vue_ask ask) {
        switch (ask) {
        case VUE_ASK_READ:
                s->read_wanted = false;
                schedule_read(s, now_ms);
                break;
        case VUE_ASK_JOIN:
                if (s->step != VUE_STEP_RUNNING)
                        break;
                s->base.counters[VUE_REJOINS]++;
                if (!s->join_wanted)
                        schedule_rejoin(s, now_ms);
                s->join_wanted = false;
                break;
        case VUE_ASK_FIRMWARE:
                s->firmware_due_ms = now_ms + FIRMWARE_PERIOD_MS;
                break;
        default:
                break;
        }
}

static void send_ask(struct vue_session *s, uint64_t now_ms, struct session_output *out) {
        enum vue_ask ask;

        if (!next_ask(s, now_ms, &ask))
                return;
        out->tx_len = vue_request_write(out->tx, letters[ask]);
        begin_request(s, now_ms, ask);
        note_asked(s, now_ms, ask);
}

/* A lone CR ends whatever line the console has begun. */
static void send_line_end(struct session_output *out) {
        out->tx[0] = '\r';
        out->tx_len = 1;
}

static void send_log_level(const struct vue_session *s, struct session_output *out) {
        int len = snprintf((char *) out->tx, sizeof out->tx, "loglevel %u\r", (unsigned) s->config.console_log_level);

        out->tx_len = (size_t) len;
}

/* When the next request wants to leave, not counting the pause between two. */
static uint64_t wanted_at(const struct vue_session *s) {
        if (s->config.listen_only || !s->open || s->request.waiting || is_draining(s))
                return SESSION_NEVER;
        if (s->step != VUE_STEP_RUNNING || s->level_wanted)
                return s->step_since_ms;
        return vue_earlier(vue_earlier(poll_due(s), join_due(s)), firmware_due(s));
}

static uint64_t gap_end(const struct vue_session *s) {
        return s->last_tx_ms == 0 ? 0 : s->last_tx_ms + TX_GAP_MS;
}

/* Our turn to speak? Remembers since when a frame on its way keeps us waiting. */
static bool may_send(struct vue_session *s, uint64_t now_ms, bool receiving) {
        if (!receiving) {
                s->blocked_since_ms = 0;
                return now_ms >= gap_end(s);
        }
        if (s->blocked_since_ms == 0)
                s->blocked_since_ms = now_ms;
        return now_ms >= s->blocked_since_ms + TX_BLOCKED_MAX_MS && now_ms >= gap_end(s);
}

void vue_dialogue_send(struct vue_session *s, uint64_t now_ms, bool receiving, struct session_output *out) {
        if (now_ms < wanted_at(s)) {
                s->blocked_since_ms = 0;
                return;
        }
        if (!may_send(s, now_ms, receiving))
                return;
        if (s->step == VUE_STEP_WAKE) {
                send_line_end(out);
                enter(s, now_ms, s->step + 1);
        } else if (s->step == VUE_STEP_LOG_LEVEL) {
                send_log_level(s, out);
                enter(s, now_ms, s->step + 1);
        } else if (s->step == VUE_STEP_RUNNING && s->level_wanted) {
                send_log_level(s, out);
                s->level_wanted = false;
        } else
                send_ask(s, now_ms, out);
        if (out->tx_len > 0)
                s->last_tx_ms = now_ms;
}

uint64_t vue_dialogue_deadline(const struct vue_session *s, uint64_t now_ms, bool receiving) {
        uint64_t next_ms = wanted_at(s);

        if (next_ms <= now_ms) {
                next_ms = gap_end(s);
                if (receiving)
                        next_ms = vue_later(next_ms, s->blocked_since_ms + TX_BLOCKED_MAX_MS);
        }
        return vue_earlier(next_ms, vue_earlier(request_deadline(s), drain_deadline(s, receiving)));
}

/* ---- what the owner asks ---- */

int vue_act(struct session *base, uint64_t now_ms, const struct action_request *request,
            struct action_refusal *refusal) {
        struct vue_session *s = vue_session(base);

        (void) now_ms, (void) refusal;
        if (s->config.listen_only || request->action == ACTION_SET_DATAPOINT)
                return -EOPNOTSUPP;
        if (!s->open || s->step != VUE_STEP_RUNNING || s->lost)
                return -EBUSY;
        switch (request->action) {
        case ACTION_QUERY:
                s->read_wanted = true;
                return 0;
        case ACTION_REJOIN:
                s->join_wanted = true;
                return 0;
        default:
                return -EOPNOTSUPP;
        }
}
