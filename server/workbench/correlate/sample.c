/* What a search works on: fields, and the known values at the times of a sample of packets. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "workbench/correlate/parts.h"

static void search_freep(struct search *s) {
        search_free(s);
}

static size_t sample_size(const struct packets *packets) {
        size_t most = 1;

        for (unsigned i = 0; i < packets->n_groups; i++)
                most = packets->groups[i].n > most ? packets->groups[i].n : most;
        return most < SAMPLE_MAX ? most : SAMPLE_MAX;
}

int search_init(struct search *ret, const struct packets *packets, const struct known *known,
                const struct correlate_options *options) {
        size_t max = sample_size(packets);
        CLEANUP(search_freep) struct search s = {
                .packets = packets, .known = known, .options = options, .extra = options->tolerance,
                .candidates = calloc(2 * CANDIDATES_MAX, sizeof *s.candidates),
                .fields = calloc(packets->n_groups ? packets->n_groups : 1, sizeof *s.fields),
                .x = calloc(max, sizeof *s.x),
                .matched_x = calloc(max, sizeof *s.matched_x),
                .matched_y = calloc(max, sizeof *s.matched_y),
                .matched_t = calloc(max, sizeof *s.matched_t),
                .matches = calloc(LAGS * max, sizeof *s.matches),
                .sampled.max = max,
                .sampled.y = calloc(LAGS * max, sizeof *s.sampled.y),
        };
        bool is_whole = s.candidates && s.fields && s.x && s.matched_x && s.matched_y && s.matched_t && s.matches &&
                        s.sampled.y;
        int r = is_whole ? 0 : -ENOMEM;

        for (unsigned i = 0; r >= 0 && i < packets->n_groups; i++)
                r = fields_of(&packets->groups[i], &s.fields[i]);
        if (r < 0)
                return r;
        *ret = s;
        s = (struct search) { .packets = packets };
        return 0;
}

void search_free(struct search *s) {
        for (unsigned i = 0; s->fields && i < s->packets->n_groups; i++)
                fields_free(&s->fields[i]);
        free(s->fields);
        free(s->candidates);
        free(s->x);
        free(s->matched_x);
        free(s->matched_y);
        free(s->matched_t);
        free(s->matches);
        free(s->sampled.y);
        s->fields = NULL;
        s->candidates = NULL;
        s->x = s->matched_x = s->matched_y = s->matched_t = s->sampled.y = NULL;
        s->matches = NULL;
}

bool search_meets(const struct search *s, int zone_s) {
        const struct known *k = s->known;
        int64_t margin_ms = LAG_MAX_S * 1000, shift_ms = zone_s * INT64_C(1000);

        if (k->n == 0 || s->packets->total == 0)
                return false;
        return s->packets->first_ms + shift_ms - margin_ms <= k->rows[k->n - 1].utc_ms &&
               s->packets->last_ms + shift_ms + margin_ms >= k->rows[0].utc_ms;
}

struct fit_rules search_rules(const struct search *s, bool with_intercept) {
        return (struct fit_rules) {
                .with_intercept = with_intercept,
                .rounding = (double) s->known->digit / KNOWN_UNITS / 2,
                .extra = s->extra,
        };
}

static void fill_row(const struct search *s, const struct packet_group *g, struct sampled *sampled, int lag_s) {
        double *row = sampled_row(sampled, lag_s);
        int64_t shift_ms = (sampled->zone_s + lag_s) * INT64_C(1000), value;
        size_t hint = 0;

        for (size_t i = 0; i < sampled->n; i++)
                row[i] = known_at(s->known, g->utc_ms[i * sampled->step] + shift_ms, &hint, &value)
                         ? (double) value / KNOWN_UNITS : NAN;
}

int search_sample(struct search *s, unsigned group, int zone_s) {
        const struct packet_group *g = &s->packets->groups[group];
        struct sampled *sampled = &s->sampled;

        if (sampled->valid && sampled->group == group && sampled->zone_s == zone_s)
                return 0;
        sampled->group = group;
        sampled->zone_s = zone_s;
        sampled->step = (g->n - 1) / sampled->max + 1;
        sampled->n = (g->n - 1) / sampled->step + 1;
        sampled->valid = true;
        for (int lag_s = -LAG_MAX_S; lag_s <= LAG_MAX_S; lag_s++)
                fill_row(s, g, sampled, lag_s);
        s->work += sampled->n * LAGS;
        return 0;
}

void search_read(struct search *s, const struct candidate *c) {
        const struct packet_group *g = &s->packets->groups[c->group];

        for (size_t i = 0; i < s->sampled.n; i++)
                s->x[i] = (double) field_read(c->field, packet_at(g, i * s->sampled.step));
}
