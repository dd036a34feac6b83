/* The contract between a protocol and everything above it. A protocol is one constant table of pure functions:
 * bytes and a time in, bytes to send, a report and the next deadline out. No descriptors, clocks or allocation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/bytes.h"
#include "protocols/datapoints.h"
#include "protocols/framer.h"
#include "protocols/profile.h"
#include "protocols/quantity.h"
#include "protocols/report.h"
#include "protocols/text_log.h"

#define SESSION_TX_MAX     272  /* largest frame sent: 265 bytes, what an MCU has to keep at the least */
#define SESSION_NEVER      UINT64_MAX
#define SESSION_COUNTERS_MAX 48
#define SESSION_DETAIL_MAX  96   /* text of a detail with its end */
#define WRITE_BYTES_MAX     DATAPOINT_BYTES_MAX  /* of a text or raw value that is written: what is shown whole */
#define ACTION_REFUSAL_MAX  200  /* text of a refusal with its end */
#define BLANK_WAIT_MAX      512

/* What a meter is doing, as API, metrics and logs name it. */
enum meter_state {
        METER_CONNECTING,  /* port not open yet, or the start-up dialogue is under way */
        METER_ONLINE,
        METER_STALE,       /* the link is there, but nothing fresh arrives */
        METER_OFFLINE,     /* it was there and is gone */
        METER_NO_MODULE,        /* the port is open, nobody answers */
        METER_NOT_PROVISIONED,  /* a radio module answers; it belongs to no utility network */
        METER_SEARCHING,        /* it belongs to one; the utility's meter does not answer */
        METER_STATE_COUNT,
};
extern const char *const meter_state_names[METER_STATE_COUNT];

/* What the layers above know of the time, for meters that ask; they renew it before calling the protocol. */
struct session_clock {
        bool known;
        int64_t utc_minus_now_ms;       /* UTC in ms since the epoch = now_ms + this */
        int32_t zone_offset_s;          /* local time = UTC + this */
};

struct session_config {
        const struct profile *profile;  /* borrowed; NULL: not known yet */
        uint32_t baud;                  /* where to begin; 0: no opinion. Others are tried when nothing answers */
        uint32_t poll_ms;
        uint32_t stale_after_ms;
        bool poll_aligned;              /* polls fall on multiples of poll_ms of the wall clock, once it is known */
        uint32_t console_log_level;     /* to be set in a module that has a console; 0: left as it is */
        bool listen_only;               /* never transmit */
        bool has_speed;                 /* the port is a serial one whose speed can be set */
};

/* How somebody gives a datapoint's value. */
enum value_form {
        VALUE_NUMBER,                   /* as it is on the wire, not scaled */
        VALUE_FLAG,                     /* false or true: number is 0 or 1 */
        VALUE_TEXT,                     /* UTF-8 */
        VALUE_BYTES,
        VALUE_FORM_COUNT,
};
extern const char *const value_form_keys[VALUE_FORM_COUNT];  /* what holds it in JSON: "raw", "text", "hex" */

struct datapoint_write {
        uint16_t id;
        enum value_form form;
        int64_t number;
        size_t len;                     /* of bytes */
        uint8_t bytes[WRITE_BYTES_MAX];
};

enum write_status {
        WRITE_NONE,                     /* nothing was ever to be written */
        WRITE_PENDING,                  /* not sent yet, or the meter has not told the value yet */
        WRITE_CONFIRMED,                /* the meter told the value since */
        WRITE_UNCONFIRMED,
        WRITE_STATUS_COUNT,
};
extern const char *const write_status_names[WRITE_STATUS_COUNT];  /* "pending", ...; [0] is "" */

/* The datapoint that was to be written last; one at a time. */
struct session_write {
        enum write_status status;
        const char *reason;             /* of that status; static text */
        struct datapoint_write what;
        uint64_t asked_ms, ended_ms;    /* ended: valid unless pending */
        uint64_t count, ended;          /* writes begun so far, and those that have ended */
};

