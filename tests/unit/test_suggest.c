/* What unknown datapoints mean: each rule of physics by itself, and what must never be claimed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "from_environment.h"
#include "tests/unit/unknown_meter.h"
#include "tools/random.h"

enum { OTHER = 55, ENERGY = 12, EXPORTED = 13, FLAG = 30 };

static void test_the_three(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 1);
        unknown_play(&m, &plug, 120, NULL);
        unknown_suggest(&m, false);
        assert_meaning(&m, VOLTAGE, Q_VOLTAGE, 10);
        assert_meaning(&m, CURRENT, Q_CURRENT, 1000);
        assert_meaning(&m, POWER, Q_POWER, 10);
        assert_int_equal(unknown_best(&m, VOLTAGE)->level, SUGGEST_HIGH);
        /* 0.01 A and 1 W would fit as well, and there are such meters. */
        assert_int_equal(unknown_best(&m, POWER)->level, SUGGEST_MEDIUM);
        unknown_end(&m);
}

/* 0.001 A and 1 W: ten times or a tenth of both is no scale that any meter has. */
static void test_a_scale_that_is_the_only_one(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 2);
        unknown_play(&m, &rail, 120, NULL);
        unknown_suggest(&m, false);
        assert_meaning(&m, POWER, Q_POWER, 1);
        assert_meaning(&m, CURRENT, Q_CURRENT, 1000);
        assert_int_equal(unknown_suggestion(&m, POWER)->count, 1);
        assert_int_equal(unknown_suggestion(&m, CURRENT)->count, 1);
        /* Loads of a fifth of the power factor, with 0.001 A and 0.01 W, would look alike the other way round. */
        assert_int_equal(unknown_best(&m, POWER)->level, SUGGEST_MEDIUM);
        unknown_end(&m);
}

/* So long that runs are merged. A light load has one current and many powers: what stands beside each other is of the
 * same moment all the same. */
static void test_a_long_recording(void **state) {
        static const struct scales coarse = { 10, 100, 10 };
        struct load l = { .watts = 2100, .factor = 0.9 };
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 31);
        for (unsigned i = 0; i < 40000; i++) {
                if (random_below(&m.random, 100) == 0)
                        l.watts = l.watts > 100 ? 9 : 2100;
                unknown_step(&m, &l);
                unknown_tell_three(&m, &l, &coarse);
                unknown_wait(&m, 1);
        }
        assert_true(observations_slot_ms(m.observations) > 0);
        unknown_suggest(&m, false);
        assert_meaning(&m, VOLTAGE, Q_VOLTAGE, 10);
        assert_int_equal(unknown_best(&m, CURRENT)->quantity, Q_CURRENT);
        assert_int_equal(unknown_best(&m, POWER)->quantity, Q_POWER);
        assert_non_null(strstr(unknown_best(&m, POWER)->evidence[0], "P / (V * I) is 0.90 at heavy load"));
        unknown_end(&m);
}

/* Loads that change all the time, so that thousands of them are merged: the register is by their true integral. */
static void test_a_register_of_a_long_recording(void **state) {
        struct unknown_meter m;
        double wh = 0;

        (void) state;
        unknown_begin(&m, 33);
        for (unsigned i = 0; i < 30000; i++) {
                struct load l = unknown_load(&m);

                unknown_step(&m, &l);
                unknown_tell_three(&m, &l, &plug);
                unknown_tell(&m, ENERGY, DATAPOINT_VALUE, lround(51234 + floor(wh / 1000)));
                unknown_wait(&m, 60);
                wh += l.now * 60 / 3600;
        }
        assert_true(observations_slot_ms(m.observations) > 0);
        unknown_suggest(&m, false);
        assert_int_equal(unknown_best(&m, ENERGY)->quantity, Q_ENERGY_IMPORT);
        assert_int_equal(unknown_best(&m, ENERGY)->scale_den * unknown_best(&m, POWER)->scale_num,
                         unknown_best(&m, POWER)->scale_den / 10 * unknown_best(&m, ENERGY)->scale_num);
        assert_non_null(strstr(unknown_best(&m, ENERGY)->evidence[0], "by the integral of the power within 0."));
        unknown_end(&m);
}

