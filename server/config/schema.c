#include "config/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/units.h"

#define TEXT_MAX 512

int schema_fail(struct schema_walk *w, const yaml_node_t *node, const char *format, ...) {
        va_list args;
        int r;

        va_start(args, format);
        r = yaml_fail(w->file, node, w->path, w->row ? w->row->form : NULL, format, args);
        va_end(args);
        return r;
}

int schema_fail_expected(struct schema_walk *w, const yaml_node_t *node, const char *expected, const char *format,
                         ...) {
        va_list args;
        int r;

        va_start(args, format);
        r = yaml_fail(w->file, node, w->path, expected, format, args);
        va_end(args);
        return r;
}

int schema_no_memory(struct schema_walk *w) {
        snprintf(w->file->error->text, sizeof w->file->error->text, "%.120s: out of memory", w->file->name);
        return -ENOMEM;
}

static void path_append(struct schema_walk *w, const char *key, int index) {
        size_t room = sizeof w->path - w->path_len;
        int n;

        if (index < 0)
                n = snprintf(w->path + w->path_len, room, "%s%s", w->path_len > 0 ? "." : "", key);
        else
                n = snprintf(w->path + w->path_len, room, "[%d]", index);
        w->path_len += (size_t) n < room ? (size_t) n : room - 1;
}

static void path_cut(struct schema_walk *w, size_t len) {
        w->path_len = len;
        w->path[len] = 0;
}

int schema_read_child(struct schema_walk *w, const char *key, int index, const yaml_node_t *node,
                      schema_reader read, void *target) {
        const struct schema_row *row = w->row;
        size_t len = w->path_len;
        int r;

        path_append(w, key, index);
        r = read(w, node, target);
        path_cut(w, len);
        w->row = row;
        return r;
}

unsigned schema_count(const yaml_node_t *list) {
        if (list->type != YAML_SEQUENCE_NODE)
                return 0;
        return (unsigned) (list->data.sequence.items.top - list->data.sequence.items.start);
}

int schema_read_items(struct schema_walk *w, const yaml_node_t *node, unsigned max, schema_reader read,
                      void *target) {
        char shown[YAML_SHOW_MAX];
        int r;

        if (node->type != YAML_SEQUENCE_NODE)
                return schema_fail(w, node, "%s is not a list", yaml_show(node, shown));
        if (schema_count(node) > max)
                return schema_fail(w, node, "%u items are too many, the limit is %u", schema_count(node), max);
        for (unsigned i = 0; i < schema_count(node); i++) {
                const yaml_node_t *item = yaml_file_node(w->file, node->data.sequence.items.start[i]);

                r = schema_read_child(w, NULL, (int) i, item, read, target);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const struct schema_row *find_row(const struct schema_row *rows, const char *key) {
        for (; rows->key; rows++)
                if (strcmp(rows->key, key) == 0)
                        return rows;
        return NULL;
}

static int fail_unknown_key(struct schema_walk *w, const yaml_node_t *key, const struct schema_row *rows) {
        char known[240] = "";
        size_t len = 0;

        for (const struct schema_row *row = rows; row->key && len < sizeof known; row++)
                len += (size_t) snprintf(known + len, sizeof known - len, "%s%s", len > 0 ? ", " : "one of: ",
                                         row->key);
        path_append(w, yaml_text(key), -1);
        return schema_fail_expected(w, key, known, "unknown key");
}

static int check_known(struct schema_walk *w, const yaml_node_t *map, const struct schema_row *rows) {
        for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
                const yaml_node_t *key = yaml_file_node(w->file, p->key);

                if (!find_row(rows, yaml_text(key)))
                        return fail_unknown_key(w, key, rows);
        }
        return 0;
}

static bool has_required(const struct schema_row *rows) {
        while (rows->key && !rows->required)
                rows++;
        return rows->key;
}

static int read_section(struct schema_walk *w, const yaml_node_t *node, void *base) {
        const struct schema_row *row = w->row;
        int r = 0;

        if (yaml_is_null(node))
                return has_required(row->fields) ? schema_fail(w, node, "has no value") : 0;
        if (row->read)
                r = row->read(w, node, base);
        if (r < 0)
                return r;
        return schema_read_map(w, node, row->fields, base);
}

static int read_row(struct schema_walk *w, const yaml_node_t *map, const struct schema_row *row, void *base) {
        const yaml_node_t *node = yaml_map_get(w->file, map, row->key);

        w->row = row;
        if (!node) {
                if (!row->required)
                        return 0;
                path_append(w, row->key, -1);
                return schema_fail(w, map, "missing");
        }
        if (row->shape == SCHEMA_SECTION)
                return schema_read_child(w, row->key, -1, node, read_section, base);
        return schema_read_child(w, row->key, -1, node, row->read, (char *) base + row->offset);
}

int schema_read_map(struct schema_walk *w, const yaml_node_t *node, const struct schema_row *rows, void *base) {
        char shown[YAML_SHOW_MAX];
        int r;

        if (node->type != YAML_MAPPING_NODE)
                return schema_fail_expected(w, node, "a map of \"key: value\" lines", "%s is not a map",
                                            yaml_show(node, shown));
        r = check_known(w, node, rows);
        for (; r == 0 && rows->key; rows++)
                r = read_row(w, node, rows, base);
        return r < 0 ? r : 0;
}

int schema_text(struct schema_walk *w, const yaml_node_t *node, size_t max, const char **ret) {
        const char *text = yaml_text(node);
        char shown[YAML_SHOW_MAX];

        if (node->type != YAML_SCALAR_NODE)
                return schema_fail(w, node, "%s is not a single value", yaml_show(node, shown));
        if (yaml_is_null(node) || !*text)
                return schema_fail(w, node, "has no value");
        if (strlen(text) > max)
                return schema_fail(w, node, "too long, the limit is %zu bytes", max);
        for (const unsigned char *p = (const unsigned char *) text; *p; p++)
                if (*p < 0x20 || *p == 0x7f)
                        return schema_fail(w, node, "more than one line, or a control character");
        *ret = text;
        return 0;
}

int schema_read_string(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char **string = target;
        const char *text;
        int r;

        r = schema_text(w, node, w->row->size ? w->row->size - 1 : TEXT_MAX, &text);
        if (r < 0)
                return r;
        free(*string);
        *string = strdup(text);
        return *string ? 0 : schema_no_memory(w);
}

int schema_read_chars(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const char *text;
        int r;

        r = schema_text(w, node, w->row->size - 1, &text);
        if (r < 0)
                return r;
        strcpy(target, text);
        return 0;
}

int schema_duration(struct schema_walk *w, const yaml_node_t *node, uint32_t min_ms, uint32_t max_ms,
                    uint32_t *ret_ms) {
        char min[32], max[32], range[80], shown[YAML_SHOW_MAX];
        const char *text;
        uint64_t ms;
        int r;

        r = schema_text(w, node, TEXT_MAX, &text);
        if (r < 0)
                return r;
        r = units_parse_duration_ms(text, &ms);
        if (r == -EINVAL)
                return schema_fail(w, node, "%s is not a duration", yaml_show(node, shown));
        if (r < 0 || ms < min_ms || ms > max_ms) {
                units_format_duration_ms(min_ms, min);
                units_format_duration_ms(max_ms, max);
                snprintf(range, sizeof range, "%s to %s", min, max);
                return schema_fail_expected(w, node, range, "%s is out of range", yaml_show(node, shown));
        }
        *ret_ms = (uint32_t) ms;
        return 0;
}

int schema_integer(struct schema_walk *w, const yaml_node_t *node, int64_t min, int64_t max, int64_t *ret) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        int64_t n = 0;
        int r;

        r = schema_text(w, node, TEXT_MAX, &text);
        if (r < 0)
                return r;
        r = decimal_parse(text, 0, &n);
        if (r == -EINVAL)
                return schema_fail(w, node, "%s is not a number", yaml_show(node, shown));
        if (r < 0 || n < min || n > max)
                return schema_fail(w, node, "%s is out of range", yaml_show(node, shown));
        *ret = n;
        return 0;
}

