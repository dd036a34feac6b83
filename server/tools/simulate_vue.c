#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "protocols/quantity.h"
#include "tools/simulate_parts.h"
#include "tools/vue_simulator.h"

enum {
        SCALE_MAX = 1000000,
        FLAWED_MAX = 1000000,
};

#define POWER_MAX_MW   INT64_C(1000000000)
#define ENERGY_MAX_MWH INT64_C(1000000000000)

struct vue_simulation {
        struct simulation base;    /* first */
        struct vue_simulator *simulator;
        struct vue_simulator_options options;
};

static struct vue_simulation *vue_of(struct simulation *s) {
        return (struct vue_simulation *) s;
}

static struct mgm111 *module_of(struct simulation *s) {
        return vue_simulator_module(vue_of(s)->simulator);
}

/* --- output ------------------------------------------------------------------------------------------------ */

static void on_event(void *userdata, const char *what, const uint8_t *data, size_t len) {
        struct vue_simulation *s = userdata;

        simulate_put_event(&s->base, what, s->simulator ? vue_simulator_port(s->simulator) : "", data, len);
}

static void put_value(struct json_writer *w, enum quantity quantity, int64_t value) {
        json_put_decimal(w, quantity_catalogue[quantity].key, value, quantity_catalogue[quantity].decimals);
}

static void on_answered(void *userdata, const struct mgm111_expected *expected) {
        struct vue_simulation *s = userdata;
        struct json_writer w;

        if (!s->base.expect)
                return;
        json_begin(&w, &s->base.line);
        json_object_begin(&w, NULL);
        json_object_begin(&w, "expect");
        if (expected->has_power)
                put_value(&w, Q_POWER, expected->power_mw);
        if (expected->has_import)
                put_value(&w, Q_ENERGY_IMPORT, expected->import_mwh);
        if (expected->has_export)
                put_value(&w, Q_ENERGY_EXPORT, expected->export_mwh);
        json_object_end(&w);
        json_object_end(&w);
        simulate_write_line(&s->base);
}

/* --- commands ---------------------------------------------------------------------------------------------- */

static const char *command_state(struct simulation *s, char **args) {
        for (unsigned i = 0; i < MGM111_STATE_COUNT; i++)
                if (strcmp(args[0], mgm111_state_names[i]) == 0) {
                        mgm111_set_state(module_of(s), (enum mgm111_state) i);
                        return NULL;
                }
        return "expected reachable, out-of-reach, unprovisioned or silent";
}

static const char *command_power_cycle(struct simulation *s, char **args) {
        (void) args;
        vue_simulator_power_cycle(vue_of(s)->simulator);
        return NULL;
}

static const char *command_set(struct simulation *s, char **args) {
        int64_t power_mw;

        if (decimal_parse(args[0], 3, &power_mw) < 0 || power_mw > POWER_MAX_MW || power_mw < -POWER_MAX_MW)
                return "expected POWER_W, such as 340 or -1200.5";
        vue_simulator_set_power(vue_of(s)->simulator, power_mw);
        return NULL;
}

static const char *command_auto(struct simulation *s, char **args) {
        (void) args;
        vue_simulator_follow_house(vue_of(s)->simulator);
        return NULL;
}

static const char *command_loss(struct simulation *s, char **args) {
        int64_t percent;

        if (decimal_parse(args[0], 0, &percent) < 0 || percent < 0 || percent > 100)
                return "expected a percentage";
        mgm111_set_loss(module_of(s), (unsigned) percent);
        return NULL;
}

static const char *command_flaw(struct simulation *s, char **args) {
        int64_t answers = 1;

        if (args[1] && (decimal_parse(args[1], 0, &answers) < 0 || answers < 0 || answers > FLAWED_MAX))
                return "expected a count of answers";
        for (unsigned i = 0; i < MGM111_FLAW_COUNT; i++)
                if (strcmp(args[0], mgm111_flaw_names[i]) == 0) {
                        mgm111_set_flaw(module_of(s), (enum mgm111_flaw) i, (unsigned) answers);
                        return NULL;
                }
        return "expected spike, all-ones, all-zero, no-power or duplicate, and how many answers";
}

static const char *command_reset(struct simulation *s, char **args) {
        (void) args;
        mgm111_reset(module_of(s));
        return NULL;
}

