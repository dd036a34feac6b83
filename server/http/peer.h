/* Who is at the other end of a connection, as far as limits are about it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 address, an IPv6 /64 (what one household has), or all unix sockets. */
struct peer_key {
        uint8_t family;      /* 4, 6, or 0 for unix sockets */
        uint8_t address[8];
        bool loopback;
};

#define PEER_TEXT_MAX 48

struct peer_key peer_key(const struct sockaddr *peer);
bool peer_key_equal(const struct peer_key *a, const struct peer_key *b);

/* "192.0.2.7", "2001:db8:1:2::/64", "a unix socket". */
void peer_key_text(const struct peer_key *key, char text[PEER_TEXT_MAX]);
