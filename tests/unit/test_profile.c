/* Device profiles: the built-in ones, the format, and the line that each kind of mistake gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/profile_file.h"
#include "protocols/quantity.h"
#include "protocols/tuyamcu/layout.h"

#define HEAD "name: x\ntitle: X\nprotocol: tuyamcu\nevidence: stated\n"
#define ROWS HEAD "channels: [a]\ndatapoints:\n"  /* the first row stands in line 7 */

static const struct { const char *text; const char *message; } mistakes[] = {
        { "", "1:1: the file holds no profile; expected name, title, protocol, evidence and datapoints" },
        { "[]\n", "1:1: a list is not a map; expected a map of \"key: value\" lines" },
        { "title: X\n", "1:1: name: missing; expected 1 to 32 of a-z, 0-9 and -" },
        { HEAD, "1:1: datapoints: missing; expected a list of datapoints" },
        { HEAD "datapoint: []\n",
          "5:1: datapoint: unknown key; expected one of: name, title, protocol, product_keys, evidence, "
          "source, baud, poll, channels, datapoints" },
        { "name: X\n", "1:7: name: \"X\" is not a name; expected 1 to 32 of a-z, 0-9 and -" },
        { "name: x\ntitle: X\nprotocol: modbus\n",
          "3:11: protocol: there is no protocol \"modbus\"; expected the name of a protocol such as tuyamcu" },
        { "name: x\ntitle: X\nprotocol: tuyamcu\nevidence: sure\n",
          "4:11: evidence: \"sure\" is none of these; expected captured, stated or disputed" },
        { HEAD "product_keys: [short]\n",
          "5:16: product_keys[0]: \"short\" is not a product key; expected 8 or 16 letters and digits" },
        { HEAD "product_keys: ['abcd_efg']\n",
          "5:16: product_keys[0]: \"abcd_efg\" is not a product key; expected 8 or 16 letters and digits" },
        { HEAD "product_keys: [abcdefgh, abcdefgh]\n",
          "5:26: product_keys[1]: \"abcdefgh\" stands here a second time; expected each key once" },
        { HEAD "baud: [9601]\n",
          "5:8: baud[0]: \"9601\" is not a usual speed; expected a list of speeds such as [115200, 9600]" },
        { HEAD "baud: [300, 600, 1200, 2400, 4800]\n",
          "5:7: baud: 5 items are too many, the limit is 4; expected a list of speeds such as [115200, 9600]" },
        { HEAD "poll: 1d\n", "5:7: poll: \"1d\" is out of range; expected 1s to 5min" },
        { HEAD "channels: [A]\n",
          "5:12: channels[0]: \"A\" is not a channel's name; expected 1 to 8 of a-z and 0-9" },
        { HEAD "channels: [a, b, a]\n",
          "5:18: channels[2]: \"a\" stands here a second time; expected each channel once" },
        { HEAD "channels: [a, b, c, d, e, f, g, h]\n",
          "5:11: channels: 8 items are too many, the limit is 7; expected a list of channel names such as [a, b]" },
        { HEAD "datapoints: {}\n", "5:13: datapoints: a map is not a list; expected a list of datapoints" },
        { ROWS "  - { type: value }\n", "7:5: datapoints[0].dp: missing; expected a datapoint number, 1 to 255" },
        { ROWS "  - { dp: 1 }\n",
          "7:5: datapoints[0].type: missing; expected raw, bool, value, string, enum or bitmap" },
        { ROWS "  - { dp: 0, type: value }\n",
          "7:11: datapoints[0].dp: \"0\" is out of range; expected a datapoint number, 1 to 255" },
        { ROWS "  - { dp: 256, type: value }\n",
          "7:11: datapoints[0].dp: \"256\" is out of range; expected a datapoint number, 1 to 255" },
        { ROWS "  - { dp: 1, type: value, scael: 1 }\n",
          "7:27: datapoints[0].scael: unknown key; expected one of: dp, type, name, "
          "channel, layout, increment, quantity, scale, power_scale, unit, sign, direction, access, range, danger, "
          "evidence" },
        { ROWS "  - { dp: 1, type: int }\n",
          "7:20: datapoints[0].type: \"int\" is none of these; expected raw, bool, value, string, enum or bitmap" },
        { ROWS "  - { dp: 1, type: value }\n  - { dp: 1, type: bool }\n",
          "8:11: datapoints[1].dp: datapoint \"1\" stands here a second time; expected each datapoint once" },
        { ROWS "  - { dp: 1, type: value, quantity: power_kw }\n",
          "7:37: datapoints[0].quantity: there is no quantity \"power_kw\"; expected a quantity's key such as "
          "power_w" },
        { ROWS "  - { dp: 1, type: string, quantity: power_w }\n",
          "7:38: datapoints[0].quantity: a datapoint of type string holds no number; expected type: value" },
        { ROWS "  - { dp: 1, type: raw, quantity: power_w }\n",
          "7:35: datapoints[0].quantity: a datapoint of type raw holds no number; expected type: value" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, channel: a }\n  - { dp: 2, type: value, quantity: "
          "power_w, channel: a }\n",
          "8:37: datapoints[1].quantity: \"power_w\" comes from datapoint 1 already; expected each quantity of "
          "a channel once" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, channel: b }\n",
          "7:55: datapoints[0].channel: \"b\" is not in the profile's channels; expected one of the profile's "
          "channels" },
        { ROWS "  - { dp: 1, type: value, channel: a }\n",
          "7:5: datapoints[0]: channel, sign and direction mean nothing without a quantity; expected a quantity "
          "beside them" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, scale: 0 }\n",
          "7:53: datapoints[0].scale: \"0\" is not a scale; "
          "expected a positive decimal number with up to 12 places such as 0.001" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, scale: 1e-3 }\n",
          "7:53: datapoints[0].scale: \"1e-3\" is not a scale; "
          "expected a positive decimal number with up to 12 places such as 0.001" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, sign: minus }\n",
          "7:52: datapoints[0].sign: \"minus\" is none of these; expected normal or inverted" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, direction: 2 }\n",
          "7:57: datapoints[0].direction: \"2\" is not a map; expected a map of \"key: value\" lines" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, direction: { dp: 1, reverse: 1 } }\n",
          "7:63: datapoints[0].direction.dp: a datapoint cannot be its own direction; expected another datapoint" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, direction: { dp: 2 } }\n",
          "7:57: datapoints[0].direction.reverse: missing; expected a number, 0 to 255" },
        { ROWS "  - { dp: 1, type: value, access: w }\n",
          "7:35: datapoints[0].access: \"w\" is none of these; expected r or rw" },
        { ROWS "  - { dp: 1, type: raw, layout: phases }\n",
          "7:33: datapoints[0].layout: \"phases\" is none of these; expected phase, phase-vcpqff, phase-pqfcv, "
          "voltages, currents, powers, month, day, limits-meter or limits-breaker" },
        { ROWS "  - { dp: 1, type: value, layout: phase }\n",
          "7:35: datapoints[0].layout: a datapoint of type value has no layout; expected type: raw" },
        { ROWS "  - { dp: 1, type: raw, layout: phase, quantity: power_w }\n",
          "7:50: datapoints[0].quantity: a datapoint of type raw holds no number; expected type: value" },
        { ROWS "  - { dp: 1, type: raw, layout: phase, scale: 0.1 }\n",
          "7:47: datapoints[0].scale: the layout has its own scales; expected no scale beside it" },
        { ROWS "  - { dp: 1, type: raw, layout: phase, unit: W }\n",
          "7:46: datapoints[0].unit: a datapoint of type raw holds no number; expected type: value" },
        { ROWS "  - { dp: 1, type: raw, layout: phase, power_scale: 10 }\n",
          "7:53: datapoints[0].power_scale: \"10\" is none of these; expected 1 or 0.1" },
        { ROWS "  - { dp: 1, type: raw, layout: currents, power_scale: 1 }\n",
          "7:33: datapoints[0].layout: it brings the first three channels; expected three channels in the profile" },
        { ROWS "  - { dp: 1, type: raw, layout: day, power_scale: 1 }\n",
          "7:51: datapoints[0].power_scale: there is no power to scale; expected the layout of a phase or of "
          "powers beside it" },
        { ROWS "  - { dp: 1, type: value, power_scale: 1 }\n",
          "7:40: datapoints[0].power_scale: there is no power to scale; expected the layout of a phase or of "
          "powers beside it" },
        { ROWS "  - { dp: 1, type: raw, layout: powers, channel: a }\n",
          "7:33: datapoints[0].layout: it brings the first three channels; expected no channel beside it" },
        { ROWS "  - { dp: 1, type: raw, layout: month, channel: a }\n",
          "7:5: datapoints[0]: channel, sign and direction mean nothing without a quantity; expected a quantity "
          "beside them" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, increment: true }\n",
          "7:37: datapoints[0].quantity: \"power_w\" does not come in increments; expected energy_import_kwh or "
          "energy_export_kwh" },
        { ROWS "  - { dp: 1, type: value, increment: true }\n",
          "7:5: datapoints[0]: an increment means nothing without a quantity; expected energy_import_kwh or "
          "energy_export_kwh beside it" },
        { ROWS "  - { dp: 1, type: value, increment: yes }\n",
          "7:38: datapoints[0].increment: \"yes\" is none of these; expected true or false" },
        { ROWS "  - { dp: 1, type: value, danger: fire }\n",
          "7:35: datapoints[0].danger: \"fire\" is none of these; expected calibration, reset or test" },
        { ROWS "  - { dp: 1, type: bool, danger: reset, access: rw }\n",
          "7:34: datapoints[0].danger: what is dangerous is never written; expected access: r beside it" },
        { ROWS "  - { dp: 1, type: value, range: [0, 1] }\n",
          "7:34: datapoints[0].range: only what is written has a range; expected access: rw beside it" },
        { ROWS "  - { dp: 1, type: bool, access: rw, range: [0, 1] }\n",
          "7:45: datapoints[0].range: a datapoint of type bool has no range; expected type: value or enum" },
        { ROWS "  - { dp: 1, type: raw, access: rw, range: [0, 1] }\n",
          "7:44: datapoints[0].range: a datapoint of type raw has no range; expected type: value or enum" },
        { ROWS "  - { dp: 1, type: value, access: rw, range: 5 }\n",
          "7:46: datapoints[0].range: not a pair of numbers; expected [LOWEST, HIGHEST], such as [0, 86400]" },
        { ROWS "  - { dp: 1, type: value, access: rw, range: [1, 2, 3] }\n",
          "7:46: datapoints[0].range: not a pair of numbers; expected [LOWEST, HIGHEST], such as [0, 86400]" },
        { ROWS "  - { dp: 1, type: value, access: rw, range: [5, 4] }\n",
          "7:46: datapoints[0].range: the first number is above the second; expected [LOWEST, HIGHEST], such as "
          "[0, 86400]" },
        { ROWS "  - { dp: 1, type: value, access: rw, range: [0, on] }\n",
          "7:50: datapoints[0].range[1]: \"on\" is not a number; expected [LOWEST, HIGHEST], such as [0, 86400]" },
        { ROWS "  - { dp: 1, type: value, access: rw, range: [0, 4294967296] }\n",
          "7:50: datapoints[0].range[1]: \"4294967296\" is out of range; expected [LOWEST, HIGHEST], such as "
          "[0, 86400]" },
        { ROWS "  - { dp: 1, type: value, unit: kilowatt }\n",
          "7:33: datapoints[0].unit: too long, the limit is 7 bytes; expected a text of up to 7 bytes" },
        { ROWS "  - { dp: 1, type: value, quantity: power_w, unit: W }\n",
          "7:52: datapoints[0].unit: the quantity has its own unit; expected no unit beside it" },
        { ROWS "  - { dp: 1, type: value, name: 123456789012345678901234567890123456789012345678 }\n",
          "7:33: datapoints[0].name: too long, the limit is 47 bytes; expected a text of up to 47 bytes" },
};

