/* The gateway itself: everything started in order, stopped in reverse. */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"

struct gateway;

/* Takes over config, also on failure. config_path is read again on reload; NULL: no reload. Logs why on failure. */
int gateway_start(sd_event *event, struct config *config, const char *config_path, struct gateway **ret);
struct gateway *gateway_free(struct gateway *g);
static inline void gateway_freep(struct gateway **g) { gateway_free(*g); }

/* "http://127.0.0.1:8730", "" when it listens on unix sockets only. */
const char *gateway_url(const struct gateway *g);

/* Reads config_path again. A bad file changes nothing. */
int gateway_reload(struct gateway *g);

/* metergate serve */
int serve_main(int argc, char **argv);
