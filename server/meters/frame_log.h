/* The last raw frames of a meter, both directions, in a ring of bytes of fixed size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_LOG_SIZE 16384  /* some 400 frames of 30 bytes: ten minutes of a talkative meter */

#define FRAME_LOG_ENTRY_MAX 1100  /* more than the largest TuyaMCU frame of 1031 bytes */

struct frame_log {
        uint64_t total;           /* frames ever logged */
        uint32_t head, used;      /* byte ring of entries */
        uint64_t dropped;         /* bytes of entries that made room: counted from there, no place ever changes */
        uint8_t ring[FRAME_LOG_SIZE];
};

struct frame_log_entry {
        uint64_t at_ms;           /* monotonic */
        uint64_t number;          /* counts up from 1 */
        bool tx;                  /* sent by us */
        uint16_t len;
        uint8_t data[FRAME_LOG_ENTRY_MAX];
};

/* Where a reader has come to. */
struct frame_log_place {
        uint64_t at;              /* bytes of entries before it */
        uint64_t number;          /* of the last frame read */
};

/* Longer frames than an entry holds are cut. Oldest entries make room. */
void frame_log_put(struct frame_log *l, uint64_t at_ms, bool tx, const uint8_t *data, size_t len);

/* Oldest first: *cursor starts at 0 and is moved on. False past the newest. */
bool frame_log_next(const struct frame_log *l, uint32_t *cursor, struct frame_log_entry *ret);

/* Before the oldest frame that is there. */
struct frame_log_place frame_log_begin(const struct frame_log *l);

/* The frame behind a place, which is moved on; *ret_lost is how many were dropped before they could be read. False
 * when there is none yet; nothing is written then. */
bool frame_log_follow(const struct frame_log *l, struct frame_log_place *place, struct frame_log_entry *ret,
                      uint64_t *ret_lost);
