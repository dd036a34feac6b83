/* Files of recorded bytes with annotations beside them, fed to a framer whole, byte by byte and in random pieces.
 * What a frame must hold is each protocol's own business. All checks are cmocka's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/framer.h"
#include "protocols/profile.h"

enum {
        GOLDEN_BYTES_MAX = 1 << 16,
        GOLDEN_LINES_MAX = 4096,
};

struct golden;

/* One way through a file. */
struct walk {
        const struct golden *golden;
        struct framer framer;
        unsigned line;           /* next annotation */
        uint64_t frames, noise, pending, total, frame_bytes;
};

struct golden_kind {
        const char *folder;      /* of the shared captures */
        frame_check_fn check;
        bool streams_have_stats; /* an "expect-stats" line in every stream */
        void (*begin)(void);     /* a file begins; NULL: nothing to forget */
        void (*frame)(struct walk *w, const uint8_t *frame, size_t len);
};

struct golden {
        const struct golden_kind *kind;
        char *path;              /* owned */
        char *text;              /* owned; its lines are cut apart in place */
        const char *lines[GOLDEN_LINES_MAX];  /* expect-frame, expect and decoded, without "# " */
        unsigned n_lines;
        const char *stats;       /* expect-stats, NULL: none */
        struct profile *profile; /* owned; NULL when no built-in one has the name */
        bool frames_kind;
        uint8_t bytes[GOLDEN_BYTES_MAX];
        size_t n_bytes;
        size_t ends[GOLDEN_LINES_MAX];  /* where each data line ends */
        unsigned n_ends;
};

/* The next annotation, which has to be of that kind ("expect: "), without it. */
const char *golden_next_line(struct walk *w, const char *kind);

/* Runs a test for each file of the kind. What main returns. */
int golden_main(const struct golden_kind *kind);
