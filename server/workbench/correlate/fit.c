#include "workbench/correlate/fit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define BINARY_ERROR 1e-9   /* share of a value that is no error: decimals have no exact binary form */
#define NEAR         2.0    /* tolerances: what counts for moving the line */
#define REFINEMENTS  3

double fit_tolerance(const struct fit_rules *rules, double scale) {
        return fabs(scale) / 2 + rules->rounding + rules->extra;
}

void fit_measure(const double *x, const double *y, size_t n, const struct fit_rules *rules, struct fit *fit) {
        double tolerance = fit_tolerance(rules, fit->scale), max = 0;
        size_t matched = 0, total = 0;

        for (size_t i = 0; i < n; i++) {
                double error;

                if (isnan(y[i]))
                        continue;
                total++;
                error = fabs(y[i] - fit->scale * x[i] - fit->intercept);
                if (error > tolerance * (1 + BINARY_ERROR) + fabs(y[i]) * BINARY_ERROR)
                        continue;
                matched++;
                if (error > max)
                        max = error;
        }
        fit->matched = matched;
        fit->total = total;
        fit->max_error = max;
}

/* Sums around one of the points, since registers are large and what they grow by is small. */
struct sums {
        double x0, y0, n, x, y, xx, xy;
};

static void add_near(struct sums *s, const double *x, const double *y, size_t n, const struct fit *fit,
                     double limit) {
        for (size_t i = 0; i < n; i++) {
                double dx, dy;

                if (!(fabs(y[i] - fit->scale * x[i] - fit->intercept) <= limit))
                        continue;
                dx = x[i] - s->x0;
                dy = y[i] - s->y0;
                s->n++;
                s->x += dx;
                s->y += dy;
                s->xx += dx * dx;
                s->xy += dx * dy;
        }
}

static void move_line(const double *x, const double *y, size_t n, const struct fit_rules *rules, struct fit *fit) {
        double limit = NEAR * fit_tolerance(rules, fit->scale), scale;
        struct sums s = { .n = 0 };
        size_t first = 0;

        while (first < n && isnan(y[first]))
                first++;
        if (rules->with_intercept && first < n) {
                s.x0 = x[first];
                s.y0 = y[first];
        }
        add_near(&s, x, y, n, fit, limit);
        if (!rules->with_intercept && s.xx > 0)
                fit->scale = s.xy / s.xx;
        if (!rules->with_intercept || s.n * s.xx - s.x * s.x <= 0)
                return;
        scale = (s.n * s.xy - s.x * s.y) / (s.n * s.xx - s.x * s.x);
        fit->scale = scale;
        fit->intercept = s.y0 + (s.y - scale * s.x) / s.n - scale * s.x0;
}

void fit_refine(const double *x, const double *y, size_t n, const struct fit_rules *rules, struct fit *fit) {
        for (unsigned i = 0; i < REFINEMENTS; i++)
                move_line(x, y, n, rules, fit);
        fit_measure(x, y, n, rules, fit);
}

/* ---- chance ---- */

