#include "meters/write_limit.h"

uint64_t write_limit_wait_ms(const struct write_limit *l, uint64_t now_ms) {
        uint64_t used_ms = l->free_ms > now_ms ? l->free_ms - now_ms : 0,
                 most_ms = (WRITES_AT_ONCE - 1) * WRITE_EVERY_MS;

        return used_ms > most_ms ? used_ms - most_ms : 0;
}

void write_limit_take(struct write_limit *l, uint64_t now_ms) {
        l->free_ms = (l->free_ms > now_ms ? l->free_ms : now_ms) + WRITE_EVERY_MS;
}
