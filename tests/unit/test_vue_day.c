/* A day of a house in virtual time, with everything that goes wrong at this meter: spikes, missing values,
 * duplicates, resets, exchanged meters, lost answers, outages, power cycles, damaged frames. Module and protocol meet
 * as bytes; the protocol is driven as a meter drives it, and its energies go through the same counters.
 *
 * What comes out must be the module's own ledger at each single publication, and hence to the watt-hour at the end.
 * That can be asked for because
 * - registers begin at zero again right after an answer that arrived, so that nothing was counted that nobody was
 *   told, and they hold more than flows until that can be noticed;
 * - nothing flows while a meter is exchanged: what its last hours counted after the last answer is lost to everybody.
 *   Its successor shows more than can have flowed meanwhile, so that it does not look like a reset;
 * - the first readings after either of these are good ones, at least as many as make a new baseline;
 * - the day ends with good readings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "meters/counter.h"
#include "protocols/framer.h"
#include "protocols/protocol.h"
#include "tools/load_curve.h"
#include "tools/mgm111.h"
#include "tools/random.h"

enum {
        SECOND = 1000,
        MINUTE = 60 * SECOND,
        HOUR = 60 * MINUTE,
        DAY = 24 * HOUR,

        START = 5 * HOUR,               /* of the monotonic clock */
        END = START + DAY,
        LAST_EVENT = END - 2 * HOUR,    /* then it can recover, whatever there was */
        HOUSE_STEP = 10 * SECOND,
        CHUNK_MAX = 40,
        METERS_APART_KWH = 2000,
        OLD_METER_KWH = 200000,
        RESET_KWH = 5,                  /* and more can be reset */
        MAX_POWER_W = 131072,
};

#define MWH_PER_KWH 1000000
#define UTC_START INT64_C(1795219200000)  /* a midnight */

struct line {
        struct counter counter;
        int64_t total;
        bool has_total;
};

struct day {
        uint64_t seed, random, now_ms;
        const struct protocol *protocol;
        struct session *session;
        struct session_config config;
        struct framer framer;
        uint64_t last_byte_ms, next_ms, house_ms;
        struct mgm111 module;
        struct mgm111_expected expected;  /* of the last answer */
        bool answered;                    /* there was one since the last report */
        struct line import, export;
        uint64_t event_ms;                /* of the next thing that goes wrong */
        uint64_t recover_ms;              /* when the present one ends */
        uint64_t calm_until;              /* so many readings before the next */
        unsigned n_events, n_powers, n_damaged, n_changed_meters;
        unsigned seen[METER_STATE_COUNT];
};

/* --- the house --------------------------------------------------------------------------------------------- */

static void follow_house(struct day *d) {
        int64_t time_ms = UTC_START + (int64_t) (d->now_ms - START);
        struct load load;

        load_curve_at(d->seed, time_ms, &load);
        mgm111_set_power(&d->module, d->now_ms, load.power_mw - solar_curve_at(d->seed, time_ms));
        d->house_ms = d->now_ms + HOUSE_STEP;
}

static void on_answered(void *userdata, const struct mgm111_expected *expected) {
        struct day *d = userdata;

        d->expected = *expected;
        d->answered = true;
}

/* --- what is published ------------------------------------------------------------------------------------- */

static void take_energy(struct day *d, struct line *l, const struct reading *r, bool expected, int64_t ledger_mwh) {
        const struct counter_limits limits = {
                .max_power_mw = INT64_C(1000) * MAX_POWER_W, .confirm_first = d->protocol->has_no_checksum,
        };
        int64_t total = l->total;

        if (!counter_is_accepted(counter_take(&l->counter, &limits, d->now_ms, r->value, r->step, r->wrap, &total)))
                return;
        assert_true(expected);
        assert_int_equal(total, ledger_mwh);
        assert_true(!l->has_total || total >= l->total);
        l->total = total;
        l->has_total = true;
}

