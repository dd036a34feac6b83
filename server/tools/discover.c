/* metergate discover: what do the unknown datapoints of a recording mean? */
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
#include "config/profile_file.h"
#include "tools/discover_output.h"
#include "tools/profile_option.h"
#include "tools/protocol_option.h"
#include "tools/tools.h"
#include "workbench/suggest/observations.h"

#define RUNS_MAX 8192      /* 0.9 MB: a day of a meter that tells something new every ten seconds */
#define UNTIMED_STEP_MS 1000  /* between frames whose times are not known */

struct options {
        const char *protocol, *known, *name, *path;
        bool profile;
};

struct listener {
        const struct protocol *protocol;
        struct session *session;             /* owned */
        struct observations *observations;   /* owned */
        uint64_t now_ms;
        int64_t first_utc_ms, last_utc_ms;
        bool has_time;                       /* some frame had one */
};

static struct listener *listener_free(struct listener *l) {
        if (!l)
                return NULL;
        observations_free(l->observations);
        free(l->session);
        free(l);
        return NULL;
}
static void listener_freep(struct listener **l) { listener_free(*l); }

static int listener_new(const struct protocol *protocol, const struct profile *known, struct listener **ret) {
        CLEANUP(listener_freep) struct listener *l = calloc(1, sizeof *l);
        const struct session_config config = {
                .profile = known, .poll_ms = protocol->default_poll_ms, .stale_after_ms = 60000, .listen_only = true,
        };
        int r;

        if (!l)
                return -ENOMEM;
        l->protocol = protocol;
        l->now_ms = UNTIMED_STEP_MS;
        l->session = calloc(1, protocol->session_size);
        if (!l->session)
                return -ENOMEM;
        r = observations_new(RUNS_MAX, &l->observations);
        if (r < 0)
                return r;
        protocol->start(l->session, &config, l->now_ms);
        *ret = TAKE(l);
        return 0;
}

/* Clocks of recordings may have been set back; time here does not go back. */
static void pass_time(struct listener *l, const struct captured_frame *frame) {
        uint64_t now_ms;

        if (!frame->has_time) {
                l->now_ms += UNTIMED_STEP_MS;
                return;
        }
        /* Where the clock was set back, time goes on from there. */
        if (!l->has_time || frame->utc_ms < l->last_utc_ms)
                l->first_utc_ms = frame->utc_ms - (int64_t) l->now_ms;
        l->last_utc_ms = frame->utc_ms;
        l->has_time = true;
        now_ms = frame->utc_ms > l->first_utc_ms ? (uint64_t) (frame->utc_ms - l->first_utc_ms) : 0;
        if (now_ms > l->now_ms)
                l->now_ms = now_ms;
}

static int take_frame(void *userdata, const struct captured_frame *frame) {
        struct listener *l = userdata;
        struct session_output out;

        pass_time(l, frame);
        (frame->is_request ? l->protocol->request : l->protocol->frame)(l->session, l->now_ms, frame->data, frame->len);
        l->protocol->poll(l->session, l->now_ms, false, &out);
        observations_note(l->observations, l->now_ms, &l->session->datapoints);
        return 0;
}

static int read_recording(struct listener *l, const char *path) {
        CLEANUP(capture_freep) struct capture *capture = NULL;
        const struct captured_frames_handler handler = { take_frame, NULL, l };
        char error[CAPTURE_ERROR_MAX];
        int r;

        r = capture_open(path, &capture, error);
        if (r < 0) {
                log_error("%s", error);
                return r;
        }
        r = captured_frames_read(capture, l->protocol, &handler, NULL);
        if (r < 0)
                log_error("%s", capture_error(capture)[0] ? capture_error(capture) : strerror(-r));
        return r;
}

/* Remarks for whoever sits there; the lines on stdout are for programs. */
static void remark(const struct listener *l) {
        const char *key = l->session->product_key;
        const struct profile *profile = key[0] ? profile_for_product_key(l->protocol->name, key) : NULL;

        if (observations_count(l->observations) == 0)
                log_warning("the recording has no datapoints; is it of protocol %s? --protocol names another one",
                            l->protocol->name);
        else if (!l->has_time)
                log_warning("the recording has no times: nothing can be said of energies");
        if (profile)
                log_info("the profile %s knows this meter by its product key %s", profile->name, key);
        if (l->session->datapoints.dropped > 0)
                log_warning("more than %u datapoints: %llu values of others were left out", DATAPOINTS_MAX,
                            (unsigned long long) l->session->datapoints.dropped);
}

