/* Current and power of one load.
 *
 * P = V * I * PF. Mains voltage hardly changes, so that P / I is far steadier than P or I while loads come and go;
 * PF is at most 1, and near 1 when much flows. So P / (V * I) fixes one power of ten between the scales of P and I,
 * and says how likely the pair is. Where the load is constant, P / I still follows the voltage. */
#include "workbench/suggest/pair.h"

#include <math.h>
#include <stdlib.h>

#define SAME_LEVEL       0.03  /* relative: loads closer than this are one */
#define ASSOCIATION_MAX  25    /* levels that count: more only repeat what these say */
#define PER_LEVEL_MAX    2.3   /* nats of one level: no more than a factor of ten */
#define WORD_CHANCE      -6    /* nats */
#define BYTE_WORTH       2.5
#define FOLLOWING_MAX    6     /* nats */
#define STEPS_CHANCE     2     /* nats that the best of many columns has by chance */
#define MEASURED_ERROR   0.02  /* of meters whose values are not of the very same second */
#define POWER_FACTOR_MAX 1.04
#define FACTOR_VARIES    0.02  /* relative */

static bool is_same_load(const struct load_level *a, const struct load_level *b) {
        return fabs(a->current - b->current) < SAME_LEVEL && fabs(a->power - b->power) < SAME_LEVEL;
}

/* Where a level goes on, its last values stand for it. */
static void add_level(struct pair *p, const struct load_level *l) {
        struct load_level *last = p->n_levels > 0 ? &p->levels[p->n_levels - 1] : NULL;

        if (last && is_same_load(last, l)) {
                double hold_s = last->hold_s + l->hold_s;

                *last = *l;
                last->hold_s = hold_s;
        } else
                p->levels[p->n_levels++] = *l;
}

static void collect_levels(const struct bench *b, int current, int power, int voltage, double least, struct pair *p) {
        const struct column *i = &b->columns[current], *w = &b->columns[power];

        p->n_levels = 0;
        for (unsigned t = 0; t < b->n_moments; t++) {
                struct load_level l = { i->log_x[t], w->log_x[t], 0, b->weight[t] + 0.01, 0 };

                if (voltage >= 0)
                        l.voltage = b->columns[voltage].log_x[t];
                if (isnan(l.current) || isnan(l.power) || isnan(l.voltage))
                        continue;
                if (fabs(i->x[t]) >= least * i->step && fabs(w->x[t]) >= least * w->step)
                        add_level(p, &l);
        }
}

static void weigh_levels(struct pair *p) {
        double holds[MOMENTS_MAX], usual;

        for (unsigned k = 0; k < p->n_levels; k++)
                holds[k] = p->levels[k].hold_s;
        usual = median_of(holds, p->n_levels);
        p->weight = 0;
        for (unsigned k = 0; k < p->n_levels; k++) {
                double share = p->levels[k].hold_s / usual;

                p->levels[k].weight = share < 1 ? share * share : 1;
                p->weight += p->levels[k].weight;
        }
}

enum subject { OF_CURRENT, OF_POWER, OF_RATIO };

static double subject_of(const struct load_level *l, enum subject what) {
        return what == OF_CURRENT ? l->current : what == OF_POWER ? l->power : l->power - l->current;
}

/* Mean distance from the median. */
static double scatter(const struct pair *p, enum subject what) {
        double values[MOMENTS_MAX], middle, sum = 0;

        for (unsigned k = 0; k < p->n_levels; k++)
                values[k] = subject_of(&p->levels[k], what);
        middle = median_of(values, p->n_levels);
        for (unsigned k = 0; k < p->n_levels; k++)
                sum += p->levels[k].weight * fabs(subject_of(&p->levels[k], what) - middle);
        return sum / p->weight;
}

/* Logarithm of P / (V * I) in raw numbers, or of P / I without a voltage, where much flows. */
static double heavy_ratio(const struct pair *p) {
        double heaviest = -HUGE_VAL, sum = 0, weights = 0;

        for (unsigned k = 0; k < p->n_levels; k++)
                heaviest = fmax(heaviest, p->levels[k].power);
        for (unsigned k = 0; k < p->n_levels; k++) {
                const struct load_level *l = &p->levels[k];
                double weight = l->weight * exp(l->power - heaviest);

                sum += weight * (l->power - l->current - l->voltage);
                weights += weight;
        }
        return sum / weights;
}

