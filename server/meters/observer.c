#include "meters/observer.h"

#include <errno.h>

#include "config/config.h"

static bool is_known(const struct protocol *protocol, const struct profile *profile, const struct datapoint *d) {
        struct attribute_info info;

        if (!protocol->attribute)
                return profile && d->id <= UINT8_MAX && profile_datapoint(profile, (uint8_t) d->id);
        protocol->attribute(d, &info);
        return info.name != NULL;
}

static void forget(struct observer *o) {
        o->observations = observations_free(o->observations);
        o->suggestions = suggestions_free(o->suggestions);
}

/* Whether there is something to watch for. What was unknown may be known by another profile. */
static bool has_unknown(struct observer *o, const struct protocol *protocol, const struct profile *profile,
                        const struct datapoint_table *table) {
        if (profile != o->profile)
                o->n_known = 0;
        o->profile = profile;
        while (o->n_known < table->count && is_known(protocol, profile, &table->items[o->n_known]))
                o->n_known++;
        return o->n_known < table->count;
}

/* Real time to that of the recording. */
static uint64_t recorded_ms(const struct observer *o, uint64_t real_ms) {
        return o->speed > 0 ? real_ms * o->speed / REPLAY_SPEED_ONE : real_ms;
}

void observer_note(struct observer *o, uint64_t now_ms, const struct protocol *protocol,
                   const struct profile *profile, const struct datapoint_table *table) {
        if (!has_unknown(o, protocol, profile, table)) {
                forget(o);
                return;
        }
        if (!o->observations && !o->failed)
                o->failed = observations_new(OBSERVER_RUNS_MAX, &o->observations) < 0;
        if (o->observations)
                observations_note(o->observations, recorded_ms(o, now_ms), table);
}

static bool is_fresh(const struct observer *o, uint64_t now_ms, const struct profile *profile) {
        return o->suggestions && o->suggested_profile == profile && now_ms < o->suggested_ms + OBSERVER_SUGGEST_MS;
}

int observer_suggest(struct observer *o, uint64_t now_ms, const struct protocol *protocol,
                     const struct profile *profile, const struct suggestions **ret) {
        const struct suggest_settings settings = { .protocol = protocol, .profile = profile };
        struct suggestions *made = NULL;
        int r = 0;

        if (o->failed)
                return -ENOMEM;
        if (o->observations && !is_fresh(o, now_ms, profile)) {
                r = suggest(o->observations, &settings, &made);
                if (r < 0)
                        return r;
                suggestions_free(o->suggestions);
                o->suggestions = made;
                o->suggested_profile = profile;
                o->suggested_ms = now_ms;
        }
        *ret = o->suggestions;
        return 0;
}

bool observer_since(const struct observer *o, uint64_t *ret_ms) {
        uint64_t last_ms;

        if (!o->observations)
                return false;
        observations_span(o->observations, ret_ms, &last_ms);
        if (o->speed > 0)
                *ret_ms = (*ret_ms * REPLAY_SPEED_ONE + o->speed - 1) / o->speed;
        return true;
}

void observer_end(struct observer *o) {
        forget(o);
}
