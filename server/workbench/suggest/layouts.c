/* Raw values that hold a whole phase. Where the bytes of a known layout give a voltage of the mains and a power that
 * is at most the voltage times the current, again and again, it is that layout. */
#include "workbench/suggest/pair.h"

#include <math.h>

#define SAMPLES_MAX    256
#define CURRENT_MAX_MA 150000  /* more than any house connection carries */
#define PRIOR          3.5     /* nats against a raw value being a phase */
#define COUNTS_MIN     100     /* of power */
#define CAP_FEW        0.8     /* of confidence, with few samples */

struct sample {
        double volts, amperes, watts;        /* in thousandths */
        double step;                         /* of the power */
};

struct tally {
        unsigned n;                          /* with a voltage */
        unsigned outside;                    /* voltage of no mains, or an impossible current */
        unsigned above;                      /* power beyond V * I and its rounding */
        unsigned changes;                    /* of the voltage */
        unsigned loads;                      /* changes of the power by a fifth */
        double apparent, active;             /* sums */
        double counts;                       /* of the largest power, in its own steps */
        double low, high;                    /* voltages */
};

static bool read_sample(const struct bench *b, const struct profile_datapoint *row, const struct observed_run *r,
                        struct sample *ret) {
        struct report report = { .count = 0 };
        unsigned found = 0;

        b->settings->protocol->read_layout(row, r->bytes, r->len, &report);
        for (unsigned i = 0; i < report.count; i++) {
                const struct reading *reading = &report.readings[i];

                if (reading->quantity == Q_VOLTAGE)
                        ret->volts = (double) reading->value;
                else if (reading->quantity == Q_CURRENT)
                        ret->amperes = (double) reading->value;
                else if (reading->quantity == Q_POWER) {
                        ret->watts = (double) reading->value;
                        ret->step = (double) reading->step;
                } else
                        continue;
                found |= 1u << reading->quantity;
        }
        return found == (1u << Q_VOLTAGE | 1u << Q_CURRENT | 1u << Q_POWER);
}

static bool is_mains(double mv) {
        return (mv > 198000 && mv < 264000) || (mv > 96000 && mv < 135000);
}

static void count_sample(struct tally *t, const struct sample *s, const struct sample *before) {
        double apparent = s->volts * s->amperes / 1000, rounding = s->step + s->volts / 1000;

        t->outside += !is_mains(s->volts) || s->amperes > CURRENT_MAX_MA;
        t->above += fabs(s->watts) > 1.06 * apparent + rounding;
        t->changes += t->n > 0 && s->volts != before->volts;
        t->loads += t->n > 0 && fabs(s->watts - before->watts) > 0.2 * fabs(s->watts) + 2 * rounding;
        t->apparent += apparent;
        t->active += fabs(s->watts);
        t->counts = fmax(t->counts, fabs(s->watts) / s->step);
        t->low = t->n == 0 ? s->volts : fmin(t->low, s->volts);
        t->high = fmax(t->high, s->volts);
        t->n++;
}

static void take_samples(const struct bench *b, unsigned series, const struct profile_datapoint *row,
                         struct tally *t) {
        unsigned n, stride;
        const struct observed_run *const *runs = bench_runs(b, series, &n);
        struct sample s, before = { 0 };

        stride = n / SAMPLES_MAX + 1;
        for (unsigned i = 0; i < n; i += stride) {
                if (!read_sample(b, row, runs[i], &s) || s.volts == 0)
                        continue;
                count_sample(t, &s, &before);
                before = s;
        }
}

/* Nats against chance. */
static double rate_tally(const struct tally *t) {
        double all = t->n, nats;

        if (t->n == 0)
                return -PRIOR;
        /* One in a hundred numbers of two bytes is a voltage of the mains. */
        nats = 4.6 - 20 * t->outside / all - 20 * fmax(0, t->above / all - 0.05);
        nats += 0.5 * fmin(t->changes, 8) + 0.5 * fmin(t->loads, 8);
        return t->active > 0 ? nats + pair_rate_factor(t->active / t->apparent) : nats;
}

static int add_field(struct bench *b, unsigned series, const struct profile_datapoint *row, unsigned quantity) {
        struct column *c = &b->columns[b->n_columns];

        *c = (struct column) {
                .known = Q_NONE,
                .series = series, .id = row->id, .layout = row->layout, .power_den = row->power_den,
                .quantity = (uint8_t) quantity, .voltage_exponent = -3,
        };
        bench_fill_column(b, c);
        b->used[b->n_columns] = true;
        return (int) b->n_columns++;
}

/* A few counts of power are what stands by, with any power factor: a tenth of them would do as well. */
static bool is_little(const struct tally *t) {
        return t->changes < 3 || t->loads < 2 || t->counts < COUNTS_MIN;
}

static void add_circuit(struct bench *b, unsigned series, const struct profile_datapoint *row, const struct tally *t,
                        double nats) {
        struct circuit *c = &b->circuits[b->n_circuits];
        double confidence = 1 / (1 + exp(PRIOR - nats));

        *c = (struct circuit) {
                .score = nats, .layout = row->layout, .power_den = row->power_den, .samples = t->n,
                .layout_confidence = is_little(t) ? fmin(confidence, CAP_FEW) : confidence,
                .volts_low = t->low / 1000, .volts_high = t->high / 1000,
                .power_factor = t->apparent > 0 ? t->active / t->apparent : 0,
                .apparent = -1, .reactive = -1, .factor = -1, .direction = -1,
        };
        c->voltage = add_field(b, series, row, Q_VOLTAGE);
        c->current = add_field(b, series, row, Q_CURRENT);
        c->power = add_field(b, series, row, Q_POWER);
        c->is_signed = b->columns[c->power].n_negative > 0;
        b->n_circuits++;
}

/* The best of the layouts and of the two steps that their power may have. */
static void try_series(struct bench *b, unsigned series, const struct observed_series *s) {
        static const uint8_t layouts[] = { LAYOUT_PHASE, LAYOUT_PHASE_VCPQFF, LAYOUT_PHASE_PQFCV };
        static const uint8_t dens[] = { 0, 1, 10 };
        struct profile_datapoint best_row = { .layout = LAYOUT_NONE };
        struct tally best_tally = { 0 };
        double best = 0;

        for (unsigned i = 0; i < sizeof layouts; i++)
                for (unsigned k = 0; k < sizeof dens; k++) {
                        const struct profile_datapoint row = {
                                .id = (uint8_t) s->id, .type = DATAPOINT_RAW, .layout = layouts[i],
                                .power_den = dens[k],
                        };
                        struct tally t = { 0 };
                        double nats;

                        /* A guess between two forms is no answer: they have names. */
                        if (layouts[i] == LAYOUT_PHASE && s->length == 15)
                                continue;
                        take_samples(b, series, &row, &t);
                        nats = rate_tally(&t);
                        if (nats <= best)
                                continue;
                        best = nats;
                        best_row = row;
                        best_tally = t;
                }
        if (best > 1)
                add_circuit(b, series, &best_row, &best_tally, best);
}

void bench_find_layouts(struct bench *b) {
        if (!b->settings->protocol || !b->settings->protocol->read_layout)
                return;
        for (unsigned i = 0; i < observations_count(b->o); i++) {
                const struct observed_series *s = observations_series(b->o, i);
                bool has_room = b->n_circuits < CIRCUITS_MAX && b->n_columns + 3 <= COLUMNS_MAX;
                bool is_raw = !s->numeric && s->type == DATAPOINT_RAW && s->id <= UINT8_MAX;

                if (is_raw && has_room && !bench_is_known(b, s))
                        try_series(b, i, s);
        }
}
