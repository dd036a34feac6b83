/* What discover found, for programs, for people and as a profile. All go to stdout; SIGPIPE must be ignored. */
#pragma once

#include <stdbool.h>

#include "workbench/suggest/suggest.h"

struct discover_subject {
        const struct protocol *protocol;
        const char *product_key;           /* "" : not known */
        const char *name;                  /* of the profile */
        const struct observations *observations;
};

/* NDJSON, the best first. Each returns 0 or a negative errno. */
int discover_put_lines(const struct discover_subject *subject, const struct suggestions *found);
/* A table for a terminal. */
int discover_put_table(const struct discover_subject *subject, const struct suggestions *found);
/* YAML of what is likely at least; the rest as comments. */
int discover_put_profile(const struct discover_subject *subject, const struct suggestions *found);

/* Whether a profile can have this name; tells what is wrong with it if not. */
bool discover_check_name(const char *name);
