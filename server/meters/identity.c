#include "meters/identity.h"

#include <string.h>

#include "base/log.h"
#include "config/profile_file.h"

const struct profile *identity_profile(const struct meter_config *config, const char *product_key) {
        const struct profile *known = profile_for_product_key(config->protocol->name, product_key);

        if (config->profile) {
                if (known && strcmp(known->name, config->profile->name) != 0)
                        log_warning("meter %s: its product key %s belongs to profile %s, but the configuration says "
                                    "%s", config->id, product_key, known->name, config->profile->name);
                return config->profile;
        }
        if (known)
                log_info("meter %s: product %s is %s (profile %s)", config->id, product_key, known->title,
                         known->name);
        else
                log_notice("meter %s: product %s has no profile: its datapoints are shown as they are; name a "
                           "profile in the configuration", config->id, product_key);
        return known;
}
