#include "config/config_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NAME_MAX_LEN 32
#define URL_MAX_LEN 1023
#define SERIES_LISTED_MAX 64
#define LABEL_TEXT_MAX 255

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
static const char label_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static int read_name(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const struct config *c = config_loader_of(w)->config;
        struct remote_write_config *r = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int error;

        error = schema_text(w, node, NAME_MAX_LEN, &text);
        if (error < 0)
                return error;
        if (strspn(text, name_characters) != strlen(text))
                return schema_fail(w, node, "%s is not a name", yaml_show(node, shown));
        for (unsigned i = 0; i < c->n_remote_write; i++)
                if (strcmp(c->remote_write[i].name, text) == 0)
                        return schema_fail_expected(w, node, "a name of its own",
                                                    "%s is the name of the receiver in line %u too",
                                                    yaml_show(node, shown), c->remote_write[i].line);
        r->name = strdup(text);
        r->line = yaml_line(node);
        return r->name ? 0 : schema_no_memory(w);
}

static int read_url(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct remote_write_config *r = target;
        const char *text, *host, *end;
        char shown[YAML_SHOW_MAX];
        int error;

        error = schema_text(w, node, URL_MAX_LEN, &text);
        if (error < 0)
                return error;
        host = strncmp(text, "http://", 7) == 0 ? text + 7 : strncmp(text, "https://", 8) == 0 ? text + 8 : "";
        end = host + strcspn(host, "/?#");
        if (end == host || strpbrk(text, " \"<>\\^`{|}"))
                return schema_fail(w, node, "%s is no address that can be written to", yaml_show(node, shown));
        if (memchr(host, '@', (size_t) (end - host)))
                return schema_fail_expected(w, node, "the secret in a file that token_file names",
                                            "a secret has no place in this file");
        r->url = strdup(text);
        return r->url ? 0 : schema_no_memory(w);
}

/* ---- maps of names and texts ---- */

struct texts {
        struct name_text *list;
        unsigned *n, max;
        const char *form;                 /* of a name */
        bool (*good)(const char *name);
};

static bool is_label(const char *name) {
        return strspn(name, label_characters) == strlen(name) && (*name < '0' || *name > '9') &&
               strncmp(name, "__", 2) != 0 && strcmp(name, "meter") != 0 && strcmp(name, "channel") != 0;
}

/* Those that the sender sets itself are not to be set; a secret belongs into a file of its own. */
static bool is_header(const char *name) {
        static const char *const taken[] = { "authorization", "proxy-authorization", "host", "connection", "expect",
                                             "transfer-encoding", "x-prometheus-remote-write-version", "user-agent",
                                             "cookie" };

        for (size_t i = 0; i < ELEMENTS(taken); i++)
                if (strcasecmp(name, taken[i]) == 0)
                        return false;
        return *name && strncasecmp(name, "content-", 8) != 0 &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == strlen(name);
}

static int read_text(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct name_text *item = target;
        const char *text;
        int error;

        error = schema_text(w, node, LABEL_TEXT_MAX, &text);
        if (error < 0)
                return error;
        item->text = strdup(text);
        return item->text ? 0 : schema_no_memory(w);
}

static int read_pair(struct schema_walk *w, const yaml_node_pair_t *p, struct texts *t) {
        const yaml_node_t *key = yaml_file_node(w->file, p->key);
        struct name_text *item = &t->list[*t->n];
        char shown[YAML_SHOW_MAX];

        if (*t->n == t->max)
                return schema_fail(w, key, "there are more than %u", t->max);
        if (!t->good(yaml_text(key)))
                return schema_fail_expected(w, key, t->form, "%s is not one", yaml_show(key, shown));
        item->name = strdup(yaml_text(key));
        if (!item->name)
                return schema_no_memory(w);
        ++*t->n;
        return schema_read_child(w, item->name, -1, yaml_file_node(w->file, p->value), read_text, item);
}

static int read_texts(struct schema_walk *w, const yaml_node_t *node, struct texts *t) {
        char shown[YAML_SHOW_MAX];
        int error;

        if (node->type != YAML_MAPPING_NODE)
                return schema_fail(w, node, "%s is not a map", yaml_show(node, shown));
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
                error = read_pair(w, p, t);
                if (error < 0)
                        return error;
        }
        return 0;
}

static int read_headers(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct remote_write_config *r = target;
        struct texts t = { r->headers, &r->n_headers, REMOTE_WRITE_HEADERS_MAX,
                           "the name of a header such as X-Scope-OrgID; a secret goes into token_file", is_header };

        return read_texts(w, node, &t);
}

static int read_labels(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct remote_write_config *r = target;
        /* One place stays free for the instance. */
        struct texts t = { r->labels, &r->n_labels, REMOTE_WRITE_LABELS_MAX - 1,
                           "a name of letters, digits and _, other than meter and channel", is_label };

        return read_texts(w, node, &t);
}

/* ---- which series ---- */

