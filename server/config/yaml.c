#include "config/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void yaml_one_line(char *text) {
        size_t len = strlen(text), tail = len;

        for (unsigned char *p = (unsigned char *) text; *p; p++)
                if (*p < 0x20 || *p == 0x7f)
                        *p = '?';
        while (tail > 0 && len - tail < 3 && ((unsigned char) text[tail - 1] & 0xc0) == 0x80)
                tail--;
        if (tail > 0 && (unsigned char) text[tail - 1] >= 0xc0) {
                unsigned char lead = (unsigned char) text[tail - 1];
                size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

                if (len - (tail - 1) < want)
                        text[tail - 1] = 0;
        }
}

static int fail_at(struct yaml_file *f, size_t line, size_t column, const char *path, const char *expected,
                   const char *format, va_list args) {
        char problem[320];

        vsnprintf(problem, sizeof problem, format, args);
        yaml_one_line(problem);
        snprintf(f->error->text, sizeof f->error->text, "%.120s:%zu:%zu: %s%s%s%s%s", f->name, line, column, path,
                 *path ? ": " : "", problem, expected ? "; expected " : "", expected ? expected : "");
        yaml_one_line(f->error->text);
        return -EINVAL;
}

int yaml_fail(struct yaml_file *f, const yaml_node_t *node, const char *path, const char *expected,
              const char *format, va_list args) {
        return fail_at(f, node ? node->start_mark.line + 1 : 1, node ? node->start_mark.column + 1 : 1, path,
                       expected, format, args);
}

__attribute__((format(printf, 5, 6)))
static int fail_syntax(struct yaml_file *f, size_t line, size_t column, const char *expected, const char *format,
                       ...) {
        va_list args;
        int r;

        va_start(args, format);
        r = fail_at(f, line, column, "", expected, format, args);
        va_end(args);
        return r;
}

__attribute__((format(printf, 4, 5)))
static int fail_node(struct yaml_file *f, const yaml_node_t *node, const char *expected, const char *format, ...) {
        va_list args;
        int r;

        va_start(args, format);
        r = yaml_fail(f, node, "", expected, format, args);
        va_end(args);
        return r;
}

/* Byte at a position as libyaml counts it, in characters; 0 past the end. */
static char byte_at(const char *text, size_t len, size_t line, size_t column) {
        size_t i = 0;

        for (; line > 0 && i < len; i++)
                if (text[i] == '\n')
                        line--;
        for (; column > 0 && i < len; column--)
                do
                        i++;
                while (i < len && ((unsigned char) text[i] & 0xc0) == 0x80);
        return i < len ? text[i] : 0;
}

/* The reader stops before there are marks: it knows the byte only. */
static int fail_encoding(struct yaml_file *f, const yaml_parser_t *parser, const char *text, size_t len) {
        size_t line = 1, column = 1;

        for (size_t i = 0; i < parser->problem_offset && i < len; i++) {
                if (text[i] == '\n') {
                        line++;
                        column = 1;
                } else if (((unsigned char) text[i] & 0xc0) != 0x80) {
                        column++;
                }
        }
        return fail_syntax(f, line, column, "UTF-8 text", "not readable as text: %s", parser->problem);
}

static int fail_parser(struct yaml_file *f, const yaml_parser_t *parser, const char *text, size_t len) {
        size_t line = parser->problem_mark.line, column = parser->problem_mark.column;

        if (parser->error == YAML_MEMORY_ERROR) {
                snprintf(f->error->text, sizeof f->error->text, "%.120s: out of memory", f->name);
                return -ENOMEM;
        }
        if (parser->error == YAML_READER_ERROR)
                return fail_encoding(f, parser, text, len);
        if (byte_at(text, len, line, column) == '\t')
                return fail_syntax(f, line + 1, column + 1, "spaces", "a tab cannot indent YAML");
        return fail_syntax(f, line + 1, column + 1, "\"key: value\" lines, indented with spaces",
                           "not valid YAML: %s%s%s", parser->context ? parser->context : "",
                           parser->context ? ", " : "", parser->problem ? parser->problem : "cannot be read");
}

