#include "meters/recorder.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "protocols/quantity.h"

_Static_assert(SERIES_MAX <= SCHEMA_COLUMNS_MAX, "a column for each series");
_Static_assert(SERIES_KEY_MAX <= SCHEMA_KEY_MAX + 1, "keys fit");

void recorder_set_clock(struct history *h, uint64_t now_ms) {
        int64_t utc_ms = 0;
        bool trusted;

        clock_update();
        trusted = clock_to_utc_ms(now_ms, &utc_ms);
        history_set_clock(h, now_ms, trusted, clock_synchronised(), utc_ms - (int64_t) now_ms);
}

/* 1 + the column of the channel's power, 0 when it has none. */
static uint8_t power_column(const struct series_set *set, unsigned channel) {
        for (unsigned i = 0; i < set->count; i++)
                if (set->items[i].channel == channel && set->items[i].quantity == Q_POWER)
                        return (uint8_t) (i + 1);
        return 0;
}

void recorder_define(struct recorder *r, const char *meter_id, const struct series_set *set,
                     uint32_t stale_after_ms) {
        struct schema schema = { .hold_ticks = (stale_after_ms + TICK_MS - 1) / TICK_MS, .n_columns = set->count };
        int error;

        r->n_columns = 0;
        if (!r->history || set->count == 0)
                return;
        snprintf(schema.meter, sizeof schema.meter, "%s", meter_id);
        for (unsigned i = 0; i < set->count; i++) {
                const struct quantity_info *info = &quantity_catalogue[set->items[i].quantity];
                struct schema_column *c = &schema.columns[i];

                memcpy(c->key, set->items[i].key, strlen(set->items[i].key) + 1);
                c->kind = info->kind == QUANTITY_COUNTER ? COLUMN_COUNTER : COLUMN_GAUGE;
                c->decimals = (uint8_t) info->decimals;
                if (set->items[i].source == SOURCE_INTEGRATED)
                        c->integral_of = power_column(set, set->items[i].channel);
                c->is_export = c->integral_of && set->items[i].quantity == Q_ENERGY_EXPORT;
        }
        error = history_define(r->history, &schema, &r->handle);
        if (error < 0)
                log_error("meter %s: its values cannot be recorded: %s", meter_id, strerror(-error));
        else
                r->n_columns = set->count;
}

bool recorder_is_ready(const struct recorder *r) {
        return !r->history || history_is_ready(r->history);
}

static int64_t boot_ms_of(int64_t tick) {
        uint64_t now_ms = clock_now_ms();
        int64_t now_utc_ms;

        if (!clock_to_utc_ms(now_ms, &now_utc_ms))
                return INT64_MIN;
        return tick * TICK_MS - (now_utc_ms - (int64_t) now_ms);
}

bool recorder_restore(const struct recorder *r, const struct series_set *set, unsigned channel, unsigned quantity,
                      int64_t *ret_reading, int64_t *ret_total, int64_t *ret_at_ms) {
        struct history_row row;
        int64_t tick;

        if (!r->history || r->n_columns == 0 || !history_newest(r->history, r->handle, &tick, &row))
                return false;
        for (unsigned i = 0; i < r->n_columns; i++) {
                const struct series *s = &set->items[i];

                if (s->channel != channel || s->quantity != quantity || !(row.mask >> i & 1))
                        continue;
                *ret_reading = row.values[i];
                *ret_total = row.totals[i];
                *ret_at_ms = boot_ms_of(tick);
                return true;
        }
        return false;
}

bool recorder_safe(const struct recorder *r, unsigned series, struct recorded_energy *ret) {
        struct history_row row;
        int64_t tick, at_ms;

        if (!r->history || series >= r->n_columns || !history_newest_safe(r->history, r->handle, &tick, &row) ||
            !(row.mask >> series & 1))
                return false;
        at_ms = boot_ms_of(tick);
        *ret = (struct recorded_energy) { .reading = row.values[series], .total = row.totals[series],
                                          .at_ms = at_ms > 0 ? (uint64_t) at_ms : 0 };
        return true;
}

static bool is_safe(const struct recorder *r) {
        struct history_row newest, safe;
        int64_t tick;

        if (!history_newest(r->history, r->handle, &tick, &newest))
                return true;
        if (!history_newest_safe(r->history, r->handle, &tick, &safe))
                return false;
        for (unsigned i = 0; i < r->n_columns; i++)
                if ((newest.mask >> i & 1) && (!(safe.mask >> i & 1) || safe.totals[i] != newest.totals[i]))
                        return false;
        return true;
}

bool recorder_may_show(const struct recorder *r) {
        if (!r->history || r->n_columns == 0 || !history_ended_cleanly(r->history))
                return false;
        return is_safe(r) || history_flush(r->history) == 0;
}

/* What a derived value is made of. */
static bool feeds_derived(unsigned quantity) {
        return quantity == Q_VOLTAGE || quantity == Q_CURRENT || quantity == Q_POWER || quantity == Q_APPARENT_POWER;
}

/* The meter repeats nothing: only what came with this report counts as reported now. */
static bool belongs_to(const struct report *report, const struct series *s, uint32_t stale_after_ms) {
        for (unsigned i = 0; i < report->count; i++) {
                const struct reading *reading = &report->readings[i];

                if (reading->channel != s->channel)
                        continue;
                if (reading->quantity == s->quantity)
                        return true;
                if (s->source == SOURCE_DERIVED && feeds_derived(reading->quantity))
                        return series_is_current(s, report->at_ms, stale_after_ms);
        }
        return false;
}

static void put_counter(struct history_row *row, unsigned column, const struct totals *totals,
                        const struct series *s) {
        const struct counter *counter = totals_find(totals, s->channel, s->quantity);

        if (!counter || !counter->known)
                return;
        row->mask |= UINT64_C(1) << column;
        row->values[column] = counter->reading;
        row->totals[column] = counter->total;
}

void recorder_take(struct recorder *r, const char *meter_id, const struct series_set *set,
                   const struct totals *totals, const struct report *report, uint32_t stale_after_ms) {
        struct history_row row = { 0 };

        if (!r->history)
                return;
        if (r->n_columns != set->count)
                recorder_define(r, meter_id, set, stale_after_ms);
        if (r->n_columns == 0)
                return;
        for (unsigned i = 0; i < set->count; i++) {
                const struct series *s = &set->items[i];

                if (s->source == SOURCE_INTEGRATED)
                        continue;
                if (quantity_catalogue[s->quantity].kind == QUANTITY_COUNTER)
                        put_counter(&row, i, totals, s);
                else if (s->known && belongs_to(report, s, stale_after_ms)) {
                        row.mask |= UINT64_C(1) << i;
                        row.values[i] = s->value;
                }
        }
        recorder_set_clock(r->history, report->at_ms);
        history_append(r->history, r->handle, report->at_ms, &row);
}