/* "power_w" is that of the meter and of each of its channels, "l1.power_w" that of one channel. */
static int read_series_item(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct remote_write_config *r = target;
        char shown[YAML_SHOW_MAX];
        const char *text, *dot;
        int error;

        error = schema_text(w, node, LABEL_TEXT_MAX, &text);
        if (error < 0)
                return error;
        dot = strrchr(text, '.');
        if (quantity_from_key(dot ? dot + 1 : text) == Q_NONE || dot == text)
                return schema_fail(w, node, "%s is no series", yaml_show(node, shown));
        r->series[r->n_series] = strdup(text);
        if (!r->series[r->n_series])
                return schema_no_memory(w);
        r->n_series++;
        return 0;
}

static int read_series(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct remote_write_config *r = target;

        if (node->type == YAML_SEQUENCE_NODE && schema_count(node) == 0)
                return schema_fail(w, node, "the list is empty");
        r->series = calloc(SERIES_LISTED_MAX, sizeof *r->series);
        if (!r->series)
                return schema_no_memory(w);
        return schema_read_items(w, node, SERIES_LISTED_MAX, read_series_item, r);
}

const struct schema_row config_remote_write_fields[] = {
        { .key = "name", .required = true, .read = read_name, .form = "1 to 32 of a-z, 0-9 and -",
          .meaning = "Name of the receiver in the log and in metrics, and of the file that remembers what it has. "
                     "Under a new name everything is sent again." },
        { .key = "url", .required = true, .read = read_url,
          .form = "an address such as http://host:9090/api/v1/write",
          .meaning = "Where it takes remote write, version 1.0." },
        { .key = "token_file", .offset = offsetof(struct remote_write_config, token_path),
          .read = config_read_file_name, .form = "the path of a file, or credential:NAME",
          .meaning = "File with nothing but the secret that is sent as \"Authorization: Bearer SECRET\"." },
        { .key = "headers", .read = read_headers, .form = "a map of header names and texts", .fallback = "none",
          .meaning = "Headers to be sent beside, such as X-Scope-OrgID: house." },
        { .key = "series", .read = read_series, .form = "a list of series such as power_w or l1.power_w",
          .fallback = "all", .meaning = "What is sent; a name without a channel stands for all channels as well." },
        { .key = "labels", .read = read_labels, .form = "a map of label names and texts",
          .fallback = "{instance: this machine's name}",
          .meaning = "Labels of every series, beside meter and channel." },
        { .key = NULL },
};

/* Without it, two gateways with a meter "main" would write the same series. */
static int add_instance(struct schema_walk *w, struct remote_write_config *r) {
        struct name_text *item = &r->labels[r->n_labels];
        char host[256] = "";

        for (unsigned i = 0; i < r->n_labels; i++)
                if (strcmp(r->labels[i].name, "instance") == 0)
                        return 0;
        if (gethostname(host, sizeof host - 1) < 0 || !host[0])
                strcpy(host, "metergate");
        r->n_labels++;
        item->name = strdup("instance");
        item->text = strdup(host);
        return item->name && item->text ? 0 : schema_no_memory(w);
}

static int read_receiver(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config *c = target;
        struct remote_write_config *r = &c->remote_write[c->n_remote_write];
        int error;

        error = schema_read_map(w, node, config_remote_write_fields, r);
        if (error == 0)
                error = add_instance(w, r);
        if (error < 0)
                remote_write_config_clear(r);
        else
                c->n_remote_write++;
        return error;
}

int config_read_remote_write(struct schema_walk *w, const yaml_node_t *node, void *config) {
        struct config *c = config;

        if (yaml_is_null(node))
                return 0;
        c->remote_write = calloc(REMOTE_WRITE_MAX, sizeof *c->remote_write);
        if (!c->remote_write)
                return schema_no_memory(w);
        return schema_read_items(w, node, REMOTE_WRITE_MAX, read_receiver, c);
}

static void clear_texts(struct name_text *list, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                free(list[i].name);
                free(list[i].text);
        }
}

void remote_write_config_clear(struct remote_write_config *r) {
        clear_texts(r->headers, r->n_headers);
        clear_texts(r->labels, r->n_labels);
        for (unsigned i = 0; i < r->n_series; i++)
                free(r->series[i]);
        free(r->series);
        free(r->name);
        free(r->url);
        free(r->token_path);
        *r = (struct remote_write_config) { 0 };
}

static bool same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_texts(const struct name_text *a, unsigned n_a, const struct name_text *b, unsigned n_b) {
        bool same = n_a == n_b;

        for (unsigned i = 0; same && i < n_a; i++)
                same = same_text(a[i].name, b[i].name) && same_text(a[i].text, b[i].text);
        return same;
}

bool remote_write_config_equal(const struct remote_write_config *a, const struct remote_write_config *b) {
        bool same = same_text(a->name, b->name) && same_text(a->url, b->url) &&
                    same_text(a->token_path, b->token_path) && a->n_series == b->n_series &&
                    same_texts(a->headers, a->n_headers, b->headers, b->n_headers) &&
                    same_texts(a->labels, a->n_labels, b->labels, b->n_labels);

        for (unsigned i = 0; same && i < a->n_series; i++)
                same = same_text(a->series[i], b->series[i]);
        return same;
}
