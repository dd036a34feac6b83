#include "meters/values.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "meters/meter_events.h"
#include "meters/scaling.h"

/* ---- counters go on ---- */

void values_begin(struct values *v, const struct protocol *protocol, const struct profile *profile) {
        v->protocol = protocol;
        series_set_init(&v->series, protocol, profile);
        v->plausibility = (struct plausibility) { 0 };
        totals_forget(&v->totals);
        v->energy_check = (struct energy_check) { 0 };
        if (v->completeness.since_ms == 0)
                completeness_begin(&v->completeness, clock_now_ms());
        v->has_reading = false;
        v->restored = false;
        v->early.count = 0;
        recorder_define(&v->recorder, v->config->id, &v->series, v->config->stale_after_ms);
        values_restore(v);
}

/* After a crash nobody knows what was shown last: it may have been more, so nothing is shown until the meter has told
 * its register again. */
static void restore_series(struct values *v, struct series *s, bool may_show) {
        int64_t reading, total, at_ms;

        if (quantity_catalogue[s->quantity].kind != QUANTITY_COUNTER || s->source == SOURCE_INTEGRATED ||
            !recorder_restore(&v->recorder, &v->series, s->channel, s->quantity, &reading, &total, &at_ms))
                return;
        totals_restore(&v->totals, s->channel, s->quantity, reading, total, at_ms);
        if (may_show)
                series_restore(s, total, at_ms);
}

/* Whether a total that is shown now would be known again after a power cut: the register shows its growth again, but
 * not what it counted before it began anew. */
static bool survives(const struct values *v, unsigned series, const struct counter *c) {
        struct recorded_energy safe = { 0 };

        if (!v->recorder.history)
                return true;
        (void) recorder_safe(&v->recorder, series, &safe);
        return !c->adds && c->total - c->reading == safe.total - safe.reading;
}

/* Shows what is safe, in place of what is not yet. */
static void renew_safe(struct values *v, struct series *s, unsigned series) {
        struct recorded_energy safe;

        if (!recorder_safe(&v->recorder, series, &safe) || (s->known && safe.total < s->value))
                return;
        s->known = true;
        s->value = safe.total;
        s->at_ms = safe.at_ms;
        if (s->source == SOURCE_INTEGRATED)
                snprintf(s->origin, sizeof s->origin, "power over time");
}

static void renew_energies(struct values *v) {
        for (unsigned i = 0; i < v->series.count; i++) {
                struct series *s = &v->series.items[i];
                const struct counter *c;

                if (quantity_catalogue[s->quantity].kind != QUANTITY_COUNTER)
                        continue;
                c = totals_find(&v->totals, s->channel, s->quantity);
                if (s->source == SOURCE_INTEGRATED || (c && c->known && !survives(v, i, c)))
                        renew_safe(v, s, i);
        }
}

/* What a register said is still so: it would have told that it moved on. */
static void take_early(struct values *v) {
        struct report early = v->early;

        v->early.count = 0;
        if (early.at_ms < v->last_reading_ms)
                early.at_ms = v->last_reading_ms;
        if (early.count > 0)
                values_take(v, &early, v->early_frame);
}

void values_restore(struct values *v) {
        bool may_show;

        if (v->restored || !recorder_is_ready(&v->recorder))
                return;
        v->restored = true;
        may_show = recorder_may_show(&v->recorder);
        for (unsigned i = 0; i < v->series.count; i++)
                restore_series(v, &v->series.items[i], may_show);
        renew_energies(v);
        take_early(v);
}

/* ---- what is believed ---- */

/* Power becomes energy, which nothing takes back: it has limits where the configuration names none. Beyond what the
 * history can keep nothing is believed. */
static bool is_within_limits(const struct meter_config *c, const struct reading *r) {
        const struct limit *limit = &c->limits[r->quantity];

        if (r->value < -HISTORY_VALUE_MAX || r->value > HISTORY_VALUE_MAX)
                return false;
        if (limit->set)
                return r->value >= limit->min && r->value <= limit->max;
        return r->quantity != Q_POWER || (r->value >= -totals_max_power_mw(c) && r->value <= totals_max_power_mw(c));
}

static struct judged_reading judged(const struct values *v, const struct report *report, uint64_t frame,
                                    const struct reading *r) {
        return (struct judged_reading) { .meter = v->config->id, .at_ms = report->at_ms, .frame = frame,
                                         .set = &v->series, .reading = r };
}

static bool take_limits(struct values *v, const struct report *report, uint64_t frame, struct reading *r) {
        const struct series *s = series_set_get(&v->series, r->channel, r->quantity);
        struct judged_reading j = judged(v, report, frame, r);

        if (scaling_apply(v->config, r) && is_within_limits(v->config, r))
                return true;
        v->withheld_by_limits++;
        j.has_previous = s && s->known;
        j.previous = j.has_previous ? s->value : 0;
        meter_event_outside_limits(v->events, &j);
        return false;
}

/* True while nobody knows where the counter had been: then the reading counts when that is known. */
static bool has_to_wait(struct values *v, const struct report *report, uint64_t frame, const struct reading *raw,
                        const struct reading *scaled) {
        if (v->restored || quantity_catalogue[raw->quantity].kind != QUANTITY_COUNTER)
                return false;
        if (raw->is_increment)
                totals_wait(&v->totals, scaled);
        else if (report_set(&v->early, *raw)) {
                v->early.at_ms = report->at_ms;
                v->early_frame = frame;
                v->withheld_early++;
        }
        return true;
}

