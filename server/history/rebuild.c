#include "history/history_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SLICE_PAGES 16         /* read at a time */
#define SLICE_INFOS 4096       /* or looked at in the index */

/* ---- what the pages brought ---- */

struct source {
        struct history *h;
        struct live *live;
        uint64_t seq;
};

static void take_row(void *userdata, uint64_t number, int64_t tick, const struct history_row *row) {
        struct source *s = userdata;

        if (number >= s->h->rebuild.newest_number) {
                s->h->rebuild.newest_number = number;
                s->h->newest_tick = tick;
        }
        known_row_take(&s->live->found, s->live->schema, tick, row);
        live_row(s->h, s->live, s->seq, tick, row);
}

static void take_minute(void *userdata, const struct bucket *b) {
        struct source *s = userdata;

        live_minute(s->h, s->live, s->seq, b);
}

static void replay(struct history *h, const uint8_t *page, enum history_tier tier, uint64_t seq) {
        struct source s = { .h = h, .seq = seq };
        struct page_header header;
        struct chunk_reader r;

        if (!page_read_header(page, &header))
                return;
        page_chunks(&r, page);
        while (page_next_chunk(&r)) {
                s.live = live_get(h, r.schema);
                if (!s.live)
                        continue;
                if (tier == TIER_RAW)
                        chunk_rows(&r, &header, s.live->schema, h->rebuild.scratch, take_row, &s);
                else
                        chunk_buckets(&r, &header, s.live->schema, h->rebuild.scratch, take_minute, &s);
        }
}

/* Damaged pages were counted by the store. */
static void replay_stored(struct history *h, enum history_tier tier, uint64_t seq) {
        uint8_t page[PAGE_BYTES];

        if (store_read(h->store, tier, seq, page) == 0)
                replay(h, page, tier, seq);
}

static void replay_checkpoint(struct history *h) {
        uint8_t page[PAGE_BYTES];

        if (store_recovered(h->store, page))
                replay(h, page, TIER_RAW, h->rebuild.rows_to);
}

/* ---- the phases ---- */

static bool takes_over(const struct history *h, unsigned newer, unsigned older) {
        const struct schema *a = schema_at(h, older), *b = schema_at(h, newer);

        return a && b && a->serial < b->serial && strcmp(a->meter, b->meter) == 0;
}

/* A schema's last page was written before the first one of that which took over: it is complete, even if the ring has
 * gone round since and nothing is left of it. */
static void end_superseded(struct history *h, enum history_tier tier, const int64_t *begins) {
        for (unsigned k = 0; k < STORE_SCHEMAS_MAX; k++)
                for (unsigned i = 0; begins[k] != INT64_MAX && i < STORE_SCHEMAS_MAX; i++)
                        if (takes_over(h, k, i) && h->done[tier][i] < begins[k] + tier_step_ticks[tier])
                                h->done[tier][i] = begins[k] + tier_step_ticks[tier];
}

static void find_ends(struct history *h, enum history_tier tier) {
        int64_t begins[STORE_SCHEMAS_MAX];

        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++)
                begins[i] = INT64_MAX;
        for (uint64_t seq = store_oldest_seq(h->store, tier); seq < store_next_seq(h->store, tier); seq++) {
                struct page_info info = store_page_info(h->store, tier, seq);

                if (!info.valid || info.schema >= STORE_SCHEMAS_MAX)
                        continue;
                if (info.t_max > h->done[tier][info.schema])
                        h->done[tier][info.schema] = info.t_max;
                if (info.t_min < begins[info.schema])
                        begins[info.schema] = info.t_min;
        }
        end_superseded(h, tier, begins);
}

/* Numbers that may have been given are not given again. After a clean end it is known which were. */
static void find_next_number(struct history *h, const uint8_t *checkpoint) {
        uint64_t reserved = store_reserved(h->store);
        struct page_header header;

        if (checkpoint && page_read_header(checkpoint, &header)) {
                h->version = header.version;
                h->rebuild.was_clean = header.reserved == header.first_number + header.n_rows;
                if (h->rebuild.was_clean)
                        reserved = header.reserved;
        }
        h->next_number = h->limit = h->safe_number = reserved > 1 ? reserved : 1;
}

