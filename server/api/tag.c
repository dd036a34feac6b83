#include "api/tag.h"

#include <stdlib.h>

#include "base/hash.h"
#include "history/query.h"

uint64_t tag_begin(const struct app *app) {
        uint64_t tag = hash_number(app->run, app->reloads);

        tag = hash_text(tag, getenv("TZ"));
        for (enum history_tier t = 0; t < TIER_COUNT; t++)
                tag = hash_number(tag, history_oldest(app->history, t));
        return tag;
}

/* Up to where energies are told that a power cut could take back: however old a row, its total is not told above. */
static uint64_t hash_limits(uint64_t tag, const struct meter *m) {
        const struct series_set *set = meter_series(m);
        int64_t most;

        for (unsigned i = 0; i < set->count; i++)
                if (meter_total_limit(m, set->items[i].key, &most))
                        tag = hash_number(tag, (uint64_t) most);
        return tag;
}

/* A clock that was set back makes a new schema and hides rows of the old one. Returns the longest hold. */
static int64_t hash_schemas(uint64_t *tag, const struct history *h, const char *id) {
        const struct schema *s;
        int64_t hold = 0, from, to;
        unsigned slot;

        for (unsigned i = 0; (s = history_schema(h, id, i, &slot)); i++) {
                history_visible(h, slot, &from, &to);
                *tag = hash_number(*tag, s->serial);
                *tag = hash_number(*tag, s->era);
                *tag = hash_number(*tag, (uint64_t) from);
                *tag = hash_number(*tag, (uint64_t) to);
                if (s->hold_ticks > hold)
                        hold = s->hold_ticks;
        }
        return hold;
}

static int64_t least(int64_t a, int64_t b) {
        return a < b ? a : b;
}

/* Rows of an era only ever come behind the newest. So a stretch before the newest row has all that it will have; in
 * one that goes on behind it, the newest row tells which there are, for each has a tick of its own. The last value
 * holds until now, but no longer than its hold time: a meter that is silent for longer has an answer that stays. */
uint64_t tag_meter(uint64_t tag, const struct app *app, const struct meter *m, int64_t to, int64_t now) {
        const char *id = meter_config(m)->id;
        int64_t hold = hash_schemas(&tag, app->history, id), newest;

        tag = hash_text(tag, id);
        if (history_newest_tick(app->history, id, &newest)) {
                tag = hash_number(tag, (uint64_t) least(newest, to));
                now = least(now, newest + hold);
        }
        tag = hash_number(tag, (uint64_t) least(now, to));
        return hash_limits(tag, m);
}

uint64_t tag_all(uint64_t tag, const struct app *app) {
        for (unsigned i = 0; i < fleet_count(app->fleet); i++)
                tag = hash_limits(tag, fleet_meter(app->fleet, i));
        return hash_number(tag, samples_end(app->history));
}
