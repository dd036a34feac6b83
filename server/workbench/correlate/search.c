#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "workbench/correlate/parts.h"

enum {
        PROBES_MAX = 64,          /* packets that every hypothesis is tried on */
        POOL_MAX = 4096,          /* packets they are chosen from */
        PAIRS_MIN = 4,
        DISTINCT_MIN = 3,         /* known values; fewer fit anything */
        TESTS_MAX = 20,           /* packets after which a hypothesis that holds is believed for now */
        HITS_MAX = 256,           /* of a group in a zone, weighed on more packets */
        LAGS_WEIGHED = 12,        /* of a hit */
        REFERENCES = 3,           /* packets, or pairs of them, that a line is drawn through: one may be wrong */
};

struct probe {
        size_t packet;
        double y;
};

/* The probes with what is known at each lag. */
struct probes {
        size_t n;
        size_t packet[PROBES_MAX];
        double y[LAGS][PROBES_MAX];
        uint8_t known[LAGS][PROBES_MAX];      /* those with a value, in the shuffled order of the probes */
        uint8_t by_value[LAGS][PROBES_MAX];   /* the same, rising */
        unsigned n_known[LAGS];
        bool repeats[LAGS];                   /* the same values as at the lag before */
};

struct hit {
        struct field field;
        bool with_intercept;
        double scale, intercept;
        unsigned passes;                      /* at the best lag */
        uint8_t lag_passes[LAGS];
};

struct hits {
        struct hit *list;                     /* owned; 2 * HITS_MAX have room */
        size_t n;
};

/* ---- which packets ---- */

static int compare_probes(const void *a, const void *b) {
        const struct probe *p = a, *q = b;

        return p->y != q->y ? (p->y < q->y ? -1 : 1) : (p->packet > q->packet) - (p->packet < q->packet);
}

/* What is known near that time: a lag of zero may lie in a hole, or before the first row. */
static bool known_near(const struct known *known, int64_t utc_ms, size_t *hint, int64_t *ret) {
        static const int lags_s[] = { 0, -LAG_MAX_S / 2, LAG_MAX_S / 2, -LAG_MAX_S, LAG_MAX_S };

        for (unsigned i = 0; i < ELEMENTS(lags_s); i++)
                if (known_at(known, utc_ms + lags_s[i] * 1000, hint, ret))
                        return true;
        return false;
}

static size_t fill_pool(const struct search *s, const struct packet_group *g, int zone_s, struct probe *pool) {
        size_t step = (g->n - 1) / POOL_MAX + 1, hint = 0, n = 0;

        for (size_t i = 0; i < g->n; i += step) {
                int64_t value;

                if (known_near(s->known, g->utc_ms[i] + zone_s * INT64_C(1000), &hint, &value))
                        pool[n++] = (struct probe) { i, (double) value / KNOWN_UNITS };
        }
        qsort(pool, n, sizeof *pool, compare_probes);
        return n;
}

/* One packet of each known value to the front, so that a house that mostly sleeps is seen awake. Returns how many. */
static size_t move_distinct_first(struct probe *pool, size_t n) {
        size_t distinct = 0;

        for (size_t i = 0; i < n; i++)
                if (i == 0 || pool[i].y != pool[distinct - 1].y) {
                        struct probe p = pool[i];

                        pool[i] = pool[distinct];
                        pool[distinct++] = p;
                }
        return distinct;
}

/* The same order every time, but no system in it. */
static void shuffle(size_t *list, size_t n) {
        uint32_t state = 1;

        for (size_t i = n; i > 1; i--) {
                size_t j, packet = list[i - 1];

                state = state * 1664525 + 1013904223;
                j = (state >> 8) % i;
                list[i - 1] = list[j];
                list[j] = packet;
        }
}

static void take_evenly(struct probes *p, const struct probe *from, size_t n, size_t wanted) {
        for (size_t i = 0; i < wanted; i++)
                p->packet[p->n++] = from[i * n / wanted].packet;
}

