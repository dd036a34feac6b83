#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/units.h"
#include "tools/ndjson.h"
#include "tools/simulate_parts.h"
#include "tools/tools.h"

enum { OUT_MAX = 8192 };

static const struct {
        const char *name;
        int (*main)(int argc, char **argv);
} protocols_known[] = {
        { "tuyamcu", simulate_tuyamcu_main },
        { "vue", simulate_vue_main },
};

/* --- output ------------------------------------------------------------------------------------------------ */

void simulate_write_line(struct simulation *s) {
        int r = ndjson_write(&s->line);

        if (r == -EPIPE)
                sd_event_exit(s->event, 0);
        else if (r < 0)
                log_error("cannot write: %s", strerror(-r));
        buffer_clear(&s->line);
}

void simulate_print_port(struct simulation *s, const char *port, const char *link_path) {
        buffer_puts(&s->line, port);
        if (link_path)
                buffer_printf(&s->line, " %s", link_path);
        simulate_write_line(s);
}

void simulate_put_event(struct simulation *s, const char *what, const char *port, const uint8_t *data, size_t len) {
        bool is_port = strcmp(what, "port") == 0;
        struct json_writer w;

        if (!s->verbose && !is_port)
                return;
        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_put_string(&w, "event", what);
        if (is_port)
                json_put_string(&w, "port", port);
        if (len > 0)
                json_put_hex(&w, "hex", data, len);
        json_object_end(&w);
        simulate_write_line(s);
}

/* --- options ----------------------------------------------------------------------------------------------- */

bool simulate_parse_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret) {
        if (decimal_parse(text, 0, ret) >= 0 && *ret >= min && *ret <= max)
                return true;
        log_error("simulate: --%s: expected a number from %lld to %lld", option, (long long) min, (long long) max);
        return false;
}

bool simulate_parse_duration(const char *option, const char *text, uint32_t *ret_ms) {
        uint64_t ms;

        if (units_parse_duration_ms(text, &ms) < 0 || ms < 50 || ms > 86400000) {
                log_error("simulate: --%s: expected a duration from 50ms to 1d, such as 1s", option);
                return false;
        }
        *ret_ms = (uint32_t) ms;
        return true;
}

int simulate_parse_options(int argc, char **argv, const struct option *options, struct simulation *s,
                           bool (*take)(struct simulation *s, int c, const char *name, const char *value)) {
        int c, index = 0;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, &index)) >= 0) {
                if (c == 'h' || c == '?')
                        return c == 'h' ? 1 : 2;
                if (!take(s, c, options[index].name, optarg))
                        return 2;
        }
        if (optind == argc)
                return 0;
        log_error("simulate: unexpected '%s'; see metergate simulate %s --help", argv[optind], argv[0]);
        return 2;
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

/* Else the first descriptor that is opened would be taken for stdin. */
static void fill_closed_stdin(void) {
        if (fcntl(STDIN_FILENO, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
                log_debug("simulate: stdin is closed");
}

int simulate_run(struct simulation *s, int (*start)(struct simulation *s)) {
        int r;

        signal(SIGPIPE, SIG_IGN);
        fill_closed_stdin();
        clock_init(true);
        buffer_init(&s->line, OUT_MAX);
        r = sd_event_new(&s->event);
        if (r >= 0)
                r = watch_signals(s);
        if (r < 0) {
                log_error("simulate: %s", strerror(-r));
                return 1;
        }
        if (start(s) < 0)
                return 1;
        r = simulate_watch_commands(s);
        if (r >= 0)
                r = sd_event_loop(s->event);
        if (r < 0)
                log_error("simulate: %s", strerror(-r));
        return r < 0;
}

void simulate_end(struct simulation *s) {
        sd_event_unref(s->event);
        buffer_free(&s->line);
}

static void print_help(void) {
        puts("Usage: metergate simulate tuyamcu|vue [OPTIONS]\n"
             "\n"
             "A simulated meter on a pseudo terminal, as a peer to test any host software against.\n"
             "\n"
             "  tuyamcu   the microcontroller of a Tuya energy meter\n"
             "  vue       the radio module of an Emporia Vue Utility Connect, with the utility's meter behind it\n"
             "\n"
             "Each explains itself: metergate simulate tuyamcu --help");
}

int simulate_main(int argc, char **argv) {
        for (size_t i = 0; argc > 1 && i < ELEMENTS(protocols_known); i++)
                if (strcmp(argv[1], protocols_known[i].name) == 0)
                        return protocols_known[i].main(argc - 1, argv + 1);
        if (argc == 2 && strcmp(argv[1], "--help") == 0) {
                print_help();
                return 0;
        }
        if (argc > 1)
                log_error("simulate: expected the protocol to simulate, tuyamcu or vue, in place of '%s'", argv[1]);
        else
                log_error("simulate: expected the protocol to simulate: tuyamcu or vue");
        return 2;
}
