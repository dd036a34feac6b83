/* What a hypothesis is worth: its scale, its window of lags, how it does on all packets, and what chance would do. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "workbench/correlate/parts.h"

/* A score counts as so much more of the packets matched, in percent. */
#define CERTAIN_DECADES    12.0  /* odds beyond this make nothing more certain */
#define POINTS_PER_DECADE  10.0
#define POINTS_INTERCEPT   8.0   /* most values have none; registers begin somewhere */
#define POINTS_REGISTER    2.0
#define POINTS_REGISTER_FULL 10.0 /* it has counted more than any house uses */
#define POINTS_NEGATIVE    2.0
#define POINTS_LOOSE       5.0   /* each time the tolerance was widened */
#define POINTS_ZONE        3.0
#define POINTS_SIGN        0.1   /* sign and magnitude is rare */

#define SHARE_MIN          0.3   /* of packets that match: below, nothing fits */
#define BLUNTNESS_MAX      0.25
#define ODD_SCALE_POINTS   10.0

static const double scale_points[SCALE_RANKS] = { 0, 1, 1, 2, 5 };

/* ---- scale ---- */

/* The mean of what is left of the values near the line, with another scale. */
static double mean_residue(const struct search *s, const struct candidate *c, double scale) {
        const double *y = sampled_row(&s->sampled, c->lag_s);
        struct fit_rules rules = search_rules(s, c->with_intercept);
        double near = 2 * fit_tolerance(&rules, c->fit.scale), sum = 0;
        size_t n = 0;

        for (size_t i = 0; c->with_intercept && i < s->sampled.n; i++)
                if (fabs(y[i] - c->fit.scale * s->x[i] - c->fit.intercept) <= near) {
                        sum += y[i] - scale * s->x[i];
                        n++;
                }
        return n > 0 ? sum / (double) n : 0;
}

static void fix_scale(const struct search *s, const struct candidate *c, struct scale scale, struct fit *fit) {
        const double *y = sampled_row(&s->sampled, c->lag_s);
        struct fit_rules rules = search_rules(s, c->with_intercept);

        fit->scale = (c->fit.scale < 0 ? -1 : 1) * (double) scale.num / (double) scale.den;
        fit->intercept = mean_residue(s, c, fit->scale);
        fit_measure(s->x, y, s->sampled.n, &rules, fit);
}

/* How far off the slope may be: what turns the line by two tolerances over the range of the numbers. */
static double scale_doubt(const struct search *s, const struct candidate *c) {
        const double *y = sampled_row(&s->sampled, c->lag_s);
        struct fit_rules rules = search_rules(s, c->with_intercept);
        double tolerance = fit_tolerance(&rules, c->fit.scale), low = HUGE_VAL, high = -HUGE_VAL, range;

        for (size_t i = 0; i < s->sampled.n; i++)
                if (fabs(y[i] - c->fit.scale * s->x[i] - c->fit.intercept) <= tolerance) {
                        low = s->x[i] < low ? s->x[i] : low;
                        high = s->x[i] > high ? s->x[i] : high;
                }
        range = c->with_intercept ? high - low : fmax(fabs(low), fabs(high));
        if (!(range > 0))
                return 0;
        return fmin(2 * tolerance / range / fabs(c->fit.scale), 0.25);
}

static bool is_as_good(const struct fit *fit, const struct fit *than) {
        return fit->matched + than->total / 50 >= than->matched;
}

/* The simplest factor that does as well as the best one; the next one of the same kind is its rival. */
static void choose_scale(struct search *s, struct candidate *c) {
        double doubt = scale_doubt(s, c);
        struct fit free_fit = c->fit, best = { .matched = 0 };

        for (unsigned rank = 0; rank < SCALE_RANKS && !c->has_simple_scale; rank++) {
                struct scale list[16];
                unsigned n = scale_near(fabs(free_fit.scale), doubt, rank, list, ELEMENTS(list));

                for (unsigned i = 0; i < n; i++) {
                        struct fit fit;

                        fix_scale(s, c, list[i], &fit);
                        s->work += s->sampled.n;
                        if (!is_as_good(&fit, &free_fit))
                                continue;
                        c->has_rival_scale = c->has_simple_scale;
                        if (c->has_rival_scale)
                                c->rival = best.matched >= fit.matched ? list[i] : c->simple;
                        if (!c->has_simple_scale || fit.matched > best.matched) {
                                c->simple = list[i];
                                best = fit;
                        }
                        c->has_simple_scale = true;
                }
        }
        if (c->has_simple_scale)
                c->fit = best;
}

/* ---- score ---- */

static double share_of(const struct fit *fit) {
        return fit->total > 0 ? (double) fit->matched / (double) fit->total : 0;
}

