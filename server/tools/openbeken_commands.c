/* The commands of a script. Each is read for what it says about the meter. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "config/schema.h"
#include "config/yaml_text.h"
#include "tools/openbeken_parts.h"

#define MULT_PLACES 12

struct command {
        const char *name;
        unsigned min_words;       /* with its name */
        const char *arguments;    /* for the message */
        void (*run)(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth);
};

/* "COMMAND: ARGUMENT "abc" is not FORM, skipped". */
static bool read_argument(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned i,
                          const char *argument, int64_t min, int64_t max, int64_t *ret) {
        if (openbeken_integer(w->word[i], min, max, ret) == 0)
                return true;
        openbeken_note(o, line, "%.40s: %s \"%.40s\" is not a number from %lld to %lld, skipped", w->word[0],
                       argument, w->word[i], (long long) min, (long long) max);
        return false;
}

/* Stays valid UTF-8 when it is cut. */
static void keep_text(char *to, size_t size, const char *text) {
        struct buffer clean;

        buffer_init(&clean, 4 * OPENBEKEN_LINE_MAX);
        yaml_put_remark(&clean, text, strlen(text));
        snprintf(to, size, "%s", clean.data ? clean.data : "");
        for (size_t n = strlen(to); n > 0 && !yaml_text_fits(to); n--)
                to[n - 1] = 0;
        buffer_free(&clean);
}

/* How the module itself is set up: nothing about the meter. "led_*" is all that begin so; at most 64. */
enum { OTHER_DRIVERS };
static const char *const ignored[] = {
        [OTHER_DRIVERS] = "drivers other than TuyaMCU", "stopDriver", "setChannel", "setStartValue",
        "setChannelVisible", "setChannelPrivate", "tuyaMcu_setDimmerRange", "setFlag", "flags", "powersave", "clearIO",
        "echo", "setPinRole", "setPinChannel", "shortName", "friendlyName", "scheduleHADiscovery", "SSID1", "Password1",
        "setButton*", "led_*", "ntp_*", "mqtt*", "toggler_*",
};

static bool ignore(struct openbeken *o, const char *name) {
        for (size_t i = 0; i < ELEMENTS(ignored); i++) {
                size_t len = strcspn(ignored[i], "*");

                if (strncasecmp(name, ignored[i], len) != 0 || (!ignored[i][len] && name[len]))
                        continue;
                o->ignored |= UINT64_C(1) << i;
                return true;
        }
        return false;
}

void openbeken_note_ignored(struct openbeken *o) {
        char text[OPENBEKEN_NOTE_MAX] = "";
        size_t len = 0;

        for (size_t i = 0; i < ELEMENTS(ignored) && len < sizeof text; i++)
                if (o->ignored & UINT64_C(1) << i)
                        len += (size_t) snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? ", " : "",
                                                 ignored[i]);
        if (len > 0)
                openbeken_note(o, 0, "ignored, since they set up the module alone: %s", text);
}

static void start_driver(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        (void) depth;
        if (strcasecmp(w->word[1], "tmSensor") == 0)
                openbeken_note(o, line, "tmSensor: a device with a battery; it reports when it wakes up");
        else if (strcasecmp(w->word[1], "TuyaMCU") != 0)
                o->ignored |= UINT64_C(1) << OTHER_DRIVERS;
}

static void set_baud(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        int64_t baud = 0;

        (void) depth;
        if (openbeken_integer(w->word[1], 0, INT32_MAX, &baud) < 0 || !schema_is_baud(baud))
                openbeken_note(o, line, "%.40s: \"%.40s\" is not a usual speed, skipped", w->word[0], w->word[1]);
        else
                o->baud = (uint32_t) baud;
}

static void set_wifi_state(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        int64_t state = 0;

        (void) depth;
        if (read_argument(o, line, w, 1, "state", 0, 6, &state) && state != 4)
                openbeken_note(o, line, "%.40s %d: the gateway says 4, connected", w->word[0], (int) state);
}

static void wait_for(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        (void) depth;
        /* The usual replacement of defWiFiState 4. */
        if (w->n < 3 || strcasecmp(w->word[1], "MQTTState") != 0 || strcmp(w->word[2], "1") != 0)
                openbeken_note(o, line, "waitFor is logic, skipped");
}