/* A plug whose machine runs for ten minutes twice a day, while its voltage never rests. */
static void test_a_day_with_little_in_it(void **state) {
        struct load off = { .watts = 0, .factor = 1 }, l = off;
        struct unknown_meter m;
        unsigned loads;

        (void) state;
        unknown_begin(&m, 34);
        for (unsigned i = 0; i < 43200; i++) {
                if (i % 20000 >= 8000 && i % 20000 < 8300 && i % 50 == 0)
                        l = unknown_load(&m);
                if (i % 20000 == 8300)
                        l = off;
                unknown_step(&m, &l);
                unknown_tell_three(&m, &l, &rail);
                unknown_wait(&m, 2);
        }
        unknown_suggest(&m, false);
        assert_meaning(&m, VOLTAGE, Q_VOLTAGE, 10);
        assert_meaning(&m, CURRENT, Q_CURRENT, 1000);
        assert_meaning(&m, POWER, Q_POWER, 1);
        assert_int_equal(sscanf(unknown_best(&m, POWER)->evidence[1], "both were compared at %u", &loads), 1);
        assert_in_range(loads, 6, 12);
        unknown_end(&m);
}

static void tell_register(struct unknown_meter *m, const struct load *l, double wh) {
        (void) l;
        unknown_tell(m, ENERGY, DATAPOINT_VALUE, 51234 + (int64_t) (wh / 10));
}

static void test_a_register(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 3);
        unknown_play(&m, &plug, 300, tell_register);
        unknown_suggest(&m, false);
        assert_meaning(&m, ENERGY, Q_ENERGY_IMPORT, 100);
        assert_false(unknown_best(&m, ENERGY)->is_increment);
        /* No meter has this power with ten times the current and an energy of 0.1 kWh. */
        assert_int_equal(unknown_best(&m, POWER)->level, SUGGEST_HIGH);
        unknown_end(&m);
}

static void test_nothing_of_energy_without_times(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 3);
        unknown_play(&m, &plug, 300, tell_register);
        unknown_suggest(&m, true);
        assert_int_equal(unknown_suggestion(&m, ENERGY)->count, 0);
        assert_meaning(&m, POWER, Q_POWER, 10);
        unknown_end(&m);
}

static void tell_clock(struct unknown_meter *m, const struct load *l, double wh) {
        (void) l, (void) wh;
        unknown_tell(m, OTHER, DATAPOINT_VALUE, (int64_t) (m->now_ms / 7000));
}

/* It grows all the time, whatever flows. */
static void test_a_clock_is_no_energy(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 4);
        unknown_play(&m, &plug, 300, tell_clock);
        unknown_suggest(&m, false);
        assert_cannot_tell(&m, OTHER, "it only grows, but not by the power that was seen");
        unknown_end(&m);
}

static double told_wh;

static void tell_increments(struct unknown_meter *m, const struct load *l, double wh) {
        (void) l;
        if (wh - told_wh < 20)
                return;
        unknown_tell(m, ENERGY, DATAPOINT_VALUE, (int64_t) (wh - told_wh));
        told_wh += (double) (int64_t) (wh - told_wh);
}

static void test_increments(void **state) {
        struct unknown_meter m;

        (void) state;
        told_wh = 0;
        unknown_begin(&m, 5);
        unknown_play(&m, &plug, 400, tell_increments);
        unknown_suggest(&m, false);
        assert_meaning(&m, ENERGY, Q_ENERGY_IMPORT, 1000);
        assert_true(unknown_best(&m, ENERGY)->is_increment);
        unknown_end(&m);
}

