/* What the label of a channel gives away. */
#pragma once

#include <stdbool.h>

#include "protocols/profile.h"

/* A word that says that a voltage, current, power or energy is not the measured one of the mains: a limit, a leakage,
 * a balance. NULL when there is none. */
const char *openbeken_other_word(const char *label);

/* The part of a meter that a label names at its end: "Power (A)" gives "a", "Voltage L2" "l2", "Phase B" "l2",
 * "Power 1" "a". ret holds CHANNEL_NAME_MAX + 1 bytes. */
bool openbeken_channel_mark(const char *label, char *ret);

/* Why such a datapoint should never be written: DANGER_NONE where nothing says so. */
enum datapoint_danger openbeken_danger(const char *label);
