#include "meters/completeness.h"

#define MINUTE_MS UINT64_C(60000)

static uint64_t earlier(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b) {
        return a > b ? a : b;
}

void completeness_begin(struct completeness *c, uint64_t now_ms) {
        *c = (struct completeness) { .since_ms = now_ms, .minute = now_ms / MINUTE_MS };
}

/* Makes room for minutes up to this one. */
static void turn_to(struct completeness *c, uint64_t minute) {
        uint64_t first = later(c->minute + 1, minute < COMPLETENESS_MINUTES ? 0 : minute - COMPLETENESS_MINUTES + 1);

        for (uint64_t m = first; m <= minute; m++)
                c->known_ms[m % COMPLETENESS_MINUTES] = 0;
        c->minute = later(c->minute, minute);
}

/* What is known up to now goes into its minutes. */
static void settle(struct completeness *c, uint64_t now_ms) {
        uint64_t end_ms = earlier(c->until_ms, now_ms);

        turn_to(c, now_ms / MINUTE_MS);
        while (c->from_ms < end_ms) {
                uint64_t minute = c->from_ms / MINUTE_MS, to_ms = earlier(end_ms, (minute + 1) * MINUTE_MS);

                if (minute + COMPLETENESS_MINUTES > c->minute)
                        c->known_ms[minute % COMPLETENESS_MINUTES] += (uint32_t) (to_ms - c->from_ms);
                c->from_ms = to_ms;
        }
}

void completeness_take(struct completeness *c, uint64_t at_ms, uint32_t hold_ms) {
        settle(c, at_ms);
        c->from_ms = at_ms;
        c->until_ms = at_ms + hold_ms;
}

unsigned completeness_permille(const struct completeness *c, uint64_t now_ms) {
        struct completeness settled = *c;
        uint64_t first = now_ms / MINUTE_MS, begin_ms, sum_ms = 0;

        settle(&settled, now_ms);
        first = first < COMPLETENESS_MINUTES ? 0 : first - COMPLETENESS_MINUTES + 1;
        begin_ms = later(first * MINUTE_MS, c->since_ms);
        for (unsigned i = 0; i < COMPLETENESS_MINUTES; i++)
                sum_ms += settled.known_ms[i];
        return now_ms > begin_ms ? (unsigned) (sum_ms * 1000 / (now_ms - begin_ms)) : 0;
}
