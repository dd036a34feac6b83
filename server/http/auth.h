/* Tokens: who may read, who may control. */
#pragma once

#include <stddef.h>

#include "http/route.h"

struct auth_tokens;

/* A file of lines "<read|control> <secret>", '#' starts a comment line. On failure error says "FILE:LINE: why" and
 * the result is a negative errno: -EINVAL for content, others for the file. */
int auth_tokens_load(const char *path, struct auth_tokens **ret, char *error, size_t error_size);

/* The same from memory; name stands for the file in messages. */
int auth_tokens_parse(const char *name, const char *text, size_t len, struct auth_tokens **ret, char *error,
                      size_t error_size);

/* Forgets the secrets. NULL is fine. */
struct auth_tokens *auth_tokens_free(struct auth_tokens *t);
static inline void auth_tokens_freep(struct auth_tokens **t) { auth_tokens_free(*t); }

/* What an Authorization header allows: "Bearer SECRET", or "Basic" with the secret as password and any user name.
 * HTTP_ROLE_NONE without a header (NULL), tokens (NULL) or a match. Takes the same time whichever token matches. */
enum http_role auth_role(const struct auth_tokens *t, const char *authorization);
