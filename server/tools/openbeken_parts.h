/* What the parts of the OpenBeken reader share. */
#pragma once

#include "tools/openbeken.h"

/* Remembers something about a line; of what comes from the script, control characters and the like become '?'. */
void openbeken_note(struct openbeken *o, unsigned line, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* By line, those of the whole script first, each once. */
void openbeken_sort_notes(struct openbeken *o);

/* One command: a line, a part of a backlog, what an alias stands for. */
void openbeken_run(struct openbeken *o, unsigned line, const char *text, size_t len, unsigned depth);

/* At the end of the script: says which commands were none of the meter's. */
void openbeken_note_ignored(struct openbeken *o);

/* NULL when there is none of that name. */
struct openbeken_alias *openbeken_find_alias(struct openbeken *o, const char *name);

/* What a command would send to the meter. */
enum openbeken_request {
        OPENBEKEN_NO_REQUEST,     /* it sends nothing */
        OPENBEKEN_QUERY,          /* the question for all values */
        OPENBEKEN_OWN,            /* what the gateway says by itself */
        OPENBEKEN_CUSTOM,         /* something else; a note tells what */
        OPENBEKEN_BAD_REQUEST,    /* not a frame; a note tells why */
};
enum openbeken_request openbeken_request(struct openbeken *o, unsigned line, const struct openbeken_words *w);

/* Looks at "if CONDITION then COMMAND else COMMAND" for a sign that another channel tells. */
bool openbeken_find_sign(struct openbeken *o, unsigned line, const char *text);
/* At the end of the script: finds the signs in aliases, and notes the logic that is none of theirs. */
void openbeken_finish_logic(struct openbeken *o);
