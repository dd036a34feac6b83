/* A 64-bit hash to tell whether something changed. Not for tables that others fill and not for secrets: collisions
 * can be made on purpose. Differs between byte orders, so it is for this machine's use alone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Hashes go on: hash_bytes(hash_bytes(seed, a), b). Where a ends and b begins makes a difference. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);
uint64_t hash_number(uint64_t seed, uint64_t number);
uint64_t hash_text(uint64_t seed, const char *text);  /* NULL differs from "" */
