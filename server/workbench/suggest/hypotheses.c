#include "workbench/suggest/hypotheses.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "workbench/suggest/certainty.h"

#define SHARE_MIN 0.005  /* of a scale that is worth a rank */

const char *const suggest_level_names[SUGGEST_LEVEL_COUNT] = {
        [SUGGEST_LOW] = "low", [SUGGEST_MEDIUM] = "medium", [SUGGEST_HIGH] = "high",
};

static enum suggest_level level_of(double confidence) {
        if (confidence >= SUGGEST_CONFIDENCE_HIGH)
                return SUGGEST_HIGH;
        return confidence >= SUGGEST_CONFIDENCE_MEDIUM ? SUGGEST_MEDIUM : SUGGEST_LOW;
}

static int64_t power_of_ten(int exponent) {
        int64_t v = 1;

        for (int i = 0; i < exponent; i++)
                v *= 10;
        return v;
}

struct hypothesis *hypothesis_add(struct suggestion *s, unsigned quantity, int exponent, double confidence) {
        struct hypothesis *h;

        if (s->count == SUGGEST_RANKS_MAX)
                return NULL;
        h = &s->hypotheses[s->count++];
        *h = (struct hypothesis) {
                .quantity = (uint8_t) quantity,
                .scale_num = power_of_ten(exponent), .scale_den = power_of_ten(-exponent),
                .confidence = fmin(confidence, 0.999), .level = level_of(confidence),
        };
        return h;
}

void hypothesis_say(struct hypothesis *h, const char *format, ...) {
        va_list args;

        if (!h || h->n_evidence == SUGGEST_EVIDENCE_MAX)
                return;
        va_start(args, format);
        vsnprintf(h->evidence[h->n_evidence++], SUGGEST_TEXT_MAX, format, args);
        va_end(args);
}

/* "dp 18", or "0x0400" where a protocol has names. */
static const char *name_of(const struct bench *b, int column, char buf[24]) {
        const struct column *c = &b->columns[column];
        const struct protocol *p = b->settings->protocol;
        struct attribute_info info;

        if (p && p->attribute) {
                p->attribute(&(struct datapoint) { .id = c->id }, &info);
                snprintf(buf, 24, "%s", info.id);
        } else if (c->is_word)
                snprintf(buf, 24, "dp %u offset %u", c->id, c->offset);
        else
                snprintf(buf, 24, "dp %u", c->id);
        return buf;
}

/* Three are phases, and so is what raw values of phases tell; two others are clamps. */
static void set_channel(const struct bench *b, struct hypothesis *h, unsigned channel) {
        if (!h || channel == 0)
                return;
        if (b->n_circuits == 2 && b->circuits[0].layout == LAYOUT_NONE && b->circuits[1].layout == LAYOUT_NONE)
                snprintf(h->channel, sizeof h->channel, "%c", 'a' + (int) channel - 1);
        else
                snprintf(h->channel, sizeof h->channel, "l%u", channel % 10);
}

static void set_sign(struct hypothesis *h, const struct column *c) {
        if (h)
                h->sign = c->n_negative > 0 ? SUGGEST_SIGNED : SUGGEST_SIGN_UNKNOWN;
}

/* ---- circuits ---- */

static double scale_confidence(const struct scale_choice *s) {
        return s->is_only ? s->confidence : fmin(s->confidence, CAP_UNSURE);
}

static void say_fit(const struct bench *b, const struct circuit *c, struct hypothesis *h) {
        char v[24], i[24], p[24];

        hypothesis_say(h, "%s = %s * %s * power factor: P / (V * I) is %.2f at heavy load", name_of(b, c->power, p),
                       name_of(b, c->voltage, v), name_of(b, c->current, i), c->power_factor);
        if (c->levels > 1)
                hypothesis_say(h, "both were compared at %u different loads", c->levels);
        if (c->layout == LAYOUT_NONE && !circuit_has_factor(c))
                hypothesis_say(h, "all loads had one power factor: a battery, or a power in VA, would look the same");
        if (c->association > 3)
                hypothesis_say(h, "they change together, with P / I far steadier than either");
}

