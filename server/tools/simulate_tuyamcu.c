#include "tools/simulate_tuyamcu.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/profile_file.h"

enum { SPEED_MAX = 100000 };

static int start(struct simulation *base) {
        struct tuyamcu_simulation *s = tuyamcu_of(base);
        char error[SIMULATOR_ERROR_MAX];
        int r;

        s->options.event = simulate_on_event;
        s->options.ready = simulate_on_ready;
        s->options.expect = simulate_on_expect;
        s->options.mcu.answer = simulate_on_answer;
        s->options.mcu.userdata = s;
        s->options.userdata = s;
        r = simulator_new(base->event, &s->options, &s->simulator, error);
        if (r < 0)
                log_error("%s", error);
        else
                simulate_print_port(base, simulator_port(s->simulator), s->options.link_path);
        return r;
}

static void print_help(void) {
        puts("Usage: metergate simulate tuyamcu [OPTIONS]\n"
             "\n"
             "A simulated meter on a pseudo terminal. The first line on stdout is the terminal's path, followed by\n"
             "the link's; after that one JSON object per line.\n"
             "\n"
             "  --link PATH              also reachable through this symbolic link\n"
             "  --profile NAME|FILE      all datapoints of this product (default: the PJ-MGW1103 as captured)\n"
             "  --product KEY            product key it tells (default: the profile's first)\n"
             "  --phase-bytes N          length of phase data whose profile leaves it open: 6, 8, 10, 15, 15p (power\n"
             "                           first) or 18 (default: 8)\n"
             "  --expect                 while set fixes the load, tell what the peer has to show, in the resolution\n"
             "                           of the wire: {\"expect\":{\"power_w\":17.7,\"l1.voltage_v\":230}}. At each\n"
             "                           set, before its acknowledgement, and when a value moves on as energies do\n"
             "  --trace FILE             replay a load from CSV, plain or .gz (default: a made-up household)\n"
             "  --speed N                that many times faster\n"
             "  --loop                   begin the trace again at its end\n"
             "  --interval DURATION      how often changes are reported (default: 1s)\n"
             "  --direction-lag DURATION datapoints that tell a power's sign come that much behind it\n"
             "  --request CMD[,HEX]      send this command as soon as it measures; may be given again. What\n"
             "                           comes back is told as {\"answer\":{\"command\":28,\"data\":\"01...\"}}\n"
             "  --mode-pins              a device that leaves its pins 8 and 7 to the module\n"
             "  --low-power              the command set of battery devices, with records\n"
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
             "noise DURATION, bad-checksums COUNT, product KEY, set VOLTAGE_V CURRENT_A POWER_W,\n"
             "set SERIES=VALUE ... (such as set a.power_w=-120 voltage_v=230.1), auto, request CMD [HEX],\n"
             "unplug DURATION, quit.");
}

static bool parse_phase_form(const char *text, enum phase_form *ret) {
        for (unsigned i = 0; i < PHASE_FORM_COUNT; i++)
                if (strcmp(text, phase_form_names[i]) == 0) {
                        *ret = (enum phase_form) i;
                        return true;
                }
        log_error("simulate: --phase-bytes: expected 6, 8, 10, 15, 15p or 18");
        return false;
}

static bool add_request(struct tuyamcu_simulation *s, const char *text) {
        const char *comma = strchr(text, ',');
        char command[8];

        if (s->n_requests == SIMULATE_REQUESTS_MAX) {
                log_error("simulate: --request: more than %d", SIMULATE_REQUESTS_MAX);
                return false;
        }
        snprintf(command, sizeof command, "%.*s", comma ? (int) (comma - text) : 3, text);
        if (simulate_parse_request(command, comma ? comma + 1 : NULL, &s->requests[s->n_requests])) {
                s->n_requests++;
                return true;
        }
        log_error("simulate: --request: expected a command and its data as hex, such as 1C or 34,03");
        return false;
}

