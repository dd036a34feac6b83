/* State of one TuyaMCU meter, shared by the two halves of the session: the dialogue (session.c: what to send and
 * when) and the moment (moment.c: which values belong together and whether they may be published). */
#pragma once

#include "protocols/protocol.h"
#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"

#define TUYA_ANSWERS_MAX 8  /* MCU requests waiting for their answer; an MCU repeats what was not answered */

/* Names in the same order in tuyamcu.c. */
enum tuya_counter {
        TUYA_DP_ERRORS,
        TUYA_UNKNOWN_COMMANDS,
        TUYA_UNKNOWN_DATAPOINTS,
        TUYA_RESTARTS,
        TUYA_HEARTBEATS_MISSED,
        TUYA_BAUD_CHANGES,
        TUYA_REQUESTS_UNANSWERED,
        TUYA_SYNC_ACKNOWLEDGED,
        TUYA_ECHOES,
        TUYA_WITHHELD_STARTING,
        TUYA_WITHHELD_RESTART,
        TUYA_WITHHELD_UNCONFIRMED,
        TUYA_COUNTER_COUNT,
};

/* The request that is out and waits for its answer. */
struct tuya_request {
        bool waiting;
        uint8_t command;
        bool answered;           /* a query has had its first report, its end is a silence */
        uint64_t sent_ms;
};

struct tuya_answer {
        uint8_t command;
        uint8_t len;
        uint8_t data[16];
};

/* Values that arrived together and are not published yet. Their numbers are in the datapoint table. */
struct tuya_moment {
        bool open;
        bool confirmed;          /* a heartbeat answer after its last value showed that the MCU had not restarted */
        bool zero_start;         /* held because this MCU has said nothing but zeros so far */
        uint64_t first_ms, last_ms;
        bool has[256];           /* by datapoint id */
};

struct tuya_session {
        struct session base;     /* first: the layers above see only this */
        struct session_config config;

        /* dialogue */
        unsigned step;           /* index into the start-up steps; past them the session runs */
        unsigned tries;          /* of this step */
        bool unsure;             /* the answer to a heartbeat was lost: it may have been the 00 of a restart */
        bool probe;              /* a step had no answer: ask with a heartbeat whether the MCU is still there */
        unsigned baud_index;
        struct tuya_request request;
        unsigned n_answers;
        struct tuya_answer answers[TUYA_ANSWERS_MAX];
        bool heard;              /* a good frame since the search began */
        bool has_heartbeat;      /* this MCU has answered a heartbeat */
        bool was_online;         /* since the port was opened */
        bool mode_has_pins;      /* its working mode answer named pins: it may wait for the LED pin */
        uint64_t last_heard_ms, last_tx_ms, last_report_ms;
        uint64_t blocked_since_ms;  /* sending has waited for the end of a frame since then, 0: it does not */
        uint64_t heartbeat_due_ms, poll_due_ms;
        unsigned missed;         /* heartbeats in a row with nothing heard */

        /* publication */
        bool publishing;         /* the MCU knows that it is "connected to the cloud": values count */
        bool publish_on_report;  /* it never acknowledged that: they count from its next report on */
        bool seen_nonzero;       /* since this run of the MCU began publishing */
        uint8_t module_state;    /* listening only: last network state seen from the real module, 0xff: none */
        uint64_t publishing_since_ms, first_report_ms, last_data_ms;
        struct tuya_moment moment;
        bool nonzero[CHANNELS_MAX][Q_COUNT];  /* what was published last was not 0 */
};

static inline struct tuya_session *tuya_session(struct session *base) {
        return (struct tuya_session *) base;
}

/* moment.c */

/* Takes in the datapoints of a report frame. */
void tuya_moment_add(struct tuya_session *s, uint64_t now_ms, struct span data);
/* The MCU has answered a heartbeat without saying that it restarted. */
void tuya_moment_confirm(struct tuya_session *s);
/* Drops what is not published; counter says why. */
void tuya_moment_drop(struct tuya_session *s, enum tuya_counter counter);
/* From now on values count. */
void tuya_publish(struct tuya_session *s, uint64_t now_ms);
/* From now on they do not: the MCU restarted or is lost. */
void tuya_unpublish(struct tuya_session *s, enum tuya_counter counter);
/* Publishes the moment into out when it is complete and may be believed. */
void tuya_moment_poll(struct tuya_session *s, uint64_t now_ms, struct session_output *out);
/* True when the moment waits for a heartbeat answer. */
bool tuya_moment_wants_heartbeat(const struct tuya_session *s, uint64_t now_ms);
/* When tuya_moment_poll has to be called again, SESSION_NEVER: on input only. */
uint64_t tuya_moment_deadline(const struct tuya_session *s, uint64_t now_ms);

/* session.c, called through the table in tuyamcu.c */
void tuya_start(struct session *base, const struct session_config *config, uint64_t now_ms);
void tuya_stop(struct session *base, const char *reason);
void tuya_set_profile(struct session *base, const struct profile *profile);
void tuya_frame(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len);
void tuya_poll(struct session *base, uint64_t now_ms, bool receiving, struct session_output *out);
