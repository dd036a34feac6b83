#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/units.h"
#include "tools/ndjson.h"
#include "tools/simulator.h"
#include "tools/tools.h"

enum {
        COMMAND_MAX = 256,
        SPEED_MAX = 100000,
        OUT_MAX = 8192,
};

struct simulation {
        sd_event *event;
        struct simulator *simulator;
        struct simulator_options options;
        bool verbose;
        struct buffer line;
        char command[COMMAND_MAX];
        size_t command_len;
        bool too_long;          /* the present line does not fit and is thrown away */
};

/* --- output ------------------------------------------------------------------------------------------------ */

static void write_line(struct simulation *s) {
        int r = ndjson_write(&s->line);

        if (r == -EPIPE)
                sd_event_exit(s->event, 0);
        else if (r < 0)
                log_error("cannot write: %s", strerror(-r));
        buffer_clear(&s->line);
}

static void on_event(void *userdata, const char *what, const uint8_t *data, size_t len) {
        struct simulation *s = userdata;
        bool is_port = strcmp(what, "port") == 0;
        struct json_writer w;

        if (!s->verbose && !is_port)
                return;
        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_put_string(&w, "event", what);
        if (is_port)
                json_put_string(&w, "port", simulator_port(s->simulator));
        if (len > 0)
                json_put_hex(&w, "hex", data, len);
        json_object_end(&w);
        write_line(s);
}

static void acknowledge(struct simulation *s, const char *error) {
        struct json_writer w;

        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_put_string(&w, "command", s->command);
        json_put_bool(&w, "ok", error == NULL);
        if (error)
                json_put_string(&w, "error", error);
        json_object_end(&w);
        write_line(s);
}

/* --- commands ---------------------------------------------------------------------------------------------- */

/* Each returns NULL, or what it expected. args[0..2] are never NULL. */

static const char *command_restart(struct simulation *s, char **args) {
        (void) args;
        simulator_restart(s->simulator);
        return NULL;
}

static const char *with_duration(struct simulation *s, const char *text, void (*fn)(struct simulator *, uint64_t)) {
        uint64_t ms;

        if (units_parse_duration_ms(text, &ms) < 0 || ms > UINT32_MAX)
                return "expected a duration such as 10s";
        fn(s->simulator, ms);
        return NULL;
}

static const char *command_silence(struct simulation *s, char **args) {
        return with_duration(s, args[0], simulator_silence);
}

static const char *command_noise(struct simulation *s, char **args) {
        return with_duration(s, args[0], simulator_noise);
}

static const char *command_unplug(struct simulation *s, char **args) {
        return with_duration(s, args[0], simulator_unplug);
}

static const char *command_bad_checksums(struct simulation *s, char **args) {
        int64_t count;

        if (decimal_parse(args[0], 0, &count) < 0 || count < 0 || count > 1000000)
                return "expected a count of frames";
        simulator_spoil_checksums(s->simulator, (unsigned) count);
        return NULL;
}

static const char *command_product(struct simulation *s, char **args) {
        if (simulator_set_product(s->simulator, args[0]) < 0)
                return "expected a product key of 1 to 32 printable characters";
        return NULL;
}

static bool parse_quantity(const char *text, int64_t *ret) {
        return decimal_parse(text, 3, ret) >= 0 && llabs(*ret) <= INT64_C(2000000000);
}

static const char *command_set(struct simulation *s, char **args) {
        struct load load;

        if (!parse_quantity(args[0], &load.voltage_mv) || !parse_quantity(args[1], &load.current_ma) ||
            !parse_quantity(args[2], &load.power_mw))
                return "expected VOLTAGE_V CURRENT_A POWER_W, such as 230.1 0.5 110";
        simulator_set_load(s->simulator, &load);
        return NULL;
}

static const char *command_auto(struct simulation *s, char **args) {
        (void) args;
        simulator_set_load(s->simulator, NULL);
        return NULL;
}

static const char *command_quit(struct simulation *s, char **args) {
        (void) args;
        sd_event_exit(s->event, 0);
        return NULL;
}

static const struct {
        const char *name;
        unsigned n_args;
        const char *(*run)(struct simulation *s, char **args);
} commands[] = {
        { "restart", 0, command_restart }, { "silence", 1, command_silence },
        { "noise", 1, command_noise },     { "bad-checksums", 1, command_bad_checksums },
        { "product", 1, command_product }, { "set", 3, command_set },
        { "auto", 0, command_auto },       { "unplug", 1, command_unplug },
        { "quit", 0, command_quit },
};

