/* All meters, in the order of the configuration. */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"
#include "meters/meter.h"

struct fleet;

/* history, events: where meters record and tell what happened, borrowed; NULL: nowhere. state_directory: where their
 * speeds are remembered; NULL: nowhere. */
int fleet_new(sd_event *event, struct history *history, struct events *events, const char *state_directory,
              struct fleet **ret);
struct fleet *fleet_free(struct fleet *f);
static inline void fleet_freep(struct fleet **f) { fleet_free(*f); }

/* Called whenever the state of a meter has changed; set it before fleet_apply. */
void fleet_on_change(struct fleet *f, void (*changed)(void *userdata), void *userdata);

/* Makes the fleet what the configuration says: equal meters go on without losing a byte, others are stopped or
 * started. config is borrowed until the next call. On failure nothing changes. */
int fleet_apply(struct fleet *f, const struct config *config);

unsigned fleet_count(const struct fleet *f);
struct meter *fleet_meter(const struct fleet *f, unsigned i);
struct meter *fleet_find(const struct fleet *f, const char *id);  /* NULL when there is none */

/* Changes whenever one of the meters does, or which there are: see meter_version. */
uint64_t fleet_version(const struct fleet *f);

/* The history can be read from now on. */
void fleet_restore(struct fleet *f);
