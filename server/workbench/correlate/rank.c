/* From hypotheses to an answer: those that say the same become one, and what none of them can tell becomes words. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "workbench/correlate/parts.h"

#define SAME_POINTS  3.0    /* readings of the same numbers differ by less: their lags were not settled alike */
#define RIVAL_POINTS 15.0   /* a field with so much less of a score is none */
#define SCALE_RANK_ODD (SCALE_RANKS - 1) /* fixed-point numbers, and what is no factor at all */
#define CUT_POINTS   4.0    /* the same for other readings of the same bytes: one of them is true at most */
#define CUT_SHARE    0.1    /* of the packets, that the simpler scale may match less */
#define CUT_DOUBT    0.1    /* log2: scales are known to some percent */
#define CHANCE_MAX   (-2.0) /* log10: at most one wrong field in a hundred such answers */
#define CHANCE_LOOSE (-4.0) /* the same where the tolerance had to be widened: what drifts alike fits then */
#define SHARE_DECIDED 0.5

static void leave_open(struct correlate_field *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void leave_open(struct correlate_field *f, const char *format, ...) {
        va_list args;

        if (f->n_open == CORRELATE_OPEN_MAX)
                return;
        va_start(args, format);
        vsnprintf(f->open[f->n_open++], CORRELATE_TEXT_MAX, format, args);
        va_end(args);
}

/* ---- which of those that say the same ---- */

/* True when both are made of the same changing bytes, at least one of them. */
static bool share_bytes(const struct search *s, const struct candidate *a, const struct candidate *b) {
        const bool *varies = s->fields[a->group].varies;

        if (a->group != b->group)
                return false;
        for (unsigned at = a->field.offset; at < (unsigned) a->field.offset + a->field.width; at++)
                if (varies[at] && at >= b->field.offset && at < (unsigned) b->field.offset + b->field.width)
                        return true;
        return false;
}

static bool same_numbers(const struct search *s, const struct candidate *a, const struct candidate *b) {
        return a->group == b->group && a->hash == b->hash && share_bytes(s, a, b);
}

/* One reading of the same numbers in place of another. */
static bool same_reading(const struct search *s, const struct candidate *a, const struct candidate *b) {
        return a->with_intercept == b->with_intercept && a->zone_s == b->zone_s &&
               fabs(a->score - b->score) < SAME_POINTS && same_numbers(s, a, b);
}

/* Flags in front of the number, and an intercept that does nothing but take them off again. */
static bool has_flags(const struct candidate *c) {
        double taken = -c->fit.intercept / c->fit.scale;

        return c->with_intercept && c->field.sign == FIELD_UNSIGNED && c->steady > 0 && c->changing > 0 &&
               fabs(taken - (double) c->steady) < 0.5;
}

/* The type that stands before it knows the width; else the widest: a narrower one fits until the value grows. Of
 * those that have flags the narrowest: the flags are none of the number's. */
static bool is_truer(const struct candidate *a, const struct candidate *b) {
        if (a->is_tagged != b->is_tagged)
                return a->is_tagged;
        if (a->field.width != b->field.width)
                return (a->field.width > b->field.width) != (has_flags(a) && has_flags(b));
        if (a->field.sign != b->field.sign)
                return a->field.sign < b->field.sign;
        return !a->field.big_endian && b->field.big_endian;
}

static const struct candidate *truest(const struct search *s, const struct candidate *c) {
        const struct candidate *best = c;

        for (size_t i = 0; i < s->n_candidates; i++)
                if (same_reading(s, c, &s->candidates[i]) && is_truer(&s->candidates[i], best))
                        best = &s->candidates[i];
        return best;
}

/* ---- the same bytes, cut in another way ---- */

static unsigned scale_rank(const struct candidate *c) {
        return c->has_simple_scale ? c->simple.rank : SCALE_RANKS;
}

static double share_of(const struct candidate *c) {
        return c->fit.total > 0 ? (double) c->fit.matched / (double) c->fit.total : 0;
}

/* True when the scales are 256 or a power of it apart: one of them has a byte too much or too little at its end. */
static bool is_cut_elsewhere(const struct candidate *a, const struct candidate *b) {
        double bytes = log2(fabs(a->fit.scale / b->fit.scale)) / 8;

        return fabs(bytes) > 0.5 && fabs(bytes - round(bytes)) * 8 < CUT_DOUBT;
}

/* All that its lowest byte adds is less than what the known values can tell. */
static bool hardly_counts(const struct search *s, const struct candidate *c) {
        struct fit_rules rules = search_rules(s, c->with_intercept);

        rules.extra = s->options->tolerance;
        return 255 * fabs(c->fit.scale) < 2 * fit_tolerance(&rules, c->fit.scale);
}

/* ---- words ---- */

/* Behind tell_rivals, which finds signs that do as well. */
static void tell_sign(struct correlate_field *f, const struct candidate *c) {
        bool is_seen = c->field.sign != FIELD_UNSIGNED || c->top_seen;

        if (!is_seen)
                leave_open(f, "sign: no negative value was seen");
        else if (!f->sign_known)
                leave_open(f, "sign: nothing is known of the packets that would tell");
        f->sign_known &= is_seen;
}

/* Narrower and wider readings of the same numbers. */
static void tell_width(struct correlate_field *f, const struct search *s, const struct candidate *c) {
        bool narrower[FIELD_WIDTH_MAX + 1] = { false };
        char text[64] = "";

        for (size_t i = 0; i < s->n_candidates; i++) {
                const struct candidate *o = &s->candidates[i];

                if (same_reading(s, o, c) && o->field.big_endian == c->field.big_endian &&
                    field_lowest(o->field) == field_lowest(c->field))
                        narrower[o->field.width] = o->field.width != c->field.width;
        }
        for (unsigned width = 1; width <= FIELD_WIDTH_MAX; width++)
                if (narrower[width])
                        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", text[0] ? ", " : "", width);
        if (text[0])
                leave_open(f, "width: %s bytes fit as well, no value was large enough to tell", text);
}

static void tell_order(struct correlate_field *f, const struct search *s, const struct candidate *c) {
        f->order_known = c->field.width > 1;
        for (size_t i = 0; i < s->n_candidates; i++) {
                const struct candidate *o = &s->candidates[i];

                if (!same_reading(s, o, c) || o->field.width == 1 || o->field.big_endian == c->field.big_endian)
                        continue;
                f->order_known = c->is_tagged;
                leave_open(f, "byte order: offset %u width %u %s fits as well, only the lowest byte ever changed",
                           o->field.offset, o->field.width, o->field.big_endian ? "be" : "le");
                return;
        }
        if (!f->order_known)
                leave_open(f, "byte order: it is a single byte");
}

static void tell_scale(struct correlate_field *f, const struct candidate *c) {
        if (!c->has_simple_scale) {
                leave_open(f, "scale: %.6g is no factor that meters use", f->scale);
                f->decided = false;
        } else if (c->has_rival_scale) {
                leave_open(f, "scale: %.6g fits as well", (double) c->rival.num / (double) c->rival.den);
                f->decided = false;
        }
}

static void tell_zone(struct correlate_field *f, const struct search *s, const struct candidate *c) {
        for (size_t i = 0; i < s->n_candidates; i++) {
                const struct candidate *o = &s->candidates[i];

                if (!same_numbers(s, o, c) || o->zone_s == c->zone_s || o->score < c->score - RIVAL_POINTS ||
                    o->with_intercept != c->with_intercept)
                        continue;
                leave_open(f, "time zone: a clock %d:%02d h %s fits as well", abs(o->zone_s) / 3600,
                           abs(o->zone_s) / 60 % 60, o->zone_s < 0 ? "behind" : "ahead");
                f->decided = false;
                return;
        }
}

/* A window that ends where the search does may go on. */
static void tell_lag(struct correlate_field *f, const struct candidate *c) {
        bool from_edge = c->lag_from_s == -LAG_MAX_S, to_edge = c->lag_to_s == LAG_MAX_S;

        if (from_edge && to_edge)
                leave_open(f, "lag: any of %d s either way fits", LAG_MAX_S);
        else if (from_edge || to_edge)
                leave_open(f, "lag: it may be more than the %d s that were tried", LAG_MAX_S);
}

static bool same_place(const struct candidate *a, const struct candidate *b) {
        return a->group == b->group && a->field.offset == b->field.offset && a->field.width == b->field.width &&
               a->field.big_endian == b->field.big_endian;
}

static void tell_bits(struct correlate_field *f, const struct candidate *c) {
        if (has_flags(c))
                leave_open(f, "bits: the lowest %u alone are the value, nothing added; those above never changed",
                           c->changing);
}

/* Of the same bytes one reading is true at most: another one with the same scale and at the same lag that misses no
 * more leaves open which. What it scores less comes of packets that are not known at its own lag. */
static bool misses_no_more(const struct candidate *o, const struct candidate *c) {
        return o->fit.scale == c->fit.scale && o->with_intercept == c->with_intercept && o->zone_s == c->zone_s &&
               o->lag_from_s <= c->lag_s && c->lag_s <= o->lag_to_s && share_of(o) >= share_of(c);
}

/* Without bytes that hardly count. */
static bool does_without(const struct search *s, const struct candidate *o, const struct candidate *c) {
        return hardly_counts(s, c) && fabs(o->fit.scale) > fabs(c->fit.scale) && is_cut_elsewhere(o, c) &&
               scale_rank(o) < SCALE_RANK_ODD && share_of(o) >= share_of(c);
}

static bool is_rival(const struct search *s, const struct candidate *o, const struct candidate *c) {
        if (!share_bytes(s, c, o))
                return o->score >= c->score - RIVAL_POINTS;
        return o->score >= c->score - CUT_POINTS || misses_no_more(o, c) || does_without(s, o, c);
}

/* Another place that explains the values as well: another field, or the same bytes cut in another way. */
static void tell_rivals(struct correlate_field *f, const struct search *s, const struct candidate *c) {
        for (size_t i = 0; i < s->n_candidates; i++) {
                const struct candidate *o = &s->candidates[i];

                if (o == c || same_numbers(s, o, c) || !is_rival(s, o, c))
                        continue;
                if (same_place(o, c)) {
                        f->sign_known = false;
                        continue;
                }
                leave_open(f, "field: offset %u width %u %s%s fits as well", o->field.offset, o->field.width,
                           o->field.big_endian ? "be" : "le", o->group == c->group ? "" : " of another group");
                f->decided = false;
                return;
        }
}

static void tell_cut(struct correlate_field *f, const struct search *s, const struct candidate *c) {
        unsigned offset;

        if (!judge_is_cut(s, c, &offset))
                return;
        leave_open(f, "field: with the byte at offset %u behind its lowest one it fits closer", offset);
        f->decided = false;
}

static void tell_chance(struct correlate_field *f, const struct candidate *c) {
        if (c->chance > (c->looseness > 0 ? CHANCE_LOOSE : CHANCE_MAX)) {
                leave_open(f, "field: so few different values fit one like it by chance");
                f->decided = false;
        } else if ((double) c->fit.matched < SHARE_DECIDED * (double) c->fit.total) {
                leave_open(f, "field: most packets do not fit");
                f->decided = false;
        }
}

static void tell(struct correlate_field *f, const struct search *s, const struct candidate *c) {
        *f = (struct correlate_field) {
                .group = c->group, .field = c->field, .scale = c->fit.scale, .intercept = c->fit.intercept,
                .has_intercept = c->with_intercept, .scale_is_simple = c->has_simple_scale,
                .zone_s = c->zone_s, .lag_from_s = c->lag_from_s, .lag_to_s = c->lag_to_s,
                .matched = c->fit.matched, .total = c->fit.total, .max_error = c->fit.max_error,
                .tolerance = c->extra,
                .by_chance = pow(10, fmin(c->chance, 6)), .decided = true, .sign_known = true,
        };
        if (c->has_simple_scale) {
                f->scale_num = c->fit.scale < 0 ? -c->simple.num : c->simple.num;
                f->scale_den = c->simple.den;
        }
        tell_chance(f, c);
        tell_bits(f, c);
        tell_rivals(f, s, c);
        tell_cut(f, s, c);
        tell_zone(f, s, c);
        tell_scale(f, c);
        tell_lag(f, c);
        tell_sign(f, c);
        tell_width(f, s, c);
        tell_order(f, s, c);
}

/* ---- order ---- */

static int compare_candidates(const void *a, const void *b) {
        const struct candidate *x = a, *y = b;

        if (x->score != y->score)
                return x->score > y->score ? -1 : 1;
        if (is_truer(x, y))
                return -1;
        if (is_truer(y, x))
                return 1;
        return x->field.offset != y->field.offset ? (x->field.offset < y->field.offset ? -1 : 1) :
               (int) x->with_intercept - (int) y->with_intercept;
}

void search_sort(struct search *s) {
        qsort(s->candidates, s->n_candidates, sizeof *s->candidates, compare_candidates);
}

/* Few samples are worse than many, whatever share of them matches. */
static void weigh_totals(struct search *s) {
        size_t most = 1;

        for (size_t i = 0; i < s->n_candidates; i++)
                most = s->candidates[i].fit.total > most ? s->candidates[i].fit.total : most;
        for (size_t i = 0; i < s->n_candidates; i++)
                s->candidates[i].score += 10.0 * (double) s->candidates[i].fit.total / (double) most;
}

/* Upper bytes alone follow a value as well where it trembles, and so do bytes below it that hardly count. Their scale
 * gives them away, where the other one's is a factor that meters use; or that the lowest byte cannot be seen. */
static bool is_suspect(const struct search *s, const struct candidate *c, const struct candidate *simpler) {
        if (scale_rank(simpler) >= SCALE_RANK_ODD)
                return false;
        if (scale_rank(c) >= SCALE_RANK_ODD)
                return true;
        return fabs(simpler->fit.scale) > fabs(c->fit.scale) && scale_rank(simpler) <= scale_rank(c) &&
               hardly_counts(s, c);
}

static void put_simpler_first(struct search *s) {
        for (size_t i = 0; i < s->n_candidates; i++)
                for (size_t k = 0; k < s->n_candidates; k++) {
                        struct candidate *c = &s->candidates[i], *simpler = &s->candidates[k];

                        if (is_suspect(s, c, simpler) && simpler->score < c->score + 1 &&
                            share_of(simpler) > share_of(c) - CUT_SHARE && share_bytes(s, c, simpler) &&
                            is_cut_elsewhere(c, simpler))
                                c->score = simpler->score - 1;
                }
}

/* True when a better one has taken its bytes. */
static bool is_taken(const struct search *s, const struct candidate *c, const struct candidate *const *told,
                     unsigned n) {
        for (unsigned i = 0; i < n; i++)
                if (share_bytes(s, c, told[i]))
                        return true;
        return false;
}

/* Beside an answer, what chance gives in plenty is of no interest. */
static bool is_noise(const struct correlate_result *ret, const struct candidate *c) {
        return ret->n_fields > 0 && ret->fields[0].decided && c->chance > 0;
}

#define FINALISTS_MAX 64    /* measured on all packets */
#define SCORE_MIN     0.0
#define HOPELESS_POINTS 60.0

/* Of sorted candidates those that no measuring on all packets would bring near the best. */
static void drop_hopeless(struct search *s) {
        size_t n = 0;

        while (n < s->n_candidates && n < FINALISTS_MAX &&
               s->candidates[n].score > s->candidates[0].score - HOPELESS_POINTS)
                n++;
        s->n_candidates = n;
}

int rank_candidates(struct search *s, struct correlate_result *ret) {
        const struct candidate *told[CORRELATE_FIELDS_MAX];
        int r = 0;

        search_sort(s);
        drop_hopeless(s);
        for (size_t i = 0; r >= 0 && i < s->n_candidates; i++)
                r = judge_on_all(s, &s->candidates[i]);
        if (r < 0)
                return r;
        weigh_totals(s);
        put_simpler_first(s);
        search_sort(s);
        ret->n_fields = 0;
        for (size_t i = 0; i < s->n_candidates && ret->n_fields < CORRELATE_FIELDS_MAX; i++) {
                const struct candidate *c = &s->candidates[i];

                if (c->score < SCORE_MIN || is_taken(s, c, told, ret->n_fields) || is_noise(ret, c))
                        continue;
                told[ret->n_fields] = truest(s, c);
                tell(&ret->fields[ret->n_fields], s, told[ret->n_fields]);
                ret->n_fields++;
        }
        return 0;
}
