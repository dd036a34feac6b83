#include "protocols/datapoints.h"

#include <string.h>

static struct datapoint *find(struct datapoint_table *t, uint16_t id) {
        for (unsigned i = 0; i < t->count; i++)
                if (t->items[i].id == id)
                        return &t->items[i];
        return NULL;
}

static bool is_changed(const struct datapoint *d, uint8_t type, const uint8_t *bytes, size_t len, size_t kept) {
        return d->type != type || d->length != len || (kept > 0 && memcmp(d->bytes, bytes, kept) != 0);
}

void datapoint_table_put(struct datapoint_table *t, uint64_t now_ms, uint16_t id, uint8_t type,
                         bool numeric, int64_t number, const uint8_t *bytes, size_t len) {
        size_t kept = len < DATAPOINT_BYTES_MAX ? len : DATAPOINT_BYTES_MAX;
        struct datapoint *d = find(t, id);

        if (!d) {
                if (t->count == DATAPOINTS_MAX) {
                        t->dropped++;
                        return;
                }
                d = &t->items[t->count++];
                *d = (struct datapoint) { .id = id, .first_seen_ms = now_ms, .last_change_ms = now_ms };
        } else if (is_changed(d, type, bytes, len, kept))
                d->last_change_ms = now_ms;
        d->count++;
        d->last_seen_ms = now_ms;
        d->type = type;
        d->length = (uint16_t) len;
        d->numeric = numeric;
        d->number = numeric ? number : 0;
        if (kept > 0)
                memcpy(d->bytes, bytes, kept);
}

const struct datapoint *datapoint_table_get(const struct datapoint_table *t, uint16_t id) {
        return find((struct datapoint_table *) t, id);
}
