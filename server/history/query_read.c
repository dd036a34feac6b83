/* Pages to items: rows of the raw tier, buckets of the others. Decodes only the streams that are needed. */
#include <errno.h>
#include <string.h>

#include "history/query_parts.h"

static int64_t least(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
        return a > b ? a : b;
}

/* ---- a chunk ---- */

static unsigned tier_streams(const struct query_state *series) {
        return (unsigned) __builtin_popcount(series->fields);
}

size_t query_stream_count(const struct query *q) {
        size_t n = 3;   /* ticks, masks, numbers */

        for (unsigned i = 0; i < q->n_series; i++) {
                unsigned raw = q->series[i].kind == COLUMN_COUNTER ? 2 : 1, tier = tier_streams(&q->series[i]);

                n += raw > tier ? raw : tier;
        }
        return n;
}

bool query_open_page(struct query *q, enum history_tier tier, uint64_t seq) {
        struct page_header header;

        if (history_page(q->history, tier, seq, q->page.bytes) < 0)
                return false;
        page_get_header(q->page.bytes, &header);
        q->page.tier = tier;
        q->page.t_min = header.t_min;
        q->page.first_number = header.first_number;
        q->page.has_chunk = false;
        return true;
}

/* The streams of a series in this chunk. Returns how many, 0 when they cannot be read. */
static unsigned open_lane(struct query *q, struct query_lane *lane, const struct chunk_reader *chunk,
                          const struct query_source *source, unsigned series, struct stream_reader *streams) {
        const struct query_state *s = &q->series[series];
        unsigned n = 0;

        *lane = (struct query_lane) {
                .bit = UINT64_C(1) << source->column, .factor = source->factor, .series = (uint8_t) series,
                .is_counter = s->kind == COLUMN_COUNTER, .streams = streams,
        };
        if (q->page.tier == TIER_RAW) {
                bool is_total = lane->is_counter && !q->registers;

                lane->n_streams = is_total ? 2 : 1;
                if (!stream_open(streams, chunk, source->raw_stream)
                    || (is_total && !stream_open(streams + 1, chunk, source->raw_stream + 1u)))
                        return 0;
                return lane->n_streams;
        }
        for (unsigned field = 0; field < GAUGE_FIELDS; field++) {
                if (!(s->fields >> field & 1))
                        continue;
                if (!stream_open(streams + n, chunk, source->tier_stream + field))
                        return 0;
                lane->fields[n++] = (uint8_t) field;
        }
        lane->n_streams = (uint8_t) n;
        return n;
}

static bool open_streams(struct query *q, const struct chunk_reader *chunk, const struct query_slot *slot) {
        struct query_page *p = &q->page;
        bool is_raw = p->tier == TIER_RAW;
        struct stream_reader *free_streams = q->streams + 3;

        p->ticks = q->streams;
        p->masks = q->streams + 1;
        p->numbers = is_raw && q->step_kind == QUERY_STEP_RAW ? q->streams + 2 : NULL;
        if (!stream_open(p->ticks, chunk, is_raw ? RAW_TICK : TIER_TICK)
            || !stream_open(p->masks, chunk, is_raw ? RAW_MASK : TIER_MASK)
            || (p->numbers && !stream_open(p->numbers, chunk, RAW_NUMBER)))
                return false;
        p->n_lanes = 0;
        for (unsigned i = 0; i < q->n_series; i++) {
                unsigned n;

                if (slot->sources[i].column < 0 || (!is_raw && q->series[i].fields == 0))
                        continue;
                n = open_lane(q, &p->lanes[p->n_lanes], chunk, &slot->sources[i], i, free_streams);
                if (n == 0)
                        return false;
                free_streams += n;
                p->n_lanes++;
        }
        return true;
}

