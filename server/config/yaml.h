/* A YAML file as libyaml's document tree, which keeps line and column of every node, and the one place that puts
 * an error into its one line. Aliases are fine (they are how people avoid repeating themselves), loops are not. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "config/config.h"

#define YAML_FILE_MAX   (1024 * 1024)  /* bytes; the largest sensible configuration has some 20 KiB */
#define YAML_DEPTH_MAX  16             /* nesting; ours needs 5 */
#define YAML_ANCHORS_MAX 64            /* anchors in one file */
#define YAML_KEYS_MAX   64             /* keys of one map; ours has 13 */

struct yaml_file {
        const char *name;              /* as messages show it; borrowed */
        struct config_error *error;    /* borrowed */
        yaml_document_t document;
        bool loaded;
};

/* Parses text. 0, or -EINVAL (-ENOMEM) with the error written. Free it in both cases. */
int yaml_file_parse(struct yaml_file *f, const char *name, const char *text, size_t len, struct config_error *error);
void yaml_file_free(struct yaml_file *f);

/* NULL when the file holds nothing but comments. */
const yaml_node_t *yaml_file_root(struct yaml_file *f);

/* The node behind a pair's or item's index. */
const yaml_node_t *yaml_file_node(struct yaml_file *f, int index);

/* The value of a key in a map, NULL when it is missing. */
const yaml_node_t *yaml_map_get(struct yaml_file *f, const yaml_node_t *map, const char *key);

/* Text of a scalar; "" for other nodes. Never holds a 0 byte inside. */
const char *yaml_text(const yaml_node_t *node);

/* "~", "null" or nothing at all, unquoted. */
bool yaml_is_null(const yaml_node_t *node);

/* "a map", "a list", "\"text\"", ... for messages. buf holds YAML_SHOW_MAX bytes, and is returned. */
#define YAML_SHOW_MAX 64
const char *yaml_show(const yaml_node_t *node, char *buf);

static inline unsigned yaml_line(const yaml_node_t *node) {
        return (unsigned) node->start_mark.line + 1;
}

/* Writes "FILE:LINE:COLUMN: PATH: PROBLEM; expected EXPECTED" and returns -EINVAL. An empty path and a NULL
 * expected are left out; a NULL node stands for the start of the file. */
int yaml_fail(struct yaml_file *f, const yaml_node_t *node, const char *path, const char *expected,
              const char *format, va_list args);

/* Makes text fit for one line on a terminal: control characters become '?', a cut UTF-8 sequence at its end goes. */
void yaml_one_line(char *text);
