/* From the configuration to what the HTTP server wants to know. */
#pragma once

#include "config/config.h"
#include "http/server.h"

/* Borrows from the configuration. */
struct http_policy config_http_policy(const struct config *c);

/* Reads the files that http names and forgets them again: tokens, certificate, key. On failure error says which one
 * is wrong and why. Credentials are left out in a process that systemd has handed none to. */
int config_check_files(const struct config *c, char error[HTTP_ERROR_MAX]);