static void take_report(struct day *d, const struct report *report) {
        const struct mgm111_expected *e = &d->expected;

        assert_true(d->answered);  /* nothing is said twice */
        d->answered = false;
        for (unsigned i = 0; i < report->count; i++) {
                const struct reading *r = &report->readings[i];

                assert_int_equal(r->channel, 0);
                switch (r->quantity) {
                case Q_POWER:
                        assert_true(e->has_power);
                        assert_int_equal(r->value, e->power_mw);
                        d->n_powers++;
                        break;
                case Q_ENERGY_IMPORT:
                        take_energy(d, &d->import, r, e->has_import, e->import_mwh);
                        break;
                case Q_ENERGY_EXPORT:
                        take_energy(d, &d->export, r, e->has_export, e->export_mwh);
                        break;
                default:
                        fail_msg("a vue does not measure quantity %u", r->quantity);
                }
        }
}

/* --- a meter as the gateway drives it ---------------------------------------------------------------------- */

static void on_text(void *userdata, const uint8_t *bytes, size_t len) {
        struct day *d = userdata;

        if (d->protocol->text)
                d->protocol->text(d->session, d->now_ms, bytes, len);
}

static void take_frames(struct day *d) {
        const uint8_t *frame;
        size_t len;

        while ((len = framer_next(&d->framer, &frame)) > 0)
                d->protocol->frame(d->session, d->now_ms, frame, len);
}

static void give_up_part_frame(struct day *d) {
        if (d->now_ms < d->last_byte_ms + d->protocol->silence_ms)
                return;
        while (framer_pending(&d->framer) > 0) {
                framer_timeout(&d->framer);
                take_frames(d);
        }
}

static void pump(struct day *d) {
        struct session_output out;

        give_up_part_frame(d);
        do {
                d->protocol->poll(d->session, d->now_ms, framer_pending(&d->framer) > 0, &out);
                mgm111_input(&d->module, d->now_ms, out.tx, out.tx_len);
                if (out.has_report)
                        take_report(d, &out.report);
        } while (out.tx_len > 0 || out.has_report);
        assert_true(out.next_ms > d->now_ms);  /* it never makes the loop spin */
        d->next_ms = out.next_ms;
        if (framer_pending(&d->framer) > 0 && d->last_byte_ms + d->protocol->silence_ms < d->next_ms)
                d->next_ms = d->last_byte_ms + d->protocol->silence_ms;
        d->seen[d->session->state]++;
}

static void receive(struct day *d, const uint8_t *data, size_t len) {
        give_up_part_frame(d);
        d->last_byte_ms = d->now_ms;
        while (len > 0) {
                size_t n = framer_push(&d->framer, data, len);

                data += n;
                len -= n;
                take_frames(d);
        }
        pump(d);
}

static void set_clock(struct day *d) {
        d->session->clock = (struct session_clock) { true, UTC_START - START, 0 };
}

static void reopen_port(struct day *d) {
        framer_reset(&d->framer);
        d->protocol->stop(d->session, "the port was closed");
        d->protocol->start(d->session, &d->config, d->now_ms);
        pump(d);
}

/* --- what goes wrong --------------------------------------------------------------------------------------- */

/* Fewer than would make a new baseline, and good ones after them. */
static void flaw(struct day *d) {
        enum mgm111_flaw what = (enum mgm111_flaw) random_below(&d->random, MGM111_FLAW_COUNT);
        unsigned answers = 1 + random_below(&d->random, COUNTER_REBASE_READINGS - 1);

        mgm111_set_flaw(&d->module, what, answers);
        d->calm_until = d->module.readings + answers + 3;
}

/* One that has been used for long, or hardly, in turns, so that no two are alike. */
static uint64_t next_meter(struct day *d) {
        const struct mgm111_options *o = &d->module.options;
        uint64_t apart_kwh = (uint64_t) METERS_APART_KWH * (1 + d->n_changed_meters);
        uint64_t kwh = d->n_changed_meters % 2 == 0 ? OLD_METER_KWH - apart_kwh : apart_kwh;

        return kwh * o->divisor / o->multiplier + random_below(&d->random, 1000);
}

static uint64_t kwh_of(const struct day *d, const struct mgm111_register *r) {
        return r->shown * d->module.options.multiplier / d->module.options.divisor;
}

/* The last exchange is over when its new baseline has been found; a record that counts from zero is silent first. */
static bool has_baseline(const struct day *d, const struct line *l, const struct mgm111_register *r) {
        return !l->has_total || (uint64_t) llabs(l->counter.reading / MWH_PER_KWH - (int64_t) kwh_of(d, r)) <= 1;
}

