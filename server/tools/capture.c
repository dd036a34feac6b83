/* The command line of metergate capture. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/log.h"
#include "base/units.h"
#include "capture/capture_writer.h"
#include "config/config.h"
#include "config/schema.h"
#include "tools/capture_run.h"
#include "tools/protocol_option.h"
#include "tools/tools.h"

#define DURATION_MAX_MS (UINT64_C(366) * 86400 * 1000)

static void print_help(void) {
        puts("Usage: metergate capture --port PORT [--port-tx PORT] [--out FILE] [OPTIONS]\n"
             "\n"
             "Records what goes over a meter's wires, with its time, and never transmits. Ctrl-C ends it.\n"
             "\n"
             "  --port PORT        what the meter sends: the full path of a device, or tcp://HOST:PORT\n"
             "  --port-tx PORT     what is sent to the meter, with a second adapter\n"
             "  --baud N|auto      speed of serial ports; auto (default) tries the protocol's until good frames come\n"
             "  --protocol P       whose frames are counted (default: tuyamcu)\n"
             "  --out FILE         where to (default: -, standard output); a recording that is there is continued\n"
             "  --rotate-size N    set FILE aside before it has more bytes: 64KiB, 10MiB\n"
             "  --rotate-every D   set it aside when it is as old: 10min, 1h, 1d\n"
             "  --keep N           so many files at most, the oldest are deleted (default: all are kept)\n"
             "  --duration D       end by itself: 30s, 10min\n"
             "  --show-secrets     write down what is secret about a meter, too: its install code\n"
             "  --help             this text\n"
             "\n"
             "meter.hex is set aside as meter-20261121T100000.123Z.hex, after the time of its beginning.\n"
             "metergate decode and discover read these files, and port: replay://FILE plays them.");
}

static bool fail(const char *option, const char *expected) {
        log_error("capture: --%s: expected %s", option, expected);
        return false;
}

static bool read_port(const char *option, const char *text, const char **ret) {
        if (!config_is_port(text))
                return fail(option, "the full path of a device such as /dev/ttyUSB0, or tcp://HOST:PORT");
        *ret = text;
        return true;
}

static bool read_baud(const char *text, uint32_t *ret) {
        int64_t baud = 0;

        if (strcmp(text, "auto") != 0 && (decimal_parse(text, 0, &baud) < 0 || !schema_is_baud(baud)))
                return fail("baud", "auto, or a usual speed such as 9600 or 115200");
        *ret = (uint32_t) baud;
        return true;
}

static bool read_duration(const char *option, const char *text, uint64_t *ret_ms) {
        uint64_t ms;

        if (units_parse_duration_ms(text, &ms) < 0 || ms < 1000 || ms > DURATION_MAX_MS)
                return fail(option, "a duration from 1s to 366d, such as 10min");
        *ret_ms = ms;
        return true;
}

static bool read_size(const char *text, uint64_t *ret) {
        uint64_t bytes;

        if (units_parse_size(text, &bytes) < 0 || bytes < CAPTURE_ROTATE_BYTES_MIN)
                return fail("rotate-size", "a size from 4KiB, such as 10MiB");
        *ret = bytes;
        return true;
}

static bool read_keep(const char *text, unsigned *ret) {
        int64_t n;

        if (decimal_parse(text, 0, &n) < 0 || n < 1 || n > CAPTURE_KEEP_MAX)
                return fail("keep", "a number of files from 1 to 100000");
        *ret = (unsigned) n;
        return true;
}

static bool take(struct capture_settings *s, int c, const char *text) {
        switch (c) {
        case 'p':
                return read_port("port", text, &s->port);
        case 't':
                return read_port("port-tx", text, &s->port_tx);
        case 'b':
                return read_baud(text, &s->baud);
        case 'P':
                s->protocol = protocol_option(text);
                return s->protocol;
        case 'o':
                s->out = text;
                return true;
        case 's':
                return read_size(text, &s->rotate_bytes);
        case 'e':
                return read_duration("rotate-every", text, &s->rotate_ms);
        case 'k':
                return read_keep(text, &s->keep);
        case 'd':
                return read_duration("duration", text, &s->duration_ms);
        case 'S':
                s->show_secrets = true;
                return true;
        default:
                return false;
        }
}

static bool check(const struct capture_settings *s) {
        bool rotates = s->rotate_bytes > 0 || s->rotate_ms > 0;

        if (!s->port)
                return fail("port", "the port to record; see metergate capture --help");
        if (s->port_tx && strcmp(s->port, s->port_tx) == 0)
                return fail("port-tx", "another port than that of --port");
        if (rotates && strcmp(s->out, "-") == 0)
                return fail("out", "a file, for --rotate-size and --rotate-every");
        if (s->keep > 0 && !rotates)
                return fail("keep", "--rotate-size or --rotate-every with it");
        return true;
}

/* Returns 0, or 1 for help, or 2 for a mistake, which has been told. */
static int parse_options(int argc, char **argv, struct capture_settings *s) {
        static const struct option options[] = {
                { "port", required_argument, NULL, 'p' },        { "port-tx", required_argument, NULL, 't' },
                { "baud", required_argument, NULL, 'b' },        { "protocol", required_argument, NULL, 'P' },
                { "out", required_argument, NULL, 'o' },         { "rotate-size", required_argument, NULL, 's' },
                { "rotate-every", required_argument, NULL, 'e' }, { "keep", required_argument, NULL, 'k' },
                { "duration", required_argument, NULL, 'd' },    { "show-secrets", no_argument, NULL, 'S' },
                { "help", no_argument, NULL, 'h' },              { NULL, 0, NULL, 0 },
        };
        int c;

        *s = (struct capture_settings) { .out = "-", .protocol = protocol_find("tuyamcu") };
        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == 'h')
                        return 1;
                if (!take(s, c, optarg))
                        return 2;
        }
        if (optind < argc) {
                log_error("capture: unexpected '%s'; see metergate capture --help", argv[optind]);
                return 2;
        }
        return check(s) ? 0 : 2;
}

int capture_main(int argc, char **argv) {
        struct capture_settings settings;
        int r = parse_options(argc, argv, &settings);

        if (r == 1) {
                print_help();
                return 0;
        }
        return r != 0 ? r : capture_run(&settings);
}
