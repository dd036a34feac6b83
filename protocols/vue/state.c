/* State, reason and hint, derived from what has been heard. */
#include "protocols/vue/session.h"

enum {
        ZEROS_NOTED = 3,                  /* in a row without a reading */
        NOTICE_FRESH_MS = 600000,
        SCALE_FRESH_MS = 3600000,
        LISTEN_HINT_MS = 60000,           /* the module's own host asks every 30 s */
};

static const char hint_wiring[] =
        "check the power of the device, TX to RX and RX to TX, the ground, and that the board's own controller is "
        "held in reset: it drives the same wire";
static const char hint_echo[] =
        "the gateway hears its own requests: the RX and TX wires touch, or are swapped at one end";
static const char hint_text[] =
        "text arrives, but no answers: check the wire to the module's RX, and that the board's own controller is "
        "held in reset";
static const char hint_provision[] =
        "the utility has to add the device to your meter's network: tell them its MAC and its install code";
static const char hint_search[] =
        "move the device nearer to the meter; if it worked before, take its power away for ten seconds";
static const char hint_notice[] =
        "the module sends notices as it does when the radio link is poor: move the device nearer to the meter";
static const char hint_listen[] =
        "no answers are heard: the host's RX belongs to the module's TX (header P5, pin 1), with a common ground";
static const char hint_frame[] = "the diagnostics hold the last raw frame: it shows what this module sends";
static const char hint_scale[] =
        "the meter's multiplier or divisor changed within the last hour: see that the values are still right";
static const char hint_zeros[] =
        "the module has not got a reading from the meter yet; if this lasts, move the device nearer to the meter";

/* What is known of the readings that could not be used. */
static const char *unusable_reason(enum vue_counter why) {
        switch (why) {
        case VUE_WITHHELD_NO_SCALE:
                return "the readings come without a multiplier or divisor";
        case VUE_WITHHELD_UNSCALED:
                return "the readings come with a multiplier or divisor of 0";
        case VUE_WITHHELD_UNIT:
                return "the meter counts in another unit than kWh";
        case VUE_NO_VALUES:
                return "the readings hold no values";
        default:
                return "the readings have a form that is not known";
        }
}

static bool is_good_fresh(const struct vue_session *s, uint64_t now_ms) {
        return s->has_good && now_ms < s->last_good_ms + s->config.stale_after_ms;
}

/* A reading should have come by now. */
static bool is_overdue(const struct vue_session *s, uint64_t now_ms) {
        if (s->has_good)
                return now_ms >= s->last_good_ms + vue_reading_limit(s);
        return s->config.listen_only ? now_ms >= s->started_ms + vue_reading_limit(s) : s->read_tried;
}

static bool knows_join(const struct vue_session *s, uint8_t value) {
        return s->has_join && s->join == value && (!s->has_good || s->join_at_ms > s->last_good_ms);
}

static bool is_unusable(const struct vue_session *s, uint64_t now_ms) {
        return s->has_unusable && now_ms < s->last_unusable_ms + vue_reading_limit(s) && !is_good_fresh(s, now_ms);
}

static bool is_noticed(const struct vue_session *s, uint64_t now_ms) {
        return s->has_notice && now_ms < s->notice_at_ms + NOTICE_FRESH_MS;
}

static void set(struct vue_session *s, enum meter_state state, const char *reason, const char *hint) {
        s->base.state = state;
        s->base.reason = reason;
        s->base.hint = hint;
}

static void set_no_module(struct vue_session *s) {
        const char *hint = hint_wiring;

        if (s->config.listen_only)
                hint = hint_listen;
        else if (s->console.echoed && !s->heard)
                hint = hint_echo;
        else if (s->last_text_ms > s->last_heard_ms && s->last_text_ms >= s->begun_ms)
                hint = hint_text;
        set(s, METER_NO_MODULE, s->heard ? "the module no longer answers" : "nothing answers at this port", hint);
}

static void set_waiting(struct vue_session *s, uint64_t now_ms, enum meter_state state, const char *reason) {
        if (s->zeros_in_row >= ZEROS_NOTED)
                set(s, state, "the module hands out zeros in place of readings", hint_zeros);
        else
                set(s, state, reason, is_noticed(s, now_ms) ? hint_notice : hint_search);
}

static void set_stale(struct vue_session *s, uint64_t now_ms) {
        bool silent = s->config.listen_only && s->last_heard_ms == s->last_good_ms;

        set_waiting(s, now_ms, METER_STALE, silent ? "the line is silent" : "no fresh readings");
}

/* Neither readings nor anything that explains why. */
static void set_connecting(struct vue_session *s, uint64_t now_ms) {
        if (s->config.listen_only)
                set(s, METER_CONNECTING, s->heard ? "listening for a reading" : "listening",
                    !s->heard && now_ms >= s->started_ms + LISTEN_HINT_MS ? hint_listen : NULL);
        else if (s->step != VUE_STEP_RUNNING)
                set(s, METER_CONNECTING, s->heard ? "asking who is there" : "waiting for the module's first answer",
                    NULL);
        else if (!s->read_tried)
                set(s, METER_CONNECTING, "waiting for the first reading", NULL);
        else
                set_waiting(s, now_ms, METER_CONNECTING,
                            "the module answers, but tells neither a reading nor whether it has joined a network");
}

void vue_update_state(struct vue_session *s, uint64_t now_ms) {
        bool changed = s->scale_changed && now_ms < s->scale_changed_ms + SCALE_FRESH_MS;

        if (s->lost)
                set_no_module(s);
        else if (knows_join(s, 0))
                set(s, METER_NOT_PROVISIONED, "the module belongs to no utility network", hint_provision);
        else if (is_unusable(s, now_ms))
                set(s, METER_STALE, unusable_reason(s->unusable), hint_frame);
        else if (knows_join(s, 1) && is_overdue(s, now_ms))
                set_waiting(s, now_ms, METER_SEARCHING, "the utility's meter does not answer");
        else if (is_good_fresh(s, now_ms))
                set(s, METER_ONLINE, "readings arrive", changed ? hint_scale : NULL);
        else if (s->has_good)
                set_stale(s, now_ms);
        else
                set_connecting(s, now_ms);
}

/* at_ms if it lies ahead. */
static uint64_t ahead(uint64_t now_ms, bool counts, uint64_t at_ms) {
        return counts && at_ms > now_ms ? at_ms : SESSION_NEVER;
}

uint64_t vue_state_deadline(const struct vue_session *s, uint64_t now_ms) {
        uint64_t limit_ms = vue_reading_limit(s), next_ms = SESSION_NEVER;
        const uint64_t times[] = {
                ahead(now_ms, s->has_good, s->last_good_ms + s->config.stale_after_ms),
                ahead(now_ms, s->has_good, s->last_good_ms + limit_ms),
                ahead(now_ms, s->has_unusable, s->last_unusable_ms + limit_ms),
                ahead(now_ms, s->has_notice, s->notice_at_ms + NOTICE_FRESH_MS),
                ahead(now_ms, s->scale_changed, s->scale_changed_ms + SCALE_FRESH_MS),
                ahead(now_ms, s->config.listen_only, s->started_ms + limit_ms),
                ahead(now_ms, s->config.listen_only, s->started_ms + LISTEN_HINT_MS),
        };

        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
                next_ms = vue_earlier(next_ms, times[i]);
        return next_ms;
}
