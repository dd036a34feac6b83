/* Energies: a register moves on by the integral of a power, increments are told with it. What else only grows, such
 * as a clock, does not slow down with the load. */
#include "workbench/suggest/bench.h"

#include <math.h>

#define TICKS_MIN   3      /* that a register must have moved on */
#define WH_RAW_S    3.6e6  /* W * s in a kWh */
#define SCORE_MIN   2.0    /* nats */
#define HEAD_S      2      /* before the first power, in which a register's first value counts */
#define REVERSE_SHARE 0.8
#define PATH_MAX_POINTS 512  /* of a register that are looked at */

/* Which power, and which part of it. */
struct source {
        int circuit;               /* index; -1: all of them, or the lone column */
        int column;                /* of a lone power; -1 */
        bool negative;             /* what flows back */
        int flag;                  /* column: only while it has flag_value; -1: always */
        int flag_value;
};

/* What flowed between two runs of a power, which may change its sign between them: by the mean. */
static double part_of(double area, const struct source *s) {
        return s->negative ? (area < 0 ? -area : 0) : area > 0 ? area : 0;
}

static double flag_at(const struct bench *b, int flag, double at_s) {
        const struct column *c = &b->columns[flag];
        unsigned t = 0;

        while (t + 1 < b->n_moments && b->at_s[t + 1] <= at_s)
                t++;
        return isnan(c->x[t]) ? 0 : c->x[t];
}

/* A walk along the runs of one power. */
struct integral {
        const struct bench *b;
        const struct source *source;
        const struct column *column;
        unsigned i;                /* next run of its series */
        bool has_value;
        double at_s, value, area;  /* up to at_s */
        double sum;                /* of the wanted part */
};

static void add_part(struct integral *w, double area, double at_s) {
        const struct source *s = w->source;

        if (s->flag < 0 || flag_at(w->b, s->flag, (w->at_s + at_s) / 2) == s->flag_value)
                w->sum += part_of(area, s);
}

/* The integral that was kept is exact where runs were merged; words of raw values have none. */
static bool has_integral(const struct column *c) {
        return !c->is_word && c->layout == LAYOUT_NONE;
}

static double area_until(const struct integral *w, const struct observed_run *r, double at_s) {
        return has_integral(w->column) ? r->area : w->area + w->value * (at_s - w->at_s);
}

/* The mean up to the next run: where runs were merged the value did not stay so long. */
static double mean_from(const struct integral *w, const struct observed_run *const *runs, unsigned n) {
        double dt_s = w->i > 0 && w->i < n ? (double) (runs[w->i]->from_ms - runs[w->i - 1]->from_ms) / 1000 : 0;

        return has_integral(w->column) && dt_s > 0 ? (runs[w->i]->area - runs[w->i - 1]->area) / dt_s : w->value;
}

/* Up to that time; times must not go back. */
static double integral_until(struct integral *w, double until_s) {
        unsigned n;
        const struct observed_run *const *runs = bench_runs(w->b, w->column->series, &n);

        for (; w->i < n; w->i++) {
                double at_s = bench_second(w->b, runs[w->i]->from_ms), area;

                if (at_s > until_s)
                        break;
                area = area_until(w, runs[w->i], at_s);
                if (w->has_value)
                        add_part(w, area - w->area, at_s);
                w->area = area;
                w->at_s = at_s;
                w->value = column_value(w->b, w->column, runs[w->i]);
                w->has_value = !isnan(w->value);
        }
        if (w->has_value && until_s > w->at_s) {
                double area = mean_from(w, runs, n) * (until_s - w->at_s);

                add_part(w, area, until_s);
                w->area += area;
                w->at_s = until_s;
        }
        return w->sum;
}

/* ---- one register against one source ---- */

/* What a register told, beside the integral at that time; gaps of the line are taken out of both. */
struct path {
        unsigned n;
        double energy[PATH_MAX_POINTS], integral[PATH_MAX_POINTS], time_s[PATH_MAX_POINTS];
};

static double integral_of_all(struct integral *walks, unsigned n, double until_s) {
        double sum = 0;

        for (unsigned i = 0; i < n; i++)
                sum += integral_until(&walks[i], until_s);
        return sum;
}

