/* State of one radio module and the utility meter behind it, shared by the parts of the session: the dialogue (what
 * to send and when), the intake (what readings say and whether they may be published), the console (text between
 * frames) and the state that others see. */
#pragma once

#include "protocols/protocol.h"
#include "protocols/vue/frame.h"
#include "protocols/vue/install_code.h"
#include "protocols/vue/reading.h"

enum {
        VUE_CONSOLE_LINE_MAX = 1024,
        VUE_PENDING_MAX = 4,        /* readings that arrived in one batch */
        VUE_JOIN_LIMIT_MS = 30000,  /* without a reading for at least so long: join again */
};

/* What is asked, one at a time. There is no entry for what must never be sent. */
enum vue_ask {
        VUE_ASK_FIRMWARE,
        VUE_ASK_MAC,
        VUE_ASK_INSTALL_CODE,
        VUE_ASK_JOIN,
        VUE_ASK_READ,
        VUE_ASK_COUNT,
};

/* Names in the same order in vue.c. The first three are one for each ask. */
enum vue_counter {
        VUE_REQUESTS,
        VUE_ANSWERS = VUE_REQUESTS + VUE_ASK_COUNT,
        VUE_TIMEOUTS = VUE_ANSWERS + VUE_ASK_COUNT,
        VUE_LATE_ANSWERS = VUE_TIMEOUTS + VUE_ASK_COUNT,
        VUE_UNASKED,
        VUE_REJOINS,
        VUE_POWER_CYCLES,
        VUE_DUPLICATES,
        VUE_ALL_ZERO,
        VUE_NO_VALUES,
        VUE_SEQUENCE_GAPS,
        VUE_SCALE_CHANGES,
        VUE_NOTICES_0,
        VUE_NOTICES_1,
        VUE_NOTICES_2,
        VUE_NOTICES_OTHER,
        VUE_CONSOLE_LINES,
        VUE_CONSOLE_REDACTED,
        VUE_ERROR_SHORT,
        VUE_ERROR_NOT_READ_RESPONSE,
        VUE_ERROR_BAD_RECORD,
        VUE_ERROR_BAD_LENGTH,
        VUE_ERROR_UNKNOWN_TYPE,
        VUE_WITHHELD_NO_SCALE,
        VUE_WITHHELD_UNSCALED,
        VUE_WITHHELD_UNIT,
        VUE_WITHHELD_MARKER,
        VUE_COUNTER_COUNT,
};

/* The start: wake the console, let it fall silent, then ask who is there. After it come readings. */
enum vue_step {
        VUE_STEP_WAKE,
        VUE_STEP_DRAIN,
        VUE_STEP_LOG_LEVEL,
        VUE_STEP_DRAIN_AGAIN,
        VUE_STEP_FIRMWARE,
        VUE_STEP_MAC,
        VUE_STEP_INSTALL_CODE,
        VUE_STEP_JOIN,
        VUE_STEP_RUNNING,
};

struct vue_request {
        bool waiting;
        enum vue_ask ask;
        uint64_t sent_ms;
        uint64_t last_sent_ms[VUE_ASK_COUNT];  /* 0: never */
        bool owed[VUE_ASK_COUNT];              /* it timed out and may still be answered */
};

/* Part of a damaged frame is on its way through the text. */
enum vue_debris {
        VUE_DEBRIS_NONE,
        VUE_DEBRIS_DOLLAR,  /* '$' was seen */
        VUE_DEBRIS_TYPE,
        VUE_DEBRIS_LENGTH,
        VUE_DEBRIS_PAYLOAD,
};

struct vue_console {
        struct text_log log;
        uint64_t last_ms;           /* of the last byte */
        bool booted;                /* a line of the module's start was seen; the reader clears it */
        bool echoed;                /* a line was one of our own requests */
        enum vue_debris debris;
        unsigned debris_left;
        size_t len;
        char line[VUE_CONSOLE_LINE_MAX];
};

/* One reading, waiting to be published. */
struct vue_pending {
        uint64_t at_ms;
        unsigned count;
        struct reading readings[3];
};

struct vue_session {
        struct session base;        /* first: the layers above see only this */
        struct session_config config;

        /* dialogue */
        bool open;
        enum vue_step step;
        uint64_t step_since_ms, started_ms, begun_ms;
        struct vue_request request;
        unsigned unanswered;        /* requests in a row with no frame since */
        bool firmware_unanswered;   /* one of them asked for the firmware */
        bool has_firmware;
        bool read_unanswered;       /* one of them was for a reading */
        bool lost;                  /* nobody is there */
        bool heard;                 /* a frame, since the port was opened */
        bool join_wanted, read_wanted;  /* by the owner */
        bool level_wanted;          /* the module may have been away when the log level was set */
        bool read_tried;            /* the first reading was answered, or it timed out */
        unsigned rejoins_in_row;
        uint64_t last_tx_ms, last_input_ms, last_heard_ms, last_text_ms;
        uint64_t blocked_since_ms;  /* sending has waited for the end of a frame since then, 0: it does not */
        uint64_t firmware_due_ms, read_due_ms, rejoin_due_ms;