/* What a command sends, whatever aliases and backlogs it stands in: the question for all values counts most. */
static enum openbeken_request find_request(struct openbeken *o, unsigned line, const char *text, size_t len,
                                           unsigned depth) {
        enum openbeken_request found = OPENBEKEN_NO_REQUEST;
        struct openbeken_alias *alias;
        struct openbeken_words w;
        const char *at, *end, *part = NULL;
        size_t part_len = 0;

        if (depth > OPENBEKEN_DEPTH_MAX || o->n_commands++ >= OPENBEKEN_COMMANDS_MAX ||
            openbeken_split(text, len, &w) < 0 || w.n == 0)
                return found;
        alias = openbeken_find_alias(o, w.word[0]);
        if (alias) {
                alias->used = true;
                return find_request(o, line, alias->text, strlen(alias->text), depth + 1);
        }
        if (strcasecmp(w.word[0], "backlog") != 0 || w.n < 2)
                return openbeken_request(o, line, &w);
        at = w.rest[1];
        end = at + strlen(at);
        while (openbeken_next_part(&at, end, &part, &part_len)) {
                enum openbeken_request one = find_request(o, line, part, part_len, depth + 1);

                if (found == OPENBEKEN_NO_REQUEST || one == OPENBEKEN_QUERY)
                        found = one;
        }
        return found;
}

/* "10 -1 COMMAND...", from word 1 on; the command stands at word i. */
static void repeat(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned i, unsigned depth) {
        const char *text = openbeken_text_from(w, i);
        enum openbeken_request request;
        int64_t count = 0, ms = 0;

        if (decimal_parse(w->word[1], 3, &ms) < 0 || ms <= 0 || ms > UINT32_MAX) {
                openbeken_note(o, line, "%.40s: interval \"%.40s\" is not a number of seconds, skipped", w->word[0],
                               w->word[1]);
                return;
        }
        if (!read_argument(o, line, w, 2, "count", -1, INT32_MAX, &count))
                return;
        request = find_request(o, line, text, strlen(text), depth + 1);
        if (request == OPENBEKEN_NO_REQUEST)
                openbeken_note(o, line, "%.40s of \"%.40s\" is logic, skipped", w->word[0], text);
        else if (request == OPENBEKEN_QUERY && count != -1)
                openbeken_note(o, line, "asks %lld times only: no poll period comes from it", (long long) count);
        else if (request == OPENBEKEN_QUERY && (o->poll_ms == 0 || ms < o->poll_ms))
                o->poll_ms = (uint32_t) ms;
}

static void add_repeating(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        repeat(o, line, w, 3, depth);
}

/* The same with a number of its own in front of the command. */
static void add_repeating_id(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        repeat(o, line, w, 4, depth);
}

static void request(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        (void) depth;
        openbeken_request(o, line, w);
}

/* Of mult, 1 where there is none. atof() takes ".1". */
static bool read_mult(struct openbeken *o, unsigned line, const struct openbeken_words *w, int64_t *ret) {
        char text[32];
        const char *word = w->n > 5 ? w->word[5] : "1";
        bool negative = word[0] == '-';

        snprintf(text, sizeof text, "%s%s%s", negative ? "-" : "", word[negative] == '.' ? "0" : "", word + negative);
        if (decimal_parse(text, MULT_PLACES, ret) == 0 && *ret != 0 && *ret != INT64_MIN)
                return true;
        openbeken_note(o, line, "%.40s: mult \"%.40s\" is not a factor, skipped", w->word[0], word);
        return false;
}

static bool is_zero(const char *word) {
        return word[0] && word[strspn(word, "-+0.")] == 0;
}

static bool read_link(struct openbeken *o, unsigned line, const struct openbeken_words *w, struct openbeken_link *l) {
        int64_t channel = -1, flags = 0, inverse = 0;

        l->type = openbeken_find_wire_type(w->word[2]);
        if (!l->type) {
                openbeken_note(o, line, "%.40s: there is no type \"%.40s\": taken for val", w->word[0], w->word[2]);
                l->type = openbeken_find_wire_type("val");
        }
        if (w->n > 3 && strcmp(w->word[3], "-999") != 0 &&
            !read_argument(o, line, w, 3, "channel", 0, OPENBEKEN_CHANNELS - 1, &channel))
                return false;
        l->channel = (int) channel;
        if (w->n > 4 && !read_argument(o, line, w, 4, "flags", 0, UINT8_MAX, &flags))
                return false;
        if (!read_mult(o, line, w, &l->mult))
                return false;
        if (w->n > 6 && !read_argument(o, line, w, 6, "inverse", 0, UINT8_MAX, &inverse))
                return false;
        l->inverse = inverse != 0;
        for (unsigned i = 7; i < w->n && i < 10; i++)
                l->has_delta |= !is_zero(w->word[i]);
        return true;
}

