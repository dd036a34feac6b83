#include "http/throttle.h"

/* All tries of an address, in the time that they take to come back. */
#define WHOLE_MS ((uint64_t) THROTTLE_TRIES * THROTTLE_TRY_MS)

/* The entry's number; THROTTLE_ENTRIES: there is none. */
static unsigned find(const struct throttle *t, const struct peer_key *peer) {
        unsigned i = 0;

        while (i < THROTTLE_ENTRIES && !(t->entry[i].whole_ms > 0 && peer_key_equal(&t->entry[i].peer, peer)))
                i++;
        return i;
}

/* A place never used has tried least of all. */
static struct throttle_entry *take_place(struct throttle *t, const struct peer_key *peer) {
        struct throttle_entry *least = &t->entry[0];

        for (unsigned i = 1; i < THROTTLE_ENTRIES; i++)
                if (t->entry[i].whole_ms < least->whole_ms)
                        least = &t->entry[i];
        *least = (struct throttle_entry) { .peer = *peer };
        return least;
}

uint64_t throttle_wait_ms(const struct throttle *t, const struct peer_key *peer, uint64_t now_ms) {
        /* One try must have come back by then. */
        uint64_t may_ms = now_ms + WHOLE_MS - THROTTLE_TRY_MS;
        unsigned i = find(t, peer);

        return i < THROTTLE_ENTRIES && t->entry[i].whole_ms > may_ms ? t->entry[i].whole_ms - may_ms : 0;
}

static enum throttle_news tell(struct throttle *t, struct throttle_entry *e, bool empty, uint64_t now_ms) {
        if (e->told_ms > 0 && now_ms - e->told_ms < THROTTLE_SILENCE_MS && (e->told_empty || !empty))
                return THROTTLE_NOTHING_NEW;
        /* Attackers with many addresses would make a line each. The line about its end is the more important one. */
        if (t->told_ms > 0 && now_ms - t->told_ms < THROTTLE_LINE_MS && !(empty && e->told_ms == t->told_ms))
                return THROTTLE_NOTHING_NEW;
        t->told_ms = e->told_ms = now_ms;
        e->told_empty = empty;
        return empty ? THROTTLE_EXHAUSTED : THROTTLE_BEGAN;
}

enum throttle_news throttle_fail(struct throttle *t, const struct peer_key *peer, uint64_t now_ms) {
        unsigned i = find(t, peer);
        struct throttle_entry *e = i < THROTTLE_ENTRIES ? &t->entry[i] : take_place(t, peer);

        t->failures++;
        if (e->whole_ms < now_ms)
                e->whole_ms = now_ms;
        if (e->whole_ms < now_ms + WHOLE_MS)
                e->whole_ms += THROTTLE_TRY_MS;
        return tell(t, e, e->whole_ms > now_ms + WHOLE_MS - THROTTLE_TRY_MS, now_ms);
}
