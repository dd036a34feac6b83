#include "meters/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct fleet {
        sd_event *event;         /* borrowed */
        struct meter_parts parts; /* its speeds are owned */
        uint64_t changes;
        unsigned count;
        struct meter *meters[METERS_MAX];
        void (*changed)(void *userdata);
        void *changed_userdata;
};

int fleet_new(sd_event *event, struct history *history, struct events *events, const char *state_directory,
              struct fleet **ret) {
        CLEANUP(fleet_freep) struct fleet *f = calloc(1, sizeof *f);
        int r;

        if (!f)
                return -ENOMEM;
        f->event = event;
        f->parts = (struct meter_parts) { .history = history, .events = events, .changes = &f->changes };
        r = speed_memory_new(state_directory, &f->parts.speeds);
        if (r < 0)
                return r;
        *ret = TAKE(f);
        return 0;
}

struct fleet *fleet_free(struct fleet *f) {
        if (!f)
                return NULL;
        for (unsigned i = 0; i < f->count; i++)
                meter_free(f->meters[i]);
        speed_memory_free(f->parts.speeds);
        free(f);
        return NULL;
}

void fleet_on_change(struct fleet *f, void (*changed)(void *userdata), void *userdata) {
        f->changed = changed;
        f->changed_userdata = userdata;
}

/* A running meter that can simply go on under this configuration, NULL when there is none. A recording that has ended
 * begins again. */
static struct meter *find_equal(const struct fleet *f, const struct meter_config *config) {
        struct meter *m = fleet_find(f, config->id);

        return m && !meter_is_over(m) && meter_config_equal(meter_config(m), config) ? m : NULL;
}

static int create_new_ones(struct fleet *f, const struct config *config, struct meter *created[METERS_MAX]) {
        for (unsigned i = 0; i < config->n_meters; i++) {
                int r;

                if (find_equal(f, &config->meters[i]))
                        continue;
                r = meter_new(f->event, &config->meters[i], &f->parts, &created[i]);
                if (r < 0)
                        return r;
                meter_on_change(created[i], f->changed, f->changed_userdata);
        }
        return 0;
}

/* Lets go of the meters that do not go on; their ports must be free before a successor opens them. */
static void free_others(struct fleet *f, struct meter *const *kept, unsigned n_kept) {
        for (unsigned i = 0; i < f->count; i++) {
                bool is_kept = false;

                for (unsigned k = 0; k < n_kept; k++)
                        is_kept |= kept[k] == f->meters[i];
                if (!is_kept)
                        meter_free(f->meters[i]);
        }
}

int fleet_apply(struct fleet *f, const struct config *config) {
        struct meter *created[METERS_MAX] = { NULL }, *next[METERS_MAX] = { NULL };
        int r;

        r = create_new_ones(f, config, created);
        if (r < 0) {
                for (unsigned i = 0; i < METERS_MAX; i++)
                        meter_free(created[i]);
                return r;
        }
        for (unsigned i = 0; i < config->n_meters; i++) {
                next[i] = created[i] ? created[i] : find_equal(f, &config->meters[i]);
                if (!created[i])
                        meter_set_config(next[i], &config->meters[i]);
        }
        free_others(f, next, config->n_meters);
        memcpy(f->meters, next, sizeof next);
        f->count = config->n_meters;
        f->changes++;
        for (unsigned i = 0; i < config->n_meters; i++)
                if (created[i])
                        r = r < 0 ? r : meter_start(created[i]);
        return r;
}

unsigned fleet_count(const struct fleet *f) {
        return f->count;
}

struct meter *fleet_meter(const struct fleet *f, unsigned i) {
        return i < f->count ? f->meters[i] : NULL;
}

struct meter *fleet_find(const struct fleet *f, const char *id) {
        for (unsigned i = 0; i < f->count; i++)
                if (strcmp(meter_config(f->meters[i])->id, id) == 0)
                        return f->meters[i];
        return NULL;
}

void fleet_restore(struct fleet *f) {
        for (unsigned i = 0; i < f->count; i++)
                meter_restore(f->meters[i]);
}

uint64_t fleet_version(const struct fleet *f) {
        return f->changes;
}
