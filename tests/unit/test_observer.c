/* Who watches unknown datapoints, and what the API tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api_bench.h"
#include "base/cleanup.h"
#include "meters/observer.h"
#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"
#include "protocols/vue/vue.h"

enum { VOLTAGE = 41, CURRENT = 42, POWER = 43, N_MOMENTS = 40, MOMENT_MS = 2000 };

struct world {
        struct observer observer;
        struct datapoint_table table;
        uint64_t now_ms;
};

static void tell(struct world *w, const struct profile *profile, uint16_t id, int64_t number) {
        datapoint_table_put(&w->table, w->now_ms, id, DATAPOINT_VALUE, true, number, (const uint8_t *) "\0\0\0", 4);
        observer_note(&w->observer, w->now_ms, &tuyamcu_protocol, profile, &w->table);
}

/* A house: the voltage sags a little under loads that come and go. */
static void live_on(struct world *w, const struct profile *profile, unsigned i) {
        int64_t current_ma = 300 + (i * i * 577) % 9000, voltage_dv = 2350 - current_ma / 300;

        w->now_ms += MOMENT_MS;
        tell(w, profile, VOLTAGE, voltage_dv);
        tell(w, profile, CURRENT, current_ma);
        tell(w, profile, POWER, voltage_dv * current_ma * (70 + i % 29) / 100 / 1000);
}

static void live(struct world *w, const struct profile *profile, unsigned moments) {
        for (unsigned i = 0; i < moments; i++)
                live_on(w, profile, i);
}

static const struct suggestions *ask_for(struct world *w, const struct profile *profile) {
        const struct suggestions *s = NULL;

        assert_int_equal(observer_suggest(&w->observer, w->now_ms, &tuyamcu_protocol, profile, &s), 0);
        return s;
}

static const struct suggestion *of(const struct suggestions *all, uint16_t id) {
        for (unsigned i = 0; i < all->count; i++)
                if (all->items[i].id == id)
                        return &all->items[i];
        return NULL;
}

static struct profile *make_profile(const uint8_t *ids, const uint8_t *quantities, unsigned n) {
        struct profile *p = test_calloc(1, sizeof *p + n * sizeof p->datapoints[0]);

        p->n_channels = 1;
        p->n_datapoints = n;
        for (unsigned i = 0; i < n; i++)
                p->datapoints[i] = (struct profile_datapoint) {
                        .id = ids[i], .type = DATAPOINT_VALUE, .quantity = quantities[i], .scale_num = 100,
                        .scale_den = 1,
                };
        return p;
}

static void test_unknown_ones_are_watched(void **state) {
        struct world w = { .now_ms = 1000 };
        const struct suggestions *s;
        uint64_t since_ms;

        (void) state;
        assert_false(observer_since(&w.observer, &since_ms));
        assert_null(ask_for(&w, NULL));
        live(&w, NULL, N_MOMENTS);
        assert_true(observer_since(&w.observer, &since_ms));
        assert_int_equal(since_ms, 1000 + MOMENT_MS);
        s = ask_for(&w, NULL);
        assert_non_null(s);
        assert_true(of(s, VOLTAGE)->count > 0);
        assert_int_equal(of(s, VOLTAGE)->hypotheses[0].quantity, Q_VOLTAGE);
        assert_int_equal(of(s, CURRENT)->hypotheses[0].quantity, Q_CURRENT);
        assert_int_equal(of(s, POWER)->hypotheses[0].quantity, Q_POWER);
        assert_int_equal(of(s, POWER)->hypotheses[0].scale_num, 1);
        assert_int_equal(of(s, POWER)->hypotheses[0].scale_den, 10);
        observer_end(&w.observer);
}

/* Ten times as fast as it was recorded: energy is power over the recording's time. */
static void test_a_fast_replay(void **state) {
        struct world w = { .observer.speed = 10000, .now_ms = 1000 };
        const struct suggestions *s;
        uint64_t since_ms;
        double wh = 0;

        (void) state;
        for (unsigned i = 0; i < 8 * N_MOMENTS; i++) {
                live_on(&w, NULL, i);
                wh += (double) w.table.items[2].number / 10 * 10 * MOMENT_MS / 3.6e6;
                tell(&w, NULL, POWER + 1, 512340 + (int64_t) (wh / 10));
        }
        assert_true(observer_since(&w.observer, &since_ms));
        assert_int_equal(since_ms, 1000 + MOMENT_MS);
        s = ask_for(&w, NULL);
        assert_int_equal(of(s, POWER)->hypotheses[0].quantity, Q_POWER);
        assert_int_equal(of(s, POWER + 1)->hypotheses[0].quantity, Q_ENERGY_IMPORT);
        assert_int_equal(of(s, POWER + 1)->hypotheses[0].scale_den, 100);
        observer_end(&w.observer);
}

