#include "tools/simulate_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/units.h"
#include "tools/ndjson.h"

enum {
        WORDS_MAX = 64,
        SERIES_NAME_MAX = 32,
};

#define VALUE_MAX  INT64_C(2000000000)
#define ENERGY_MAX INT64_C(2000000000000000)

/* --- output ------------------------------------------------------------------------------------------------ */

void simulate_write_line(struct simulation *s) {
        int r = ndjson_write(&s->line);

        if (r == -EPIPE)
                sd_event_exit(s->event, 0);
        else if (r < 0)
                log_error("cannot write: %s", strerror(-r));
        buffer_clear(&s->line);
}

void simulate_on_event(void *userdata, const char *what, const uint8_t *data, size_t len) {
        struct simulation *s = userdata;
        bool is_port = strcmp(what, "port") == 0;
        struct json_writer w;

        if (!s->verbose && !is_port)
                return;
        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_put_string(&w, "event", what);
        if (is_port)
                json_put_string(&w, "port", simulator_port(s->simulator));
        if (len > 0)
                json_put_hex(&w, "hex", data, len);
        json_object_end(&w);
        simulate_write_line(s);
}

static void put_series(struct json_writer *w, const struct simulation *s, const struct measured *values,
                       unsigned channel) {
        const char *name = simulator_profile(s->simulator)->channels[channel];
        char key[CHANNEL_NAME_MAX + SERIES_NAME_MAX + 2];

        for (unsigned q = 0; q < Q_COUNT; q++) {
                if (!values->has[channel][q])
                        continue;
                snprintf(key, sizeof key, "%s%s%s", name, *name ? "." : "", quantity_catalogue[q].key);
                json_put_decimal(w, key, values->value[channel][q], quantity_catalogue[q].decimals);
        }
}

void simulate_on_expect(void *userdata, const struct measured *expected) {
        struct simulation *s = userdata;
        struct json_writer w;

        if (!s->expect)
                return;
        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_object_begin(&w, "expect");
        for (unsigned channel = 0; channel < CHANNELS_MAX; channel++)
                put_series(&w, s, expected, channel);
        json_object_end(&w);
        json_object_end(&w);
        simulate_write_line(s);
}

void simulate_on_answer(void *userdata, uint8_t command, struct span data) {
        struct simulation *s = userdata;
        struct json_writer w;

        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_object_begin(&w, "answer");
        json_put_uint(&w, "command", command);
        json_put_hex(&w, "data", data.data, data.len);
        json_object_end(&w);
        json_object_end(&w);
        simulate_write_line(s);
}

void simulate_on_ready(void *userdata) {
        struct simulation *s = userdata;

        for (unsigned i = 0; i < s->n_requests; i++)
                simulator_request(s->simulator, s->requests[i].command, s->requests[i].data, s->requests[i].len);
}

static void acknowledge(struct simulation *s, const char *error) {
        struct json_writer w;

        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_put_string(&w, "command", s->command);
        json_put_bool(&w, "ok", error == NULL);
        if (error)
                json_put_string(&w, "error", error);
        json_object_end(&w);
        simulate_write_line(s);
}

/* --- commands ---------------------------------------------------------------------------------------------- */

/* Each returns NULL, or what it expected. A NULL follows the last of args. */

static const char *command_restart(struct simulation *s, char **args) {
        (void) args;
        simulator_restart(s->simulator);
        return NULL;
}

static const char *with_duration(struct simulation *s, const char *text, void (*fn)(struct simulator *, uint64_t)) {
        uint64_t ms;

        if (units_parse_duration_ms(text, &ms) < 0 || ms > UINT32_MAX)
                return "expected a duration such as 10s";
        fn(s->simulator, ms);
        return NULL;
}

static const char *command_silence(struct simulation *s, char **args) {
        return with_duration(s, args[0], simulator_silence);
}

static const char *command_noise(struct simulation *s, char **args) {
        return with_duration(s, args[0], simulator_noise);
}

static const char *command_unplug(struct simulation *s, char **args) {
        return with_duration(s, args[0], simulator_unplug);
}

static const char *command_bad_checksums(struct simulation *s, char **args) {
        int64_t count;

        if (decimal_parse(args[0], 0, &count) < 0 || count < 0 || count > 1000000)
                return "expected a count of frames";
        simulator_spoil_checksums(s->simulator, (unsigned) count);
        return NULL;
}

static const char *command_product(struct simulation *s, char **args) {
        if (simulator_set_product(s->simulator, args[0]) < 0)
                return "expected a product key of 1 to 32 printable characters";
        return NULL;
}

static bool parse_quantity(const char *text, int64_t *ret) {
        return decimal_parse(text, 3, ret) >= 0 && llabs(*ret) <= VALUE_MAX;
}

/* "a.power_w" as a channel and a quantity of this meter. */
static bool find_series(const struct simulation *s, const char *name, unsigned *ret_channel,
                        enum quantity *ret_quantity) {
        const struct profile *p = simulator_profile(s->simulator);
        const char *dot = strchr(name, '.');
        size_t len = dot ? (size_t) (dot - name) : 0;
        enum quantity q = quantity_from_key(dot ? dot + 1 : name);

        for (unsigned i = 0; q != Q_NONE && i < p->n_channels; i++)
                if (strlen(p->channels[i]) == len && memcmp(p->channels[i], name, len) == 0 &&
                    simulator_series(s->simulator)->has[i][q]) {
                        *ret_channel = i;
                        *ret_quantity = q;
                        return true;
                }
        return false;
}

static bool is_energy(enum quantity quantity) {
        return quantity_catalogue[quantity].kind == QUANTITY_COUNTER;
}