static unsigned begin_walks(const struct bench *b, const struct source *s, struct integral *walks) {
        unsigned n = 0;

        if (s->column >= 0)
                walks[n++] = (struct integral) { .b = b, .source = s, .column = &b->columns[s->column] };
        for (unsigned i = 0; s->column < 0 && i < b->n_circuits; i++)
                if (s->circuit < 0 || s->circuit == (int) i)
                        walks[n++] = (struct integral) {
                                .b = b, .source = s, .column = &b->columns[b->circuits[i].power],
                        };
        return n;
}

static double energy_at(const struct bench *b, const struct column *c, const struct observed_run *r,
                        bool is_increment) {
        return column_value(b, c, r) + (is_increment ? r->sum : 0);
}

/* What was seen of a register so far, without the gaps of the line. */
struct tracer {
        double energy_before, integral_before, time_before;  /* as told last */
        uint32_t gaps;
        double energy, integral, time_s;     /* since the first value */
        double most;                         /* that flowed between two of its values */
};

static void go_on(struct tracer *t, double energy, double integral, double at_s, uint32_t gaps) {
        if (gaps == t->gaps) {
                t->energy += energy - t->energy_before;
                t->integral += integral - t->integral_before;
                t->time_s += at_s - t->time_before;
                t->most = fmax(t->most, integral - t->integral_before);
        }
        t->energy_before = energy;
        t->integral_before = integral;
        t->time_before = at_s;
        t->gaps = gaps;
}

static void add_point(const struct tracer *t, struct path *path) {
        path->energy[path->n] = t->energy;
        path->integral[path->n] = t->integral;
        path->time_s[path->n++] = t->time_s;
}

/* A register that stood still at the end, while more flowed than ever between two of its values, did not count it. */
static void end_path(struct tracer *t, struct integral *walks, unsigned n_walks, struct path *path) {
        const struct bench *b = walks[0].b;
        unsigned n;
        const struct observed_run *const *runs = bench_runs(b, walks[0].column->series, &n);
        double at_s = bench_second(b, runs[n - 1]->from_ms), sum;

        if (runs[n - 1]->gaps != t->gaps || at_s <= t->time_before)
                return;
        sum = integral_of_all(walks, n_walks, at_s);
        if (sum - t->integral_before <= 2 * t->most)
                return;
        go_on(t, t->energy_before, sum, at_s, t->gaps);
        add_point(t, path);
}

/* Seconds at which the powers were first told. */
static double begin_of(const struct integral *walks, unsigned n_walks) {
        double begin_s = 0;

        for (unsigned i = 0; i < n_walks; i++) {
                unsigned n;
                const struct observed_run *const *runs = bench_runs(walks[i].b, walks[i].column->series, &n);

                if (n > 0)
                        begin_s = fmax(begin_s, bench_second(walks[i].b, runs[0]->from_ms));
        }
        return begin_s;
}

/* When a value was told; one that was told just before the first power stands for the moment of that. */
static double told_at(const struct bench *b, const struct observed_run *r, double begin_s) {
        double at_s = bench_second(b, r->from_ms);

        return at_s < begin_s && at_s > begin_s - HEAD_S ? begin_s : at_s;
}

/* The first value only tells where it begins. Of many values so many are taken as there is room for. */
static void trace_path(const struct bench *b, const struct column *c, const struct source *s, bool is_increment,
                       struct path *path) {
        struct integral walks[CIRCUITS_MAX];
        unsigned n_walks = begin_walks(b, s, walks), n, stride;
        const struct observed_run *const *runs = bench_runs(b, c->series, &n);
        struct tracer t = { .gaps = UINT32_MAX };
        double begin_s = begin_of(walks, n_walks);

        path->n = 0;
        stride = n / PATH_MAX_POINTS + 1;
        for (unsigned i = 0; n_walks > 0 && i < n; i += stride) {
                double e = energy_at(b, c, runs[i], is_increment), at_s = told_at(b, runs[i], begin_s);
                double sum = integral_of_all(walks, n_walks, at_s);

                go_on(&t, e, sum, at_s, runs[i]->gaps);
                if (path->n == 0)
                        t.energy = t.integral = t.time_s = t.most = 0;
                /* A register may begin at 0 before it is read. */
                if (walks[0].has_value && (e != 0 || path->n > 0 || is_increment))
                        add_point(&t, path);
        }
        if (path->n > 0)
                end_path(&t, walks, n_walks, path);
}

