/* A straight line through pairs of a number in packets and a known value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fit {
        double scale, intercept;  /* known value = scale * number + intercept */
        size_t matched, total;    /* pairs inside the tolerance, pairs with a known value */
        double max_error;         /* of the matched ones */
};

struct fit_rules {
        bool with_intercept;
        double rounding;          /* half of what the last digit of a known value is worth */
        double extra;             /* how far a known value may be off beside that */
};

/* Half a count and half a digit: both sides were rounded. */
double fit_tolerance(const struct fit_rules *rules, double scale);

/* Counts what lies on the line. y is NAN where nothing is known. */
void fit_measure(const double *x, const double *y, size_t n, const struct fit_rules *rules, struct fit *fit);

/* Moves the line to the least squares of what is near it, then measures. */
void fit_refine(const double *x, const double *y, size_t n, const struct fit_rules *rules, struct fit *fit);

/* How many of n pairs lie on a line is evidence only as far as chance would not put them there. */
struct spread {
        double width;             /* of the even distribution that varies as much, straight drift taken out */
        size_t independent;       /* values that say something new: no more than differ, nor than turns allow */
};

/* Of pairs in order of time, all known; t: the time of each, in s; step: what is no change yet. -ENOMEM. */
int fit_spread(const double *x, const double *y, const double *t, size_t n, double step, struct spread *ret);

/* log10 of the chance that as many pairs lie on the line as do although they have nothing to do with each other. */
double fit_chance(const struct spread *spread, const struct fit_rules *rules, const struct fit *fit);

/* Factors that meters and their makers use. */
struct scale {
        int64_t num, den;
        unsigned rank;            /* 0: a power of ten; the larger, the rarer */
};

#define SCALE_RANKS 5

/* Those of a rank within share of k, k > 0: at most max. Returns how many. */
unsigned scale_near(double k, double share, unsigned rank, struct scale *list, unsigned max);
