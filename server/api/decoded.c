#include "api/decoded.h"

#include <stdio.h>
#include <string.h>

#include "protocols/tuyamcu/layout.h"

static void put_history(struct json_writer *w, const struct tuya_history *h) {
        if (h->year > 0)
                json_put_uint(w, "year", h->year);
        json_put_uint(w, "month", h->month);
        if (h->day > 0)
                json_put_uint(w, "day", h->day);
        json_put_decimal(w, "energy_kwh", h->energy_10wh, 2);
}

/* "over_current_a" without its unit, which has three letters at the most. */
static int stem_len(const char *name) {
        const char *unit = strrchr(name, '_');

        return (int) (unit && strlen(unit + 1) <= 3 ? (size_t) (unit - name) : strlen(name));
}

static void put_limit(struct json_writer *w, const struct tuya_limit *limit) {
        char name[32], action[48];

        if (limit->name)
                snprintf(name, sizeof name, "%s", limit->name);
        else
                snprintf(name, sizeof name, "code_%u", limit->code);
        snprintf(action, sizeof action, "%.*s_action", limit->name ? stem_len(name) : (int) strlen(name), name);
        json_put_uint(w, name, limit->threshold);
        json_put_string(w, action, limit->trips ? "trip" : "alarm");
}

/* The last one of a code counts: each key stands once. */
static bool comes_again(enum datapoint_layout layout, struct span value, size_t offset, uint8_t code) {
        struct tuya_limit limit;

        while (tuya_limit_next(layout, value, &offset, &limit))
                if (limit.code == code)
                        return true;
        return false;
}

static void put_limits(struct json_writer *w, enum datapoint_layout layout, struct span value) {
        struct tuya_limit limit;
        size_t offset = 0;

        while (tuya_limit_next(layout, value, &offset, &limit))
                if (!comes_again(layout, value, offset, limit.code))
                        put_limit(w, &limit);
}

void decoded_put(struct json_writer *w, const struct profile_datapoint *row, struct span value) {
        struct report none = { .count = 0 };
        struct tuya_history history;
        bool is_history, is_limits;
        const char *name;

        if (!row)
                return;
        is_history = tuya_history_read(row->layout, value, &history);
        is_limits = row->layout == LAYOUT_LIMITS_METER || row->layout == LAYOUT_LIMITS_BREAKER;
        if (!is_history && !is_limits)
                return;
        tuya_layout_map(row, value, 0, &none, &name);
        if (!name)
                return;
        json_object_begin(w, "decoded");
        json_put_string(w, "layout", name);
        if (is_history)
                put_history(w, &history);
        else
                put_limits(w, row->layout, value);
        json_object_end(w);
}
