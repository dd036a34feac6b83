#include "config/config_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "config/profile_file.h"
#include "protocols/fraction.h"

#define SCALE_PLACES 6
#define SCALE_MAX (INT64_C(1000000) * 1000000)  /* a million, in millionths */
#define STALE_AFTER_MAX_MS (7u * 24 * 3600 * 1000)
#define CONSOLE_LOG_LEVEL_MAX 99

/* The meter being read is always the one behind those already taken in. */
static unsigned number_of(struct schema_walk *w) {
        return config_loader_of(w)->config->n_meters;
}

static int read_id(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config_loader *loader = config_loader_of(w);
        struct meter_config *m = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, METER_ID_MAX, &text);
        if (r < 0)
                return r;
        if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(text))
                return schema_fail(w, node, "%s is not an id", yaml_show(node, shown));
        for (unsigned i = 0; i < number_of(w); i++)
                if (strcmp(loader->config->meters[i].id, text) == 0)
                        return schema_fail_expected(w, node, "an id of its own",
                                                    "%s is the id of the meter in line %u too",
                                                    yaml_show(node, shown), loader->seen[i].id_line);
        strcpy(m->id, text);
        loader->seen[number_of(w)].id_line = yaml_line(node);
        return 0;
}

static void list_protocols(char *buf, size_t size) {
        size_t len = (size_t) snprintf(buf, size, "one of: ");

        for (unsigned i = 0; protocols[i] && len < size; i++)
                len += (size_t) snprintf(buf + len, size - len, "%s%s", i > 0 ? ", " : "", protocols[i]->name);
}

static int read_protocol(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        char known[160], shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        m->protocol = protocol_find(text);
        if (m->protocol)
                return 0;
        list_protocols(known, sizeof known);
        return schema_fail_expected(w, node, known, "there is no protocol %s", yaml_show(node, shown));
}

static bool is_file(const char *profile) {
        size_t len = strlen(profile);

        return strchr(profile, '/') || (len > 5 && strcmp(profile + len - 5, ".yaml") == 0);
}

static int load_profile(struct schema_walk *w, const yaml_node_t *node, const char *text, struct meter_config *m) {
        struct config_error error = { .text = "" };
        char *path, shown[YAML_SHOW_MAX];
        int r;

        path = is_file(text) ? config_resolve_path(config_loader_of(w)->config, text) : strdup(text);
        if (!path)
                return schema_no_memory(w);
        r = profile_load(path, &m->profile, &error);
        free(path);
        if (r == -EINVAL) {
                *w->file->error = error;  /* it names the profile's own file and line */
                return r;
        }
        if (r == -ENOENT)
                return schema_fail_expected(w, node, "a name from \"metergate profiles list\", or a file",
                                            "there is no profile %s", yaml_show(node, shown));
        if (r < 0)
                return schema_fail(w, node, "%s", error.text);
        return 0;
}

static int read_profile(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        if (!m->protocol->needs_profile)
                return schema_fail_expected(w, node, "no such line", "a meter that speaks %s itself says what its "
                                            "values mean", m->protocol->name);
        r = schema_text(w, node, CONFIG_PATH_SIZE - 1, &text);
        if (r < 0)
                return r;
        r = load_profile(w, node, text, m);
        if (r < 0)
                return r;
        if (strcmp(m->profile->protocol, m->protocol->name) != 0)
                return schema_fail(w, node, "%s is a profile for the protocol %s, the meter speaks %s",
                                   yaml_show(node, shown), m->profile->protocol, m->protocol->name);
        m->profile_name = strdup(text);
        return m->profile_name ? 0 : schema_no_memory(w);
}

static int read_baud(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;

        if (strcmp(yaml_text(node), "auto") == 0) {
                m->baud = 0;
                return 0;
        }
        return schema_baud(w, node, &m->baud);
}

static int read_poll(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;

        return schema_duration(w, node, m->protocol->min_poll_ms, m->protocol->max_poll_ms, &m->poll_ms);
}

static int fail_unsupported(struct schema_walk *w, const yaml_node_t *node, const struct meter_config *m) {
        return schema_fail_expected(w, node, "no such line", "the protocol %s has no such setting",
                                    m->protocol->name);
}

static int read_poll_aligned(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;

        if (!m->protocol->aligns_polls)
                return fail_unsupported(w, node, m);
        return schema_either(w, node, "false", "true", &m->poll_aligned);
}

static int read_console_log_level(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        int64_t level = 0;
        int r;

        if (!m->protocol->console)
                return fail_unsupported(w, node, m);
        r = schema_integer(w, node, 1, CONSOLE_LOG_LEVEL_MAX, &level);
        if (r < 0)
                return r;
        m->console_log_level = (uint32_t) level;
        return 0;
}

