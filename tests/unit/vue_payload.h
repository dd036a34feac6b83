/* Payloads of meter readings, put together record by record, and what is read from them. All checks are cmocka's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "protocols/vue/reading.h"

/* ZCL types: integers of so many bits. */
enum { U8 = 0x20, U24 = 0x22, U32 = 0x23, U48 = 0x25, U64 = 0x27, S8 = 0x28, S24 = 0x2a, S64 = 0x2f };

struct payload {
        size_t len;
        uint8_t bytes[VUE_PAYLOAD_MAX];
};

void payload_put(struct payload *p, const void *bytes, size_t len);
void payload_le(struct payload *p, uint64_t v, unsigned width);

/* A read-attributes response without records. */
struct payload payload_zcl(void);

/* A record that ends with its status, one up to its type, one with an integer of its type's width. */
void payload_status(struct payload *p, uint16_t id, uint8_t status);
void payload_typed(struct payload *p, uint16_t id, uint8_t type);
void payload_integer(struct payload *p, uint16_t id, uint8_t type, uint64_t v);
void payload_scale(struct payload *p, uint64_t multiplier, uint64_t divisor);

/* Decodes a copy that ends where its memory ends, so that a read past it is seen. Valid until the next call. */
struct vue_reading *reading_of(const uint8_t *bytes, size_t len);
struct vue_reading *reading_of_payload(const struct payload *p);

void assert_value(const struct vue_value *v, int64_t value);
void assert_rejected(const struct vue_reading *r, enum vue_reject reject);
