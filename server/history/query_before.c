/* What counters stood at when the first bucket begins: the last row at or before, looked for backwards. Rows tell of
 * the last minute, minutes of the last quarter of an hour, those of all that was before. */
#include <errno.h>

#include "history/query_parts.h"

enum { STAGE_ROWS, STAGE_MINUTES, STAGE_QUARTERS, STAGE_OLD_MINUTES, STAGE_OLD_ROWS, STAGE_COUNT };

struct window {
        enum history_tier tier;
        int64_t from, to;       /* first and last row's tick, or bucket's start */
};

static int64_t least(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
        return a > b ? a : b;
}

/* Where a finer ring reaches back farther than the coarser ones, it is asked last. */
static struct window window_of(const struct query *q, const struct query_slot *slot, int stage) {
        int64_t edge = least(q->from, slot->to), quarters, minutes;
        int64_t lost = q->begins[TIER_QUARTER], lost_both = least(lost, q->begins[TIER_MINUTE]);
        const int32_t *step = tier_step_ticks;

        quarters = least(slot->ends[TIER_QUARTER], edge - edge % step[TIER_QUARTER]);
        minutes = most(quarters, least(slot->ends[TIER_MINUTE], edge - edge % step[TIER_MINUTE]));
        switch (stage) {
        case STAGE_ROWS:
                return (struct window) { TIER_RAW, most(minutes, slot->from) + 1, edge };
        case STAGE_MINUTES:
                return (struct window) { TIER_MINUTE, most(quarters, slot->from), minutes - step[TIER_MINUTE] };
        case STAGE_QUARTERS:
                return (struct window) { TIER_QUARTER, slot->from, quarters - step[TIER_QUARTER] };
        case STAGE_OLD_MINUTES:
                return (struct window) { TIER_MINUTE, slot->from, least(lost, quarters) - 1 };
        default:
                return (struct window) { TIER_RAW, slot->from + 1, least(lost_both, minutes) };
        }
}

/* Of a window's page: the last total of each counter that is still looked for. */
static void search_page(struct query *q, const struct window *w, unsigned i_slot) {
        struct query_item *item = &q->item;
        uint32_t found = 0;
        unsigned slot = i_slot;
        size_t offset = 0;

        while (query_open_chunk(q, i_slot, i_slot, &slot, &offset))
                while (query_chunk_item(q, &q->slots[i_slot], item)) {
                        bool is_row = item->kind == QUERY_ITEM_ROW;

                        if (item->tick > w->to || item->tick < w->from)
                                continue;
                        for (unsigned k = 0; k < q->n_series; k++)
                                if (item->present & q->missing & 1u << k)
                                        q->series[k].total = item->values[k][is_row ? 0 : COUNTER_LAST];
                        found |= item->present & q->missing;
                }
        for (unsigned k = 0; k < q->n_series; k++)
                if (found >> k & 1)
                        q->series[k].has_total = total_limit_apply(&q->series[k].limit, &q->series[k].total);
        q->missing &= ~found;
}

/* From the newest page of the window to the oldest. 1 done, -EAGAIN. Pages that may still move are searched in one
 * go, and again where reading one has sealed it. */
static int search(struct query *q, const struct window *w, unsigned i_slot) {
        while (q->missing && q->before_seq > history_oldest(q->history, w->tier)) {
                struct page_info info = history_page_info(q->history, w->tier, q->before_seq - 1);
                uint16_t slot = q->slots[i_slot].slot;

                if (q->budget == 0 && q->before_seq + QUERY_MOVING_PAGES < q->before_end)
                        return -EAGAIN;
                if (q->before_seq % QUERY_INFOS_PER_PAGE == 0)
                        query_spend(q);
                q->before_seq--;
                if (!info.valid || info.t_max < w->from || info.t_min > w->to
                    || (info.schema != slot && info.schema != SCHEMA_NONE))
                        continue;
                query_spend(q);
                if (!query_open_page(q, w->tier, q->before_seq))
                        continue;
                search_page(q, w, i_slot);
                if (history_end(q->history, w->tier) != q->before_end
                    && q->before_seq + QUERY_MOVING_PAGES >= q->before_end)
                        q->before_seq = q->before_end = history_end(q->history, w->tier);
        }
        return 1;
}

static bool slot_has_missing(const struct query *q, const struct query_slot *slot) {
        for (unsigned k = 0; k < q->n_series; k++)
                if ((q->missing >> k & 1) && slot->sources[k].column >= 0)
                        return true;
        return false;
}

static void next_stage(struct query *q) {
        q->before_open = false;
        if (++q->before_stage == STAGE_COUNT) {
                q->before_stage = 0;
                q->before_slot++;
        }
}

int query_before(struct query *q) {
        while (q->missing && q->before_slot < q->n_slots) {
                unsigned i = q->n_slots - 1 - q->before_slot;
                struct window w = window_of(q, &q->slots[i], (int) q->before_stage);
                int r;

                if (w.from > w.to || !slot_has_missing(q, &q->slots[i])) {
                        next_stage(q);
                        continue;
                }
                if (!q->before_open)
                        q->before_seq = q->before_end = history_end(q->history, w.tier);
                q->before_open = true;
                r = search(q, &w, i);
                if (r < 0)
                        return r;
                next_stage(q);
        }
        q->missing = 0;
        return 1;
}
