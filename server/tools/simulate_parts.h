/* What the subcommand simulate does the same for every protocol: its life, its lines on stdout, and commands that
 * come on stdin. A protocol's part begins its own state with a struct simulation. */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/buffer.h"

#define SIMULATE_COMMAND_MAX 1024
#define SIMULATE_WORDS_MAX   64

struct simulation;

struct simulate_command {
        const char *name;
        unsigned min_args, max_args;
        /* Returns NULL, or what it expected. A NULL follows the last of args. */
        const char *(*run)(struct simulation *s, char **args);
};

struct simulation {
        sd_event *event;
        const struct simulate_command *commands;  /* borrowed; ends with a NULL name */
        bool verbose, expect;
        struct buffer line;
        char command[SIMULATE_COMMAND_MAX];
        size_t command_len;
        bool too_long;                  /* the present line does not fit and is thrown away */
};

/* argv begins with the protocol's name. Each returns an exit status. */
int simulate_tuyamcu_main(int argc, char **argv);
int simulate_vue_main(int argc, char **argv);

/* Runs a simulation from start, which makes the meter and tells what is wrong, to its end. The meter is the caller's
 * to free; then simulate_end. Returns an exit status. */
int simulate_run(struct simulation *s, int (*start)(struct simulation *s));
void simulate_end(struct simulation *s);

/* The first line: where the meter is. */
void simulate_print_port(struct simulation *s, const char *port, const char *link_path);

/* Begins to read commands from stdin. */
int simulate_watch_commands(struct simulation *s);

/* Values of options. False after a mistake, which has been told. */
bool simulate_parse_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret);
bool simulate_parse_duration(const char *option, const char *text, uint32_t *ret_ms);

/* One option at a time by take, which tells its mistakes and has a NULL value where the option takes none. Returns 0,
 * 1 for help, 2 for a mistake. */
int simulate_parse_options(int argc, char **argv, const struct option *options, struct simulation *s,
                           bool (*take)(struct simulation *s, int c, const char *name, const char *value));

/* A line for what happens at the meter's port. */
void simulate_put_event(struct simulation *s, const char *what, const char *port, const uint8_t *data, size_t len);

/* A duration that a command takes; what it expected when it is none. */
const char *simulate_duration_of(const char *text, uint64_t *ret_ms);

/* Writes and clears s->line. */
void simulate_write_line(struct simulation *s);