/* Chunks of the page are taken slot by slot: an older schema's rows come before those of the one that followed it. */
bool query_open_chunk(struct query *q, unsigned first, unsigned last, unsigned *slot, size_t *offset) {
        struct chunk_reader r, best;
        unsigned best_slot = last + 1;
        size_t best_offset = 0;

        page_chunks(&r, q->page.bytes);
        for (size_t at = r.next; page_next_chunk(&r); at = r.next)
                for (unsigned i = first; i <= last && i <= best_slot; i++) {
                        if (q->slots[i].slot != r.schema || i < *slot || (i == *slot && at <= *offset))
                                continue;
                        if (i == best_slot && at > best_offset)
                                continue;
                        best = r;
                        best_slot = i;
                        best_offset = at;
                }
        if (best_slot > last)
                return false;
        *slot = best_slot;
        *offset = best_offset;
        q->page.rows_left = open_streams(q, &best, &q->slots[best_slot]) ? best.n_rows : 0;
        q->page.has_chunk = true;
        return true;
}

static inline bool take(struct stream_reader *s, int64_t *ret) {
        if (s->at < s->n) {
                *ret = s->values[s->at++];
                return true;
        }
        return stream_next(s, ret) > 0;
}

/* To the series' decimals; false: too large for that. */
static bool scale(const struct query_lane *lane, bool is_raw, int64_t *values) {
        if (lane->factor == 1)
                return true;
        if (is_raw)
                return !__builtin_mul_overflow(values[0], (int64_t) lane->factor, &values[0]);
        for (unsigned i = 0; i < lane->n_streams; i++) {
                unsigned field = lane->fields[i];
                bool is_value = lane->is_counter ? field == COUNTER_FIRST || field == COUNTER_LAST
                                                 : field == GAUGE_MIN || field == GAUGE_MAX || field == GAUGE_FIRST
                                                           || field == GAUGE_LAST;

                if (is_value && __builtin_mul_overflow(values[field], (int64_t) lane->factor, &values[field]))
                        return false;
        }
        return true;
}

/* One row's values of a series. False: the chunk is damaged. */
static inline bool take_lane(const struct query_lane *lane, bool is_raw, struct query_item *ret) {
        int64_t *values = ret->values[lane->series], more;

        if (is_raw) {
                if (!take(lane->streams, values))
                        return false;
                if (lane->n_streams == 2
                    && (!take(lane->streams + 1, &more) || __builtin_add_overflow(values[0], more, &values[0])))
                        return false;
        } else {
                for (unsigned i = 0; i < lane->n_streams; i++)
                        if (!take(lane->streams + i, &values[lane->fields[i]]))
                                return false;
        }
        if (scale(lane, is_raw, values))
                ret->present |= 1u << lane->series;
        return true;
}

static bool take_row(struct query_page *p, struct query_item *ret) {
        bool is_raw = p->tier == TIER_RAW;
        int64_t tick, mask, number = 0, base = is_raw ? p->t_min : p->t_min / tier_step_ticks[p->tier];

        if (!take(p->ticks, &tick) || !take(p->masks, &mask) || (p->numbers && !take(p->numbers, &number)))
                return false;
        if (__builtin_add_overflow(base, tick, &tick) || tick < 0 || tick > QUERY_TICK_MAX)
                return false;
        ret->tick = is_raw ? tick : tick * tier_step_ticks[p->tier];
        ret->number = p->first_number + (uint64_t) number;
        ret->present = 0;
        for (unsigned i = 0; i < p->n_lanes; i++)
                if (((uint64_t) mask & p->lanes[i].bit) && !take_lane(&p->lanes[i], is_raw, ret))
                        return false;
        return true;
}

bool query_chunk_item(struct query *q, const struct query_slot *slot, struct query_item *ret) {
        struct query_page *p = &q->page;

        if (p->rows_left > 0 && take_row(p, ret)) {
                p->rows_left--;
                ret->kind = p->tier == TIER_RAW ? QUERY_ITEM_ROW : QUERY_ITEM_BUCKET;
                ret->slot = slot;
                return true;
        }
        p->has_chunk = false;
        return false;
}

/* ---- a run ---- */

/* How many values can be taken without decoding; one more block is decoded where there are none. */
static unsigned at_hand(struct stream_reader *s) {
        int64_t value;

        if (s->at < s->n)
                return s->n - s->at;
        if (stream_next(s, &value) <= 0)
                return 0;
        s->at--;
        return s->n - s->at;
}

static unsigned fewer(unsigned a, unsigned b) {
        return a < b ? a : b;
}

