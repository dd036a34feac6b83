/* Which current belongs to which power and voltage: all of them at once, so that one column is not two things. */
#include <math.h>
#include <string.h>

#include "workbench/suggest/pair.h"

#define CANDIDATES_MAX 96
#define EXPLAINED_MAX  20   /* candidates that are looked at together with what they explain */
#define EXPLAINED_NATS 7    /* that may be worth */
#define SCREENED_MAX   36   /* columns that may be a current or a power: those that change most */
#define SCORE_MIN      3    /* nats: less is chance */

struct search {
        unsigned n, most;          /* most: circuits that there is room for */
        struct circuit candidates[CANDIDATES_MAX];  /* the best first */
        bool banned[CANDIDATES_MAX];
};

/* What only grows is a counter; what only ever falls, a countdown; what never changed tells nothing. */
static bool may_flow(const struct column *c) {
        bool is_one_way = (c->grows && c->changes > 1 && c->spread < 0.01) ||
                          (c->turns == 0 && c->changes >= 4 && c->distinct >= 4 && (c->grows || c->changes >= 8));

        if (c->is_flag || c->is_sum || c->layout != LAYOUT_NONE || is_one_way)
                return false;
        return c->changes > 0 && c->max > 0 && c->max >= 3 * c->step;
}

/* Numbers come before words, of which there are so many. */
static bool comes_before(const struct column *a, const struct column *b) {
        return a->is_word != b->is_word ? b->is_word : a->changes > b->changes;
}

static unsigned screen(const struct bench *b, int *ret) {
        unsigned n = 0;

        for (unsigned k = 0; k < b->n_columns; k++) {
                unsigned i = n;

                if (!may_flow(&b->columns[k]))
                        continue;
                while (i > 0 && comes_before(&b->columns[k], &b->columns[ret[i - 1]])) {
                        if (i < SCREENED_MAX)
                                ret[i] = ret[i - 1];
                        i--;
                }
                if (i < SCREENED_MAX)
                        ret[i] = (int) k;
                n += n < SCREENED_MAX;
        }
        return n;
}

static void note_candidate(struct search *s, const struct circuit *c) {
        unsigned i = s->n;

        while (i > 0 && s->candidates[i - 1].score < c->score) {
                if (i < CANDIDATES_MAX)
                        s->candidates[i] = s->candidates[i - 1];
                i--;
        }
        if (i < CANDIDATES_MAX)
                s->candidates[i] = *c;
        s->n += s->n < CANDIDATES_MAX;
}

static bool collides(const struct bench *b, int one, int other) {
        return one == other || columns_overlap(&b->columns[one], &b->columns[other]);
}

/* The best voltage for a current and a power. */
static void try_pair(const struct bench *b, int current, int power, struct search *s) {
        struct circuit best = { .score = SCORE_MIN - EXPLAINED_NATS }, c;
        struct pair p;

        if (!column_may_be(&b->columns[current], Q_CURRENT) || !column_may_be(&b->columns[power], Q_POWER))
                return;
        if (collides(b, current, power) || !pair_measure(b, current, power, -1, &p))
                return;
        if (p.association + p.switching < -3)
                return;
        for (unsigned k = 0; k < b->n_voltages; k++) {
                c = (struct circuit) {
                        .voltage = b->voltages[k], .current = current, .power = power,
                        .apparent = -1, .reactive = -1, .factor = -1, .direction = -1,
                };
                if (collides(b, c.voltage, current) || collides(b, c.voltage, power))
                        continue;
                if (pair_measure(b, current, power, c.voltage, &p) && pair_rate(b, &p, &c) > best.score)
                        best = c;
        }
        if (best.score > SCORE_MIN - EXPLAINED_NATS)
                note_candidate(s, &best);
}

/* A voltage may be shared. */
static bool shares_column(const struct bench *b, const struct circuit *one, const struct circuit *other) {
        return collides(b, one->current, other->current) || collides(b, one->current, other->power) ||
               collides(b, one->power, other->current) || collides(b, one->power, other->power) ||
               collides(b, one->voltage, other->current) || collides(b, one->voltage, other->power) ||
               collides(b, other->voltage, one->current) || collides(b, other->voltage, one->power) ||
               (one->voltage != other->voltage && collides(b, one->voltage, other->voltage));
}

/* The likeliest are looked at together with what else they explain, and put in order again. */
static void rate_together(const struct bench *b, struct search *s) {
        unsigned n = s->n < EXPLAINED_MAX ? s->n : EXPLAINED_MAX;
        struct circuit first[EXPLAINED_MAX];

        memcpy(first, s->candidates, n * sizeof first[0]);
        s->n -= n;
        memmove(s->candidates, s->candidates + n, s->n * sizeof s->candidates[0]);
        for (unsigned k = 0; k < n; k++) {
                first[k].score += bench_rate_explained(b, &first[k]);
                note_candidate(s, &first[k]);
        }
        while (s->n > 0 && s->candidates[s->n - 1].score < SCORE_MIN)
                s->n--;
}

/* Takes the best that fits to what is taken. Returns the sum of the scores. */
static double take_greedily(const struct bench *b, const struct search *s, unsigned *ret, unsigned *ret_n) {
        double total = 0;
        unsigned n = 0;

        for (unsigned k = 0; k < s->n && n < s->most; k++) {
                bool fits = !s->banned[k];

                for (unsigned i = 0; fits && i < n; i++)
                        fits = !shares_column(b, &s->candidates[k], &s->candidates[ret[i]]);
                if (!fits)
                        continue;
                ret[n++] = k;
                total += s->candidates[k].score;
        }
        *ret_n = n;
        return total;
}

