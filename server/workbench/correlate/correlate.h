/* Where in unknown frames is a value that is known from elsewhere: the search behind `metergate correlate`. Pure:
 * packets and known values in, ranked fields out.
 *
 * For each lag and time zone the known values are sampled at the packets' times. Every offset, width, byte order and
 * sign is tried on a few of them first; what lies on a straight line there is weighed on some thousand packets, and
 * the best of that on all. How many fields would fit by chance is reckoned with, and decides whether there is an
 * answer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workbench/correlate/fields.h"
#include "workbench/correlate/known.h"
#include "workbench/correlate/packets.h"

#define CORRELATE_FIELDS_MAX 32   /* told at most */
#define CORRELATE_OPEN_MAX   9    /* things that the data leaves open */
#define CORRELATE_TEXT_MAX   160

struct correlate_options {
        double tolerance;         /* how far known values may be off beside rounding, in their unit */
        int64_t kilowatt_units;   /* what one of their units is in 10^-9 kW when they are a power; 0: they are none */
        void (*progress)(void *userdata, uint64_t done, uint64_t total);  /* NULL: nobody looks */
        void *userdata;
};

struct correlate_field {
        unsigned group;           /* of the packets */
        struct field field;
        bool sign_known, order_known;
        int energy;               /* 1, -1: of the known power, above or below zero; 0: it is the known value */
        double scale;             /* known value = scale * number + intercept */
        bool scale_is_simple;     /* then it is exactly this: */
        int64_t scale_num, scale_den;
        bool has_intercept;
        double intercept;
        int zone_s;               /* the known values' clock is set so much ahead of the packets' */
        int lag_from_s, lag_to_s; /* all of these fit: the known value at packet time + zone + lag */
        uint64_t matched, total;  /* packets inside the tolerance, packets with a known value */
        double max_error;         /* of the matched, in units */
        double tolerance;         /* that it took beside rounding, in units */
        double by_chance;         /* how many fields would be expected to fit as well by chance */
        bool decided;
        unsigned n_open;
        char open[CORRELATE_OPEN_MAX][CORRELATE_TEXT_MAX];  /* what is not decided, and why */
};

struct correlate_result {
        unsigned n_fields;
        struct correlate_field fields[CORRELATE_FIELDS_MAX];
        bool met;                 /* packets and known values overlap in some time zone */
        int64_t apart_ms;         /* unless met: between the end of one and the begin of the other */
        uint64_t pairs;           /* packets with a known value, for the best field; none decided: at no lag */
        size_t distinct;          /* different known values among them */
        uint64_t work;            /* pairs looked at */
};

/* Finds the fields. 0, also when there are none; -ENOMEM. */
int correlate(const struct packets *packets, const struct known *known, const struct correlate_options *options,
              struct correlate_result *ret);
