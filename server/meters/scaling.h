/* The factor of an instrument transformer in front of the meter (scale: in the configuration). */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "protocols/report.h"

/* Scales a value and its step, rounded half away from zero, where its quantity is one that the transformer changes.
 * False when the result leaves the range. */
bool scaling_apply(const struct meter_config *config, struct reading *reading);
