#include "config/config_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/units.h"

#define ZONEINFO "/usr/share/zoneinfo"
#define TARIFFS_MAX 32
#define HISTORY_SIZE_MIN (1024 * 1024)

/* "Europe/Warsaw": no way out of the database's folder. */
static bool is_zone_name(const char *name) {
        return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") == strlen(name) &&
               name[0] != '/' && !strstr(name, "//");
}

/* A host without the database cannot tell, so there only the form counts. */
static bool zone_exists(const char *name) {
        char path[160];
        struct stat st;

        if (stat(ZONEINFO, &st) < 0)
                return true;
        snprintf(path, sizeof path, ZONEINFO "/%s", name);
        return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int read_timezone(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char **zone = target, shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, 64, &text);
        if (r < 0)
                return r;
        if (!is_zone_name(text) || !zone_exists(text))
                return schema_fail(w, node, "%s is no time zone", yaml_show(node, shown));
        *zone = strdup(text);
        return *zone ? 0 : schema_no_memory(w);
}

const struct schema_row config_site_fields[] = {
        { .key = "name", .offset = offsetof(struct config, site.name), .size = 65, .read = schema_read_string,
          .form = "a text of up to 64 bytes", .fallback = "Home", .meaning = "Title of the page." },
        { .key = "timezone", .offset = offsetof(struct config, site.timezone), .read = read_timezone,
          .form = "a name from the tz database such as Europe/Warsaw", .fallback = "the system's",
          .meaning = "Where days and months begin." },
        { .key = NULL },
};

static int check_directory(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const char *text;

        (void) target;
        return schema_text(w, node, CONFIG_PATH_SIZE - 1, &text);
}

static int check_size(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        uint64_t bytes;
        int r;

        (void) target;
        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (units_parse_size(text, &bytes) < 0)
                return schema_fail(w, node, "%s is not a size", yaml_show(node, shown));
        if (bytes < HISTORY_SIZE_MIN)
                return schema_fail_expected(w, node, "1MiB or more", "%s is too small", yaml_show(node, shown));
        return 0;
}

static int check_flush(struct schema_walk *w, const yaml_node_t *node, void *target) {
        uint32_t ms;

        (void) target;
        return schema_duration(w, node, 1000, 3600 * 1000, &ms);
}

const struct schema_row config_history_fields[] = {
        { .key = "directory", .read = check_directory, .form = "the path of a folder",
          .fallback = "/var/lib/metergate", .meaning = "Where history is kept." },
        { .key = "size", .read = check_size, .form = "a size such as 64MiB (units KiB, MiB, GiB)",
          .fallback = "64MiB", .meaning = "The most it may take on disk." },
        { .key = "flush", .read = check_flush, .form = "a duration such as 60s, 1s to 1h (units ms, s, min, h, d)",
          .fallback = "60s", .meaning = "At most this much is lost when the power is cut." },
        { .key = NULL },
};

int config_read_history(struct schema_walk *w, const yaml_node_t *node, void *config) {
        (void) config;
        return config_warn(w, node, "this version keeps no history; the section has no effect");
}

static int check_text(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const char *text;

        (void) target;
        return schema_text(w, node, 64, &text);
}

static int check_price(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        int64_t price;
        int r;

        (void) target;
        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (decimal_parse(text, 6, &price) < 0)
                return schema_fail(w, node, "%s is not a price", yaml_show(node, shown));
        return 0;
}

static int check_currency(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        (void) target;
        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (strlen(text) != 3 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
                return schema_fail(w, node, "%s is not a currency", yaml_show(node, shown));
        return 0;
}

static bool is_day(const char *text) {
        static const char days[][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

        for (size_t i = 0; i < ELEMENTS(days); i++)
                if (strncmp(text, days[i], 3) == 0)
                        return true;
        return false;
}

/* "mon-fri" or "sat" */
static bool is_day_range(const char *text) {
        return is_day(text) && (!text[3] || (text[3] == '-' && is_day(text + 4) && !text[7]));
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Minutes of "06:30", up to 24:00; -1 for anything else. Looks at five characters. */
static int minutes_of_day(const char *text) {
        int hours, minutes;

        if (!is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' || !is_digit(text[3]) || !is_digit(text[4]))
                return -1;
        hours = (text[0] - '0') * 10 + text[1] - '0';
        minutes = (text[3] - '0') * 10 + text[4] - '0';
        if (minutes > 59 || hours * 60 + minutes > 24 * 60)
                return -1;
        return hours * 60 + minutes;
}

/* "22:00-06:00": may run over midnight, but not from a time to the same one. */
static bool is_hour_range(const char *text) {
        int from = minutes_of_day(text), to;

        if (from < 0 || text[5] != '-')
                return false;
        to = minutes_of_day(text + 6);
        return to >= 0 && to != from && !text[11];
}

/* Each part of a list with commas in it. */
static int check_parts(struct schema_walk *w, const yaml_node_t *node, bool (*good)(const char *)) {
        char parts[128], shown[YAML_SHOW_MAX], *rest = parts, *part;
        const char *text;
        int r;

        r = schema_text(w, node, sizeof parts - 1, &text);
        if (r < 0)
                return r;
        strcpy(parts, text);
        while ((part = strsep(&rest, ",")))
                if (!good(part + strspn(part, " ")))
                        return schema_fail(w, node, "%s cannot be read", yaml_show(node, shown));
        return 0;
}

static int check_days(struct schema_walk *w, const yaml_node_t *node, void *target) {
        (void) target;
        return check_parts(w, node, is_day_range);
}

static int check_hours(struct schema_walk *w, const yaml_node_t *node, void *target) {
        (void) target;
        return check_parts(w, node, is_hour_range);
}

const struct schema_row config_tariff_fields[] = {
        { .key = "name", .required = true, .read = check_text, .form = "a text of up to 64 bytes",
          .meaning = "Name of the tariff." },
        { .key = "price", .required = true, .read = check_price,
          .form = "a decimal number with up to 6 places such as 0.28", .meaning = "Price of one kWh." },
        { .key = "currency", .required = true, .read = check_currency, .form = "three capital letters such as EUR",
          .meaning = "Currency of the price." },
        { .key = "days", .read = check_days, .form = "days such as mon-fri or mon,wed,sat", .fallback = "all",
          .meaning = "Days on which the price holds." },
        { .key = "hours", .read = check_hours, .form = "times of day such as \"06:00-22:00\"", .fallback = "all",
          .meaning = "Hours in which the price holds. The first tariff that fits wins." },
        { .key = NULL },
};

static int check_tariff(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_read_map(w, node, config_tariff_fields, target);
}

int config_read_tariffs(struct schema_walk *w, const yaml_node_t *node, void *config) {
        int r;

        if (yaml_is_null(node))
                return 0;
        r = schema_read_items(w, node, TARIFFS_MAX, check_tariff, config);
        if (r < 0 || schema_count(node) == 0)
                return r;
        return config_warn(w, node, "this version does not use tariffs; the section has no effect");
}
