#include "tools/tools.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/profile_file.h"
#include "config/profile_text.h"
#include "config/read_file.h"
#include "config/yaml_text.h"
#include "tools/openbeken.h"

#define DEFAULT_NAME "my-meter"

struct import_options {
        const char *path, *file;  /* file: path without its folders, or "the script" for stdin */
        const char *title;        /* NULL: made of the file's name */
        char name[PROFILE_NAME_MAX + 1];
};

static void print_help(FILE *to) {
        fprintf(to, "Usage: metergate import-openbeken [--name NAME] [--title TEXT] FILE|-\n\n"
                    "Turns an OpenBeken script (autoexec.bat) into a device profile on standard output, with an\n"
                    "entry for the configuration as a comment. Nothing of the script is executed; what a profile\n"
                    "cannot say is told line by line, on standard error and in the profile.\n\n"
                    "  --name NAME   name of the profile, of a-z, 0-9 and -: that of its file without .yaml.\n"
                    "                Default: the script's name, or %s where that says nothing\n"
                    "  --title TEXT  what people call the meter, up to 95 bytes\n"
                    "  --help        this text\n", DEFAULT_NAME);
}

static bool is_name(const char *text) {
        size_t len = strlen(text);

        return len > 0 && len <= PROFILE_NAME_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* "TOMPD-63 WIFI.bat" gives "tompd-63-wifi". Every such script is called autoexec.bat on its module. */
static void derive_name(const char *file, char *name) {
        const char *end = strrchr(file, '.');
        size_t len = end && end > file ? (size_t) (end - file) : strlen(file), n = 0;

        for (size_t i = 0; i < len && n < PROFILE_NAME_MAX; i++) {
                if (isalnum((unsigned char) file[i]))
                        name[n++] = (char) tolower((unsigned char) file[i]);
                else if (n > 0 && name[n - 1] != '-')
                        name[n++] = '-';
        }
        while (n > 0 && name[n - 1] == '-')
                n--;
        name[n] = 0;
        if (n == 0 || strcmp(name, "autoexec") == 0)
                strcpy(name, DEFAULT_NAME);
}

#define NOTES_OF_NO_SCRIPT 10  /* a file that links nothing may be none, and then none of its lines is known */

static void print_notes(const struct import_options *options, const struct openbeken *o, size_t max) {
        for (size_t i = 0; i < o->n_notes && i < max; i++) {
                const struct openbeken_note *n = &o->notes[i];

                if (n->line > 0)
                        fprintf(stderr, "metergate: %s:%u: %s\n", options->path, n->line, n->text);
                else
                        fprintf(stderr, "metergate: %s: %s\n", options->path, n->text);
        }
        if (o->n_notes > max)
                fprintf(stderr, "metergate: %s: and %zu more\n", options->path, o->n_notes - max);
}

/* What this writes, serve reads: its own reader is asked before anybody else sees the text. */
static int print_profile(const struct import_options *options, const struct openbeken *o,
                         struct openbeken_profile *made) {
        CLEANUP(profile_freep) struct profile *back = NULL;
        struct config_error error = { .text = "out of memory" };
        char title[sizeof made->profile->title];
        struct buffer text;
        int r;

        snprintf(title, sizeof title, "Imported from %.70s",
                 yaml_text_fits(options->file) && strlen(options->file) <= 70 ? options->file
                                                                               : "an OpenBeken script");
        buffer_init(&text, 2 * PROFILE_TEXT_MAX);
        r = openbeken_text(o, made, options->file, options->name, options->title ? options->title : title, &text);
        if (r == 0)
                r = profile_parse("the profile", text.data, text.len, &back, &error);
        if (r == 0)
                fwrite(text.data, 1, text.len, stdout);
        else
                fprintf(stderr, "metergate: %s: %s\n", options->path, error.text);
        buffer_free(&text);
        return r < 0 || fflush(stdout) != 0 ? 1 : 0;
}

static int import_text(const struct import_options *options, const struct buffer *text) {
        CLEANUP(openbeken_freep) struct openbeken *o = NULL;
        struct openbeken_profile made;
        int r;

        r = openbeken_read(text->data ? text->data : "", text->len, &o);
        if (r < 0) {
                fprintf(stderr, "metergate: %s: out of memory\n", options->path);
                return 1;
        }
        r = openbeken_make_profile(o, &made);
        print_notes(options, o, r == -ENOENT ? NOTES_OF_NO_SCRIPT : SIZE_MAX);
        if (r == 0)
                r = print_profile(options, o, &made);
        else
                fprintf(stderr, "metergate: %s: %s\n", options->path,
                        r == -ENOENT ? "nothing to import: no line links a datapoint (linkTuyaMCUOutputToChannel)"
                                     : "out of memory");
        openbeken_profile_free(&made);
        return r == 0 ? 0 : 1;
}

static int import_file(const struct import_options *options) {
        struct config_error error;
        struct buffer text;
        int r;

        buffer_init(&text, OPENBEKEN_SCRIPT_MAX + 1);
        r = read_file(options->path, false, &text, &error);
        if (r < 0) {
                fprintf(stderr, "metergate: %s\n", error.text);
                r = 1;
        } else if (text.len > OPENBEKEN_SCRIPT_MAX) {
                fprintf(stderr, "metergate: %s: longer than %d KiB: no such script\n", options->path,
                        OPENBEKEN_SCRIPT_MAX / 1024);
                r = 1;
        } else {
                r = import_text(options, &text);
        }
        buffer_free(&text);
        return r;
}

static int take_name(struct import_options *options, const char *name) {
        if (!is_name(name)) {
                fprintf(stderr, "metergate: --name \"%s\": expected 1 to 32 of a-z, 0-9 and -\n", name);
                return 2;
        }
        strcpy(options->name, name);
        return 0;
}

static int take_title(struct import_options *options, const char *title) {
        if (!yaml_text_fits(title) || strlen(title) >= sizeof ((struct profile *) NULL)->title) {
                fprintf(stderr, "metergate: --title: expected a text of up to 95 bytes in one line\n");
                return 2;
        }
        options->title = title;
        return 0;
}

static int take_path(struct import_options *options, const char *path) {
        const char *slash = strrchr(path, '/');

        options->path = path;
        options->file = strcmp(path, "-") == 0 ? "autoexec.bat" : slash ? slash + 1 : path;
        if (!*options->name)
                derive_name(options->file, options->name);
        return import_file(options);
}

int import_openbeken_main(int argc, char **argv) {
        static const struct option long_options[] = {
                { "name", required_argument, NULL, 'n' },
                { "title", required_argument, NULL, 't' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        struct import_options options = { .name = "" };
        int option, status = 0;

        while (status == 0 && (option = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
                switch (option) {
                case 'n':
                        status = take_name(&options, optarg);
                        break;
                case 't':
                        status = take_title(&options, optarg);
                        break;
                case 'h':
                        print_help(stdout);
                        return 0;
                default:
                        return 2;
                }
        if (status != 0)
                return status;
        if (optind != argc - 1) {
                fprintf(stderr, "metergate: import-openbeken takes one file; see metergate import-openbeken "
                                "--help\n");
                return 2;
        }
        return take_path(&options, argv[optind]);
}