static uint32_t effective_poll_ms(const struct meter_config *m) {
        if (m->poll_ms)
                return m->poll_ms;
        return m->profile && m->profile->poll_ms ? m->profile->poll_ms : m->protocol->default_poll_ms;
}

static int read_stale_after(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        char shown[YAML_SHOW_MAX];
        uint32_t ms = 0;
        int r;

        r = schema_duration(w, node, 1, STALE_AFTER_MAX_MS, &ms);
        if (r < 0)
                return r;
        if (ms < effective_poll_ms(m))
                return schema_fail_expected(w, node, "at least poll, better three times as long",
                                            "%s is shorter than the time between two polls", yaml_show(node, shown));
        m->stale_after_ms = ms;
        return 0;
}

static int read_bound(struct schema_walk *w, const yaml_node_t *list, unsigned index, enum quantity q, int64_t *ret) {
        const yaml_node_t *node = yaml_file_node(w->file, list->data.sequence.items.start[index]);
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        r = decimal_parse(text, quantity_catalogue[q].decimals, ret);
        if (r == -ERANGE)
                return schema_fail(w, node, "%s is too large or has more than %u places", yaml_show(node, shown),
                                   quantity_catalogue[q].decimals);
        if (r < 0)
                return schema_fail(w, node, "%s is not a number", yaml_show(node, shown));
        return 0;
}

static int read_limit(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct limit *limits = target, limit = { .set = true };
        const char *key = strrchr(w->path, '.') + 1;
        enum quantity q = quantity_from_key(key);
        int r;

        if (schema_count(node) != 2)
                return schema_fail(w, node, "not a pair of numbers");
        r = read_bound(w, node, 0, q, &limit.min);
        if (r == 0)
                r = read_bound(w, node, 1, q, &limit.max);
        if (r < 0)
                return r;
        if (limit.min >= limit.max)
                return schema_fail(w, node, "the first number is not below the second");
        limits[q] = limit;
        return 0;
}

static int fail_quantity(struct schema_walk *w, const yaml_node_t *key) {
        char known[240], shown[YAML_SHOW_MAX];
        size_t len = (size_t) snprintf(known, sizeof known, "one of: ");

        for (unsigned q = 0; q < Q_COUNT && len < sizeof known; q++)
                len += (size_t) snprintf(known + len, sizeof known - len, "%s%s", q > 0 ? ", " : "",
                                         quantity_catalogue[q].key);
        return schema_fail_expected(w, key, known, "there is no quantity %s", yaml_show(key, shown));
}

