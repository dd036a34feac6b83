#include "workbench/correlate/packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int packets_init(struct packets *p) {
        *p = (struct packets) { .groups = calloc(PACKET_GROUPS_MAX, sizeof *p->groups) };
        return p->groups ? 0 : -ENOMEM;
}

void packets_free(struct packets *p) {
        for (unsigned i = 0; i < p->n_groups; i++) {
                free(p->groups[i].bytes);
                free(p->groups[i].utc_ms);
        }
        free(p->groups);
        *p = (struct packets) { .groups = NULL };
}

static struct packet_group *find_group(struct packets *p, uint32_t kind, size_t length) {
        for (unsigned i = 0; i < p->n_groups; i++) {
                unsigned at = (p->last + i) % p->n_groups;

                if (p->groups[at].kind == kind && p->groups[at].length == length) {
                        p->last = at;
                        return &p->groups[at];
                }
        }
        if (p->n_groups == PACKET_GROUPS_MAX)
                return NULL;
        p->last = p->n_groups++;
        p->groups[p->last] = (struct packet_group) { .kind = kind, .length = length };
        return &p->groups[p->last];
}

static int grow(struct packet_group *g) {
        size_t cap = g->cap ? g->cap + g->cap / 2 : 64;
        uint8_t *bytes = reallocarray(g->bytes, cap, g->length);
        int64_t *times;

        if (!bytes)
                return -ENOMEM;
        g->bytes = bytes;
        times = reallocarray(g->utc_ms, cap, sizeof *times);
        if (!times)
                return -ENOMEM;
        g->utc_ms = times;
        g->cap = cap;
        return 0;
}

int packets_add(struct packets *p, uint32_t kind, const uint8_t *bytes, size_t length, int64_t utc_ms) {
        struct packet_group *g;
        int r;

        if (length == 0)
                return 0;
        g = find_group(p, kind, length);
        if (!g) {
                p->beyond++;
                return 0;
        }
        r = g->n == g->cap ? grow(g) : 0;
        if (r < 0)
                return r;
        memcpy(g->bytes + g->n * length, bytes, length);
        g->utc_ms[g->n++] = utc_ms;
        if (p->total == 0 || utc_ms < p->first_ms)
                p->first_ms = utc_ms;
        if (p->total == 0 || utc_ms > p->last_ms)
                p->last_ms = utc_ms;
        p->total++;
        return 0;
}
