/* OpenBeken scripts: whatever the text, a profile that our own reader takes, or none; and every note is one line. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/profile_file.h"
#include "config/profile_text.h"
#include "config/yaml_text.h"
#include "tools/openbeken.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_notes(const struct openbeken *o) {
        for (size_t i = 0; i < o->n_notes; i++)
                if (!yaml_text_fits(o->notes[i].text) || (i > 0 && o->notes[i].line < o->notes[i - 1].line))
                        abort();
}

static void check_text(const struct openbeken *o, struct openbeken_profile *made) {
        CLEANUP(profile_freep) struct profile *back = NULL;
        struct config_error error;
        struct buffer text;

        buffer_init(&text, 2 * PROFILE_TEXT_MAX);
        if (openbeken_text(o, made, "autoexec.bat", "fuzz", "Fuzz", &text) < 0 ||
            profile_parse("fuzz.yaml", text.data, text.len, &back, &error) < 0 ||
            back->n_datapoints != made->profile->n_datapoints ||
            memcmp(back->datapoints, made->profile->datapoints, back->n_datapoints * sizeof back->datapoints[0]) != 0)
                abort();
        buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(openbeken_freep) struct openbeken *o = NULL;
        struct openbeken_profile made;
        int r;

        if (openbeken_read((const char *) data, size, &o) < 0)
                abort();
        r = openbeken_make_profile(o, &made);
        if (r < 0 && r != -ENOENT)
                abort();
        if (r == 0)
                check_text(o, &made);
        check_notes(o);
        openbeken_profile_free(&made);
        return 0;
}
