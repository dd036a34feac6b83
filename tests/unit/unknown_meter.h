/* A meter that nobody knows, made up of loads, for the tests of suggest(). */
#pragma once

#include "workbench/suggest/suggest.h"

struct unknown_meter {
        struct observations *observations;  /* owned */
        struct suggestions *found;          /* owned */
        struct datapoint_table table;
        const struct profile *profile;      /* borrowed; NULL: none */
        uint64_t random, now_ms;
        double volts;
};

struct load {
        double watts, factor;                      /* as switched on */
        double volts, amperes, now, var;           /* at this moment; now: W */
};

/* Datapoints of the three. */
enum { CURRENT = 41, POWER = 7, VOLTAGE = 99 };

/* As 1/n. */
struct scales {
        double volts, amperes, watts;
};

static const struct scales plug = { 10, 1000, 10 }, rail = { 10, 1000, 1 };

void unknown_begin(struct unknown_meter *m, uint64_t seed);
void unknown_end(struct unknown_meter *m);

/* A datapoint is told, and a few ms pass. */
void unknown_tell(struct unknown_meter *m, uint16_t id, uint8_t type, int64_t number);
void unknown_tell_bytes(struct unknown_meter *m, uint16_t id, const uint8_t *bytes, size_t len);
void unknown_wait(struct unknown_meter *m, unsigned seconds);

double unknown_noise(struct unknown_meter *m);     /* -1..1 */
struct load unknown_load(struct unknown_meter *m);
/* A moment later. */
void unknown_step(struct unknown_meter *m, struct load *l);

void unknown_tell_three(struct unknown_meter *m, const struct load *l, const struct scales *s);
/* Some minutes of a meter: at each moment the three are told, unless s is NULL, and then each is called, unless it
 * is, with what flowed so far in Wh. */
void unknown_play(struct unknown_meter *m, const struct scales *s, unsigned moments,
                  void (*each)(struct unknown_meter *m, const struct load *l, double wh));

void unknown_suggest(struct unknown_meter *m, bool has_no_times);
const struct suggestion *unknown_suggestion(const struct unknown_meter *m, uint16_t id);
const struct hypothesis *unknown_best(const struct unknown_meter *m, uint16_t id);
/* The best hypothesis is this quantity with a scale of 1/den. */
void assert_meaning(const struct unknown_meter *m, uint16_t id, unsigned quantity, int64_t den);
void assert_cannot_tell(const struct unknown_meter *m, uint16_t id, const char *why);
