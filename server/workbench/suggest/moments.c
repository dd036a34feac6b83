/* Columns of numbers over common moments.
 *
 * A meter tells the values of one moment in several frames, a few ms apart, and voltage, current and power may come
 * some seconds apart. So a moment is what holds after a group of frames, and it counts by how long it holds: what is
 * seen between two parts of one step is short. */
#include "workbench/suggest/bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_MS      300    /* frames of one moment are closer */
#define GROUP_MAX_MS  1000   /* a meter that never pauses still has moments */
#define HOLD_MAX_S    15.0   /* holding longer tells nothing more */
#define STEP_VALUES_MIN 5    /* different values from which the step of a column can be seen */

/* By selection: sorting would be most of the work of all this. */
double median_of(double *values, unsigned n) {
        int low = 0, high = (int) n - 1, wanted = (int) n / 2;

        while (low < high) {
                double pivot = values[(low + high) / 2];
                int i = low, k = high;

                while (i <= k) {
                        while (values[i] < pivot)
                                i++;
                        while (values[k] > pivot)
                                k--;
                        if (i <= k) {
                                double v = values[i];

                                values[i++] = values[k];
                                values[k--] = v;
                        }
                }
                if (wanted <= k)
                        high = k;
                else if (wanted >= i)
                        low = i;
                else
                        break;
        }
        return n > 0 ? values[wanted] : 0;
}

/* ---- moments ---- */

struct picker {
        const struct observed_run *runs;
        unsigned n_runs;
        uint64_t first_ms, last_ms, slot_ms;
};

/* Where runs were merged only the end of a slot is as it was: before it, what changed early in it stands beside what
 * changed last in the slot before. */
static bool is_same_slot(const struct picker *p, unsigned i, unsigned other) {
        return p->slot_ms > 0 && p->runs[i].from_ms / p->slot_ms == p->runs[other].from_ms / p->slot_ms;
}

static bool is_close(const struct picker *p, unsigned i, unsigned next) {
        return p->runs[next].from_ms < p->runs[next - 1].from_ms + GROUP_MS &&
               p->runs[next].from_ms < p->runs[i].from_ms + GROUP_MAX_MS;
}

/* Index behind the group of runs that begins at i. */
static unsigned group_end(const struct picker *p, unsigned i) {
        unsigned end = i + 1;

        while (end < p->n_runs && (is_same_slot(p, i, end) || is_close(p, i, end)))
                end++;
        return end;
}

static double hold_s(const struct picker *p, unsigned end) {
        uint64_t until_ms = end < p->n_runs ? p->runs[end].from_ms : p->last_ms;
        double s = (double) (until_ms - p->runs[end - 1].from_ms) / 1000;

        return s < HOLD_MAX_S ? s : HOLD_MAX_S;
}

static unsigned count_groups(const struct picker *p) {
        unsigned n = 0;

        for (unsigned i = 0; i < p->n_runs; i = group_end(p, i))
                n++;
        return n;
}

/* How much each series moved, and where it was last. */
struct motion {
        bool has_value;
        double last, all;
};

static double move(struct motion *m, const struct observed_run *r) {
        double value = r->len == 0 ? (double) r->number : 0;
        double by = !m->has_value ? 0 : r->len == 0 ? fabs(value - m->last) : 1;

        m->has_value = true;
        m->last = value;
        return by;
}

static unsigned measure_motion(const struct picker *p, struct motion *motions) {
        unsigned moving = 0;

        for (unsigned i = 0; i < p->n_runs; i++) {
                struct motion *m = &motions[p->runs[i].series];

                m->all += move(m, &p->runs[i]);
        }
        for (unsigned i = 0; i < DATAPOINTS_MAX; i++) {
                moving += motions[i].all > 0;
                motions[i].has_value = false;
        }
        return moving;
}

/* Share of all motion that lies in the runs from i up to end, each series counting as much as any other. */
static double motion_of(const struct picker *p, struct motion *motions, unsigned moving, unsigned i, unsigned end) {
        double sum = 0;

        for (; i < end; i++) {
                struct motion *m = &motions[p->runs[i].series];
                double by = move(m, &p->runs[i]);

                sum += m->all > 0 ? by / m->all / moving : 0;
        }
        return sum;
}

/* Of MOMENTS_MAX parts the group each that holds longest. The parts are equal, half by the number of groups, half by
 * what moves in them: a load that is there for minutes of a day would hardly be seen otherwise. */