static void exchange_registers(struct day *d) {
        bool has_much = kwh_of(d, &d->module.import) > RESET_KWH && kwh_of(d, &d->module.export) > RESET_KWH;

        if (!has_baseline(d, &d->import, &d->module.import) || !has_baseline(d, &d->export, &d->module.export))
                return;
        if (has_much && random_below(&d->random, 2) == 0)
                mgm111_reset(&d->module);
        else
                mgm111_replace(&d->module, next_meter(d), next_meter(d));
        d->calm_until = d->module.readings + 3 * COUNTER_REBASE_READINGS;
        d->n_changed_meters++;
}

static void outage(struct day *d) {
        static const uint32_t lengths[] = { 3 * MINUTE, 20 * MINUTE, 90 * MINUTE };

        mgm111_set_state(&d->module, (enum mgm111_state) (1 + random_below(&d->random, MGM111_STATE_COUNT - 1)));
        d->recover_ms = d->now_ms + lengths[random_below(&d->random, ELEMENTS(lengths))];
}

static void something_goes_wrong(struct day *d) {
        switch (random_below(&d->random, 10)) {
        case 0:
                exchange_registers(d);
                break;
        case 1:
                outage(d);
                break;
        case 2:
                mgm111_power_cycle(&d->module, d->now_ms);
                break;
        case 3:
                reopen_port(d);
                break;
        case 4:
                mgm111_set_loss(&d->module, random_below(&d->random, 60));
                d->recover_ms = d->now_ms + 10 * MINUTE;
                break;
        case 5:
                mgm111_notice(&d->module, (uint8_t) random_below(&d->random, 3));
                break;
        default:
                flaw(d);
        }
        d->n_events++;
}

static void recover(struct day *d) {
        mgm111_set_state(&d->module, MGM111_REACHABLE);
        mgm111_set_loss(&d->module, 0);
        d->recover_ms = SESSION_NEVER;
}

static void run_script(struct day *d) {
        if (d->now_ms >= d->recover_ms)
                recover(d);
        if (d->now_ms < d->event_ms || d->recover_ms != SESSION_NEVER)
                return;
        d->event_ms = d->now_ms + 2 * MINUTE + random_below(&d->random, 8 * MINUTE);
        if (d->event_ms < LAST_EVENT && d->module.readings >= d->calm_until)
                something_goes_wrong(d);
}

/* A byte that never arrived; not where the ledger counts on it. */
static size_t damage(struct day *d, uint8_t *data, size_t len) {
        size_t at;

        if (d->module.readings < d->calm_until || d->now_ms > LAST_EVENT || random_below(&d->random, 50) != 0)
                return len;
        at = random_below(&d->random, (uint32_t) len);
        memmove(data + at, data + at + 1, len - at - 1);
        d->n_damaged++;
        return len - 1;
}

/* --- the day ----------------------------------------------------------------------------------------------- */

static void deliver(struct day *d) {
        uint8_t data[MGM111_OUTPUT_MAX];
        size_t len = mgm111_output(&d->module, data), done = 0;

        if (len > 0)
                len = damage(d, data, len);
        while (done < len) {
                size_t n = 1 + random_below(&d->random, CHUNK_MAX);

                n = n < len - done ? n : len - done;
                receive(d, data + done, n);
                done += n;
                d->now_ms++;
        }
}

static uint64_t earliest(const struct day *d) {
        uint64_t script_ms = d->recover_ms != SESSION_NEVER ? d->recover_ms : d->event_ms;
        const uint64_t times[] = { d->next_ms, mgm111_deadline(&d->module), d->house_ms, script_ms };
        uint64_t first = times[0];

        for (size_t i = 1; i < ELEMENTS(times); i++)
                if (times[i] < first)
                        first = times[i];
        return first > d->now_ms ? first : d->now_ms + 1;
}

static void live(struct day *d) {
        while (d->now_ms < END) {
                d->now_ms = earliest(d);
                if (d->now_ms >= d->house_ms)
                        follow_house(d);
                run_script(d);
                mgm111_run(&d->module, d->now_ms);
                deliver(d);
                pump(d);
        }
}