static void test_known_ones_cost_nothing(void **state) {
        static const uint8_t ids[] = { VOLTAGE, CURRENT, POWER }, quantities[] = { Q_VOLTAGE, Q_CURRENT, Q_POWER };
        struct profile *p = make_profile(ids, quantities, ELEMENTS(ids));
        struct world w = { .now_ms = 1000 };

        (void) state;
        live(&w, p, 3);
        assert_null(w.observer.observations);
        assert_null(ask_for(&w, p));
        /* One that nobody listed begins it. */
        tell(&w, p, 99, 5);
        assert_non_null(w.observer.observations);
        observer_end(&w.observer);
        test_free(p);
}

static void test_a_profile_ends_it(void **state) {
        static const uint8_t ids[] = { VOLTAGE, CURRENT, POWER }, quantities[] = { Q_VOLTAGE, Q_CURRENT, Q_POWER };
        struct profile *p = make_profile(ids, quantities, ELEMENTS(ids));
        struct world w = { .now_ms = 1000 };
        uint64_t since_ms;

        (void) state;
        live(&w, NULL, 3);
        assert_non_null(ask_for(&w, NULL));
        live(&w, p, 1);
        assert_false(observer_since(&w.observer, &since_ms));
        assert_null(ask_for(&w, p));
        /* And one that knows less begins anew. */
        p->n_datapoints = 2;
        live(&w, NULL, 1);
        live(&w, p, 1);
        assert_true(observer_since(&w.observer, &since_ms));
        observer_end(&w.observer);
        test_free(p);
}

static void test_known_ones_are_not_suggested(void **state) {
        static const uint8_t ids[] = { VOLTAGE }, quantities[] = { Q_VOLTAGE };
        struct profile *p = make_profile(ids, quantities, ELEMENTS(ids));
        struct world w = { .now_ms = 1000 };
        const struct suggestions *s;

        (void) state;
        live(&w, p, N_MOMENTS);
        s = ask_for(&w, p);
        assert_null(of(s, VOLTAGE));
        /* It explains the others. */
        assert_int_equal(of(s, CURRENT)->hypotheses[0].quantity, Q_CURRENT);
        assert_int_equal(of(s, POWER)->hypotheses[0].quantity, Q_POWER);
        observer_end(&w.observer);
        test_free(p);
}

/* Physics does not tell 1 A and 10 W from 10 A and 100 W; what is known does. */
static void test_known_ones_decide_the_scales(void **state) {
        static const uint8_t ids[] = { CURRENT }, quantities[] = { Q_CURRENT };
        static const int64_t scales[] = { 1, 10, 100 };  /* mA */
        struct profile *p = make_profile(ids, quantities, ELEMENTS(ids));

        (void) state;
        for (size_t i = 0; i < ELEMENTS(scales); i++) {
                struct world w = { .now_ms = 1000 };
                const struct hypothesis *h;

                p->datapoints[0].scale_num = scales[i];
                live(&w, p, N_MOMENTS);
                h = &of(ask_for(&w, p), POWER)->hypotheses[0];
                assert_int_equal(h->quantity, Q_POWER);
                assert_int_equal(h->scale_num * 10, scales[i] * h->scale_den);
                observer_end(&w.observer);
        }
        test_free(p);
}

/* Who asks again and again gets the same, whatever came meanwhile: the work is done every few seconds at most. */
static void test_they_are_kept_for_some_seconds(void **state) {
        static const uint8_t ids[] = { VOLTAGE }, quantities[] = { Q_VOLTAGE };
        struct profile *p = make_profile(ids, quantities, ELEMENTS(ids));
        struct world w = { .now_ms = 1000 };
        const struct suggestions *first;

        (void) state;
        live(&w, NULL, 2);
        first = ask_for(&w, NULL);
        assert_int_equal(of(first, CURRENT)->count, 0);
        w.now_ms += OBSERVER_SUGGEST_MS - 1;
        assert_ptr_equal(ask_for(&w, NULL), first);
        w.now_ms += 1;
        live(&w, NULL, N_MOMENTS);
        assert_true(of(ask_for(&w, NULL), CURRENT)->count > 0);
        /* Another profile is another question. */
        assert_null(of(ask_for(&w, p), VOLTAGE));
        observer_end(&w.observer);
        test_free(p);
}