/* A roof: at times it flows back, and a flag says so. */
static void test_directions(void **state) {
        double imported = 0, exported = 0;
        struct unknown_meter m;
        struct load l;

        (void) state;
        unknown_begin(&m, 6);
        l = unknown_load(&m);
        for (unsigned i = 0; i < 600; i++) {
                bool back = i % 60 > 35;

                if (i % 5 == 4)
                        l = unknown_load(&m);
                unknown_step(&m, &l);
                unknown_tell_three(&m, &l, &plug);
                unknown_tell(&m, FLAG, DATAPOINT_ENUM, back);
                unknown_tell(&m, ENERGY, DATAPOINT_VALUE, 7000 + (int64_t) (imported / 10));
                unknown_tell(&m, EXPORTED, DATAPOINT_VALUE, 900 + (int64_t) (exported / 10));
                unknown_wait(&m, 10);
                *(back ? &exported : &imported) += l.now * 10 / 3600;
        }
        unknown_suggest(&m, false);
        assert_meaning(&m, ENERGY, Q_ENERGY_IMPORT, 100);
        assert_meaning(&m, EXPORTED, Q_ENERGY_EXPORT, 100);
        assert_true(unknown_best(&m, FLAG)->is_direction);
        assert_int_equal(unknown_best(&m, POWER)->direction_id, FLAG);
        assert_int_equal(unknown_best(&m, POWER)->direction_reverse, 1);
        unknown_end(&m);
}

static void test_three_phases_and_their_total(void **state) {
        struct unknown_meter m;
        struct load l[3];

        (void) state;
        unknown_begin(&m, 7);
        for (unsigned i = 0; i < 200; i++) {
                double total = 0;

                for (unsigned k = 0; k < 3; k++) {
                        if (i == 0 || i % (4 + k) == 3)
                                l[k] = unknown_load(&m);
                        unknown_step(&m, &l[k]);
                        unknown_tell(&m, (uint16_t) (20 + k), DATAPOINT_VALUE, lround((l[k].volts + k) * 10));
                        unknown_tell(&m, (uint16_t) (60 + k), DATAPOINT_VALUE, lround(l[k].amperes * 1000));
                        unknown_tell(&m, (uint16_t) (70 + k), DATAPOINT_VALUE, lround(l[k].now));
                        total += (double) lround(l[k].now);
                }
                unknown_tell(&m, OTHER, DATAPOINT_VALUE, (int64_t) total);
                unknown_wait(&m, 10);
        }
        unknown_suggest(&m, false);
        for (unsigned k = 0; k < 3; k++) {
                char channel[] = { 'l', (char) ('1' + k), '\0' };

                assert_meaning(&m, (uint16_t) (60 + k), Q_CURRENT, 1000);
                assert_meaning(&m, (uint16_t) (70 + k), Q_POWER, 1);
                assert_meaning(&m, (uint16_t) (20 + k), Q_VOLTAGE, 10);
                assert_string_equal(unknown_best(&m, (uint16_t) (60 + k))->channel, channel);
                assert_string_equal(unknown_best(&m, (uint16_t) (70 + k))->channel, channel);
                assert_string_equal(unknown_best(&m, (uint16_t) (20 + k))->channel, channel);
        }
        assert_meaning(&m, OTHER, Q_POWER, 1);
        assert_string_equal(unknown_best(&m, OTHER)->channel, "");
        unknown_end(&m);
}

/* One voltage, two clamps. */
static void test_two_clamps(void **state) {
        struct unknown_meter m;
        struct load l[2];

        (void) state;
        unknown_begin(&m, 12);
        for (unsigned i = 0; i < 200; i++) {
                for (unsigned k = 0; k < 2; k++) {
                        if (i == 0 || i % (4 + k) == 3)
                                l[k] = unknown_load(&m);
                        unknown_step(&m, &l[k]);
                        unknown_tell(&m, (uint16_t) (60 + k), DATAPOINT_VALUE, lround(l[k].amperes * 1000));
                        unknown_tell(&m, (uint16_t) (70 + k), DATAPOINT_VALUE, lround(l[k].now));
                }
                unknown_tell(&m, VOLTAGE, DATAPOINT_VALUE, lround(l[0].volts * 10));
                unknown_wait(&m, 10);
        }
        unknown_suggest(&m, false);
        assert_meaning(&m, VOLTAGE, Q_VOLTAGE, 10);
        assert_string_equal(unknown_best(&m, VOLTAGE)->channel, "");
        for (unsigned k = 0; k < 2; k++) {
                assert_meaning(&m, (uint16_t) (60 + k), Q_CURRENT, 1000);
                assert_meaning(&m, (uint16_t) (70 + k), Q_POWER, 1);
                assert_string_equal(unknown_best(&m, (uint16_t) (60 + k))->channel, k == 0 ? "a" : "b");
                assert_string_equal(unknown_best(&m, (uint16_t) (70 + k))->channel, k == 0 ? "a" : "b");
        }
        unknown_end(&m);
}