static void pick_moments(struct bench *b, const struct picker *p) {
        struct motion motions[DATAPOINTS_MAX] = { 0 };
        unsigned groups = count_groups(p), moving = measure_motion(p, motions), n = 0, part = 0;
        double moved = 0;

        b->n_moments = 0;
        for (unsigned i = 0; i < p->n_runs; n++) {
                unsigned end = group_end(p, i), own = n;
                double hold = hold_s(p, end);

                moved += motion_of(p, motions, moving, i, end);
                if (groups > MOMENTS_MAX)
                        own = (unsigned) ((n / (double) groups + fmin(moved, 1)) / 2 * (MOMENTS_MAX - 1));
                if (b->n_moments == 0 || own > part)
                        b->weight[b->n_moments++] = -1;
                if (hold > b->weight[b->n_moments - 1]) {
                        b->at_s[b->n_moments - 1] = (double) (p->runs[end - 1].from_ms - p->first_ms) / 1000;
                        b->weight[b->n_moments - 1] = hold;
                }
                part = own;
                i = end;
        }
}

/* ---- columns ---- */

static bool has_type_codes(const struct bench *b) {
        return !b->settings->protocol || !b->settings->protocol->attribute;
}

bool bench_is_known(const struct bench *b, const struct observed_series *s) {
        const struct profile *profile = b->settings->profile;
        struct attribute_info info;

        if (profile && s->id <= UINT8_MAX && profile_datapoint(profile, (uint8_t) s->id))
                return true;
        if (has_type_codes(b))
                return false;
        b->settings->protocol->attribute(&(struct datapoint) { .id = s->id, .type = s->type }, &info);
        return info.quantity < Q_COUNT;
}

static double read_word(const struct column *c, const uint8_t *bytes) {
        uint64_t v = 0;

        for (unsigned i = 0; i < c->width; i++)
                v = v << 8 | bytes[c->offset + (c->big_endian ? i : c->width - 1 - i)];
        if (c->is_signed && v >> (8 * c->width - 1))
                return (double) v - ldexp(1, 8 * c->width);
        return (double) v;
}

static double read_field(const struct bench *b, const struct column *c, const struct observed_run *r) {
        const struct profile_datapoint row = {
                .id = (uint8_t) c->id, .type = DATAPOINT_RAW, .layout = c->layout, .power_den = c->power_den,
        };
        struct report report = { .count = 0 };

        b->settings->protocol->read_layout(&row, r->bytes, r->len, &report);
        for (unsigned i = 0; i < report.count; i++)
                if (report.readings[i].quantity == c->quantity)
                        return (double) report.readings[i].value;
        return NAN;
}

double column_value(const struct bench *b, const struct column *c, const struct observed_run *r) {
        if (c->layout != LAYOUT_NONE)
                return read_field(b, c, r);
        if (!c->is_word)
                return r->len == 0 ? (double) r->number : NAN;
        return r->len == c->length ? read_word(c, r->bytes) : NAN;
}

double bench_second(const struct bench *b, uint64_t ms) {
        uint64_t first_ms, last_ms;

        observations_span(b->o, &first_ms, &last_ms);
        return (double) (ms - first_ms) / 1000;
}

const struct observed_run *const *bench_runs(const struct bench *b, unsigned series, unsigned *ret_count) {
        *ret_count = b->first_run[series + 1] - b->first_run[series];
        return b->runs + b->first_run[series];
}

/* Counts, then places: the order of time stays. */
static int index_runs(struct bench *b) {
        unsigned n, place[DATAPOINTS_MAX] = { 0 };
        const struct observed_run *runs = observations_runs(b->o, &n);

        b->runs = calloc(n + 1, sizeof *b->runs);
        if (!b->runs)
                return -ENOMEM;
        for (unsigned i = 0; i < n; i++)
                b->first_run[runs[i].series + 1]++;
        for (unsigned s = 0; s < DATAPOINTS_MAX; s++) {
                b->first_run[s + 1] += b->first_run[s];
                place[s] = b->first_run[s];
        }
        for (unsigned i = 0; i < n; i++)
                b->runs[place[runs[i].series]++] = &runs[i];
        return 0;
}

/* While the voltage is 0 or not told yet, the MCU does not measure: it has just started, or restarted. */
static bool is_measuring(const struct bench *b, unsigned t) {
        bool has_any = false;

        for (unsigned k = 0; k < b->n_voltages; k++) {
                const struct column *c = &b->columns[b->voltages[k]];

                if (c->changes > 0 && c->x[t] > 0)
                        return true;
                has_any |= c->changes > 0;
        }
        return !has_any;
}

/* Where no voltage tells, zeros before the first other value are taken for those of an MCU that does not measure. */
static void hold_values(const struct bench *b, struct column *c) {
        unsigned n, i = 0;
        const struct observed_run *const *runs = bench_runs(b, c->series, &n);
        bool was_nonzero = false;
        double now = NAN;

        for (unsigned t = 0; t < b->n_moments; t++) {
                for (; i < n && bench_second(b, runs[i]->from_ms) <= b->at_s[t]; i++)
                        now = column_value(b, c, runs[i]);
                was_nonzero |= now > 0 || now < 0;
                c->x[t] = (b->n_voltages > 0 ? is_measuring(b, t) : was_nonzero) ? now : NAN;
        }
}

