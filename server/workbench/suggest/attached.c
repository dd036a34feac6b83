/* What hangs on circuits: apparent power is V * I, reactive power its other side, the power factor P / (V * I), the
 * total a sum of powers. */
#include "workbench/suggest/bench.h"

#include <math.h>

#define FIT_MAX     0.06   /* mean relative error of what follows from others */
#define SETTLED     2      /* nats by which an energy must fit one of two powers better than the other */
#define SETTLED_BY  5      /* nats by which it must fit at all */
#define RIVAL_TIMES 3      /* an apparent power is certain where the power misses it by so much more */
#define RIVAL_MORE  0.01
#define MOMENTS_MIN 4      /* at which it must follow */

/* Mean error of |x| * 10^exponent against what it should be. */
struct fit {
        int exponent;
        unsigned n;                /* moments */
        double error;              /* relative; HUGE_VAL: no fit */
        double rival_error;        /* of what else it may be */
        double variety;            /* mean distance of what it should be from its median, relative */
};

/* What is expected at a moment, in units of the circuit's power as raw numbers; NAN: nothing. */
typedef double (*expectation_fn)(const struct bench *b, const struct circuit *c, unsigned t);

static double apparent_at(const struct bench *b, const struct circuit *c, unsigned t) {
        const struct column *v = &b->columns[c->voltage];

        return exp(v->log_x[t] + b->columns[c->current].log_x[t]) * pow(10, v->voltage_exponent - c->ratio);
}

static double factor_at(const struct bench *b, const struct circuit *c, unsigned t) {
        const struct column *i = &b->columns[c->current], *p = &b->columns[c->power];

        if (fabs(i->x[t]) < 4 * i->step || fabs(p->x[t]) < 4 * p->step)
                return NAN;
        return fabs(p->x[t]) / apparent_at(b, c, t);
}

static double reactive_at(const struct bench *b, const struct circuit *c, unsigned t) {
        double factor = factor_at(b, c, t);

        /* Near 1 the difference of two large numbers tells nothing. */
        return factor < 0.97 ? apparent_at(b, c, t) * sqrt(1 - factor * factor) : NAN;
}

static double apparent_expected(const struct bench *b, const struct circuit *c, unsigned t) {
        return isnan(factor_at(b, c, t)) ? NAN : apparent_at(b, c, t);
}

static double power_expected(const struct bench *b, const struct circuit *c, unsigned t) {
        return isnan(factor_at(b, c, t)) ? NAN : fabs(b->columns[c->power].x[t]);
}

static double total_at(const struct bench *b, const struct circuit *c, unsigned t) {
        double sum = 0;

        (void) c;
        for (unsigned i = 0; i < b->n_circuits; i++)
                sum += b->columns[b->circuits[i].power].x[t];
        return sum == 0 ? NAN : fabs(sum);
}

static double scatter_of(const double *values, unsigned n, double middle) {
        double sum = 0;

        for (unsigned i = 0; i < n; i++)
                sum += fabs(values[i] - middle) / n;
        return sum;
}

/* Logarithms of what is expected at each moment; NAN: nothing. */
static void expect(const struct bench *b, const struct circuit *c, expectation_fn expected, double *ret) {
        for (unsigned t = 0; t < b->n_moments; t++) {
                double e = log(expected(b, c, t));

                ret[t] = isinf(e) ? NAN : e;
        }
}

/* On the mean nowhere near a power of ten: most columns need no closer look. */
static bool is_far_off(const double *logs, unsigned n) {
        double sum = 0;

        for (unsigned i = 0; i < n; i++)
                sum += logs[i] / n;
        return fabs(sum - round(sum / M_LN10) * M_LN10) > 0.3;
}

static struct fit fit_column(const struct bench *b, const double *expected, const struct column *x) {
        double logs[MOMENTS_MAX], wanted[MOMENTS_MAX], middle, off;
        struct fit f = { .error = HUGE_VAL };

        for (unsigned t = 0; t < b->n_moments; t++) {
                if (isnan(expected[t]) || isnan(x->log_x[t]) || fabs(x->x[t]) < 2 * x->step)
                        continue;
                logs[f.n] = expected[t] - x->log_x[t];
                wanted[f.n++] = expected[t];
        }
        if (f.n < MOMENTS_MIN || is_far_off(logs, f.n))
                return f;
        f.variety = scatter_of(wanted, f.n, median_of(wanted, f.n));
        middle = median_of(logs, f.n);
        f.exponent = (int) lround(middle / M_LN10);
        off = f.exponent * M_LN10;
        f.error = scatter_of(logs, f.n, off);
        /* Steps between two reports fall apart; what holds most of the time decides. */
        f.error = fmin(f.error, 3 * fabs(middle - off) + 0.5 * f.error);
        return f;
}

/* A power factor is told in hundredths or thousandths, and is never above 1. */
static bool is_possible(const struct column *x, expectation_fn expected, const struct fit *f) {
        if (expected != factor_at)
                return true;
        return (f->exponent == -2 || f->exponent == -3) && x->max * pow(10, f->exponent) < 1.02;
}