static void link_datapoint(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        struct openbeken_link l = { .line = line };
        int64_t id = 0;

        (void) depth;
        if (!read_argument(o, line, w, 1, "dp", 1, 255, &id) || !read_link(o, line, w, &l))
                return;
        if (o->links[id].line)
                openbeken_note(o, o->links[id].line, "dp %d is linked again in line %u, which counts", (int) id,
                               line);
        l.order = ++o->n_links;
        o->links[id] = l;
}

static void set_channel_type(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        int64_t channel = 0;

        (void) depth;
        if (!read_argument(o, line, w, 1, "channel", 0, OPENBEKEN_CHANNELS - 1, &channel))
                return;
        o->channels[channel].type = openbeken_find_channel_type(w->word[2]);
        o->channels[channel].type_line = line;
        if (!o->channels[channel].type)
                openbeken_note(o, line, "%.40s: there is no channel type \"%.40s\", skipped", w->word[0], w->word[2]);
}

static void set_channel_label(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        int64_t channel = 0;

        (void) depth;
        if (read_argument(o, line, w, 1, "channel", 0, OPENBEKEN_CHANNELS - 1, &channel))
                keep_text(o->channels[channel].label, sizeof o->channels[channel].label, openbeken_text_from(w, 2));
}

static void set_channel_enum(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        char text[OPENBEKEN_LINE_MAX * 2] = "";
        int64_t channel = 0, n = 0;
        size_t len = 0;

        (void) depth;
        if (!read_argument(o, line, w, 1, "channel", 0, OPENBEKEN_CHANNELS - 1, &channel))
                return;
        for (unsigned i = 2; i < w->n; i++) {
                char number[16];
                size_t digits = strcspn(w->word[i], ":");

                snprintf(number, sizeof number, "%.*s", (int) (digits < 15 ? digits : 15), w->word[i]);
                if (w->word[i][digits] != ':' || openbeken_integer(number, INT32_MIN, UINT32_MAX, &n) < 0) {
                        openbeken_note(o, line, "%.40s: \"%.40s\" is not NUMBER:NAME, skipped", w->word[0],
                                       w->word[i]);
                        continue;
                }
                len += (size_t) snprintf(text + len, sizeof text - len, "%s%lld = %.60s", len > 0 ? ", " : "",
                                         (long long) n, w->word[i] + digits + 1);
                if (len >= sizeof text)
                        break;
        }
        keep_text(o->channels[channel].values, sizeof o->channels[channel].values, text);
}

static void add_alias(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        struct openbeken_alias *a = openbeken_find_alias(o, w->word[1]);

        (void) depth;
        if (!a) {
                if (o->n_aliases == OPENBEKEN_ALIASES_MAX || strlen(w->word[1]) >= sizeof a->name) {
                        openbeken_note(o, line, "alias \"%.40s\": too long, or more than %d, skipped", w->word[1],
                                       OPENBEKEN_ALIASES_MAX);
                        return;
                }
                a = &o->aliases[o->n_aliases++];
        }
        *a = (struct openbeken_alias) { .line = line };
        strcpy(a->name, w->word[1]);
        strcpy(a->text, openbeken_text_from(w, 2));
}

static void backlog(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        const char *at = w->rest[1], *end = at + strlen(at), *part = NULL;
        size_t len = 0;

        while (openbeken_next_part(&at, end, &part, &len))
                openbeken_run(o, line, part, len, depth + 1);
}

static void add_logic(struct openbeken *o, unsigned line, const char *said, const char *command) {
        struct openbeken_logic *l;

        if (o->n_logic == OPENBEKEN_LOGIC_MAX || strlen(command) >= sizeof l->command) {
                openbeken_note(o, line, "%.40s is logic, skipped", said);
                return;
        }
        l = &o->logic[o->n_logic++];
        l->line = line;
        strcpy(l->command, command);
        snprintf(l->said, sizeof l->said, "%s", said);
}

/* "addEventHandler OnChannelChange 3 COMMAND": the last word may be the alias of something we understand. */
static void handler(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        (void) depth;
        for (unsigned i = 2; i < w->n; i++)
                if (strcasecmp(w->word[i], "if") == 0 && openbeken_find_sign(o, line, w->rest[i]))
                        return;
        add_logic(o, line, w->word[0], w->word[w->n - 1]);
}