static void tell_factor_and_var(struct unknown_meter *m, const struct load *l, double wh) {
        (void) wh;
        unknown_tell(m, OTHER, DATAPOINT_VALUE, lround(l->factor * 100));
        unknown_tell(m, OTHER + 1, DATAPOINT_VALUE, lround(l->var));
        unknown_tell(m, OTHER + 2, DATAPOINT_VALUE, lround(5000 + 2 * unknown_noise(m)));
}

static void test_power_factor_reactive_power_and_frequency(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 8);
        unknown_play(&m, &plug, 200, tell_factor_and_var);
        unknown_suggest(&m, false);
        assert_meaning(&m, POWER, Q_POWER, 10);
        assert_meaning(&m, OTHER, Q_POWER_FACTOR, 100);
        assert_meaning(&m, OTHER + 1, Q_REACTIVE_POWER, 1);
        assert_meaning(&m, OTHER + 2, Q_FREQUENCY, 100);
        unknown_end(&m);
}

static void tell_distractors(struct unknown_meter *m, const struct load *l, double wh) {
        (void) l, (void) wh;
        unknown_tell(m, 101, DATAPOINT_VALUE, 2300);
        unknown_tell(m, 102, DATAPOINT_VALUE, 86400 - (int64_t) (m->now_ms / 1000));
        unknown_tell(m, 103, DATAPOINT_VALUE, random_below(&m->random, 5000));
        unknown_tell(m, 104, DATAPOINT_BOOL, random_below(&m->random, 10) == 0);
        unknown_tell(m, 105, DATAPOINT_BITMAP, random_below(&m->random, 20) == 0 ? 8 : 0);
        unknown_tell(m, 106, DATAPOINT_VALUE, 245 + lround(3 * sin((double) m->now_ms / 3e5)));
}

static void test_distractors(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 9);
        unknown_play(&m, &plug, 200, tell_distractors);
        unknown_suggest(&m, false);
        assert_meaning(&m, POWER, Q_POWER, 10);
        assert_meaning(&m, CURRENT, Q_CURRENT, 1000);
        assert_cannot_tell(&m, 101, "it never changed");
        assert_cannot_tell(&m, 104, "it is a switch or a state, and goes with nothing else");
        for (uint16_t id = 102; id <= 106; id++)
                if (unknown_suggestion(&m, id)->count > 0)
                        assert_int_not_equal(unknown_best(&m, id)->level, SUGGEST_HIGH);
        unknown_end(&m);
}

/* The MCU says zeros until it is told that it is connected, and after a restart. */
static void test_zeros_of_a_start_are_no_evidence(void **state) {
        const struct load nothing = { 0 };
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 10);
        unknown_tell_three(&m, &nothing, &plug);
        unknown_wait(&m, 30);
        unknown_play(&m, &plug, 80, NULL);
        unknown_tell_three(&m, &nothing, &plug);
        unknown_wait(&m, 30);
        unknown_play(&m, &plug, 80, NULL);
        unknown_suggest(&m, false);
        assert_meaning(&m, VOLTAGE, Q_VOLTAGE, 10);
        assert_meaning(&m, CURRENT, Q_CURRENT, 1000);
        assert_meaning(&m, POWER, Q_POWER, 10);
        unknown_end(&m);
}

static void test_nothing_seen(void **state) {
        struct unknown_meter m;

        (void) state;
        unknown_begin(&m, 11);
        unknown_suggest(&m, false);
        assert_int_equal(m.found->count, 0);
        unknown_tell(&m, POWER, DATAPOINT_VALUE, 230);
        unknown_suggest(&m, false);
        assert_cannot_tell(&m, POWER, "it never changed");
        unknown_end(&m);
}

/* What the profile lists is known. */
static void test_known_rows_are_left_out(void **state) {
        struct profile *p = calloc(1, sizeof *p + sizeof p->datapoints[0]);
        struct unknown_meter m;

        (void) state;
        assert_non_null(p);
        p->n_datapoints = 1;
        p->datapoints[0] = (struct profile_datapoint) { .id = OTHER, .scale_num = 1, .scale_den = 1 };
        unknown_begin(&m, 4);
        m.profile = p;
        unknown_play(&m, &plug, 50, tell_clock);
        unknown_suggest(&m, false);
        for (unsigned i = 0; i < m.found->count; i++)
                assert_int_not_equal(m.found->items[i].id, OTHER);
        assert_meaning(&m, POWER, Q_POWER, 10);
        unknown_end(&m);
        free(p);
}