/* Ticks ascend: how many of n are not above limit. */
static unsigned count_up_to(const int64_t *ticks, unsigned n, int64_t limit) {
        unsigned low = 0;

        while (low < n) {
                unsigned middle = (low + n) / 2;

                if (ticks[middle] <= limit)
                        low = middle + 1;
                else
                        n = middle;
        }
        return low;
}

/* How many of n have the same columns; ticks that do not ascend end it, too: nobody's good page has such. */
static unsigned count_alike(const int64_t *ticks, const int64_t *masks, unsigned n) {
        unsigned i = 1;

        while (i < n && masks[i] == masks[0] && ticks[i] > ticks[i - 1])
                i++;
        return i;
}

bool query_peek_run(struct query *q, int64_t to, struct query_run *ret) {
        struct query_page *p = &q->page;
        unsigned n;

        if (!p->has_chunk || p->rows_left == 0)
                return false;
        n = fewer(at_hand(p->ticks), at_hand(p->masks));
        if (n == 0)
                return false;
        ret->ticks = p->ticks->values + p->ticks->at;
        ret->mask = (uint64_t) p->masks->values[p->masks->at];
        ret->unit = p->tier == TIER_RAW ? 1 : tier_step_ticks[p->tier];
        ret->base = p->t_min / ret->unit;
        if (ret->base < 0 || ret->base > QUERY_TICK_MAX)
                return false;
        n = count_up_to(ret->ticks, n, to / ret->unit - ret->base);
        if (n == 0 || ret->ticks[0] < 0)
                return false;
        n = count_alike(ret->ticks, p->masks->values + p->masks->at, n);
        for (unsigned i = 0; i < p->n_lanes; i++) {
                const struct query_lane *lane = &p->lanes[i];

                if (!(ret->mask & lane->bit))
                        continue;
                if (lane->factor != 1)
                        return false;
                for (unsigned k = 0; k < lane->n_streams; k++)
                        n = fewer(n, at_hand(&lane->streams[k]));
        }
        ret->n = n;
        return n > 0;
}

void query_take_run(struct query *q, const struct query_run *run) {
        struct query_page *p = &q->page;

        q->segment.done = query_run_tick(run, run->n - 1);
        p->rows_left = (uint16_t) (p->rows_left - run->n);
        p->ticks->at += run->n;
        p->masks->at += run->n;
        for (unsigned i = 0; i < p->n_lanes; i++)
                for (unsigned k = 0; k < p->lanes[i].n_streams && (run->mask & p->lanes[i].bit); k++)
                        p->lanes[i].streams[k].at += run->n;
}

/* ---- a segment ---- */

static uint64_t settled_end(const struct query *q, enum history_tier tier) {
        uint64_t end = history_end(q->history, tier);

        return end > QUERY_MOVING_PAGES ? end - QUERY_MOVING_PAGES : 0;
}

static bool is_wanted(const struct query *q, const struct page_info *info) {
        const struct query_segment *g = &q->segment;
        int64_t from = most(g->from, g->done + 1);

        /* An aggregated page's t_max is the end of its last bucket. */
        if (!info->valid || info->t_max < from + (g->tier != TIER_RAW) || info->t_min > g->to)
                return false;
        for (unsigned i = g->first; i <= g->last; i++)
                if (q->slots[i].slot == info->schema)
                        return true;
        return info->schema == SCHEMA_NONE;
}

/* Opens the segment's next page: 1; 0: there is none; -EAGAIN. Pages that may still move are read in one go, or
 * a reader with a small budget would begin with them again and again. */
static int open_next_page(struct query *q) {
        struct query_segment *g = &q->segment;
        uint64_t generation = history_generation(q->history), end = history_end(q->history, g->tier);

        if (generation != g->generation) {
                if (g->seq > g->settled)
                        g->seq = g->settled;
                g->settled = settled_end(q, g->tier);
                g->generation = generation;
        }
        if (g->seq < history_oldest(q->history, g->tier))
                g->seq = history_oldest(q->history, g->tier);
        while (g->seq < end) {
                struct page_info info = history_page_info(q->history, g->tier, g->seq);

                if (q->budget == 0 && g->seq < g->settled)
                        return -EAGAIN;
                if (g->seq % QUERY_INFOS_PER_PAGE == 0)
                        query_spend(q);
                if (!is_wanted(q, &info)) {
                        g->seq++;
                        continue;
                }
                query_spend(q);
                if (query_open_page(q, g->tier, g->seq++))
                        return 1;
        }
        return 0;
}

