/* Checked readers for wire bytes. Nothing here reads outside the span it is given. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
        const uint8_t *data;  /* borrowed; may be NULL when len is 0 */
        size_t len;
};

static inline struct span span_of(const uint8_t *data, size_t len) {
        return (struct span) { data, len };
}

/* True when [offset, offset + width) lies inside the span; safe against overflow. */
static inline bool span_has(struct span s, size_t offset, size_t width) {
        return offset <= s.len && width <= s.len - offset;
}

/* The part from offset on, empty when offset lies outside. */
static inline struct span span_from(struct span s, size_t offset) {
        return offset < s.len ? span_of(s.data + offset, s.len - offset) : span_of(NULL, 0);
}

/* Unsigned big-endian integer of 1 to 8 bytes. False and ret untouched when it does not fit. */
static inline bool span_get_be(struct span s, size_t offset, size_t width, uint64_t *ret) {
        uint64_t v = 0;

        if (width == 0 || width > 8 || !span_has(s, offset, width))
                return false;
        for (size_t i = 0; i < width; i++)
                v = v << 8 | s.data[offset + i];
        *ret = v;
        return true;
}

/* The same as two's complement of that width. */
static inline bool span_get_be_signed(struct span s, size_t offset, size_t width, int64_t *ret) {
        uint64_t v;

        if (!span_get_be(s, offset, width, &v))
                return false;
        if (width < 8 && v >> (8 * width - 1))
                v |= UINT64_MAX << (8 * width);
        *ret = (int64_t) v;
        return true;
}

static inline uint16_t get_be16(const uint8_t *p) {
        return (uint16_t) (p[0] << 8 | p[1]);
}

static inline void put_be16(uint8_t *p, uint16_t v) {
        p[0] = (uint8_t) (v >> 8);
        p[1] = (uint8_t) v;
}

static inline void put_be32(uint8_t *p, uint32_t v) {
        put_be16(p, (uint16_t) (v >> 16));
        put_be16(p + 2, (uint16_t) v);
}