static void each_mistake_gives_its_line(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(mistakes); i++) {
                struct config_error error = { .text = "" };
                struct profile *p = NULL;
                char message[CONFIG_ERROR_MAX];

                snprintf(message, sizeof message, "p.yaml:%s", mistakes[i].message);
                assert_int_equal(profile_parse("p.yaml", mistakes[i].text, strlen(mistakes[i].text), &p, &error),
                                 -EINVAL);
                assert_null(p);
                assert_string_equal(error.text, message);
        }
}

static struct profile *parse_good(const char *text) {
        struct config_error error = { .text = "" };
        struct profile *p = NULL;

        if (profile_parse("p.yaml", text, strlen(text), &p, &error) < 0)
                fail_msg("%s", error.text);
        return p;
}

static void the_smallest_one(void **state) {
        CLEANUP(profile_freep) struct profile *p = parse_good(HEAD "datapoints: []\n");

        (void) state;
        assert_string_equal(p->name, "x");
        assert_string_equal(p->protocol, "tuyamcu");
        assert_int_equal(p->evidence, EVIDENCE_STATED);
        assert_int_equal(p->n_product_keys, 0);
        assert_int_equal(p->n_bauds, 0);
        assert_int_equal(p->poll_ms, 0);
        assert_int_equal(p->n_channels, 1);
        assert_string_equal(p->channels[0], "");
        assert_int_equal(p->n_datapoints, 0);
}