static void condition(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        (void) depth;
        if (!openbeken_find_sign(o, line, w->rest[0]))
                openbeken_note(o, line, "%.40s is logic, skipped", w->word[0]);
}

static void logic(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        (void) depth;
        openbeken_note(o, line, "%.40s is logic, skipped", w->word[0]);
}

static const struct command commands[] = {
        { "startDriver", 2, "the name of a driver", start_driver },
        { "tuyaMcu_setBaudRate", 2, "a speed", set_baud },
        { "tuyaMcu_defWiFiState", 2, "a state", set_wifi_state },
        { "waitFor", 1, NULL, wait_for },
        { "addRepeatingEvent", 4, "seconds, a count and a command", add_repeating },
        { "addRepeatingEventID", 5, "seconds, a count, a number and a command", add_repeating_id },
        { "tuyaMcu_sendQueryState", 1, NULL, request },
        { "uartSendHex", 1, NULL, request },
        { "tuyaMcu_sendCmd", 1, NULL, request },
        { "tuyaMcu_sendState", 1, NULL, request },
        { "tuyaMcu_sendRSSI", 1, NULL, request },
        { "tuyaMcu_sendCurTime", 1, NULL, request },
        { "linkTuyaMCUOutputToChannel", 3, "a datapoint and a type", link_datapoint },
        { "setChannelType", 3, "a channel and a type", set_channel_type },
        { "setChannelLabel", 3, "a channel and a text", set_channel_label },
        { "setChannelEnum", 3, "a channel and NUMBER:NAME", set_channel_enum },
        { "alias", 3, "a name and a command", add_alias },
        { "backlog", 2, "commands", backlog },
        { "addEventHandler", 3, "an event and a command", handler },
        { "addChangeHandler", 3, "a variable and a command", handler },
        { "if", 1, NULL, condition },
        { "delay_s", 1, NULL, logic },
        { "delay_ms", 1, NULL, logic },
        { "publish", 1, NULL, logic },
        { "goto", 1, NULL, logic },
        { "return", 1, NULL, logic },
        { "addClockEvent", 1, NULL, logic },
        { "startScript", 1, NULL, logic },
        { "stopScript", 1, NULL, logic },
        { "exec", 1, NULL, logic },
};

static const struct command *find_command(const char *name) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (strcasecmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

struct openbeken_alias *openbeken_find_alias(struct openbeken *o, const char *name) {
        for (unsigned i = 0; i < o->n_aliases; i++)
                if (strcasecmp(o->aliases[i].name, name) == 0)
                        return &o->aliases[i];
        return NULL;
}

static void run_words(struct openbeken *o, unsigned line, const struct openbeken_words *w, unsigned depth) {
        const struct command *c = find_command(w->word[0]);
        struct openbeken_alias *alias = c ? NULL : openbeken_find_alias(o, w->word[0]);

        if (c && w->n < c->min_words) {
                openbeken_note(o, line, "%s: takes %s, skipped", c->name, c->arguments);
        } else if (c) {
                c->run(o, line, w, depth);
        } else if (alias) {
                alias->used = true;
                openbeken_run(o, line, alias->text, strlen(alias->text), depth + 1);
        } else if (w->word[0][0] && w->word[0][strlen(w->word[0]) - 1] == ':') {
                openbeken_note(o, line, "%.40s is logic, skipped", w->word[0]);
        } else if (!ignore(o, w->word[0])) {
                openbeken_note(o, line, "unknown command '%.40s', skipped", w->word[0]);
        }
}

void openbeken_run(struct openbeken *o, unsigned line, const char *text, size_t len, unsigned depth) {
        struct openbeken_words *w;

        if (depth > OPENBEKEN_DEPTH_MAX) {
                openbeken_note(o, line, "more than %d aliases and backlogs inside each other, skipped",
                               OPENBEKEN_DEPTH_MAX);
                return;
        }
        if (o->n_commands++ >= OPENBEKEN_COMMANDS_MAX) {
                if (o->n_commands == OPENBEKEN_COMMANDS_MAX + 1)
                        openbeken_note(o, line, "more than %d commands: the rest is skipped", OPENBEKEN_COMMANDS_MAX);
                return;
        }
        w = malloc(sizeof *w);
        if (!w) {
                o->failed = true;
                return;
        }
        if (openbeken_split(text, len, w) < 0)
                openbeken_note(o, line, "longer than %d bytes, skipped", OPENBEKEN_LINE_MAX);
        else if (w->n > 0)
                run_words(o, line, w, depth);
        free(w);
}
