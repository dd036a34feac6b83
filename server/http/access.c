#include "http/access.h"

#include "base/clock.h"
#include "base/log.h"

struct access access_look(const struct access_rules *rules, const char *authorization) {
        bool guards = authorization && policy_has_tokens(rules->policy), known;
        struct access access = { 0 };

        if (guards && rules->slows)
                access.wait_ms = throttle_wait_ms(rules->throttle, rules->peer, clock_now_ms());
        access.role = policy_role(rules->policy, access.wait_ms > 0 ? NULL : authorization, &known);
        access.failed = guards && !known && access.wait_ms == 0;
        return access;
}

/* One line for each address and a while, and never the token. */
static void log_failure(const struct access_rules *rules, enum throttle_news news) {
        char peer[PEER_TEXT_MAX];

        peer_key_text(rules->peer, peer);
        if (news == THROTTLE_BEGAN)
                log_notice("http: a request from %s has a token that is not known", peer);
        else if (news == THROTTLE_EXHAUSTED && rules->slows)
                log_warning("http: too many wrong tokens from %s; it has to wait before it may try again", peer);
}

bool access_check(const struct access_rules *rules, struct access *access, struct reply *reply) {
        unsigned wait_s = (unsigned) ((access->wait_ms + 999) / 1000);

        if (wait_s > 0) {
                rules->throttle->refusals++;
                reply_problem(reply, 429, NULL, "too many wrong tokens from this address; try again in %u s", wait_s);
                reply->retry_after_s = wait_s;
                return false;
        }
        if (access->failed && !access->counted) {
                access->counted = true;
                log_failure(rules, throttle_fail(rules->throttle, rules->peer, clock_now_ms()));
        }
        if (access->role != HTTP_ROLE_NONE)
                return true;
        reply_problem(reply, 401, NULL,
                      "this needs a token: Authorization: Bearer TOKEN, or the token as the password of Basic");
        return false;
}
