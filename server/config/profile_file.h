/* Device profiles as YAML: those embedded in the binary (etc/profiles/) and the user's own files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "protocols/profile.h"

/* Name of the built-in profile number i (in alphabetical order), NULL past the last. */
const char *profile_builtin_name(unsigned i);

/* Text of a built-in profile, NULL when there is none of that name. */
const char *profile_builtin_text(const char *name, size_t *ret_len);

/* Profile from YAML text; name stands for the file in messages. Errors as config_parse. */
int profile_parse(const char *name, const char *text, size_t len, struct profile **ret, struct config_error *error);

/* Built-in name, or the path of a file (anything with a '/' or ending in ".yaml"). -ENOENT when there is neither. */
int profile_load(const char *name_or_path, struct profile **ret, struct config_error *error);

/* The built-in profile that names this product key, for this protocol. NULL when there is none. Parsed on first
 * use, kept for the life of the process; owned by the catalogue. */
const struct profile *profile_for_product_key(const char *protocol, const char *key);

struct profile *profile_free(struct profile *p);
static inline void profile_freep(struct profile **p) { profile_free(*p); }

/* True when both say the same; two NULLs do. */
bool profile_equal(const struct profile *a, const struct profile *b);
