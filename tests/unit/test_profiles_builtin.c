/* The built-in profiles as data: rules that every one keeps, and facts of single meters taken from the sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "config/profile_file.h"
#include "config/profile_parts.h"
#include "config/read_file.h"
#include "protocols/quantity.h"

#ifndef TOP_SRCDIR
#define TOP_SRCDIR "."
#endif

enum {
        BUILTINS = 49,
        KEYS_MAX = BUILTINS * PRODUCT_KEYS_MAX,
};

/* What is known of these holds no measured value. */
static const char *const nothing_measured[] = { "pj1103c" };

static struct profile *profiles[BUILTINS];

static int load_all(void **state) {
        struct config_error error = { .text = "" };
        const char *name;

        (void) state;
        for (unsigned i = 0; i < BUILTINS; i++) {
                name = profile_builtin_name(i);
                if (!name || profile_load(name, &profiles[i], &error) < 0) {
                        print_message("# profile %u: %s\n", i, name ? error.text : "missing");
                        return -1;
                }
        }
        return 0;
}

static int free_all(void **state) {
        (void) state;
        for (unsigned i = 0; i < BUILTINS; i++)
                profiles[i] = profile_free(profiles[i]);
        return 0;
}

/* Fails with the row's name in front. */
#define CHECK(p, d, condition) \
        do { \
                if (!(condition)) \
                        fail_msg("%s, datapoint %u: not so: %s", (p)->name, (d)->id, #condition); \
        } while (0)

static void each_row(void (*check)(const struct profile *p, const struct profile_datapoint *d)) {
        for (unsigned i = 0; i < BUILTINS; i++)
                for (unsigned n = 0; n < profiles[i]->n_datapoints; n++)
                        check(profiles[i], &profiles[i]->datapoints[n]);
}

static void all_are_there(void **state) {
        (void) state;
        assert_null(profile_builtin_name(BUILTINS));
        for (unsigned i = 0; i < BUILTINS; i++) {
                assert_string_equal(profiles[i]->name, profile_builtin_name(i));
                assert_string_equal(profiles[i]->protocol, "tuyamcu");
                assert_true(profiles[i]->title[0] && profiles[i]->source[0]);
                assert_true(profiles[i]->n_datapoints > 0);
        }
}

static int compare_keys(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void a_product_key_means_one_profile(void **state) {
        const char *keys[KEYS_MAX];
        unsigned n = 0;

        (void) state;
        for (unsigned i = 0; i < BUILTINS; i++)
                for (unsigned k = 0; k < profiles[i]->n_product_keys; k++) {
                        const struct profile *found;

                        keys[n++] = profiles[i]->product_keys[k];
                        found = profile_for_product_key("tuyamcu", keys[n - 1]);
                        assert_non_null(found);
                        assert_string_equal(found->name, profiles[i]->name);
                }
        qsort(keys, n, sizeof keys[0], compare_keys);
        for (unsigned i = 1; i < n; i++)
                assert_string_not_equal(keys[i - 1], keys[i]);
}

static void check_id(const struct profile *p, const struct profile_datapoint *d) {
        CHECK(p, d, d->id > 0);
        CHECK(p, d, profile_datapoint(p, d->id) == d);  /* the first of its number */
        CHECK(p, d, d->channel < p->n_channels);
}

static void numbers_are_unique(void **state) {
        (void) state;
        each_row(check_id);
}

static bool is_energy(unsigned quantity) {
        return quantity == Q_ENERGY_IMPORT || quantity == Q_ENERGY_EXPORT;
}

static bool is_phase(unsigned layout) {
        return layout >= LAYOUT_PHASE && layout <= LAYOUT_POWERS;
}

static void check_type(const struct profile *p, const struct profile_datapoint *d) {
        CHECK(p, d, d->quantity == Q_NONE || d->type == DATAPOINT_VALUE);
        CHECK(p, d, d->quantity != Q_APPARENT_POWER);  /* no known meter sends it alone */
        CHECK(p, d, d->layout == LAYOUT_NONE || d->type == DATAPOINT_RAW);
        CHECK(p, d, d->layout == LAYOUT_NONE || d->quantity == Q_NONE);
        CHECK(p, d, !d->unit[0] || (d->type == DATAPOINT_VALUE && d->quantity == Q_NONE));
        CHECK(p, d, !d->is_increment || is_energy(d->quantity));
        CHECK(p, d, d->name[0] || d->quantity != Q_NONE);
        CHECK(p, d, !d->channel || d->quantity != Q_NONE || is_phase(d->layout));
}

static void types_fit_what_they_hold(void **state) {
        (void) state;
        each_row(check_type);
}

/* Steps that meters are known to count in, in the catalogue's resolution. */
static const int64_t steps[Q_COUNT][5] = {
        [Q_VOLTAGE] = { 10, 100 },                              /* 0.01, 0.1 V */
        [Q_CURRENT] = { 1, 10 },                                /* 0.001, 0.01 A */
        [Q_POWER] = { 10, 100, 1000 },                          /* 0.01 to 1 W */
        [Q_REACTIVE_POWER] = { 1000, 100000 },                  /* 1 var, 0.1 kvar */
        [Q_POWER_FACTOR] = { 1, 10 },                           /* 0.1 and 1 percent */
        [Q_FREQUENCY] = { 10, 100, 1000 },                      /* 0.01 to 1 Hz */
        [Q_TEMPERATURE] = { 100, 1000 },                        /* 0.1, 1 degree */
        [Q_ENERGY_IMPORT] = { 1000, 10000, 1000000 },           /* 0.001, 0.01, 1 kWh */
        [Q_ENERGY_EXPORT] = { 1000, 10000, 1000000 },
};

static void check_scale(const struct profile *p, const struct profile_datapoint *d) {
        bool known = false;

        CHECK(p, d, d->scale_num > 0 && d->scale_den > 0);
        CHECK(p, d, d->power_den == 0 || d->power_den == 1 || d->power_den == 10);
        if (d->quantity == Q_NONE)
                return;
        CHECK(p, d, d->scale_den == 1);
        for (size_t i = 0; i < ELEMENTS(steps[0]); i++)
                known = known || d->scale_num == steps[d->quantity][i];
        CHECK(p, d, known);
}

static void scales_are_plausible(void **state) {
        (void) state;
        each_row(check_scale);
}

static void check_danger(const struct profile *p, const struct profile_datapoint *d) {
        static const char *const dangerous[] = { "calibration", "multiplier", "clear", "reset", "test" };

        CHECK(p, d, !d->danger || !d->writable);
        for (size_t i = 0; i < ELEMENTS(dangerous); i++)
                if (strcasestr(d->name, dangerous[i]))
                        CHECK(p, d, d->danger != DANGER_NONE);
}

static void what_is_dangerous_is_marked_and_never_written(void **state) {
        (void) state;
        each_row(check_danger);
}

static void check_not_written(const struct profile *p, const struct profile_datapoint *d) {
        CHECK(p, d, !d->writable || d->quantity == Q_NONE);
        CHECK(p, d, !d->writable || !is_phase(d->layout));
}

static void measured_values_are_not_written(void **state) {
        (void) state;
        each_row(check_not_written);
}

static void check_direction(const struct profile *p, const struct profile_datapoint *d) {
        const struct profile_datapoint *told;

        if (!d->direction_id)
                return;
        CHECK(p, d, d->quantity == Q_POWER);
        told = profile_datapoint(p, d->direction_id);
        CHECK(p, d, told != NULL);
        CHECK(p, d, told->type == DATAPOINT_ENUM || told->type == DATAPOINT_BOOL);
        CHECK(p, d, told->quantity == Q_NONE && !told->writable);
        CHECK(p, d, d->direction_reverse == 1);
}

static void a_direction_is_told_by_a_row_of_the_profile(void **state) {
        (void) state;
        each_row(check_direction);
}

static void each_channel_has_rows(void **state) {
        (void) state;
        for (unsigned i = 0; i < BUILTINS; i++)
                for (unsigned c = 1; c < profiles[i]->n_channels; c++) {
                        unsigned rows = 0;

                        for (unsigned n = 0; n < profiles[i]->n_datapoints; n++)
                                rows += profiles[i]->datapoints[n].channel == c;
                        if (rows == 0)
                                fail_msg("%s: nothing in channel %s", profiles[i]->name, profiles[i]->channels[c]);
                }
}

/* A second increment of one counter would be added twice, a second register would fight with the first. */
static void a_value_comes_from_one_row(void **state) {
        (void) state;
        for (unsigned i = 0; i < BUILTINS; i++) {
                unsigned rows[CHANNELS_MAX][Q_COUNT][2] = { 0 };

                for (unsigned n = 0; n < profiles[i]->n_datapoints; n++) {
                        const struct profile_datapoint *d = &profiles[i]->datapoints[n];

                        if (d->quantity != Q_NONE)
                                CHECK(profiles[i], d, ++rows[d->channel][d->quantity][d->is_increment] == 1);
                }
        }
}

static bool measures(const struct profile *p) {
        for (unsigned n = 0; n < p->n_datapoints; n++)
                if (p->datapoints[n].quantity <= Q_POWER || is_phase(p->datapoints[n].layout))
                        return true;
        return false;
}

static void each_measures_something(void **state) {
        (void) state;
        for (unsigned i = 0; i < BUILTINS; i++) {
                bool excused = false;

                for (size_t n = 0; n < ELEMENTS(nothing_measured); n++)
                        excused = excused || strcmp(profiles[i]->name, nothing_measured[n]) == 0;
                if (measures(profiles[i]) == excused)
                        fail_msg("%s: %s", profiles[i]->name,
                                 excused ? "measures now" : "no voltage, current, power");
        }
}

static const struct profile *find(const char *name) {
        for (unsigned i = 0; i < BUILTINS; i++)
                if (strcmp(profiles[i]->name, name) == 0)
                        return profiles[i];
        fail_msg("there is no %s", name);
        return NULL;
}

/* Values: where they come from and what one step of the raw number is. */
static const struct {
        const char *profile;
        unsigned dp;
        enum quantity quantity;
        const char *channel;
        int64_t step;
        unsigned direction;
} values[] = {
        { "pj-mgw1103", 18, Q_CURRENT, "", 1, 0 },
        { "pj-mgw1103", 19, Q_POWER, "", 100, 0 },
        { "pj-mgw1103", 20, Q_VOLTAGE, "", 100, 0 },
        { "ct-1203", 103, Q_POWER, "b", 100, 0 },
        { "pj-1103a-v2", 60, Q_ENERGY_EXPORT, "b", 10000, 0 },
        { "matsee-2way", 101, Q_POWER, "a", 100, 102 },
        { "matsee-2way", 105, Q_POWER, "b", 100, 104 },
        { "matsee-2way", 121, Q_POWER_FACTOR, "b", 10, 0 },
        { "matsee-2way-v2", 106, Q_POWER, "b", 100, 124 },
        { "matsee-2way-v2-a-first", 106, Q_POWER, "a", 100, 124 },
        { "matsee-2way-v2", 112, Q_ENERGY_IMPORT, "a", 10000, 0 },
        { "matsee-2way-v2-a-first", 112, Q_NONE, "", 0, 0 },
        { "dual-clamp-jbar", 104, Q_POWER, "b", 100, 142 },
        { "dual-clamp-jbar", 107, Q_NONE, "", 0, 0 },
        { "dual-clamp-jbar", 110, Q_ENERGY_IMPORT, "", 10000, 0 },
        { "wmdl-2c", 113, Q_POWER, "b", 100, 108 },
        { "dual-dl02", 123, Q_ENERGY_IMPORT, "", 1000, 0 },
        { "tompd-63lw", 104, Q_POWER_FACTOR, "", 1, 0 },
        { "tompd-63lw", 105, Q_FREQUENCY, "", 100, 0 },
        { "tomzn-60a", 101, Q_ENERGY_IMPORT, "", 10000, 0 },
        { "sdm01", 117, Q_POWER_FACTOR, "l2", 10, 0 },
        { "sdm01", 123, Q_POWER, "l3", 1000, 0 },
        { "eaemp3c", 112, Q_REACTIVE_POWER, "", 100000, 0 },
        { "eaemp3c", 130, Q_NONE, "", 0, 0 },
        { "ktem06pro", 101, Q_NONE, "", 0, 0 },
        { "pc321-ty", 122, Q_CURRENT, "l3", 1, 0 },
        { "pc311-ty", 116, Q_REACTIVE_POWER, "b", 1000, 0 },
        { "pc473", 107, Q_VOLTAGE, "l2", 100, 0 },
        { "kws-306wf", 103, Q_POWER_FACTOR, "l2", 10, 0 },
        { "kws-306wf", 125, Q_VOLTAGE, "l1", 10, 0 },
        { "hisb-80a", 102, Q_ENERGY_IMPORT, "", 1000000, 0 },
        { "hisb-80a", 105, Q_CURRENT, "l2", 10, 0 },
        { "at4p", 19, Q_POWER, "", 10, 0 },
        { "at2pl", 134, Q_POWER_FACTOR, "", 10, 0 },
        { "dt20", 122, Q_TEMPERATURE, "", 100, 0 },
        { "dds238-pfirst", 111, Q_POWER_FACTOR, "", 1, 0 },
};

static void values_of_single_meters(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(values); i++) {
                const struct profile *p = find(values[i].profile);
                const struct profile_datapoint *d = profile_datapoint(p, (uint8_t) values[i].dp);

                assert_non_null(d);
                CHECK(p, d, d->quantity == (uint8_t) values[i].quantity);
                CHECK(p, d, strcmp(p->channels[d->channel], values[i].channel) == 0);
                CHECK(p, d, d->direction_id == values[i].direction);
                if (d->quantity != Q_NONE)
                        CHECK(p, d, d->scale_num == values[i].step);
        }
}

/* Raw rows, dangers, increments, evidence. */
static const struct {
        const char *profile;
        unsigned dp;
        unsigned layout, danger;
        bool increment, writable;
        const char *channel;
        unsigned evidence;
} marks[] = {
        { "pj-mgw1103", 17, 0, 0, false, false, "", EVIDENCE_STATED },
        { "pj-mgw1103", 21, 0, DANGER_TEST, false, false, "", EVIDENCE_STATED },
        { "pj-mgw1103", 52, 0, 0, false, true, "", EVIDENCE_STATED },
        { "matsee-2way", 128, 0, DANGER_CALIBRATION, false, false, "", EVIDENCE_STATED },
        { "pj2101a", 6, LAYOUT_PHASE, 0, false, false, "", EVIDENCE_DISPUTED },
        { "wmdl-2c", 105, 0, 0, false, false, "", EVIDENCE_DISPUTED },
        { "clamp-gk3j", 104, 0, 0, true, false, "", EVIDENCE_STATED },
        { "tompd-63wifi", 13, 0, 0, false, false, "", EVIDENCE_DISPUTED },
        { "tompd-63wifi", 17, LAYOUT_LIMITS_BREAKER, 0, false, true, "", EVIDENCE_STATED },
        { "tompd-63wifi", 18, LAYOUT_LIMITS_METER, 0, false, true, "", EVIDENCE_STATED },
        { "tompd-63lw", 21, 0, DANGER_TEST, false, false, "", EVIDENCE_STATED },
        { "tompd-63lw", 34, 0, DANGER_RESET, false, false, "", EVIDENCE_STATED },
        { "tac2121c", 3, LAYOUT_MONTH, 0, false, false, "", EVIDENCE_CAPTURED },
        { "tac2121c", 4, LAYOUT_DAY, 0, false, false, "", EVIDENCE_CAPTURED },
        { "tac2121c", 101, 0, 0, false, false, "", EVIDENCE_STATED },
        { "zndb-2giec", 12, 0, DANGER_RESET, false, false, "", EVIDENCE_CAPTURED },
        { "zndb-2giec", 17, LAYOUT_LIMITS_METER, 0, false, true, "", EVIDENCE_CAPTURED },
        { "zmai-90", 17, 0, 0, true, false, "", EVIDENCE_CAPTURED },
        { "eaemp3c", 8, LAYOUT_PHASE, 0, false, false, "l3", EVIDENCE_CAPTURED },
        { "eaemp3c", 114, LAYOUT_PHASE_VCPQFF, 0, false, false, "l2", EVIDENCE_CAPTURED },
        { "eaemp3c", 112, 0, 0, false, false, "", EVIDENCE_DISPUTED },
        { "ktem06pro", 7, LAYOUT_PHASE_PQFCV, 0, false, false, "l2", EVIDENCE_STATED },
        { "dds238-pfirst", 6, LAYOUT_PHASE_PQFCV, 0, false, false, "", EVIDENCE_CAPTURED },
        { "owon-pc341", 6, LAYOUT_PHASE, 0, false, false, "l1", EVIDENCE_STATED },
        { "as-sm-63a", 18, LAYOUT_NONE, 0, false, true, "", EVIDENCE_STATED },
        { "at4p", 20, 0, 0, false, false, "", EVIDENCE_DISPUTED },
};

static void marks_of_single_meters(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(marks); i++) {
                const struct profile *p = find(marks[i].profile);
                const struct profile_datapoint *d = profile_datapoint(p, (uint8_t) marks[i].dp);

                assert_non_null(d);
                CHECK(p, d, d->layout == marks[i].layout);
                CHECK(p, d, d->danger == marks[i].danger);
                CHECK(p, d, d->is_increment == marks[i].increment);
                CHECK(p, d, d->writable == marks[i].writable);
                CHECK(p, d, strcmp(p->channels[d->channel], marks[i].channel) == 0);
                CHECK(p, d, d->evidence == marks[i].evidence);
        }
}

