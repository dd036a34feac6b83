#include "base/hash.h"

#include <string.h>

/* An odd number without pattern: the golden ratio's fraction. */
#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

/* Each step can be undone, so that two texts of one length that differ in one word never meet; the shift takes the
 * upper bits, which a multiplication mixes best, to where the next word comes in. */
static uint64_t mix(uint64_t hash, uint64_t word) {
        hash = (hash ^ word) * MULTIPLIER;
        return hash ^ hash >> 32;
}

uint64_t hash_number(uint64_t seed, uint64_t number) {
        return mix(mix(seed, number), sizeof number);
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len) {
        const unsigned char *p = data;
        size_t left = len;
        uint64_t word;

        for (; left >= sizeof word; left -= sizeof word, p += sizeof word) {
                memcpy(&word, p, sizeof word);
                seed = mix(seed, word);
        }
        word = 0;
        if (left > 0)
                memcpy(&word, p, left);
        return mix(mix(seed, word), len);
}

uint64_t hash_text(uint64_t seed, const char *text) {
        return text ? hash_bytes(seed, text, strlen(text)) : mix(seed, UINT64_MAX);
}