/* P / I of the power at one load and the current at another, or of both at one, is above what it is where much flows
 * this often. */
static double share_beyond(const struct pair *p, unsigned shift, double limit) {
        double beyond = 0;

        for (unsigned k = 0; k < p->n_levels; k++) {
                const struct load_level *other = &p->levels[(k + shift) % p->n_levels];

                if (p->levels[k].power - p->levels[k].voltage - other->current > limit)
                        beyond += p->levels[k].weight;
        }
        return beyond / p->weight;
}

/* Nats of P never being above V * I: where much comes back from a roof, it is anything below. */
static double rate_bound(const struct pair *p) {
        double limit = heavy_ratio(p) + 0.1 + 2 * p->quantum, levels = fmin(p->weight, ASSOCIATION_MAX), own;

        if (p->n_levels < 6 || scatter(p, OF_POWER) < 3 * (MEASURED_ERROR + p->quantum))
                return 0;
        own = share_beyond(p, 0, limit);
        return levels * (log(1.02 - own) - log(1.02 - share_beyond(p, p->n_levels / 2, limit))) - STEPS_CHANCE;
}

static void associate(struct pair *p) {
        double apart = fmin(scatter(p, OF_CURRENT), scatter(p, OF_POWER)), levels = fmin(p->weight, ASSOCIATION_MAX);
        double together = fmax(scatter(p, OF_RATIO), MEASURED_ERROR + p->quantum);

        p->steady = together;
        p->association = 0;
        if (levels > 1 && apart > 0)
                p->association = (levels - 1) * fmax(-1, fmin(PER_LEVEL_MAX, log(apart / together)));
        /* A load that hardly changes cannot show whether P / I is steadier. */
        if (apart < 3 * (MEASURED_ERROR + p->quantum))
                p->association = fmax(p->association, 0);
}

/* Steps of both columns from moment to moment, each limited to what is usual, so that one large step is not all. */
struct steps {
        unsigned n;
        double current[MOMENTS_MAX], power[MOMENTS_MAX];
};

static void collect_steps(const struct bench *b, const struct column *i, const struct column *w, struct steps *s) {
        unsigned before = MOMENTS_MAX;

        s->n = 0;
        for (unsigned t = 0; t < b->n_moments; t++) {
                if (isnan(i->log_x[t]) || isnan(w->log_x[t]))
                        continue;
                if (before < MOMENTS_MAX) {
                        s->current[s->n] = i->log_x[t] - i->log_x[before];
                        s->power[s->n] = w->log_x[t] - w->log_x[before];
                        s->n += s->current[s->n] != 0 || s->power[s->n] != 0;
                }
                before = t;
        }
}

static void limit_steps(double *steps, unsigned n) {
        double sum = 0, most;

        for (unsigned k = 0; k < n; k++)
                sum += fabs(steps[k]);
        most = 3 * sum / n;
        for (unsigned k = 0; k < n; k++)
                steps[k] = fmax(-most, fmin(most, steps[k]));
}

/* Nats of both going up and down together. */
static double rate_steps(const struct bench *b, const struct column *i, const struct column *w) {
        double both = 0, currents = 0, powers = 0, together;
        struct steps s;

        collect_steps(b, i, w, &s);
        if (s.n < 3)
                return 0;
        limit_steps(s.current, s.n);
        limit_steps(s.power, s.n);
        for (unsigned k = 0; k < s.n; k++) {
                both += s.current[k] * s.power[k];
                currents += s.current[k] * s.current[k];
                powers += s.power[k] * s.power[k];
        }
        if (both <= 0)
                return 0;
        together = fmin(both * both / (currents * powers), 0.995);
        return -0.5 * fmin(s.n - 2, ASSOCIATION_MAX) * log(1 - together) - STEPS_CHANCE;
}

