#include "workbench/suggest/certainty.h"

#include <math.h>

/* Nats by which current and power must be better than the other way round: what usual power factors and scales say
 * for it at 230 V, and a little more. */
#define SWAPPED_MARGIN 10
#define NEAREST_MARGIN 5   /* nats by which they must be better than either with another column */
#define CONTEST_MARGIN 1.5 /* nats by which a voltage must be better than one of another size */
#define FEW_COUNTS     100 /* numbers this small are like too many others: temperatures, shares */
#define VARIED_MIN     0.1 /* share of the loads */
/* A lower power factor is rare, and a steady one of unrelated columns may look like it. From 0.6 to 0.8 active and
 * reactive power, and so their integrals, are of one size. */
#define FACTOR_LOW     0.8
#define ASSOCIATED     3   /* nats */
#define STEPS_MIN      3   /* nats */
#define LEVELS_MIN     4
#define TICKS_MIN      8   /* of a register */
#define VOLTAGE_CHANGES_MIN 20

#define DAY_MS      86400000
#define DAY_MAX_KWH 100    /* of a house; a register that stands above it does not begin again each day */

double logistic(double nats) {
        return 1 / (1 + exp(-nats));
}

/* ---- circuits ---- */

/* Energy is the integral of power; that of the current is no power of ten of it. */
static bool has_register(const struct bench *b, const struct circuit *c) {
        for (unsigned i = 0; i < b->n_energies; i++)
                if (b->energies[i].score > 5 && b->energies[i].circuit == (int) (c - b->circuits))
                        return true;
        return false;
}

bool circuit_has_factor(const struct circuit *c) {
        return c->varied >= VARIED_MIN;
}

/* They were seen at several loads, and went along from each to the next: what drifts may seem to go with anything,
 * but not from moment to moment. */
static bool is_seen_together(const struct circuit *c) {
        return c->levels >= LEVELS_MIN && c->association >= ASSOCIATED && c->steps >= STEPS_MIN;
}

double certainty_of_circuit(const struct bench *b, const struct circuit *c) {
        double confidence = logistic(fmin(c->score, c->score - c->rival) - 2.5);

        if (c->layout != LAYOUT_NONE)
                return c->layout_confidence;
        if (b->columns[c->power].is_word)
                confidence = fmin(confidence, CAP_UNSURE);
        if (!c->is_settled)
                return fmin(confidence, CAP_SYMMETRIC);
        if ((c->score - c->swapped < SWAPPED_MARGIN || c->score - c->nearest < NEAREST_MARGIN) && !has_register(b, c))
                confidence = fmin(confidence, CAP_UNSURE);
        if (c->peak_current < FEW_COUNTS || c->peak_power < FEW_COUNTS / 4.0)
                confidence = fmin(confidence, CAP_UNSURE);
        if (c->power_factor < FACTOR_LOW || !circuit_has_factor(c))
                confidence = fmin(confidence, CAP_UNSURE);
        return is_seen_together(c) ? confidence : fmin(confidence, CAP_FEW);
}

/* ---- voltages ---- */

/* Of the same scale and size. */
static bool is_like(const struct column *a, const struct column *b) {
        double ratio = a->median * pow(10, a->voltage_exponent) / (b->median * pow(10, b->voltage_exponent));

        return (a->voltage_exponent == b->voltage_exponent || b->layout != LAYOUT_NONE) && fabs(ratio - 1) < 0.15;
}

bool voltage_is_contested(const struct bench *b, const struct column *v) {
        unsigned alike = 0, unlike = 0;

        for (unsigned k = 0; k < b->n_columns; k++) {
                const struct column *c = &b->columns[k];

                if (c == v || c->is_word || c->voltage_score <= 1)
                        continue;
                if (is_like(c, v))
                        alike++;
                else
                        unlike += c->voltage_score > v->voltage_score - CONTEST_MARGIN;
        }
        /* Three alike are those of three phases. */
        return unlike > 0 || (alike > 0 && !(alike == 2 && b->n_circuits == 3));
}

double certainty_of_voltage(const struct bench *b, int column, const struct circuit *c) {
        const struct column *v = &b->columns[column];
        double sure = logistic(v->voltage_score - 1.5);
        bool is_tested = c && is_seen_together(c) && circuit_has_factor(c);

        /* P = V * I speaks for a voltage, but others of its size would do as well. */
        sure = is_tested ? 1 - (1 - sure) * (1 - 0.8 * certainty_of_circuit(b, c)) : fmin(sure, CAP_UNSURE);
        /* A meter that tells its voltages tells all of them with one scale. */
        if (!c && !is_like(v, &b->columns[b->n_circuits > 0 ? b->circuits[0].voltage : b->voltages[0]]))
                sure = fmin(sure, CAP_UNLIKE);
        if (voltage_is_contested(b, v))
                sure = fmin(sure, CAP_UNSURE);
        /* A load may stay in a voltage's range for a while. */
        if (v->distinct < 3 || v->changes < VOLTAGE_CHANGES_MIN)
                sure = fmin(sure, CAP_FEW);
        return sure;
}

/* ---- energies ---- */

const struct circuit *energy_circuit(const struct bench *b, const struct energy *e) {
        return &b->circuits[e->circuit >= 0 ? e->circuit : 0];
}

/* Two registers of one power in one direction: one of them counts something else. */
static bool has_twin(const struct bench *b, const struct energy *e) {
        for (unsigned i = 0; i < b->n_energies; i++) {
                const struct energy *other = &b->energies[i];

                if (other != e && other->circuit == e->circuit && other->is_export == e->is_export)
                        return true;
        }
        return false;
}

bool energy_may_begin_again(const struct bench *b, const struct energy *e) {
        const struct circuit *c = energy_circuit(b, e);
        int exponent = bench_choose_scale(b, c).current + c->ratio + e->ratio;
        uint64_t first_ms, last_ms;

        observations_span(b->o, &first_ms, &last_ms);
        return last_ms - first_ms < DAY_MS && b->columns[e->column].max * pow(10, exponent) < DAY_MAX_KWH;
}

double certainty_of_energy(const struct bench *b, const struct energy *e) {
        const struct circuit *c = energy_circuit(b, e);
        double sure = logistic(e->score - 2);

        if (e->ticks < TICKS_MIN)
                sure = fmin(sure, CAP_FEW);
        /* What a gauge of the power tells at equal times adds up to energy, too. Which value of a flag means export
         * is custom, and no physics. */
        if (e->is_increment || e->may_be_export || e->flag >= 0 || has_twin(b, e) || energy_may_begin_again(b, e))
                sure = fmin(sure, CAP_UNSURE);
        if (e->flag < 0 && c->direction >= 0)
                sure = fmin(sure, CAP_UNLIKE);
        return sure * certainty_of_circuit(b, c);
}
