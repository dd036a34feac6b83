/* What is asked: schemas, series, steps, and which tier tells of which time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "history/calendar.h"
#include "history/query_parts.h"

/* Weeks begin on Mondays: steps of several days are counted from this one, 1970-01-05. */
#define FIRST_MONDAY 4
#define FACTOR_PLACES_MAX 9     /* 10^9 is the largest factor that wide_add takes */
#define HALF_YEAR_TICKS (INT64_C(182) * 86400 * TICKS_PER_S)

static int64_t least(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
        return a > b ? a : b;
}

static int64_t floor_divide(int64_t a, int64_t b) {
        return a / b - (a % b < 0);
}

/* ---- steps ---- */

static int64_t edge_index(const struct query *q, int64_t tick) {
        int64_t day;

        if (q->step_kind == QUERY_STEP_TICKS)
                return floor_divide(tick, q->step);
        day = calendar_day(floor_divide(tick, TICKS_PER_S));
        if (q->step_kind == QUERY_STEP_DAYS)
                return floor_divide(day - FIRST_MONDAY, q->step);
        return floor_divide(calendar_month(day), q->step);
}

static int64_t edge_at(const struct query *q, int64_t index) {
        if (q->step_kind == QUERY_STEP_TICKS)
                return index * q->step;
        if (q->step_kind == QUERY_STEP_DAYS)
                return calendar_day_start(index * q->step + FIRST_MONDAY) * TICKS_PER_S;
        return calendar_day_start(calendar_month_day(index * q->step)) * TICKS_PER_S;
}

int64_t query_edge_after(const struct query *q, int64_t edge) {
        return edge_at(q, edge_index(q, edge) + 1);
}

static void align(struct query *q, const struct query_spec *spec) {
        q->from = edge_at(q, edge_index(q, spec->from));
        q->to = edge_at(q, edge_index(q, spec->to));
        if (q->to < spec->to)
                q->to = query_edge_after(q, q->to);
        q->points = (uint64_t) (edge_index(q, q->to) - edge_index(q, q->from));
}

static void choose_step(struct query *q, const struct query_spec *spec) {
        static const struct {
                enum query_step kind;
                int64_t step;
        } steps[] = {
                { QUERY_STEP_TICKS, 10 }, { QUERY_STEP_TICKS, 20 }, { QUERY_STEP_TICKS, 50 },
                { QUERY_STEP_TICKS, 100 }, { QUERY_STEP_TICKS, 150 }, { QUERY_STEP_TICKS, 300 },
                { QUERY_STEP_TICKS, 600 },
                { QUERY_STEP_TICKS, 1200 }, { QUERY_STEP_TICKS, 3000 }, { QUERY_STEP_TICKS, 6000 },
                { QUERY_STEP_TICKS, 9000 }, { QUERY_STEP_TICKS, 18000 }, { QUERY_STEP_TICKS, 36000 },
                { QUERY_STEP_TICKS, 108000 }, { QUERY_STEP_TICKS, 216000 }, { QUERY_STEP_TICKS, 432000 },
                { QUERY_STEP_DAYS, 1 }, { QUERY_STEP_DAYS, 7 }, { QUERY_STEP_MONTHS, 1 }, { QUERY_STEP_MONTHS, 3 },
                { QUERY_STEP_MONTHS, 12 }, { QUERY_STEP_MONTHS, 120 }, { QUERY_STEP_MONTHS, 2640 },
        };

        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                q->step_kind = steps[i].kind;
                q->step = steps[i].step;
                align(q, spec);
                if (q->points <= spec->auto_points)
                        return;
        }
}

static int plan_steps(struct query *q, const struct query_spec *spec) {
        if (spec->from < 0 || spec->from > spec->to || spec->to > QUERY_TICK_MAX)
                return -EINVAL;
        q->now = most(0, least(spec->now, QUERY_TICK_MAX));
        q->step_kind = spec->step_kind;
        q->step = spec->step;
        if (spec->auto_points > 0) {
                choose_step(q, spec);
        } else if (spec->step_kind == QUERY_STEP_RAW) {
                q->step = 0;
                q->from = spec->from;
                q->to = spec->to;
        } else {
                if (spec->step < 1 || spec->step > QUERY_TICK_MAX)
                        return -EINVAL;
                align(q, spec);
        }
        return 0;
}

