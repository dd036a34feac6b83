#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "history/query.h"
#include "tools/history_verify_parts.h"

#define TICK_MAX (INT64_C(4291747199) * TICKS_PER_S)  /* the end of 2105 */

/* Two answers to one question: from the tier, and from the next finer one. */
struct comparison {
        struct verifier *v;
        const char *meter;
        enum history_tier tier;
        bool is_whole;                  /* nothing of the finer tier was overwritten yet */
        bool known[QUERY_COLUMNS_MAX];  /* both have told of this column */
        uint64_t differences;
        struct query_row tier_row, finer_row;
};

static void tell_difference(struct comparison *c, const struct query_column *column, unsigned i) {
        char tier_text[DECIMAL_TEXT_MAX] = "nothing", finer_text[DECIMAL_TEXT_MAX] = "nothing";

        if (c->differences++ > 0)
                return;
        if (c->tier_row.known[i])
                decimal_format(c->tier_row.values[i], column->decimals, tier_text);
        if (c->finer_row.known[i])
                decimal_format(c->finer_row.values[i], column->decimals, finer_text);
        finding(c->v, "%s: %s: %s at %s is %s; from %s it is %s", tier_names[c->tier], c->meter, column->name,
                text_of(c->tier_row.tick).text, tier_text, tier_names[c->tier - 1], finer_text);
}

static bool is_delta(const struct query_column *column) {
        const char *dot = strrchr(column->name, '.');

        return dot && strcmp(dot + 1, query_aggregate_names[QUERY_DELTA]) == 0;
}

/* Where older times are gone neither can say how counters stood before the first that it has of them. */
static void compare_rows(struct comparison *c, const struct query_column *columns, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                bool comparable = c->is_whole || c->known[i] || !is_delta(&columns[i]);

                if (comparable && (c->tier_row.known[i] != c->finer_row.known[i] ||
                                   (c->tier_row.known[i] && c->tier_row.values[i] != c->finer_row.values[i])))
                        tell_difference(c, &columns[i], i);
                c->known[i] |= c->tier_row.known[i] && c->finer_row.known[i];
        }
}

static int next_row(struct query *q, struct query_row *ret) {
        int r;

        do
                r = query_next(q, PAGES_AT_ONCE, ret);
        while (r == -EAGAIN);
        return r;
}

static int compare_queries(struct comparison *c, struct query *tier, struct query *finer) {
        const struct query_column *columns;
        unsigned n = query_columns(tier, &columns);
        int r;

        progress_begin(&c->v->progress, tier_names[c->tier]);
        for (uint64_t done = 0; (r = next_row(tier, &c->tier_row)) > 0; done++) {
                r = next_row(finer, &c->finer_row);
                if (r <= 0)
                        break;
                compare_rows(c, columns, n);
                c->v->buckets++;
                progress_show(&c->v->progress, done, query_points(tier));
        }
        progress_end(&c->v->progress);
        if (c->differences > 1)
                finding(c->v, "%s: %s: %" PRIu64 " more differences", tier_names[c->tier], c->meter,
                        c->differences - 1);
        return r;
}

static int64_t align_up(int64_t tick, int32_t step) {
        return (tick + step - 1) / step * step;
}

static uint32_t longest_hold(const struct history *h, const char *meter) {
        const struct schema *s;
        uint32_t hold = 0;
        unsigned slot;

        for (unsigned i = 0; (s = history_schema(h, meter, i, &slot)); i++)
                if (s->hold_ticks > hold)
                        hold = s->hold_ticks;
        return hold;
}

/* The stretch in which the tier is there, and the finer one has all that it was made of. False: there is none. */
static bool find_stretch(struct comparison *c, const struct watched *w, struct query_spec *spec) {
        enum history_tier finer = c->tier - 1;
        struct figures f = survey_meter(&c->v->survey, c->v->history, w->meter, finer);
        struct figures own = survey_meter(&c->v->survey, c->v->history, w->meter, c->tier);
        int32_t step = tier_step_ticks[c->tier];
        bool went_round = history_oldest(c->v->history, c->tier) > 0;

        c->is_whole = history_oldest(c->v->history, finer) == 0 && w->sound_from == INT64_MIN;
        spec->from = f.oldest / step * step;
        if (!c->is_whole) {
                spec->from = w->sound_from > f.oldest ? w->sound_from : f.oldest;
                spec->from = align_up(spec->from + longest_hold(c->v->history, w->meter), step) + step;
        }
        /* Where the ring has gone round a bucket may be there in part, and counters before it are not known. */
        if (own.any && (own.oldest > spec->from || (own.oldest == spec->from && went_round))) {
                spec->from = own.oldest + step;
                c->is_whole = false;
        }
        spec->to = align_up(f.newest + 1, step);
        return f.any && spec->from < spec->to;
}

static uint32_t tiers_from(enum history_tier tier) {
        uint32_t bits = 0;

        for (unsigned t = tier; t < TIER_COUNT; t++)
                bits |= 1u << t;
        return bits;
}

static int compare_series(struct verifier *v, const struct watched *w, enum history_tier tier, unsigned first) {
        CLEANUP(query_freep) struct query *coarse = NULL;
        CLEANUP(query_freep) struct query *fine = NULL;
        struct comparison c = { .v = v, .meter = w->meter, .tier = tier };
        struct query_spec spec = { .meter = w->meter, .step_kind = QUERY_STEP_TICKS, .step = tier_step_ticks[tier],
                                   .now = TICK_MAX };
        unsigned index;
        int r;

        if (!find_stretch(&c, w, &spec))
                return 0;
        for (unsigned i = first; i < w->series.n && spec.n_series < QUERY_SERIES_MAX; i++) {
                strcpy(spec.series[spec.n_series].key, w->series.items[i].key);
                spec.series[spec.n_series++].aggregates = (1u << QUERY_AGGREGATES) - 1;
        }
        spec.avoid_tiers = tiers_from(tier + 1);
        r = query_new(v->history, &spec, &coarse, &index);
        if (r < 0)
                return r;
        spec.avoid_tiers = tiers_from(tier);
        r = query_new(v->history, &spec, &fine, &index);
        return r < 0 ? r : compare_queries(&c, coarse, fine);
}

int compare_tiers(struct verifier *v) {
        survey_history(v->history, &v->survey);
        for (unsigned m = 0; m < v->n_meters; m++)
                for (unsigned tier = TIER_RAW + 1; tier < TIER_COUNT; tier++)
                        for (unsigned first = 0; first < v->meters[m].series.n; first += QUERY_SERIES_MAX) {
                                int r = compare_series(v, &v->meters[m], (enum history_tier) tier, first);

                                if (r < 0)
                                        return r;
                        }
        return 0;
}
