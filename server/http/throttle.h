/* Slows down who guesses tokens. Each address has some tries, which come back one by one; without any left, what it
 * sends is not even compared. A fixed table: when it is full, the address that has tried least is forgotten, so that
 * a newcomer always begins with all of its tries, however many attackers there are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "http/limits.h"
#include "http/peer.h"

struct throttle_entry {
        struct peer_key peer;
        uint64_t whole_ms;     /* when it has all of its tries again; past: it has them, and the place is free */
        uint64_t told_ms;      /* when a line was last logged about it; 0: never */
        bool told_empty;       /* that line was about the last of its tries */
};

struct throttle {
        uint64_t failures;     /* tokens that were compared in vain */
        uint64_t refusals;     /* requests that were not even compared; the caller's to count */
        uint64_t told_ms;      /* the newest line about any address */
        struct throttle_entry entry[THROTTLE_ENTRIES];
};

enum throttle_news {
        THROTTLE_NOTHING_NEW,
        THROTTLE_BEGAN,        /* the first failure of this address for a while */
        THROTTLE_EXHAUSTED,    /* it has no tries left */
};

/* 0: the address may try; else how many ms until it may. Times are of any clock that never goes back. */
uint64_t throttle_wait_ms(const struct throttle *t, const struct peer_key *peer, uint64_t now_ms);

/* A try was in vain. Says what is worth a line in the log: an attack must not fill it. */
enum throttle_news throttle_fail(struct throttle *t, const struct peer_key *peer, uint64_t now_ms);