/* ---- schemas and series ---- */

static int plan_slots(struct query *q) {
        unsigned n = 0, slot;

        while (history_schema(q->history, q->meter, n, &slot))
                n++;
        if (n == 0)
                return -ENOENT;
        q->slots = calloc(n, sizeof *q->slots);
        if (!q->slots)
                return -ENOMEM;
        q->n_slots = n;
        for (unsigned i = 0; i < n; i++) {
                const struct schema *s = history_schema(q->history, q->meter, i, &slot);

                q->slots[i] = (struct query_slot) {
                        .slot = (uint16_t) slot, .era = s->era, .serial = s->serial, .hold_ticks = s->hold_ticks,
                };
                history_visible(q->history, slot, &q->slots[i].from, &q->slots[i].to);
                q->slots[i].from = most(0, q->slots[i].from);
                for (unsigned tier = TIER_RAW + 1; tier < TIER_COUNT; tier++)
                        q->slots[i].ends[tier] = least(history_tier_end(q->history, slot, (enum history_tier) tier),
                                                       q->now - q->now % tier_step_ticks[tier]);
        }
        return 0;
}

static const struct schema_column *column_of(const struct query *q, unsigned i_slot, const char *key, int *ret) {
        unsigned slot;
        const struct schema *s = history_schema(q->history, q->meter, i_slot, &slot);

        *ret = schema_find(s, key);
        return *ret < 0 ? NULL : &s->columns[*ret];
}

/* From the newest schema's decimals to the series' own. */
static void scale_limit(struct total_limit *limit, unsigned places) {
        for (; places > 0 && limit->most != INT64_MIN; places--)
                if (__builtin_mul_overflow(limit->most, 10, &limit->most))
                        limit->set = false;
}

/* A series is what the newest schema says it is, with the finest decimals it ever had. */
static bool describe_series(struct query *q, struct query_state *series) {
        unsigned newest_decimals = 0;
        bool found = false;

        for (unsigned i = q->n_slots; i-- > 0;) {
                int at;
                const struct schema_column *c = column_of(q, i, series->key, &at);

                if (!c)
                        continue;
                if (!found) {
                        series->kind = c->kind;
                        newest_decimals = c->decimals;
                }
                if (c->kind == series->kind && (!found || c->decimals > series->decimals))
                        series->decimals = c->decimals;
                found = true;
        }
        scale_limit(&series->limit, series->decimals - newest_decimals);
        return found;
}

static struct query_source source_of(const struct query *q, unsigned i_slot, const struct query_state *series) {
        struct query_source source = { .column = -1, .factor = 1 };
        const struct schema *s;
        unsigned slot;
        int at;
        const struct schema_column *c = column_of(q, i_slot, series->key, &at);

        if (!c || c->kind != series->kind || series->decimals - c->decimals > FACTOR_PLACES_MAX)
                return source;
        s = history_schema(q->history, q->meter, i_slot, &slot);
        source.column = (int8_t) at;
        source.raw_stream = (uint16_t) page_column_stream(s, TIER_RAW, (unsigned) at);
        source.tier_stream = (uint16_t) page_column_stream(s, TIER_MINUTE, (unsigned) at);
        for (int i = c->decimals; i < series->decimals; i++)
                source.factor *= 10;
        return source;
}

#define BIT(n) (1u << (n))