/* One row of each kind; the scale is exact, from the raw step to the sample. */
static void rows(void **state) {
        CLEANUP(profile_freep) struct profile *p = parse_good(
                HEAD "poll: 3s\nchannels: [a, b]\ndatapoints:\n"
                "  - { dp: 101, type: value, quantity: power_w, scale: 0.1, channel: b, direction: { dp: 102, reverse: 1 } }\n"
                "  - { dp: 1, type: value, quantity: energy_import_kwh, scale: 0.00000015 }\n"
                "  - { dp: 2, type: value, quantity: reactive_power_var, scale: 1000, sign: inverted, evidence: disputed }\n"
                "  - { dp: 3, type: value, quantity: power_factor }\n"
                "  - { dp: 255, type: bitmap, name: fault, access: rw }\n"
                "  - { dp: 4, type: value, quantity: voltage_v, scale: 0.000000000001 }\n");
        const struct profile_datapoint *d = p->datapoints;

        (void) state;
        assert_int_equal(p->poll_ms, 3000);
        assert_int_equal(p->n_channels, 3);
        assert_int_equal(p->n_datapoints, 6);
        assert_int_equal(d[0].id, 101);
        assert_int_equal(d[0].quantity, Q_POWER);
        assert_int_equal(d[0].channel, 2);
        assert_int_equal(d[0].scale_num, 100);
        assert_int_equal(d[0].scale_den, 1);
        assert_int_equal(d[0].direction_id, 102);
        assert_int_equal(d[0].direction_reverse, 1);
        assert_int_equal(d[0].evidence, EVIDENCE_STATED);
        assert_false(d[0].inverted);
        assert_false(d[0].writable);
        assert_int_equal(d[1].scale_num, 3);      /* 0.15 mWh */
        assert_int_equal(d[1].scale_den, 20);
        assert_int_equal(d[2].scale_num, 1000000);
        assert_int_equal(d[2].scale_den, 1);
        assert_true(d[2].inverted);
        assert_int_equal(d[2].evidence, EVIDENCE_DISPUTED);
        assert_int_equal(d[3].scale_num, 1000);
        assert_int_equal(d[3].scale_den, 1);
        assert_int_equal(d[4].quantity, Q_NONE);
        assert_string_equal(d[4].name, "fault");
        assert_true(d[4].writable);
        assert_int_equal(d[4].scale_num, 1);
        assert_int_equal(d[4].scale_den, 1);
        assert_int_equal(d[5].scale_num, 1);
        assert_int_equal(d[5].scale_den, 1000000000);
}