static void say_scale(const struct scale_choice *s, int current, struct hypothesis *h) {
        if (current != s->current)
                hypothesis_say(h, "the same with I and P at another power of ten, which physics cannot exclude");
        else if (s->is_only)
                hypothesis_say(h, "no other common power of ten gives scales that meters are known to have");
        else
                hypothesis_say(h, "I and P could share another power of ten; among known meters this one is usual");
        if (s->ohms > 0 && current == s->current)
                hypothesis_say(h, "the voltage falls with the load as wires of %.2g ohm do", s->ohms);
}

/* What has a scale that goes with the current's: shift is the difference of the exponents. */
static void tell_scaled(const struct bench *b, const struct circuit *c, int column, unsigned quantity, int shift,
                        double confidence, struct suggestion *s) {
        struct scale_choice choice = bench_choose_scale(b, c);
        const struct { int exponent; double confidence; } ranks[] = {
                { choice.current, scale_confidence(&choice) }, { choice.second, choice.second_confidence },
        };

        for (unsigned k = 0; k < 2; k++) {
                struct hypothesis *h;

                if (ranks[k].confidence < SHARE_MIN)
                        continue;
                h = hypothesis_add(s, quantity, ranks[k].exponent + shift, confidence * ranks[k].confidence);
                if (h && quantity == Q_POWER && c->direction >= 0) {
                        h->direction_id = b->columns[c->direction].id;
                        h->direction_reverse = 1;
                }
                set_channel(b, h, c->channel);
                set_sign(h, &b->columns[column]);
                say_fit(b, c, h);
                say_scale(&choice, ranks[k].exponent, h);
        }
}

static bool is_shared(const struct bench *b, int voltage) {
        unsigned n = 0;

        for (unsigned i = 0; i < b->n_circuits; i++)
                n += b->circuits[i].voltage == voltage;
        return n > 1;
}

static void tell_voltage(const struct bench *b, int column, const struct circuit *c, struct suggestion *s) {
        const struct column *v = &b->columns[column];
        struct hypothesis *h = hypothesis_add(s, Q_VOLTAGE, v->voltage_exponent, certainty_of_voltage(b, column, c));

        if (c && !is_shared(b, column))
                set_channel(b, h, c->channel);
        hypothesis_say(h, "%.1f to %.1f V: in the range of mains, and nowhere near it at any other power of ten",
                       v->min * pow(10, v->voltage_exponent), v->max * pow(10, v->voltage_exponent));
        hypothesis_say(h, "it moves by %.1f %% only, and changed %u times", 100 * v->spread, v->changes);
        if (voltage_is_contested(b, v))
                hypothesis_say(h, "another number would do as well");
        if (c)
                say_fit(b, c, h);
}

static void tell_frequency(const struct bench *b, int column, struct suggestion *s) {
        const struct column *f = &b->columns[column];
        /* Nothing else goes with it: a humidity or a battery of 50 would look the same. */
        struct hypothesis *h = hypothesis_add(s, Q_FREQUENCY, f->frequency_exponent,
                                              fmin(logistic(f->frequency_score - 2.5), CAP_UNSURE));

        hypothesis_say(h, "%.2f to %.2f Hz: a grid's frequency, nearly constant",
                       f->min * pow(10, f->frequency_exponent), f->max * pow(10, f->frequency_exponent));
}

static void tell_factor(const struct bench *b, const struct circuit *c, struct suggestion *s) {
        const struct column *x = &b->columns[c->factor];
        double sure = logistic(3 - 40 * c->factor_error + fmin(x->distinct, 10) * 0.2) * certainty_of_circuit(b, c);
        struct hypothesis *h;

        /* P = V * I * PF knows no difference between I and PF; what never comes near 1 may be either. */
        if (x->max * pow(10, c->factor_exponent) < 0.95)
                sure = fmin(sure, CAP_SYMMETRIC);
        h = hypothesis_add(s, Q_POWER_FACTOR, c->factor_exponent, sure);

        set_channel(b, h, c->channel);
        set_sign(h, x);
        hypothesis_say(h, "it is P / (V * I) within %.1f %% on the mean", 100 * c->factor_error);
        say_fit(b, c, h);
}

static void tell_direction(const struct bench *b, const struct circuit *c, struct suggestion *s) {
        struct hypothesis *h = hypothesis_add(s, Q_NONE, 0, 0.85 * certainty_of_circuit(b, c));
        char p[24];

        set_channel(b, h, c->channel);
        if (!h)
                return;
        h->is_direction = true;
        h->direction_reverse = 1;
        hypothesis_say(h, "a register of energy grows by %s only while this is 0, or only while it is 1",
                       name_of(b, c->power, p));
        hypothesis_say(h, "that 1 means export is custom, and no physics");
}