static const uint32_t aggregates_of_kind[] = {
        [COLUMN_GAUGE] = BIT(QUERY_AVG) | BIT(QUERY_MIN) | BIT(QUERY_MAX) | BIT(QUERY_FIRST) | BIT(QUERY_LAST)
                         | BIT(QUERY_COUNT) | BIT(QUERY_COVERED),
        [COLUMN_COUNTER] = BIT(QUERY_MIN) | BIT(QUERY_MAX) | BIT(QUERY_FIRST) | BIT(QUERY_LAST) | BIT(QUERY_COUNT)
                           | BIT(QUERY_DELTA),
};

/* What of a tier's bucket makes an aggregate. */
static const uint32_t fields_of_aggregate[][QUERY_AGGREGATES] = {
        [COLUMN_GAUGE] = {
                [QUERY_AVG] = BIT(GAUGE_INTEGRAL) | BIT(GAUGE_COVERED), [QUERY_MIN] = BIT(GAUGE_MIN),
                [QUERY_MAX] = BIT(GAUGE_MAX), [QUERY_FIRST] = BIT(GAUGE_FIRST) | BIT(GAUGE_COUNT),
                [QUERY_LAST] = BIT(GAUGE_LAST) | BIT(GAUGE_COUNT), [QUERY_COUNT] = BIT(GAUGE_COUNT),
                [QUERY_COVERED] = BIT(GAUGE_COVERED),
        },
        [COLUMN_COUNTER] = {
                [QUERY_MIN] = BIT(COUNTER_FIRST), [QUERY_MAX] = BIT(COUNTER_LAST), [QUERY_FIRST] = BIT(COUNTER_FIRST),
                [QUERY_LAST] = BIT(COUNTER_LAST), [QUERY_COUNT] = BIT(COUNTER_COUNT),
                [QUERY_DELTA] = BIT(COUNTER_FIRST) | BIT(COUNTER_LAST),
        },
};

static void add_column(struct query *q, const struct query_state *series, int aggregate) {
        struct query_column *c = &q->columns[q->n_columns++];
        bool is_number = aggregate == QUERY_COUNT || aggregate == QUERY_COVERED;

        snprintf(c->name, sizeof c->name, "%s%s%s", series->key, aggregate < 0 ? "" : ".",
                 aggregate < 0 ? "" : query_aggregate_names[aggregate]);
        c->decimals = is_number ? 0 : series->decimals;
        c->kind = series->kind;
}

static int plan_one_series(struct query *q, struct query_state *series, const struct query_series *asked) {
        memcpy(series->key, asked->key, sizeof series->key);
        if (!q->registers)
                series->limit = asked->limit;
        if (!describe_series(q, series))
                return -ESRCH;
        series->aggregates = asked->aggregates & aggregates_of_kind[series->kind];
        series->limit.set &= series->kind == COLUMN_COUNTER;
        if (q->step_kind == QUERY_STEP_RAW)
                add_column(q, series, -1);
        for (int i = 0; i < QUERY_AGGREGATES && q->step_kind != QUERY_STEP_RAW; i++) {
                if (!(series->aggregates >> i & 1))
                        continue;
                add_column(q, series, i);
                series->fields |= fields_of_aggregate[series->kind][i];
        }
        return 0;
}

static int plan_series(struct query *q, const struct query_spec *spec, unsigned *ret_index) {
        if (spec->n_series < 1 || spec->n_series > QUERY_SERIES_MAX)
                return -EINVAL;
        q->n_series = spec->n_series;
        for (unsigned i = 0; i < q->n_series; i++) {
                int r = plan_one_series(q, &q->series[i], &spec->series[i]);

                if (r < 0) {
                        *ret_index = i;
                        return r;
                }
                for (unsigned slot = 0; slot < q->n_slots; slot++)
                        q->slots[slot].sources[i] = source_of(q, slot, &q->series[i]);
                if (q->step_kind != QUERY_STEP_RAW && (q->series[i].aggregates & BIT(QUERY_DELTA)))
                        q->missing |= BIT(i);
        }
        return 0;
}

/* ---- tiers ---- */

/* Where local days begin at odd seconds, coarser tiers cannot tell of them. Zones change such an offset once in their
 * history, so that a look at every half year will do. */