static void speeds_that_are_known(void **state) {
        static const char *const at_9600[] = { "tompd-63wifi", "tomzn-60a", "tac2121c", "spm01-d2tw", "zmai-90" };
        static const char *const at_115200[] = { "pj-mgw1103", "tongou-sy", "tosa1", "at4p" };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(at_9600); i++)
                assert_int_equal(find(at_9600[i])->bauds[0], 9600);
        for (size_t i = 0; i < ELEMENTS(at_115200); i++)
                assert_int_equal(find(at_115200[i])->bauds[0], 115200);
}

/* Which profiles stand on captured bytes. */
static void what_is_proven_by_captures(void **state) {
        static const char *const captured[] = { "dds238-pfirst", "eaemp3c", "emylo-eai90", "pj-mgw1103", "spm01-d2tw",
                                                "tac2121c", "tomzn-60a", "zmai-90", "zndb-2giec" };
        size_t n = 0;

        (void) state;
        for (unsigned i = 0; i < BUILTINS; i++)
                if (profiles[i]->evidence == EVIDENCE_CAPTURED) {
                        assert_true(n < ELEMENTS(captured));
                        assert_string_equal(profiles[i]->name, captured[n++]);
                }
        assert_int_equal(n, ELEMENTS(captured));
}

static void explained(const char *manual, const struct schema_row *fields) {
        char key[64];

        for (const struct schema_row *f = fields; f->key; f++) {
                snprintf(key, sizeof key, "`%s", f->key);
                if (!strstr(manual, key))
                        fail_msg("docs/add-a-meter.md does not explain %s", f->key);
                if (f->fields && f->shape == SCHEMA_LIST)
                        explained(manual, f->fields);
        }
}