static int read_limits(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        char shown[YAML_SHOW_MAX];
        int r;

        if (node->type != YAML_MAPPING_NODE)
                return schema_fail(w, node, "%s is not a map", yaml_show(node, shown));
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
                const yaml_node_t *key = yaml_file_node(w->file, p->key);

                if (quantity_from_key(yaml_text(key)) == Q_NONE)
                        return fail_quantity(w, key);
                r = schema_read_child(w, yaml_text(key), -1, yaml_file_node(w->file, p->value), read_limit,
                                      m->limits);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_scale(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        int64_t den = 1000000, num;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (decimal_parse(text, SCALE_PLACES, &num) < 0 || num <= 0 || num > SCALE_MAX)
                return schema_fail(w, node, "%s is not a factor", yaml_show(node, shown));
        fraction_reduce(&num, &den);
        m->scale_num = num;
        m->scale_den = den;
        return 0;
}

/* The order matters: profile needs protocol, poll needs both, stale_after needs poll. */
const struct schema_row config_meter_fields[] = {
        { .key = "id", .required = true, .read = read_id, .form = "1 to 32 of a-z, 0-9 and -",
          .meaning = "Name of the meter in addresses, metrics and files. Choose once, keep for ever." },
        { .key = "name", .offset = offsetof(struct meter_config, name), .size = 65, .read = schema_read_string,
          .form = "a text of up to 64 bytes", .fallback = "the id", .meaning = "Name of the meter for people." },
        { .key = "protocol", .required = true, .read = read_protocol,
          .form = "the name of a protocol: tuyamcu or vue", .meaning = "What the meter speaks on its wire." },
        { .key = "profile", .read = read_profile, .form = "the name of a built-in profile, or a file",
          .fallback = "picked by the product key that the meter tells",
          .meaning = "What a tuyamcu meter's datapoints mean. See \"metergate profiles list\"." },
        { .key = "port", .required = true, .read = config_read_port,
          .form = "/dev/serial/by-id/..., tcp://HOST:PORT or replay://FILE?speed=N",
          .meaning = "Where the meter is attached, or a recording that is heard in its place: at its own times, or N "
                     "times as fast (0.1 to 1000), once." },
        { .key = "baud", .read = read_baud, .form = "auto, or a speed such as 9600 or 115200",
          .fallback = "auto, for vue 115200", .meaning = "Speed of a serial port." },
        { .key = "role", .read = config_read_role, .form = "module or listen",
          .fallback = "module, for a recording listen",
          .meaning = "module: Metergate takes the place of the Wi-Fi module or controller; listen: the meter stays with "
                     "its own, and nothing is ever sent." },
        { .key = "port_tx", .read = config_read_port_tx, .form = "/dev/serial/by-id/... or tcp://HOST:PORT",
          .fallback = "that line is not heard, or at port as well",
          .meaning = "Only with \"role: listen\": where the other line is heard, on which the module speaks to the "
                     "meter. port is then what the meter sends." },
        { .key = "poll", .read = read_poll, .form = "a duration such as 10s (units ms, s, min, h, d)",
          .fallback = "the profile's, else 10s for tuyamcu and 30s for vue",
          .meaning = "Time between two questions to the meter; at least 1s for tuyamcu and 5s for vue." },
        { .key = "poll_aligned", .read = read_poll_aligned, .form = "true or false", .fallback = "false",
          .meaning = "Ask at multiples of poll of the wall clock. Only with protocol vue." },
        { .key = "stale_after", .read = read_stale_after, .form = "a duration such as 35s (units ms, s, min, h, d)",
          .fallback = "three times poll and 5s", .meaning = "Age at which a value no longer counts as known." },
        { .key = "limits", .read = read_limits,
          .form = "[LOWEST, HIGHEST] for quantities, such as power_w: [-18000, 18000]",
          .meaning = "Values outside are withheld." },
        { .key = "console_log_level", .read = read_console_log_level, .form = "a number from 1 to 99, such as 10",
          .fallback = "the module's own",
          .meaning = "How much the module prints between its messages: 10 little, 20 much. Only with protocol vue." },
        { .key = "scale", .read = read_scale,
          .form = "a positive decimal number up to 1000000 with up to 6 places", .fallback = "1",
          .meaning = "Factor of an instrument transformer." },
        { .key = NULL },
};

static int set_defaults(struct schema_walk *w, struct meter_config *m) {
        m->poll_ms = effective_poll_ms(m);
        if (!m->stale_after_ms)
                m->stale_after_ms = 3 * m->poll_ms + 5000;
        if (!m->name)
                m->name = strdup(m->id);
        return m->name ? 0 : schema_no_memory(w);
}

static int read_meter(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config *c = target;
        struct meter_config *m = &c->meters[c->n_meters];
        int r;

        m->line = yaml_line(node);
        m->scale_num = m->scale_den = 1;
        r = schema_read_map(w, node, config_meter_fields, m);
        if (r == 0)
                r = set_defaults(w, m);
        if (r < 0) {
                meter_config_clear(m);
                return r;
        }
        c->n_meters++;
        return 0;
}

int config_read_meters(struct schema_walk *w, const yaml_node_t *node, void *config) {
        struct config *c = config;

        c->meters = calloc(METERS_MAX, sizeof *c->meters);
        if (!c->meters)
                return schema_no_memory(w);
        return schema_read_items(w, node, METERS_MAX, read_meter, c);
}

void meter_config_clear(struct meter_config *m) {
        free(m->name);
        free(m->profile_name);
        free(m->port);
        free(m->port_tx);
        free(m->replay.path);
        profile_free(m->profile);
        *m = (struct meter_config) { .line = 0 };
}

static bool same_text(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_limits(const struct limit *a, const struct limit *b) {
        for (unsigned q = 0; q < Q_COUNT; q++)
                if (a[q].set != b[q].set || a[q].min != b[q].min || a[q].max != b[q].max)
                        return false;
        return true;
}

bool meter_config_equal(const struct meter_config *a, const struct meter_config *b) {
        return strcmp(a->id, b->id) == 0 && same_text(a->name, b->name) && a->protocol == b->protocol &&
               same_text(a->profile_name, b->profile_name) && profile_equal(a->profile, b->profile) &&
               same_text(a->port, b->port) && same_text(a->port_tx, b->port_tx) && a->baud == b->baud &&
               a->role == b->role && a->poll_ms == b->poll_ms && a->stale_after_ms == b->stale_after_ms &&
               same_limits(a->limits, b->limits) && a->scale_num == b->scale_num && a->scale_den == b->scale_den &&
               a->poll_aligned == b->poll_aligned && a->console_log_level == b->console_log_level;
}
