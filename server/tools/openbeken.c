#include "tools/openbeken.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/yaml_text.h"
#include "protocols/protocol.h"
#include "tools/openbeken_parts.h"

static bool add_note_room(struct openbeken *o) {
        size_t cap = o->notes_cap > 0 ? 2 * o->notes_cap : 64;
        struct openbeken_note *notes;

        if (o->n_notes < o->notes_cap)
                return true;
        notes = reallocarray(o->notes, cap, sizeof *notes);
        if (!notes) {
                o->failed = true;
                return false;
        }
        o->notes = notes;
        o->notes_cap = cap;
        return true;
}

void openbeken_note(struct openbeken *o, unsigned line, const char *format, ...) {
        char text[OPENBEKEN_NOTE_MAX];
        struct buffer clean;
        va_list args;

        if (!add_note_room(o))
                return;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        buffer_init(&clean, 2 * sizeof text);
        yaml_put_remark(&clean, text, strlen(text));
        o->notes[o->n_notes].line = line;
        snprintf(o->notes[o->n_notes].text, OPENBEKEN_NOTE_MAX, "%s", clean.data ? clean.data : "");
        o->n_notes++;
        buffer_free(&clean);
}

static int compare_notes(const void *a, const void *b) {
        const struct openbeken_note *x = a, *y = b;

        return x->line != y->line ? (x->line > y->line ? 1 : -1) : strcmp(x->text, y->text);
}

void openbeken_sort_notes(struct openbeken *o) {
        size_t n = 0;

        if (o->n_notes > 0)
                qsort(o->notes, o->n_notes, sizeof *o->notes, compare_notes);
        /* An alias that is called twice says the same twice. */
        for (size_t i = 0; i < o->n_notes; i++)
                if (n == 0 || compare_notes(&o->notes[n - 1], &o->notes[i]) != 0)
                        o->notes[n++] = o->notes[i];
        o->n_notes = n;
}

struct openbeken *openbeken_free(struct openbeken *o) {
        if (!o)
                return NULL;
        free(o->aliases);
        free(o->notes);
        free(o);
        return NULL;
}

int openbeken_read(const char *text, size_t len, struct openbeken **ret) {
        CLEANUP(openbeken_freep) struct openbeken *o = calloc(1, sizeof *o);
        const struct protocol *protocol = protocol_find("tuyamcu");
        struct openbeken_lines lines;
        const char *line = NULL;
        size_t line_len = 0;

        if (!o)
                return -ENOMEM;
        o->aliases = calloc(OPENBEKEN_ALIASES_MAX, sizeof *o->aliases);
        if (!o->aliases)
                return -ENOMEM;
        o->min_poll_ms = protocol->min_poll_ms;
        o->max_poll_ms = protocol->max_poll_ms;
        openbeken_lines_begin(&lines, text, len);
        while (openbeken_lines_next(&lines, &line, &line_len))
                if (line_len > 0)
                        openbeken_run(o, lines.number, line, line_len, 0);
        openbeken_finish_logic(o);
        openbeken_note_ignored(o);
        openbeken_sort_notes(o);
        if (o->failed)
                return -ENOMEM;
        *ret = TAKE(o);
        return 0;
}