/* The manual explains every key, and its example is a profile. */
static void the_manual_is_true(void **state) {
        static const char begin[] = "```yaml\n", end[] = "\n```\n";
        CLEANUP(profile_freep) struct profile *p = NULL;
        struct config_error error = { .text = "" };
        struct buffer text;
        char *example, *stop;

        (void) state;
        buffer_init(&text, 1 << 20);
        if (read_file(TOP_SRCDIR "/docs/add-a-meter.md", true, &text, &error) < 0)
                fail_msg("%s", error.text);
        buffer_putc(&text, '\0');
        explained((char *) text.data, profile_fields);
        example = strstr((char *) text.data, begin);
        assert_non_null(example);
        example += strlen(begin);
        stop = strstr(example, end);
        assert_non_null(stop);
        if (profile_parse("example", example, (size_t) (stop - example), &p, &error) < 0)
                fail_msg("%s", error.text);
        assert_int_equal(p->n_channels, 3);
        buffer_free(&text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_are_there),
                cmocka_unit_test(a_product_key_means_one_profile),
                cmocka_unit_test(numbers_are_unique),
                cmocka_unit_test(types_fit_what_they_hold),
                cmocka_unit_test(scales_are_plausible),
                cmocka_unit_test(what_is_dangerous_is_marked_and_never_written),
                cmocka_unit_test(measured_values_are_not_written),
                cmocka_unit_test(a_direction_is_told_by_a_row_of_the_profile),
                cmocka_unit_test(each_channel_has_rows),
                cmocka_unit_test(a_value_comes_from_one_row),
                cmocka_unit_test(each_measures_something),
                cmocka_unit_test(values_of_single_meters),
                cmocka_unit_test(marks_of_single_meters),
                cmocka_unit_test(speeds_that_are_known),
                cmocka_unit_test(what_is_proven_by_captures),
                cmocka_unit_test(the_manual_is_true),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, load_all, free_all);
}
