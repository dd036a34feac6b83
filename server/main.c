/* The subcommands as one table. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "serve.h"
#include "tools/tools.h"

struct command {
        const char *name;
        const char *summary;
        int (*main)(int argc, char **argv);
};

static const struct command commands[] = {
        { "serve", "run the gateway", serve_main },
        { "demo", "run the gateway on simulated meters", demo_main },
        { "check-config", "validate a configuration and say what would run", check_config_main },
        { "simulate", "play a meter on a pty", simulate_main },
        { "capture", "record what goes over a meter's wires", capture_main },
        { "decode", "turn captured bytes into NDJSON", decode_main },
        { "discover", "guess what unknown datapoints of a recording mean", discover_main },
        { "correlate", "find a known value in unknown frames", correlate_main },
        { "history", "look into, check, write out and fill in a history", history_main },
        { "import-openbeken", "turn an OpenBeken script into a device profile", import_openbeken_main },
        { "profiles", "list or show the built-in device profiles", profiles_main },
};

static void print_help(FILE *to) {
        fprintf(to, "Usage: metergate COMMAND [OPTIONS]\n\n");
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                fprintf(to, "  %-16s %s\n", commands[i].name, commands[i].summary);
        fprintf(to, "\nEach command explains itself with --help. metergate --version tells the version.\n");
}

int main(int argc, char **argv) {
        if (argc < 2) {
                print_help(stderr);
                return 2;
        }
        if (strcmp(argv[1], "--help") == 0) {
                print_help(stdout);
                return EXIT_SUCCESS;
        }
        if (strcmp(argv[1], "--version") == 0) {
                printf("metergate %s\n", PACKAGE_VERSION);
                return EXIT_SUCCESS;
        }
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        return commands[i].main(argc - 1, argv + 1);
        fprintf(stderr, "metergate: unknown command '%s'; see metergate --help\n", argv[1]);
        return 2;
}
