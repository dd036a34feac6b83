#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "config/config_parts.h"
#include "config/read_file.h"

static const struct schema_row root_fields[] = {
        { .key = "site", .shape = SCHEMA_SECTION, .fields = config_site_fields,
          .form = "a map", .meaning = "Where the meters are." },
        { .key = "http", .shape = SCHEMA_SECTION, .fields = config_http_fields,
          .form = "a map", .meaning = "Who can reach the pages and the API, and how." },
        { .key = "history", .shape = SCHEMA_SECTION, .fields = config_history_fields,
          .form = "a map", .meaning = "What is kept on disk of all that the meters have told." },
        { .key = "tariffs", .shape = SCHEMA_LIST, .read = config_read_tariffs, .fields = config_tariff_fields,
          .form = "a list of tariffs", .meaning = "Prices of energy, at most 32, all in one currency." },
        { .key = "remote_write", .shape = SCHEMA_LIST, .read = config_read_remote_write,
          .fields = config_remote_write_fields, .form = "a list of receivers",
          .meaning = "Who gets everything measured by Prometheus remote write, at most 8." },
        { .key = "meters", .shape = SCHEMA_LIST, .required = true, .read = config_read_meters,
          .fields = config_meter_fields, .form = "a list of meters, [] for none",
          .meaning = "The meters, at most 32." },
        { .key = NULL },
};

void config_schema_print(FILE *out) {
        schema_print(out, root_fields);
}

int config_warn(struct schema_walk *w, const yaml_node_t *node, const char *text) {
        struct config *c = config_loader_of(w)->config;
        char line[CONFIG_ERROR_MAX];

        if (c->n_warnings == CONFIG_WARNINGS_MAX)
                return 0;
        snprintf(line, sizeof line, "%.120s:%u:%zu: %s: %s", w->file->name, yaml_line(node),
                 node->start_mark.column + 1, w->path, text);
        yaml_one_line(line);
        c->warnings[c->n_warnings] = strdup(line);
        if (!c->warnings[c->n_warnings])
                return schema_no_memory(w);
        c->n_warnings++;
        return 0;
}

char *config_resolve_path(const struct config *c, const char *path) {
        const char *slash = strrchr(c->path, '/');
        char *full;

        if (*path == '/' || !slash)
                return strdup(path);
        if (asprintf(&full, "%.*s/%s", (int) (slash - c->path), c->path, path) < 0)
                return NULL;
        return full;
}

static int read_listen_default(struct config *c) {
        static const struct { const char *text; int family; } defaults[] = {
                { "127.0.0.1:8730", AF_INET }, { "[::1]:8730", AF_INET6 },
        };

        for (size_t i = 0; i < ELEMENTS(defaults); i++) {
                struct listen_address *l = &c->http.listen[c->http.n_listen];

                if (config_listen_parse(defaults[i].text, l) < 0)
                        return -EINVAL;
                l->text = strdup(defaults[i].text);
                if (!l->text)
                        return -ENOMEM;
                c->http.n_listen++;
        }
        return 0;
}

/* What holds where the file says nothing. */
static int set_defaults(struct schema_walk *w, struct config *c) {
        if (!c->site.name)
                c->site.name = strdup("Home");
        if (c->history.size_bytes == 0)
                c->history.size_bytes = HISTORY_SIZE_DEFAULT;
        if (c->history.flush_ms == 0)
                c->history.flush_ms = HISTORY_FLUSH_DEFAULT_MS;
        if (!c->site.name || (c->http.n_listen == 0 && read_listen_default(c) < 0))
                return schema_no_memory(w);
        return 0;
}

static int read_root(struct schema_walk *w, struct config *c) {
        const yaml_node_t *root = yaml_file_root(w->file);
        int r;

        if (!root || yaml_is_null(root))
                return schema_fail_expected(w, root, "at least \"meters: []\"", "the file holds no settings");
        r = schema_read_map(w, root, root_fields, c);
        if (r < 0)
                return r;
        return set_defaults(w, c);
}

int config_parse(const char *name, const char *text, size_t len, struct config **ret, struct config_error *error) {
        CLEANUP(config_freep) struct config *c = NULL;
        struct config_loader loader = { .config = c };
        struct schema_walk w = { .user = &loader };
        struct yaml_file file;
        int r;

        c = calloc(1, sizeof *c);
        if (c)
                c->path = strdup(name);
        if (!c || !c->path) {
                snprintf(error->text, sizeof error->text, "%.120s: out of memory", name);
                return -ENOMEM;
        }
        loader.config = c;
        w.file = &file;
        r = yaml_file_parse(&file, name, text, len, error);
        if (r == 0)
                r = read_root(&w, c);
        yaml_file_free(&file);
        for (unsigned i = 0; i < METERS_MAX; i++)
                for (unsigned p = 0; p < METER_PORTS_MAX; p++)
                        free(loader.seen[i].ports[p].identity);
        if (r < 0)
                return r;
        *ret = TAKE(c);
        return 0;
}

int config_load(const char *path, struct config **ret, struct config_error *error) {
        struct buffer text;
        int r;

        buffer_init(&text, YAML_FILE_MAX + 1);
        r = read_file(path, false, &text, error);
        if (r == 0)
                r = config_parse(path, text.data ? text.data : "", text.len, ret, error);
        buffer_free(&text);
        return r;
}

static void free_strings(char **strings, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                free(strings[i]);
        free(strings);
}

struct config *config_free(struct config *c) {
        if (!c)
                return NULL;
        for (unsigned i = 0; i < c->n_meters; i++)
                meter_config_clear(&c->meters[i]);
        free(c->meters);
        free(c->tariffs);
        for (unsigned i = 0; i < c->n_remote_write; i++)
                remote_write_config_clear(&c->remote_write[i]);
        free(c->remote_write);
        for (unsigned i = 0; i < c->http.n_listen; i++)
                free(c->http.listen[i].text);
        for (unsigned i = 0; i < c->n_warnings; i++)
                free(c->warnings[i]);
        free_strings(c->http.hosts, c->http.n_hosts);
        free_strings(c->http.cors_origins, c->http.n_cors_origins);
        free(c->http.tokens_path);
        free(c->http.certificate_path);
        free(c->http.key_path);
        free(c->site.name);
        free(c->site.timezone);
        free(c->history.directory);
        free(c->path);
        free(c);
        return NULL;
}
