#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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
#include "base/json_writer.h"
#include "base/log.h"
#include "config/config.h"
#include "serve.h"
#include "tools/simulator.h"
#include "tools/tools.h"
#include "tools/vue_simulator.h"

#define DEFAULT_LISTEN "127.0.0.1:8730"
#define CONFIG_TEXT_MAX 4096

enum {
        REPORT_INTERVAL_MS = 1000,
        CONSOLE_LEVEL = 10,
};

struct demo {
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

/* Who says where to listen on the command line has chosen openly; hence access. */
static void write_config(struct buffer *text, const char *listen, const struct demo *d) {
        buffer_puts(text, "site:\n  name: Metergate demo\nhttp:\n  access: open\n  listen: [");
        put_quoted(text, listen);
        buffer_puts(text, "]\nhistory:\n  size: 16MiB\n  flush: 5s\n  directory: ");
        put_quoted(text, d->folder);
        buffer_puts(text, "\nmeters:\n  - id: main\n    name: House main (simulated)\n");
        buffer_puts(text, "    protocol: tuyamcu\n    port: ");
        put_quoted(text, simulator_port(d->simulator));
        buffer_puts(text, "\n    poll: 10s\n  - id: utility\n    name: Utility meter\n");
        buffer_puts(text, "    protocol: vue\n    port: ");
        put_quoted(text, vue_simulator_port(d->vue));
        buffer_puts(text, "\n    poll: 5s\n");
}

static int parse_config(const char *listen, const struct demo *d, struct config **ret) {
        struct config_error error;
        struct buffer text;
        int r;

        buffer_init(&text, CONFIG_TEXT_MAX);
        write_config(&text, listen, d);
        r = text.failed ? -E2BIG : config_parse("demo", text.data, text.len, ret, &error);
        buffer_free(&text);
        if (r < 0)
                log_error("--listen: %s", r == -E2BIG ? "far too long" : error.text);
        return r;
}

/* ---- its meters ---- */

static int start_tuyamcu(struct demo *d) {
        const struct simulator_options options = {
                .mcu = { .interval_ms = REPORT_INTERVAL_MS, .seed = 1 },
        };
        char error[SIMULATOR_ERROR_MAX];
        int r;

        r = simulator_new(d->event, &options, &d->simulator, error);
        if (r < 0)
                log_error("%s", error);
        return r;
}

/* With panels on the roof, so that energy flows both ways. */
static int start_vue(struct demo *d) {
        const struct vue_simulator_options options = {
                .module = { .log_level = CONSOLE_LEVEL, .seed = 1 },
                .solar = true,
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

/* Returns an exit status. */
static int start(struct demo *d, const char *listen) {
        struct config *config = NULL;
        int r;

        r = sd_event_default(&d->event);
        /* The gateway watches the others, and this one too where it has a file to read again. */
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
        if (r < 0) {
                log_error("demo: %s", strerror(-r));
                return 1;
        }
        if (make_folder(d) < 0 || start_tuyamcu(d) < 0 || start_vue(d) < 0)
                return 1;
        if (parse_config(listen, d, &config) < 0)
                return 2;
        r = gateway_start(d->event, config, NULL, &d->gateway);
        if (r == -EADDRINUSE)
                log_error("demo: choose another address with --listen ADDR:PORT");
        return r < 0;
}

static int run(struct demo *d, const char *listen) {
        int r = start(d, listen);

        if (r != 0)
                return r;
        print_welcome(d);
        r = sd_event_loop(d->event);
        if (r < 0)
                log_error("demo: %s", strerror(-r));
        return r < 0;
}

static void print_help(void) {
        puts("Usage: metergate demo [--listen ADDR:PORT]\n"
             "\n"
             "Runs the gateway with simulated meters: a clamp by TuyaMCU, and the utility's meter by an Emporia Vue\n"
             "Utility Connect. Nothing is left behind when it ends.\n"
             "\n"
             "  --listen ADDR:PORT   where to serve (default: " DEFAULT_LISTEN ")\n"
             "  --help               this text");
}

int demo_main(int argc, char **argv) {
        static const struct option options[] = {
                { "listen", required_argument, NULL, 'l' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
        };
        const char *listen = DEFAULT_LISTEN;
        struct demo d = { .folder = "" };
        int c, r;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == 'h') {
                        print_help();
                        return 0;
                }
                if (c != 'l')
                        return 2;
                listen = optarg;
        }
        if (optind != argc) {
                log_error("demo: unexpected '%s'; see metergate demo --help", argv[optind]);
                return 2;
        }
        signal(SIGPIPE, SIG_IGN);
        clock_init(true);
        r = run(&d, listen);
        gateway_free(d.gateway);
        vue_simulator_free(d.vue);
        simulator_free(d.simulator);
        sd_event_unref(d.event);
        remove_folder(&d);
        return r;
}
