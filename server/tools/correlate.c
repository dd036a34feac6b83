#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/capture_frames.h"
#include "tools/correlate_output.h"
#include "tools/known_csv.h"
#include "tools/progress.h"
#include "tools/protocol_option.h"
#include "tools/tools.h"
#include "workbench/correlate/correlate.h"

#define TOP_DEFAULT 5

struct options {
        const char *protocol, *capture, *csv, *column;
        const struct csv_unit *unit;
        double tolerance;
        unsigned top;
};

struct command {
        struct options options;
        const struct protocol *protocol;
        struct packets packets;
        struct captured_stats stats;
        uint64_t untimed;         /* frames without a time */
        struct known_csv csv;
        struct correlate_result result;
        struct progress progress;
};

/* ---- the recording ---- */

static int take_frame(void *userdata, const struct captured_frame *frame) {
        struct command *c = userdata;
        struct frame_part part;
        size_t at = 0;
        int r = 0;

        if (frame->direction == CAPTURE_TX)
                return 0;
        if (!frame->has_time) {
                c->untimed++;
                return 0;
        }
        while (r >= 0 && c->protocol->part(frame->data, frame->len, &at, &part))
                r = packets_add(&c->packets, part.kind, part.bytes.data, part.bytes.len, frame->utc_ms);
        return r;
}

static int failed(const char *name, int error) {
        log_error("%s: %s", name, strerror(-error));
        return 1;
}

static int read_capture(struct command *c) {
        CLEANUP(capture_freep) struct capture *capture = NULL;
        const struct captured_frames_handler handler = { .frame = take_frame, .userdata = c };
        char error[CAPTURE_ERROR_MAX];
        int r;

        if (capture_open(c->options.capture, &capture, error) < 0) {
                log_error("%s", error);
                return 1;
        }
        r = captured_frames_read(capture, c->protocol, &handler, &c->stats);
        if (r < 0 && capture_error(capture)[0]) {
                log_error("%s", capture_error(capture));
                return 1;
        }
        if (r < 0)
                return failed(c->options.capture, r);
        if (c->packets.total > 0)
                return 0;
        if (c->untimed > 0)
                log_error("%s: its frames have no time; expected lines TIME [rx|tx] HEX or "
                          "\"YYYY-MM-DD HH:MM:SS\",HEX", c->options.capture);
        else
                log_error("%s: no frame of %s that could hold a value; --protocol names another protocol",
                          c->options.capture, c->protocol->name);
        return 1;
}

/* ---- the known values ---- */

static int read_csv(struct command *c) {
        const struct known_csv_options options = {
                .column = c->options.column, .unit = c->options.unit,
                .near_first_ms = c->packets.first_ms, .near_last_ms = c->packets.last_ms,
        };
        char error[CSV_ERROR_MAX];

        if (known_csv_read(c->options.csv, &options, &c->csv, error) == 0)
                return 0;
        log_error("%s", error);
        return 1;
}

/* ---- the search ---- */

static void show_progress(void *userdata, uint64_t done, uint64_t total) {
        progress_show(userdata, done, total);
}

