/* Records of a Zigbee read-attributes response, and readings made of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/bytes.h"
#include "protocols/vue/reading.h"

enum {
        ZCL_HEADER_SIZE = 3,  /* frame control, sequence number, command */

        /* Statuses of an attribute that people meet. */
        ZCL_SUCCESS = 0x00,
        ZCL_FAILURE = 0x01,
        ZCL_UNSUPPORTED_ATTRIBUTE = 0x86,  /* how a meter says that it does not count exported energy */
        ZCL_INVALID_VALUE = 0x87,
        ZCL_TIMEOUT = 0x94,
};

/* Attributes of the metering cluster. */
enum {
        ZCL_SUMMATION_DELIVERED = 0x0000,
        ZCL_SUMMATION_RECEIVED = 0x0001,
        ZCL_UNIT_OF_MEASURE = 0x0300,
        ZCL_MULTIPLIER = 0x0301,
        ZCL_DIVISOR = 0x0302,
        ZCL_INSTANTANEOUS_DEMAND = 0x0400,
};

struct zcl_record {
        uint16_t id;
        uint8_t status;
        uint8_t type;       /* this and value only with ZCL_SUCCESS */
        struct span value;  /* strings without their length byte */
};

/* The record at *offset, which then moves behind it. 1, 0 at the end, -EBADMSG when what is left is no whole record
 * or has a type of unknown width. */
int zcl_record_next(struct span records, size_t *offset, struct zcl_record *ret);

/* The signed and unsigned integer types, 1 to 8 bytes. */
bool zcl_is_integer(uint8_t type);

/* The value of an integer, enumeration, bitmap, flag or data of up to 8 bytes. */
bool zcl_number(const struct zcl_record *r, struct vue_number *ret);

/* True for an integer that is its type's "no value": all ones, with a sign only the highest bit. */
bool zcl_is_invalid(const struct zcl_record *r);

/* Short name of a status, NULL for one that has none here. */
const char *zcl_status_name(uint8_t status);

/* Fills in layout, the ZCL part, and of factors and values what was sent; reject for a broken structure. */
void zcl_reading_decode(struct span payload, struct vue_reading *ret);
