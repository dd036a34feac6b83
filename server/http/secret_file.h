/* Small files that a configuration names and that are not part of it: tokens, certificates, keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* "credential:NAME" is what systemd hands over in $CREDENTIALS_DIRECTORY (LoadCredential=NAME:FILE). */
#define SECRET_FILE_CREDENTIAL "credential:"

/* Reads it whole, up to max bytes, with a 0 behind the end. The text is to be freed by secret_file_free. is_secret:
 * warns when everybody on the machine may read it. The length, or a negative errno with error telling the name and
 * the reason. */
ssize_t secret_file_read(const char *name, size_t max, bool is_secret, char **ret, char *error, size_t error_size);

/* Forgets what was in it. NULL is fine. */
void secret_file_free(char *text, size_t len);

/* A credential in a process that systemd has handed none to: only the service can tell whether it is good. */
bool secret_file_is_out_of_reach(const char *name);