static bool load_profile(struct tuyamcu_simulation *s, const char *name) {
        struct config_error error;

        s->profile = profile_free(s->profile);
        if (profile_load(name, &s->profile, &error) < 0) {
                log_error("simulate: --profile: %s", error.text);
                return false;
        }
        s->options.profile = s->profile;
        return true;
}

/* One option that carries a value. */
static bool take_value(struct tuyamcu_simulation *s, int c, const char *name, const char *value) {
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
        case 'P':
                return load_profile(s, value);
        case 'f':
                return parse_phase_form(value, &o->phase_form);
        case 'r':
                return add_request(s, value);
        case 'i':
                return simulate_parse_duration(name, value, &o->mcu.interval_ms);
        case 'd':
                return simulate_parse_duration(name, value, &o->mcu.direction_lag_ms);
        case 'x':
                if (!simulate_parse_number(name, value, 1, SPEED_MAX, &n))
                        return false;
                o->speed = (unsigned) n;
                return true;
        case 's':
                if (!simulate_parse_number(name, value, 0, INT64_MAX, &n))
                        return false;
                o->mcu.seed = (uint64_t) n;
                return true;
        case 'b':
                if (!simulate_parse_number(name, value, 1200, 921600, &n))
                        return false;
                o->baud = (uint32_t) n;
                return true;
        default:
                if (!simulate_parse_number(name, value, 0, 100, &n))
                        return false;
                *(c == 'n' ? &o->mcu.noise_percent : &o->mcu.bad_checksum_percent) = (unsigned) n;
                return true;
        }
}

static bool take_option(struct simulation *base, int c, const char *name, const char *value) {
        struct tuyamcu_simulation *s = tuyamcu_of(base);

        s->options.mcu.sync |= c == 'S';
        s->options.mcu.quiet_current |= c == 'q';
        s->options.mcu.averaging |= c == 'a';
        s->options.mcu.mode_pins |= c == 'm';
        s->options.mcu.low_power |= c == 'w';
        s->options.loop |= c == 'L';
        base->expect |= c == 'e';
        base->verbose |= c == 'v';
        return !value || take_value(s, c, name, value);
}

static const struct option options[] = {
        { "link", required_argument, NULL, 'l' },     { "product", required_argument, NULL, 'p' },
        { "profile", required_argument, NULL, 'P' },  { "phase-bytes", required_argument, NULL, 'f' },
        { "request", required_argument, NULL, 'r' },  { "direction-lag", required_argument, NULL, 'd' },
        { "mode-pins", no_argument, NULL, 'm' },      { "low-power", no_argument, NULL, 'w' },
        { "expect", no_argument, NULL, 'e' },
        { "trace", required_argument, NULL, 't' },    { "speed", required_argument, NULL, 'x' },
        { "interval", required_argument, NULL, 'i' }, { "seed", required_argument, NULL, 's' },
        { "baud", required_argument, NULL, 'b' },     { "noise", required_argument, NULL, 'n' },
        { "bad-checksums", required_argument, NULL, 'c' },
        { "sync", no_argument, NULL, 'S' },           { "quiet-current", no_argument, NULL, 'q' },
        { "averaging", no_argument, NULL, 'a' },      { "verbose", no_argument, NULL, 'v' },
        { "loop", no_argument, NULL, 'L' },           { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
};

int simulate_tuyamcu_main(int argc, char **argv) {
        struct tuyamcu_simulation s = { .base.commands = simulate_tuyamcu_commands };
        int r = simulate_parse_options(argc, argv, options, &s.base, take_option);

        if (r == 1)
                print_help();
        if (r != 0) {
                profile_free(s.profile);
                return r == 1 ? 0 : 2;
        }
        r = simulate_run(&s.base, start);
        simulator_free(s.simulator);
        profile_free(s.profile);
        simulate_end(&s.base);
        return r;
}