int schema_choice(struct schema_walk *w, const yaml_node_t *node, const char *const words[], unsigned n,
                  unsigned *ret) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, TEXT_MAX, &text);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < n; i++)
                if (strcmp(words[i], text) == 0) {
                        *ret = i;
                        return 0;
                }
        return schema_fail(w, node, "%s is none of these", yaml_show(node, shown));
}

int schema_either(struct schema_walk *w, const yaml_node_t *node, const char *first, const char *second, bool *ret) {
        unsigned i = 0;
        int r = schema_choice(w, node, (const char *const[]) { first, second }, 2, &i);

        if (r < 0)
                return r;
        *ret = i == 1;
        return 0;
}

bool schema_is_baud(int64_t speed) {
        static const uint32_t speeds[] = { 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 74880,
                                           115200, 128000, 230400, 256000, 460800, 500000, 576000, 921600 };

        for (size_t i = 0; i < ELEMENTS(speeds); i++)
                if (speeds[i] == speed)
                        return true;
        return false;
}

int schema_baud(struct schema_walk *w, const yaml_node_t *node, uint32_t *ret) {
        char shown[YAML_SHOW_MAX];
        int64_t speed = 0;
        int r;

        r = schema_integer(w, node, 0, INT64_MAX, &speed);
        if (r < 0)
                return r;
        if (!schema_is_baud(speed))
                return schema_fail(w, node, "%s is not a usual speed", yaml_show(node, shown));
        *ret = (uint32_t) speed;
        return 0;
}

static void print_rows(FILE *out, const char *prefix, const struct schema_row *rows) {
        char key[96];

        for (; rows->key; rows++) {
                snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", rows->key);
                fprintf(out, "%s\t%s\t%s\t%s\n", key, rows->form,
                        rows->required ? "required" : rows->fallback ? rows->fallback : "none", rows->meaning);
                if (rows->shape == SCHEMA_LIST)
                        strncat(key, "[]", sizeof key - strlen(key) - 1);
                if (rows->fields)
                        print_rows(out, key, rows->fields);
        }
}

void schema_print(FILE *out, const struct schema_row *rows) {
        print_rows(out, "", rows);
}
