/* State of one TuyaMCU meter, shared by the parts of the session: the dialogue (session.c: what to send and when),
 * the answers to what the MCU asks (commands.c), the moment (moment.c: which values belong together and whether they
 * may be published), and the datapoint that somebody wants written (write.c). */
#pragma once

#include "protocols/protocol.h"
#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"

#define TUYA_ANSWERS_MAX 8  /* MCU requests waiting for their answer; an MCU repeats what was not answered */

#define TUYA_HELD_MAX    8  /* values of one moment that wait for their direction; the largest known profile has 2 */

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
        TUYA_WITHHELD_DIRECTION,
        TUYA_WITHHELD_REPEATED,
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

/* What to say in which order; the answer to each step is awaited. */
struct tuya_step {
        uint8_t command;
        uint8_t data_len;
        uint8_t data;
        uint16_t delay_ms;       /* pause before it */
        bool is_cloud;           /* its acknowledgement opens publication */
};

struct tuya_script {
        unsigned count;
        const struct tuya_step *steps;
};

extern const struct tuya_script tuya_script_start;       /* from the first heartbeat on */
extern const struct tuya_script tuya_script_pairing_ez;  /* after the pairing key */
extern const struct tuya_script tuya_script_pairing_ap;
extern const struct tuya_script tuya_script_low_power;

enum { TUYA_STATE_EZ = 0, TUYA_STATE_ACCESS_POINT = 1, TUYA_STATE_CONFIGURED = 2, TUYA_STATE_WIFI = 3,
       TUYA_STATE_CLOUD = 4, TUYA_STATE_NONE = 0xff };

/* Values that arrived together and are not published yet. Their numbers are in the datapoint table. */
struct tuya_moment {
        bool open;
        bool confirmed;          /* a heartbeat answer after its last value showed that the MCU had not restarted */
        bool zero_start;         /* held because this MCU has said nothing but zeros so far */
        uint64_t first_ms, last_ms;
        bool has[256];           /* by datapoint id */
        unsigned n_held;         /* values whose direction has its own datapoint, as they first came */
        struct datapoint held[TUYA_HELD_MAX];
};

/* What a datapoint of increments has told. */
struct tuya_increment {
        int64_t sum;             /* not published yet */
        int64_t held;            /* from answers, counts if the MCU begins anew after each */
        int64_t last;            /* as it came, valid when has_last */
        bool has_last, last_was_answer;
        uint8_t falls;           /* signs in a row that it does */
};

/* The datapoint to be written, valid while base.write is pending. */
struct tuya_write {
        bool sent;
        bool differs;            /* since it was sent, the meter has reported another value */
        uint64_t sent_ms;
        size_t len;
        uint8_t unit[TUYA_UNIT_HEADER_SIZE + WRITE_BYTES_MAX];  /* as it goes onto the wire */
};

struct tuya_session {
        struct session base;     /* first: the layers above see only this */
        struct session_config config;

        /* dialogue */
        const struct tuya_script *script;
        unsigned step;           /* index into the script; past its end the session runs */
        unsigned tries;          /* of this step */
        uint64_t step_since_ms;
        unsigned speeds_tried;   /* in this search */
        bool told_cloud;         /* the MCU was told that it is connected, and has answered or never will */
        bool low_power;          /* it speaks the low-power set */
        bool wants_silence;      /* it asked for no heartbeats (25): no polls either */
        bool push_time;          /* it asked for the time to be pushed (34/01) */
        bool push_local;         /* local time rather than GMT */
        bool poll_again;         /* the next poll is not skipped, however fresh the values are */
        bool probe;              /* a step had no answer: ask with a heartbeat whether the MCU is still there */
        bool unsure;             /* the answer to a heartbeat was lost: it may have been the 00 of a restart */
        bool heard;              /* a good frame since the search began */
        bool has_heartbeat;      /* this MCU has answered a heartbeat */
        bool was_online;         /* since the port was opened */
        bool mode_has_pins;      /* its working mode answer named pins: it may wait for the LED pin */
        uint8_t network_state;   /* told last */
        struct tuya_request request;
        unsigned n_answers;
        struct tuya_answer answers[TUYA_ANSWERS_MAX];
        uint64_t last_heard_ms, last_tx_ms, last_report_ms;
        uint64_t blocked_since_ms;  /* sending has waited for the end of a frame since then, 0: it does not */
        uint64_t heartbeat_due_ms, poll_due_ms, state_due_ms;
        unsigned missed;         /* heartbeats in a row with nothing heard */

