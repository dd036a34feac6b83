/* Totals hour by hour as Home Assistant's recorder takes them in (recorder.import_statistics): the state at the end
 * of each hour, and the sum since the counter's very first total. An hour is told once nothing can change it any
 * more, and always in the same way, so importing it again changes nothing. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "history/history.h"
#include "history/total_limit.h"

struct energy_statistics_spec {
        const char *meter, *channel;     /* copied */
        int64_t from, to;                /* ticks, full hours of UTC, over */
        int64_t now;                     /* tick */
        struct total_limit import_limit, export_limit;
};

struct energy_statistics;

int energy_statistics_new(struct history *h, const struct energy_statistics_spec *spec,
                          struct energy_statistics **ret);
struct energy_statistics *energy_statistics_free(struct energy_statistics *s);

/* As export_next. */
int energy_statistics_next(struct energy_statistics *s, struct buffer *out);
