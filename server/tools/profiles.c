#include "tools/tools.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/profile_file.h"

static void print_help(FILE *to) {
        fprintf(to, "Usage: metergate profiles [list]\n"
                    "       metergate profiles show NAME\n\n"
                    "The device profiles that are built in. show prints one as YAML: a start for a file\n"
                    "of your own.\n\n"
                    "  --help  this text\n");
}

/* "a, b" or "-" */
static void print_keys(const struct profile *p) {
        for (unsigned i = 0; i < p->n_product_keys; i++)
                printf("%s%s", i > 0 ? ", " : "", p->product_keys[i]);
        printf("%s\n", p->n_product_keys == 0 ? "-" : "");
}

static int print_row(const char *name, int name_width, int title_width) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        struct config_error error;

        if (profile_load(name, &p, &error) < 0) {
                fprintf(stderr, "metergate: %s\n", error.text);
                return 1;
        }
        printf("%-*s  %-*s  %-9s ", name_width, name, title_width, p->title, profile_evidence_names[p->evidence]);
        print_keys(p);
        return 0;
}

static int title_length(const char *name) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        struct config_error error;

        return profile_load(name, &p, &error) < 0 ? 0 : (int) strlen(p->title);
}

static int list(void) {
        int name_width = (int) strlen("NAME"), title_width = (int) strlen("TITLE");
        const char *name;
        int status = 0;

        for (unsigned i = 0; (name = profile_builtin_name(i)); i++) {
                int title = title_length(name);

                if ((int) strlen(name) > name_width)
                        name_width = (int) strlen(name);
                if (title > title_width)
                        title_width = title;
        }
        printf("%-*s  %-*s  %-9s %s\n", name_width, "NAME", title_width, "TITLE", "EVIDENCE", "PRODUCT KEYS");
        for (unsigned i = 0; (name = profile_builtin_name(i)); i++)
                status |= print_row(name, name_width, title_width);
        return fflush(stdout) == 0 ? status : 1;
}

static int show(const char *name) {
        const char *text;
        size_t len = 0;

        text = profile_builtin_text(name, &len);
        if (!text) {
                fprintf(stderr, "metergate: there is no built-in profile \"%s\"; see metergate profiles list\n",
                        name);
                return 2;
        }
        fwrite(text, 1, len, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
}

int profiles_main(int argc, char **argv) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option != 'h')
                        return 2;
                print_help(stdout);
                return 0;
        }
        argc -= optind;
        argv += optind;
        if (argc == 0 || (argc == 1 && strcmp(argv[0], "list") == 0))
                return list();
        if (argc == 2 && strcmp(argv[0], "show") == 0)
                return show(argv[1]);
        fprintf(stderr, "metergate: profiles takes \"list\" or \"show NAME\"; see metergate profiles --help\n");
        return 2;
}