/* What the rows of layouts bring stands beside scalar rows; only two scalar rows collide. */
static void rows_of_layouts(void **state) {
        CLEANUP(profile_freep) struct profile *p = parse_good(
                HEAD "channels: [l1, l2, l3]\ndatapoints:\n"
                "  - { dp: 6, type: raw, layout: phase, channel: l1, direction: { dp: 102, reverse: 1 } }\n"
                "  - { dp: 113, type: raw, layout: phase-vcpqff, channel: l1, power_scale: 1, sign: inverted }\n"
                "  - { dp: 7, type: value, quantity: power_w, channel: l1 }\n"
                "  - { dp: 103, type: raw, layout: powers, power_scale: 0.1, evidence: captured }\n"
                "  - { dp: 17, type: raw, layout: limits-breaker, access: rw }\n");
        const struct profile_datapoint *d = p->datapoints;

        (void) state;
        assert_int_equal(d[0].layout, LAYOUT_PHASE);
        assert_int_equal(d[0].quantity, Q_NONE);
        assert_int_equal(d[0].channel, 1);
        assert_int_equal(d[0].power_den, 0);
        assert_int_equal(d[0].direction_id, 102);
        assert_int_equal(d[1].layout, LAYOUT_PHASE_VCPQFF);
        assert_int_equal(d[1].power_den, 1);
        assert_true(d[1].inverted);
        assert_int_equal(d[3].layout, LAYOUT_POWERS);
        assert_int_equal(d[3].power_den, 10);
        assert_int_equal(d[3].evidence, EVIDENCE_CAPTURED);
        assert_true(d[4].writable);
        assert_true(tuya_row_brings(&d[0], 1, Q_VOLTAGE));
        assert_false(tuya_row_brings(&d[0], 0, Q_VOLTAGE));
        assert_false(tuya_row_brings(&d[0], 1, Q_FREQUENCY));
        assert_true(tuya_row_brings(&d[1], 1, Q_FREQUENCY));
        assert_true(tuya_row_brings(&d[2], 1, Q_POWER));
        assert_false(tuya_row_brings(&d[2], 1, Q_VOLTAGE));
        for (unsigned c = 0; c < 4; c++)
                assert_true(tuya_row_brings(&d[3], c, Q_POWER));
        for (unsigned q = 0; q <= Q_COUNT; q++)
                assert_false(tuya_row_brings(&d[4], 0, q));
}