/* False when too little is known for anything to be told. */
static bool choose_probes(struct probes *p, struct probe *pool, size_t n) {
        size_t distinct = move_distinct_first(pool, n), rest = n - distinct, room;

        p->n = 0;
        if (n < PAIRS_MIN || distinct < DISTINCT_MIN)
                return false;
        take_evenly(p, pool, distinct, distinct < PROBES_MAX ? distinct : PROBES_MAX);
        room = PROBES_MAX - p->n;
        take_evenly(p, pool + distinct, rest, rest < room ? rest : room);
        shuffle(p->packet, p->n);
        return true;
}

static void sort_by_value(uint8_t *order, unsigned n, const double *y) {
        for (unsigned i = 1; i < n; i++)
                for (unsigned j = i; j > 0 && y[order[j - 1]] > y[order[j]]; j--) {
                        uint8_t at = order[j];

                        order[j] = order[j - 1];
                        order[j - 1] = at;
                }
}

static void sample_probes(const struct search *s, const struct packet_group *g, int zone_s, struct probes *p) {
        size_t hints[PROBES_MAX] = { 0 };

        for (unsigned lag = 0; lag < LAGS; lag++) {
                int64_t shift_ms = (zone_s + (int) lag - LAG_MAX_S) * INT64_C(1000), value;
                unsigned n = 0;

                for (unsigned i = 0; i < p->n; i++) {
                        bool is_known = known_at(s->known, g->utc_ms[p->packet[i]] + shift_ms, &hints[i], &value);

                        p->y[lag][i] = is_known ? (double) value / KNOWN_UNITS : NAN;
                        if (is_known)
                                p->known[lag][n++] = (uint8_t) i;
                }
                p->n_known[lag] = n;
                memcpy(p->by_value[lag], p->known[lag], n);
                sort_by_value(p->by_value[lag], n, p->y[lag]);
                p->repeats[lag] = lag > 0 && memcmp(p->y[lag], p->y[lag - 1], p->n * sizeof(double)) == 0;
        }
}

/* ---- trying ---- */

static unsigned count_passes(const double *x, const double *y, const uint8_t *known, unsigned n, double scale,
                             double intercept, double tolerance) {
        unsigned passes = 0, fails = 0;

        for (unsigned i = 0; i < n && i < TESTS_MAX; i++) {
                unsigned at = known[i];

                if (fabs(y[at] - scale * x[at] - intercept) <= tolerance)
                        passes++;
                else if (++fails > 2 + passes / 2)
                        return 0;
        }
        return passes;
}

/* A line with a tolerance as wide as everything that is known says nothing. Near means before least squares. */
static unsigned try_line(struct search *s, const struct probes *p, unsigned lag, const double *x, double scale,
                         double intercept, bool with_intercept) {
        struct fit_rules rules = search_rules(s, with_intercept);
        double tolerance = fit_tolerance(&rules, scale);
        unsigned n = p->n_known[lag], passes;
        const uint8_t *order = p->by_value[lag];
        double range = p->y[lag][order[n - 1]] - p->y[lag][order[0]];

        if (!(fabs(scale) > 0) || !isfinite(scale) || (s->known->is_total && scale < 0) || tolerance > range / 4)
                return 0;
        passes = count_passes(x, p->y[lag], p->known[lag], n, scale, intercept,
                              (with_intercept ? 3 : 2.5) * tolerance);
        s->work += passes + REFERENCES;
        return passes >= PAIRS_MIN ? passes : 0;
}

/* Lines through zero and one of the largest values. */
static unsigned try_origin(struct search *s, const struct probes *p, unsigned lag, const double *x, struct hit *hit) {
        const uint8_t *order = p->by_value[lag];
        unsigned n = p->n_known[lag], best = 0;
        const double *y = p->y[lag];
        bool is_upper = fabs(y[order[n - 1]]) >= fabs(y[order[0]]);

        for (unsigned i = 0; i < REFERENCES && best < TESTS_MAX - 2; i++) {
                unsigned skip = i * n / 7, at = order[is_upper ? n - 1 - skip : skip], passes;

                if (x[at] == 0)
                        continue;
                passes = try_line(s, p, lag, x, y[at] / x[at], 0, false);
                if (passes <= best)
                        continue;
                best = passes;
                hit->scale = y[at] / x[at];
                hit->intercept = 0;
        }
        return best;
}