/* False while the register cannot be believed; then its value is not published. */
static bool take_counter(struct values *v, const struct report *report, uint64_t frame, struct reading *r) {
        struct reading shown = *r;
        struct judged_reading j = judged(v, report, frame, &shown);
        const struct counter *before;
        enum counter_verdict verdict;

        if (quantity_catalogue[r->quantity].kind != QUANTITY_COUNTER)
                return true;
        before = totals_find(&v->totals, r->channel, r->quantity);
        j.has_previous = before && before->known;
        j.previous = j.has_previous ? before->reading : 0;
        verdict = totals_take(&v->totals, v->config, report->at_ms, r);
        meter_event_verdict(v->events, &j, verdict);
        if (verdict == COUNTER_RESET)
                log_notice("meter %s: the register of %s begins anew; the published energy goes on without a jump",
                           v->config->id, quantity_catalogue[r->quantity].key);
        return counter_is_accepted(verdict);
}

static void check_plausibility(struct values *v, const struct report *report) {
        char text[256];

        if (plausibility_take(&v->plausibility, report) && values_notice(v, text, sizeof text))
                log_warning("meter %s: %s", v->config->id, text);
}

/* Any channel's power will do; a meter without one counts by all that it tells. */
static bool counts_as_known(const struct values *v, const struct reading *r) {
        for (unsigned i = 0; i < v->series.count; i++)
                if (v->series.items[i].quantity == Q_POWER)
                        return r->quantity == Q_POWER;
        return quantity_catalogue[r->quantity].kind == QUANTITY_GAUGE;
}

/* A recording that is replayed at another speed has registers of other times than ours. */
static bool has_our_time(const struct meter_config *c) {
        return !c->replay.path || c->replay.speed == REPLAY_SPEED_ONE;
}

static void watch(struct values *v, const struct report *report) {
        bool checks_energy = has_our_time(v->config);

        for (unsigned i = 0; i < report->count; i++) {
                const struct reading *r = &report->readings[i];

                if (counts_as_known(v, r))
                        completeness_take(&v->completeness, report->at_ms, v->config->stale_after_ms);
                if (checks_energy && r->channel == 0 && r->quantity == Q_POWER)
                        energy_check_power(&v->energy_check, report->at_ms, r->value, v->config->stale_after_ms);
                if (checks_energy && r->channel == 0 && r->quantity == Q_ENERGY_IMPORT)
                        energy_check_register(&v->energy_check, report->at_ms, r->value);
        }
}

/* A total that would not survive is not shown yet: it stays what it was. */
static void publish(struct values *v, const struct report *report) {
        struct report published = { .at_ms = report->at_ms };

        for (unsigned i = 0; i < report->count; i++) {
                struct reading r = report->readings[i];
                const struct counter *c = totals_find(&v->totals, r.channel, r.quantity);
                const struct series *s = series_set_get(&v->series, r.channel, r.quantity);

                if (c && s && !survives(v, (unsigned) (s - v->series.items), c)) {
                        if (!s->known)
                                continue;
                        r.value = s->value;
                }
                published.readings[published.count++] = r;
        }
        series_set_apply(&v->series, &published, v->protocol->origin_name);
}

void values_take(struct values *v, struct report *report, uint64_t frame) {
        unsigned kept = 0;

        values_restore(v);
        for (unsigned i = 0; i < report->count; i++) {
                const struct reading raw = report->readings[i];
                struct reading r = raw;

                if (take_limits(v, report, frame, &r) && !has_to_wait(v, report, frame, &raw, &r) &&
                    take_counter(v, report, frame, &r))
                        report->readings[kept++] = r;
        }
        report->count = kept;
        if (kept == 0)
                return;
        watch(v, report);
        publish(v, report);
        recorder_take(&v->recorder, v->config->id, &v->series, &v->totals, report, v->config->stale_after_ms);
        renew_energies(v);
        v->has_reading = true;
        v->last_reading_ms = report->at_ms;
        check_plausibility(v, report);
}

/* ---- what others see ---- */

/* A published total is the newest that may be shown.
 * Without one the register's rows are of before the start, and safe. */
bool values_total_limit(const struct values *v, const struct series *s, int64_t *ret_most) {
        const struct counter *c;

        if (!v->recorder.history || quantity_catalogue[s->quantity].kind != QUANTITY_COUNTER)
                return false;
        if (s->known) {
                *ret_most = s->value;
                return true;
        }
        c = totals_find(&v->totals, s->channel, s->quantity);
        if (s->source != SOURCE_INTEGRATED && (!c || !c->known || survives(v, (unsigned) (s - v->series.items), c)))
                return false;
        *ret_most = INT64_MIN;
        return true;
}

const char *values_withheld(const struct values *v, unsigned i, uint64_t *ret_count) {
        unsigned verdict = COUNTER_UNCONFIRMED + i - 2;

        if (i == 0) {
                *ret_count = v->withheld_by_limits;
                return "limits";
        }
        if (i == 1) {
                *ret_count = v->withheld_early;
                return "history_not_read";
        }
        *ret_count = v->totals.counts[verdict];
        return counter_verdict_names[verdict];
}

bool values_notice(const struct values *v, char *buf, size_t size) {
        const struct plausibility *p = &v->plausibility;

        if (p->found == POWER_FITS)
                return false;
        plausibility_describe(p, v->series.channels[p->channel], buf, size);
        return true;
}
