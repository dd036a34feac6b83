/* Names of files that a recording has set aside: of meter.hex meter-20261121T100000.123Z.hex, where the time is that
 * of its beginning. All are of one length, so that their order is that of time. */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct capture_names {
        char folder[PATH_MAX];     /* "." where path has none */
        char stem[NAME_MAX + 1], ending[NAME_MAX + 1];
};

/* -ENAMETOOLONG where there is no room for a time. */
int capture_names_of(const char *path, struct capture_names *ret);

/* A name (with its folder, PATH_MAX bytes) behind all those that are there, for a file of that beginning. */
int capture_names_next(const struct capture_names *n, int64_t utc_ms, char *ret);

/* Deletes the oldest of them until there are at most so many, but not for long: returns 1 when more has to go. */
int capture_names_trim(const struct capture_names *n, unsigned keep);
