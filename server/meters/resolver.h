/* Host names to addresses without blocking the loop: glibc's getaddrinfo_a does the waiting. */
#pragma once

#include <netdb.h>

struct resolver;

/* Begins to look up "host" and "port" (strings are copied). */
int resolver_new(const char *host, const char *port, struct resolver **ret);

/* -EAGAIN while under way, 0 with the list of addresses (valid until resolver_free),
 * -EHOSTUNREACH when there is none. */
int resolver_result(struct resolver *r, const struct addrinfo **ret);

/* May be called at any time, also with NULL. */
struct resolver *resolver_free(struct resolver *r);