static int discover(struct listener *l, const struct options *o, const struct profile *known) {
        CLEANUP(suggestions_freep) struct suggestions *found = NULL;
        struct suggest_settings settings = { .protocol = l->protocol, .profile = known };
        const struct discover_subject subject = {
                .protocol = l->protocol, .product_key = l->session->product_key, .name = o->name,
                .observations = l->observations,
        };
        int r;

        if (read_recording(l, o->path) < 0)
                return 1;
        remark(l);
        settings.has_no_times = !l->has_time;
        r = suggest(l->observations, &settings, &found);
        if (r >= 0 && o->profile)
                r = discover_put_profile(&subject, found);
        else if (r >= 0 && isatty(STDOUT_FILENO))
                r = discover_put_table(&subject, found);
        else if (r >= 0)
                r = discover_put_lines(&subject, found);
        if (r < 0 && r != -EPIPE)
                log_error("cannot write: %s", strerror(-r));
        return r < 0 ? 1 : 0;
}

/* ---- usage ---- */

static void print_help(void) {
        puts("Usage: metergate discover [--protocol P] [--known N] [--profile [--name NAME]] FILE|-\n"
             "\n"
             "What do the unknown datapoints of a recording mean? Ranked guesses from physics alone: mains\n"
             "voltages, P = V * I * power factor, energy as the integral of power; with a confidence and the\n"
             "evidence in words.\n"
             "\n"
             "  --protocol P   what was recorded (default: tuyamcu)\n"
             "  --known N      name or file of a profile: what it lists is known and left out\n"
             "  --profile      write the likely guesses as a profile\n"
             "  --name NAME    of that profile (default: discovered)\n"
             "  --help         this text\n"
             "\n"
             "Record for as long as it takes to switch some loads on and off: what never changes tells nothing.\n"
             "FILE is anything that metergate decode reads. Output: one JSON object per guess and line, the best\n"
             "first; on a terminal a table.");
}

static int parse_options(int argc, char **argv, struct options *o) {
        static const struct option options[] = {
                { "protocol", required_argument, NULL, 'p' }, { "known", required_argument, NULL, 'k' },
                { "profile", no_argument, NULL, 'f' },        { "name", required_argument, NULL, 'n' },
                { "help", no_argument, NULL, 'h' },           { NULL, 0, NULL, 0 },
        };
        int c;

        *o = (struct options) { .protocol = "tuyamcu", .name = "discovered" };
        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'p':
                        o->protocol = optarg;
                        break;
                case 'k':
                        o->known = optarg;
                        break;
                case 'f':
                        o->profile = true;
                        break;
                case 'n':
                        o->name = optarg;
                        break;
                case 'h':
                        return 1;
                default:
                        return 2;
                }
        if (optind != argc - 1) {
                log_error("discover: expected one FILE or -; see metergate discover --help");
                return 2;
        }
        o->path = argv[optind];
        return 0;
}

/* A profile lists numbered datapoints, and its name is a key. */
static int check_profile_options(const struct options *o, const struct protocol *protocol) {
        if (!o->profile)
                return 0;
        if (!protocol->needs_profile) {
                log_error("--profile: %s needs none, its frames tell what they mean; expected no --profile",
                          protocol->name);
                return 2;
        }
        return discover_check_name(o->name) ? 0 : 2;
}

int discover_main(int argc, char **argv) {
        CLEANUP(profile_freep) struct profile *known = NULL;
        CLEANUP(listener_freep) struct listener *listener = NULL;
        const struct protocol *protocol;
        struct options o;
        int r;

        r = parse_options(argc, argv, &o);
        if (r == 1) {
                print_help();
                return 0;
        }
        if (r != 0)
                return 2;
        protocol = protocol_option(o.protocol);
        if (!protocol || check_profile_options(&o, protocol) != 0)
                return 2;
        if (o.known && profile_option("--known", o.known, protocol, &known) != 0)
                return 2;
        if (listener_new(protocol, known, &listener) < 0) {
                log_error("discover: %s", strerror(ENOMEM));
                return 1;
        }
        signal(SIGPIPE, SIG_IGN);
        return discover(listener, &o, known);
}
