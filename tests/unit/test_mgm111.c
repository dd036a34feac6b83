/* The simulated radio module against the published bytes and texts, and against plain arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tools/mgm111.h"

enum { START = 1000000, BOOT = 2000, RADIO = 85 };

struct fixture {
        struct mgm111 module;
        uint64_t now_ms;
        unsigned n_told;
        struct mgm111_expected told;
        char out[2 * MGM111_OUTPUT_MAX + 1];  /* as hex */
};

static void on_answered(void *userdata, const struct mgm111_expected *expected) {
        struct fixture *f = userdata;

        f->n_told++;
        f->told = *expected;
}

static void take(struct fixture *f) {
        uint8_t bytes[MGM111_OUTPUT_MAX];
        size_t n = mgm111_output(&f->module, bytes);

        f->out[0] = '\0';
        for (size_t i = 0; i < n; i++)
                snprintf(f->out + 2 * i, 3, "%02X", bytes[i]);
}

static void wait(struct fixture *f, uint64_t ms) {
        f->now_ms += ms;
        mgm111_run(&f->module, f->now_ms);
        take(f);
}

/* Ready to answer, without a word so far. */
static void setup(struct fixture *f, struct mgm111_options options) {
        *f = (struct fixture) { .now_ms = START };
        options.answered = on_answered;
        options.userdata = f;
        mgm111_init(&f->module, &options, f->now_ms);
        wait(f, BOOT);
}

/* What comes back within the time that the radio takes. */
static void say(struct fixture *f, const char *text) {
        mgm111_input(&f->module, f->now_ms, (const uint8_t *) text, strlen(text));
        wait(f, RADIO);
}

static void hex_of(const char *text, char *hex) {
        for (; *text; text++, hex += 2)
                snprintf(hex, 3, "%02X", (unsigned char) *text);
        *hex = '\0';
}

/* Text, then hex. */
static void assert_out(const struct fixture *f, const char *text, const char *hex) {
        char expected[2 * MGM111_OUTPUT_MAX + 1];

        hex_of(text, expected);
        strcat(expected, hex);
        assert_string_equal(f->out, expected);
}

/* --- frames ------------------------------------------------------------------------------------------------ */

static void test_control_answers_as_described(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7 });
        say(&f, "$f\r");
        assert_out(&f, "", "24016601070D");
        say(&f, "$m\r");
        assert_out(&f, "", "24016D08BC9A0080EBD5B3700D");
        say(&f, "$i\r");
        assert_out(&f, "", "240169080123456789AB5C3F0D");
        say(&f, "$j\r");
        assert_out(&f, "", "24016A01010D");
        mgm111_set_state(&f.module, MGM111_OUT_OF_REACH);
        say(&f, "$j\r");
        assert_out(&f, "", "24016A01010D");
        mgm111_set_state(&f.module, MGM111_UNPROVISIONED);
        say(&f, "$j\r");
        assert_out(&f, "", "24016A01000D");
}

/* The example of a solar home: sequence 0x91, 5858944 Wh, 7926904 Wh, 909 W. */
static void test_attributes_as_published(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .import_counts = 5858944, .export_counts = 7926904 });
        f.module.sequence = 0x91;
        mgm111_set_power(&f.module, f.now_ms, 909000);
        say(&f, "$r\r");
        assert_out(&f, "", "2401722C189101000000258066590000000100002578F47800000001030022010000"
                           "02030022E803000004002A8D03000D");
        assert_true(f.told.has_power && f.told.has_import && f.told.has_export);
        assert_int_equal(f.told.power_mw, 909000);
        assert_int_equal(f.told.import_mwh, INT64_C(5858944000));
        assert_int_equal(f.told.export_mwh, INT64_C(7926904000));
}

