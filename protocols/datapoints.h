/* Every datapoint (or attribute) a meter has sent, mapped or not, with its last value. Fixed size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATAPOINTS_MAX       128  /* per meter; more are counted as dropped */
#define DATAPOINT_BYTES_MAX  64   /* bytes kept of a raw or string value; its full length is kept beside */

struct datapoint {
        uint64_t first_seen_ms;    /* monotonic */
        uint64_t last_seen_ms;
        uint64_t last_change_ms;
        uint64_t count;            /* times received */
        int64_t number;            /* valid when numeric */
        uint16_t id;
        uint16_t length;           /* on the wire, may exceed DATAPOINT_BYTES_MAX */
        uint8_t type;              /* the protocol's own type code */
        bool numeric;
        uint8_t bytes[DATAPOINT_BYTES_MAX];
};

struct datapoint_table {
        unsigned count;
        uint64_t dropped;          /* values that found no place */
        struct datapoint items[DATAPOINTS_MAX];
};

/* Records a value. number is ignored unless numeric; bytes are the wire's (borrowed). */
void datapoint_table_put(struct datapoint_table *t, uint64_t now_ms, uint16_t id, uint8_t type,
                         bool numeric, int64_t number, const uint8_t *bytes, size_t len);

/* NULL when it was never seen. */
const struct datapoint *datapoint_table_get(const struct datapoint_table *t, uint16_t id);