/* Lines through one of the largest and one of the smallest. */
static unsigned try_slope(struct search *s, const struct probes *p, unsigned lag, const double *x, struct hit *hit) {
        const uint8_t *order = p->by_value[lag];
        unsigned n = p->n_known[lag], best = 0;
        const double *y = p->y[lag];

        for (unsigned i = 0; i < REFERENCES && best < TESTS_MAX - 2; i++) {
                unsigned high = order[n - 1 - i * n / 7], low = order[i * n / 7], passes;
                double scale;

                if (x[high] == x[low])
                        continue;
                scale = (y[high] - y[low]) / (x[high] - x[low]);
                passes = try_line(s, p, lag, x, scale, y[low] - scale * x[low], true);
                if (passes <= best)
                        continue;
                best = passes;
                hit->scale = scale;
                hit->intercept = y[low] - scale * x[low];
        }
        return best;
}

static int compare_hits(const void *a, const void *b) {
        const struct hit *x = a, *y = b;

        return (x->passes < y->passes) - (x->passes > y->passes);
}

static void add_hit(struct hits *hits, const struct hit *hit) {
        hits->list[hits->n++] = *hit;
        if (hits->n < 2 * HITS_MAX)
                return;
        qsort(hits->list, hits->n, sizeof *hits->list, compare_hits);
        hits->n = HITS_MAX;
}

/* A field at all lags, with or without an intercept. */
static void try_field(struct search *s, const struct probes *p, const double *x, struct hit *hit) {
        double scale = 0, intercept = 0;

        hit->passes = 0;
        for (unsigned lag = 0; lag < LAGS; lag++) {
                unsigned passes = 0;

                if (p->repeats[lag])
                        passes = hit->lag_passes[lag - 1];
                else if (p->n_known[lag] >= PAIRS_MIN)
                        passes = hit->with_intercept ? try_slope(s, p, lag, x, hit) : try_origin(s, p, lag, x, hit);
                hit->lag_passes[lag] = (uint8_t) passes;
                if (passes > hit->passes) {
                        hit->passes = passes;
                        scale = hit->scale;
                        intercept = hit->intercept;
                }
        }
        hit->scale = scale;
        hit->intercept = intercept;
}

static unsigned distinct_lags(const struct probes *p) {
        unsigned n = 0;

        for (unsigned lag = 0; lag < LAGS; lag++)
                n += !p->repeats[lag] && p->n_known[lag] >= PAIRS_MIN;
        return n;
}

/* A register may lose its way in a damaged packet, but not often. */
static bool is_falling(const double *x, const struct probes *p, const struct packet_group *g) {
        unsigned falls = 0, pairs = 0;

        for (size_t i = 0; i + 1 < p->n; i++) {
                bool later = g->utc_ms[p->packet[i + 1]] > g->utc_ms[p->packet[i]];

                pairs++;
                falls += later ? x[i + 1] < x[i] : x[i + 1] > x[i];
        }
        return falls * 5 > pairs;
}

static void try_fields(struct search *s, unsigned group, const struct probes *p, struct hits *hits) {
        const struct packet_group *g = &s->packets->groups[group];
        double x[PROBES_MAX];

        for (size_t i = 0; i < s->fields[group].n; i++) {
                struct field field = s->fields[group].list[i];

                for (size_t k = 0; k < p->n; k++)
                        x[k] = (double) field_read(field, packet_at(g, p->packet[k]));
                if (s->known->is_total && (field.sign != FIELD_UNSIGNED || is_falling(x, p, g)))
                        continue;
                s->hypotheses += distinct_lags(p);
                for (unsigned model = 0; model < 2; model++) {
                        struct hit hit = { .field = field, .with_intercept = model == 1 };

                        try_field(s, p, x, &hit);
                        if (hit.passes > 0)
                                add_hit(hits, &hit);
                }
        }
}

