#include "tools/demo_history.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "config/profile_file.h"
#include "history/history.h"
#include "meters/recorder.h"
#include "meters/series.h"
#include "tools/curve.h"
#include "tools/household.h"
#include "tools/progress.h"
#include "tools/tuya_points.h"

#define SIZE_STEP       (UINT64_C(16) << 20)   /* one more than the past needs is there for the present */
#define SIZE_A_DAY      (UINT64_C(320) << 10)  /* measured: 264 KiB of the fullest tier's ring and its siblings */
#define MWMS_PER_WH     INT64_C(3600000000)

enum {
        SLOT_MS = 10000,          /* the clamp reports at least once in it, and the utility's meter once */
        JITTER_TICKS = 7,
        UTILITY_AT_MS = 7300,     /* in the slot */
        WATCH_SLOTS = 256,        /* between two looks for signals */
        BUSY_MW = 250000,         /* something was switched: a report each second */
        RESTLESS_MW = 40000,      /* each two seconds, */
        ALIVE_MW = 6000,          /* each five */
        FLUSH_MS = 60000,         /* nothing is ever due while filling */
};

/* One meter as the gateway would see it. */
struct track {
        struct recorder recorder;
        struct series_set set;
        struct report report;
        int64_t shown[Q_COUNT];   /* what it reported last */
};

struct filling {
        struct demo_history *demo;
        struct history *history;
        struct household household;
        struct track main, utility;
        int64_t at_ms;            /* the registers have counted up to here, */
        int64_t grid_mw;          /* with this from then on */
        int64_t import_mWms, export_mWms;
};

/* ---- a file that need not survive a power cut ---- */

static int no_sync(void *userdata, int fd) {
        (void) userdata, (void) fd;
        return 0;
}

static bool must_end(void) {
        sigset_t pending;

        return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) == 1 ||
                                             sigismember(&pending, SIGTERM) == 1 ||
                                             sigismember(&pending, SIGHUP) == 1);
}

static int fail(const struct filling *f, int r) {
        log_error("demo: the history cannot be filled: %s; a shorter --history needs less room, and TMPDIR can name "
                  "another folder", history_error(f->history)[0] ? history_error(f->history) : strerror(-r));
        return r < 0 ? r : -EIO;
}

static int open_history(struct filling *f, struct store_io *io) {
        const struct history_options options = { .directory = f->demo->directory, .flush_ms = FLUSH_MS, .io = io,
                                                 .size_bytes = demo_history_size(f->demo->duration_ms) };
        char error[STORE_ERROR_MAX];
        int r;

        *io = store_system_io;
        io->start_sync = io->sync = no_sync;
        r = history_new(&options, &f->history, error);
        if (r < 0) {
                log_error("demo: %s", error[0] ? error : strerror(-r));
                return r;
        }
        while (history_step(f->history) > 0)
                if (must_end())
                        return 1;
        return history_error(f->history)[0] ? fail(f, -ENOSPC) : 0;
}

/* ---- rows ---- */

static void no_origin(uint16_t origin, char *buf, size_t size) {
        (void) origin;
        buf[size - 1] = buf[0] = '\0';
}

static void begin_track(struct filling *f, struct track *t, const struct meter_config *m, const char *key) {
        series_set_init(&t->set, m->protocol, key ? profile_for_product_key(m->protocol->name, key) : NULL);
        t->recorder.history = f->history;
        recorder_define(&t->recorder, m->id, &t->set, m->stale_after_ms);
        memset(t->shown, 0x80, sizeof t->shown);
}

static void report(struct track *t, enum quantity quantity, int64_t value, bool only_news) {
        if (only_news && t->shown[quantity] == value)
                return;
        t->shown[quantity] = value;
        t->report.readings[t->report.count++] = (struct reading) { .quantity = (uint8_t) quantity, .value = value };
}

/* As the recorder makes them: what was reported, what derives from it, and all counters. */
static int put_row(struct filling *f, struct track *t, int64_t at_ms) {
        struct history_row row = { 0 };
        uint32_t reported = 0;

        if (t->report.count == 0)
                return 0;
        for (unsigned i = 0; i < t->report.count; i++)
                reported |= 1u << t->report.readings[i].quantity;
        series_set_apply(&t->set, &t->report, no_origin);
        t->report.count = 0;
        for (unsigned i = 0; i < t->set.count; i++) {
                const struct series *s = &t->set.items[i];

                if (!s->known || (s->source == SOURCE_MEASURED && !(reported >> s->quantity & 1)))
                        continue;
                row.mask |= UINT64_C(1) << i;
                row.values[i] = s->value;
                if (quantity_catalogue[s->quantity].kind == QUANTITY_COUNTER)
                        row.totals[i] = s->value;
        }
        f->demo->rows++;
        return history_append_at(f->history, t->recorder.handle, at_ms / TICK_MS, &row);
}

static int64_t rounded(int64_t value, int64_t step) {
        return (value < 0 ? value - step / 2 : value + step / 2) / step * step;
}

/* ---- time goes by ---- */

static void look(struct filling *f, int64_t at_ms, struct household_moment *ret) {
        int64_t energy_mWms = f->grid_mw * (at_ms - f->at_ms);

        if (energy_mWms > 0)
                f->import_mWms += energy_mWms;
        else
                f->export_mWms -= energy_mWms;
        household_at(&f->household, at_ms, ret);
        f->at_ms = at_ms;
        f->grid_mw = household_grid_mw(ret);
}

