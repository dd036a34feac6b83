/* Totals: a column that is the sum of two or three others at nearly all moments, and is none of the parts itself. */
#include "workbench/suggest/bench.h"

#include <math.h>

#define SUMMANDS_MAX  40   /* columns that may be part of a sum */
#define MOVES_MIN     4    /* of the total, at which the sum is looked at */
#define EARLY         6    /* moves after which a sum that never fits is given up */
#define SHARE_MIN     0.6  /* of the moves; at others only some parts have been told yet */

/* Looks only where the total has moved: what stands still is met by chance. */
static bool is_sum(const struct bench *b, const struct column *total, const struct column *const *parts, unsigned n) {
        unsigned seen = 0, right = 0;
        double before = NAN;

        for (unsigned t = 0; t < b->n_moments; t++) {
                double sum = 0, tolerance = total->step + n;

                for (unsigned i = 0; i < n; i++) {
                        sum += parts[i]->x[t];
                        tolerance = fmax(tolerance, parts[i]->step);
                }
                tolerance += 0.002 * fabs(sum);
                if (isnan(sum) || isnan(total->x[t]) || fabs(total->x[t] - before) <= 4 * tolerance)
                        continue;
                seen++;
                right += fabs(sum - total->x[t]) <= tolerance;
                before = total->x[t];
                if (seen == EARLY && right < 2)
                        return false;
        }
        return seen >= MOVES_MIN && right >= SHARE_MIN * seen;
}

static bool may_be_part(const struct column *c) {
        return !c->is_flag && c->layout == LAYOUT_NONE && c->changes >= 3 && c->distinct > 3 && !c->grows &&
               c->spread > 0.01;
}

static bool has_sum(const struct bench *b, int total, const int *parts, unsigned n) {
        const struct column *t = &b->columns[total], *all[3] = { NULL };

        for (unsigned i = 0; i < n; i++) {
                all[i] = &b->columns[parts[i]];
                if (parts[i] == total || all[i]->median > 1.2 * t->max || all[i]->max < 0.002 * t->max)
                        return false;
        }
        return is_sum(b, t, all, n);
}

static bool is_total(const struct bench *b, int total, const int *may, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                for (unsigned k = i + 1; k < n; k++) {
                        if (has_sum(b, total, (int[]) { may[i], may[k] }, 2))
                                return true;
                        for (unsigned m = k + 1; n <= SUMMANDS_MAX / 2 && m < n; m++)
                                if (has_sum(b, total, (int[]) { may[i], may[k], may[m] }, 3))
                                        return true;
                }
        return false;
}

void bench_find_sums(struct bench *b) {
        int may[SUMMANDS_MAX];
        unsigned n = 0;

        for (unsigned k = 0; k < b->n_columns && n < SUMMANDS_MAX; k++)
                if (may_be_part(&b->columns[k]))
                        may[n++] = (int) k;
        for (unsigned i = 0; i < n; i++)
                b->columns[may[i]].is_sum = is_total(b, may[i], may, n);
}
