/* Up to where the totals of a counter are told. What lies above might be lost with the power, and who has seen it
 * would see the counter step back: the limit stands for all of it. As totals never fall, that is what the counter was
 * at some moment. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* All zero: there is none. */
struct total_limit {
        bool set;
        int64_t most;     /* in the resolution of the meter's newest schema; INT64_MIN: no total is told */
};

/* False: nothing of it may be told. */
static inline bool total_limit_apply(const struct total_limit *limit, int64_t *total) {
        if (limit->set && *total > limit->most)
                *total = limit->most;
        return !limit->set || limit->most != INT64_MIN;
}
