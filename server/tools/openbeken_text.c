#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "config/profile_text.h"
#include "config/yaml_text.h"
#include "tools/openbeken.h"

#define NOTES_SHOWN_MAX 200  /* in the file; all of them are told on standard error */

static void put_notes(const struct openbeken *o, const char *file, struct buffer *out) {
        if (o->n_notes == 0)
                return;
        buffer_printf(out, "\nWhat this profile does not say, by line of %s:\n", file);
        for (size_t i = 0; i < o->n_notes && i < NOTES_SHOWN_MAX; i++) {
                if (o->notes[i].line > 0)
                        buffer_printf(out, "  %u: ", o->notes[i].line);
                buffer_printf(out, "%s%s\n", o->notes[i].line > 0 ? "" : "  ", o->notes[i].text);
        }
        if (o->n_notes > NOTES_SHOWN_MAX)
                buffer_printf(out, "  and %zu more\n", o->n_notes - NOTES_SHOWN_MAX);
}

static void put_configuration(const struct profile *p, struct buffer *out) {
        char poll[32];

        units_format_duration_ms(p->poll_ms, poll);
        buffer_printf(out, "\nTo use it, in the configuration, beside this file:\n\n"
                      "meters:\n"
                      "  - id: main\n"
                      "    protocol: %s\n"
                      "    profile: ./%s.yaml\n"
                      "    port: /dev/serial/by-id/...\n"
                      "    baud: %" PRIu32 "\n", p->protocol, p->name, p->bauds[0]);
        if (p->poll_ms > 0)
                buffer_printf(out, "    poll: %s\n", poll);
}

int openbeken_text(const struct openbeken *o, struct openbeken_profile *made, const char *file, const char *name,
                   const char *title, struct buffer *out) {
        struct profile *p = made->profile;
        struct profile_comments comments = { .rows = (const char *const *) made->comments };
        struct buffer tail;
        int r;

        if (strlen(name) >= sizeof p->name || strlen(title) >= sizeof p->title)
                return -EINVAL;
        strcpy(p->name, name);
        strcpy(p->title, title);
        snprintf(p->source, sizeof p->source, "An OpenBeken script (%.100s); no bytes seen.",
                 yaml_text_fits(file) && strlen(file) <= 100 ? file : "autoexec.bat");
        buffer_init(&tail, PROFILE_TEXT_MAX);
        put_notes(o, file, &tail);
        put_configuration(p, &tail);
        comments.tail = tail.data;
        r = tail.failed ? -ENOBUFS : profile_text_commented(p, &comments, out);
        buffer_free(&tail);
        return r;
}
