#include "config/config_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/units.h"
#include "history/store.h"

#define ZONEINFO "/usr/share/zoneinfo"
#define HISTORY_SIZE_MAX (UINT64_C(16) << 30)  /* its index would take 48 MiB of memory */

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

/* A relative path starts from the configuration's folder. */
static int read_directory(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char **directory = target;
        const char *text;
        int r;

        r = schema_text(w, node, CONFIG_PATH_SIZE - 1, &text);
        if (r < 0)
                return r;
        *directory = config_resolve_path(config_loader_of(w)->config, text);
        return *directory ? 0 : schema_no_memory(w);
}

static int read_size(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        uint64_t bytes;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (units_parse_size(text, &bytes) < 0)
                return schema_fail(w, node, "%s is not a size", yaml_show(node, shown));
        if (bytes < STORE_MIN_BYTES || bytes > HISTORY_SIZE_MAX)
                return schema_fail_expected(w, node, "2MiB to 16GiB", "%s is too %s", yaml_show(node, shown),
                                            bytes < STORE_MIN_BYTES ? "small" : "large");
        *(uint64_t *) target = bytes;
        return 0;
}

static int read_flush(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_duration(w, node, 1000, 3600 * 1000, target);
}

const struct schema_row config_history_fields[] = {
        { .key = "directory", .offset = offsetof(struct config, history.directory), .read = read_directory,
          .form = "the path of a folder", .fallback = "/var/lib/metergate",
          .meaning = "Where history is kept, in a file of its full size from the start." },
        { .key = "size", .offset = offsetof(struct config, history.size_bytes), .read = read_size,
          .form = "a size such as 64MiB, 2MiB to 16GiB (units KiB, MiB, GiB)", .fallback = "64MiB",
          .meaning = "How much it takes. When it changes, the newest values are kept." },
        { .key = "flush", .offset = offsetof(struct config, history.flush_ms), .read = read_flush,
          .form = "a duration such as 60s, 1s to 1h (units ms, s, min, h, d)", .fallback = "60s",
          .meaning = "At most this much is lost when the power is cut. Each flush is a write to the disk." },
        { .key = NULL },
};
