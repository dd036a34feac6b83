/* How well a current, a power and a voltage belong together. */
#pragma once

#include "workbench/suggest/bench.h"

/* A load that lasted: logarithms of what was told of it. */
struct load_level {
        double current, power, voltage;
        double hold_s;
        double weight;             /* 0..1: what did not last is less sure to belong together */
};

struct pair {
        unsigned n_levels;
        struct load_level levels[MOMENTS_MAX];
        double weight;             /* of all levels */
        double quantum;            /* relative error by the columns' own steps */
        double steady;             /* mean distance of P / I from its median, relative */
        double association;        /* nats */
        double steps;              /* nats of both going up and down at the same moments */
        double switching;          /* nats: both go to 0 and come back together */
};

/* Looks at two columns as current and power; voltage -1: none. False when they have no moment in common. */
bool pair_measure(const struct bench *b, int current, int power, int voltage, struct pair *ret);

/* Nats of a power factor at heavy load, by experience, against any number. */
double pair_rate_factor(double power_factor);

/* The whole score with a voltage, in nats against chance; fills what is known of the circuit then. */
double pair_rate(const struct bench *b, const struct pair *p, struct circuit *c);