static void count_distinct(const struct bench *b, struct column *c) {
        double seen[DISTINCT_MAX];

        for (unsigned t = 0; t < b->n_moments && c->distinct < DISTINCT_MAX; t++) {
                bool is_new = !isnan(c->x[t]);

                for (unsigned i = 0; is_new && i < c->distinct; i++)
                        is_new = seen[i] != c->x[t];
                if (is_new)
                        seen[c->distinct++] = c->x[t];
        }
}

static double common_divisor(double a, double b) {
        while (b >= 0.5) {
                double rest = fmod(a, b);

                a = b;
                b = rest;
        }
        return a;
}

static void follow(struct column *c, double before, double now, double *last_change) {
        double change = now - before;

        if (change == 0)
                return;
        c->changes++;
        c->turns += *last_change * change < 0;
        c->grows &= change > 0;
        *last_change = change;
}

static void measure(const struct bench *b, struct column *c) {
        double magnitudes[MOMENTS_MAX], before = NAN, last_change = 0;
        unsigned n = 0;

        c->n_known = c->n_zero = c->n_negative = c->changes = c->turns = c->distinct = 0;
        c->spread = c->step = 0;
        c->grows = true;
        for (unsigned t = 0; t < b->n_moments; t++) {
                double x = c->x[t], magnitude = fabs(x);

                c->log_x[t] = magnitude > 0 ? log(magnitude) : NAN;
                if (isnan(x))
                        continue;
                c->n_known++;
                c->n_zero += magnitude == 0;
                c->n_negative += x < 0;
                c->step = common_divisor(magnitude, c->step);
                if (!isnan(before))
                        follow(c, before, x, &last_change);
                before = x;
                if (magnitude > 0)
                        magnitudes[n++] = magnitude;
        }
        count_distinct(b, c);
        if (c->distinct < STEP_VALUES_MIN)
                c->step = 1;
        c->median = median_of(magnitudes, n);
        c->min = c->max = c->median;
        for (unsigned i = 0; i < n; i++) {
                c->min = fmin(c->min, magnitudes[i]);
                c->max = fmax(c->max, magnitudes[i]);
                c->spread += fabs(magnitudes[i] / c->median - 1) / n;
        }
        c->is_signed |= c->n_negative > 0;
}

void bench_fill_column(const struct bench *b, struct column *c) {
        hold_values(b, c);
        measure(b, c);
}

bool column_may_be(const struct column *c, enum quantity quantity) {
        return c->known == Q_NONE || c->known == quantity;
}

/* What the profile says of a known number, if that is a quantity in powers of ten, as nearly all are. */
static bool read_known(const struct bench *b, const struct observed_series *s, struct column *c) {
        const struct profile *p = b->settings->profile;
        const struct profile_datapoint *row = p && s->id <= UINT8_MAX ? profile_datapoint(p, (uint8_t) s->id) : NULL;
        double scale;

        if (!row || row->quantity >= Q_COUNT || row->is_increment)
                return false;
        scale = (double) row->scale_num / (double) row->scale_den / pow(10, quantity_catalogue[row->quantity].decimals);
        c->known = row->quantity;
        c->known_exponent = (int) lround(log10(scale));
        return fabs(log10(scale) - c->known_exponent) < 1e-9;
}

static void add_numbers(struct bench *b) {
        for (unsigned i = 0; i < observations_count(b->o) && b->n_columns < COLUMNS_MAX; i++) {
                const struct observed_series *s = observations_series(b->o, i);
                struct column *c = &b->columns[b->n_columns];

                *c = (struct column) { .series = i, .id = s->id, .known = Q_NONE };
                if (!s->numeric || (bench_is_known(b, s) && !read_known(b, s, c)))
                        continue;
                c->is_flag = has_type_codes(b) && (s->type == DATAPOINT_BOOL || s->type == DATAPOINT_ENUM ||
                                                   s->type == DATAPOINT_BITMAP);
                bench_fill_column(b, c);
                b->n_columns++;
        }
}

int bench_fill(struct bench *b) {
        struct picker p;
        int r;

        r = index_runs(b);
        if (r < 0)
                return r;
        p.runs = observations_runs(b->o, &p.n_runs);
        observations_span(b->o, &p.first_ms, &p.last_ms);
        p.slot_ms = observations_slot_ms(b->o);
        pick_moments(b, &p);
        add_numbers(b);
        return 0;
}

void bench_refill(struct bench *b) {
        for (unsigned i = 0; i < b->n_columns; i++)
                if (b->n_voltages > 0 && b->columns[i].voltage_score <= 0)
                        bench_fill_column(b, &b->columns[i]);
}