/* In the digits of its wire: everything when it is polled, else what has changed. */
static int fill_main(struct filling *f, int64_t at_ms, bool polled) {
        struct household_moment m;

        look(f, at_ms, &m);
        report(&f->main, Q_VOLTAGE, rounded(m.house.voltage_mv, 100), !polled);
        report(&f->main, Q_CURRENT, m.house.current_ma, !polled);
        report(&f->main, Q_POWER, rounded(m.house.power_mw, 100), !polled);
        return put_row(f, &f->main, at_ms);
}

static int fill_utility(struct filling *f, int64_t at_ms) {
        struct household_moment m;

        look(f, at_ms, &m);
        report(&f->utility, Q_POWER, rounded(f->grid_mw, 1000), false);
        report(&f->utility, Q_ENERGY_IMPORT, f->import_mWms / MWMS_PER_WH * 1000, false);
        report(&f->utility, Q_ENERGY_EXPORT, f->export_mWms / MWMS_PER_WH * 1000, false);
        return put_row(f, &f->utility, at_ms);
}

/* Reports in a slot: a meter that tells changes has more to tell when things are switched. */
static int reports_in(const struct household_moment *from, const struct household_moment *to) {
        int64_t change_mw = llabs(to->house.power_mw - from->house.power_mw);

        if (change_mw > BUSY_MW)
                return 10;
        return change_mw > RESTLESS_MW ? 5 : change_mw > ALIVE_MW ? 2 : 1;
}

/* Nobody records; the utility's register counts on where there is power. */
static void skip_slot(struct filling *f, int64_t slot_ms, enum household_failure failure) {
        struct household_moment m;

        look(f, slot_ms, &m);
        if (failure == HOUSEHOLD_POWER_CUT)
                f->grid_mw = 0;
}

/* In order of time, the utility's meter among the reports of the clamp. */
static int fill_slot(struct filling *f, int64_t slot_ms) {
        int64_t jitter_ms = curve_lattice(f->demo->seed, 0, slot_ms / SLOT_MS) % JITTER_TICKS * TICK_MS;
        int64_t utility_ms = slot_ms + UTILITY_AT_MS + jitter_ms;
        struct household_moment from, to;
        int n, r = 0;

        look(f, slot_ms, &from);
        household_at(&f->household, slot_ms + SLOT_MS, &to);
        n = reports_in(&from, &to);
        for (int i = 0; i < n && r == 0; i++) {
                int64_t at_ms = slot_ms + jitter_ms + SLOT_MS / n * i;

                if (utility_ms < at_ms && utility_ms >= f->at_ms)
                        r = fill_utility(f, utility_ms);
                if (r == 0)
                        r = fill_main(f, at_ms, i == 0);
        }
        return r == 0 && utility_ms >= f->at_ms ? fill_utility(f, utility_ms) : r;
}

static int64_t wall_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Up to the present, which goes on meanwhile. */
static int fill(struct filling *f) {
        int64_t (*now)(void) = f->demo->now_ms ? f->demo->now_ms : wall_ms;
        int64_t now_ms = now(), slot_ms = now_ms - (int64_t) f->demo->duration_ms, begin_ms;
        struct progress progress;
        int r = 0;

        begin_ms = f->at_ms = slot_ms -= curve_modulo(slot_ms, SLOT_MS);
        progress_begin(&progress, "history");
        for (unsigned n = 0; r == 0 && slot_ms + SLOT_MS <= now_ms; n++, slot_ms += SLOT_MS) {
                enum household_failure failure = household_failure_at(&f->household, slot_ms);

                if (failure == HOUSEHOLD_RUNS)
                        r = fill_slot(f, slot_ms);
                else
                        skip_slot(f, slot_ms, failure);
                if (n % WATCH_SLOTS != 0 && slot_ms + 2 * SLOT_MS <= now_ms)
                        continue;
                if (r == 0 && must_end())
                        r = 1;
                now_ms = now();
                progress_show(&progress, (uint64_t) (slot_ms - begin_ms), (uint64_t) (now_ms - begin_ms));
        }
        progress_end(&progress);
        return r;
}

uint64_t demo_history_size(uint64_t duration_ms) {
        uint64_t bytes = (duration_ms / CURVE_DAY + 1) * SIZE_A_DAY;

        return (bytes + SIZE_STEP - 1) / SIZE_STEP * SIZE_STEP + SIZE_STEP;
}

int demo_history_fill(struct demo_history *d) {
        struct filling f = { .demo = d, .import_mWms = d->import_wh * MWMS_PER_WH,
                             .export_mWms = d->export_wh * MWMS_PER_WH };
        struct store_io io;
        int r;

        household_init(&f.household, d->seed);
        r = open_history(&f, &io);
        if (r == 0) {
                begin_track(&f, &f.main, d->main, pj_mgw1103_captured.product_keys[0]);
                begin_track(&f, &f.utility, d->utility, NULL);
                r = fill(&f);
                if (r == 0)
                        r = history_flush(f.history);
                if (r < 0)
                        r = fail(&f, r);
        }
        history_free(f.history);
        d->import_wh = f.import_mWms / MWMS_PER_WH;
        d->export_wh = f.export_mWms / MWMS_PER_WH;
        return r;
}