/* Without one of those that were taken others may do better together. */
static double improve(const struct bench *b, struct search *s, unsigned *taken, unsigned *n) {
        double total = take_greedily(b, s, taken, n);

        for (unsigned i = 0; i < *n; i++) {
                unsigned other[CIRCUITS_MAX], n_other;
                double sum;

                s->banned[taken[i]] = true;
                sum = take_greedily(b, s, other, &n_other);
                if (sum > total) {
                        memcpy(taken, other, sizeof other);
                        *n = n_other;
                        total = sum;
                        i = (unsigned) -1;
                } else
                        s->banned[taken[i]] = false;
        }
        return total;
}

/* The same but for the width of its words. */
static bool is_variant(const struct bench *b, const struct circuit *one, const struct circuit *other) {
        return columns_overlap(&b->columns[one->current], &b->columns[other->current]) &&
               columns_overlap(&b->columns[one->power], &b->columns[other->power]);
}

static void ban(const struct bench *b, struct search *s, unsigned which) {
        for (unsigned k = 0; k < s->n; k++)
                s->banned[k] = k == which || is_variant(b, &s->candidates[k], &s->candidates[which]);
}

/* P / I and I / P are steady alike: with another power factor either may be the current. */
static double score_swapped(const struct search *s, const struct circuit *c) {
        for (unsigned k = 0; k < s->n; k++)
                if (s->candidates[k].current == c->power && s->candidates[k].power == c->current)
                        return s->candidates[k].score;
        return -HUGE_VAL;
}

/* What goes with several: power and reactive power of one current do. */
static double score_nearest(const struct bench *b, const struct search *s, const struct circuit *c) {
        for (unsigned k = 0; k < s->n; k++) {
                const struct circuit *other = &s->candidates[k];

                if ((other->current == c->current) != (other->power == c->power) && !is_variant(b, other, c))
                        return other->score;
        }
        return -HUGE_VAL;
}

/* What the best explanation without it would be worth tells how sure it is. */
static void weigh_rivals(const struct bench *b, struct search *s, const unsigned *taken, unsigned n, double total) {
        for (unsigned i = 0; i < n; i++) {
                unsigned other[CIRCUITS_MAX], n_other;

                s->candidates[taken[i]].swapped = score_swapped(s, &s->candidates[taken[i]]);
                s->candidates[taken[i]].nearest = score_nearest(b, s, &s->candidates[taken[i]]);
                ban(b, s, taken[i]);
                s->candidates[taken[i]].rival = s->candidates[taken[i]].score - total +
                                                take_greedily(b, s, other, &n_other);
        }
}

/* By the numbers of their currents, which nearly always go with the phases. */
static void order_circuits(struct bench *b) {
        for (unsigned i = 1; i < b->n_circuits; i++)
                for (unsigned k = i; k > 0; k--) {
                        struct circuit *c = &b->circuits[k], before = c[-1];
                        const struct column *own = &b->columns[c->power], *other = &b->columns[before.power];

                        if (own->id > other->id || (own->id == other->id && own->offset >= other->offset))
                                break;
                        c[-1] = *c;
                        *c = before;
                }
        for (unsigned i = 0; b->n_circuits > 1 && i < b->n_circuits; i++)
                b->circuits[i].channel = i + 1;
}

/* As many voltages of one scale as circuits: each has its own, in the same order. */
static void share_voltages(struct bench *b) {
        int own[VOLTAGES_MAX];
        unsigned n = 0;

        for (unsigned k = 0; k < b->n_columns && n < VOLTAGES_MAX; k++) {
                const struct column *c = &b->columns[k];
                const struct column *first = &b->columns[b->circuits[0].voltage];

                if (c->voltage_score > 1 && c->voltage_exponent == first->voltage_exponent &&
                    fabs(c->median / first->median - 1) < 0.15)
                        own[n++] = (int) k;
        }
        if (n != b->n_circuits)
                return;
        for (unsigned i = 0; i < n; i++)
                for (unsigned k = i; k > 0 && b->columns[own[k]].id < b->columns[own[k - 1]].id; k--) {
                        int c = own[k];

                        own[k] = own[k - 1];
                        own[k - 1] = c;
                }
        for (unsigned i = 0; i < n; i++)
                b->circuits[i].voltage = own[i];
}

void bench_find_circuits(struct bench *b) {
        struct search s = { .most = CIRCUITS_MAX - b->n_circuits };
        int screened[SCREENED_MAX];
        unsigned n = screen(b, screened), taken[CIRCUITS_MAX], n_taken;
        double total;

        for (unsigned i = 0; i < n; i++)
                for (unsigned k = 0; k < n; k++)
                        if (i != k)
                                try_pair(b, screened[i], screened[k], &s);
        rate_together(b, &s);
        total = improve(b, &s, taken, &n_taken);
        memset(s.banned, 0, sizeof s.banned);
        weigh_rivals(b, &s, taken, n_taken, total);
        for (unsigned i = 0; i < n_taken; i++)
                b->circuits[b->n_circuits++] = s.candidates[taken[i]];
        order_circuits(b);
        if (n_taken > 1 && n_taken == b->n_circuits)
                share_voltages(b);
}
