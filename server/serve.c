#include "serve.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "api/app.h"
#include "api/live.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/http_policy.h"
#include "history_loop.h"
#include "http/policy.h"
#include "http/server.h"
#include "meters/fleet.h"
#include "push/push.h"

#define DESCRIPTORS 2048   /* all connections, and what the rest needs */
#define DEFAULT_CONFIG "/etc/metergate/metergate.yaml"
#define DEFAULT_STATE "/var/lib/metergate"

struct gateway {
        struct config *config;
        char *config_path;           /* NULL: no reload */
        struct history *history;
        struct events *events;
        struct history_loop *history_loop;
        struct push *push;
        struct fleet *fleet;
        struct live *live;
        struct http_server *http;
        struct app app;
        char *positions;             /* folder of those of remote write; NULL: they are not kept */
        char *system_timezone;       /* TZ as it was at start; NULL: it was not set */
        bool has_sockets;            /* handed over by systemd: they win over http.listen */
        sd_event_source *sigterm, *sigint, *sighup;
};

/* ---- parts ---- */

static int listen_as(struct gateway *g, const struct config *c, char *error) {
        struct http_listen addresses[LISTEN_MAX];

        if (g->has_sockets)
                return 0;
        for (unsigned i = 0; i < c->http.n_listen; i++)
                addresses[i] = (struct http_listen) {
                        .text = c->http.listen[i].text,
                        .address = c->http.listen[i].address,
                        .address_len = c->http.listen[i].address_len,
                };
        return http_server_listen(g->http, addresses, c->http.n_listen, error);
}

static int adopt_sockets(struct gateway *g, char *error) {
        int n = sd_listen_fds(1);

        for (int i = 0; i < n; i++) {
                int r = http_server_adopt(g->http, SD_LISTEN_FDS_START + i, error);

                if (r < 0)
                        return r;
                g->has_sockets = true;
        }
        return n < 0 ? n : 0;
}

/* Addresses of the configuration were checked when it was read; those of systemd are known only now. */
static int check_exposure(const struct gateway *g, const struct config *c, char *error) {
        const char *exposed = http_server_exposed(g->http);

        if (!exposed || c->http.access_stated)
                return 0;
        snprintf(error, HTTP_ERROR_MAX, "the socket from systemd on %.50s can be reached by other machines, and "
                                        "http.access is missing in the configuration; add \"access: open\" or "
                                        "\"access: token\"", exposed);
        return -EINVAL;
}

static int start_http(struct gateway *g, sd_event *event) {
        struct http_options options = { .routes = api_routes, .n_routes = api_n_routes, .app = &g->app,
                                        .version = api_version };
        struct http_policy policy = config_http_policy(g->config);
        char error[HTTP_ERROR_MAX] = "";
        int r;

        r = http_server_new(event, &options, &g->http);
        if (r < 0) {
                log_error("the HTTP server cannot start: %s", strerror(-r));
                return r;
        }
        g->app.http = g->http;
        r = http_server_set_policy(g->http, &policy, error);
        if (r >= 0)
                r = adopt_sockets(g, error);
        if (r >= 0)
                r = check_exposure(g, g->config, error);
        if (r >= 0)
                r = listen_as(g, g->config, error);
        if (r < 0)
                log_error("%s", error[0] ? error : strerror(-r));
        return r;
}

/* What `systemctl status` shows: how many meters are in which state. */
static void notify_status(void *userdata) {
        struct gateway *g = userdata;
        unsigned n = fleet_count(g->fleet), online = 0;
        const char *first = NULL, *state = NULL;

        for (unsigned i = 0; i < n; i++) {
                const struct meter *m = fleet_meter(g->fleet, i);

                if (meter_state(m) == METER_ONLINE)
                        online++;
                else if (!first) {
                        first = meter_config(m)->id;
                        state = meter_state_names[meter_state(m)];
                }
        }
        if (first)
                (void) sd_notifyf(false, "STATUS=%u of %u meters online; %s is %s", online, n, first, state);
        else
                (void) sd_notifyf(false, "STATUS=%u of %u meters online", online, n);
}

static void on_meters_changed(void *userdata) {
        struct gateway *g = userdata;

        notify_status(g);
        live_meters_changed(g->live);
}

static void on_news(void *userdata) {
        struct gateway *g = userdata;

        http_server_wake_streams(g->http);
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        (void) info, (void) userdata;
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        (void) source, (void) info;
        (void) gateway_reload(userdata);
        return 0;
}

static int watch_signals(struct gateway *g, sd_event *event) {
        int r;

        (void) signal(SIGPIPE, SIG_IGN);
        r = sd_event_add_signal(event, &g->sigterm, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, on_stop_signal, g);
        if (r >= 0)
                r = sd_event_add_signal(event, &g->sigint, SIGINT | SD_EVENT_SIGNAL_PROCMASK, on_stop_signal, g);
        if (r >= 0 && g->config_path)
                r = sd_event_add_signal(event, &g->sighup, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_reload_signal, g);
        return r;
}

