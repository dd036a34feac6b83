/* A number that was cut a byte too early: where the values tremble, its upper bytes alone with a coarse scale may
 * fit, and the whole number with its own does not. */
#include <math.h>

#include "workbench/correlate/parts.h"

#define CUT_SPREAD 0.8  /* a byte of something else makes the spread larger, one that hardly counts leaves it */
#define CUT_LEAST  0.2  /* counts: a byte that is missing leaves 0.29, as all that lies within a count does */

/* Sums over packets of what is left of the known values, to tell how far it spreads. */
struct residues {
        size_t n;
        double sum, squares;
};

static void add_residue(struct residues *r, double residue) {
        r->n++;
        r->sum += residue;
        r->squares += residue * residue;
}

static double spread_of(const struct residues *r) {
        double mean = r->sum / (double) r->n;

        return sqrt(fmax(0, r->squares / (double) r->n - mean * mean));
}

static double with_byte(const struct candidate *c, const uint8_t *packet, unsigned at) {
        int64_t number = field_read(c->field, packet);
        double part = packet[at] / 256.0;

        return c->field.sign == FIELD_SIGN_MAGNITUDE && number < 0 ? (double) number - part : (double) number + part;
}

/* Of the packets that fit without the byte. */
static bool goes_on_at(const struct search *s, const struct candidate *c, unsigned at) {
        const struct packet_group *g = &s->packets->groups[c->group];
        struct fit_rules rules = search_rules(s, c->with_intercept);
        int64_t shift_ms = (c->zone_s + c->lag_s) * INT64_C(1000), value;
        struct residues without = { .n = 0 }, with = { .n = 0 };
        double tolerance;
        size_t hint = 0;

        rules.extra = c->extra;
        tolerance = fit_tolerance(&rules, c->fit.scale) * (1 + 1e-9);
        for (size_t i = 0; at < g->length && i < g->n; i++) {
                const uint8_t *packet = packet_at(g, i);
                double residue;

                if (!known_at(s->known, g->utc_ms[i] + shift_ms, &hint, &value))
                        continue;
                residue = (double) value / KNOWN_UNITS - c->fit.intercept;
                if (fabs(residue - c->fit.scale * (double) field_read(c->field, packet)) > tolerance)
                        continue;
                add_residue(&without, residue - c->fit.scale * (double) field_read(c->field, packet));
                add_residue(&with, residue - c->fit.scale * with_byte(c, packet, at));
        }
        return with.n > 0 && spread_of(&without) > CUT_LEAST * fabs(c->fit.scale) &&
               spread_of(&with) < CUT_SPREAD * spread_of(&without);
}

/* A single byte may go on at either side. */
bool judge_is_cut(const struct search *s, const struct candidate *c, unsigned *ret_offset) {
        unsigned before = c->field.offset - 1U, behind = (unsigned) c->field.offset + c->field.width;

        *ret_offset = c->field.big_endian ? behind : before;
        if (goes_on_at(s, c, *ret_offset))
                return true;
        *ret_offset = c->field.big_endian ? before : behind;
        return c->field.width == 1 && goes_on_at(s, c, *ret_offset);
}
