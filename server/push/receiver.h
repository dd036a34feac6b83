/* One receiver of remote write: reads the history from where it stands, has one batch under way at a time, and tries
 * again until the batch has arrived or is refused for what is in it. Times come in, requests go out through a
 * function, so tests run it with plain numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "history/history.h"
#include "push/curl_loop.h"

#define RECEIVER_BACKOFF_MIN_MS 1000u
#define RECEIVER_BACKOFF_MAX_MS 30000u
#define RECEIVER_RETRY_AFTER_MAX_S 3600u   /* nobody may keep us silent for longer */
#define RECEIVER_IDLE_MS 1000u             /* between two looks whether there is something new */
#define RECEIVER_TEXT_MAX 256

struct receiver_options {
        struct history *history;                    /* borrowed */
        const struct remote_write_config *config;   /* borrowed until receiver_set_config gives another one */
        const char *directory;                      /* where the position is kept; NULL: nowhere. Borrowed */
        uint32_t save_ms;                           /* at least this long between two writes of it, while behind */
        uint64_t seed;                              /* of the jitter */
        int (*post)(void *userdata, const void *body, size_t len);
        void (*tell)(void *userdata, const char *text);  /* an event, in words without figures */
        void *userdata;
};

/* What time it is: boot time, and what has to be added to it for UTC while that is known. */
struct receiver_time {
        uint64_t now_ms;
        bool has_utc;
        int64_t offset_ms;
};

struct receiver_facts {
        const char *state;                 /* "idle", "sending", "waiting" */
        uint64_t samples, failed, retries; /* acknowledged; refused for good; times that a batch was sent again */
        uint64_t batches, bytes;           /* acknowledged; bodies as sent, tries included */
        uint64_t lost_rows;                /* the ring had no room for them any more */
        uint64_t cursor;                   /* of the last row that is settled */
        int64_t lag_ms;                    /* age of that row while there are newer ones; 0 when there are none */
        const char *error;                 /* "" while all is well */
};

struct receiver;

int receiver_new(const struct receiver_options *options, struct receiver **ret);
/* Keeps the position. */
struct receiver *receiver_free(struct receiver *r);
static inline void receiver_freep(struct receiver **r) { receiver_free(*r); }

/* An equal one that lives longer. */
void receiver_set_config(struct receiver *r, const struct remote_write_config *config);

/* Does what is due, a slice of a millisecond or so. The boot-time ms of the next call, UINT64_MAX: not before there
 * is an answer. */
uint64_t receiver_turn(struct receiver *r, const struct receiver_time *t);

/* What became of the body that was posted. */
void receiver_answered(struct receiver *r, uint64_t now_ms, const struct post_answer *answer);

struct receiver_facts receiver_facts(const struct receiver *r, const struct receiver_time *t);
