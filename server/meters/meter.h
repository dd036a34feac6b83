/* One meter: owns its link, its protocol session, its current values and its state. Others read it through the
 * functions below; nothing outside writes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "config/config.h"
#include "history/events.h"
#include "meters/frame_log.h"
#include "meters/line.h"
#include "meters/plausibility.h"
#include "meters/series.h"
#include "meters/values.h"
#include "meters/speed_memory.h"
#include "meters/totals.h"
#include "meters/write_limit.h"
#include "protocols/protocol.h"
#include "workbench/suggest/suggest.h"

#define METER_TRANSITIONS_MAX 16  /* state changes kept for /diagnostics */
#define METER_NOTICE_MAX 256      /* bytes of a notice with its end */

struct meter_transition {
        uint64_t at_ms;
        enum meter_state state;
        const char *reason;        /* lives as long as the meter */
};

struct meter;

/* What all meters share, borrowed. */
struct meter_parts {
        struct history *history;   /* where they record; NULL: nowhere */
        struct events *events;     /* where they tell what happened; NULL: nowhere */
        struct speed_memory *speeds;
        uint64_t *changes;         /* counts what happens to any of them */
};

/* config is borrowed and must outlive the meter, or be replaced with meter_set_config. */
int meter_new(sd_event *event, const struct meter_config *config, const struct meter_parts *parts,
              struct meter **ret);
struct meter *meter_free(struct meter *m);
static inline void meter_freep(struct meter **m) { meter_free(*m); }

int meter_start(struct meter *m);

/* Called whenever the meter's state has changed. */
void meter_on_change(struct meter *m, void (*changed)(void *userdata), void *userdata);

/* Swaps in an equal configuration (meter_config_equal) from a reloaded file. */
void meter_set_config(struct meter *m, const struct meter_config *config);

/* What an owner asks for. 0: it is on its way, and what became of it will be told as an event; else see
 * protocol->act, and -EAGAIN: too often, refusal->wait_ms says for how long. */
int meter_act(struct meter *m, const struct action_request *request, struct action_refusal *refusal);

const struct meter_config *meter_config(const struct meter *m);
const struct profile *meter_profile(const struct meter *m);     /* NULL while not known */
/* Changes whenever anything may have that others see of the meter, but for what changes with time alone. Never the
 * same as an earlier one, of another meter either. */
uint64_t meter_version(const struct meter *m);
uint64_t meter_since(const struct meter *m);  /* monotonic: when its counters, not the energies, were 0 */
enum meter_state meter_state(const struct meter *m);
const struct meter_transition *meter_transitions(const struct meter *m, unsigned *ret_count);  /* oldest first */
const struct series_set *meter_series(const struct meter *m);
/* Up to where a recorded total of that series may be told, as values_total_limit; false for any other key. */
bool meter_total_limit(const struct meter *m, const char *key, int64_t *ret_most);
const struct session *meter_session(const struct meter *m);
/* Why it is in that state. */
const char *meter_reason(const struct meter *m);
/* NULL: there is no such line. LINE_RX always is. */
const struct line *meter_line(const struct meter *m, enum line_side side);
/* A recording was replayed to its end, or cannot be: nothing will ever come from this meter again. */
bool meter_is_over(const struct meter *m);
const struct frame_log *meter_frames(const struct meter *m);
/* What datapoints without a meaning may mean, as observer_suggest; NULL while there are none. */
int meter_suggest(struct meter *m, uint64_t now_ms, const struct suggestions **ret);
/* Since when they are watched; false: they are not. */
bool meter_observed_since(const struct meter *m, uint64_t *ret_ms);

/* True while at least one gauge is fresh. */
bool meter_available(const struct meter *m, uint64_t now_ms);

/* Time of the newest reading; false when there was none yet. */
bool meter_last_reading(const struct meter *m, uint64_t *ret_at_ms);

/* Readings that were not published, by reason, for metrics; false past the last. */
bool meter_withheld(const struct meter *m, unsigned i, const char **ret_reason, uint64_t *ret_count);

const struct plausibility *meter_plausibility(const struct meter *m);
const struct totals *meter_totals(const struct meter *m);

/* What the owner should look into although the meter delivers, one sentence each; false past the last. */
bool meter_notice(const struct meter *m, unsigned i, char buf[METER_NOTICE_MAX]);

/* The history can be read from now on: counters go on from where they were. */
void meter_restore(struct meter *m);

/* How much of the last hour the meter's power was known, in thousandths. */
unsigned meter_completeness_permille(const struct meter *m, uint64_t now_ms);
/* The register beside the power. */
const struct energy_check *meter_energy_check(const struct meter *m);
