/* Shared by the parts of the search; nobody else's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workbench/correlate/correlate.h"
#include "workbench/correlate/fields.h"
#include "workbench/correlate/fit.h"

enum {
        LAG_MAX_S = 120,
        LAGS = 2 * LAG_MAX_S + 1,     /* index 0 is -LAG_MAX_S */
        SAMPLE_MAX = 2048,            /* packets of a group that hypotheses are weighed on; survivors meet all */
        CANDIDATES_MAX = 512,         /* kept of all hypotheses while searching */
};

enum match { MATCH_UNKNOWN, MATCH_NO, MATCH_YES };

/* One hypothesis. */
struct candidate {
        unsigned group;
        struct field field;
        bool with_intercept;
        double extra;                 /* tolerance beside rounding, in units */
        unsigned looseness;           /* how often it was widened for that */
        int zone_s;
        int lag_s, lag_from_s, lag_to_s;  /* beside the zone */
        struct fit fit;
        bool has_simple_scale, has_rival_scale;
        struct scale simple, rival;   /* rival: fits as well and is as simple */
        double chance;                /* log10 of how many wrong fields are expected to fit as well */
        double score;
        double bluntness;             /* its tolerance as a share of how far the values go */
        uint64_t hash;                /* of how its numbers change: equal for fields that say the same */
        bool top_seen;                /* the top bit was set in some packet */
        uint64_t steady;              /* its bits above the highest one that ever changed, as a number */
        unsigned changing;            /* bits that are not steady */
        bool is_tagged;               /* a ZCL type byte of just this width stands before it */
};

/* What is known at the times of some packets of a group, at each lag. */
struct sampled {
        unsigned group;
        int zone_s;
        size_t n;
        size_t step;                  /* every so manieth packet of the group */
        size_t max;                   /* packets that there is room for */
        double *y;                    /* owned; LAGS rows of max, NAN where nothing is known */
        bool valid;
};

struct search {
        const struct packets *packets;
        const struct known *known;
        const struct correlate_options *options;
        struct fields *fields;        /* owned; one for each group */
        double extra;                 /* tolerance of hypotheses that are made now */
        unsigned looseness;
        struct candidate *candidates; /* owned; 2 * CANDIDATES_MAX have room */
        size_t n_candidates;
        struct sampled sampled;
        double *x;                    /* owned; numbers of the field at hand at the sampled packets */
        double *matched_x, *matched_y, *matched_t; /* owned; those of the sample that match, and their times in s */
        uint8_t *matches;             /* owned; enum match: LAGS for each sampled packet */
        uint64_t hypotheses;          /* fields times lags that were tried */
        uint64_t work;                /* pairs looked at */
};

int search_init(struct search *s, const struct packets *packets, const struct known *known,
                const struct correlate_options *options);
void search_free(struct search *s);

/* Hypotheses at one time zone, added to the candidates. */
int search_zone(struct search *s, int zone_s);
/* True when packets and known values can meet there at all. */
bool search_meets(const struct search *s, int zone_s);

/* Best first. */
void search_sort(struct search *s);

struct fit_rules search_rules(const struct search *s, bool with_intercept);
int search_sample(struct search *s, unsigned group, int zone_s);
/* The numbers of a field at the sampled packets, in s->x. */
void search_read(struct search *s, const struct candidate *c);
static inline double *sampled_row(const struct sampled *sampled, int lag_s) {
        return sampled->y + (size_t) (lag_s + LAG_MAX_S) * sampled->max;
}

/* Lag, scale and chance on the sample; sets the score. */
int judge_on_sample(struct search *s, struct candidate *c);
/* The window of lags, then everything again on all packets. */
int judge_on_all(struct search *s, struct candidate *c);

/* Whether the number goes on in the byte behind its lowest one: with it less is left of the known values. */
bool judge_is_cut(const struct search *s, const struct candidate *c, unsigned *ret_offset);

/* Whether the same field fits in another time zone as well; it is a candidate there then. */
bool judge_elsewhere(struct search *s, const struct candidate *c, int zone_s);

/* Puts candidates that say the same together and what they leave open into words. */
int rank_candidates(struct search *s, struct correlate_result *ret);