/* Begins every protocol's state; the layers above read it, only the protocol writes it. */
struct session {
        struct session_clock clock;     /* written by the layers above */
        enum meter_state state;
        const char *reason;             /* why it is in that state; static text */
        uint32_t baud_wanted;           /* speed the port should have now, 0: no opinion */
        bool started;                   /* the meter has told who it is, so far as it ever will */
        char product_key[PRODUCT_KEY_MAX + 1];  /* "" until known; printable characters only */
        char firmware[24];              /* "" until known; printable characters only */
        const char *hint;               /* what the owner could do; NULL: nothing; static text */
        uint32_t latency_last_ms, latency_max_ms;  /* of the meter's answers to queries */
        uint64_t latency_sum_ms, latency_count;
        uint64_t counters[SESSION_COUNTERS_MAX];   /* named by protocol->counters */
        struct datapoint_table datapoints;
        struct session_write write;
};

struct session_output {
        size_t tx_len;                  /* bytes of tx to write now, 0: none */
        uint8_t tx[SESSION_TX_MAX];
        bool has_report;
        struct report report;           /* accepted for publication, valid when has_report */
        uint64_t next_ms;               /* call poll again at this time at the latest; SESSION_NEVER: on input only */
};

struct protocol_counter {
        const char *name;               /* JSON key and metric label */
        bool is_error;                  /* shown as metergate_frame_errors_total{reason=name} */
        bool is_withheld;               /* counts values kept back: metergate_readings_withheld_total{reason=name} */
};

/* How sure it is that a meter brings a series. */
enum series_presence {
        SERIES_NONE,
        SERIES_POSSIBLE,                /* only some of what it sends brings it: derived until it was measured */
        SERIES_CERTAIN,
};

/* One more thing to know about a meter, for its diagnostics. */
enum detail_kind {
        DETAIL_UNKNOWN,                 /* shown as null */
        DETAIL_TEXT,
        DETAIL_NUMBER,
        DETAIL_FLAG,                    /* number is 0 or 1 */
        DETAIL_TIME,                    /* at_ms */
        DETAIL_HEX,                     /* bytes */
};

struct session_detail {
        const char *key;                /* JSON key; static text */
        const char *label;              /* for people; static text */
        enum detail_kind kind;
        bool is_secret;                 /* shown as "masked" unless a control token asks for it */
        int64_t number;
        uint64_t at_ms;
        char text[SESSION_DETAIL_MAX];
        const uint8_t *bytes;           /* the session's; valid until its next call */
        size_t len;
};

/* What a datapoint is, where its protocol says so by itself and no profile is needed. */
struct attribute_info {
        char id[8];                     /* "0x0400" */
        const char *type;               /* static text; NULL: has no name */
        const char *name;               /* static text; NULL: not known */
        uint8_t quantity;               /* that it becomes, or Q_NONE */
};

/* A stretch of a frame in which the same place means the same in every frame: parts of one kind and length. */
struct frame_part {
        uint32_t kind;                  /* the protocol's; named by part_name */
        struct span bytes;              /* the frame's */
};

/* What an owner can ask a meter to do. */
enum session_action {
        ACTION_QUERY,                   /* read it now */
        ACTION_REJOIN,                  /* join the utility's network again */
        ACTION_SET_DATAPOINT,           /* write a value; session.write tells what becomes of it */
        ACTION_COUNT,
};
extern const char *const session_action_names[ACTION_COUNT];

struct action_request {
        enum session_action action;
        struct datapoint_write write;   /* of ACTION_SET_DATAPOINT */
};

/* Why an action was not begun. */
struct action_refusal {
        const char *key;                /* of the value that is wrong; static text; NULL: none is */
        char text[ACTION_REFUSAL_MAX];  /* a sentence without its end; "": the result says all there is to say */
        uint64_t wait_ms;               /* with -EAGAIN: it may be tried again after this */
};

struct protocol {
        const char *name;               /* configuration key, JSON value and metric label: never renamed */
        const uint32_t *bauds;          /* speeds to try, ends with 0 */
        uint32_t default_poll_ms, min_poll_ms, max_poll_ms;
        size_t session_size;            /* bytes of state, a struct session first; handed in zeroed */
        const struct protocol_counter *counters;  /* ends with a NULL name */
        unsigned silence_ms;            /* a part-frame followed by this much silence is given up */
        bool needs_profile;             /* without one its values have no meaning */
        bool has_no_checksum;           /* a damaged frame can pass: a first counter value needs a second to agree */
        bool aligns_polls;              /* it knows poll_aligned */
        frame_check_fn frame_check;
        frame_check_fn request_check;   /* of what is sent to the meter */

