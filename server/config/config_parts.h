/* What the parts of the configuration's reader share. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "config/schema.h"

#define METER_PORTS_MAX 2  /* of one meter: port and port_tx */

struct seen_port {
        unsigned line;
        char *identity;                       /* owned; NULL: there is none, or others may name it too */
};

/* Beside the configuration itself: where things stood, for the messages that name two places. */
struct config_loader {
        struct config *config;
        struct {
                unsigned id_line;
                struct seen_port ports[METER_PORTS_MAX];
        } seen[METERS_MAX];
};

static inline struct config_loader *config_loader_of(struct schema_walk *w) {
        return w->user;
}

/* The fields of the sections; their base is a struct config, the meters' a struct meter_config. */
extern const struct schema_row config_site_fields[];
extern const struct schema_row config_http_fields[];
extern const struct schema_row config_history_fields[];
extern const struct schema_row config_tariff_fields[];
extern const struct schema_row config_remote_write_fields[];
extern const struct schema_row config_meter_fields[];

/* Readers of whole sections. */
int config_read_tariffs(struct schema_walk *w, const yaml_node_t *node, void *config);
int config_read_remote_write(struct schema_walk *w, const yaml_node_t *node, void *config);
int config_read_meters(struct schema_walk *w, const yaml_node_t *node, void *config);

/* Readers of what belongs to a meter's port; target is a struct meter_config. port comes before role, role before
 * port_tx. */
int config_read_port(struct schema_walk *w, const yaml_node_t *node, void *target);
int config_read_role(struct schema_walk *w, const yaml_node_t *node, void *target);
int config_read_port_tx(struct schema_walk *w, const yaml_node_t *node, void *target);

void meter_config_clear(struct meter_config *m);
void remote_write_config_clear(struct remote_write_config *r);

/* A path, from the configuration's folder, or "credential:NAME" as it is; target is a char *. */
int config_read_file_name(struct schema_walk *w, const yaml_node_t *node, void *target);

/* Adds "FILE:LINE:COLUMN: text" to the warnings; those past the limit are dropped. */
int config_warn(struct schema_walk *w, const yaml_node_t *node, const char *text);

/* A path as written in the configuration, taken from the configuration's folder. Owned by the caller; NULL: no
 * memory. */
char *config_resolve_path(const struct config *c, const char *path);

/* Reads "127.0.0.1:8730", "[::1]:8730", "localhost:8730" or "unix:/path" into the address; text is left alone.
 * -EINVAL: none of these. */
int config_listen_parse(const char *text, struct listen_address *ret);

/* The longest text, with its 0, that may name a file. */
#define CONFIG_PATH_SIZE 1024