/* Nothing but one document may be in the file. */
static int check_end(struct yaml_file *f, yaml_parser_t *parser, const char *text, size_t len) {
        yaml_document_t rest;
        yaml_node_t *root;
        int r = 0;

        if (!yaml_parser_load(parser, &rest))
                return fail_parser(f, parser, text, len);
        root = yaml_document_get_root_node(&rest);
        if (root)
                r = fail_node(f, root, "one", "a second YAML document starts here");
        yaml_document_delete(&rest);
        return r;
}

static int check_scalar(struct yaml_file *f, const yaml_node_t *node) {
        if (memchr(node->data.scalar.value, 0, node->data.scalar.length))
                return fail_node(f, node, "text", "a zero byte in a value");
        return 0;
}

static int check_keys(struct yaml_file *f, const yaml_node_t *map) {
        const yaml_node_pair_t *start = map->data.mapping.pairs.start, *top = map->data.mapping.pairs.top;
        char shown[YAML_SHOW_MAX];

        if (top - start > YAML_KEYS_MAX)
                return fail_node(f, map, "at most 64", "a map of %zu keys", (size_t) (top - start));
        for (const yaml_node_pair_t *p = start; p < top; p++) {
                const yaml_node_t *key = yaml_file_node(f, p->key);

                if (key->type != YAML_SCALAR_NODE)
                        return fail_node(f, key, "a word", "%s cannot be a key", yaml_show(key, shown));
                for (const yaml_node_pair_t *q = start; q < p; q++) {
                        const yaml_node_t *first = yaml_file_node(f, q->key);

                        if (strcmp(yaml_text(first), yaml_text(key)) != 0)
                                continue;
                        return fail_node(f, key, "each key once", "%s stands here a second time, first in line %u",
                                         yaml_show(key, shown), yaml_line(first));
                }
        }
        return 0;
}

enum mark { UNSEEN, OPEN, DONE };

struct check {
        struct yaml_file *file;
        unsigned char *marks;  /* enum mark of each node */
};

static int check_node(struct check *c, int index);

static int check_children(struct check *c, const yaml_node_t *node) {
        int r;

        if (node->type == YAML_SEQUENCE_NODE) {
                for (const yaml_node_item_t *i = node->data.sequence.items.start;
                     i < node->data.sequence.items.top; i++) {
                        r = check_node(c, *i);
                        if (r < 0)
                                return r;
                }
                return 0;
        }
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
                r = check_node(c, p->key);
                if (r == 0)
                        r = check_node(c, p->value);
                if (r < 0)
                        return r;
        }
        return check_keys(c->file, node);
}

/* Each node is entered once, however many aliases lead to it: no alias can make this slow. */
static int check_node(struct check *c, int index) {
        const yaml_node_t *node = yaml_file_node(c->file, index);
        int r;

        if (c->marks[index] == DONE)
                return 0;
        if (c->marks[index] == OPEN)
                return fail_node(c->file, node, "an end", "an alias inside this refers to itself");
        if (node->type == YAML_SCALAR_NODE)
                return check_scalar(c->file, node);
        c->marks[index] = OPEN;
        r = check_children(c, node);
        c->marks[index] = DONE;
        return r;
}

static int check_document(struct yaml_file *f) {
        struct check c = { .file = f };
        size_t n = (size_t) (f->document.nodes.top - f->document.nodes.start);
        int r;

        if (n == 0)
                return 0;
        c.marks = calloc(n + 1, 1);
        if (!c.marks) {
                snprintf(f->error->text, sizeof f->error->text, "%.120s: out of memory", f->name);
                return -ENOMEM;
        }
        r = check_node(&c, 1);
        free(c.marks);
        return r;
}

static void start_parser(yaml_parser_t *parser, const char *text, size_t len) {
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(parser, (const unsigned char *) text, len);
}

struct extent {
        unsigned depth, anchors;
};