static void tell_circuit(const struct bench *b, int column, const struct circuit *c, struct suggestion *s) {
        double role = certainty_of_circuit(b, c);

        if (column == c->current)
                tell_scaled(b, c, column, Q_CURRENT, 0, role, s);
        else if (column == c->power)
                tell_scaled(b, c, column, Q_POWER, c->ratio, role, s);
        else if (column == c->apparent)
                tell_scaled(b, c, column, Q_APPARENT_POWER, c->ratio + c->apparent_exponent,
                            fmin(role * 0.95, c->is_apparent_sure ? CAP_UNSURE : CAP_SYMMETRIC), s);
        else if (column == c->reactive)
                tell_scaled(b, c, column, Q_REACTIVE_POWER, c->ratio + c->reactive_exponent, role * 0.95, s);
        else if (column == c->factor)
                tell_factor(b, c, s);
        else if (column == c->direction)
                tell_direction(b, c, s);
}

static void tell_total(const struct bench *b, struct suggestion *s) {
        struct scale_choice choice = bench_choose_scale(b, &b->circuits[0]);
        double role = 1;
        struct hypothesis *h;
        char p[24];

        for (unsigned i = 0; i < b->n_circuits; i++)
                role = fmin(role, certainty_of_circuit(b, &b->circuits[i]));
        /* A mean or a peak goes with one power nearly as well. */
        if (b->n_circuits == 1)
                role = fmin(role, CAP_SYMMETRIC);
        h = hypothesis_add(s, Q_POWER, choice.current + b->circuits[0].ratio + b->total_ratio,
                           0.97 * role * scale_confidence(&choice));
        set_sign(h, &b->columns[b->total]);
        if (b->n_circuits == 1)
                hypothesis_say(h, "it is %s once more, within %.1f %%", name_of(b, b->circuits[0].power, p),
                               100 * b->total_error);
        else
                hypothesis_say(h, "it is the sum of the powers of all %u channels within %.1f %%", b->n_circuits,
                               100 * b->total_error);
        say_scale(&choice, choice.current, h);
}

/* ---- energies ---- */

static void say_energy(const struct energy *e, struct hypothesis *h) {
        h->is_increment = e->is_increment;
        hypothesis_say(h, "%s by the integral of the power%s within %.1f %%, over %.0f counts",
                       e->is_increment ? "what it tells adds up" : "it only grows, and",
                       e->is_export ? " that flows back" : "", 100 * e->error, e->ticks);
}

/* A power and its energy, and nothing else that would tell how much of it is one watt. */
static void tell_lone_energy(const struct bench *b, const struct energy *e, int column, struct suggestion *s) {
        struct scale_choice choice = bench_choose_lone_scale(e);
        double sure = fmin(logistic(e->score - 5) * choice.confidence, CAP_LONE);
        bool is_power = column == e->power;
        unsigned energy = e->is_export ? Q_ENERGY_EXPORT : Q_ENERGY_IMPORT;
        struct hypothesis *h = hypothesis_add(s, is_power ? Q_POWER : energy,
                                              choice.current + (is_power ? 0 : e->ratio), sure);
        char p[24], r[24];

        if (!h)
                return;
        set_sign(h, &b->columns[column]);
        hypothesis_say(h, "%s grows by the integral of %s within %.1f %%, over %.0f counts", name_of(b, e->column, r),
                       name_of(b, e->power, p), 100 * e->error, e->ticks);
        hypothesis_say(h, "no current and no voltage were found: both could share another power of ten");
}

static void say_doubts(const struct bench *b, const struct energy *e, struct hypothesis *h) {
        if (e->may_be_export)
                hypothesis_say(h, "a flag stood at 1: if that is the direction, all this flowed back");
        if (energy_may_begin_again(b, e))
                hypothesis_say(h, "what is counted of a day only looks the same until it begins again");
}

