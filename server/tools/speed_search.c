#include "tools/speed_search.h"

void speed_search_begin(struct speed_search *s, const uint32_t *bauds, uint64_t now_ms) {
        *s = (struct speed_search) { .bauds = bauds, .since_ms = now_ms };
}

enum speed_step speed_search_look(struct speed_search *s, uint64_t now_ms, uint64_t bytes, uint64_t frames) {
        uint64_t tried_ms = now_ms - s->since_ms;
        bool is_soon = bytes - s->bytes_before >= SPEED_SEARCH_BYTES && tried_ms >= SPEED_SEARCH_SOON_MS;

        if (s->is_over)
                return SPEED_STAY;
        if (frames > 0) {
                s->is_over = true;
                return SPEED_FOUND;
        }
        if (!is_soon && tried_ms < SPEED_SEARCH_TRY_MS)
                return SPEED_STAY;
        s->since_ms = now_ms;
        s->bytes_before = bytes;
        s->tried_all |= s->bauds[s->at + 1] == 0;
        if (s->at == 0 && s->bauds[1] == 0)
                return SPEED_STAY;
        s->at = s->bauds[s->at + 1] == 0 ? 0 : s->at + 1;
        return SPEED_NEXT;
}