static const char *set_series(struct simulation *s, char **args) {
        struct measured values = { 0 };
        enum quantity quantity;
        unsigned channel;
        int64_t value;
        char *equals;

        for (; *args; args++) {
                equals = strchr(*args, '=');
                if (!equals)
                        return "expected SERIES=VALUE, such as power_w=-120";
                *equals = '\0';
                if (!find_series(s, *args, &channel, &quantity))
                        return "the meter has no such series";
                if (decimal_parse(equals + 1, quantity_catalogue[quantity].decimals, &value) < 0 ||
                    llabs(value) > (is_energy(quantity) ? ENERGY_MAX : VALUE_MAX))
                        return "expected a number with no more decimals than the series has";
                measured_put(&values, channel, quantity, value);
        }
        simulator_set_values(s->simulator, &values);
        return NULL;
}

static const char *command_set(struct simulation *s, char **args) {
        struct load load;

        if (strchr(args[0], '='))
                return set_series(s, args);
        if (!args[1] || !args[2] || args[3] || !parse_quantity(args[0], &load.voltage_mv) ||
            !parse_quantity(args[1], &load.current_ma) || !parse_quantity(args[2], &load.power_mw))
                return "expected VOLTAGE_V CURRENT_A POWER_W, such as 230.1 0.5 110, or SERIES=VALUE ...";
        simulator_set_load(s->simulator, &load);
        return NULL;
}

static int hex_digit(char c) {
        const char *digits = "0123456789abcdef", *at = c ? strchr(digits, tolower((unsigned char) c)) : NULL;

        return at ? (int) (at - digits) : -1;
}

/* Whole bytes, appended. */
static bool parse_hex(const char *text, uint8_t *buf, size_t cap, size_t *len) {
        for (; *text; text += 2) {
                if (hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0 || *len == cap)
                        return false;
                buf[(*len)++] = (uint8_t) (hex_digit(text[0]) * 16 + hex_digit(text[1]));
        }
        return true;
}

bool simulate_parse_request(const char *command, const char *data, struct simulate_request *ret) {
        size_t len = 0;

        *ret = (struct simulate_request) { .len = 0 };
        return parse_hex(command, &ret->command, 1, &len) && len == 1 &&
               (!data || parse_hex(data, ret->data, sizeof ret->data, &ret->len));
}

static const char *command_request(struct simulation *s, char **args) {
        struct simulate_request request;
        bool good = simulate_parse_request(args[0], NULL, &request);

        for (args++; good && *args; args++)
                good = parse_hex(*args, request.data, sizeof request.data, &request.len);
        if (!good)
                return "expected a command and its data as hex, such as 1C or 34 03";
        simulator_request(s->simulator, request.command, request.data, request.len);
        return NULL;
}

static const char *command_auto(struct simulation *s, char **args) {
        (void) args;
        simulator_set_load(s->simulator, NULL);
        return NULL;
}

static const char *command_quit(struct simulation *s, char **args) {
        (void) args;
        sd_event_exit(s->event, 0);
        return NULL;
}

static const struct {
        const char *name;
        unsigned min_args, max_args;
        const char *(*run)(struct simulation *s, char **args);
} commands[] = {
        { "restart", 0, 0, command_restart },
        { "silence", 1, 1, command_silence },
        { "noise", 1, 1, command_noise },
        { "bad-checksums", 1, 1, command_bad_checksums },
        { "product", 1, 1, command_product },
        { "set", 1, WORDS_MAX, command_set },
        { "auto", 0, 0, command_auto },
        { "request", 1, WORDS_MAX, command_request },
        { "unplug", 1, 1, command_unplug },
        { "quit", 0, 0, command_quit },
};

/* A NULL follows the last word. */
static const char *run_words(struct simulation *s, char **words, unsigned n) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (strcmp(words[0], commands[i].name) == 0) {
                        if (n - 1 < commands[i].min_args || n - 1 > commands[i].max_args)
                                return "wrong number of words";
                        return commands[i].run(s, words + 1);
                }
        return "unknown command; expected restart, silence, noise, bad-checksums, product, set, auto, request, "
               "unplug or quit";
}

static void run_command(struct simulation *s) {
        char copy[SIMULATE_COMMAND_MAX], *rest = copy, *word, *words[WORDS_MAX + 1];
        unsigned n = 0;

        s->command[s->command_len] = '\0';
        if (s->too_long) {
                acknowledge(s, "line too long");
                return;
        }
        memcpy(copy, s->command, s->command_len + 1);
        while ((word = strsep(&rest, " \t\r")) && n < WORDS_MAX)
                if (*word)
                        words[n++] = word;
        words[n] = NULL;
        if (n > 0)
                acknowledge(s, run_words(s, words, n));
}

static void take_command_bytes(struct simulation *s, const char *bytes, size_t len) {
        for (size_t i = 0; i < len; i++) {
                if (bytes[i] == '\n') {
                        run_command(s);
                        s->command_len = 0;
                        s->too_long = false;
                } else if (s->command_len < sizeof s->command - 1) {
                        s->command[s->command_len++] = bytes[i];
                } else {
                        s->too_long = true;
                }
        }
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct simulation *s = userdata;
        char bytes[SIMULATE_COMMAND_MAX];
        ssize_t n = read(fd, bytes, sizeof bytes);

        (void) revents;
        if (n > 0)
                take_command_bytes(s, bytes, (size_t) n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

/* A file cannot be waited for and need not be: it is read at once. */
static void read_command_file(struct simulation *s) {
        char bytes[SIMULATE_COMMAND_MAX];
        ssize_t n;

        while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
                take_command_bytes(s, bytes, (size_t) n);
}

int simulate_watch_commands(struct simulation *s) {
        int r = sd_event_add_io(s->event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, s);

        if (r == -EPERM) {
                read_command_file(s);
                return 0;
        }
        return r == -EBADF ? 0 : r;
}