static void tell_energy(const struct bench *b, const struct energy *e, struct suggestion *s) {
        const struct circuit *c = energy_circuit(b, e);
        unsigned quantity = e->is_export ? Q_ENERGY_EXPORT : Q_ENERGY_IMPORT;
        struct scale_choice choice;
        double sure;

        if (e->power >= 0) {
                tell_lone_energy(b, e, e->column, s);
                return;
        }
        choice = bench_choose_scale(b, c);
        sure = certainty_of_energy(b, e);
        for (unsigned k = 0; k < 2; k++) {
                int current = k == 0 ? choice.current : choice.second;
                double scale = k == 0 ? scale_confidence(&choice) : choice.second_confidence;
                struct hypothesis *h;

                if (scale < SHARE_MIN)
                        continue;
                h = hypothesis_add(s, quantity, current + c->ratio + e->ratio, sure * scale);
                if (!h)
                        return;
                if (e->circuit >= 0)
                        set_channel(b, h, c->channel);
                say_energy(e, h);
                say_doubts(b, e, h);
                say_scale(&choice, current, h);
        }
}

/* ---- a column ---- */

static const struct circuit *circuit_of_voltage(const struct bench *b, int column) {
        for (unsigned i = 0; i < b->n_circuits; i++)
                if (b->circuits[i].voltage == column)
                        return &b->circuits[i];
        return NULL;
}

/* A meter counts all its phases alike. */
static bool is_odd_phase(const struct bench *b, const struct circuit *c) {
        for (unsigned i = 0; i < b->n_circuits; i++)
                if (b->circuits[i].layout == c->layout && b->circuits[i].power_den != c->power_den)
                        return true;
        return false;
}

static void tell_parts(const struct bench *b, int column, struct suggestion *s) {
        for (unsigned i = 0; i < b->n_circuits; i++)
                tell_circuit(b, column, &b->circuits[i], s);
        if (column == b->total)
                tell_total(b, s);
        for (unsigned i = 0; i < b->n_energies; i++)
                if (b->energies[i].column == column)
                        tell_energy(b, &b->energies[i], s);
                else if (b->energies[i].power == column && s->count == 0)
                        tell_lone_energy(b, &b->energies[i], column, s);
}

void hypotheses_of_column(const struct bench *b, unsigned column, struct suggestion *s) {
        const struct column *c = &b->columns[column];
        const struct circuit *circuit = circuit_of_voltage(b, (int) column);

        tell_parts(b, (int) column, s);
        if (s->count > 0)
                return;
        if (!circuit && c->is_word)
                return;
        if (circuit || (c->voltage_score > 0 && c->changes > 0))
                tell_voltage(b, (int) column, circuit, s);
        if (!circuit && c->frequency_score > 0)
                tell_frequency(b, (int) column, s);
}

/* ---- a raw value as a whole ---- */

void hypotheses_of_layout(const struct bench *b, const struct circuit *c, struct suggestion *s) {
        double sure = is_odd_phase(b, c) ? fmin(c->layout_confidence, CAP_UNSURE) : c->layout_confidence;
        struct hypothesis *h = hypothesis_add(s, Q_NONE, 0, sure);

        set_channel(b, h, c->channel);
        h->layout = c->layout;
        h->power_den = c->power_den;
        hypothesis_say(h, "its bytes give %.1f to %.1f V, of the mains, in %u values", c->volts_low,
                       c->volts_high, c->samples);
        if (c->power_factor > 0)
                hypothesis_say(h, "their power is %.2f of voltage times current, and not above it", c->power_factor);
        set_sign(h, &b->columns[c->power]);
}

/* ---- nothing ---- */

static const char *reason_of(const struct bench *b, const struct observed_series *s, const struct column *c) {
        if (!c)
                return "it is no number, and has no layout that is known";
        if (s->changes == 0)
                return "it never changed";
        if (c->is_flag)
                return "it is a switch or a state, and goes with nothing else";
        if (c->n_known < 2 || c->changes == 0)
                return "it never changed while it was not 0";
        if (c->distinct < 4)
                return "it had too few different values";
        if (c->grows)
                return b->n_circuits > 0 ? "it only grows, but not by the power that was seen"
                                         : "it only grows: energy or time, and no power was found to tell which";
        return "it goes with nothing else";
}

void hypotheses_refuse(const struct bench *b, unsigned series, struct suggestion *s) {
        const struct column *column = NULL;

        for (unsigned i = 0; i < b->n_columns; i++)
                if (b->columns[i].series == series && !b->columns[i].is_word)
                        column = &b->columns[i];
        snprintf(s->cannot_tell, sizeof s->cannot_tell, "%s",
                 reason_of(b, observations_series(b->o, series), column));
}