/* 3 over 5000 on a record: 66367.6344 kWh and 1815.6 W, 528.55 s after the start. */
static void test_record_as_published(void **state) {
        char expected[2 * 157 + 1];
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 2, .multiplier = 3, .divisor = 5000,
                                            .import_counts = 110612724 });
        wait(&f, 528550 - BOOT - RADIO);
        mgm111_set_power(&f.module, f.now_ms, 1815600);
        say(&f, "$r\r");
        memset(expected, '0', sizeof expected - 1);
        expected[sizeof expected - 1] = '\0';
        memcpy(expected, "24017298", 8);
        memcpy(expected + 8 + 2 * 4, "0697D0F4", 8);
        memcpy(expected + 8 + 2 * 44, "00000003000013882C2B", 20);
        memcpy(expected + 8 + 2 * 57, "000BD2", 6);
        memcpy(expected + 8 + 2 * 148, "A61008000D", 10);
        assert_out(&f, "", expected);
        assert_false(f.told.has_export);
        assert_int_equal(f.told.power_mw, 1815600);
        assert_int_equal(f.told.import_mwh, INT64_C(66367634400));
}

static void test_export_is_negative(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7 });
        mgm111_set_power(&f.module, f.now_ms, -2);
        say(&f, "$r\r");
        assert_string_equal(f.out + strlen(f.out) - 8, "0000000D");
        assert_int_equal(f.told.power_mw, 0);
        mgm111_set_power(&f.module, f.now_ms, -1234567);
        say(&f, "$r\r");
        assert_string_equal(f.out + strlen(f.out) - 8, "2DFBFF0D");
        assert_int_equal(f.told.power_mw, -1235000);
}

static void test_sequence_wraps(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .no_export = true });
        for (unsigned i = 0; i < 257; i++) {
                char sequence[3];

                say(&f, "$r\r");
                snprintf(sequence, sizeof sequence, "%02X", i & 0xff);
                assert_memory_equal(f.out + 10, sequence, 2);
        }
}

/* --- the console ------------------------------------------------------------------------------------------- */

/* Text and frame of stream-chatter-synthetic.hex, which has the published order of lines. */
#define CHATTER_READING \
        "24017225184301000000250100000000000100860103002201000002030022E803000004002A0A00000D"

static void test_chatter_of_a_reading(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .log_level = 20, .no_export = true, .import_counts = 1 });
        assert_out(&f, "SeIhd>", "");
        f.module.sequence = 67;
        mgm111_set_power(&f.module, f.now_ms, 10000);
        mgm111_input(&f.module, f.now_ms, (const uint8_t *) "$r\r", 3);
        take(&f);
        assert_out(&f, "$r\r\nSeIhd>", "");
        wait(&f, RADIO);
        assert_out(&f, "SeIhd>\r\nT00000000:RX len 37, ep 01, clus 0x0702 (Simple Metering) FC 18 seq 43 cmd 01 "
                       "payload[00 00 00 25 01 00 00 00 00 00 01 00 86 01 03 00 22 01 00 00 02 03 00 22 E8 03 00 "
                       "00 04 00 2A 0A 00 00 ]\r\n-- Got Meter Rsp, len=37, 67 = 67?\r\nsMRB len 37\r\n",
                   CHATTER_READING);
}

static void test_log_levels(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 0 });
        say(&f, "\r$f\rnonsense\r");
        assert_out(&f, "", "24016601080D");
        say(&f, "loglevel 10\r");
        assert_out(&f, "SeIhd>", "");
        say(&f, "nonsense\r");
        assert_out(&f, "No such command\r\nUsage:\r\n<int>: 123 or 0x1ABC\r\nSeIhd>", "");
        say(&f, "logLevel 20\r");
        assert_out(&f, "SeIhd>", "");
        say(&f, "$f\r");
        assert_out(&f, "$f\r\nSeIhd>", "24016601080D");
        mgm111_power_cycle(&f.module, f.now_ms);
        wait(&f, BOOT);
        say(&f, "nonsense\r");
        assert_out(&f, "", "");
}

static void test_older_firmware_has_no_console(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .log_level = 20 });
        say(&f, "\rnonsense\rloglevel 20\r$f\r");
        assert_out(&f, "", "24016601070D");
        mgm111_notice(&f.module, 1);
        take(&f);
        assert_out(&f, "", "");
}