static void test_attributes_that_their_protocol_names(void **state) {
        struct world w = { .now_ms = 1000 };

        (void) state;
        datapoint_table_put(&w.table, w.now_ms, 0x0400, 0x2a, true, 909, (const uint8_t *) "\0\0\0", 3);
        observer_note(&w.observer, w.now_ms, &vue_protocol, NULL, &w.table);
        assert_null(w.observer.observations);
        datapoint_table_put(&w.table, w.now_ms, 0x7777, 0x2a, true, 909, (const uint8_t *) "\0\0\0", 3);
        observer_note(&w.observer, w.now_ms, &vue_protocol, NULL, &w.table);
        assert_non_null(w.observer.observations);
        observer_end(&w.observer);
}

/* However many datapoints there are, and however fast they change, the memory is what it was at the start; making
 * suggestions of all that ends. */
static void test_the_worst_meter(void **state) {
        static struct world w;

        (void) state;
        w.now_ms = 1000;
        for (unsigned i = 0; i < 100 * DATAPOINTS_MAX; i++) {
                w.now_ms += 37;
                tell(&w, NULL, (uint16_t) (1 + i % DATAPOINTS_MAX), (int64_t) (i * UINT64_C(2654435761) % 100000));
        }
        assert_non_null(ask_for(&w, NULL));
        observer_end(&w.observer);
}

/* ---- the API ---- */

static void expect_words(struct fixture *f, const char *target, const char *const words[], bool there) {
        struct reply reply;
        const char *text = get_text(f, target, "application/json", &reply);

        for (unsigned i = 0; words[i]; i++)
                if ((strstr(text, words[i]) != NULL) != there)
                        fail_msg("%s: %s%s in %s", target, words[i], there ? " is not" : " is", text);
        reply_free(&reply);
}

static void test_only_who_asks_is_told(void **state) {
        static const char *const told[] = { "\"cannot_tell\":\"", "\"observed_since\":\"2", "\"observed_since_ms\":1",
                                            NULL };
        static const char *const untold[] = { "cannot_tell", "suggestions", "observed_since", NULL };
        static const char *const unwatched[] = { "\"observed_since\":null,\"observed_since_ms\":null", NULL };
        static const char *const nothing[] = { "cannot_tell", "suggestions", NULL };
        static const char *const hint[] = { "datapoints?suggest=1", NULL };

        expect_words(*state, "/api/v1/meters/unknown/datapoints?suggest=1", told, true);
        expect_words(*state, "/api/v1/meters/unknown/datapoints?suggest=1", hint, true);
        expect_words(*state, "/api/v1/meters/unknown/datapoints", untold, false);
        expect_words(*state, "/api/v1/meters/unknown/datapoints?suggest=0", untold, false);
        /* Its profile lists all that it sends. */
        expect_words(*state, "/api/v1/meters/main/datapoints?suggest=1", unwatched, true);
        expect_words(*state, "/api/v1/meters/main/datapoints?suggest=1", nothing, false);
}

static void test_another_word_is_refused(void **state) {
        struct reply reply;

        get(*state, "/api/v1/meters/main/datapoints?suggest=yes", &reply);
        assert_int_equal(reply.status, 400);
        assert_non_null(strstr(reply.body.data, "suggest: expected 0 or 1"));
        reply_free(&reply);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unknown_ones_are_watched),
                cmocka_unit_test(test_a_fast_replay),
                cmocka_unit_test(test_known_ones_cost_nothing),
                cmocka_unit_test(test_a_profile_ends_it),
                cmocka_unit_test(test_known_ones_are_not_suggested),
                cmocka_unit_test(test_known_ones_decide_the_scales),
                cmocka_unit_test(test_they_are_kept_for_some_seconds),
                cmocka_unit_test(test_attributes_that_their_protocol_names),
                cmocka_unit_test(test_the_worst_meter),
                cmocka_unit_test_setup_teardown(test_only_who_asks_is_told, bench_setup, bench_teardown),
                cmocka_unit_test_setup_teardown(test_another_word_is_refused, bench_setup, bench_teardown),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