static const char *run_words(struct simulation *s, char **words, unsigned n) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (strcmp(words[0], commands[i].name) == 0) {
                        if (n - 1 != commands[i].n_args)
                                return "wrong number of words";
                        return commands[i].run(s, words + 1);
                }
        return "unknown command; expected restart, silence, noise, bad-checksums, product, set, auto, unplug or quit";
}

static void run_command(struct simulation *s) {
        char copy[COMMAND_MAX], *rest = copy, *word, *words[5];
        unsigned n = 0;

        s->command[s->command_len] = '\0';
        if (s->too_long) {
                acknowledge(s, "line too long");
                return;
        }
        memcpy(copy, s->command, s->command_len + 1);
        while ((word = strsep(&rest, " \t\r")) && n < ELEMENTS(words))
                if (*word)
                        words[n++] = word;
        if (n > 0)
                acknowledge(s, run_words(s, words, n));
}

static void take_command_bytes(struct simulation *s, const char *bytes, size_t len) {
        for (size_t i = 0; i < len; i++) {
                if (bytes[i] == '\n') {
                        run_command(s);
                        s->command_len = 0;
                        s->too_long = false;
                } else if (s->command_len < sizeof s->command - 1) {
                        s->command[s->command_len++] = bytes[i];
                } else {
                        s->too_long = true;
                }
        }
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct simulation *s = userdata;
        char bytes[COMMAND_MAX];
        ssize_t n = read(fd, bytes, sizeof bytes);

        (void) revents;
        if (n > 0)
                take_command_bytes(s, bytes, (size_t) n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

/* A file cannot be waited for and need not be: it is read at once. */
static void read_command_file(struct simulation *s) {
        char bytes[COMMAND_MAX];
        ssize_t n;

        while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
                take_command_bytes(s, bytes, (size_t) n);
}

/* --- life -------------------------------------------------------------------------------------------------- */

/* Before anything is made that would have to be taken away again. */
static int watch_signals(struct simulation *s) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(signals); i++)
                r = sd_event_add_signal(s->event, NULL, signals[i] | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
        return r;
}

static int watch(struct simulation *s) {
        int r;

        r = sd_event_add_io(s->event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, s);
        if (r == -EPERM) {
                read_command_file(s);
                return 0;
        }
        return r == -EBADF ? 0 : r;
}

static void print_port(struct simulation *s) {
        buffer_puts(&s->line, simulator_port(s->simulator));
        if (s->options.link_path)
                buffer_printf(&s->line, " %s", s->options.link_path);
        write_line(s);
}

static int simulate(struct simulation *s) {
        char error[SIMULATOR_ERROR_MAX];
        int r;

        r = sd_event_new(&s->event);
        if (r < 0) {
                log_error("cannot start: %s", strerror(-r));
                return 1;
        }
        s->options.event = on_event;
        s->options.userdata = s;
        r = watch_signals(s);
        if (r < 0) {
                log_error("simulate: %s", strerror(-r));
                return 1;
        }
        if (simulator_new(s->event, &s->options, &s->simulator, error) < 0) {
                log_error("%s", error);
                return 1;
        }
        print_port(s);
        r = watch(s);
        if (r >= 0)
                r = sd_event_loop(s->event);
        if (r < 0)
                log_error("simulate: %s", strerror(-r));
        return r < 0;
}

static void print_help(void) {
        puts("Usage: metergate simulate tuyamcu [OPTIONS]\n"
             "\n"
             "A simulated meter on a pseudo terminal. The first line on stdout is the terminal's path, followed by\n"
             "the link's; after that one JSON object per line.\n"
             "\n"
             "  --link PATH              also reachable through this symbolic link\n"
             "  --product KEY            product key it tells (default: that of the PJ-MGW1103)\n"
             "  --trace FILE             replay a load from CSV, plain or .gz (default: a made-up household)\n"
             "  --speed N                that many times faster\n"
             "  --loop                   begin the trace again at its end\n"
             "  --interval DURATION      how often changes are reported (default: 1s)\n"
             "  --seed N                 for everything random\n"
             "  --baud N                 understand this speed only\n"
             "  --noise PERCENT          frames with stray bytes before them\n"
             "  --bad-checksums PERCENT  frames with a wrong checksum\n"
             "  --sync                   report by command 22, which wants to be acknowledged\n"
             "  --quiet-current          do not report a current that barely changes\n"
             "  --averaging              let power follow slowly\n"
             "  --verbose                a line for everything on the wire\n"
             "  --help                   this text\n"
             "\n"
             "Commands on stdin, one per line, each acknowledged on stdout: restart, silence DURATION,\n"
             "noise DURATION, bad-checksums COUNT, product KEY, set VOLTAGE_V CURRENT_A POWER_W, auto, unplug DURATION, quit.");
}

static bool parse_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret) {
        if (decimal_parse(text, 0, ret) >= 0 && *ret >= min && *ret <= max)
                return true;
        log_error("simulate: --%s: expected a number from %lld to %lld", option, (long long) min, (long long) max);
        return false;
}

