#include "tools/simulator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tools/circuits.h"
#include "tools/household.h"
#include "tools/random.h"
#include "tools/terminal.h"
#include "tools/trace_file.h"

enum {
        NOISE_STEP_MS = 100,
        DEFAULT_PACE = 115200,
        TIMER_ACCURACY_US = 20000,
        READ_MAX = 512,
};

#define UNKNOWN_PRODUCT "simulated0000000"

struct simulator {
        struct simulator_options options;
        struct tuya_mcu mcu;
        struct trace *trace;            /* owned */
        sd_event *event;
        sd_event_source *timer;         /* owned */
        struct terminal terminal;       /* closed while it is unplugged */
        uint64_t random;
        uint64_t started_ms;
        uint64_t noise_until_ms, next_noise_ms;
        uint64_t replug_ms;             /* TUYA_MCU_NEVER: it is plugged in */
        bool fixed;                     /* load is what somebody set */
        bool was_ready;
        bool has_told;                  /* expected has been told */
        struct load load;
        struct circuits circuits;
        struct household household;
        struct measured series;         /* those that it has */
        struct measured expected;
};

static void tell(const struct simulator *s, const char *what, const void *data, size_t len) {
        if (s->options.event)
                s->options.event(s->options.userdata, what, data, len);
}

/* --- the line ---------------------------------------------------------------------------------------------- */

static unsigned baud_of(speed_t speed) {
        static const struct { speed_t code; unsigned baud; } speeds[] = {
                { B1200, 1200 }, { B2400, 2400 }, { B4800, 4800 }, { B9600, 9600 }, { B19200, 19200 },
                { B38400, 38400 }, { B57600, 57600 }, { B115200, 115200 }, { B230400, 230400 }, { B460800, 460800 },
                { B921600, 921600 },
        };

        for (size_t i = 0; i < ELEMENTS(speeds); i++)
                if (speeds[i].code == speed)
                        return speeds[i].baud;
        return 0;
}

static bool speed_fits(const struct simulator *s) {
        struct termios t;

        if (s->options.baud == 0)
                return true;
        return tcgetattr(s->terminal.master, &t) == 0 && baud_of(cfgetospeed(&t)) == s->options.baud;
}

static void fill_randomly(struct simulator *s, uint8_t *buf, size_t len) {
        for (size_t i = 0; i < len; i++)
                buf[i] = (uint8_t) random_below(&s->random, 256);
}

static void send_bytes(struct simulator *s, const uint8_t *data, size_t len) {
        if (terminal_write(&s->terminal, data, len))
                tell(s, "tx", data, len);
}

/* Everything that has come up, in one write. */
static void flush_output(struct simulator *s, uint64_t now_ms) {
        uint8_t buf[TUYA_MCU_OUTPUT_MAX];
        size_t len = tuya_mcu_output(&s->mcu, buf);

        if (now_ms < s->noise_until_ms)
                return;
        if (len > 0 && !speed_fits(s))
                fill_randomly(s, buf, len);
        send_bytes(s, buf, len);
}

/* --- time -------------------------------------------------------------------------------------------------- */

static void follow_clock(struct simulator *s) {
        struct household_moment moment;
        struct timespec ts;
        int64_t utc_ms;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &ts);
        utc_ms = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
        if (s->options.household) {
                household_at(&s->household, utc_ms, &moment);
                s->load = moment.house;
                return;
        }
        if (!localtime_r(&ts.tv_sec, &tm))
                tm.tm_gmtoff = 0;
        load_curve_at(s->options.mcu.seed, utc_ms + tm.tm_gmtoff * 1000, &s->load);
}

static void follow_load(struct simulator *s, uint64_t now_ms) {
        unsigned speed = s->options.speed > 0 ? s->options.speed : 1;
        char error[TRACE_ERROR_MAX];

        if (!s->fixed && s->trace && trace_at(s->trace, (now_ms - s->started_ms) * speed, &s->load, error) < 0) {
                log_error("%s", error);
                s->trace = trace_free(s->trace);
                s->fixed = true;  /* what was there last stays */
        } else if (!s->fixed && !s->trace) {
                follow_clock(s);
        }
}

/* The series that it has, with their values. */
static void take_values(struct simulator *s, struct measured *ret) {
        *ret = s->series;
        for (unsigned channel = 0; channel < CHANNELS_MAX; channel++)
                for (unsigned quantity = 0; quantity < Q_COUNT; quantity++)
                        if (ret->has[channel][quantity])
                                ret->value[channel][quantity] = s->circuits.now.value[channel][quantity];
}

