/* Schemas live in numbered slots, and pages name them by their number. A slot is given to another schema only when no
 * page can refer to the old one any more, not even one that a power cut would bring back. */
#include "history/store_parts.h"

#include <errno.h>
#include <stdlib.h>

const struct schema *store_schema(const struct store *s, unsigned slot) {
        return slot < STORE_SCHEMAS_MAX ? s->schemas[slot].schema : NULL;
}

void store_hold_schema(struct store *s, unsigned slot, bool held) {
        s->schemas[slot].held = held;
}

uint32_t store_schema_slots_used(const struct store *s) {
        uint32_t n = STORE_SCHEMAS_MAX;

        while (n > 0 && !s->schemas[n - 1].schema)
                n--;
        return n;
}

void store_schema_refer(struct store *s, unsigned tier, uint64_t seq, const uint8_t *page) {
        struct chunk_reader r;

        page_chunks(&r, page);
        while (page_next_chunk(&r))
                if (r.schema < STORE_SCHEMAS_MAX && s->schemas[r.schema].referred[tier] <= seq)
                        s->schemas[r.schema].referred[tier] = seq + 1;
}

/* Others may hold on to the schema of a slot: its place stays for good, only what is in it changes. */
static int put(struct store *s, unsigned slot, const struct schema *schema) {
        struct schema_slot *at = &s->schemas[slot];

        if (!at->schema)
                at->schema = malloc(sizeof *at->schema);
        if (!at->schema)
                return -ENOMEM;
        *at->schema = *schema;
        return 0;
}

int store_schema_found(struct store *s, unsigned slot, const struct schema *schema) {
        return put(s, slot, schema);
}

/* The newest page that refers to it has been overwritten by one that is safely on the disk. */
static bool is_free(const struct store *s, const struct schema_slot *slot) {
        if (slot->held)
                return false;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                if (slot->referred[t] > 0 &&
                    slot->referred[t] + s->file.superblock.rings[t].count > s->file.rings[t].synced)
                        return false;
        return true;
}

/* An empty slot, else the one whose schema is the oldest; -ENOSPC. */
static int find_free(const struct store *s) {
        int best = -ENOSPC;

        for (unsigned i = 0; i < s->file.superblock.schemas.count; i++) {
                const struct schema_slot *slot = &s->schemas[i];

                if (!is_free(s, slot))
                        continue;
                if (!slot->schema)
                        return (int) i;
                if (best < 0 || slot->schema->serial < s->schemas[best].schema->serial)
                        best = (int) i;
        }
        return best;
}

static uint64_t next_serial(const struct store *s) {
        uint64_t serial = 0;

        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                if (s->schemas[i].schema && s->schemas[i].schema->serial > serial)
                        serial = s->schemas[i].schema->serial;
        return serial + 1;
}

int store_add_schema(struct store *s, const struct schema *schema, unsigned *ret_slot) {
        struct schema with_serial = *schema;
        uint8_t page[PAGE_BYTES];
        int slot, r;

        r = store_sync(s);
        if (r < 0)
                return r;
        slot = find_free(s);
        if (slot < 0)
                return slot;
        with_serial.serial = next_serial(s);
        schema_write(&with_serial, page);
        r = store_write_pages(s, s->file.fd, s->file.superblock.schemas.first + (uint32_t) slot, page, 1);
        if (r < 0)
                return store_fail(s, r, "cannot be written");
        r = store_sync(s);
        if (r < 0)
                return r;
        r = put(s, (unsigned) slot, &with_serial);
        if (r < 0)
                return r;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                s->schemas[slot].referred[t] = 0;
        *ret_slot = (unsigned) slot;
        return 0;
}