static bool is_free(const struct bench *b, unsigned column) {
        const struct column *c = &b->columns[column];

        return !b->used[column] && c->known == Q_NONE && !c->is_flag && c->layout == LAYOUT_NONE && c->changes > 0 &&
               c->distinct > 2;
}

/* The best of the free columns that fit an expectation, and no rival better; -1: none does. rival NULL: none. */
static int find_fit(const struct bench *b, const struct circuit *c, expectation_fn expected, expectation_fn rival,
                    struct fit *ret) {
        double logs[MOMENTS_MAX], rivals[MOMENTS_MAX];
        int best = -1;

        expect(b, c, expected, logs);
        if (rival)
                expect(b, c, rival, rivals);
        *ret = (struct fit) { .error = FIT_MAX };
        for (unsigned k = 0; k < b->n_columns; k++) {
                struct fit f;

                if (!is_free(b, k))
                        continue;
                f = fit_column(b, logs, &b->columns[k]);
                /* What hardly varies is met by chance. */
                if (f.error >= ret->error || f.error > 0.5 * f.variety || !is_possible(&b->columns[k], expected, &f))
                        continue;
                f.rival_error = rival ? fit_column(b, rivals, &b->columns[k]).error : HUGE_VAL;
                if (f.rival_error < f.error)
                        continue;
                *ret = f;
                best = (int) k;
        }
        return best;
}

/* What share of the power a column is, with how steady it is; NAN: it does not go with the load. */
static double power_over(const struct bench *b, const struct circuit *c, unsigned column) {
        double parts[MOMENTS_MAX], powers[MOMENTS_MAX], middle;
        unsigned n = 0;

        for (unsigned t = 0; t < b->n_moments; t++) {
                double part = b->columns[column].log_x[t] - b->columns[c->power].log_x[t];

                if (isnan(part) || isnan(factor_at(b, c, t)))
                        continue;
                powers[n] = b->columns[c->power].log_x[t];
                parts[n++] = part;
        }
        if (n < MOMENTS_MIN)
                return NAN;
        middle = median_of(parts, n);
        if (scatter_of(parts, n, middle) > 0.5 * scatter_of(powers, n, median_of(powers, n)))
                return NAN;
        return exp(middle);
}

/* V * I fits the current even better than the active power does, so that it can have been taken for it. Then another
 * column is somewhat below it, by a share that changes with the load. */
static void settle_apparent(struct bench *b, struct circuit *c) {
        double logs[MOMENTS_MAX], best_part = 0.5;
        struct fit own;
        int best = -1;

        expect(b, c, apparent_expected, logs);
        own = fit_column(b, logs, &b->columns[c->power]);

        if (own.error > 0.02 || own.exponent != 0)
                return;
        for (unsigned k = 0; k < b->n_columns; k++) {
                double part = is_free(b, k) ? power_over(b, c, k) : NAN;

                part *= pow(10, -floor(log10(part / 1.02)) - 1);
                if (part > best_part && part < 0.985) {
                        best_part = part;
                        best = (int) k;
                }
        }
        if (best < 0)
                return;
        c->apparent = c->power;
        c->apparent_error = own.error;
        c->ratio -= (int) floor(log10(power_over(b, c, (unsigned) best) / 1.02)) + 1;
        c->power = best;
        c->power_factor *= best_part;
        c->peak_power = b->columns[best].max;
        c->is_signed = b->columns[best].n_negative > 0;
        bench_use(b, best);
}

/* Nats of other columns that only this circuit explains: the closer, and the more they vary, the better. */
static double rate_explained(const struct bench *b, const struct circuit *c, expectation_fn expected, double limit) {
        double logs[MOMENTS_MAX], best = 0;

        expect(b, c, expected, logs);
        for (unsigned k = 0; k < b->n_columns; k++) {
                const struct column *x = &b->columns[k];
                struct fit f;

                if (!is_free(b, k) || (int) k == c->voltage || (int) k == c->current || (int) k == c->power)
                        continue;
                f = fit_column(b, logs, x);
                if (f.error < limit && is_possible(x, expected, &f))
                        best = fmax(best, f.variety > 2 * f.error ? 7 : 2.5);
        }
        return best;
}

double bench_rate_explained(const struct bench *b, const struct circuit *c) {
        return rate_explained(b, c, factor_at, 0.03) + rate_explained(b, c, reactive_at, 0.05);
}

static void attach(struct bench *b, struct circuit *c, expectation_fn expected, int *column, double *error,
                   int *exponent) {
        struct fit f;

        if (*column >= 0)
                return;
        *column = find_fit(b, c, expected, expected == apparent_expected ? power_expected : NULL, &f);
        if (expected == apparent_expected)
                c->is_apparent_sure = f.rival_error > RIVAL_TIMES * f.error + RIVAL_MORE;
        *error = f.error;
        *exponent = f.exponent;
        if (*column >= 0)
                bench_use(b, *column);
}