        /* publication */
        bool publishing;         /* the MCU knows that it is "connected to the cloud": values count */
        bool publish_on_report;  /* it never acknowledged that: they count from its next report on */
        bool seen_nonzero;       /* since this run of the MCU began publishing */
        uint8_t module_state;    /* listening only: last network state seen from the real module, 0xff: none */
        bool swapped;            /* listening only: the meter's reports come where its module should speak */
        bool understood;         /* listening only: a good frame came at this speed, whoever sent it */
        uint64_t speed_since_ms;
        bool asked;              /* listening only: the real module's query has had no answer yet */
        uint64_t asked_ms;
        uint64_t publishing_since_ms, first_report_ms, last_data_ms;
        struct tuya_moment moment;
        bool nonzero[CHANNELS_MAX][Q_COUNT];  /* what was published last was not 0 */
        struct tuya_increment increments[256];  /* by datapoint id */

        struct tuya_write write;
};

static inline uint64_t min_u64(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b) {
        return a > b ? a : b;
}

static inline struct tuya_session *tuya_session(struct session *base) {
        return (struct tuya_session *) base;
}

/* increment.c */

/* Takes in an increment of now; nothing for other datapoints. */
void tuya_increment_take(struct tuya_session *s, uint8_t id, int64_t number);
/* What has come and was not published. */
int64_t tuya_increment_sum(const struct tuya_session *s, uint8_t id);
void tuya_increments_published(struct tuya_session *s);

/* moment.c */

/* Takes in the datapoints of a report frame. */
void tuya_moment_add(struct tuya_session *s, uint64_t now_ms, struct span data);
/* The same for values of the past: they are listed with the datapoints and never published. */
void tuya_moment_note(struct tuya_session *s, uint64_t now_ms, struct span data);
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

/* commands.c */

/* What the MCU asks of its module: queues the answer. False for a command that nobody knows. */
bool tuya_answer_request(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f);
/* The same for the low-power set. */
bool tuya_answer_low_power(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f);
/* Queues a frame to the MCU; what finds no place is dropped, the MCU asks again. */
void tuya_queue_answer(struct tuya_session *s, uint8_t command, const uint8_t *data, uint8_t len);
/* Queues the time as 34/02 has it; nothing while it is not known. */
void tuya_queue_time_push(struct tuya_session *s, uint64_t now_ms);

/* write.c */

/* Somebody wants a datapoint written: checks it against the profile. See protocol->act for what it returns. */
int tuya_write_begin(struct tuya_session *s, uint64_t now_ms, const struct datapoint_write *what,
                     struct action_refusal *refusal);
/* True when its frame wants to leave. */
bool tuya_write_is_due(const struct tuya_session *s);
/* Its frame leaves now. */
void tuya_write_sent(struct tuya_session *s, uint64_t now_ms);
/* The meter has told a value. */
void tuya_write_note(struct tuya_session *s, uint64_t now_ms, const struct tuya_datapoint *d);
/* The conversation has come to an end or begins anew: what is not confirmed by now never will be. */
void tuya_write_abandon(struct tuya_session *s, uint64_t now_ms);
/* Gives up what has waited too long. */
void tuya_write_update(struct tuya_session *s, uint64_t now_ms);
/* When tuya_write_update has to be called again, SESSION_NEVER: on input only. */
uint64_t tuya_write_deadline(const struct tuya_session *s);

/* dialogue.c */

/* Plays a script from this step on. */
void tuya_play(struct tuya_session *s, uint64_t now_ms, const struct tuya_script *script, unsigned step);
/* Looks for the meter anew. */
void tuya_search(struct tuya_session *s, uint64_t now_ms);
/* The MCU has to be told everything again. */
void tuya_begin_again(struct tuya_session *s, uint64_t now_ms, const char *reason);
bool tuya_is_searching(const struct tuya_session *s);
bool tuya_is_running(const struct tuya_session *s);  /* the script is at its end */
/* An answer with this command arrived: true when it is the one that we wait for. */
bool tuya_is_awaited(const struct tuya_session *s, uint8_t command);
/* What we waited for has come. */
void tuya_answered(struct tuya_session *s, uint64_t now_ms);
/* Gives up what has waited too long, and goes on with the next step. */
void tuya_dialogue_update(struct tuya_session *s, uint64_t now_ms);
/* Puts the next frame into out when it is our turn. */
void tuya_dialogue_send(struct tuya_session *s, uint64_t now_ms, bool receiving, struct session_output *out);
uint64_t tuya_dialogue_deadline(const struct tuya_session *s, uint64_t now_ms, bool receiving);
/* The speed to begin with, and the one after the present one. */
uint32_t tuya_first_baud(const struct tuya_session *s);
void tuya_next_baud(struct tuya_session *s);

/* session.c, called through the table in tuyamcu.c */
void tuya_set_state(struct tuya_session *s, enum meter_state state, const char *reason);
void tuya_start(struct session *base, const struct session_config *config, uint64_t now_ms);
void tuya_stop(struct session *base, const char *reason);
void tuya_set_profile(struct session *base, const struct profile *profile);
void tuya_frame(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len);
void tuya_request(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len);
void tuya_poll(struct session *base, uint64_t now_ms, bool receiving, struct session_output *out);
int tuya_act(struct session *base, uint64_t now_ms, const struct action_request *request,
             struct action_refusal *refusal);