static void rows_of_other_kinds(void **state) {
        CLEANUP(profile_freep) struct profile *p = parse_good(
                ROWS "  - { dp: 1, type: value, quantity: energy_import_kwh, scale: 0.01 }\n"
                "  - { dp: 17, type: value, quantity: energy_import_kwh, scale: 0.001, increment: true }\n"
                "  - { dp: 18, type: value, quantity: energy_export_kwh, increment: true, channel: a }\n"
                "  - { dp: 19, type: value, quantity: energy_export_kwh, channel: a, increment: false }\n"
                "  - { dp: 22, type: value, scale: 0.001, danger: calibration, access: r }\n"
                "  - { dp: 23, type: bool, danger: reset }\n"
                "  - { dp: 24, type: bool, danger: test }\n"
                "  - { dp: 104, type: value, scale: 0.25, unit: \"°C\", access: rw, range: [-40, 400] }\n"
                "  - { dp: 105, type: enum, access: rw, range: [0, 2] }\n");
        const struct profile_datapoint *d = p->datapoints;

        (void) state;
        assert_true(d[1].is_increment);
        assert_int_equal(d[1].scale_num, 1000);  /* mWh */
        assert_true(tuya_row_brings(&d[1], 0, Q_ENERGY_IMPORT));
        assert_true(tuya_row_brings(&d[0], 0, Q_ENERGY_IMPORT));
        assert_false(tuya_counts_increment(p, &d[0]));
        assert_false(tuya_counts_increment(p, &d[1]));
        assert_false(tuya_counts_increment(p, &d[2]));
        assert_true(d[2].is_increment);
        assert_false(d[3].is_increment);
        assert_int_equal(d[4].danger, DANGER_CALIBRATION);
        assert_int_equal(d[5].danger, DANGER_RESET);
        assert_int_equal(d[6].danger, DANGER_TEST);
        assert_int_equal(d[7].danger, DANGER_NONE);
        assert_string_equal(d[7].unit, "°C");
        assert_int_equal(d[7].scale_num, 1);
        assert_int_equal(d[7].scale_den, 4);
        assert_true(d[7].has_range);
        assert_int_equal(d[7].range_min, -40);
        assert_int_equal(d[7].range_max, 400);
        assert_true(d[8].has_range);
        assert_false(d[6].has_range);
}

