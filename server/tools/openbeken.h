/* An OpenBeken script read as data: which datapoints it links to which channels, what those channels are, how fast
 * the line is and how often the meter is asked. What a profile cannot say is told line by line. Parsing and deciding
 * only: no files, no output. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "protocols/profile.h"
#include "tools/openbeken_script.h"
#include "tools/openbeken_types.h"

#define OPENBEKEN_SCRIPT_MAX   (256 * 1024)  /* bytes; the file system of such a module has less */
#define OPENBEKEN_CHANNELS     256           /* OpenBeken has 64 or 128 */
#define OPENBEKEN_ALIASES_MAX  128
#define OPENBEKEN_SIGNS_MAX    16            /* powers whose direction another channel tells */
#define OPENBEKEN_DEPTH_MAX    8             /* aliases and backlogs inside each other */
#define OPENBEKEN_COMMANDS_MAX 20000         /* of a script, those of aliases each time they are called */
#define OPENBEKEN_NOTE_MAX     224

/* Something that the user should know about a line. */
struct openbeken_note {
        unsigned line;
        char text[OPENBEKEN_NOTE_MAX];
};

struct openbeken_channel {
        const struct openbeken_channel_type *type;  /* NULL: none */
        unsigned type_line;
        char label[64];                             /* "" */
        char values[160];                           /* "0 = off, 1 = on"; "" */
};

/* A datapoint and where it goes. */
struct openbeken_link {
        unsigned line;            /* 0: this datapoint is not linked */
        unsigned order;           /* among the links, from 1 */
        const struct openbeken_wire_type *type;
        int channel;              /* -1: chosen by its type */
        int64_t mult;             /* in 10^-12 */
        bool inverse;
        bool has_delta;
};

struct openbeken_alias {
        unsigned line;
        bool used;
        char name[48];
        char text[OPENBEKEN_LINE_MAX + 1];
};

/* A value in one channel counts negative when another one holds a number. */
struct openbeken_sign {
        unsigned line;
        unsigned value_channel, sign_channel;
        uint8_t reverse;
};

/* A line of logic that may belong to such a sign: its text is looked at when the whole script is known. */
struct openbeken_logic {
        unsigned line;
        char command[48];         /* the word that says what happens */
        char said[48];            /* the command that says when */
};

#define OPENBEKEN_LOGIC_MAX 256

struct openbeken {
        uint32_t baud;            /* 0: the script does not say */
        uint32_t poll_ms;         /* 0: it does not ask again and again */
        uint32_t min_poll_ms, max_poll_ms;  /* what a profile may have */
        struct openbeken_channel channels[OPENBEKEN_CHANNELS];
        struct openbeken_link links[256];
        unsigned n_links;
        struct openbeken_alias *aliases;    /* owned */
        unsigned n_aliases;
        struct openbeken_sign signs[OPENBEKEN_SIGNS_MAX];
        unsigned n_signs;
        struct openbeken_logic logic[OPENBEKEN_LOGIC_MAX];
        unsigned n_logic;
        unsigned n_commands;
        uint64_t ignored;         /* what sets up the module alone, a bit for each kind of command */
        struct openbeken_note *notes;       /* owned; by line once the script is read */
        size_t n_notes, notes_cap;
        bool failed;                        /* memory */
};

/* Reads a script. -ENOMEM, or 0 whatever it says. */
int openbeken_read(const char *text, size_t len, struct openbeken **ret);
struct openbeken *openbeken_free(struct openbeken *o);
static inline void openbeken_freep(struct openbeken **o) { openbeken_free(*o); }

/* What becomes of a script. */
struct openbeken_profile {
        struct profile *profile;            /* owned */
        char *comments[255];                /* owned; above the row of the same number, may be NULL */
};

/* Makes a profile without name, title and source of all datapoints that the script links; adds notes about what it
 * could not say. -ENOENT when there is none. Free it in any case. */
int openbeken_make_profile(struct openbeken *o, struct openbeken_profile *ret);
void openbeken_profile_free(struct openbeken_profile *p);

/* The profile as a file: name and title are set, remarks stand above their rows, and below them what could not be
 * taken over and how to configure it. file is the script's name, for people. -EINVAL when name or title do not fit,
 * -ENOBUFS when out failed. */
int openbeken_text(const struct openbeken *o, struct openbeken_profile *made, const char *file, const char *name,
                   const char *title, struct buffer *out);