static bool parse_energy(struct simulation *s, const char *text, uint64_t *ret_counts) {
        const struct mgm111_options *o = &module_of(s)->options;
        int64_t mwh;

        if (decimal_parse(text, 6, &mwh) < 0 || mwh < 0 || mwh > ENERGY_MAX_MWH)
                return false;
        *ret_counts = (uint64_t) ((__int128) mwh * o->divisor / o->multiplier / 1000000);
        return true;
}

static const char *command_replace(struct simulation *s, char **args) {
        uint64_t import, export;

        if (!parse_energy(s, args[0], &import) || !parse_energy(s, args[1], &export))
                return "expected what the new meter shows: IMPORT_KWH EXPORT_KWH";
        mgm111_replace(module_of(s), import, export);
        return NULL;
}

static const char *command_notice(struct simulation *s, char **args) {
        int64_t code;

        if (decimal_parse(args[0], 0, &code) < 0 || code < 0 || code > UINT8_MAX)
                return "expected a code from 0 to 255";
        mgm111_notice(module_of(s), (uint8_t) code);
        vue_simulator_changed(vue_of(s)->simulator);
        return NULL;
}

static const char *command_ledger(struct simulation *s, char **args) {
        struct json_writer w;

        (void) args;
        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_object_begin(&w, "ledger");
        put_value(&w, Q_ENERGY_IMPORT, mgm111_ledger_import(module_of(s)));
        put_value(&w, Q_ENERGY_EXPORT, mgm111_ledger_export(module_of(s)));
        json_put_uint(&w, "readings", module_of(s)->readings);
        json_put_uint(&w, "forbidden", module_of(s)->forbidden);
        json_object_end(&w);
        json_object_end(&w);
        simulate_write_line(s);
        return NULL;
}

static const char *command_unplug(struct simulation *s, char **args) {
        const char *error;
        uint64_t ms;

        error = simulate_duration_of(args[0], &ms);
        if (!error)
                vue_simulator_unplug(vue_of(s)->simulator, ms);
        return error;
}

static const struct simulate_command commands[] = {
        { "state", 1, 1, command_state },
        { "power-cycle", 0, 0, command_power_cycle },
        { "set", 1, 1, command_set },
        { "auto", 0, 0, command_auto },
        { "loss", 1, 1, command_loss },
        { "flaw", 1, 2, command_flaw },
        { "reset", 0, 0, command_reset },
        { "replace", 2, 2, command_replace },
        { "e", 1, 1, command_notice },
        { "ledger", 0, 0, command_ledger },
        { "unplug", 1, 1, command_unplug },
        { NULL, 0, 0, NULL },
};

/* --- options ----------------------------------------------------------------------------------------------- */

static void print_help(void) {
        puts("Usage: metergate simulate vue [OPTIONS]\n"
             "\n"
             "The radio module of an Emporia Vue Utility Connect, and the utility's meter behind it, on a pseudo\n"
             "terminal. The first line on stdout is the terminal's path, followed by the link's; after that one\n"
             "JSON object per line.\n"
             "\n"
             "  --link PATH          also reachable through this symbolic link\n"
             "  --firmware N         2: the record of 152 bytes; 7: attributes; 8 (default): attributes, `e` frames\n"
             "                       and a console\n"
             "  --chatter LEVEL      log level of firmware 8's console at power-up: 0 (default): nothing, 10:\n"
             "                       prompts, 20: everything\n"
             "  --state STATE        reachable (default), out-of-reach, unprovisioned or silent\n"
             "  --no-export          the meter has no register for exported energy\n"
             "  --solar              panels on the roof: power changes its sign every few minutes\n"
             "  --loss PERCENT       readings that get lost on the radio\n"
             "  --multiplier N       of the meter's counts (default: 1)\n"
             "  --divisor N          of the meter's counts, in kWh (default: 1000)\n"
             "  --boot DURATION      from power to the first command it hears (default: 2s)\n"
             "  --seed N             for everything random\n"
             "  --expect             with each reading tell what the peer has to show from then on:\n"
             "                       {\"expect\":{\"power_w\":909,\"energy_import_kwh\":5858.944}}. A value that\n"
             "                       nobody should believe is left out; energies go on across resets and new\n"
             "                       meters\n"
             "  --verbose            a line for everything on the wire\n"
             "  --help               this text\n"
             "\n"
             "Commands on stdin, one per line, each acknowledged on stdout: state STATE, power-cycle, set POWER_W,\n"
             "auto, loss PERCENT, flaw spike|all-ones|all-zero|no-power|duplicate [ANSWERS], reset (the registers\n"
             "begin at zero after the next answer), replace IMPORT_KWH EXPORT_KWH (another meter does), e CODE,\n"
             "ledger (energy as of the last answer), unplug DURATION, quit.");
}

