#include "tools/simulate_tuyamcu.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/json_writer.h"

enum { SERIES_NAME_MAX = 32 };

#define VALUE_MAX  INT64_C(2000000000)
#define ENERGY_MAX INT64_C(2000000000000000)

/* --- output ------------------------------------------------------------------------------------------------ */

void simulate_on_event(void *userdata, const char *what, const uint8_t *data, size_t len) {
        struct tuyamcu_simulation *s = userdata;

        simulate_put_event(&s->base, what, s->simulator ? simulator_port(s->simulator) : "", data, len);
}

static void put_series(struct json_writer *w, const struct tuyamcu_simulation *s, const struct measured *values,
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
        struct tuyamcu_simulation *s = userdata;
        struct json_writer w;

        if (!s->base.expect)
                return;
        json_begin(&w, &s->base.line);
        json_object_begin(&w, NULL);
        json_object_begin(&w, "expect");
        for (unsigned channel = 0; channel < CHANNELS_MAX; channel++)
                put_series(&w, s, expected, channel);
        json_object_end(&w);
        json_object_end(&w);
        simulate_write_line(&s->base);
}

void simulate_on_answer(void *userdata, uint8_t command, struct span data) {
        struct tuyamcu_simulation *s = userdata;
        struct json_writer w;

        json_begin(&w, &s->base.line);
        json_object_begin(&w, NULL);
        json_object_begin(&w, "answer");
        json_put_uint(&w, "command", command);
        json_put_hex(&w, "data", data.data, data.len);
        json_object_end(&w);
        json_object_end(&w);
        simulate_write_line(&s->base);
}

void simulate_on_ready(void *userdata) {
        struct tuyamcu_simulation *s = userdata;

        for (unsigned i = 0; i < s->n_requests; i++)
                simulator_request(s->simulator, s->requests[i].command, s->requests[i].data, s->requests[i].len);
}

/* --- commands ---------------------------------------------------------------------------------------------- */

static const char *command_restart(struct simulation *s, char **args) {
        (void) args;
        simulator_restart(tuyamcu_of(s)->simulator);
        return NULL;
}

static const char *with_duration(struct simulation *s, const char *text, void (*fn)(struct simulator *, uint64_t)) {
        const char *error;
        uint64_t ms;

        error = simulate_duration_of(text, &ms);
        if (!error)
                fn(tuyamcu_of(s)->simulator, ms);
        return error;
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
        simulator_spoil_checksums(tuyamcu_of(s)->simulator, (unsigned) count);
        return NULL;
}

static const char *command_product(struct simulation *s, char **args) {
        if (simulator_set_product(tuyamcu_of(s)->simulator, args[0]) < 0)
                return "expected a product key of 1 to 32 printable characters";
        return NULL;
}

static bool parse_quantity(const char *text, int64_t *ret) {
        return decimal_parse(text, 3, ret) >= 0 && llabs(*ret) <= VALUE_MAX;
}

/* "a.power_w" as a channel and a quantity of this meter. */
static bool find_series(const struct tuyamcu_simulation *s, const char *name, unsigned *ret_channel,
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
                if (!find_series(tuyamcu_of(s), *args, &channel, &quantity))
                        return "the meter has no such series";
                if (decimal_parse(equals + 1, quantity_catalogue[quantity].decimals, &value) < 0 ||
                    llabs(value) > (is_energy(quantity) ? ENERGY_MAX : VALUE_MAX))
                        return "expected a number with no more decimals than the series has";
                measured_put(&values, channel, quantity, value);
        }
        simulator_set_values(tuyamcu_of(s)->simulator, &values);
        return NULL;
}

static const char *command_set(struct simulation *s, char **args) {
        struct load load;

        if (strchr(args[0], '='))
                return set_series(s, args);
        if (!args[1] || !args[2] || args[3] || !parse_quantity(args[0], &load.voltage_mv) ||
            !parse_quantity(args[1], &load.current_ma) || !parse_quantity(args[2], &load.power_mw))
                return "expected VOLTAGE_V CURRENT_A POWER_W, such as 230.1 0.5 110, or SERIES=VALUE ...";
        simulator_set_load(tuyamcu_of(s)->simulator, &load);
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
        simulator_request(tuyamcu_of(s)->simulator, request.command, request.data, request.len);
        return NULL;
}

static const char *command_auto(struct simulation *s, char **args) {
        (void) args;
        simulator_set_load(tuyamcu_of(s)->simulator, NULL);
        return NULL;
}

const struct simulate_command simulate_tuyamcu_commands[] = {
        { "restart", 0, 0, command_restart },
        { "silence", 1, 1, command_silence },
        { "noise", 1, 1, command_noise },
        { "bad-checksums", 1, 1, command_bad_checksums },
        { "product", 1, 1, command_product },
        { "set", 1, SIMULATE_WORDS_MAX, command_set },
        { "auto", 0, 0, command_auto },
        { "request", 1, SIMULATE_WORDS_MAX, command_request },
        { "unplug", 1, 1, command_unplug },
        { NULL, 0, 0, NULL },
};