static void set_timezone(const struct gateway *g, const struct config *c) {
        const char *timezone = c->site.timezone ? c->site.timezone : g->system_timezone;

        if (timezone)
                (void) setenv("TZ", timezone, 1);
        else
                (void) unsetenv("TZ");
        tzset();
}

static void log_warnings(const struct config *c) {
        for (unsigned i = 0; i < c->n_warnings; i++)
                log_warning("%s", c->warnings[i]);
}

/* Where systemd lets us keep things; a gateway that is not its service uses the same folder if it may. */
static const char *state_directory(void) {
        const char *given = getenv("STATE_DIRECTORY");

        if (given)
                return given;
        return access(DEFAULT_STATE, W_OK) == 0 ? DEFAULT_STATE : NULL;
}

static void on_history_ready(void *userdata) {
        struct gateway *g = userdata;

        fleet_restore(g->fleet);
}

static void put_event(struct gateway *g, enum event_kind kind) {
        struct event e = { .kind = kind };
        uint64_t now_ms = clock_now_ms();

        clock_update();
        e.has_time = clock_to_utc_ms(now_ms, &e.utc_ms);
        events_put(g->events, now_ms, &e);
}

/* A history that cannot use its folder still works, from memory, and says so. */
static int start_history(struct gateway *g, sd_event *event) {
        const struct config *c = g->config;
        struct history_options options = {
                .directory = c->history.directory ? c->history.directory : state_directory(),
                .size_bytes = c->history.size_bytes,
                .flush_ms = c->history.flush_ms,
        };
        char error[STORE_ERROR_MAX];
        int r;

        if (!options.directory)
                options.directory = DEFAULT_STATE;
        r = history_new(&options, &g->history, error);
        if (r < 0) {
                log_error("history: %s", error);
                return r;
        }
        /* A folder that the history may not use is not theirs either. */
        r = events_new(history_error(g->history)[0] ? NULL : options.directory, NULL, &g->events);
        if (r < 0)
                return r;
        if (events_note(g->events)[0])
                log_notice("events: %s", events_note(g->events));
        put_event(g, EVENT_STARTED);
        r = history_loop_new(event, g->history, g->events, on_history_ready, g, &g->history_loop);
        if (r < 0)
                return r;
        g->positions = history_error(g->history)[0] ? NULL : strdup(options.directory);
        return push_new(event, g->history, g->events, g->positions, options.flush_ms, &g->push);

}

static int start_push(struct gateway *g) {
        struct push_set *set;
        char error[PUSH_ERROR_MAX] = "";
        int r;

        r = push_prepare(g->push, g->config, &set, error);
        if (r < 0)
                log_error("%s", error[0] ? error : strerror(-r));
        else
                push_take(g->push, set);
        return r;
}

/* What a process may open at first is meant for programs that use select(). */
static void raise_descriptor_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS)
                return;
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- the whole ---- */

static int start_parts(struct gateway *g, sd_event *event) {
        int r;

        raise_descriptor_limit();
        log_warnings(g->config);
        set_timezone(g, g->config);
        r = watch_signals(g, event);
        if (r < 0)
                return r;
        r = start_history(g, event);
        if (r < 0)
                return r;
        r = fleet_new(event, g->history, g->events, g->config_path ? state_directory() : NULL, &g->fleet);
        if (r < 0)
                return r;
        r = start_push(g);
        if (r < 0)
                return r;
        g->app = (struct app) { .config = g->config, .fleet = g->fleet, .history = g->history,
                                .events = g->events, .push = g->push, .started_ms = clock_now_ms() };
        if (getrandom(&g->app.run, sizeof g->app.run, 0) < 0)
                g->app.run = g->app.started_ms;
        r = live_new(event, &g->app, on_news, g, &g->live);
        if (r < 0)
                return r;
        g->app.live = g->live;
        fleet_on_change(g->fleet, on_meters_changed, g);
        r = start_http(g, event);
        if (r < 0)
                return r;
        r = fleet_apply(g->fleet, g->config);
        if (r < 0)
                return r;
        (void) sd_event_set_watchdog(event, true);
        (void) sd_notify(false, "READY=1");
        notify_status(g);
        return 0;
}

