/* Current, power and energy share a power of ten that no physics decides: V * I = P holds as well for ten times the
 * current and ten times the power. What decides is which scales meters have, what flows in homes, and the wires: the
 * voltage falls by their resistance times the current. */
#include "workbench/suggest/bench.h"

#include <math.h>

#define WITNESS_MIN 5  /* nats */
#define IMPOSSIBLE  30 /* nats against what the profile excludes */

/* Meters with this scale among those that are known (the built-in profiles), by exponent. Others have a little, too:
 * not all meters are known. */
static double count_pairs(int current, int power) {
        if (current == -3 && power == 0)
                return 30;
        if (current == -3 && power == -1)
                return 15;
        if (current == -3 && power == -2)
                return 3;
        if (current == -2 && power == 0)
                return 1.5;
        if (current == -3 && power == -3)
                return 0.5;
        return 0.02;
}

static double count_energies(int energy) {
        switch (energy) {
        case -2:
                return 37;
        case -3:
                return 7;
        case 0:
                return 1;
        default:
                return 0.05;
        }
}

/* A register that may tell about the scales of others: only what is sure itself. */
static bool is_witness(const struct energy *e) {
        return e->power < 0 && e->score > WITNESS_MIN;
}

/* Whether any meter is known with these scales, each by itself. */
static bool are_known(const struct bench *b, const struct circuit *c, int current) {
        int power = current + c->ratio;
        bool known = (current == -2 || current == -3) && power <= 0 && power >= -3;

        for (unsigned i = 0; i < b->n_energies; i++) {
                int energy = power + b->energies[i].ratio;

                if (is_witness(&b->energies[i]))
                        known &= energy == 0 || energy == -2 || energy == -3;
        }
        return known;
}

/* Nats for what flowed: little is seldom told, more than a house connection carries never. */
static double rate_size(double amperes, double watts) {
        double nats = 0;

        if (amperes > 120 || watts > 30000)
                nats -= 8;
        else if (amperes > 60 || watts > 14000)
                nats -= 1.5;
        if (amperes < 0.02 || watts < 2)
                nats -= 2;
        return nats;
}

/* Ohms of the wires in raw units: how far the voltage falls at large steps of the current; 0: cannot be seen. */
static double wire_resistance(const struct bench *b, const struct circuit *c) {
        const struct column *v = &b->columns[c->voltage], *i = &b->columns[c->current];
        double slopes[MOMENTS_MAX], middle;
        unsigned n = 0, falls = 0;

        for (unsigned t = 1; t < b->n_moments; t++) {
                double step = i->x[t] - i->x[t - 1], change = v->x[t] - v->x[t - 1];

                if (!(fabs(step) > 0.25 * i->max) || !(fabs(change) < 0.05 * v->median))
                        continue;
                slopes[n++] = -change / step;
        }
        for (unsigned k = 0; k < n; k++)
                falls += slopes[k] > 0;
        if (n < 6 || falls * 5 < n * 4)
                return 0;
        middle = median_of(slopes, n);
        return middle > 0 ? middle : 0;
}

/* Wires of a house have some 0.1 to 1.5 ohms, with their transformer and socket. */
static double rate_resistance(double ohms) {
        double off = log(ohms / 0.4) / 1.2;

        return ohms > 0 ? fmax(-2.5, -off * off / 2) : 0;
}

/* All circuits of a meter have one scale if they have one ratio. */
static bool is_alike(const struct circuit *a, const struct circuit *b) {
        return a->layout == LAYOUT_NONE && b->layout == LAYOUT_NONE && a->ratio == b->ratio;
}

static double rate_choice(const struct bench *b, const struct circuit *c, double resistance, int current) {
        int voltage = b->columns[c->voltage].voltage_exponent, power = current + c->ratio;
        double nats = log(count_pairs(current, power)), amperes = 0, watts = 0, energies = 0;
        unsigned witnesses = 0;

        for (unsigned i = 0; i < b->n_energies; i++)
                if (is_witness(&b->energies[i])) {
                        energies += log(count_energies(power + b->energies[i].ratio));
                        witnesses++;
                }
        nats += witnesses > 0 ? energies / witnesses : 0;
        for (unsigned i = 0; i < b->n_circuits; i++)
                if (is_alike(c, &b->circuits[i])) {
                        amperes = fmax(amperes, b->circuits[i].peak_current * pow(10, current));
                        watts = fmax(watts, b->circuits[i].peak_power * pow(10, power));
                }
        return nats + rate_size(amperes, watts) + rate_resistance(resistance * pow(10, voltage - current));
}

static bool fits_known(const struct column *c, int exponent) {
        return c->known == Q_NONE || c->known_exponent == exponent;
}

/* What the profile says of one of them says it of all. */
static bool is_possible(const struct bench *b, const struct circuit *c, int current) {
        int power = current + c->ratio;

        if (!fits_known(&b->columns[c->current], current) || !fits_known(&b->columns[c->power], power))
                return false;
        for (unsigned i = 0; i < b->n_energies; i++)
                if (is_witness(&b->energies[i]) &&
                    !fits_known(&b->columns[b->energies[i].column], power + b->energies[i].ratio))
                        return false;
        return true;
}

/* Where circuits differ, what the one with the least says: the voltage may be another one's. */
static double least_resistance(const struct bench *b, const struct circuit *c) {
        double least = 0;

        for (unsigned i = 0; i < b->n_circuits; i++) {
                double ohms = is_alike(c, &b->circuits[i]) ? wire_resistance(b, &b->circuits[i]) : 0;

                if (ohms > 0 && (least == 0 || ohms < least))
                        least = ohms;
        }
        return least;
}

struct scale_choice bench_choose_scale(const struct bench *b, const struct circuit *c) {
        double resistance = least_resistance(b, c), best = -HUGE_VAL, second = -HUGE_VAL, sum = 0;
        struct scale_choice choice = { .current = -3 };
        unsigned known = 0;

        /* A layout has its scales, and its readings are in thousandths. */
        if (c->layout != LAYOUT_NONE)
                return (struct scale_choice) { .current = -3, .second = -3, .confidence = 1, .is_only = true };
        for (int e = CURRENT_EXPONENT_MIN; e <= CURRENT_EXPONENT_MAX; e++) {
                bool fits = is_possible(b, c, e);
                double nats = rate_choice(b, c, resistance, e) - (fits ? 0 : IMPOSSIBLE);

                known += fits && are_known(b, c, e);
                sum += exp(nats);
                if (nats > best) {
                        second = best;
                        choice.second = choice.current;
                        best = nats;
                        choice.current = e;
                } else if (nats > second) {
                        second = nats;
                        choice.second = e;
                }
        }
        choice.confidence = exp(best) / sum;
        choice.second_confidence = exp(second) / sum;
        choice.is_only = known == 1 && are_known(b, c, choice.current);
        choice.ohms = resistance * pow(10, b->columns[c->voltage].voltage_exponent - choice.current);
        return choice;
}

struct scale_choice bench_choose_lone_scale(const struct energy *e) {
        static const double powers[] = { 36, 18, 10, 1 };  /* meters with a step of 1, 0.1, 0.01, 0.001 W */
        struct scale_choice choice = { .confidence = 0 };
        double sum = 0;

        for (int k = 0; k < (int) (sizeof powers / sizeof *powers); k++) {
                double weight = powers[k] * count_energies(e->ratio - k);

                sum += weight;
                if (weight <= choice.confidence)
                        continue;
                choice.confidence = weight;
                choice.current = -k;
        }
        choice.confidence /= sum;
        return choice;
}
