/* What the token of a request allows.
 * It is looked at once for each request, and where it is wrong, that counts once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "http/peer.h"
#include "http/policy.h"
#include "http/route.h"
#include "http/throttle.h"

struct access {
        enum http_role role;
        bool failed;            /* there is a token, and it is not known */
        bool counted;           /* that has been counted */
        uint64_t wait_ms;       /* until its address may try again; 0: the token was looked at */
};

struct access_rules {
        const struct policy *policy;
        struct throttle *throttle;
        const struct peer_key *peer;
        bool slows;             /* wrong tokens of this peer are not only counted */
};

/* authorization: the header, NULL without one. An address that has used up its tries has to wait whatever it sends,
 * so that it can learn nothing from the answer, or from the time that it takes. */
struct access access_look(const struct access_rules *rules, const char *authorization);

/* Whether the request may have what is not public; otherwise the reply is a 401 or a 429. Only here a wrong token
 * counts: nothing else tells that it is wrong. */
bool access_check(const struct access_rules *rules, struct access *access, struct reply *reply);