/* Largest distance of a path from being proportional to the energy, as a share of the whole. */
static double crookedness(const struct path *p, const double *along) {
        unsigned last = p->n - 1;
        double worst = 0;

        for (unsigned i = 0; i <= last; i++)
                worst = fmax(worst, fabs(p->energy[i] / p->energy[last] - along[i] / along[last]));
        return worst;
}

/* Nats: how rarely a number comes this close to a power of ten, and how much better than the mere time the power
 * explains when the register moves. */
static double rate_path(const struct path *p, const struct column *c, struct energy *e) {
        unsigned last = p->n - 1;
        double ticks, exponent, tolerance, by_power, by_time;

        if (p->n < TICKS_MIN || p->energy[last] <= 0 || p->integral[last] <= 0)
                return -1;
        ticks = p->energy[last] / c->step;
        exponent = log10(p->integral[last] / WH_RAW_S / p->energy[last]);
        e->ratio = (int) lround(exponent);
        e->error = fabs(pow(10, exponent - e->ratio) - 1);
        e->ticks = ticks;
        tolerance = 0.04 + 1 / ticks;
        if (ticks < TICKS_MIN || e->error > tolerance)
                return -1;
        by_power = fmax(crookedness(p, p->integral), 0.7 / ticks);
        by_time = fmax(crookedness(p, p->time_s), 0.7 / ticks);
        return -log(fmin(1, 2 * log10(1 + fmax(e->error, tolerance / 2)))) +
               fmax(-4, fmin(10, 3 * log(by_time / by_power))) - 12 * fmax(0, by_power - 0.15);
}

/* ---- all against all ---- */

static bool may_count(const struct column *c) {
        return !c->is_flag && c->n_negative == 0 && c->grows && c->changes >= 2 && c->max > 0;
}

static bool may_be_increment(const struct column *c) {
        return !c->is_flag && c->n_negative == 0 && !c->grows && c->distinct >= 3 && c->turns > 0;
}

static void try_source(const struct bench *b, int column, const struct source *s, bool is_increment,
                       struct energy *best) {
        struct energy e = {
                .column = column, .circuit = s->circuit, .power = s->column,
                .is_export = s->negative || (s->flag >= 0 && s->flag_value != 0),
                .is_increment = is_increment, .flag = s->flag, .flag_value = s->flag_value,
        };
        struct path path;

        trace_path(b, &b->columns[column], s, is_increment, &path);
        if (path.n == 0)
                return;
        e.score = rate_path(&path, &b->columns[column], &e) - (is_increment ? 2 : 0) - (s->flag >= 0 ? 2 : 0);
        if (e.score > best->score)
                *best = e;
}

static bool can_flow_back(const struct bench *b, const struct source *s) {
        if (s->column >= 0)
                return b->columns[s->column].n_negative > 0;
        for (unsigned i = 0; i < b->n_circuits; i++)
                if ((s->circuit < 0 || s->circuit == (int) i) && b->circuits[i].is_signed)
                        return true;
        return false;
}

static void try_both_ways(const struct bench *b, int column, struct source s, bool is_increment,
                          struct energy *best) {
        try_source(b, column, &s, is_increment, best);
        s.negative = true;
        if (can_flow_back(b, &s))
                try_source(b, column, &s, is_increment, best);
}

/* A power without a sign flows where a flag says: one register counts while it is 0, which by custom is import,
 * another one else. */
static void try_flags(const struct bench *b, int column, struct source s, struct energy *best) {
        for (unsigned k = 0; k < b->n_columns; k++) {
                const struct column *f = &b->columns[k];

                if (!f->is_flag || f->changes < 2 || f->distinct != 2 || f->max != 1 || f->n_zero == 0)
                        continue;
                s.flag = (int) k;
                for (s.flag_value = 0; s.flag_value < 2; s.flag_value++)
                        try_source(b, column, &s, false, best);
        }
}

