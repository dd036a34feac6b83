/* What can be seen of one column alone: mains voltages and frequencies lie in narrow ranges, and decades apart from
 * each other. */
#include "workbench/suggest/bench.h"

#include <math.h>
#include <stdlib.h>

#define CONSTANT 0.01  /* nats for what never changed: only a circuit can tell that it is a voltage */

#define KNOWN 10       /* nats of what the profile says */

#define RESTARTS_MAX 2     /* of an MCU within a recording: after each it says 0 for a while */

struct range {
        double low, high;
        double from, to;           /* where nearly all are: each unit beyond costs 0.1 nats for voltages */
        double score;              /* nats: how rarely a number of another kind lies in it, with its own frequency */
};

/* Between a phase and neutral in all countries, and between two phases of the 230 and 240 V systems. */
static const struct range mains[] = {
        { 198, 264, 215, 250, 2 }, { 96, 135, 108, 127, 1.5 }, { 342, 440, 380, 420, 0 },
};
/* Grids stay within 0.5 Hz; a generator may not. */
static const struct range grids[] = {
        { 49.5, 50.5, 49.8, 50.2, 4 }, { 59.5, 60.5, 59.8, 60.2, 4 }, { 45, 65, 45, 65, -1 },
};

/* The exponent that brings the value into a range. */
static const struct range *find_range(const struct range *ranges, size_t n, double value, int *ret_exponent) {
        for (const struct range *r = ranges; r < ranges + n; r++)
                for (int e = EXPONENT_MIN; e <= 0; e++) {
                        double scaled = value * pow(10, e);

                        if (scaled >= r->low && scaled <= r->high) {
                                *ret_exponent = e;
                                return r;
                        }
                }
        return NULL;
}

/* Nats by which restless last digits speak for something that is measured. */
static double restlessness(const struct column *c) {
        double changes = c->changes < 12 ? c->changes : 12;
        double turning = c->changes > 1 ? c->turns / (c->changes - 1.0) : 0;

        return changes * 0.1 + (c->changes >= 4 ? 2 * (turning - 0.3) : 0);
}

/* What goes one way only is counted, not measured. */
static bool is_one_way(const struct column *c) {
        return c->turns == 0 && c->changes >= 5;
}

static double beyond(const struct range *r, double value) {
        return fmax(0, fmax(r->from - value, value - r->to));
}

/* How often it went to 0 and came back. */
static unsigned count_returns(const struct column *c, unsigned n_moments) {
        unsigned n = 0;
        bool was_zero = false;

        for (unsigned t = 0; t < n_moments; t++) {
                if (isnan(c->x[t]))
                        continue;
                n += was_zero && c->x[t] != 0;
                was_zero = c->x[t] == 0;
        }
        return n;
}

/* A meter lives from the mains it measures. Each zero would be a restart, and those are rare. */
/* A known one needs no reasons. */
static bool is_known_voltage(struct column *c) {
        if (c->known != Q_VOLTAGE)
                return false;
        c->voltage_exponent = c->known_exponent;
        c->voltage_score = KNOWN;
        return true;
}

static void rate_voltage(struct column *c, unsigned n_moments) {
        unsigned returns = count_returns(c, n_moments);
        const struct range *r;
        int e;

        if (is_known_voltage(c))
                return;
        c->voltage_score = -10;
        if (c->known != Q_NONE || c->is_flag || c->layout != LAYOUT_NONE || c->n_negative > 0 || c->n_known < 2 ||
            c->spread > 0.12 || returns > RESTARTS_MAX)
                return;
        r = find_range(mains, sizeof mains / sizeof *mains, c->median, &e);
        if (!r || c->max > 1.3 * c->median)
                return;
        c->voltage_exponent = e;
        /* Meters tell 0.1 V for the most part, some 0.01; in whole volts much else looks the same. */
        c->voltage_score = r->score + restlessness(c) - (e == 0 ? 3 : 0) - (e == -3 ? 1.5 : 0) - (e < -3 ? 4 : 0) -
                           (c->spread > 0.05 ? 1 : 0) - (c->distinct < 3 ? 1 : 0) - (is_one_way(c) ? 4 : 0) -
                           0.1 * beyond(r, c->median * pow(10, e)) - (c->min < 0.8 * c->median ? 1 : 0) -
                           1.5 * returns;
        /* A power factor in thousandths, or a share in tenths of a percent, goes up to 1000 and no further. */
        if (c->max == 1000 || c->max == 100)
                c->voltage_score -= 4;
        if (c->changes == 0 && c->voltage_score > CONSTANT)
                c->voltage_score = CONSTANT;
}

static void rate_frequency(struct column *c) {
        const struct range *r;
        int e;

        c->frequency_score = -10;
        if (c->known != Q_NONE || c->is_flag || c->layout != LAYOUT_NONE || c->n_negative > 0 || c->n_known < 3)
                return;
        if (c->changes == 0 || c->spread > 0.03 || is_one_way(c) || (c->grows && c->changes > 2))
                return;
        r = find_range(grids, sizeof grids / sizeof *grids, c->median, &e);
        if (!r || e > -1 || c->max * pow(10, e) > 66 || c->min * pow(10, e) < 44)
                return;
        c->frequency_exponent = e;
        /* Within minutes a grid moves by some 0.02 Hz. */
        c->frequency_score = r->score + restlessness(c) - (e < -3 ? 1.5 : 0) - (e == -1 ? 1 : 0) -
                             (c->spread > 0.002 ? 3 : 0) - (c->turns == 0 ? 2 : 0) -
                             (beyond(r, c->min * pow(10, e)) > 0 ? 1 : 0) -
                             (beyond(r, c->max * pow(10, e)) > 0 ? 1 : 0);
}

/* Insertion by score. */
static void note_voltage(struct bench *b, int column) {
        unsigned i = b->n_voltages;
        double score = b->columns[column].voltage_score;

        while (i > 0 && b->columns[b->voltages[i - 1]].voltage_score < score) {
                if (i < VOLTAGES_MAX)
                        b->voltages[i] = b->voltages[i - 1];
                i--;
        }
        if (i < VOLTAGES_MAX)
                b->voltages[i] = column;
        if (b->n_voltages < VOLTAGES_MAX)
                b->n_voltages++;
}

void bench_rate_gauges(struct bench *b) {
        for (unsigned i = 0; i < b->n_columns; i++) {
                struct column *c = &b->columns[i];

                rate_voltage(c, b->n_moments);
                rate_frequency(c);
                if (c->voltage_score > 0)
                        note_voltage(b, (int) i);
        }
}
