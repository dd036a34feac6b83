#include "tools/tools.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "tools/history_tools.h"

static const struct {
        const char *name;
        const char *summary;
        int (*main)(int argc, char **argv);
} commands[] = {
        { "info", "what is stored, since when, and how much room it takes", history_info_main },
        { "verify", "read everything and check it", history_verify_main },
        { "export", "write a meter's values as CSV, NDJSON or OpenMetrics", history_export_main },
        { "import", "fill in a meter's values from CSV", history_import_main },
};

static void print_help(FILE *to) {
        fprintf(to, "Usage: metergate history COMMAND --directory D [OPTIONS]\n\n");
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
        fprintf(to, "\nD is history.directory of the configuration. info, verify and export work beside a running\n"
                    "gateway and see what it has written last; import needs the directory for itself.\n"
                    "Each command explains itself with --help.\n");
}

int history_main(int argc, char **argv) {
        if (argc < 2) {
                print_help(stderr);
                return 2;
        }
        if (strcmp(argv[1], "--help") == 0) {
                print_help(stdout);
                return 0;
        }
        signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        return commands[i].main(argc - 1, argv + 1);
        log_error("history: unknown command '%s'; see metergate history --help", argv[1]);
        return 2;
}