static void begin(struct day *d, const struct mgm111_options *options) {
        const struct protocol *protocol = protocol_find("vue");

        assert_non_null(protocol);
        *d = (struct day) { .seed = options->seed, .random = random_seed(options->seed), .now_ms = START,
                            .protocol = protocol, .house_ms = START, .event_ms = START + 10 * MINUTE,
                            .recover_ms = SESSION_NEVER };
        d->config = (struct session_config) { .baud = 115200, .poll_ms = protocol->default_poll_ms,
                                              .stale_after_ms = 3 * protocol->default_poll_ms + 5 * SECOND };
        d->session = calloc(1, protocol->session_size);
        assert_non_null(d->session);
        mgm111_init(&d->module, options, d->now_ms);
        d->module.options.answered = on_answered;
        d->module.options.userdata = d;
        framer_init(&d->framer, protocol->frame_check);
        framer_on_text(&d->framer, on_text, d);
        set_clock(d);
        protocol->start(d->session, &d->config, d->now_ms);
}

static void assert_day(const struct day *d) {
        assert_int_equal(d->session->state, METER_ONLINE);
        assert_int_equal(d->module.forbidden, 0);
        assert_int_equal(d->import.total, mgm111_ledger_import(&d->module));
        assert_int_equal(d->export.has_total, d->expected.has_export);
        if (d->export.has_total)
                assert_int_equal(d->export.total, mgm111_ledger_export(&d->module));
        /* It was a day worth the name. */
        assert_in_range(d->n_powers, 500, DAY / (30 * SECOND));
        assert_true(d->n_powers > d->module.readings * 9 / 10);
        assert_true(d->n_events > 30 && d->n_changed_meters > 0 && d->n_damaged > 5);
        assert_true(d->import.counter.counts[COUNTER_RESET] > 0);
        assert_true(d->import.counter.counts[COUNTER_JUMPED] > 0);
        assert_true(mgm111_ledger_import(&d->module) > mgm111_ledger_export(&d->module) / 1000);
}

static void live_a_day(const struct mgm111_options *options) {
        struct day d;

        print_message("# seed %llu, firmware %u, log level %u, %u over %u%s\n", (unsigned long long) options->seed,
                      options->firmware, options->log_level, options->multiplier, options->divisor,
                      options->no_export ? ", no export" : "");
        begin(&d, options);
        live(&d);
        print_message("# %u events, %u exchanged registers, %llu readings, %u damaged, %u powers published, import "
                      "%lld mWh, export %lld mWh; ledger %lld, %lld\n", d.n_events, d.n_changed_meters,
                      (unsigned long long) d.module.readings, d.n_damaged, d.n_powers, (long long) d.import.total,
                      (long long) d.export.total, (long long) mgm111_ledger_import(&d.module),
                      (long long) mgm111_ledger_export(&d.module));
        assert_day(&d);
        free(d.session);
}

/* 5858.944 kWh in counts. */
static uint64_t counts(unsigned multiplier, unsigned divisor) {
        return UINT64_C(5858944) * divisor / 1000 / multiplier;
}

static void test_attributes(void **state) {
        (void) state;
        for (uint64_t seed = 1; seed <= 4; seed++)
                live_a_day(&(struct mgm111_options) {
                        .firmware = 7, .seed = seed, .multiplier = 1, .divisor = 1000,
                        .import_counts = counts(1, 1000), .export_counts = 7926904,
                });
}

static void test_with_chatter(void **state) {
        (void) state;
        for (uint64_t seed = 11; seed <= 14; seed++)
                live_a_day(&(struct mgm111_options) {
                        .firmware = 8, .log_level = 20, .seed = seed, .multiplier = 3, .divisor = 5000,
                        .import_counts = counts(3, 5000), .export_counts = 1000,
                });
}

static void test_without_export(void **state) {
        (void) state;
        for (uint64_t seed = 21; seed <= 22; seed++)
                live_a_day(&(struct mgm111_options) {
                        .firmware = 8, .log_level = 10, .seed = seed, .no_export = true, .multiplier = 1,
                        .divisor = 100000, .import_counts = counts(1, 100000),
                });
}

static void test_record(void **state) {
        (void) state;
        for (uint64_t seed = 31; seed <= 34; seed++)
                live_a_day(&(struct mgm111_options) {
                        .firmware = 2, .seed = seed, .multiplier = 3, .divisor = 5000,
                        .import_counts = counts(3, 5000),
                });
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_attributes),
                cmocka_unit_test(test_with_chatter),
                cmocka_unit_test(test_without_export),
                cmocka_unit_test(test_record),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