static void tell_expected(struct simulator *s, const struct measured *expected) {
        if (!s->fixed || !s->options.expect)
                return;
        if (s->has_told && memcmp(&s->expected, expected, sizeof *expected) == 0)
                return;
        s->expected = *expected;
        s->has_told = true;
        s->options.expect(s->options.userdata, expected);
}

static void update_load(struct simulator *s, uint64_t now_ms) {
        struct tuya_points points;
        struct measured values;

        follow_load(s, now_ms);
        circuits_update(&s->circuits, now_ms, &s->load);
        take_values(s, &values);
        tuya_points_round(s->options.profile, s->options.phase_form, &values);
        tuya_points_put(s->options.profile, s->options.phase_form, &values, &points);
        tuya_mcu_set_load(&s->mcu, &points);
        tell_expected(s, &values);
}

static void tell_ready(struct simulator *s) {
        if (s->was_ready || !s->mcu.measured)
                return;
        s->was_ready = true;
        if (s->options.ready)
                s->options.ready(s->options.userdata);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

static int arm(struct simulator *s, uint64_t now_ms) {
        uint64_t next_ms = earlier(tuya_mcu_deadline(&s->mcu), s->replug_ms);
        int r;

        if (now_ms < s->noise_until_ms)
                next_ms = earlier(next_ms, s->next_noise_ms);
        if (next_ms == TUYA_MCU_NEVER)
                return sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
        r = sd_event_source_set_time(s->timer, next_ms * 1000);
        return r < 0 ? r : sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void send_noise(struct simulator *s, uint64_t now_ms) {
        unsigned pace = s->options.baud > 0 ? s->options.baud : DEFAULT_PACE;
        uint8_t buf[4096];
        size_t len = pace / 10 * NOISE_STEP_MS / 1000;

        if (now_ms >= s->noise_until_ms || now_ms < s->next_noise_ms)
                return;
        len = len < sizeof buf ? len : sizeof buf;
        fill_randomly(s, buf, len);
        send_bytes(s, buf, len);
        s->next_noise_ms = now_ms + NOISE_STEP_MS;
}

static void replug(struct simulator *s, uint64_t now_ms) {
        if (now_ms < s->replug_ms)
                return;
        s->replug_ms = TUYA_MCU_NEVER;
        if (terminal_reopen(&s->terminal))
                tell(s, "port", NULL, 0);
}

static int run(struct simulator *s) {
        uint64_t now_ms = clock_now_ms();

        replug(s, now_ms);
        update_load(s, now_ms);
        tuya_mcu_run(&s->mcu, now_ms);
        tell_ready(s);
        send_noise(s, now_ms);
        flush_output(s, now_ms);
        terminal_readmit(&s->terminal);
        return arm(s, now_ms);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        return run(userdata);
}

/* At the wrong speed a byte arrives as some other one, and as much comes back. */
static void take_input(struct simulator *s, uint64_t now_ms, const uint8_t *data, size_t len) {
        uint8_t garbage[READ_MAX];

        tell(s, "rx", data, len);
        if (speed_fits(s)) {
                tuya_mcu_input(&s->mcu, now_ms, data, len);
                return;
        }
        fill_randomly(s, garbage, len);
        send_bytes(s, garbage, len);
}

static void again(struct simulator *s, uint64_t now_ms) {
        int r = arm(s, now_ms);

        if (r < 0)
                log_error("simulator: %s", strerror(-r));
}

static void on_received(void *userdata, const uint8_t *data, size_t len) {
        struct simulator *s = userdata;
        uint64_t now_ms = clock_now_ms();

        take_input(s, now_ms, data, len);
        flush_output(s, now_ms);
        again(s, now_ms);
}

/* --- what can be told to it -------------------------------------------------------------------------------- */

void simulator_restart(struct simulator *s) {
        tuya_mcu_restart(&s->mcu, clock_now_ms());
        again(s, clock_now_ms());
}

void simulator_silence(struct simulator *s, uint64_t duration_ms) {
        tuya_mcu_silence(&s->mcu, clock_now_ms() + duration_ms);
        again(s, clock_now_ms());
}

void simulator_noise(struct simulator *s, uint64_t duration_ms) {
        uint64_t now_ms = clock_now_ms();

        s->noise_until_ms = now_ms + duration_ms;
        s->next_noise_ms = now_ms;
        again(s, clock_now_ms());
}

void simulator_spoil_checksums(struct simulator *s, unsigned count) {
        tuya_mcu_spoil_checksums(&s->mcu, count);
}

int simulator_set_product(struct simulator *s, const char *key) {
        int r = tuya_mcu_set_product(&s->mcu, key, clock_now_ms());

        again(s, clock_now_ms());
        return r;
}

/* Told anew in any case, so that whoever asked has an answer to wait for. */
static void change_load(struct simulator *s, bool fixed) {
        s->fixed = fixed;
        s->has_told = false;
        update_load(s, clock_now_ms());
}

void simulator_set_load(struct simulator *s, const struct load *load) {
        circuits_free(&s->circuits);
        if (load)
                s->load = *load;
        change_load(s, load != NULL);
}

void simulator_set_values(struct simulator *s, const struct measured *values) {
        for (unsigned channel = 0; channel < CHANNELS_MAX; channel++)
                for (unsigned quantity = 0; quantity < Q_COUNT; quantity++)
                        if (values->has[channel][quantity])
                                circuits_fix(&s->circuits, channel, quantity, values->value[channel][quantity]);
        change_load(s, true);
}

void simulator_request(struct simulator *s, uint8_t command, const uint8_t *data, size_t len) {
        uint64_t now_ms = clock_now_ms();

        tuya_mcu_request(&s->mcu, now_ms, command, data, len);
        flush_output(s, now_ms);
        again(s, clock_now_ms());
}

void simulator_unplug(struct simulator *s, uint64_t duration_ms) {
        uint64_t now_ms = clock_now_ms();

        terminal_close(&s->terminal);
        tuya_mcu_restart(&s->mcu, now_ms + duration_ms);
        s->replug_ms = now_ms + duration_ms;
        tell(s, "unplugged", NULL, 0);
        again(s, clock_now_ms());
}

/* --- life -------------------------------------------------------------------------------------------------- */

const char *simulator_port(const struct simulator *s) {
        return s->terminal.path;
}

const struct profile *simulator_profile(const struct simulator *s) {
        return s->options.profile;
}

const struct measured *simulator_series(const struct simulator *s) {
        return &s->series;
}

/* What it is when nobody said it. */
static void fill_options(struct simulator_options *o) {
        if (!o->profile)
                o->profile = &pj_mgw1103_captured;
        if (!o->mcu.product_key && o->profile->n_product_keys > 0)
                o->mcu.product_key = o->profile->product_keys[0];
        if (!o->mcu.product_key)
                o->mcu.product_key = UNKNOWN_PRODUCT;
}

static int start(struct simulator *s, char *error) {
        char trace_error[TRACE_ERROR_MAX];
        int r;

        if (s->options.trace_path) {
                r = trace_open(s->options.trace_path, s->options.loop, &s->trace, trace_error);
                if (r < 0) {
                        snprintf(error, SIMULATOR_ERROR_MAX, "%s", trace_error);
                        return r;
                }
        }
        r = sd_event_add_time(s->event, &s->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US, on_timer, s);
        if (r >= 0)
                r = terminal_open(&s->terminal);
        if (r >= 0)
                r = run(s);
        if (r < 0)
                snprintf(error, SIMULATOR_ERROR_MAX, "cannot make a simulated port%s%.200s: %s",
                         s->options.link_path ? " at " : "", s->options.link_path ? s->options.link_path : "",
                         strerror(-r));
        return r;
}

int simulator_new(sd_event *event, const struct simulator_options *options, struct simulator **ret, char *error) {
        CLEANUP(simulator_freep) struct simulator *s = calloc(1, sizeof *s);
        uint64_t now_ms = clock_now_ms();
        int r;

        snprintf(error, SIMULATOR_ERROR_MAX, "out of memory");
        if (!s)
                return -ENOMEM;
        s->options = *options;
        fill_options(&s->options);
        s->event = sd_event_ref(event);
        terminal_init(&s->terminal, event, options->link_path, on_received, s);
        s->random = random_seed(options->mcu.seed + 1);
        s->started_ms = now_ms;
        s->replug_ms = TUYA_MCU_NEVER;
        tuya_points_has(s->options.profile, options->phase_form, &s->series);
        household_init(&s->household, options->mcu.seed);
        circuits_init(&s->circuits, s->options.profile->n_channels, options->mcu.seed);
        tuya_mcu_init(&s->mcu, &s->options.mcu, now_ms);
        if (tuya_mcu_set_product(&s->mcu, s->options.mcu.product_key, now_ms) < 0) {
                snprintf(error, SIMULATOR_ERROR_MAX,
                         "product key: expected 1 to %d printable characters without quotes", TUYA_MCU_KEY_MAX);
                return -EINVAL;
        }
        r = start(s, error);
        if (r < 0)
                return r;
        *ret = TAKE(s);
        return 0;
}

struct simulator *simulator_free(struct simulator *s) {
        if (!s)
                return NULL;
        terminal_close(&s->terminal);
        sd_event_source_disable_unref(s->timer);
        sd_event_unref(s->event);
        trace_free(s->trace);
        free(s);
        return NULL;
}