static void begin(struct history *h) {
        struct rebuild *b = &h->rebuild;
        uint64_t back = 2 * raw_window(h);
        uint8_t checkpoint[PAGE_BYTES];
        bool recovered = store_recovered(h->store, checkpoint);

        for (unsigned t = 0; t < TIER_COUNT; t++)
                h->rings[t].first = h->rings[t].end = store_next_seq(h->store, (enum history_tier) t);
        find_ends(h, TIER_MINUTE);
        find_ends(h, TIER_QUARTER);
        find_next_number(h, recovered ? checkpoint : NULL);
        if (recovered)
                open_page_load(h, checkpoint);
        b->seq = store_oldest_seq(h->store, TIER_MINUTE);
        b->minutes_to = h->rings[TIER_MINUTE].end;
        b->rows_from = store_oldest_seq(h->store, TIER_RAW);
        b->rows_to = h->rings[TIER_RAW].end;
        if (b->rows_to > b->rows_from + back)
                b->rows_from = b->rows_to - back;
        /* What began a window before the end was saved, and half a window later it was on the disk. */
        b->kept_to = b->rows_to > back / 4 * 3 ? b->rows_to - back / 4 * 3 : 0;
        b->total = b->minutes_to - b->seq + b->rows_to - b->rows_from;
        b->phase = REBUILD_MINUTES;
}

static bool minutes_slice(struct history *h) {
        struct rebuild *b = &h->rebuild;
        unsigned n_read = 0;

        for (unsigned i = 0; i < SLICE_INFOS && n_read < SLICE_PAGES; i++, b->seq++, b->done++) {
                struct page_info info;

                if (b->seq == b->minutes_to)
                        return false;
                info = store_page_info(h->store, TIER_MINUTE, b->seq);
                if (!info.valid || info.schema >= STORE_SCHEMAS_MAX)
                        continue;
                if (info.t_max <= h->done[TIER_QUARTER][info.schema])
                        continue;
                replay_stored(h, TIER_MINUTE, b->seq);
                n_read++;
        }
        return true;
}

static bool rows_slice(struct history *h) {
        struct rebuild *b = &h->rebuild;

        for (unsigned i = 0; i < SLICE_PAGES; i++, b->seq++, b->done++) {
                if (b->seq == b->rows_to)
                        return false;
                replay_stored(h, TIER_RAW, b->seq);
        }
        return true;
}

/* All rows of a page have numbers in a row: after an unclean end the page that was open is closed. */
static void close_gap(struct history *h) {
        while (can_write(h) && h->open.n_rows > 0 && h->open.first_number + h->open.n_rows != h->next_number)
                seal_rows(h);
}

static int finish(struct history *h) {
        free(h->rebuild.scratch);
        h->rebuild.scratch = NULL;
        h->rebuild.phase = REBUILD_DONE;
        for (unsigned i = 0; i < h->n_devices; i++)
                device_load(h, h->devices[i]);
        return 0;
}

static int begin_minutes(struct history *h) {
        struct rebuild *b = &h->rebuild;

        b->scratch = malloc(CHUNK_VALUES * sizeof b->scratch[0]);
        if (!b->scratch)
                return -ENOMEM;
        begin(h);
        return 1;
}

/* The file cannot be used: everything stays in memory. */
static int give_up(struct history *h) {
        h->broken_store = TAKE(h->store);
        h->next_number = 1;
        return finish(h);
}

int rebuild_step(struct history *h) {
        struct rebuild *b = &h->rebuild;
        int r;

        switch (b->phase) {
        case REBUILD_STORE:
                r = store_step(h->store);
                if (r == 0)
                        r = begin_minutes(h);
                return r < 0 ? give_up(h) : 1;
        case REBUILD_MINUTES:
                if (minutes_slice(h))
                        return 1;
                b->phase = REBUILD_ROWS;
                b->seq = b->rows_from;
                return 1;
        case REBUILD_ROWS:
                if (rows_slice(h))
                        return 1;
                replay_checkpoint(h);
                lives_end_superseded(h);
                close_gap(h);
                return finish(h);
        case REBUILD_DONE:
                break;
        }
        return 0;
}

void rebuild_progress(const struct history *h, uint64_t *ret_done, uint64_t *ret_total) {
        const struct rebuild *b = &h->rebuild;

        *ret_done = *ret_total = 0;
        if (h->store)
                store_progress(h->store, ret_done, ret_total);
        *ret_done += b->done;
        *ret_total += b->total;
}
