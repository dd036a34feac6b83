/* Which price holds when. */
#pragma once

#include "config/config.h"

/* The first of the tariffs that holds at a moment of local time: weekday 0 is Monday, minute that of the day. NULL:
 * none does. */
const struct tariff *tariff_at(const struct tariff *tariffs, unsigned n, unsigned weekday, unsigned minute);
