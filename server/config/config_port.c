/* Where a meter is attached, and whether it is spoken to there. */
#include "config/config_parts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"

#define SPEED_PLACES 3
#define SPEED_MIN 100        /* in thousandths; slower is standing still */
#define SPEED_MAX 1000000    /* a day in a minute and a half; more would only be as fast as it can */
#define REPLAY "replay://"
#define TCP "tcp://"

static void free_textp(char **text) {
        free(*text);
}

/* "::1", or "fe80::1%eth0" with the interface that a link-local address needs. */
static bool is_ipv6(const char *text, size_t len) {
        struct in6_addr address;
        char plain[INET6_ADDRSTRLEN];
        const char *zone = memchr(text, '%', len);
        size_t n = zone ? (size_t) (zone - text) : len;

        if (n >= sizeof plain || (zone && n + 1 == len))
                return false;
        memcpy(plain, text, n);
        plain[n] = 0;
        return inet_pton(AF_INET6, plain, &address) == 1;
}

/* What follows "tcp://": host:port or [v6]:port. */
static bool is_host_port(const char *text) {
        const char *colon = strrchr(text, ':'), *digits = colon ? colon + 1 : "";
        size_t len = colon ? (size_t) (colon - text) : 0;

        if (!*digits || strlen(digits) > 5 || strspn(digits, "0123456789") != strlen(digits) ||
            atoi(digits) < 1 || atoi(digits) > 65535)
                return false;
        if (len > 2 && text[0] == '[' && text[len - 1] == ']')
                return is_ipv6(text + 1, len - 2);
        return len > 0 && len <= 253 &&
               strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

bool config_is_port(const char *text) {
        if (strncmp(text, TCP, strlen(TCP)) == 0)
                return is_host_port(text + strlen(TCP));
        return text[0] == '/' && text[1];
}

/* An adapter that is not plugged in has no real path, but its folder may have one. */
static char *real_path(const char *path) {
        CLEANUP(free_textp) char *folder = NULL, *real_folder = NULL;
        const char *slash = strrchr(path, '/');
        char *real = realpath(path, NULL);

        if (real)
                return real;
        folder = strndup(path, slash > path ? (size_t) (slash - path) : 1);
        real_folder = folder ? realpath(folder, NULL) : NULL;
        if (!real_folder)
                return strdup(path);
        return asprintf(&real, "%s%s", strcmp(real_folder, "/") == 0 ? "" : real_folder, slash) < 0 ? NULL : real;
}

/* One text for all the ways to name a port: links are followed, host names do not depend on case. NULL: no memory. */
static char *port_identity(const char *port) {
        char *identity;

        if (*port == '/')
                return real_path(port);
        identity = strdup(port);
        for (char *p = identity; p && *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char) (*p - 'A' + 'a');
        return identity;
}

static int fail_used(struct schema_walk *w, const yaml_node_t *node, const char *id, unsigned line) {
        char shown[YAML_SHOW_MAX];

        return schema_fail_expected(w, node, "a port of its own", "%s is the port of meter %s in line %u too",
                                    yaml_show(node, shown), id, line);
}

/* Of all meters so far: the one being read is behind those already taken in. */
static int check_unused(struct schema_walk *w, const yaml_node_t *node, const struct seen_port *port) {
        struct config_loader *loader = config_loader_of(w);

        for (unsigned i = 0; i <= loader->config->n_meters; i++)
                for (unsigned p = 0; p < METER_PORTS_MAX; p++) {
                        const struct seen_port *other = &loader->seen[i].ports[p];

                        if (other != port && other->identity && strcmp(other->identity, port->identity) == 0)
                                return fail_used(w, node, loader->config->meters[i].id, other->line);
                }
        return 0;
}

/* A port that only one can have open. */
static int take_port(struct schema_walk *w, const yaml_node_t *node, unsigned which, const char *text, char **ret) {
        struct config_loader *loader = config_loader_of(w);
        struct seen_port *port = &loader->seen[loader->config->n_meters].ports[which];
        char shown[YAML_SHOW_MAX];

        if (!config_is_port(text))
                return schema_fail(w, node, "%s is not a port", yaml_show(node, shown));
        *ret = strdup(text);
        port->identity = port_identity(text);
        port->line = yaml_line(node);
        return *ret && port->identity ? check_unused(w, node, port) : schema_no_memory(w);
}

/* What follows the file: "?speed=10", or nothing. */
static int read_speed(struct schema_walk *w, const yaml_node_t *node, const char *text, uint32_t *ret) {
        int64_t speed = 0;

        if (strncmp(text, "?speed=", 7) != 0)
                return schema_fail_expected(w, node, "?speed=N behind the file, or nothing",
                                            "\"%.40s\" is no setting of a replay", text);
        if (decimal_parse(text + 7, SPEED_PLACES, &speed) < 0 || speed < SPEED_MIN || speed > SPEED_MAX)
                return schema_fail_expected(w, node, "a number from 0.1 to 1000 with up to 3 places",
                                            "\"%.40s\" is not a speed", text + 7);
        *ret = (uint32_t) speed;
        return 0;
}

/* A file may be replayed for any number of meters. */
static int read_replay(struct schema_walk *w, const yaml_node_t *node, const char *text, struct meter_config *m) {
        CLEANUP(free_textp) char *file = strdup(text + strlen(REPLAY));
        char shown[YAML_SHOW_MAX], *settings = file ? strchr(file, '?') : NULL;
        int r;

        m->port = strdup(text);
        if (!file || !m->port)
                return schema_no_memory(w);
        m->replay.speed = REPLAY_SPEED_ONE;
        r = settings ? read_speed(w, node, settings, &m->replay.speed) : 0;
        if (r < 0)
                return r;
        if (settings)
                *settings = '\0';
        if (!*file)
                return schema_fail(w, node, "%s names no file", yaml_show(node, shown));
        m->role = ROLE_LISTEN;
        m->replay.path = config_resolve_path(config_loader_of(w)->config, file);
        return m->replay.path ? 0 : schema_no_memory(w);
}

int config_read_port(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        const char *text;
        int r;

        r = schema_text(w, node, CONFIG_PATH_SIZE - 1, &text);
        if (r < 0)
                return r;
        if (strncmp(text, REPLAY, strlen(REPLAY)) == 0)
                return read_replay(w, node, text, m);
        return take_port(w, node, 0, text, &m->port);
}

int config_read_role(struct schema_walk *w, const yaml_node_t *node, void *target) {
        static const char *const words[] = { [ROLE_MODULE] = "module", [ROLE_LISTEN] = "listen" };
        struct meter_config *m = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, words, ELEMENTS(words), &i);
        if (r < 0)
                return r;
        if (m->replay.path && i != ROLE_LISTEN)
                return schema_fail_expected(w, node, "listen, or no such line",
                                            "a recording can only be listened to");
        m->role = (enum meter_role) i;
        return 0;
}

int config_read_port_tx(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct meter_config *m = target;
        const char *text;
        int r;

        if (m->replay.path)
                return schema_fail_expected(w, node, "no such line", "a recording holds both directions already");
        if (m->role != ROLE_LISTEN)
                return schema_fail_expected(w, node, "\"role: listen\" beside it, or no such line",
                                            "the gateway itself is what speaks to this meter");
        r = schema_text(w, node, CONFIG_PATH_SIZE - 1, &text);
        return r < 0 ? r : take_port(w, node, 1, text, &m->port_tx);
}