/* Loads that are switched off take current and power along; what is told late is seen at the next moment. */
static double rate_switching(const struct bench *b, const struct column *i, const struct column *w) {
        double same = 0, all = 0;
        unsigned toggles_i = 0, toggles_w = 0;
        int before_i = -1, before_w = -1;

        for (unsigned t = 0; t < b->n_moments; t++) {
                int on_i, on_w;

                if (isnan(i->x[t]) || isnan(w->x[t]))
                        continue;
                on_i = i->x[t] != 0;
                on_w = w->x[t] != 0;
                toggles_i += before_i >= 0 && on_i != before_i;
                toggles_w += before_w >= 0 && on_w != before_w;
                same += on_i == on_w ? b->weight[t] + 0.01 : 0;
                all += b->weight[t] + 0.01;
                before_i = on_i;
                before_w = on_w;
        }
        if (toggles_i == 0 || toggles_w == 0)
                return 0;
        return (same / all > 0.8 ? 0.6 : same / all < 0.5 ? -0.6 : 0) * fmin(fmin(toggles_i, toggles_w), 8);
}

bool pair_measure(const struct bench *b, int current, int power, int voltage, struct pair *ret) {
        const struct column *i = &b->columns[current], *w = &b->columns[power];

        /* Small counts have coarse steps. */
        collect_levels(b, current, power, voltage, 4, ret);
        if (ret->n_levels < 3)
                collect_levels(b, current, power, voltage, 1, ret);
        if (ret->n_levels == 0)
                return false;
        weigh_levels(ret);
        ret->quantum = 0.3 * (i->step / i->median + w->step / w->median);
        ret->quantum = fmin(ret->quantum, 0.3);
        associate(ret);
        ret->steps = rate_steps(b, i, w);
        ret->association = fmax(fmax(ret->association, rate_bound(ret)), ret->steps);
        ret->switching = rate_switching(b, i, w);
        return true;
}

/* ---- with a voltage ---- */

/* What flows at home is heat, motors, and power supplies with correction for the most part; of numbers that have
 * nothing to do with each other each power of ten has as many as the next. */
double pair_rate_factor(double pf) {
        static const struct { double pf, nats; } known[] = {
                { 0.1, -5 }, { 0.2, -3.5 }, { 0.35, -1.5 }, { 0.5, -0.5 }, { 0.65, 0 }, { 0.8, 0.7 }, { 0.9, 1.4 },
                { 0.96, 2.3 }, { 1.03, 2.3 }, { 1.1, -2 }, { 1.5, -8 },
        };
        unsigned k = 1, last = sizeof known / sizeof *known - 1;

        while (k < last && known[k].pf < pf)
                k++;
        return known[k - 1].nats + (known[k].nats - known[k - 1].nats) *
               fmin(fmax((pf - known[k - 1].pf) / (known[k].pf - known[k - 1].pf), 0), 1);
}

/* Nats of the difference of the exponents of both scales, among the meters that are known: 0.001 A with 1 W most,
 * with 0.1 W nearly as often, with 0.01 W at times. */
static double rate_ratio(int ratio) {
        switch (ratio) {
        case 3:
                return 0;
        case 2:
                return -0.3;
        case 1:
                return -1;
        case 0:
                return -2.5;
        case 4:
                return -4;
        default:
                return -7;
        }
}

/* Share of the levels that would have a power factor above 1. */
static double share_above_one(const struct pair *p, double factor) {
        double above = 0;

        for (unsigned k = 0; k < p->n_levels; k++) {
                const struct load_level *l = &p->levels[k];

                if (exp(l->power - l->current - l->voltage) * factor > 1.06 + 2 * p->quantum)
                        above += l->weight;
        }
        return above / p->weight;
}

/* Share of the levels whose power factor is another one than usual, beyond what the columns' steps bring, whatever
 * the voltage. Of direct current and of apparent power there are none, and of two columns that tell one thing. */
static double share_varied(const struct pair *p, const struct column *i, const struct column *w) {
        double ratios[MOMENTS_MAX], factors[MOMENTS_MAX], usual_ratio, usual_factor, varied = 0;

        for (unsigned k = 0; k < p->n_levels; k++) {
                ratios[k] = p->levels[k].power - p->levels[k].current;
                factors[k] = ratios[k] - p->levels[k].voltage;
        }
        usual_ratio = median_of(ratios, p->n_levels);
        usual_factor = median_of(factors, p->n_levels);
        for (unsigned k = 0; k < p->n_levels; k++) {
                const struct load_level *l = &p->levels[k];
                double ratio = l->power - l->current, least = FACTOR_VARIES;

                least += i->step / exp(l->current) + w->step / exp(l->power);
                if (fabs(ratio - usual_ratio) > least && fabs(ratio - l->voltage - usual_factor) > least)
                        varied += l->weight;
        }
        return varied / p->weight;
}

