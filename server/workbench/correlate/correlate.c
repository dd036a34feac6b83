#include "workbench/correlate/correlate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "workbench/correlate/parts.h"

enum {
        HALF_HOUR_S = 1800,
        ZONES = 57,               /* fourteen hours each way in halves, and none */
        FAR_ROWS_MS = 2000,       /* a register grows noticeably between rows further apart */
        ENERGIES_MAX = 2,         /* fields told for each direction of energy */
};

/* Where nothing fits exactly: another instrument, or values that were smoothed. Shares of the values' spread. */
static const double looser[] = { 0, 0.01, 0.04 };

#define DECISIVE_CHANCE (-8.0)    /* log10; with this nothing can be found at another time zone but the same again,
                                   * which is looked for alone */
#define DECISIVE_SHARE  0.9
#define GOOD_CHANCE     (-3.0)    /* a looser tolerance is not tried then */
#define GOOD_SHARE      0.6
#define BLUNT           0.01     /* share of the values' spread */

/* What an energy that was integrated may be off by: shares of all of it. */
static const double energy_shares[] = { 0, 0.001, 0.01 };

static void free_search(struct search *s) {
        search_free(s);
}

/* ---- the time between them ---- */

static int64_t time_apart(const struct packets *p, const struct known *k) {
        int64_t before, after;

        if (p->total == 0 || k->n == 0)
                return 0;
        before = k->rows[0].utc_ms - p->last_ms;
        after = p->first_ms - k->rows[k->n - 1].utc_ms;
        return before > after ? before : after;
}

/* ---- all zones ---- */

static const struct candidate *best_of(const struct search *s) {
        const struct candidate *best = NULL;

        for (size_t i = 0; i < s->n_candidates; i++)
                if (!best || s->candidates[i].score > best->score)
                        best = &s->candidates[i];
        return best;
}

static bool is_found(const struct search *s, double chance, double share) {
        const struct candidate *best = best_of(s);

        return best && best->has_simple_scale && best->chance <= chance &&
               (double) best->fit.matched >= share * (double) best->fit.total;
}

/* A field whose single count is as much may be the upper half of a finer one that fits less strictly. */
static bool is_blunt(const struct search *s) {
        const struct candidate *best = best_of(s);

        return best && best->bluntness > BLUNT;
}

/* 0, +1, -1, +2, ... half hours. */
static int zone_at(unsigned i) {
        return (i % 2 ? 1 : -1) * (int) ((i + 1) / 2) * HALF_HOUR_S;
}

/* What repeats itself, such as a machine that runs every hour, fits in more zones than one. */
static void look_elsewhere(struct search *s, unsigned first) {
        const struct candidate *best = best_of(s);

        for (unsigned i = first; i < ZONES; i++)
                if (search_meets(s, zone_at(i)) && judge_elsewhere(s, best, zone_at(i)))
                        return;
}

static int search_zones(struct search *s, bool *ret_met) {
        int r = 0;

        s->sampled.valid = false;
        for (unsigned i = 0; r >= 0 && i < ZONES; i++) {
                if (s->options->progress)
                        s->options->progress(s->options->userdata, i, ZONES);
                if (!search_meets(s, zone_at(i)))
                        continue;
                *ret_met = true;
                r = search_zone(s, zone_at(i));
                if (r >= 0 && is_found(s, DECISIVE_CHANCE, DECISIVE_SHARE)) {
                        look_elsewhere(s, i + 1);
                        break;
                }
        }
        return r;
}

/* ---- how far the values go ---- */