static void test_forbidden_commands_are_counted(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 8 });
        say(&f, "$x\r$f\rhelp\r\r");
        assert_int_equal(f.module.forbidden, 0);
        say(&f, "$s\rkeys print\rprintKeys\rbtldr\r");
        assert_int_equal(f.module.forbidden, 4);
        say(&f, "$d\r$j\r");
        assert_out(&f, "", "24016A01000D");
        assert_int_equal(f.module.forbidden, 5);
}

/* --- states ------------------------------------------------------------------------------------------------ */

static void test_nothing_before_it_has_started(void **state) {
        struct fixture f = { .now_ms = START };

        (void) state;
        mgm111_init(&f.module, &(struct mgm111_options) { .boot_ms = 500 }, f.now_ms);
        assert_int_equal(mgm111_deadline(&f.module), START + 500);
        say(&f, "$f\r");
        assert_out(&f, "", "");
        wait(&f, 500);
        assert_int_equal(mgm111_deadline(&f.module), MGM111_NEVER);
        say(&f, "$f\r");
        assert_out(&f, "", "24016601080D");
}

static void test_states_without_readings(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .state = MGM111_SILENT });
        say(&f, "$f\r$j\r$r\r");
        assert_out(&f, "", "");
        mgm111_set_state(&f.module, MGM111_OUT_OF_REACH);
        say(&f, "$r\r$f\r");
        assert_out(&f, "", "24016601070D");
        mgm111_set_state(&f.module, MGM111_UNPROVISIONED);
        say(&f, "$r\r");
        assert_out(&f, "", "");
        assert_int_equal(f.n_told, 0);
        mgm111_set_state(&f.module, MGM111_REACHABLE);
        say(&f, "$r\r");
        assert_int_equal(f.n_told, 1);
}

static void test_poor_radio(void **state) {
        unsigned notices = 0, answers = 0;
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 8, .loss_percent = 40, .seed = 7 });
        for (unsigned i = 0; i < 1000; i++) {
                say(&f, "$r\r");
                notices += strncmp(f.out, "240165", 6) == 0;
                answers += strncmp(f.out, "240172", 6) == 0;
        }
        assert_int_equal(answers, f.n_told);
        assert_in_range(answers, 550, 650);
        assert_in_range(notices, 80, 190);
}

/* --- flaws ------------------------------------------------------------------------------------------------- */

static void test_flaws_are_told_as_such(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .import_counts = 1, .export_counts = 2 });
        mgm111_set_flaw(&f.module, MGM111_SPIKE, 1);
        say(&f, "$r\r");
        assert_memory_equal(f.out + 22, "010000000100", 12);
        assert_true(f.told.has_power && !f.told.has_import && f.told.has_export);
        mgm111_set_flaw(&f.module, MGM111_ALL_ONES, 1);
        say(&f, "$r\r");
        assert_memory_equal(f.out + 22, "FFFFFFFFFFFF01000025FFFFFFFFFFFF", 32);
        assert_true(f.told.has_power && !f.told.has_import && !f.told.has_export);
        mgm111_set_flaw(&f.module, MGM111_NO_POWER, 1);
        say(&f, "$r\r");
        assert_string_equal(f.out + strlen(f.out) - 8, "0000800D");
        assert_true(!f.told.has_power && f.told.has_import && f.told.has_export);
        mgm111_set_flaw(&f.module, MGM111_ALL_ZERO, 1);
        assert_int_equal(f.n_told, 3);
        say(&f, "$r\r");
        assert_int_equal(f.n_told, 3);
        assert_out(&f, "", "2401722C180301000000250000000000000100002500000000000001030022000000"
                           "020300220000000004002A0000000D");
        say(&f, "$r\r");
        assert_true(f.told.has_power && f.told.has_import && f.told.has_export);
        assert_memory_equal(f.out + 22, "010000000000", 12);
}

static void test_a_duplicate_is_the_same_twice(void **state) {
        struct fixture f;
        size_t half;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7 });
        mgm111_set_flaw(&f.module, MGM111_DUPLICATE, 1);
        say(&f, "$r\r");
        half = strlen(f.out) / 2;
        assert_int_equal(half, 2 * 49);
        assert_memory_equal(f.out, f.out + half, half);
        say(&f, "$r\r");
        assert_int_equal(strlen(f.out), 2 * 49);
}