/* "3 d 04:05:06" */
static void write_duration(int64_t ms, char *buf, size_t size) {
        long long s = ms / 1000;

        if (s >= 86400)
                snprintf(buf, size, "%lld d %02lld:%02lld:%02lld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
        else
                snprintf(buf, size, "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

static int search(struct command *c) {
        const struct correlate_options options = {
                .tolerance = c->options.tolerance, .kilowatt_units = csv_unit_kilowatts(c->csv.unit),
                .progress = show_progress, .userdata = &c->progress,
        };
        char apart[40];
        int r;

        progress_begin(&c->progress, "searching");
        r = correlate(&c->packets, &c->csv.known, &options, &c->result);
        progress_end(&c->progress);
        if (r < 0)
                return failed(c->options.capture, r);
        if (c->result.met)
                return 0;
        write_duration(c->result.apart_ms, apart, sizeof apart);
        log_error("%s and %s do not overlap in time: %s lie between them, more than any time zone explains",
                  c->options.capture, c->options.csv, apart);
        return 1;
}

static int print(const struct command *c) {
        const struct correlate_report report = {
                .protocol = c->protocol, .packets = &c->packets, .dropped = c->stats.broken, .csv = &c->csv,
                .result = &c->result, .top = c->options.top, .tolerance = c->options.tolerance,
        };
        int r = isatty(STDOUT_FILENO) ? correlate_put_table(&report) : correlate_put_ndjson(&report);

        if (r < 0 && r != -EPIPE)
                log_error("cannot write: %s", strerror(-r));
        return r < 0;
}

/* ---- options ---- */

static void print_help(void) {
        puts("Usage: metergate correlate [--protocol P] [OPTIONS] CAPTURE CSV\n"
             "\n"
             "Finds the field of unknown frames that holds a value known from elsewhere, such as the export of\n"
             "an app: offset, width, byte order, sign, scale and time lag, best first.\n"
             "\n"
             "  --protocol P     what was captured (default: tuyamcu)\n"
             "  --column C       column of the CSV with the values: its name or number (default: the first with\n"
             "                   numbers)\n"
             "  --unit U         their unit (default: as the header says; else kW, or W above 100)\n"
             "  --tolerance T    they may be off by so much, in their unit, beside rounding (default: 0)\n"
             "  --top N          tell at most so many fields, 1 to 32 (default: 5)\n"
             "  --help           this text\n"
             "\n"
             "CAPTURE has frames with times: lines TIME [rx|tx] HEX, entries \"YYYY-MM-DD HH:MM:SS\",HEX, or a log.\n"
             "Either file may be -. Times without a zone are those of this host (TZ=... says another).");
}

static int parse_unit(const char *text, struct options *o) {
        o->unit = csv_unit_find(text, strlen(text));
        if (o->unit)
                return 0;
        log_error("--unit: '%.20s' is no known unit; expected %s", text, csv_unit_names());
        return 2;
}

static int parse_tolerance(const char *text, struct options *o) {
        char *end;

        o->tolerance = strtod(text, &end);
        if (end != text && *end == '\0' && o->tolerance >= 0 && o->tolerance < 1e12)
                return 0;
        log_error("--tolerance: '%.20s' is no tolerance; expected a number from 0, such as 0.005", text);
        return 2;
}

static int parse_top(const char *text, struct options *o) {
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        if (*text >= '0' && *text <= '9' && *end == '\0' && n >= 1 && n <= CORRELATE_FIELDS_MAX) {
                o->top = (unsigned) n;
                return 0;
        }
        log_error("--top: '%.20s' is no number of fields; expected 1 to %d", text, CORRELATE_FIELDS_MAX);
        return 2;
}

static int take_option(int option, struct options *o) {
        switch (option) {
        case 'p':
                o->protocol = optarg;
                return 0;
        case 'c':
                o->column = optarg;
                return 0;
        case 'u':
                return parse_unit(optarg, o);
        case 't':
                return parse_tolerance(optarg, o);
        case 'n':
                return parse_top(optarg, o);
        default:
                return option == 'h' ? 1 : 2;
        }
}

/* Returns 0, or 1 for help, or 2 for a mistake, which has been told. */
static int parse_options(int argc, char **argv, struct options *o) {
        static const struct option options[] = {
                { "protocol", required_argument, NULL, 'p' }, { "column", required_argument, NULL, 'c' },
                { "unit", required_argument, NULL, 'u' },     { "tolerance", required_argument, NULL, 't' },
                { "top", required_argument, NULL, 'n' },      { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int option, r = 0;

        *o = (struct options) { .protocol = "tuyamcu", .top = TOP_DEFAULT };
        optind = 0;
        while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) >= 0)
                r = take_option(option, o);
        if (r != 0)
                return r;
        if (optind != argc - 2) {
                log_error("correlate: expected CAPTURE and CSV; see metergate correlate --help");
                return 2;
        }
        o->capture = argv[optind];
        o->csv = argv[optind + 1];
        if (strcmp(o->capture, "-") == 0 && strcmp(o->csv, "-") == 0) {
                log_error("correlate: only one of CAPTURE and CSV can be -");
                return 2;
        }
        return 0;
}

static void free_command(struct command **p) {
        struct command *c = *p;

        if (!c)
                return;
        packets_free(&c->packets);
        known_csv_free(&c->csv);
        free(c);
}

int correlate_main(int argc, char **argv) {
        CLEANUP(free_command) struct command *c = calloc(1, sizeof *c);
        int r;

        if (!c || packets_init(&c->packets) < 0)
                return failed("correlate", -ENOMEM);
        r = parse_options(argc, argv, &c->options);
        if (r == 1)
                print_help();
        if (r != 0)
                return r == 1 ? 0 : r;
        c->protocol = protocol_option(c->options.protocol);
        if (!c->protocol)
                return 2;
        signal(SIGPIPE, SIG_IGN);
        r = read_capture(c);
        if (r == 0)
                r = read_csv(c);
        if (r == 0)
                r = search(c);
        return r == 0 ? print(c) : r;
}