static int read_segment(struct query *q, struct query_item *ret) {
        struct query_segment *g = &q->segment;
        int r;

        for (;;) {
                while (q->page_open && q->page.has_chunk && query_chunk_item(q, &q->slots[g->chunk_slot], ret)) {
                        if (ret->tick <= g->done || ret->tick > g->to)
                                continue;
                        g->done = ret->tick;
                        return 1;
                }
                if (q->page_open && query_open_chunk(q, g->first, g->last, &g->chunk_slot, &g->chunk_at))
                        continue;
                r = open_next_page(q);
                q->page_open = r > 0;
                if (r <= 0)
                        return r;
                g->chunk_slot = g->first;
                g->chunk_at = 0;
        }
}

/* ---- all segments ---- */

/* Buckets of a tier, from where a coarser one ends. */
static struct query_segment tier_segment(const struct query *q, unsigned i, enum history_tier tier) {
        const struct query_slot *slot = &q->slots[i];
        struct query_segment g = {
                .tier = tier, .first = i, .last = i, .from = most(q->from, slot->from),
                .to = least(least(q->to, slot->to), slot->ends[tier]) - 1,
        };

        for (unsigned coarser = tier + 1u; coarser <= q->tier; coarser++)
                g.from = most(g.from, slot->ends[coarser]);
        return g;
}

/* Rows of an era: its newest schema's from where the tiers end; when they tell nothing of it yet, from where they may
 * have ended for the one before. Values that are in effect there were reported before. */
static struct query_segment raw_segment(const struct query *q, unsigned first, unsigned last) {
        const struct query_slot *newest = &q->slots[last];
        struct query_segment g = { .tier = TIER_RAW, .first = first, .last = last };
        bool has_gauge = false;
        int64_t hold = 0;

        g.from = newest->begin;
        for (unsigned i = first; i < last; i++)
                g.from = most(g.from, q->slots[i].begin - tier_step_ticks[q->tier]);
        g.to = least(q->to, newest->to);
        if (q->step_kind == QUERY_STEP_RAW) {
                g.to--;
                return g;
        }
        g.to = least(g.to, q->now);
        for (unsigned i = first; i <= last; i++)
                hold = most(hold, q->slots[i].hold_ticks);
        for (unsigned i = 0; i < q->n_series; i++)
                has_gauge |= q->series[i].kind == COLUMN_GAUGE;
        if (has_gauge && g.from <= g.to)
                g.from = most(0, g.from - hold);
        return g;
}

/* For each slot its tiers from coarse to fine, for each era the rows then. */
static bool next_segment(struct query *q) {
        while (q->next_slot < q->n_slots) {
                unsigned i = q->next_slot, first = i;
                struct query_segment g;

                if (q->next_tier > TIER_RAW) {
                        g = tier_segment(q, i, q->next_tier--);
                } else {
                        q->next_slot++;
                        q->next_tier = q->tier;
                        if (i + 1 < q->n_slots && q->slots[i + 1].era == q->slots[i].era)
                                continue;
                        while (first > 0 && q->slots[first - 1].era == q->slots[i].era)
                                first--;
                        g = raw_segment(q, first, i);
                }
                if (g.from > g.to)
                        continue;
                g.done = g.from - 1;
                g.generation = history_generation(q->history);
                g.settled = settled_end(q, g.tier);
                q->segment = g;
                q->in_segment = true;
                return true;
        }
        return false;
}

int query_read(struct query *q, struct query_item *ret) {
        for (;;) {
                int r;

                if (!q->in_segment && !next_segment(q))
                        return 0;
                r = read_segment(q, ret);
                if (r != 0)
                        return r;
                q->in_segment = false;
                if (q->segment.tier != TIER_RAW)
                        continue;
                ret->kind = QUERY_ITEM_END;
                return 1;
        }
}