/* Numbers that have nothing to do with each other. */
static void test_noise_is_never_certain(void **state) {
        uint64_t seed = test_seed();
        unsigned times = (unsigned) number_from("METERGATE_NOISES", 20);

        (void) state;
        for (unsigned n = 0; n < times; n++) {
                struct unknown_meter m;
                int64_t scale[12];

                unknown_begin(&m, seed + n);
                for (unsigned k = 0; k < 12; k++)
                        scale[k] = (int64_t[]) { 10, 300, 5000, 40000 }[random_below(&m.random, 4)];
                for (unsigned i = 0; i < 100; i++) {
                        for (unsigned k = 0; k < 12; k++)
                                unknown_tell(&m, (uint16_t) (1 + k), DATAPOINT_VALUE,
                                             random_below(&m.random, (uint32_t) scale[k]));
                        unknown_wait(&m, 5);
                }
                unknown_suggest(&m, false);
                for (unsigned i = 0; i < m.found->count; i++)
                        if (m.found->items[i].count > 0)
                                assert_int_not_equal(m.found->items[i].hypotheses[0].level, SUGGEST_HIGH);
                unknown_end(&m);
        }
}

/* Any pair of scales that meters have. */
static void test_random_households(void **state) {
        static const struct scales all[] = {
                { 10, 1000, 1 }, { 10, 1000, 10 }, { 100, 1000, 100 }, { 100, 1000, 10 },
        };
        unsigned right = 0, asked = 0, runs = (unsigned) number_from("METERGATE_HOUSEHOLDS", 40);
        uint64_t seed = test_seed();

        (void) state;
        for (unsigned n = 0; n < runs; n++) {
                struct unknown_meter m;
                const struct scales *s;

                unknown_begin(&m, seed + n);
                s = &all[random_below(&m.random, 4)];
                unknown_play(&m, s, 60 + random_below(&m.random, 200), tell_distractors);
                unknown_suggest(&m, false);
                for (unsigned k = 0; k < 3; k++) {
                        const unsigned quantities[] = { Q_VOLTAGE, Q_CURRENT, Q_POWER };
                        const double dens[] = { s->volts, s->amperes, s->watts };
                        const uint16_t ids[] = { VOLTAGE, CURRENT, POWER };
                        const struct suggestion *found = unknown_suggestion(&m, ids[k]);
                        const struct hypothesis *h = &found->hypotheses[0];
                        bool is_right = found->count > 0 && h->quantity == quantities[k] &&
                                        (double) h->scale_den == dens[k];

                        asked++;
                        right += is_right;
                        assert_true(is_right || found->count == 0 || h->level != SUGGEST_HIGH);
                }
                unknown_end(&m);
        }
        print_message("# %u of %u right\n", right, asked);
        assert_true(right * 20 >= asked * 19);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_three), cmocka_unit_test(test_a_long_recording),
                cmocka_unit_test(test_a_register_of_a_long_recording), cmocka_unit_test(test_a_day_with_little_in_it),
                cmocka_unit_test(test_a_scale_that_is_the_only_one),
                cmocka_unit_test(test_a_register),
                cmocka_unit_test(test_nothing_of_energy_without_times),
                cmocka_unit_test(test_a_clock_is_no_energy),
                cmocka_unit_test(test_increments),
                cmocka_unit_test(test_directions),
                cmocka_unit_test(test_three_phases_and_their_total), cmocka_unit_test(test_two_clamps),
                cmocka_unit_test(test_power_factor_reactive_power_and_frequency),
                cmocka_unit_test(test_distractors),
                cmocka_unit_test(test_zeros_of_a_start_are_no_evidence),
                cmocka_unit_test(test_nothing_seen),
                cmocka_unit_test(test_known_rows_are_left_out),
                cmocka_unit_test(test_noise_is_never_certain),
                cmocka_unit_test(test_random_households),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