static bool parse_interval(const char *text, uint32_t *ret) {
        uint64_t ms;

        if (units_parse_duration_ms(text, &ms) < 0 || ms < 50 || ms > 86400000) {
                log_error("simulate: --interval: expected a duration from 50ms to 1d, such as 1s");
                return false;
        }
        *ret = (uint32_t) ms;
        return true;
}

/* One option that carries a value. */
static bool take_option(struct simulation *s, int c, const char *name, const char *value) {
        struct simulator_options *o = &s->options;
        int64_t n = 0;

        switch (c) {
        case 'l':
                o->link_path = value;
                return true;
        case 'p':
                o->mcu.product_key = value;
                return true;
        case 't':
                o->trace_path = value;
                return true;
        case 'i':
                return parse_interval(value, &o->mcu.interval_ms);
        case 'x':
                if (!parse_number(name, value, 1, SPEED_MAX, &n))
                        return false;
                o->speed = (unsigned) n;
                return true;
        case 's':
                if (!parse_number(name, value, 0, INT64_MAX, &n))
                        return false;
                o->mcu.seed = (uint64_t) n;
                return true;
        case 'b':
                if (!parse_number(name, value, 1200, 921600, &n))
                        return false;
                o->baud = (uint32_t) n;
                return true;
        default:
                if (!parse_number(name, value, 0, 100, &n))
                        return false;
                *(c == 'n' ? &o->mcu.noise_percent : &o->mcu.bad_checksum_percent) = (unsigned) n;
                return true;
        }
}

/* Returns 0, or 1 for help, or 2 for a mistake, which has been told. */
static int parse_options(int argc, char **argv, struct simulation *s) {
        static const struct option options[] = {
                { "link", required_argument, NULL, 'l' },     { "product", required_argument, NULL, 'p' },
                { "trace", required_argument, NULL, 't' },    { "speed", required_argument, NULL, 'x' },
                { "interval", required_argument, NULL, 'i' }, { "seed", required_argument, NULL, 's' },
                { "baud", required_argument, NULL, 'b' },     { "noise", required_argument, NULL, 'n' },
                { "bad-checksums", required_argument, NULL, 'c' },
                { "sync", no_argument, NULL, 'S' },           { "quiet-current", no_argument, NULL, 'q' },
                { "averaging", no_argument, NULL, 'a' },      { "verbose", no_argument, NULL, 'v' },
                { "loop", no_argument, NULL, 'L' },           { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int c, index = 0;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, &index)) >= 0) {
                if (c == 'h' || c == '?')
                        return c == 'h' ? 1 : 2;
                s->options.mcu.sync |= c == 'S';
                s->options.mcu.quiet_current |= c == 'q';
                s->options.mcu.averaging |= c == 'a';
                s->options.loop |= c == 'L';
                s->verbose |= c == 'v';
                if (optarg && !take_option(s, c, options[index].name, optarg))
                        return 2;
        }
        if (optind != argc - 1 || strcmp(argv[optind], "tuyamcu") != 0) {
                log_error("simulate: expected the protocol to simulate: tuyamcu");
                return 2;
        }
        return 0;
}

/* Else the first descriptor that is opened would be taken for stdin. */
static void fill_closed_stdin(void) {
        if (fcntl(STDIN_FILENO, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
                log_debug("simulate: stdin is closed");
}

int simulate_main(int argc, char **argv) {
        struct simulation s = { .verbose = false };
        int r;

        r = parse_options(argc, argv, &s);
        if (r == 1) {
                print_help();
                return 0;
        }
        if (r != 0)
                return 2;
        signal(SIGPIPE, SIG_IGN);
        fill_closed_stdin();
        clock_init(true);
        buffer_init(&s.line, OUT_MAX);
        r = simulate(&s);
        simulator_free(s.simulator);
        sd_event_unref(s.event);
        buffer_free(&s.line);
        return r;
}