        /* who it is */
        bool has_mac, has_install_code, has_join, has_notice;
        uint8_t firmware, join, notice;
        char mac[VUE_MAC_TEXT_SIZE];
        uint8_t install_code[VUE_INSTALL_CODE_SIZE];
        uint64_t join_at_ms, notice_at_ms;

        /* readings */
        bool has_good;              /* since the module was last lost */
        bool ever_good;
        uint64_t last_good_ms;
        bool has_unusable;          /* of the readings since the last good one, the last said so */
        enum vue_counter unusable;  /* why */
        uint64_t last_unusable_ms;
        unsigned zeros_in_row;
        bool has_sequence, has_scale, has_import_raw, scale_changed;
        uint8_t sequence;
        uint64_t multiplier, divisor, import_raw;
        uint64_t scale_changed_ms;
        size_t frame_len;           /* of the last reading frame, 0: none */
        uint8_t frame[VUE_FRAME_OVERHEAD + VUE_PAYLOAD_MAX];
        uint64_t frame_at_ms;
        struct vue_reading reading; /* the last one */
        unsigned n_pending;
        struct vue_pending pending[VUE_PENDING_MAX];

        struct vue_console console;
};

static inline struct vue_session *vue_session(struct session *base) {
        return (struct vue_session *) base;
}

static inline const struct vue_session *vue_session_of(const struct session *base) {
        return (const struct vue_session *) base;
}

static inline uint64_t vue_earlier(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

static inline uint64_t vue_later(uint64_t a, uint64_t b) {
        return a > b ? a : b;
}

/* How long the meter may be silent before it counts as out of reach. */
static inline uint64_t vue_reading_limit(const struct vue_session *s) {
        return vue_later(VUE_JOIN_LIMIT_MS, 3 * (uint64_t) s->config.poll_ms);
}

/* dialogue.c */

/* Wakes the console and asks everything anew. */
void vue_begin(struct vue_session *s, uint64_t now_ms);
/* A message arrived that only the module sends. */
void vue_heard(struct vue_session *s, uint64_t now_ms);
/* It is the answer to this, if it was asked. True when it is the awaited one. */
bool vue_answered(struct vue_session *s, uint64_t now_ms, enum vue_ask ask);
/* Somebody else asked for this while we listen. */
void vue_asked(struct vue_session *s, uint64_t now_ms, enum vue_ask ask);
/* The radio link to the meter works. */
void vue_reached(struct vue_session *s, uint64_t now_ms);
/* The module says that it has just started. */
void vue_booted(struct vue_session *s, uint64_t now_ms);
/* Gives up what has waited too long, and goes on with the next step. */
void vue_dialogue_update(struct vue_session *s, uint64_t now_ms, bool receiving);
/* True for the letter of something that can be asked. */
bool vue_ask_of(char letter, enum vue_ask *ret);
/* Puts the next request into out when it is our turn. */
void vue_dialogue_send(struct vue_session *s, uint64_t now_ms, bool receiving, struct session_output *out);
uint64_t vue_dialogue_deadline(const struct vue_session *s, uint64_t now_ms, bool receiving);
int vue_act(struct session *base, uint64_t now_ms, const struct action_request *request,
            struct action_refusal *refusal);

/* intake.c */

/* Takes in a reading. */
void vue_take_reading(struct vue_session *s, uint64_t now_ms, const uint8_t *frame, size_t len);
/* Hands out the oldest reading that waits; false when there is none. */
bool vue_next_report(struct vue_session *s, struct report *ret);
/* Where a value stood: an attribute of a ZCL reading, or a byte of the record dump. */
void vue_origin_name(uint16_t origin, char *buf, size_t size);

/* state.c */

/* Derives state, reason and hint from what is known. */
void vue_update_state(struct vue_session *s, uint64_t now_ms);
/* When time alone changes the state. */
uint64_t vue_state_deadline(const struct vue_session *s, uint64_t now_ms);

/* console.c */

/* Takes in text. Returns how many lines were completed, and how many of them hid a secret. */
unsigned vue_console_take(struct vue_console *c, uint64_t now_ms, const uint8_t *bytes, size_t len,
                          unsigned *ret_redacted);
/* A good frame has passed: what follows is no part of a damaged one. */
void vue_console_frame(struct vue_console *c);

/* details.c */
bool vue_detail(const struct session *base, unsigned i, struct session_detail *ret);

/* session.c, called through the table in vue.c */
void vue_start(struct session *base, const struct session_config *config, uint64_t now_ms);
void vue_stop(struct session *base, const char *reason);
void vue_set_profile(struct session *base, const struct profile *profile);
void vue_frame(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len);
void vue_request(struct session *base, uint64_t now_ms, const uint8_t *frame, size_t len);
void vue_poll(struct session *base, uint64_t now_ms, bool receiving, struct session_output *out);
void vue_text(struct session *base, uint64_t now_ms, const uint8_t *bytes, size_t len);