static void put_rows(char *text, const char *more) {
        sprintf(text, HEAD "channels: [a, b, c, d, e, f, g]\ndatapoints:\n");
        for (unsigned n = 0; n < READINGS_MAX; n++)
                sprintf(text + strlen(text), "  - { dp: %u, type: value, quantity: %s, channel: %c }\n", n + 1,
                        quantity_catalogue[n % Q_COUNT].key, 'a' + (int) (n / Q_COUNT));
        strcat(text, more);
}

static void as_many_quantities_as_a_report_holds(void **state) {
        struct config_error error = { .text = "" };
        struct profile *p = NULL;
        char text[10000];

        (void) state;
        put_rows(text, "");
        profile_free(parse_good(text));
        /* Voltage, current and power of channel a are there already, as are all that a phase can bring. */
        put_rows(text, "  - { dp: 200, type: raw, layout: phase-vcpqff, channel: a }\n"
                       "  - { dp: 201, type: value, quantity: energy_import_kwh, channel: d, increment: true }\n"
                       "  - { dp: 202, type: value }\n");
        profile_free(parse_good(text));
        put_rows(text, "  - { dp: 200, type: value, quantity: voltage_v, channel: g }\n");
        assert_int_equal(profile_parse("p.yaml", text, strlen(text), &p, &error), -EINVAL);
        assert_string_equal(error.text,
                            "p.yaml:55:5: datapoints[48]: more than 48 quantities come from the datapoints; "
                            "expected fewer");
        put_rows(text, "  - { dp: 200, type: value, quantity: energy_import_kwh, channel: g, increment: true }\n");
        assert_int_equal(profile_parse("p.yaml", text, strlen(text), &p, &error), -EINVAL);
        put_rows(text, "  - { dp: 200, type: raw, layout: phase, channel: f }\n");
        assert_int_equal(profile_parse("p.yaml", text, strlen(text), &p, &error), -EINVAL);
        assert_null(p);
}

static void profiles_compare(void **state) {
        CLEANUP(profile_freep) struct profile *a = parse_good(ROWS "  - { dp: 1, type: value, quantity: power_w }\n");
        CLEANUP(profile_freep) struct profile *b =
                parse_good("# remark\n" ROWS "  - { quantity: power_w, type: value, dp: 1 }\n");
        CLEANUP(profile_freep) struct profile *c = parse_good(ROWS "  - { dp: 2, type: value, quantity: power_w }\n");
        CLEANUP(profile_freep) struct profile *d = parse_good(ROWS "  - { dp: 1, type: raw, layout: phase }\n");
        CLEANUP(profile_freep) struct profile *e = parse_good(ROWS "  - { dp: 1, type: raw, layout: day }\n");
        CLEANUP(profile_freep) struct profile *f = parse_good(ROWS "  - { dp: 1, type: raw, layout: day }\n");

        (void) state;
        assert_false(profile_equal(d, e));
        assert_true(profile_equal(e, f));
        assert_true(profile_equal(a, b));
        assert_false(profile_equal(a, c));
        assert_false(profile_equal(a, NULL));
        assert_true(profile_equal(NULL, NULL));
}