static void set_score(const struct search *s, struct candidate *c) {
        double score = 100 * share_of(&c->fit);

        score += POINTS_PER_DECADE * fmin(fmax(-c->chance, -CERTAIN_DECADES), CERTAIN_DECADES);
        score -= c->has_simple_scale ? scale_points[c->simple.rank] : ODD_SCALE_POINTS;
        if (c->with_intercept)
                score -= s->known->is_total ? POINTS_REGISTER : POINTS_INTERCEPT;
        if (s->known->register_max > 0 && fabs(c->fit.intercept) > s->known->register_max)
                score -= POINTS_REGISTER_FULL;
        score -= c->fit.scale < 0 ? POINTS_NEGATIVE : 0;
        score -= c->field.sign == FIELD_SIGN_MAGNITUDE ? POINTS_SIGN : 0;
        score -= c->zone_s != 0 ? POINTS_ZONE : 0;
        score -= POINTS_LOOSE * c->looseness;
        c->score = score;
}

/* By what matches alone: a known value that is wrong is often far off, and would make all of them seem to vary. */
static int set_chance(struct search *s, struct candidate *c) {
        const struct packet_group *g = &s->packets->groups[c->group];
        struct fit_rules rules = search_rules(s, c->with_intercept);
        const double *y = sampled_row(&s->sampled, c->lag_s);
        double tolerance = fit_tolerance(&rules, c->fit.scale);
        struct spread spread;
        size_t n = 0;
        int r;

        for (size_t i = 0; i < s->sampled.n; i++)
                if (fabs(y[i] - c->fit.scale * s->x[i] - c->fit.intercept) <= tolerance * (1 + 1e-6)) {
                        s->matched_x[n] = s->x[i];
                        s->matched_t[n] = (double) (g->utc_ms[i * s->sampled.step] - g->utc_ms[0]) / 1000;
                        s->matched_y[n++] = y[i];
                }
        r = fit_spread(s->matched_x, s->matched_y, s->matched_t, n, tolerance, &spread);
        if (r < 0)
                return r;
        c->bluntness = spread.width > 0 ? fit_tolerance(&rules, c->fit.scale) / spread.width : 1;
        c->chance = fit_chance(&spread, &rules, &c->fit) + log10((double) (s->hypotheses ? s->hypotheses : 1));
        return 0;
}

static bool falls(const struct search *s) {
        size_t falling = 0;

        for (size_t i = 1; i < s->sampled.n; i++)
                falling += s->x[i] < s->x[i - 1];
        return falling * 20 > s->sampled.n;
}

int judge_on_sample(struct search *s, struct candidate *c) {
        int r;

        if (share_of(&c->fit) < SHARE_MIN || c->fit.matched < FIELD_DISTINCT_MIN ||
            (s->known->is_total && (c->fit.scale <= 0 || falls(s))))
                return 0;
        choose_scale(s, c);
        r = set_chance(s, c);
        if (r < 0)
                return r;
        set_score(s, c);
        return c->bluntness <= BLUNTNESS_MAX || s->known->is_total;
}

/* ---- lags ---- */

