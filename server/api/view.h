/* What several handlers need: times and values the way every answer shows them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/app.h"
#include "base/json_writer.h"
#include "history/total_limit.h"

#define VIEW_TICK_MS 100  /* rows are kept in ticks of this, so no answer shows a finer time */

/* The moment an answer is about; also looks at the wall clock again. */
uint64_t view_now(void);

/* UTC of a boot-time stamp, rounded down to the tick. False while the clock is not trusted. */
bool view_time(uint64_t boot_ms, int64_t *ret_utc_ms);

/* "KEY" as RFC 3339 and "KEY_ms"; both null when known is false or the clock is not trusted. */
void view_put_time(struct json_writer *w, const char *key, bool known, uint64_t boot_ms);

/* "age_s", rounded down to 0.1 s; null when known is false. */
void view_put_age(struct json_writer *w, uint64_t now_ms, bool known, uint64_t boot_ms);

/* "at", "at_ms" and "age_s" of the meter's newest reading. */
void view_put_last_reading(struct json_writer *w, const struct meter *m, uint64_t now_ms);

/* True while the value may be shown. */
bool view_is_current(const struct meter *m, const struct series *s, uint64_t now_ms);

/* A count of 10^-decimals units as a JSON number, or null. */
void view_put_number(struct json_writer *w, const char *key, bool known, int64_t value, unsigned decimals);

/* The value as a JSON number, or null while it may not be shown. */
void view_put_value(struct json_writer *w, const char *key, const struct meter *m, const struct series *s,
                    uint64_t now_ms);

/* Up to where recorded totals of this series may be told: everything that shows the past of a counter asks here, so
 * that nothing tells more than /now. A meter that is configured no more has no limit. */
struct total_limit view_total_limit(const struct app *app, const char *meter, const char *key);
/* Of a row of its own: false, nothing of this total may be told; else it is limited in its place. */
bool view_shown_total(const struct app *app, const char *meter, const char *key, int64_t *total);

/* True for an energy that a meter of power lists as null: it has a register of the other direction alone. */
bool view_lacks_energy(const struct meter *m, enum quantity quantity);

/* NULL in place of an empty text, so that JSON shows null. */
const char *view_text_or_null(const char *text);

/* Name of the meter's profile, NULL while it is not known. */
const char *view_profile_name(const struct meter *m);

/* True while nobody knows what the meter's values mean. */
bool view_lacks_profile(const struct meter *m);

/* "l1" or "" of a series. */
const char *view_channel(const struct meter *m, const struct series *s);

/* What was to be written, under its key: "raw": true, "raw": 5, "text": "..." or "hex": "0100". */
void view_put_write_value(struct json_writer *w, const struct datapoint_write *what);

/* "a, b, c" for messages; what finds no room becomes "...". */
struct name_list {
        char text[360];
        size_t len;
        bool full;
};

void name_list_add(struct name_list *l, const char *name);

/* The meter that {id} names. NULL: the reply is a 404 that says which exist. */
struct meter *view_find_meter(const struct app *app, const struct request *request, struct reply *reply);

/* What a handler returns at its end: 0, or -E2BIG when the body did not fit or there was no memory for it. */
int view_finish(const struct reply *reply);

/* False with a 503 in the reply while the history cannot be asked: it is being read, or there is none. */
bool view_has_history(const struct app *app, struct reply *reply);

/* What the history takes on disk: pages with something in them, those still open included. */
uint64_t view_history_bytes(const struct history *h);