/* While the load does not change, P / I goes with the voltage: nats of that against not. */
static double rate_following(const struct bench *b, const struct circuit *c) {
        const struct column *v = &b->columns[c->voltage], *i = &b->columns[c->current], *w = &b->columns[c->power];
        double without = 0, with = 0;
        unsigned n = 0;

        for (unsigned t = 1; t < b->n_moments; t++) {
                double dv = v->log_x[t] - v->log_x[t - 1], di = i->log_x[t] - i->log_x[t - 1];
                double dw = w->log_x[t] - w->log_x[t - 1];

                if (isnan(dv + di + dw) || fabs(di) > 0.05 || fabs(dw) > 0.05 || dv == 0 || (di == 0 && dw == 0))
                        continue;
                without += fabs(dw - di);
                with += fabs(dw - di - dv);
                n++;
        }
        if (n < 4 || with <= 0 || without <= 0)
                return 0;
        return fmax(-1, fmin(FOLLOWING_MAX, fmin(n, 20) * 0.5 * log(without / with)));
}

/* The weakest of hints: what is numbered side by side was made together; 18, 19 and 20 are current, power and voltage
 * of the standard plug. */
static double rate_numbers(const struct bench *b, const struct circuit *c) {
        int v = b->columns[c->voltage].id, i = b->columns[c->current].id, p = b->columns[c->power].id;
        double nats = 0;

        if (i == 18 && p == 19 && v == 20)
                nats += 0.7;
        if (abs(i - p) <= 3)
                nats += 0.3;
        return nats - 0.03 * fmin(abs(v - i) + abs(v - p), 20);
}

/* What would be lost: these columns could be a voltage or a frequency as well. */
static double rate_loss(const struct bench *b, const struct column *c) {
        double best = b->columns[b->voltages[0]].voltage_score;

        return 3 * fmax(0, fmax(fmin(c->voltage_score, c->voltage_score - best + 3.5), c->frequency_score));
}

/* Against the likeliest voltage that there is. */
static double rate_voltage(const struct bench *b, const struct column *v) {
        double best = b->columns[b->voltages[0]].voltage_score;

        return 0.5 * v->voltage_score + fmax(-10, 3 * (v->voltage_score - best));
}

/* So many words, so much chance; but the wider ones say more than their first bytes alone. */
static double rate_words(const struct column *v, const struct column *i, const struct column *w) {
        double nats = v->is_word || i->is_word || w->is_word ? WORD_CHANCE : 0;

        return nats + (i->is_word ? BYTE_WORTH * (i->width - 1) : 0) + (w->is_word ? BYTE_WORTH * (w->width - 1) : 0);
}

double pair_rate(const struct bench *b, const struct pair *p, struct circuit *c) {
        const struct column *v = &b->columns[c->voltage], *i = &b->columns[c->current], *w = &b->columns[c->power];
        double heavy = exp(heavy_ratio(p)), factor, above;
        int e = (int) floor(log10((POWER_FACTOR_MAX + p->quantum) / heavy));

        factor = pow(10, e);
        above = share_above_one(p, factor);
        c->ratio = e + v->voltage_exponent;
        c->power_factor = heavy * factor;
        c->varied = share_varied(p, i, w);
        c->steps = p->steps;
        c->association = p->association + p->switching;
        c->levels = (unsigned) (p->weight + 0.5);
        c->peak_current = i->max;
        c->peak_power = w->max;
        c->is_signed = w->n_negative > 0;
        c->score = rate_voltage(b, v) + p->association + p->switching + pair_rate_factor(c->power_factor) +
                   rate_ratio(c->ratio) + rate_following(b, c) + rate_numbers(b, c) - 30 * fmax(0, above - 0.05) -
                   rate_words(v, i, w) - rate_loss(b, i) - rate_loss(b, w);
        return c->score;
}