/* --- energy ------------------------------------------------------------------------------------------------ */

static void test_the_ledger_counts_what_flows(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .import_counts = 10, .export_counts = 20 });
        mgm111_set_power(&f.module, f.now_ms, 3600000);
        wait(&f, 10000);
        assert_int_equal(mgm111_ledger_import(&f.module), 10000);  /* nobody has been told yet */
        mgm111_set_power(&f.module, f.now_ms, -1800000);
        wait(&f, 20000 - RADIO);
        say(&f, "$r\r");
        assert_int_equal(mgm111_ledger_import(&f.module), 20000);
        assert_int_equal(mgm111_ledger_export(&f.module), 30000);
        assert_int_equal(f.told.import_mwh, 20000);
        assert_int_equal(f.told.export_mwh, 30000);
}

static void test_a_reset_loses_nothing(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .import_counts = 1000 });
        mgm111_set_power(&f.module, f.now_ms, 3600000);
        mgm111_reset(&f.module);
        wait(&f, 10000 - RADIO);
        assert_int_equal(f.module.import.shown, 1000);  /* not before it has answered */
        say(&f, "$r\r");
        assert_int_equal(f.told.import_mwh, 1010000);
        wait(&f, 5000 - RADIO);
        say(&f, "$r\r");
        assert_memory_equal(f.out + 22, "050000000000", 12);
        assert_int_equal(f.told.import_mwh, 1015000);
}

static void test_nothing_flows_while_the_meter_is_exchanged(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .import_counts = 1000, .export_counts = 5 });
        mgm111_set_power(&f.module, f.now_ms, 3600000);
        mgm111_replace(&f.module, 7, 3);
        wait(&f, 10000 - RADIO);
        say(&f, "$r\r");
        wait(&f, 3600000);
        say(&f, "$r\r");
        assert_memory_equal(f.out + 22, "070000000000", 12);
        assert_int_equal(f.told.power_mw, 0);
        assert_int_equal(f.told.import_mwh, 1010000);
        wait(&f, 2000 - RADIO);
        say(&f, "$r\r");
        assert_memory_equal(f.out + 22, "090000000000", 12);
        assert_int_equal(f.told.power_mw, 3600000);
        assert_int_equal(f.told.import_mwh, 1012000);
        assert_int_equal(f.told.export_mwh, 5000);
}

static void test_lost_answers_tell_nothing(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct mgm111_options) { .firmware = 7, .loss_percent = 100 });
        mgm111_set_power(&f.module, f.now_ms, 3600000);
        wait(&f, 10000);
        say(&f, "$r\r");
        assert_int_equal(mgm111_ledger_import(&f.module), 0);
        mgm111_set_loss(&f.module, 0);
        wait(&f, 10000 - 2 * RADIO);
        say(&f, "$r\r");
        assert_int_equal(mgm111_ledger_import(&f.module), 20000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_control_answers_as_described),
                cmocka_unit_test(test_attributes_as_published),
                cmocka_unit_test(test_record_as_published),
                cmocka_unit_test(test_export_is_negative),
                cmocka_unit_test(test_sequence_wraps),
                cmocka_unit_test(test_chatter_of_a_reading),
                cmocka_unit_test(test_log_levels),
                cmocka_unit_test(test_older_firmware_has_no_console),
                cmocka_unit_test(test_forbidden_commands_are_counted),
                cmocka_unit_test(test_nothing_before_it_has_started),
                cmocka_unit_test(test_states_without_readings),
                cmocka_unit_test(test_poor_radio),
                cmocka_unit_test(test_flaws_are_told_as_such),
                cmocka_unit_test(test_a_duplicate_is_the_same_twice),
                cmocka_unit_test(test_the_ledger_counts_what_flows),
                cmocka_unit_test(test_a_reset_loses_nothing),
                cmocka_unit_test(test_nothing_flows_while_the_meter_is_exchanged),
                cmocka_unit_test(test_lost_answers_tell_nothing),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