/* False when the event goes beyond a limit. */
static bool count_event(struct extent *e, const yaml_event_t *event) {
        switch (event->type) {
        case YAML_SEQUENCE_START_EVENT:
                e->anchors += event->data.sequence_start.anchor != NULL;
                e->depth++;
                break;
        case YAML_MAPPING_START_EVENT:
                e->anchors += event->data.mapping_start.anchor != NULL;
                e->depth++;
                break;
        case YAML_SCALAR_EVENT:
                e->anchors += event->data.scalar.anchor != NULL;
                break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                e->depth--;
                break;
        default:
                break;
        }
        return e->depth <= YAML_DEPTH_MAX && e->anchors <= YAML_ANCHORS_MAX;
}

/* libyaml's time grows with the square of nesting and of anchors: a megabyte of "[" would take it minutes. So the
 * events are counted first, and the tree is only built for what people write. */
static int check_extent(struct yaml_file *f, yaml_parser_t *parser, const char *text, size_t len) {
        struct extent extent = { .depth = 0 };
        bool end = false;
        int r = 0;

        while (r == 0 && !end) {
                yaml_event_t event;

                if (!yaml_parser_parse(parser, &event))
                        return fail_parser(f, parser, text, len);
                end = event.type == YAML_STREAM_END_EVENT;
                if (!count_event(&extent, &event))
                        r = fail_syntax(f, event.start_mark.line + 1, event.start_mark.column + 1, "less",
                                        extent.depth > YAML_DEPTH_MAX ? "nested too deeply" : "too many anchors");
                yaml_event_delete(&event);
        }
        return r;
}

static int parse_document(struct yaml_file *f, yaml_parser_t *parser, const char *text, size_t len) {
        int r;

        if (!yaml_parser_load(parser, &f->document))
                return fail_parser(f, parser, text, len);
        f->loaded = true;
        r = check_document(f);
        if (r < 0 || !yaml_file_root(f))
                return r;
        return check_end(f, parser, text, len);
}

int yaml_file_parse(struct yaml_file *f, const char *name, const char *text, size_t len, struct config_error *error) {
        int (*const passes[])(struct yaml_file *, yaml_parser_t *, const char *, size_t) = {
                check_extent, parse_document,
        };
        int r = 0;

        *f = (struct yaml_file) { .name = name, .error = error };
        if (len > YAML_FILE_MAX)
                return fail_syntax(f, 1, 1, "at most 1 MiB", "the file is too large");
        for (size_t i = 0; r == 0 && i < ELEMENTS(passes); i++) {
                yaml_parser_t parser;

                if (!yaml_parser_initialize(&parser)) {
                        snprintf(error->text, sizeof error->text, "%.120s: out of memory", name);
                        return -ENOMEM;
                }
                start_parser(&parser, text, len);
                r = passes[i](f, &parser, text, len);
                yaml_parser_delete(&parser);
        }
        return r;
}

void yaml_file_free(struct yaml_file *f) {
        if (f->loaded)
                yaml_document_delete(&f->document);
        f->loaded = false;
}

const yaml_node_t *yaml_file_root(struct yaml_file *f) {
        return yaml_document_get_root_node(&f->document);
}

const yaml_node_t *yaml_file_node(struct yaml_file *f, int index) {
        return f->document.nodes.start + index - 1;
}

const yaml_node_t *yaml_map_get(struct yaml_file *f, const yaml_node_t *map, const char *key) {
        for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
                if (strcmp(yaml_text(yaml_file_node(f, p->key)), key) == 0)
                        return yaml_file_node(f, p->value);
        return NULL;
}

const char *yaml_text(const yaml_node_t *node) {
        return node->type == YAML_SCALAR_NODE ? (const char *) node->data.scalar.value : "";
}

bool yaml_is_null(const yaml_node_t *node) {
        const char *text = yaml_text(node);

        return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
               (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

const char *yaml_show(const yaml_node_t *node, char *buf) {
        char text[48];

        if (node->type == YAML_MAPPING_NODE)
                return "a map";
        if (node->type == YAML_SEQUENCE_NODE)
                return "a list";
        if (yaml_is_null(node))
                return "nothing";
        snprintf(text, sizeof text, "%s", yaml_text(node));
        yaml_one_line(text);
        snprintf(buf, YAML_SHOW_MAX, "\"%s%s\"", text, node->data.scalar.length >= sizeof text ? "..." : "");
        return buf;
}