static bool divides(const struct query *q, int32_t tier_step) {
        if (q->step_kind == QUERY_STEP_TICKS)
                return q->step % tier_step == 0;
        for (int64_t tick = q->from; tick < q->to; tick += HALF_YEAR_TICKS)
                if (edge_at(q, edge_index(q, tick)) % tier_step != 0)
                        return false;
        return q->to % tier_step == 0;
}

static bool has_slot(const struct query *q, uint16_t slot) {
        for (unsigned i = 0; i < q->n_slots; i++)
                if (q->slots[i].slot == slot)
                        return true;
        return slot == SCHEMA_NONE;
}

/* Where the bucket after the first one of the meter's oldest page begins. That first one may be there in part: where a
 * schema took over within it, or it was too large for a page, another page that is gone had the rest. */
static int64_t second_bucket(const struct page_info *oldest, enum history_tier tier) {
        return oldest->t_min + tier_step_ticks[tier];
}

/* What lies before is gone from this tier. Raw pages of other meters tell as well: what was overwritten was not newer
 * than the oldest page that is left. Aggregated pages are written when they are full: a meter with few rows puts old
 * times behind the newer ones of others, so there only the meter's own count. */
static int64_t tier_begin(const struct query *q, enum history_tier tier) {
        uint64_t seq = history_oldest(q->history, tier), end = history_end(q->history, tier);
        int64_t begin = INT64_MAX;

        if (seq == 0)
                return 0;
        for (; seq < end; seq++) {
                struct page_info info = history_page_info(q->history, tier, seq);

                if (!info.valid)
                        continue;
                if (has_slot(q, info.schema))
                        return tier == TIER_RAW ? least(begin, info.t_min) : second_bucket(&info, tier);
                if (tier == TIER_RAW)
                        begin = least(begin, info.t_max);
        }
        return begin;
}

/* The coarsest tier that divides the step and reaches back to the start, else the one that reaches back farthest. */
static void plan_tier(struct query *q, uint32_t avoid) {
        for (unsigned tier = 0; tier < TIER_COUNT; tier++)
                q->begins[tier] = tier_begin(q, (enum history_tier) tier);
        q->tier = TIER_RAW;
        if (q->step_kind == QUERY_STEP_RAW)
                return;
        for (unsigned tier = TIER_RAW + 1; tier < TIER_COUNT; tier++)
                if (!(avoid >> tier & 1) && divides(q, tier_step_ticks[tier])
                    && most(q->begins[tier], q->from) <= most(q->begins[q->tier], q->from))
                        q->tier = (enum history_tier) tier;
}

static void plan_begins(struct query *q, uint32_t avoid) {
        for (unsigned i = 0; i < q->n_slots; i++) {
                struct query_slot *s = &q->slots[i];

                s->begin = most(q->from, s->from);
                for (unsigned tier = TIER_RAW + 1; tier < TIER_COUNT; tier++) {
                        if (avoid >> tier & 1)
                                s->ends[tier] = 0;
                        if (tier <= q->tier)
                                s->begin = most(s->begin, s->ends[tier]);
                }
        }
}

int query_plan(struct query *q, const struct query_spec *spec, unsigned *ret_index) {
        int r;

        r = plan_steps(q, spec);
        if (r < 0)
                return r;
        r = plan_slots(q);
        if (r < 0)
                return r;
        r = plan_series(q, spec, ret_index);
        if (r < 0)
                return r;
        plan_tier(q, spec->avoid_tiers);
        plan_begins(q, spec->avoid_tiers);
        return 0;
}

void query_check_slots(struct query *q) {
        const struct schema *s;
        unsigned slot, n = 0;

        for (unsigned i = 0; i < q->n_slots; i++) {
                while ((s = history_schema(q->history, q->meter, n, &slot)) && s->serial < q->slots[i].serial)
                        n++;
                if (!s || s->serial != q->slots[i].serial)
                        q->slots[i].slot = SCHEMA_NONE;
        }
}