static int compare_values(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

/* But for the fiftieth at either end: some values may be wrong. */
static int spread_of(const struct known *k, double *ret) {
        size_t step = k->n / 65536 + 1, n = 0;
        double *v = calloc(k->n / step + 1, sizeof *v);

        if (!v)
                return -ENOMEM;
        for (size_t i = 0; i < k->n; i += step)
                if (k->rows[i].value != KNOWN_HOLE)
                        v[n++] = (double) k->rows[i].value / KNOWN_UNITS;
        qsort(v, n, sizeof *v, compare_values);
        *ret = n > 0 ? v[n - 1 - n / 50] - v[n / 50] : 0;
        free(v);
        return 0;
}

static int search_loosening(struct search *s, bool *ret_met) {
        double spread;
        int r = spread_of(s->known, &spread);

        for (unsigned i = 0; r >= 0 && i < ELEMENTS(looser); i++) {
                s->looseness = i;
                s->extra = s->options->tolerance + looser[i] * spread;
                r = search_zones(s, ret_met);
                if (!*ret_met || (is_found(s, GOOD_CHANCE, GOOD_SHARE) && !is_blunt(s)))
                        break;
        }
        return r;
}

/* ---- what there was to compare ---- */

/* Pairs and different values at the best field's lag, or where none is decided in the largest group at no lag. */
static int count_pairs(struct search *s, struct correlate_result *ret) {
        const struct correlate_field *best = ret->n_fields > 0 && ret->fields[0].decided ? &ret->fields[0] : NULL;
        unsigned group = best ? best->group : 0;
        size_t n = 0;
        double *row;
        int r;

        for (unsigned i = 1; !best && i < s->packets->n_groups; i++)
                if (s->packets->groups[i].n > s->packets->groups[group].n)
                        group = i;
        s->sampled.valid = false;
        r = s->packets->total > 0 ? search_sample(s, group, best ? best->zone_s : 0) : 0;
        if (r < 0 || s->packets->total == 0)
                return r;
        row = sampled_row(&s->sampled, best ? (best->lag_from_s + best->lag_to_s) / 2 : 0);
        for (size_t i = 0; i < s->sampled.n; i++)
                if (!isnan(row[i]))
                        row[n++] = row[i];
        s->sampled.valid = false;
        qsort(row, n, sizeof *row, compare_values);
        ret->pairs = best ? best->total : n;
        for (size_t i = 0; i < n; i++)
                ret->distinct += i == 0 || row[i] != row[i - 1];
        return 0;
}

static int find(struct search *s, struct correlate_result *ret) {
        int r = search_loosening(s, &ret->met);

        if (r >= 0)
                r = rank_candidates(s, ret);
        if (r >= 0)
                r = count_pairs(s, ret);
        ret->work += s->work;
        return r;
}

/* ---- energy of a power ---- */

static bool is_told(const struct correlate_result *ret, const struct correlate_field *f) {
        for (unsigned i = 0; i < ret->n_fields; i++) {
                const struct correlate_field *o = &ret->fields[i];

                if (o->group == f->group && o->decided && f->field.offset < o->field.offset + o->field.width &&
                    o->field.offset < f->field.offset + f->field.width)
                        return true;
        }
        return false;
}

static void add_energies(struct correlate_result *ret, const struct correlate_result *energies, int direction) {
        for (unsigned i = 0, n = 0; i < energies->n_fields && n < ENERGIES_MAX; i++) {
                const struct correlate_field *f = &energies->fields[i];

                if (ret->n_fields == CORRELATE_FIELDS_MAX || is_told(ret, f) || !f->scale_is_simple ||
                    fabs(f->intercept) > KNOWN_REGISTER_MAX_KWH)
                        continue;
                ret->fields[ret->n_fields] = *f;
                ret->fields[ret->n_fields++].energy = direction;
                n++;
        }
}

static void free_result(struct correlate_result **r) {
        free(*r);
}

/* Registers that grow as the known power says: of what is above zero, or below. */
static int find_energy(const struct packets *packets, const struct known *energy,
                       const struct correlate_options *options, int zone_s, int direction,
                       struct correlate_result *ret) {
        CLEANUP(free_result) struct correlate_result *energies = calloc(1, sizeof *energies);
        CLEANUP(free_search) struct search s = { .packets = packets };
        double all = (double) energy->rows[energy->n - 1].value / KNOWN_UNITS;
        int r = energies ? search_init(&s, packets, energy, options) : -ENOMEM;

        if (r < 0)
                return r;
        for (unsigned i = 0; r >= 0 && i < ELEMENTS(energy_shares) && search_meets(&s, zone_s); i++) {
                s.n_candidates = 0;
                s.extra = all * energy_shares[i];
                r = search_zone(&s, zone_s);
                if (is_found(&s, GOOD_CHANCE, GOOD_SHARE))
                        break;
        }
        if (r >= 0)
                r = rank_candidates(&s, energies);
        if (r >= 0)
                add_energies(ret, energies, direction);
        ret->work += s.work;
        return r;
}

static int find_energies(const struct packets *packets, const struct known *power,
                         const struct correlate_options *options, struct correlate_result *ret) {
        int zone_s = ret->n_fields > 0 && ret->fields[0].decided ? ret->fields[0].zone_s : 0, r = 0;

        for (int direction = 1; r >= 0 && direction >= -1; direction -= 2) {
                struct known energy = { .n = 0 };

                r = known_integrate(power, options->kilowatt_units, direction, &energy);
                if (r >= 0)
                        r = find_energy(packets, &energy, options, zone_s, direction, ret);
                known_free(&energy);
                r = r == -ENODATA ? 0 : r;
        }
        return r;
}

/* ---- all ---- */

/* Between two far rows of a register nothing stays: where steps do not fit, a slope may. */
static int find_on_slope(const struct packets *packets, const struct known *known,
                         const struct correlate_options *options, struct correlate_result *ret) {
        CLEANUP(free_result) struct correlate_result *result = calloc(1, sizeof *result);
        CLEANUP(free_search) struct search s = { .packets = packets };
        struct known sloped = *known;
        int r = result ? search_init(&s, packets, &sloped, options) : -ENOMEM;

        if (r < 0)
                return r;
        sloped.is_sloped = true;
        r = find(&s, result);
        result->work += ret->work;
        result->apart_ms = ret->apart_ms;
        if (r >= 0 && result->n_fields > 0 && (ret->n_fields == 0 || result->fields[0].decided))
                *ret = *result;
        return r;
}

int correlate(const struct packets *packets, const struct known *known, const struct correlate_options *options,
              struct correlate_result *ret) {
        CLEANUP(free_search) struct search s = { .packets = packets };
        int r = search_init(&s, packets, known, options);

        *ret = (struct correlate_result) { .apart_ms = time_apart(packets, known) };
        if (r >= 0)
                r = find(&s, ret);
        if (r >= 0 && known->is_total && !known->is_sloped && known->interval_ms > FAR_ROWS_MS &&
            (ret->n_fields == 0 || !ret->fields[0].decided))
                r = find_on_slope(packets, known, options, ret);
        if (r >= 0 && ret->met && options->kilowatt_units > 0)
                r = find_energies(packets, known, options, ret);
        return r;
}
