#include "meters/frame_log.h"

#include <string.h>

/* An entry in the ring: time (8), number (8), direction (1), length (2), then the bytes. */
enum { ENTRY_HEADER_SIZE = 19 };

static void ring_write(struct frame_log *l, uint32_t at, const void *data, size_t len) {
        const uint8_t *bytes = data;

        for (size_t i = 0; i < len; i++)
                l->ring[(at + i) % FRAME_LOG_SIZE] = bytes[i];
}

static void ring_read(const struct frame_log *l, uint32_t at, void *data, size_t len) {
        uint8_t *bytes = data;

        for (size_t i = 0; i < len; i++)
                bytes[i] = l->ring[(at + i) % FRAME_LOG_SIZE];
}

static uint32_t entry_size(const struct frame_log *l, uint32_t at) {
        uint16_t len;

        ring_read(l, at + 17, &len, sizeof len);
        return ENTRY_HEADER_SIZE + len;
}

static void drop_oldest(struct frame_log *l) {
        uint32_t size = entry_size(l, l->head);

        l->head = (l->head + size) % FRAME_LOG_SIZE;
        l->used -= size;
        l->dropped += size;
}

void frame_log_put(struct frame_log *l, uint64_t at_ms, bool tx, const uint8_t *data, size_t len) {
        uint8_t direction = tx;
        uint16_t kept = (uint16_t) (len < FRAME_LOG_ENTRY_MAX ? len : FRAME_LOG_ENTRY_MAX);
        uint32_t at;

        while (l->used + ENTRY_HEADER_SIZE + kept > FRAME_LOG_SIZE)
                drop_oldest(l);
        at = l->head + l->used;
        l->total++;
        ring_write(l, at, &at_ms, sizeof at_ms);
        ring_write(l, at + 8, &l->total, sizeof l->total);
        ring_write(l, at + 16, &direction, sizeof direction);
        ring_write(l, at + 17, &kept, sizeof kept);
        ring_write(l, at + ENTRY_HEADER_SIZE, data, kept);
        l->used += ENTRY_HEADER_SIZE + kept;
}

bool frame_log_next(const struct frame_log *l, uint32_t *cursor, struct frame_log_entry *ret) {
        uint32_t at = l->head + *cursor;
        uint8_t direction;

        if (*cursor >= l->used)
                return false;
        ring_read(l, at, &ret->at_ms, sizeof ret->at_ms);
        ring_read(l, at + 8, &ret->number, sizeof ret->number);
        ring_read(l, at + 16, &direction, sizeof direction);
        ring_read(l, at + 17, &ret->len, sizeof ret->len);
        ring_read(l, at + ENTRY_HEADER_SIZE, ret->data, ret->len);
        ret->tx = direction != 0;
        *cursor += ENTRY_HEADER_SIZE + ret->len;
        return true;
}

struct frame_log_place frame_log_begin(const struct frame_log *l) {
        uint64_t oldest = l->total + 1;

        if (l->used > 0)
                ring_read(l, l->head + 8, &oldest, sizeof oldest);
        return (struct frame_log_place) { .at = l->dropped, .number = oldest - 1 };
}

bool frame_log_follow(const struct frame_log *l, struct frame_log_place *place, struct frame_log_entry *ret,
                      uint64_t *ret_lost) {
        uint32_t cursor = place->at > l->dropped ? (uint32_t) (place->at - l->dropped) : 0;

        if (!frame_log_next(l, &cursor, ret))
                return false;
        *ret_lost = ret->number - place->number - 1;
        *place = (struct frame_log_place) { .at = l->dropped + cursor, .number = ret->number };
        return true;
}