static int copy_text(const char *text, char **ret) {
        if (!text)
                return 0;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

int gateway_start(sd_event *event, struct config *config, const char *config_path, struct gateway **ret) {
        CLEANUP(gateway_freep) struct gateway *g = NULL;
        int r;

        g = calloc(1, sizeof *g);
        if (!g) {
                config_free(config);
                return -ENOMEM;
        }
        g->config = config;
        r = copy_text(config_path, &g->config_path);
        if (r >= 0)
                r = copy_text(getenv("TZ"), &g->system_timezone);
        if (r < 0)
                return r;
        r = start_parts(g, event);
        if (r < 0)
                return r;
        *ret = TAKE(g);
        return 0;
}

struct gateway *gateway_free(struct gateway *g) {
        if (!g)
                return NULL;
        http_server_free(g->http);
        fleet_free(g->fleet);
        live_free(g->live);
        push_free(g->push);
        history_loop_free(g->history_loop);
        if (g->events)
                put_event(g, EVENT_STOPPED);
        events_free(g->events);
        history_free(g->history);
        sd_event_source_disable_unref(g->sighup);
        sd_event_source_disable_unref(g->sigint);
        sd_event_source_disable_unref(g->sigterm);
        config_free(g->config);
        free(g->config_path);
        free(g->positions);
        free(g->system_timezone);
        free(g);
        return NULL;
}

const char *gateway_url(const struct gateway *g) {
        return http_server_url(g->http);
}

static bool same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The file is open under its old name and size for as long as the process runs. */
static void warn_of_history(const struct config *old, const struct config *next) {
        if (!same_text(old->history.directory, next->history.directory) ||
            old->history.size_bytes != next->history.size_bytes || old->history.flush_ms != next->history.flush_ms)
                log_warning("history: its settings have changed; they hold from the next restart on");
}

/* What may fail comes first and can be given back; the policy, which cannot, is put in force last. */
static int apply(struct gateway *g, const struct config *next) {
        CLEANUP(policy_freep) struct policy *policy = NULL;
        CLEANUP(push_set_freep) struct push_set *receivers = NULL;
        struct http_policy wanted = config_http_policy(next);
        char error[HTTP_ERROR_MAX > PUSH_ERROR_MAX ? HTTP_ERROR_MAX : PUSH_ERROR_MAX] = "", ignored[HTTP_ERROR_MAX];
        int r;

        r = policy_new(&wanted, &policy, error);
        if (r >= 0)
                r = check_exposure(g, next, error);
        if (r >= 0)
                r = http_server_prepare_policy(g->http, policy, error);
        if (r >= 0)
                r = push_prepare(g->push, next, &receivers, error);
        if (r >= 0)
                r = listen_as(g, next, error);
        if (r >= 0) {
                r = fleet_apply(g->fleet, next);
                if (r < 0)
                        (void) listen_as(g, g->config, ignored);
        }
        if (r < 0) {
                log_error("%s; the old configuration stays", error[0] ? error : strerror(-r));
                return r;
        }
        http_server_take_policy(g->http, TAKE(policy));
        push_take(g->push, TAKE(receivers));
        return r;
}

static void notify_reloading(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
                          (unsigned long long) now.tv_sec * 1000000 + (unsigned long long) now.tv_nsec / 1000);
}

int gateway_reload(struct gateway *g) {
        CLEANUP(config_freep) struct config *next = NULL;
        struct config_error error;
        struct config *old;
        int r;

        notify_reloading();
        r = config_load(g->config_path, &next, &error);
        if (r < 0)
                log_error("%s; the old configuration stays", error.text);
        else
                r = apply(g, next);
        if (r >= 0) {
                log_warnings(next);
                warn_of_history(g->config, next);
                set_timezone(g, next);
                old = g->config;
                g->config = TAKE(next);
                g->app.config = g->config;
                g->app.reloads++;
                config_free(old);
                log_notice("%s reloaded: %u meters", g->config_path, g->config->n_meters);
        }
        (void) sd_notify(false, "READY=1");
        notify_status(g);
        return r;
}

/* ---- metergate serve ---- */

static int run(struct config *config, const char *config_path) {
        CLEANUP(sd_event_unrefp) sd_event *event = NULL;
        CLEANUP(gateway_freep) struct gateway *g = NULL;
        int r;

        clock_init(false);
        r = sd_event_default(&event);
        if (r < 0) {
                config_free(config);
                log_error("the event loop cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = gateway_start(event, config, config_path, &g);
        if (r < 0)
                return EXIT_FAILURE;
        log_notice("serving %s", gateway_url(g));
        r = sd_event_loop(event);
        (void) sd_notify(false, "STOPPING=1\nSTATUS=Stopping");
        if (r < 0)
                log_error("the event loop failed: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_help(void) {
        puts("Usage: metergate serve [--config FILE]\n"
             "\n"
             "Runs the gateway: reads the meters of the configuration, serves REST, metrics and the dashboard.\n"
             "\n"
             "  --config FILE  the configuration (default " DEFAULT_CONFIG ")\n"
             "  --help         this text\n"
             "\n"
             "SIGHUP reads the configuration again; SIGTERM ends it.");
}

int serve_main(int argc, char **argv) {
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        const char *path = DEFAULT_CONFIG;
        struct config_error error;
        struct config *config;
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (option) {
                case 'c':
                        path = optarg;
                        break;
                case 'h':
                        print_help();
                        return EXIT_SUCCESS;
                default:
                        return 2;
                }
        if (optind < argc) {
                fprintf(stderr, "metergate serve: unexpected argument '%s'; see metergate serve --help\n",
                        argv[optind]);
                return 2;
        }
        if (config_load(path, &config, &error) < 0) {
                fprintf(stderr, "%s\n", error.text);
                return 2;
        }
        return run(config, path);
}
