#include "config/tariffs.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "config/config_parts.h"

#define QUARTER_MIN 15
#define WEEK_DAYS 7

static const char day_names[WEEK_DAYS][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

const struct tariff *tariff_at(const struct tariff *tariffs, unsigned n, unsigned weekday, unsigned minute) {
        unsigned quarter = minute / QUARTER_MIN;

        for (unsigned i = 0; i < n; i++)
                if ((tariffs[i].days >> weekday & 1) && (tariffs[i].quarters[quarter / 8] >> quarter % 8 & 1))
                        return &tariffs[i];
        return NULL;
}

/* ---- the section of the configuration ---- */

static int read_price(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        int64_t price;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (decimal_parse(text, 6, &price) < 0)
                return schema_fail(w, node, "%s is not a price", yaml_show(node, shown));
        *(int64_t *) target = price;
        return 0;
}

/* Costs in several currencies cannot be added up. */
static int read_currency(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const struct config *c = config_loader_of(w)->config;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (strlen(text) != 3 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
                return schema_fail(w, node, "%s is not a currency", yaml_show(node, shown));
        if (c->n_tariffs > 0 && strcmp(text, c->tariffs[0].currency) != 0)
                return schema_fail_expected(w, node, c->tariffs[0].currency,
                                            "%s is a second currency, and costs in two cannot be added up",
                                            yaml_show(node, shown));
        memcpy(target, text, 4);
        return 0;
}

/* WEEK_DAYS when text does not begin with one. */
static unsigned day_of(const char *text) {
        unsigned day = 0;

        while (day < WEEK_DAYS && strncmp(text, day_names[day], 3) != 0)
                day++;
        return day;
}

/* "mon-fri" or "sat"; "sat-mon" goes on with the next week. */
static bool take_days(const char *text, struct tariff *t) {
        unsigned day = day_of(text), last = day;

        if (day < WEEK_DAYS && text[3] == '-')
                last = day_of(text += 4);
        if (day == WEEK_DAYS || last == WEEK_DAYS || text[3])
                return false;
        for (; day != last; day = (day + 1) % WEEK_DAYS)
                t->days |= (uint8_t) (1u << day);
        t->days |= (uint8_t) (1u << last);
        return true;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Quarters of "06:30", up to 24:00; -1 for anything else. Looks at five characters. */
static int quarters_of_day(const char *text) {
        int hours, minutes;

        if (!is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' || !is_digit(text[3]) || !is_digit(text[4]))
                return -1;
        hours = (text[0] - '0') * 10 + text[1] - '0';
        minutes = (text[3] - '0') * 10 + text[4] - '0';
        if (minutes > 59 || minutes % QUARTER_MIN != 0 || hours * 60 + minutes > 24 * 60)
                return -1;
        return (hours * 60 + minutes) / QUARTER_MIN;
}

/* "22:00-06:00": may run over midnight, but not from a time to the same one. */
static bool take_hours(const char *text, struct tariff *t) {
        int quarter = quarters_of_day(text), to;

        if (quarter < 0 || text[5] != '-')
                return false;
        to = quarters_of_day(text + 6);
        if (to < 0 || to == quarter || text[11])
                return false;
        do {
                quarter %= DAY_QUARTERS;
                t->quarters[quarter / 8] |= (uint8_t) (1u << quarter % 8);
                quarter++;
        } while (quarter % DAY_QUARTERS != to % DAY_QUARTERS);
        return true;
}

/* Each part of a list with commas in it. */
static int read_parts(struct schema_walk *w, const yaml_node_t *node, struct tariff *t,
                      bool (*take)(const char *, struct tariff *)) {
        char parts[128], shown[YAML_SHOW_MAX], *rest = parts, *part;
        const char *text;
        int r;

        r = schema_text(w, node, sizeof parts - 1, &text);
        if (r < 0)
                return r;
        strcpy(parts, text);
        while ((part = strsep(&rest, ",")))
                if (!take(part + strspn(part, " "), t))
                        return schema_fail(w, node, "%s cannot be read", yaml_show(node, shown));
        return 0;
}

static int read_days(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct tariff *t = target;

        t->days = 0;
        return read_parts(w, node, t, take_days);
}

static int read_hours(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct tariff *t = target;

        memset(t->quarters, 0, sizeof t->quarters);
        return read_parts(w, node, t, take_hours);
}

const struct schema_row config_tariff_fields[] = {
        { .key = "name", .required = true, .offset = offsetof(struct tariff, name), .size = TARIFF_NAME_SIZE,
          .read = schema_read_chars, .form = "a text of up to 64 bytes", .meaning = "Name of the tariff." },
        { .key = "price", .required = true, .offset = offsetof(struct tariff, price), .read = read_price,
          .form = "a decimal number with up to 6 places such as 0.28", .meaning = "Price of one kWh." },
        { .key = "currency", .required = true, .offset = offsetof(struct tariff, currency), .read = read_currency,
          .form = "three capital letters such as EUR", .meaning = "Currency of the price, one for all tariffs." },
        { .key = "days", .read = read_days, .form = "days such as mon-fri or mon,wed,sat", .fallback = "all",
          .meaning = "Days on which the price holds, from midnight to midnight." },
        { .key = "hours", .read = read_hours, .form = "times of day in quarter hours such as \"06:00-22:00\"",
          .fallback = "all",
          .meaning = "Hours in which the price holds on these days; \"22:00-06:00\" are those before 06:00 and those "
                     "from 22:00 on. The first tariff that fits wins." },
        { .key = NULL },
};

static int read_tariff(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config *c = target;
        struct tariff *t = &c->tariffs[c->n_tariffs];
        int r;

        t->days = (1u << WEEK_DAYS) - 1;
        memset(t->quarters, 0xff, sizeof t->quarters);
        r = schema_read_map(w, node, config_tariff_fields, t);
        if (r < 0)
                return r;
        c->n_tariffs++;
        return 0;
}

/* Somebody who forgot the weekend should not have to find out from a bill. */
static int warn_of_holes(struct schema_walk *w, const yaml_node_t *node, const struct config *c) {
        char text[128];

        for (unsigned day = 0; day < WEEK_DAYS; day++)
                for (unsigned minute = 0; minute < 24 * 60; minute += QUARTER_MIN) {
                        if (tariff_at(c->tariffs, c->n_tariffs, day, minute))
                                continue;
                        snprintf(text, sizeof text, "no price holds on %s at %02u:%02u; the cost of such times is "
                                 "not known", day_names[day], minute / 60, minute % 60);
                        return config_warn(w, node, text);
                }
        return 0;
}

int config_read_tariffs(struct schema_walk *w, const yaml_node_t *node, void *config) {
        struct config *c = config;
        int r;

        if (yaml_is_null(node))
                return 0;
        c->tariffs = calloc(TARIFFS_MAX, sizeof *c->tariffs);
        if (!c->tariffs)
                return schema_no_memory(w);
        r = schema_read_items(w, node, TARIFFS_MAX, read_tariff, c);
        if (r < 0 || c->n_tariffs == 0)
                return r;
        return warn_of_holes(w, node, c);
}
