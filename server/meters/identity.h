/* What a meter's product key says about it. */
#pragma once

#include "config/config.h"

/* The profile that holds now that the key is known: the configuration's, where it names one, else the key's; NULL:
 * there is none. Tells the log what comes of it. */
const struct profile *identity_profile(const struct meter_config *config, const char *product_key);
