#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <systemd/sd-event.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/units.h"
#include "config/config.h"
#include "serve.h"
#include "tools/demo_history.h"
#include "tools/simulator.h"
#include "tools/tools.h"
#include "tools/vue_simulator.h"

#define DEFAULT_LISTEN "127.0.0.1:8730"
#define CONFIG_TEXT_MAX 4096

#define HISTORY_LEAST_MS UINT64_C(3600000)
#define HISTORY_MOST_MS  (UINT64_C(1830) * 86400000)  /* five years: a gigabyte, and minutes to fill it */
#define HISTORY_SIZE     (UINT64_C(16) << 20)         /* without a past */

enum {
        REPORT_INTERVAL_MS = 1000,
        CONSOLE_LEVEL = 10,
};

struct demo {
        const char *listen;              /* borrowed */
        uint64_t seed;
        uint64_t history_ms;             /* the past that is made up; 0: none */
        int64_t import_wh, export_wh;    /* the utility meter's registers as it starts; 0: its own choice */
        char folder[PATH_MAX];           /* of the history; "" while there is none */
        sd_event *event;
        struct simulator *simulator;
        struct vue_simulator *vue;
        struct gateway *gateway;
};

/* ---- a folder that goes away ---- */

/* A signal that comes from here on waits for the loop, so that the folder is removed whenever it comes. */
static int make_folder(struct demo *d) {
        const char *parent = getenv("TMPDIR");
        char path[PATH_MAX];
        sigset_t ends;

        sigemptyset(&ends);
        sigaddset(&ends, SIGINT);
        sigaddset(&ends, SIGTERM);
        sigaddset(&ends, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &ends, NULL);
        if (snprintf(path, sizeof path, "%s/metergate-demo-XXXXXX", parent && parent[0] ? parent : "/tmp") >=
            (int) sizeof path || !mkdtemp(path)) {
                log_error("demo: %s: %s", path, strerror(errno));
                return -errno;
        }
        strcpy(d->folder, path);
        return 0;
}