/* Everything that may have been counted: the total that the meter tells, each circuit, their sum. */
static void try_sources(const struct bench *b, int column, bool is_increment, struct energy *best) {
        struct source s = { .circuit = -1, .column = -1, .flag = -1 };

        for (unsigned i = 0; i < b->n_circuits; i++) {
                s.circuit = (int) i;
                try_both_ways(b, column, s, is_increment, best);
                if (!is_increment && !b->circuits[i].is_signed)
                        try_flags(b, column, s, best);
        }
        s.circuit = -1;
        if (b->n_circuits > 1)
                try_both_ways(b, column, s, is_increment, best);
}

/* Without any circuit a power may still be known by its energy. */
static void try_lone_powers(const struct bench *b, int column, struct energy *best) {
        struct source s = { .circuit = -1, .flag = -1 };

        for (unsigned k = 0; k < b->n_columns; k++) {
                const struct column *p = &b->columns[k];
                bool is_gauge = p->voltage_score > 1 || p->frequency_score > 1 || p->is_word;

                s.column = (int) k;
                if ((int) k == column || p->is_flag || p->grows || p->changes < 3 || p->turns == 0 || is_gauge)
                        continue;
                try_both_ways(b, column, s, false, best);
        }
}

static bool is_candidate(const struct column *c) {
        return column_may_be(c, Q_ENERGY_IMPORT) || c->known == Q_ENERGY_EXPORT;
}

double bench_rate_energies(const struct bench *b, int circuit) {
        double best = 0;

        for (unsigned k = 0; k < b->n_columns; k++) {
                const struct column *c = &b->columns[k];
                const struct source s = { .circuit = circuit, .column = -1, .flag = -1 };
                struct energy e = { .score = 0 };

                if (b->settings->has_no_times || b->used[k] || !is_candidate(c) || !may_count(c))
                        continue;
                try_both_ways(b, (int) k, s, false, &e);
                if (!b->circuits[circuit].is_signed)
                        try_flags(b, (int) k, s, &e);
                best = fmax(best, e.score);
        }
        return best;
}

/* A power without a sign, and a flag that was 1 nearly all the time that something flowed: what is counted may flow
 * back. A flag that was 0 as well cannot be the direction of a register that went on. */
static bool may_be_export(const struct bench *b, const struct energy *e) {
        const struct column *power;

        if (e->circuit < 0 || e->flag >= 0 || b->circuits[e->circuit].is_signed)
                return false;
        power = &b->columns[b->circuits[e->circuit].power];
        for (unsigned k = 0; k < b->n_columns; k++) {
                const struct column *f = &b->columns[k];
                double reverse = 0, all = 0;

                if (!f->is_flag || f->max != 1)
                        continue;
                for (unsigned t = 0; t < b->n_moments; t++) {
                        double flowed = power->x[t] * b->weight[t];

                        if (isnan(flowed) || isnan(f->x[t]))
                                continue;
                        all += flowed;
                        reverse += f->x[t] == 1 ? flowed : 0;
                }
                if (reverse > REVERSE_SHARE * all)
                        return true;
        }
        return false;
}

/* The flag that two registers agree on, or one follows clearly. */
static void note_direction(struct bench *b, const struct energy *e) {
        if (e->flag >= 0 && e->circuit >= 0)
                b->circuits[e->circuit].direction = e->flag;
}

void bench_find_energies(struct bench *b) {
        if (b->settings->has_no_times)
                return;
        for (unsigned k = 0; k < b->n_columns && b->n_energies < REGISTERS_MAX; k++) {
                const struct column *c = &b->columns[k];
                struct energy best = { .score = SCORE_MIN };
                bool counts = may_count(c);

                if (b->used[k] || !is_candidate(c) || (!counts && !may_be_increment(c)))
                        continue;
                try_sources(b, (int) k, !counts, &best);
                if (b->n_circuits == 0 && counts)
                        try_lone_powers(b, (int) k, &best);
                if (best.score <= SCORE_MIN)
                        continue;
                note_direction(b, &best);
                best.may_be_export = may_be_export(b, &best);
                b->energies[b->n_energies++] = best;
                bench_use(b, (int) k);
        }
}