static bool take_number(int c, const char *name, const char *value, struct mgm111_options *o) {
        int64_t n = 0;

        switch (c) {
        case 'f':
                if (!simulate_parse_number(name, value, 1, 255, &n))
                        return false;
                o->firmware = (unsigned) n;
                return true;
        case 'c':
                if (!simulate_parse_number(name, value, 0, 255, &n))
                        return false;
                o->log_level = (unsigned) n;
                return true;
        case 'o':
                if (!simulate_parse_number(name, value, 0, 100, &n))
                        return false;
                o->loss_percent = (unsigned) n;
                return true;
        case 's':
                if (!simulate_parse_number(name, value, 0, INT64_MAX, &n))
                        return false;
                o->seed = (uint64_t) n;
                return true;
        default:
                if (!simulate_parse_number(name, value, 1, SCALE_MAX, &n))
                        return false;
                *(c == 'm' ? &o->multiplier : &o->divisor) = (uint32_t) n;
                return true;
        }
}

static bool take_state(const char *value, enum mgm111_state *ret) {
        for (unsigned i = 0; i < MGM111_STATE_COUNT; i++)
                if (strcmp(value, mgm111_state_names[i]) == 0) {
                        *ret = (enum mgm111_state) i;
                        return true;
                }
        log_error("simulate: --state: expected reachable, out-of-reach, unprovisioned or silent");
        return false;
}

static bool take_option(struct simulation *s, int c, const char *name, const char *value) {
        struct vue_simulator_options *o = &vue_of(s)->options;

        o->module.no_export |= c == 'n';
        o->solar |= c == 'S';
        s->expect |= c == 'e';
        s->verbose |= c == 'v';
        if (!value)
                return true;
        switch (c) {
        case 'l':
                o->link_path = value;
                return true;
        case 't':
                return take_state(value, &o->module.state);
        case 'b':
                return simulate_parse_duration(name, value, &o->module.boot_ms);
        default:
                return take_number(c, name, value, &o->module);
        }
}

static const struct option options[] = {
        { "link", required_argument, NULL, 'l' },       { "firmware", required_argument, NULL, 'f' },
        { "chatter", required_argument, NULL, 'c' },    { "state", required_argument, NULL, 't' },
        { "no-export", no_argument, NULL, 'n' },        { "solar", no_argument, NULL, 'S' },
        { "loss", required_argument, NULL, 'o' },       { "seed", required_argument, NULL, 's' },
        { "multiplier", required_argument, NULL, 'm' }, { "divisor", required_argument, NULL, 'd' },
        { "boot", required_argument, NULL, 'b' },       { "expect", no_argument, NULL, 'e' },
        { "verbose", no_argument, NULL, 'v' },          { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
};

/* --- life -------------------------------------------------------------------------------------------------- */

static int start(struct simulation *base) {
        struct vue_simulation *s = vue_of(base);
        char error[VUE_SIMULATOR_ERROR_MAX];
        int r;

        s->options.event = on_event;
        s->options.userdata = s;
        s->options.module.answered = on_answered;
        s->options.module.userdata = s;
        r = vue_simulator_new(base->event, &s->options, &s->simulator, error);
        if (r < 0)
                log_error("%s", error);
        else
                simulate_print_port(base, vue_simulator_port(s->simulator), s->options.link_path);
        return r;
}

int simulate_vue_main(int argc, char **argv) {
        struct vue_simulation s = { .base.commands = commands };
        int r = simulate_parse_options(argc, argv, options, &s.base, take_option);

        if (r == 1)
                print_help();
        if (r != 0)
                return r == 1 ? 0 : 2;
        r = simulate_run(&s.base, start);
        vue_simulator_free(s.simulator);
        simulate_end(&s.base);
        return r;
}