static void remove_folder(const struct demo *d) {
        DIR *dir = d->folder[0] ? opendir(d->folder) : NULL;
        struct dirent *entry;

        if (!dir)
                return;
        while ((entry = readdir(dir)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        (void) unlinkat(dirfd(dir), entry->d_name, 0);
        closedir(dir);
        if (rmdir(d->folder) < 0)
                log_error("demo: %s: %s", d->folder, strerror(errno));
}

/* ---- the gateway's configuration ---- */

/* A JSON string is a YAML string as well, whatever it holds. */
static void put_quoted(struct buffer *text, const char *value) {
        struct json_writer w;

        json_begin(&w, text);
        json_put_string(&w, NULL, value);
}

static uint64_t history_size(const struct demo *d) {
        return d->history_ms > 0 ? demo_history_size(d->history_ms) : HISTORY_SIZE;
}

/* Who says where to listen on the command line has chosen openly; hence access. Until the meters are there their
 * ports have names that are none. */
static void write_config(struct buffer *text, const struct demo *d) {
        buffer_puts(text, "site:\n  name: Metergate demo\nhttp:\n  access: open\n  listen: [");
        put_quoted(text, d->listen);
        buffer_printf(text, "]\nhistory:\n  size: %" PRIu64 "\n  flush: 5s\n  directory: ", history_size(d));
        put_quoted(text, d->folder);
        buffer_puts(text, "\nmeters:\n  - id: main\n    name: House main (simulated)\n");
        buffer_puts(text, "    protocol: tuyamcu\n    port: ");
        put_quoted(text, d->simulator ? simulator_port(d->simulator) : "/main");
        buffer_puts(text, "\n    poll: 10s\n  - id: utility\n    name: Utility meter\n");
        buffer_puts(text, "    protocol: vue\n    port: ");
        put_quoted(text, d->vue ? vue_simulator_port(d->vue) : "/utility");
        buffer_puts(text, "\n    poll: 5s\n");
}

static int parse_config(const struct demo *d, struct config **ret) {
        struct config_error error;
        struct buffer text;
        int r;

        buffer_init(&text, CONFIG_TEXT_MAX);
        write_config(&text, d);
        r = text.failed ? -E2BIG : config_parse("demo", text.data, text.len, ret, &error);
        buffer_free(&text);
        if (r < 0)
                log_error("--listen: %s", r == -E2BIG ? "far too long" : error.text);
        return r;
}

/* ---- its meters ---- */

static int start_tuyamcu(struct demo *d) {
        const struct simulator_options options = {
                .mcu = { .interval_ms = REPORT_INTERVAL_MS, .seed = d->seed },
                .household = d->history_ms > 0,
        };
        char error[SIMULATOR_ERROR_MAX];
        int r;

        r = simulator_new(d->event, &options, &d->simulator, error);
        if (r < 0)
                log_error("%s", error);
        return r;
}

/* With panels on the roof, so that energy flows both ways. Its registers go on from the end of the history. */
static int start_vue(struct demo *d) {
        const struct vue_simulator_options options = {
                .module = { .log_level = CONSOLE_LEVEL, .seed = d->seed,
                            .import_counts = (uint64_t) d->import_wh, .export_counts = (uint64_t) d->export_wh },
                .solar = true,
                .household = d->history_ms > 0,
        };
        char error[VUE_SIMULATOR_ERROR_MAX];
        int r;

        r = vue_simulator_new(d->event, &options, &d->vue, error);
        if (r < 0)
                log_error("%s", error);
        return r;
}

static void print_welcome(const struct demo *d) {
        const char *url = gateway_url(d->gateway);

        printf("Metergate with two simulated meters, main and utility: %s\n"
               "\n"
               "  browser            %s/\n"
               "  values now         curl %s/api/v1/meters/main/now\n"
               "  one number         curl %s/api/v1/meters/main/now/power_w\n"
               "  the last hour      curl '%s/api/v1/meters/main/history?series=power_w&from=-1h&step=1min'\n"
               "  Prometheus         curl %s/metrics\n"
               "  Home Assistant     curl %s/api/v1/home-assistant.yaml\n"
               "\n"
               "The meters start like real ones: values come after some seconds. Ctrl-C ends it all.\n",
               url, url, url, url, url, url, url);
        fflush(stdout);
}

/* Before the meters are there: the past ends where they begin. Returns an exit status, or -1: it is over. */
static int make_past(struct demo *d) {
        CLEANUP(config_freep) struct config *config = NULL;
        struct demo_history past = { .directory = d->folder, .duration_ms = d->history_ms, .seed = d->seed,
                                     .import_wh = VUE_SIMULATOR_IMPORT_WH, .export_wh = VUE_SIMULATOR_EXPORT_WH };
        int r;

        if (parse_config(d, &config) < 0)
                return 2;
        if (d->history_ms == 0)
                return 0;
        past.main = &config->meters[0];
        past.utility = &config->meters[1];
        r = demo_history_fill(&past);
        d->import_wh = past.import_wh;
        d->export_wh = past.export_wh;
        return r < 0 ? 1 : -r;
}

/* Returns an exit status, or -1: it is over. */
static int start(struct demo *d) {
        struct config *config = NULL;
        int r;

        if (make_folder(d) < 0)
                return 1;
        r = make_past(d);
        if (r != 0)
                return r;
        r = sd_event_default(&d->event);
        /* The gateway watches the others, and this one too where it has a file to read again. */
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
        if (r < 0) {
                log_error("demo: %s", strerror(-r));
                return 1;
        }
        if (start_tuyamcu(d) < 0 || start_vue(d) < 0 || parse_config(d, &config) < 0)
                return 1;
        r = gateway_start(d->event, config, NULL, &d->gateway);
        if (r == -EADDRINUSE)
                log_error("demo: choose another address with --listen ADDR:PORT");
        return r < 0;
}

static int run(struct demo *d) {
        int r = start(d);

        if (r != 0)
                return r < 0 ? 0 : r;
        print_welcome(d);
        r = sd_event_loop(d->event);
        if (r < 0)
                log_error("demo: %s", strerror(-r));
        return r < 0;
}

static void print_help(void) {
        puts("Usage: metergate demo [OPTIONS]\n"
             "\n"
             "Runs the gateway with simulated meters: a clamp by TuyaMCU, and the utility's meter by an Emporia Vue\n"
             "Utility Connect. Nothing is left behind when it ends.\n"
             "\n"
             "  --listen ADDR:PORT   where to serve (default: " DEFAULT_LISTEN ")\n"
             "  --history DURATION   begin with a past of that length, 1h to 1830d: a house with seasons, weekends,\n"
             "                       panels on its roof and failures, in which the meters then live on\n"
             "  --seed N             another house and other meters (default: 1)\n"
             "  --help               this text");
}

static bool take_history(struct demo *d, const char *text) {
        if (units_parse_duration_ms(text, &d->history_ms) == 0 && d->history_ms >= HISTORY_LEAST_MS &&
            d->history_ms <= HISTORY_MOST_MS)
                return true;
        log_error("demo: --history: '%s'; expected a duration from 1h to 1830d, such as 400d", text);
        return false;
}

static bool take_seed(struct demo *d, const char *text) {
        int64_t seed;

        if (decimal_parse(text, 0, &seed) == 0 && seed >= 0) {
                d->seed = (uint64_t) seed;
                return true;
        }
        log_error("demo: --seed: '%s'; expected a number from 0 to %" PRId64, text, INT64_MAX);
        return false;
}

/* 0, 1 for help, 2 for a mistake, which has been told. */
static int parse_options(int argc, char **argv, struct demo *d) {
        static const struct option options[] = {
                { "listen", required_argument, NULL, 'l' }, { "history", required_argument, NULL, 'H' },
                { "seed", required_argument, NULL, 's' },   { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == 'h')
                        return 1;
                if (c == 'l')
                        d->listen = optarg;
                else if (c == 'H' ? !take_history(d, optarg) : c == 's' ? !take_seed(d, optarg) : true)
                        return 2;
        }
        if (optind == argc)
                return 0;
        log_error("demo: unexpected '%s'; see metergate demo --help", argv[optind]);
        return 2;
}

int demo_main(int argc, char **argv) {
        struct demo d = { .listen = DEFAULT_LISTEN, .seed = 1 };
        int r = parse_options(argc, argv, &d);

        if (r == 1)
                print_help();
        if (r != 0)
                return r == 1 ? 0 : r;
        signal(SIGPIPE, SIG_IGN);
        clock_init(true);
        r = run(&d);
        gateway_free(d.gateway);
        vue_simulator_free(d.vue);
        simulator_free(d.simulator);
        sd_event_unref(d.event);
        remove_folder(&d);
        return r;
}
