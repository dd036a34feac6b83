#include "history/history_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int page_ring_init(struct page_ring *r, unsigned cap) {
        r->pages = malloc((size_t) cap * PAGE_BYTES);
        r->infos = calloc(cap, sizeof r->infos[0]);
        if (!r->pages || !r->infos) {
                page_ring_free(r);
                return -ENOMEM;
        }
        r->cap = cap;
        return 0;
}

void page_ring_free(struct page_ring *r) {
        free(r->pages);
        free(r->infos);
        r->pages = NULL;
        r->infos = NULL;
        r->cap = 0;
}

bool page_ring_is_full(const struct page_ring *r) {
        return r->end - r->first == r->cap;
}

int page_ring_grow(struct page_ring *r) {
        struct page_ring larger = { .first = r->first, .end = r->end, .safe = r->safe };

        if (page_ring_init(&larger, 2 * r->cap) < 0)
                return -ENOMEM;
        for (uint64_t seq = r->first; seq < r->end; seq++) {
                memcpy(larger.pages + seq % larger.cap * PAGE_BYTES, page_ring_at(r, seq), PAGE_BYTES);
                larger.infos[seq % larger.cap] = r->infos[seq % r->cap];
        }
        page_ring_free(r);
        *r = larger;
        return 0;
}

bool page_ring_has(const struct page_ring *r, uint64_t seq) {
        return seq >= r->first && seq < r->end;
}

struct page_info page_info_of(const struct page_header *header, unsigned schema) {
        return (struct page_info) {
                .valid = true, .n_values = header->n_values, .schema = (uint16_t) schema,
                .t_min = header->t_min - header->t_min % TICKS_PER_S,
                .t_max = (header->t_max + TICKS_PER_S - 1) / TICKS_PER_S * TICKS_PER_S,
        };
}

static unsigned only_schema(const uint8_t *page) {
        struct chunk_reader r;
        unsigned schema = SCHEMA_NONE;

        page_chunks(&r, page);
        if (!page_next_chunk(&r))
                return SCHEMA_NONE;
        schema = r.schema;
        while (page_next_chunk(&r))
                if (r.schema != schema)
                        return SCHEMA_NONE;
        return schema;
}

void page_ring_push(struct page_ring *r, const uint8_t *page) {
        struct page_header header;
        uint64_t seq = r->end++;

        if (r->cap == 0) {
                r->first = r->end;
                return;
        }
        if (r->end - r->first > r->cap)
                r->first++;
        memcpy(r->pages + seq % r->cap * PAGE_BYTES, page, PAGE_BYTES);
        if (page_read_header(page, &header))
                r->infos[seq % r->cap] = page_info_of(&header, only_schema(page));
}

const uint8_t *page_ring_at(const struct page_ring *r, uint64_t seq) {
        return r->pages + seq % r->cap * PAGE_BYTES;
}
