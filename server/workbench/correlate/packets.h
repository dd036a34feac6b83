/* Parts of frames with the time each came, sorted by what can be compared with each other: parts of one kind and
 * length, where every byte has the same meaning from packet to packet. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PACKET_GROUPS_MAX 1024  /* 256 datapoints in several lengths; what comes beyond it is counted */

struct packet_group {
        uint32_t kind;           /* the protocol's */
        size_t length;           /* bytes of a packet, at least 1 */
        size_t n, cap;
        uint8_t *bytes;          /* owned; n * length */
        int64_t *utc_ms;         /* owned; n */
};

struct packets {
        struct packet_group *groups;  /* owned; PACKET_GROUPS_MAX have room */
        unsigned n_groups;
        unsigned last;                /* the group that got the last packet */
        uint64_t total;               /* packets in all groups */
        uint64_t beyond;              /* packets for which there was no group */
        int64_t first_ms, last_ms;    /* of all of them; valid when there are any */
};

int packets_init(struct packets *p);  /* -ENOMEM */
void packets_free(struct packets *p);

/* -ENOMEM. A packet without bytes is none. */
int packets_add(struct packets *p, uint32_t kind, const uint8_t *bytes, size_t length, int64_t utc_ms);

static inline const uint8_t *packet_at(const struct packet_group *g, size_t i) {
        return g->bytes + i * g->length;
}
