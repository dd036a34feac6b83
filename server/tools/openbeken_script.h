/* The text of an OpenBeken script (autoexec.bat): its lines, commands and words. Pure text: nothing is executed, and
 * nothing that is only known while a script runs ($CH3) is filled in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPENBEKEN_LINE_MAX  1024  /* bytes of one line; OpenBeken itself reads 512 */
#define OPENBEKEN_WORDS_MAX 32    /* of one command, as in OpenBeken: it does not see what follows */

/* The words of one command. */
struct openbeken_words {
        unsigned n;
        const char *word[OPENBEKEN_WORDS_MAX];  /* into text; without the quotes that grouped it */
        const char *rest[OPENBEKEN_WORDS_MAX];  /* into line: all from this word on, as it was written */
        char text[OPENBEKEN_LINE_MAX + OPENBEKEN_WORDS_MAX];  /* each word brings its final 0 */
        char line[OPENBEKEN_LINE_MAX + 1];
};

struct openbeken_lines {
        const char *at, *end;
        unsigned number;          /* of the line that was given last, from 1 */
};

/* The lines of a script. text is borrowed; a byte order mark in front is passed over. */
void openbeken_lines_begin(struct openbeken_lines *l, const char *text, size_t len);

/* The next line without its end, comment and the blanks around it, maybe empty. False past the last one. */
bool openbeken_lines_next(struct openbeken_lines *l, const char **ret_line, size_t *ret_len);

/* The part of "a; b; c" that begins at *at, up to a ';' outside quotes; *at goes behind it. False at the end. */
bool openbeken_next_part(const char **at, const char *end, const char **ret_part, size_t *ret_len);

/* Words are separated by blanks and commas. -E2BIG when it is longer than OPENBEKEN_LINE_MAX. */
int openbeken_split(const char *line, size_t len, struct openbeken_words *ret);

/* Everything from word i on, as written, but for quotes around all of it: a text that people may quote or not. */
const char *openbeken_text_from(const struct openbeken_words *w, unsigned i);

/* A whole number as scripts write it: decimal or 0x.... -EINVAL when it is none, -ERANGE outside min to max. */
int openbeken_integer(const char *word, int64_t min, int64_t max, int64_t *ret);
