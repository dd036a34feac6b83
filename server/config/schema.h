/* Tables that describe a YAML file: for each key what it may hold, where it goes and what it means. The walk, the
 * error messages and the reference for people are all made from the same rows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/yaml.h"

struct schema_row;

/* Where a walk stands. A reader only passes it on. */
struct schema_walk {
        struct yaml_file *file;
        void *user;                       /* for readers that need more than their target */
        const struct schema_row *row;     /* whose form goes into messages */
        size_t path_len;
        char path[96];                    /* "meters[0].poll" */
};

/* Reads a node into target. 0, or a negative errno with the error written. */
typedef int (*schema_reader)(struct schema_walk *w, const yaml_node_t *node, void *target);

enum schema_shape {
        SCHEMA_VALUE,    /* read puts it into base + offset */
        SCHEMA_SECTION,  /* a map of fields that go into the same base; nothing at all is an empty one, where none
                      * of them is required */
        SCHEMA_LIST,     /* read does it all; fields describe one item */
};

struct schema_row {
        const char *key;                  /* NULL ends a table. Rows are read in the table's order */
        enum schema_shape shape;
        bool required;
        size_t offset;                    /* of the target in the struct that the table fills */
        size_t size;                      /* of the target, for text: with its final 0 */
        schema_reader read;               /* for a section: called before its fields, may be NULL */
        const struct schema_row *fields;
        const char *form;                 /* "a duration such as 10s": stands behind "expected" */
        const char *fallback;             /* what holds when the key is missing; NULL: nothing */
        const char *meaning;
};

/* Reads a map by its table into base. */
int schema_read_map(struct schema_walk *w, const yaml_node_t *node, const struct schema_row *rows, void *base);

/* Calls read for each item of a list (at most max), with the item's path. */
int schema_read_items(struct schema_walk *w, const yaml_node_t *node, unsigned max, schema_reader read,
                      void *target);

/* The same for one key inside the node just read; index < 0: ".key", else "[index]". */
int schema_read_child(struct schema_walk *w, const char *key, int index, const yaml_node_t *node,
                      schema_reader read, void *target);

/* Number of items of a list, 0 for anything else. */
unsigned schema_count(const yaml_node_t *list);

/* Error at node, with the form of the row being read, or another one. Both return -EINVAL. */
int schema_fail(struct schema_walk *w, const yaml_node_t *node, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
int schema_fail_expected(struct schema_walk *w, const yaml_node_t *node, const char *expected, const char *format,
                         ...)
        __attribute__((format(printf, 4, 5)));
int schema_no_memory(struct schema_walk *w);

/* Text of one line, up to max bytes, not empty; borrowed from the file. */
int schema_text(struct schema_walk *w, const yaml_node_t *node, size_t max, const char **ret);

/* Readers. */
int schema_read_string(struct schema_walk *w, const yaml_node_t *node, void *target);    /* char *, to be freed */
int schema_read_chars(struct schema_walk *w, const yaml_node_t *node, void *target);     /* char[row->size] */

/* Parts of readers. */
int schema_duration(struct schema_walk *w, const yaml_node_t *node, uint32_t min_ms, uint32_t max_ms,
                    uint32_t *ret_ms);
int schema_integer(struct schema_walk *w, const yaml_node_t *node, int64_t min, int64_t max, int64_t *ret);
/* Index into a list of n words. */
int schema_choice(struct schema_walk *w, const yaml_node_t *node, const char *const words[], unsigned n,
                  unsigned *ret);
/* One of two words: whether it is the second. */
int schema_either(struct schema_walk *w, const yaml_node_t *node, const char *first, const char *second, bool *ret);
/* Whether a UART has this speed. */
bool schema_is_baud(int64_t speed);
/* A speed that a UART has. */
int schema_baud(struct schema_walk *w, const yaml_node_t *node, uint32_t *ret);

/* One line for each key, tab-separated: key, form, default, meaning. */
void schema_print(FILE *out, const struct schema_row *rows);
