/* How sure what was found is. It is called certain only where physics leaves nothing else that it can be; what has no
 * proof of its own is capped, however well it fits. */
#pragma once

#include "workbench/suggest/bench.h"

#define CAP_UNSURE    0.85 /* of what could still be another power of ten, or a peak of the power: never high */
#define CAP_FEW       0.8  /* of what was seen at few loads */
#define CAP_SYMMETRIC 0.7  /* of an active power that may be the reactive one */
#define CAP_LONE      0.6  /* of a power without a current */
#define CAP_UNLIKE    0.4  /* of a voltage that is unlike a better one */

/* A probability from nats. */
double logistic(double nats);

/* That these columns belong together. */
double certainty_of_circuit(const struct bench *b, const struct circuit *c);
/* Nothing but a power factor that goes with the load tells mains from a battery, power from apparent power, and both
 * from one number told twice. */
bool circuit_has_factor(const struct circuit *c);

/* That a column is a voltage; c: the circuit that it is in, or NULL. */
double certainty_of_voltage(const struct bench *b, int column, const struct circuit *c);
/* Other columns would do as a voltage, and one of them may be a temperature or a battery: V * I is P with any number
 * that hardly moves. */
bool voltage_is_contested(const struct bench *b, const struct column *v);

/* That a column is this energy. */
double certainty_of_energy(const struct bench *b, const struct energy *e);
/* What is counted of a day or an hour is a total until it begins again. */
bool energy_may_begin_again(const struct bench *b, const struct energy *e);
/* The one whose scales it shares. */
const struct circuit *energy_circuit(const struct bench *b, const struct energy *e);
