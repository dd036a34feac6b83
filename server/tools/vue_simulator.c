#include "tools/vue_simulator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tools/household.h"
#include "tools/load_curve.h"
#include "tools/terminal.h"

enum {
        HOUSE_STEP_MS = 1000,     /* how often the load moves */
        TIMER_ACCURACY_US = 5000,
};

#define RECORD_COUNTS_MAX INT64_C(0x7fffffff)  /* what its 32 bits take, with room to grow */

struct vue_simulator {
        struct vue_simulator_options options;
        struct mgm111 module;
        struct household household;
        struct terminal terminal;   /* closed while it is unplugged */
        sd_event *event;
        sd_event_source *timer;     /* owned */
        uint64_t step_ms;           /* when the load moves next */
        uint64_t replug_ms;         /* MGM111_NEVER: it is plugged in */
        bool fixed;                 /* power is what somebody set */
};

static void tell(const struct vue_simulator *s, const char *what, const void *data, size_t len) {
        if (s->options.event)
                s->options.event(s->options.userdata, what, data, len);
}

static int64_t house_power(struct vue_simulator *s) {
        struct household_moment moment;
        struct timespec ts;
        struct load load;
        int64_t time_ms;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &ts);
        time_ms = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
        if (s->options.household) {
                household_at(&s->household, time_ms, &moment);
                return household_grid_mw(&moment);
        }
        if (!localtime_r(&ts.tv_sec, &tm))
                tm.tm_gmtoff = 0;
        time_ms += tm.tm_gmtoff * 1000;
        load_curve_at(s->options.module.seed, time_ms, &load);
        return load.power_mw - (s->options.solar ? solar_curve_at(s->options.module.seed, time_ms) : 0);
}

static void follow_house(struct vue_simulator *s, uint64_t now_ms) {
        if (s->fixed || now_ms < s->step_ms)
                return;
        s->step_ms = now_ms + HOUSE_STEP_MS;
        mgm111_set_power(&s->module, now_ms, house_power(s));
}

static void flush_output(struct vue_simulator *s) {
        uint8_t buf[MGM111_OUTPUT_MAX];
        size_t len = mgm111_output(&s->module, buf);

        if (terminal_write(&s->terminal, buf, len))
                tell(s, "tx", buf, len);
}

static void replug(struct vue_simulator *s, uint64_t now_ms) {
        if (now_ms < s->replug_ms)
                return;
        s->replug_ms = MGM111_NEVER;
        if (terminal_reopen(&s->terminal))
                tell(s, "port", NULL, 0);
}

static int arm(struct vue_simulator *s) {
        uint64_t next_ms = mgm111_deadline(&s->module);
        int r;

        if (s->replug_ms < next_ms)
                next_ms = s->replug_ms;
        if (!s->fixed && s->step_ms < next_ms)
                next_ms = s->step_ms;
        if (next_ms == MGM111_NEVER)
                return sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
        r = sd_event_source_set_time(s->timer, next_ms * 1000);
        return r < 0 ? r : sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static int run(struct vue_simulator *s) {
        uint64_t now_ms = clock_now_ms();

        replug(s, now_ms);
        follow_house(s, now_ms);
        mgm111_run(&s->module, now_ms);
        flush_output(s);
        terminal_readmit(&s->terminal);
        return arm(s);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        return run(userdata);
}

void vue_simulator_changed(struct vue_simulator *s) {
        int r = run(s);

        if (r < 0)
                log_error("simulator: %s", strerror(-r));
}

static void on_received(void *userdata, const uint8_t *data, size_t len) {
        struct vue_simulator *s = userdata;

        tell(s, "rx", data, len);
        mgm111_input(&s->module, clock_now_ms(), data, len);
        vue_simulator_changed(s);
}

/* --- what can be told to it -------------------------------------------------------------------------------- */

struct mgm111 *vue_simulator_module(struct vue_simulator *s) {
        return &s->module;
}

void vue_simulator_power_cycle(struct vue_simulator *s) {
        mgm111_power_cycle(&s->module, clock_now_ms());
        vue_simulator_changed(s);
}

void vue_simulator_set_power(struct vue_simulator *s, int64_t power_mw) {
        s->fixed = true;
        mgm111_set_power(&s->module, clock_now_ms(), power_mw);
        vue_simulator_changed(s);
}

void vue_simulator_follow_house(struct vue_simulator *s) {
        s->fixed = false;
        s->step_ms = 0;
        vue_simulator_changed(s);
}

/* The cable goes; the module keeps its power. */
void vue_simulator_unplug(struct vue_simulator *s, uint64_t duration_ms) {
        terminal_close(&s->terminal);
        s->replug_ms = clock_now_ms() + duration_ms;
        tell(s, "unplugged", NULL, 0);
        vue_simulator_changed(s);
}

/* --- life -------------------------------------------------------------------------------------------------- */

const char *vue_simulator_port(const struct vue_simulator *s) {
        return s->terminal.path;
}

static uint64_t counts_of(const struct mgm111_options *o, int64_t energy_wh) {
        int64_t multiplier = o->multiplier > 0 ? o->multiplier : 1, divisor = o->divisor > 0 ? o->divisor : 1000;
        int64_t counts = energy_wh * divisor / (1000 * multiplier);

        return (uint64_t) (counts < RECORD_COUNTS_MAX ? counts : RECORD_COUNTS_MAX);
}

static void fill_registers(struct vue_simulator_options *o) {
        if (o->module.import_counts == 0)
                o->module.import_counts = counts_of(&o->module, VUE_SIMULATOR_IMPORT_WH);
        if (o->module.export_counts == 0)
                o->module.export_counts = counts_of(&o->module, o->solar ? VUE_SIMULATOR_EXPORT_WH : 0);
}

static int start(struct vue_simulator *s) {
        int r = sd_event_add_time(s->event, &s->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US, on_timer, s);

        if (r >= 0)
                r = terminal_open(&s->terminal);
        return r < 0 ? r : run(s);
}

int vue_simulator_new(sd_event *event, const struct vue_simulator_options *options, struct vue_simulator **ret,
                      char *error) {
        CLEANUP(vue_simulator_freep) struct vue_simulator *s = calloc(1, sizeof *s);
        int r;

        snprintf(error, VUE_SIMULATOR_ERROR_MAX, "out of memory");
        if (!s)
                return -ENOMEM;
        s->options = *options;
        fill_registers(&s->options);
        s->event = sd_event_ref(event);
        s->replug_ms = MGM111_NEVER;
        terminal_init(&s->terminal, event, options->link_path, on_received, s);
        household_init(&s->household, options->module.seed);
        mgm111_init(&s->module, &s->options.module, clock_now_ms());
        r = start(s);
        if (r < 0) {
                snprintf(error, VUE_SIMULATOR_ERROR_MAX, "cannot make a simulated port%s%.200s: %s",
                         options->link_path ? " at " : "", options->link_path ? options->link_path : "",
                         strerror(-r));
                return r;
        }
        *ret = TAKE(s);
        return 0;
}

struct vue_simulator *vue_simulator_free(struct vue_simulator *s) {
        if (!s)
                return NULL;
        terminal_close(&s->terminal);
        sd_event_source_disable_unref(s->timer);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}
