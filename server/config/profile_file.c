#include "config/profile_file.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/embedded.h"
#include "config/profile_parts.h"
#include "config/read_file.h"

#define BUILTINS_MAX 128
#define SUFFIX ".yaml"

struct builtin {
        const struct embedded_file *file;
        char name[PROFILE_NAME_MAX + 1];
        struct profile *profile;          /* NULL until it was wanted */
};

static struct builtin builtins[BUILTINS_MAX];
static unsigned n_builtins;

static bool has_suffix(const char *name) {
        size_t len = strlen(name), suffix = strlen(SUFFIX);

        return len > suffix && strcmp(name + len - suffix, SUFFIX) == 0;
}

static int compare_builtins(const void *a, const void *b) {
        return strcmp(((const struct builtin *) a)->name, ((const struct builtin *) b)->name);
}

static void list_builtins(void) {
        if (n_builtins > 0)
                return;
        for (const struct embedded_file *f = embedded_profiles; f->name; f++) {
                size_t len = strlen(f->name) - strlen(SUFFIX);

                assert(n_builtins < BUILTINS_MAX && has_suffix(f->name) && len <= PROFILE_NAME_MAX);
                builtins[n_builtins].file = f;
                memcpy(builtins[n_builtins].name, f->name, len);
                n_builtins++;
        }
        qsort(builtins, n_builtins, sizeof builtins[0], compare_builtins);
}

static struct builtin *find_builtin(const char *name) {
        list_builtins();
        for (unsigned i = 0; i < n_builtins; i++)
                if (strcmp(builtins[i].name, name) == 0)
                        return &builtins[i];
        return NULL;
}

const char *profile_builtin_name(unsigned i) {
        list_builtins();
        return i < n_builtins ? builtins[i].name : NULL;
}

const char *profile_builtin_text(const char *name, size_t *ret_len) {
        const struct builtin *b = find_builtin(name);

        if (!b)
                return NULL;
        *ret_len = b->file->len;
        return (const char *) b->file->data;
}

static size_t profile_size(unsigned n_datapoints) {
        return sizeof(struct profile) + n_datapoints * sizeof(struct profile_datapoint);
}

static int read_root(struct schema_walk *w, struct profile *p) {
        const yaml_node_t *root = yaml_file_root(w->file);

        p->n_channels = 1;
        if (!root || yaml_is_null(root))
                return schema_fail_expected(w, root, "name, title, protocol, evidence and datapoints",
                                            "the file holds no profile");
        return schema_read_map(w, root, profile_fields, p);
}

int profile_parse(const char *name, const char *text, size_t len, struct profile **ret, struct config_error *error) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        struct schema_walk w = { .row = NULL };
        struct yaml_file file;
        struct profile *fit;
        int r;

        p = calloc(1, profile_size(PROFILE_DATAPOINTS_MAX));
        if (!p) {
                snprintf(error->text, sizeof error->text, "%.120s: out of memory", name);
                return -ENOMEM;
        }
        w.user = p;
        w.file = &file;
        r = yaml_file_parse(&file, name, text, len, error);
        if (r == 0)
                r = read_root(&w, p);
        yaml_file_free(&file);
        if (r < 0)
                return r;
        /* Room was made for the largest profile; give back what this one does not use. */
        fit = realloc(p, profile_size(p->n_datapoints));
        if (fit)
                p = fit;
        *ret = TAKE(p);
        return 0;
}

static int load_file(const char *path, struct profile **ret, struct config_error *error) {
        struct buffer text;
        int r;

        buffer_init(&text, YAML_FILE_MAX + 1);
        r = read_file(path, true, &text, error);
        if (r == 0)
                r = profile_parse(path, text.data ? text.data : "", text.len, ret, error);
        buffer_free(&text);
        return r;
}

int profile_load(const char *name_or_path, struct profile **ret, struct config_error *error) {
        const struct builtin *b;

        if (strchr(name_or_path, '/') || has_suffix(name_or_path))
                return load_file(name_or_path, ret, error);
        b = find_builtin(name_or_path);
        if (!b) {
                snprintf(error->text, sizeof error->text, "there is no profile \"%.64s\"", name_or_path);
                yaml_one_line(error->text);
                return -ENOENT;
        }
        return profile_parse(b->file->name, (const char *) b->file->data, b->file->len, ret, error);
}

static bool names_key(const struct profile *p, const char *protocol, const char *key) {
        if (strcmp(p->protocol, protocol) != 0)
                return false;
        for (unsigned i = 0; i < p->n_product_keys; i++)
                if (strcmp(p->product_keys[i], key) == 0)
                        return true;
        return false;
}

/* Whether the key stands in the file as a word of its own. */
static bool text_has_word(const struct embedded_file *f, const char *key, size_t len) {
        const unsigned char *at = f->data, *end = f->data + f->len;

        while ((at = memmem(at, (size_t) (end - at), key, len))) {
                if ((at == f->data || !isalnum(at[-1])) && (at + len == end || !isalnum(at[len])))
                        return true;
                at++;
        }
        return false;
}

const struct profile *profile_for_product_key(const char *protocol, const char *key) {
        struct config_error error;
        size_t len = strlen(key);

        list_builtins();
        if (len == 0 || len > PRODUCT_KEY_MAX)
                return NULL;
        for (struct builtin *b = builtins; b < builtins + n_builtins; b++) {
                /* Only a profile that may be the one is parsed: the others cost neither time nor memory. */
                if (!b->profile && text_has_word(b->file, key, len))
                        profile_parse(b->file->name, (const char *) b->file->data, b->file->len, &b->profile, &error);
                if (b->profile && names_key(b->profile, protocol, key))
                        return b->profile;
        }
        return NULL;
}

bool profile_equal(const struct profile *a, const struct profile *b) {
        if (!a || !b)
                return a == b;
        /* Both come from zeroed memory and are filled member by member, so that padding compares equal. */
        return a->n_datapoints == b->n_datapoints && memcmp(a, b, profile_size(a->n_datapoints)) == 0;
}

struct profile *profile_free(struct profile *p) {
        free(p);
        return NULL;
}
