#include "http/assets.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"

#define ASSETS_MAX 64  /* a page, its styles, scripts and icons */

static const struct {
        const char *ending, *content_type;
} types[] = {
        { ".html", "text/html; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".ico", "image/x-icon" },
        { ".json", "application/json" },
        { ".webmanifest", "application/manifest+json" },
};

static const char *content_type_of(const char *name) {
        const char *ending = strrchr(name, '.');

        for (size_t i = 0; ending && i < ELEMENTS(types); i++)
                if (strcmp(ending, types[i].ending) == 0)
                        return types[i].content_type;
        return "application/octet-stream";
}

static struct asset describe(const struct embedded_file *file) {
        return (struct asset) {
                .name = file->name,
                .content_type = content_type_of(file->name),
                .data = file->data,
                .len = file->len,
                .gzip = file->gzip,
                .gzip_len = file->gzip_len,
                .tag = hash_bytes(0, file->data, file->len),
        };
}

const struct asset *asset_find(const char *path) {
        /* Replies point at an asset while they are sent, so each file has a lasting entry of its own. */
        static struct asset found[ASSETS_MAX];
        const char *name;

        if (path[0] != '/')
                return NULL;
        name = path[1] ? path + 1 : "index.html";
        for (size_t i = 0; i < ASSETS_MAX && embedded_assets[i].name; i++) {
                if (strcmp(embedded_assets[i].name, name) != 0)
                        continue;
                if (!found[i].name)
                        found[i] = describe(&embedded_assets[i]);
                return &found[i];
        }
        return NULL;
}