/* The sum of all powers; of one circuit it is its power once more. */
static void find_total(struct bench *b) {
        struct fit f;

        b->total = -1;
        if (b->n_circuits == 0)
                return;
        for (unsigned i = 1; i < b->n_circuits; i++)
                if (b->circuits[i].ratio != b->circuits[0].ratio)
                        return;
        if (b->n_circuits == 1)
                b->total = find_fit(b, &b->circuits[0], power_expected, apparent_expected, &f);
        else
                b->total = find_fit(b, NULL, total_at, NULL, &f);
        b->total_ratio = f.exponent;
        b->total_error = f.error;
        if (b->total >= 0)
                bench_use(b, b->total);
}

/* At a voltage, whatever else it was taken for. */
static bool has_other_side_at(const struct bench *b, const struct circuit *c) {
        double logs[MOMENTS_MAX];

        expect(b, c, reactive_at, logs);
        for (unsigned k = 0; k < b->n_columns; k++) {
                struct fit f;

                if (b->columns[k].is_flag || (int) k == c->voltage || (int) k == c->current || (int) k == c->power)
                        continue;
                f = fit_column(b, logs, &b->columns[k]);
                if (f.error < FIT_MAX && f.variety > 2 * f.error)
                        return true;
        }
        return false;
}

/* Of two that may be the voltage the wrong one can hide it. */
static bool has_other_side(const struct bench *b, const struct circuit *c) {
        struct circuit tried = *c;

        if (has_other_side_at(b, c))
                return true;
        for (unsigned k = 0; k < b->n_voltages; k++) {
                tried.voltage = b->voltages[k];
                if (tried.voltage != c->voltage && has_other_side_at(b, &tried))
                        return true;
        }
        return false;
}

/* S^2 = P^2 + Q^2 knows no difference between P and Q: the power factor does, and energy is the integral of P
 * alone. */
static void settle_reactive(struct bench *b, int circuit) {
        struct circuit *c = &b->circuits[circuit];
        int power = c->power;
        double own, other;

        c->is_settled = c->factor >= 0 || (c->reactive < 0 && !has_other_side(b, c));
        if (c->is_settled || c->reactive < 0)
                return;
        own = bench_rate_energies(b, circuit);
        c->power = c->reactive;
        other = bench_rate_energies(b, circuit);
        c->power = power;
        c->is_settled = fabs(own - other) > SETTLED && fmax(own, other) > SETTLED_BY;
        if (!c->is_settled || other < own)
                return;
        c->power = c->reactive;
        c->reactive = power;
        c->ratio += c->reactive_exponent;
        c->reactive_exponent = -c->reactive_exponent;
        c->peak_power = b->columns[c->power].max;
        c->is_signed = b->columns[c->power].n_negative > 0;
}

static bool follows(const struct bench *b, const double *expected, int column) {
        struct fit f = fit_column(b, expected, &b->columns[column]);

        return f.error < FIT_MAX && f.variety > 2 * f.error;
}

/* Whether a column of one circuit is what follows from another one. */
static bool is_explained(const struct bench *b, const struct circuit *weak, const struct circuit *strong) {
        static const expectation_fn all[] = { apparent_expected, reactive_at, factor_at };
        double logs[MOMENTS_MAX];

        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                expect(b, strong, all[i], logs);
                if (follows(b, logs, weak->current) || follows(b, logs, weak->power))
                        return true;
        }
        return false;
}

/* A weak circuit must not keep what belongs to a strong one. */
static void drop_explained(struct bench *b) {
        unsigned kept = 0;

        for (unsigned i = 0; i < b->n_circuits; i++) {
                const struct circuit *c = &b->circuits[i];
                bool drop = false;

                for (unsigned k = 0; k < b->n_circuits && c->layout == LAYOUT_NONE; k++)
                        drop |= b->circuits[k].score > c->score && is_explained(b, c, &b->circuits[k]);
                if (!drop)
                        b->circuits[kept++] = *c;
        }
        b->n_circuits = kept;
        for (unsigned i = 0; i < kept; i++)
                b->circuits[i].channel = kept > 1 ? i + 1 : 0;
}

void bench_attach(struct bench *b) {
        drop_explained(b);
        for (unsigned i = 0; i < b->n_circuits; i++) {
                bench_use(b, b->circuits[i].voltage);
                bench_use(b, b->circuits[i].current);
                bench_use(b, b->circuits[i].power);
        }
        for (unsigned i = 0; i < b->n_circuits; i++)
                settle_apparent(b, &b->circuits[i]);
        find_total(b);
        for (unsigned i = 0; i < b->n_circuits; i++) {
                struct circuit *c = &b->circuits[i];

                attach(b, c, apparent_expected, &c->apparent, &c->apparent_error, &c->apparent_exponent);
                attach(b, c, reactive_at, &c->reactive, &c->reactive_error, &c->reactive_exponent);
                attach(b, c, factor_at, &c->factor, &c->factor_error, &c->factor_exponent);
                settle_reactive(b, (int) i);
        }
}
