#include "openbeken_case.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "config/profile_text.h"
#include "tools/openbeken.h"

void import(const char *script, char *rows, char *notes, struct profile **ret) {
        CLEANUP(openbeken_freep) struct openbeken *o = NULL;
        struct config_error error = { .text = "" };
        struct openbeken_profile made;
        struct buffer text;
        char *start, *end;
        int r;

        *rows = *notes = 0;
        assert_int_equal(openbeken_read(script, strlen(script), &o), 0);
        r = openbeken_make_profile(o, &made);
        for (size_t i = 0; i < o->n_notes; i++)
                sprintf(notes + strlen(notes), "%u: %s\n", o->notes[i].line, o->notes[i].text);
        if (r == -ENOENT) {
                openbeken_profile_free(&made);
                return;
        }
        assert_int_equal(r, 0);
        buffer_init(&text, 2 * PROFILE_TEXT_MAX);
        assert_int_equal(openbeken_text(o, &made, "autoexec.bat", "x", "X", &text), 0);
        if (profile_parse("p.yaml", text.data, text.len, ret, &error) < 0)
                fail_msg("%s in\n%s", error.text, text.data);
        start = strstr(text.data, "datapoints:\n") + strlen("datapoints:\n");
        end = strstr(start, "\n#") + 1;
        memcpy(rows, start, (size_t) (end - start));
        rows[end - start] = 0;
        buffer_free(&text);
        openbeken_profile_free(&made);
}

void check(const char *script, const char *rows, const char *notes) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        char found_rows[16384], found_notes[16384];

        import(script, found_rows, found_notes, &p);
        assert_string_equal(found_notes, notes);
        assert_string_equal(found_rows, rows);
}