static int compare_doubles(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

static size_t count_distinct(double *v, size_t n, double step) {
        size_t distinct = n > 0;
        double last;

        qsort(v, n, sizeof *v, compare_doubles);
        last = n > 0 ? v[0] : 0;
        for (size_t i = 1; i < n; i++)
                if (v[i] - last > step) {
                        last = v[i];
                        distinct++;
                }
        return distinct;
}

/* Takes the straight line in time out of v: two things that both drift have nothing in common by that. */
static void take_drift_out(double *v, const double *t, size_t n) {
        double sum = 0, times = 0, product = 0, squares = 0, slope;

        for (size_t i = 0; i < n; i++) {
                sum += v[i];
                times += t[i];
        }
        for (size_t i = 0; i < n; i++) {
                double since = t[i] - times / (double) n;

                product += since * (v[i] - sum / (double) n);
                squares += since * since;
        }
        slope = squares > 0 ? product / squares : 0;
        for (size_t i = 0; i < n; i++)
                v[i] -= sum / (double) n + slope * (t[i] - times / (double) n);
}

/* How often v turns round by more than step. */
static size_t count_turns(const double *v, size_t n, double step) {
        double high, low;
        size_t turns = 0;
        int direction = 0;

        high = low = n > 0 ? v[0] : 0;
        for (size_t i = 1; i < n; i++) {
                high = v[i] > high ? v[i] : high;
                low = v[i] < low ? v[i] : low;
                if (direction >= 0 && high - v[i] > step) {
                        turns++;
                        direction = -1;
                        low = high = v[i];
                } else if (direction <= 0 && v[i] - low > step) {
                        turns++;
                        direction = 1;
                        low = high = v[i];
                }
        }
        return turns;
}

static double width_of(const double *v, size_t n) {
        double squares = 0;

        for (size_t i = 0; i < n; i++)
                squares += v[i] * v[i];
        return n > 0 ? sqrt(12 * squares / (double) n) : 0;
}

static void free_doubles(double **v) {
        free(*v);
}

/* A turn and what leads there and away from it: a smooth curve of few turns could be anything's. */
#define VALUES_OF_A_TURN 3

int fit_spread(const double *x, const double *y, const double *t, size_t n, double step, struct spread *ret) {
        CLEANUP(free_doubles) double *v = calloc(n ? n : 1, sizeof *v);
        CLEANUP(free_doubles) double *w = calloc(n ? n : 1, sizeof *w);
        size_t limit;

        if (!v || !w)
                return -ENOMEM;
        memcpy(w, x, n * sizeof *w);
        ret->independent = count_distinct(w, n, 0);
        memcpy(w, y, n * sizeof *w);
        limit = count_distinct(w, n, step);
        if (limit < ret->independent)
                ret->independent = limit;
        memcpy(v, y, n * sizeof *v);
        take_drift_out(v, t, n);
        ret->width = width_of(v, n);
        limit = VALUES_OF_A_TURN * (1 + count_turns(v, n, 2 * step));
        if (limit < ret->independent)
                ret->independent = limit;
        return 0;
}

/* Chernoff's bound for so many hits of a binomial distribution. */
double fit_chance(const struct spread *spread, const struct fit_rules *rules, const struct fit *fit) {
        double share = fit->total > 0 ? (double) fit->matched / (double) fit->total : 0;
        double free_values = (double) spread->independent - (rules->with_intercept ? 2 : 1);
        double hit = spread->width > 0 ? 2 * fit_tolerance(rules, fit->scale) / spread->width : 1, distance;

        if (hit < 1e-6)
                hit = 1e-6;
        if (free_values <= 0 || share <= hit)
                return 0;
        distance = share * log10(share / hit);
        if (share < 1)
                distance += (1 - share) * log10((1 - share) / (1 - hit));
        return -free_values * distance;
}

/* ---- factors ---- */

struct factor {
        int64_t num, den;         /* times a power of ten */
};

/* 1; halves; m of 1 to 10; m * 1/5 as with divisors of 5000; quarters and eighths. */
static const struct factor rank_0[] = { { 1, 1 } }, rank_1[] = { { 2, 1 }, { 5, 1 } },
        rank_2[] = { { 3, 1 }, { 4, 1 }, { 6, 1 }, { 7, 1 }, { 8, 1 }, { 9, 1 } },
        rank_3[] = { { 12, 10 }, { 14, 10 }, { 16, 10 }, { 18, 10 }, { 25, 10 }, { 125, 100 } };

static const struct { const struct factor *list; unsigned n; } factors[] = {
        { rank_0, ELEMENTS(rank_0) }, { rank_1, ELEMENTS(rank_1) }, { rank_2, ELEMENTS(rank_2) },
        { rank_3, ELEMENTS(rank_3) },
};

#define EXPONENT_MAX 12
#define SCALE_MIN    1e-14  /* farther out nothing is within EXPONENT_MAX */
#define SCALE_MAX    1e14
#define BINARY_PLACES_MAX 16  /* of fixed-point numbers: 1/2 to 1/65536 */

static unsigned put_if_near(double k, double share, struct scale scale, struct scale *list, unsigned n,
                            unsigned max) {
        double distance = fabs((double) scale.num / (double) scale.den - k);

        if (n == max || distance > share * k)
                return n;
        list[n] = scale;
        return n + 1;
}

static int64_t power_of_ten(int exponent) {
        int64_t v = 1;

        while (exponent-- > 0)
                v *= 10;
        return v;
}

static unsigned binary_near(double k, double share, struct scale *list, unsigned max) {
        unsigned n = 0;

        for (unsigned places = 1; places <= BINARY_PLACES_MAX; places++)
                n = put_if_near(k, share, (struct scale) { 1, INT64_C(1) << places, SCALE_RANKS - 1 }, list, n, max);
        return n;
}

unsigned scale_near(double k, double share, unsigned rank, struct scale *list, unsigned max) {
        unsigned n = 0;
        int decade;

        if (rank >= ELEMENTS(factors))
                return binary_near(k, share, list, max);
        if (!(k > SCALE_MIN && k < SCALE_MAX))
                return 0;
        decade = (int) floor(log10(k));
        for (int exponent = decade - 1; exponent <= decade + 1; exponent++) {
                if (abs(exponent) > EXPONENT_MAX)
                        continue;
                for (unsigned i = 0; i < factors[rank].n; i++)
                        n = put_if_near(k, share, (struct scale) {
                                .num = factors[rank].list[i].num * power_of_ten(exponent),
                                .den = factors[rank].list[i].den * power_of_ten(-exponent),
                                .rank = rank }, list, n, max);
        }
        return n;
}
