#include "http/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct peer_key peer_key(const struct sockaddr *peer) {
        struct peer_key key = { 0 };

        if (peer->sa_family == AF_INET) {
                const struct sockaddr_in *in = (const struct sockaddr_in *) peer;

                key.family = 4;
                memcpy(key.address, &in->sin_addr, 4);
                key.loopback = key.address[0] == 127;
        } else if (peer->sa_family == AF_INET6) {
                const struct in6_addr *in6 = &((const struct sockaddr_in6 *) peer)->sin6_addr;

                /* A socket from systemd may serve both families. */
                key.family = IN6_IS_ADDR_V4MAPPED(in6) ? 4 : 6;
                memcpy(key.address, in6->s6_addr + (key.family == 4 ? 12 : 0), key.family == 4 ? 4 : 8);
                key.loopback = key.family == 4 ? key.address[0] == 127 : IN6_IS_ADDR_LOOPBACK(in6);
        } else {
                key.loopback = peer->sa_family == AF_UNIX;
        }
        return key;
}

bool peer_key_equal(const struct peer_key *a, const struct peer_key *b) {
        return a->family == b->family && memcmp(a->address, b->address, sizeof a->address) == 0;
}

void peer_key_text(const struct peer_key *key, char text[PEER_TEXT_MAX]) {
        struct in6_addr in6 = { 0 };
        char address[INET6_ADDRSTRLEN];

        memcpy(in6.s6_addr, key->address, sizeof key->address);
        if (key->family == 0)
                snprintf(text, PEER_TEXT_MAX, "a unix socket");
        else if (key->loopback)
                snprintf(text, PEER_TEXT_MAX, "this machine");
        else if (key->family == 4)
                snprintf(text, PEER_TEXT_MAX, "%s", inet_ntop(AF_INET, key->address, address, sizeof address));
        else
                snprintf(text, PEER_TEXT_MAX, "%s/64", inet_ntop(AF_INET6, &in6, address, sizeof address));
}