static void builtins_are_good(void **state) {
        const char *name, *before = "";

        (void) state;
        assert_non_null(profile_builtin_name(0));
        for (unsigned i = 0; (name = profile_builtin_name(i)); i++) {
                CLEANUP(profile_freep) struct profile *p = NULL;
                struct config_error error = { .text = "" };
                size_t len = 0;

                assert_true(strcmp(before, name) < 0);
                assert_non_null(profile_builtin_text(name, &len));
                assert_true(len > 0);
                if (profile_load(name, &p, &error) < 0)
                        fail_msg("%s", error.text);
                assert_string_equal(p->name, name);
                for (unsigned k = 0; k < p->n_product_keys; k++) {
                        const struct profile *found = profile_for_product_key(p->protocol, p->product_keys[k]);

                        assert_non_null(found);
                        assert_string_equal(found->name, name);
                        assert_ptr_equal(found, profile_for_product_key(p->protocol, p->product_keys[k]));
                }
                before = name;
        }
}

static void nothing_dangerous_may_be_written(void **state) {
        static const char *const dangerous[] = { "calibration", "reset", "test" };
        const char *name;

        (void) state;
        for (unsigned i = 0; (name = profile_builtin_name(i)); i++) {
                CLEANUP(profile_freep) struct profile *p = NULL;
                struct config_error error;

                assert_int_equal(profile_load(name, &p, &error), 0);
                for (unsigned d = 0; d < p->n_datapoints; d++)
                        for (size_t w = 0; w < ELEMENTS(dangerous); w++)
                                if (strcasestr(p->datapoints[d].name, dangerous[w]))
                                        assert_false(p->datapoints[d].writable);
        }
}

static void pj_mgw1103(void **state) {
        const struct profile *p = profile_for_product_key("tuyamcu", "djfep9s6s3b2qk89");
        const struct profile_datapoint *d;

        (void) state;
        assert_non_null(p);
        assert_string_equal(p->name, "pj-mgw1103");
        assert_int_equal(p->evidence, EVIDENCE_CAPTURED);
        assert_int_equal(p->bauds[0], 115200);
        assert_int_equal(p->bauds[1], 9600);
        d = profile_datapoint(p, 18);
        assert_int_equal(d->quantity, Q_CURRENT);
        assert_int_equal(d->scale_num, 1);
        d = profile_datapoint(p, 19);
        assert_int_equal(d->quantity, Q_POWER);
        assert_int_equal(d->scale_num, 100);
        d = profile_datapoint(p, 20);
        assert_int_equal(d->quantity, Q_VOLTAGE);
        assert_int_equal(d->scale_num, 100);
        assert_int_equal(profile_datapoint(p, 26)->quantity, Q_NONE);
        assert_null(profile_datapoint(p, 99));
}

static void what_does_not_exist(void **state) {
        struct config_error error = { .text = "" };
        struct profile *p = NULL;
        size_t len;

        (void) state;
        assert_null(profile_builtin_text("nothing", &len));
        assert_null(profile_for_product_key("tuyamcu", ""));
        assert_null(profile_for_product_key("tuyamcu", "djfep9s6"));
        assert_null(profile_for_product_key("vue", "djfep9s6s3b2qk89"));
        assert_int_equal(profile_load("nothing", &p, &error), -ENOENT);
        assert_string_equal(error.text, "there is no profile \"nothing\"");
        assert_int_equal(profile_load("nowhere/nothing.yaml", &p, &error), -ENOENT);
        assert_string_equal(error.text, "nowhere/nothing.yaml: No such file or directory");
        assert_null(p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_mistake_gives_its_line),
                cmocka_unit_test(the_smallest_one),
                cmocka_unit_test(rows),
                cmocka_unit_test(rows_of_layouts),
                cmocka_unit_test(rows_of_other_kinds),
                cmocka_unit_test(as_many_quantities_as_a_report_holds),
                cmocka_unit_test(profiles_compare),
                cmocka_unit_test(builtins_are_good),
                cmocka_unit_test(nothing_dangerous_may_be_written),
                cmocka_unit_test(pj_mgw1103),
                cmocka_unit_test(what_does_not_exist),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