        /* The port has been opened (again): starts the dialogue. Counters and datapoints are kept. */
        void (*start)(struct session *s, const struct session_config *config, uint64_t now_ms);
        /* The port is gone. Nothing pending is published. */
        void (*stop)(struct session *s, const char *reason);
        /* The profile has become known, or changed; borrowed. */
        void (*set_profile)(struct session *s, const struct profile *profile);
        /* One good frame, as frame_check accepted it: from the meter, or, where one receiver hears both directions,
         * to it. */
        void (*frame)(struct session *s, uint64_t now_ms, const uint8_t *frame, size_t len);
        /* One that somebody else sent to the meter, as request_check accepted it: heard on a line of its own. */
        void (*request)(struct session *s, uint64_t now_ms, const uint8_t *frame, size_t len);
        /* What to send, what to publish, when to call again. Call it after each batch of frames and when next_ms
         * has come, again and again until neither tx nor report comes out. receiving: part of a frame has arrived. */
        void (*poll)(struct session *s, uint64_t now_ms, bool receiving, struct session_output *out);
        /* Puts a reading's origin into words, such as "dp 20". */
        void (*origin_name)(uint16_t origin, char *buf, size_t size);
        /* Which series a meter of this profile has in a channel. */
        void (*series)(const struct profile *profile, unsigned channel, enum series_presence ret[Q_COUNT]);

        /* The rest is optional: NULL where a protocol has nothing of the kind. */

        /* Bytes outside any frame, as they come. */
        void (*text)(struct session *s, uint64_t now_ms, const uint8_t *bytes, size_t len);
        /* The console lines so collected. */
        const struct text_log *(*console)(const struct session *s);
        /* True for a frame that holds a secret and must not be kept. */
        bool (*is_secret)(const uint8_t *frame, size_t len);
        /* Overwrites what is secret in a frame, which stays a good one. Returns how many bytes changed. */
        size_t (*blank_frame)(uint8_t *frame, size_t len);
        /* The same for bytes outside any frame. Returns how many of them, from the first, are done: the rest, fewer
         * than BLANK_WAIT_MAX, has to be shown again together with what comes behind it. is_all: nothing does. */
        size_t (*blank_text)(uint8_t *bytes, size_t len, bool is_all, size_t *ret_changed);
        /* True when such bytes, not overwritten yet, end within what may be secret: its rest may come. NULL only
         * where blank_text is. */
        bool (*is_text_cut)(const uint8_t *bytes, size_t len);
        /* What a datapoint is; NULL: the profile says it. */
        void (*attribute)(const struct datapoint *d, struct attribute_info *ret);
        /* Readings of a raw value under the layout of a row, added to the report. */
        void (*read_layout)(const struct profile_datapoint *row, const uint8_t *bytes, size_t len,
                            struct report *report);
        /* The i-th detail; false past the last. */
        bool (*detail)(const struct session *s, unsigned i, struct session_detail *ret);
        /* The parts of a frame from the meter that may hold measured values, for who looks for one there. *at is 0
         * for the first, and moved on; false past the last. */
        bool (*part)(const uint8_t *frame, size_t len, size_t *at, struct frame_part *ret);
        void (*part_name)(uint32_t kind, char *buf, size_t size);
        /* What a meter without a profile most likely is, going by its datapoints, as the end of a sentence; NULL:
         * nobody can tell. */
        const char *(*likeness)(const struct datapoint_table *t);
        /* 0: it will be done by the next poll; -EOPNOTSUPP: this meter has no such thing; -EBUSY: not now; -EACCES:
         * the profile does not allow it; -EINVAL: not such a value. refusal is cleared by the caller. */
        int (*act)(struct session *s, uint64_t now_ms, const struct action_request *request,
                   struct action_refusal *refusal);
};

extern const struct protocol *const protocols[];  /* ends with NULL */

/* NULL when there is none of that name. */
const struct protocol *protocol_find(const char *name);