/* ---- weighing ---- */

/* The best lags of a hit, spread over all that are as good. Returns how many. */
static unsigned choose_lags(const struct hit *hit, int *ret) {
        unsigned n = 0, good = 0, seen = 0;

        for (unsigned lag = 0; lag < LAGS; lag++)
                good += hit->lag_passes[lag] == hit->passes;
        for (unsigned lag = 0; lag < LAGS; lag++) {
                if (hit->lag_passes[lag] != hit->passes)
                        continue;
                if (good <= LAGS_WEIGHED || seen * LAGS_WEIGHED / good != (seen + 1) * LAGS_WEIGHED / good)
                        ret[n++] = (int) lag - LAG_MAX_S;
                seen++;
        }
        return n;
}

static bool is_better(const struct fit *a, const struct fit *b) {
        double share_a = a->total ? (double) a->matched / (double) a->total : 0;
        double share_b = b->total ? (double) b->matched / (double) b->total : 0;

        /* A lag at which little is known must not win by that. */
        share_a += a->total < b->total / 2 ? -1 : 0;
        share_b += b->total < a->total / 2 ? -1 : 0;
        return share_a != share_b ? share_a > share_b : a->total > b->total;
}

static int weigh_hit(struct search *s, unsigned group, int zone_s, const struct hit *hit) {
        struct fit_rules rules = search_rules(s, hit->with_intercept);
        struct candidate c = { .group = group, .field = hit->field, .with_intercept = hit->with_intercept,
                               .zone_s = zone_s, .extra = s->extra, .looseness = s->looseness };
        int lags_s[LAGS], r;
        unsigned n = choose_lags(hit, lags_s);

        search_read(s, &c);
        for (unsigned i = 0; i < n; i++) {
                struct fit fit = { .scale = hit->scale, .intercept = hit->intercept };

                fit_refine(s->x, sampled_row(&s->sampled, lags_s[i]), s->sampled.n, &rules, &fit);
                s->work += s->sampled.n;
                if (i > 0 && !is_better(&fit, &c.fit))
                        continue;
                c.fit = fit;
                c.lag_s = lags_s[i];
        }
        r = judge_on_sample(s, &c);
        if (r <= 0)
                return r;
        s->candidates[s->n_candidates++] = c;
        if (s->n_candidates == 2 * CANDIDATES_MAX) {
                search_sort(s);
                s->n_candidates = CANDIDATES_MAX;
        }
        return 0;
}

static int weigh_hits(struct search *s, unsigned group, int zone_s, struct hits *hits) {
        int r;

        if (hits->n == 0)
                return 0;
        qsort(hits->list, hits->n, sizeof *hits->list, compare_hits);
        if (hits->n > HITS_MAX)
                hits->n = HITS_MAX;
        r = search_sample(s, group, zone_s);
        for (size_t i = 0; r >= 0 && i < hits->n; i++)
                r = weigh_hit(s, group, zone_s, &hits->list[i]);
        return r;
}

/* ---- a time zone ---- */

struct workspace {
        struct probes probes;
        struct probe pool[POOL_MAX + 1];
        struct hit hits[2 * HITS_MAX];
};

static void free_workspace(struct workspace **w) {
        free(*w);
}

int search_zone(struct search *s, int zone_s) {
        CLEANUP(free_workspace) struct workspace *w = calloc(1, sizeof *w);
        int r = 0;

        if (!w)
                return -ENOMEM;
        for (unsigned i = 0; r >= 0 && i < s->packets->n_groups; i++) {
                const struct packet_group *g = &s->packets->groups[i];
                struct hits hits = { .list = w->hits };

                if (g->n < PAIRS_MIN || s->fields[i].n == 0 ||
                    !choose_probes(&w->probes, w->pool, fill_pool(s, g, zone_s, w->pool)))
                        continue;
                sample_probes(s, g, zone_s, &w->probes);
                try_fields(s, i, &w->probes, &hits);
                r = weigh_hits(s, i, zone_s, &hits);
        }
        return r;
}