static int compare_doubles(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

#define RESIDUES_MAX 64

/* Where a register begins depends on the lag: what it grows in a second is added for each. The middle of some. */
static double intercept_at(const struct search *s, const struct candidate *c, const double *y) {
        size_t step = s->sampled.n / RESIDUES_MAX + 1, n = 0;
        double residues[RESIDUES_MAX];

        if (!c->with_intercept)
                return c->fit.intercept;
        for (size_t i = 0; i < s->sampled.n; i += step)
                if (!isnan(y[i]))
                        residues[n++] = y[i] - c->fit.scale * s->x[i];
        qsort(residues, n, sizeof *residues, compare_doubles);
        return n > 0 ? (residues[n / 2] + residues[(n - 1) / 2]) / 2 : c->fit.intercept;
}

/* Which of the sampled packets match at each lag: one row of s->matches for each packet. */
static void match_all_lags(struct search *s, const struct candidate *c) {
        struct fit_rules rules = search_rules(s, c->with_intercept);
        double limit = fit_tolerance(&rules, c->fit.scale) * (1 + 1e-9);

        for (int lag = 0; lag < LAGS; lag++) {
                const double *y = sampled_row(&s->sampled, lag - LAG_MAX_S);
                double intercept = intercept_at(s, c, y);

                for (size_t i = 0; i < s->sampled.n; i++) {
                        double error = fabs(y[i] - c->fit.scale * s->x[i] - intercept);

                        s->matches[i * LAGS + (size_t) lag] = isnan(y[i]) ? MATCH_UNKNOWN :
                                error <= limit + fabs(y[i]) * 1e-9 ? MATCH_YES : MATCH_NO;
                }
        }
        s->work += LAGS * s->sampled.n;
}

/* False when a packet is known not to match at any of these lags. */
static bool may_match(const uint8_t *match, int from, int to) {
        bool is_known = false;

        for (int lag = from < 0 ? 0 : from; lag <= to && lag < LAGS; lag++) {
                if (match[lag] == MATCH_YES)
                        return true;
                is_known |= match[lag] == MATCH_NO;
        }
        return !is_known;
}

struct lag_shares {
        double share[LAGS];       /* of the packets that match; below zero where too little is known to compare */
        size_t total[LAGS];       /* packets with a known value */
        double mended[LAGS];      /* with those that miss only there, because one known value is wrong by itself */
};

/* reach: lags that one row of known values covers. */
static void count_matches(const struct search *s, const struct candidate *c, int reach, struct lag_shares *ret) {
        for (int lag = 0; lag < LAGS; lag++) {
                size_t matched = 0, mended = 0, total = 0;

                for (size_t i = 0; i < s->sampled.n; i++) {
                        const uint8_t *match = s->matches + i * LAGS;

                        if (match[lag] == MATCH_UNKNOWN)
                                continue;
                        total++;
                        matched += match[lag] == MATCH_YES;
                        mended += match[lag] == MATCH_YES || (may_match(match, lag - reach, lag - 1) &&
                                                              may_match(match, lag + 1, lag + reach));
                }
                ret->share[lag] = ret->mended[lag] = -1;
                ret->total[lag] = total;
                if (total == 0 || total * 2 < c->fit.total)
                        continue;
                ret->share[lag] = (double) matched / (double) total;
                ret->mended[lag] = (double) mended / (double) total;
        }
}

/* Taken for wrong by itself where a lag has no more of it. A single packet may be it too where there are so many:
 * wrong known values that follow each other at the edge of the window have nothing beyond it that would mend them,
 * and must not cut it. One of the eight of a short recording does. */
#define WRONG_SHARE  0.015
#define ONE_WRONG_OF 20

/* The most that single known values take away at a lag or at those next to it. */
static double usual_wrong(const struct lag_shares *shares, int lag, int reach) {
        double wrong = WRONG_SHARE;

        for (int i = lag - reach < 0 ? 0 : lag - reach; i <= lag + reach && i < LAGS; i++)
                if (shares->mended[i] == shares->mended[lag])
                        wrong = fmax(wrong, shares->mended[i] - shares->share[i]);
        return wrong;
}

/* Whether a lag is as good as the best: less than that by no more than single known values are wrong. If so it may
 * show how much that is, but not where a single packet is all that lets it in. */
static bool is_in_window(const struct lag_shares *shares, int lag, int best, double *wrong) {
        double less = shares->mended[best] - shares->mended[lag];

        if (less > *wrong)
                return shares->total[lag] >= ONE_WRONG_OF && less * (double) shares->total[lag] < 1 + 1e-9;
        *wrong = fmax(*wrong, shares->mended[lag] - shares->share[lag]);
        return true;
}

/* All lags that are as good as the best. */
static void set_window(struct search *s, struct candidate *c) {
        int reach = (int) (s->known->interval_ms / 1000) + 1, best = c->lag_s + LAG_MAX_S, from, to;
        struct lag_shares shares;
        double wrong;

        match_all_lags(s, c);
        count_matches(s, c, reach < LAG_MAX_S / 4 ? reach : LAG_MAX_S / 4, &shares);
        for (int i = 0; i < LAGS; i++)
                if (shares.mended[i] > shares.mended[best] ||
                    (shares.mended[i] == shares.mended[best] && shares.total[i] > shares.total[best]))
                        best = i;
        wrong = usual_wrong(&shares, best, reach);
        for (from = best; from > 0 && is_in_window(&shares, from - 1, best, &wrong); from--)
                ;
        for (to = best; to < LAGS - 1 && is_in_window(&shares, to + 1, best, &wrong); to++)
                ;
        c->lag_from_s = from - LAG_MAX_S;
        c->lag_to_s = to - LAG_MAX_S;
}

/* ---- all packets ---- */

static uint64_t mix(uint64_t hash, int64_t value) {
        hash = (hash ^ (uint64_t) value) * UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

static double off_line(const struct candidate *c, int64_t value, int64_t number) {
        return fabs((double) value / KNOWN_UNITS - c->fit.scale * (double) number - c->fit.intercept);
}

/* changed: all bits that differ from those in some packet. */
static void split_bits(struct candidate *c, uint64_t bits, uint64_t changed) {
        c->changing = 0;
        while (changed >> c->changing)
                c->changing++;
        c->steady = bits >> c->changing << c->changing;
}

static void measure_all(struct search *s, struct candidate *c) {
        const struct packet_group *g = &s->packets->groups[c->group];
        struct fit_rules rules = search_rules(s, c->with_intercept);
        double tolerance = fit_tolerance(&rules, c->fit.scale) * (1 + 1e-9);
        int64_t shift_ms = (c->zone_s + c->lag_s) * INT64_C(1000), value;
        uint64_t top = UINT64_C(1) << (8 * c->field.width - 1);
        int64_t first = field_read(c->field, g->bytes);
        uint64_t first_bits = field_bits(c->field, g->bytes), changed = 0;
        size_t hint = 0;

        c->fit.matched = c->fit.total = 0;
        c->fit.max_error = 0;
        c->hash = c->group + 1;
        for (size_t i = 0; i < g->n; i++) {
                int64_t number = field_read(c->field, packet_at(g, i));
                double error;

                c->hash = mix(c->hash, number - first);
                c->top_seen |= (field_bits(c->field, packet_at(g, i)) & top) != 0;
                changed |= field_bits(c->field, packet_at(g, i)) ^ first_bits;
                if (!known_at(s->known, g->utc_ms[i] + shift_ms, &hint, &value))
                        continue;
                c->fit.total++;
                error = off_line(c, value, number);
                if (error > tolerance + fabs((double) value) / KNOWN_UNITS * 1e-9)
                        continue;
                c->fit.matched++;
                c->fit.max_error = fmax(c->fit.max_error, error);
        }
        split_bits(c, first_bits, changed);
        s->work += g->n;
}

/* The type of a ZCL record tells width and sign of the value behind it. */
static bool is_tagged(const struct packet_group *g, struct field f) {
        enum { ZCL_UINT8 = 0x20, ZCL_INT8 = 0x28 };
        uint8_t tag;

        if (f.offset == 0 || f.big_endian)
                return false;
        tag = g->bytes[f.offset - 1];
        if (tag != ZCL_UINT8 + f.width - 1 && tag != ZCL_INT8 + f.width - 1)
                return false;
        for (size_t i = 1; i < g->n; i++)
                if (packet_at(g, i)[f.offset - 1] != tag)
                        return false;
        return true;
}

int judge_on_all(struct search *s, struct candidate *c) {
        int r = search_sample(s, c->group, c->zone_s);

        if (r < 0)
                return r;
        s->extra = c->extra;
        search_read(s, c);
        set_window(s, c);
        /* Away from the edges: there a clock's last second decides. */
        c->lag_s = c->lag_from_s + (c->lag_to_s - c->lag_from_s) / 2;
        c->fit.intercept = intercept_at(s, c, sampled_row(&s->sampled, c->lag_s));
        c->fit.intercept = mean_residue(s, c, c->fit.scale);
        c->is_tagged = is_tagged(&s->packets->groups[c->group], c->field);
        measure_all(s, c);
        r = set_chance(s, c);
        if (r < 0)
                return r;
        set_score(s, c);
        return 0;
}

/* ---- other time zones ---- */

#define PROBES    64   /* packets, evenly over the recording */
#define PROBES_MIN 8   /* of them with a known value */
#define LESS_SHARE 0.1 /* that may match less there: some values are wrong */

/* The share of the probes that match; below zero where too little is known. */
static double probe(const struct search *s, const struct candidate *c, int zone_s, int lag_s) {
        const struct packet_group *g = &s->packets->groups[c->group];
        size_t step = g->n / PROBES + 1, n = 0, matched = 0, probes = 0, hint = 0;
        struct fit_rules rules = search_rules(s, c->with_intercept);
        double limit = fit_tolerance(&rules, c->fit.scale) * (1 + 1e-6), residues[PROBES], middle = 0;
        int64_t shift_ms = (zone_s + lag_s) * INT64_C(1000), value;

        for (size_t i = 0; i < g->n; i += step, probes++)
                if (known_at(s->known, g->utc_ms[i] + shift_ms, &hint, &value))
                        residues[n++] = (double) value / KNOWN_UNITS -
                                        c->fit.scale * (double) field_read(c->field, packet_at(g, i));
        if (n < PROBES_MIN || n * 2 < probes)
                return -1;
        qsort(residues, n, sizeof *residues, compare_doubles);
        if (c->with_intercept)
                middle = residues[n / 2];
        for (size_t i = 0; i < n; i++)
                matched += fabs(residues[i] - middle) <= limit;
        return (double) matched / (double) n;
}

bool judge_elsewhere(struct search *s, const struct candidate *c, int zone_s) {
        double wanted = probe(s, c, c->zone_s, c->lag_s) - LESS_SHARE, best = wanted;
        struct candidate other = *c;

        for (int lag_s = -LAG_MAX_S; lag_s <= LAG_MAX_S; lag_s++) {
                double share = probe(s, c, zone_s, lag_s);

                if (share <= best)
                        continue;
                best = share;
                other.lag_s = lag_s;
        }
        if (wanted <= 0 || best <= wanted || s->n_candidates == 2 * CANDIDATES_MAX)
                return false;
        other.zone_s = zone_s;
        s->candidates[s->n_candidates++] = other;
        return true;
}
