/* OpenBeken scripts become profiles: each rule, and the line that each thing gives which a profile cannot say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/profile_file.h"
#include "openbeken_case.h"
#include "protocols/report.h"
#include "protocols/tuyamcu/datapoint.h"
#include "tools/openbeken_marks.h"

/* A clamp meter's script in the style of its authors. */
static const char clamp[] =
        "// A clamp meter of 80 A.\r\n"
        "startDriver TuyaMCU\r\n"
        "tuyaMCU_setBaudRate 115200 // not 9600\r\n"
        "// The meter measures when it believes that it is connected\r\n"
        "tuyaMcu_defWiFiState 4\r\n"
        "//Query the MCU every 10 seconds\r\n"
        "addRepeatingEvent 10 -1 uartSendHex 55AA0008000007\r\n"
        "\r\n"
        "setChannelType 1 Voltage_div10\r\n"
        "linkTuyaMCUOutputToChannel 20 val 1\r\n"
        "setChannelType 2 Current_Div1000\r\n"
        "linkTuyaMCUOutputToChannel 18 val 2\r\n"
        "setChannelType 3 Power_Div10\r\n"
        "linkTuyaMCUOutputToChannel 19 val 3";

static int64_t reading(const struct profile *p, uint8_t id, uint32_t raw, enum quantity q) {
        const uint8_t value[] = { (uint8_t) (raw >> 24), (uint8_t) (raw >> 16), (uint8_t) (raw >> 8), (uint8_t) raw };
        const struct tuya_directions none = { 0 };
        struct report report = { 0 };
        struct tuya_datapoint d = { .id = id, .type = DATAPOINT_VALUE, .numeric = true, .number = raw,
                                    .value = { value, sizeof value } };

        tuya_datapoint_map(p, &none, &d, &report);
        for (unsigned i = 0; i < report.count; i++)
                if (report.readings[i].quantity == q && report.readings[i].channel == 0)
                        return report.readings[i].value;
        fail_msg("dp %u brings nothing", id);
        return 0;
}

/* The built-in profile of the same meter says the same about what the script knows. */
static void the_clamp_meter(void **state) {
        CLEANUP(profile_freep) struct profile *p = NULL, *builtin = NULL;
        char rows[16384], notes[16384];
        struct config_error error;

        (void) state;
        import(clamp, rows, notes, &p);
        assert_string_equal(notes, "");
        assert_int_equal(profile_load("pj-mgw1103", &builtin, &error), 0);
        assert_string_equal(p->protocol, builtin->protocol);
        assert_int_equal(p->n_bauds, 1);
        assert_int_equal(p->bauds[0], 115200);
        assert_int_equal(p->bauds[0], builtin->bauds[0]);
        assert_int_equal(p->poll_ms, 10000);
        assert_int_equal(p->poll_ms, builtin->poll_ms);
        assert_int_equal(p->n_datapoints, 3);
        for (uint8_t id = 18; id <= 20; id++) {
                struct profile_datapoint ours = *profile_datapoint(p, id);
                const struct profile_datapoint *theirs = profile_datapoint(builtin, id);

                /* The script proves nothing, the built-in profile has captures. */
                assert_int_equal(ours.evidence, EVIDENCE_STATED);
                ours.evidence = theirs->evidence;
                assert_memory_equal(&ours, theirs, sizeof ours);
        }
        assert_int_equal(reading(p, 18, 77, Q_CURRENT), 77);
        assert_int_equal(reading(p, 19, 177, Q_POWER), 17700);
        assert_int_equal(reading(p, 20, 2403, Q_VOLTAGE), 240300);
}

/* Types of channels, in any order and case; the last one counts. */
static void channel_types(void **state) {
        (void) state;
        check(BAUD
              "linkTuyaMCUOutputToChannel 1 val 1\n"
              "linkTuyaMCUOutputToChannel 2 val 2\n"
              "SETCHANNELTYPE 1 power\n"
              "setchanneltype 1 EnergyTOTAL_kwh_Div100\n"
              "setChannelType 2 EnergyExport_kWh_div1000\n"
              "setChannelType 3 PowerFactor_div100\n"
              "setChannelType 4 Frequency_div100\n"
              "setChannelType 5 Temperature_div2\n"
              "setChannelType 6 ReactivePower\n"
              "setChannelType 7 Humidity_div10\n"
              "setChannelType 8 ReadOnly_div100\n"
              "setChannelType 9 EnergyToday_kWh_div1000\n"
              "setChannelType 10 LeakageCurrent_div1000\n"
              "linkTuyaMCUOutputToChannel 3 val 3\n"
              "linkTuyaMCUOutputToChannel 4 val 4\n"
              "linkTuyaMCUOutputToChannel 5 val 5\n"
              "linkTuyaMCUOutputToChannel 6 val 6\n"
              "linkTuyaMCUOutputToChannel 7 val 7\n"
              "linkTuyaMCUOutputToChannel 8 val 8\n"
              "linkTuyaMCUOutputToChannel 9 val 9\n"
              "linkTuyaMCUOutputToChannel 10 val 10\n"
              "linkTuyaMCUOutputToChannel 0x0B val\n",
              "  - { dp: 1, type: value, quantity: energy_import_kwh, scale: 0.01 }\n"
              "  - { dp: 2, type: value, quantity: energy_export_kwh, scale: 0.001 }\n"
              "  - { dp: 3, type: value, quantity: power_factor, scale: 0.01 }\n"
              "  - { dp: 4, type: value, quantity: frequency_hz, scale: 0.01 }\n"
              "  - { dp: 5, type: value, quantity: temperature_c, scale: 0.5 }\n"
              "  - { dp: 6, type: value, quantity: reactive_power_var, scale: 1 }\n"
              "  - { dp: 7, type: value, name: dp 7, scale: 0.1, unit: \"%\" }\n"
              "  - { dp: 8, type: value, name: dp 8, scale: 0.01 }\n"
              "  - { dp: 9, type: value, name: dp 9, scale: 0.001, unit: \"kWh\" }\n"
              "  - { dp: 10, type: value, name: dp 10, scale: 0.001, unit: \"A\" }\n"
              "  - { dp: 11, type: value, name: dp 11 }\n",
              "");
}

/* What is measured is a value, whatever the script calls it. */
static void declared_types(void **state) {
        (void) state;
        check(BAUD
              "setChannelType 1 Voltage_div10\n"
              "linkTuyaMCUOutputToChannel 20 1 1\n"
              "setChannelType 2 Power\n"
              "linkTuyaMCUOutputToChannel 19 raw 2\n"
              "linkTuyaMCUOutputToChannel 1 0 3\n"
              "linkTuyaMCUOutputToChannel 2 BOOL 3\n"
              "linkTuyaMCUOutputToChannel 3 str 4\n"
              "linkTuyaMCUOutputToChannel 4 4 5\n"
              "linkTuyaMCUOutputToChannel 5 5 6\n"
              "linkTuyaMCUOutputToChannel 6 MQTT\n"
              "linkTuyaMCUOutputToChannel 7 volts 8\n",
              "  # declared as bool; what is measured is a value of 4 bytes\n"
              "  - { dp: 20, type: value, quantity: voltage_v, scale: 0.1 }\n"
              "  # declared as raw; what is measured is a value of 4 bytes\n"
              "  - { dp: 19, type: value, quantity: power_w, scale: 1 }\n"
              "  # dp 2 goes to channel 3 as well, in line 7: the last one counts\n"
              "  - { dp: 1, type: raw, name: dp 1 }\n"
              "  - { dp: 2, type: bool, name: dp 2 }\n"
              "  - { dp: 3, type: string, name: dp 3 }\n"
              "  - { dp: 4, type: enum, name: dp 4 }\n"
              "  - { dp: 5, type: bitmap, name: dp 5 }\n"
              "  - { dp: 6, type: value, name: dp 6 }\n"
              "  - { dp: 7, type: value, name: dp 7 }\n",
              "6: dp 1: dp 2 goes to channel 3 as well, in line 7: the last one counts\n"
              "12: linkTuyaMCUOutputToChannel: there is no type \"volts\": taken for val\n");
}

static void factors(void **state) {
        (void) state;
        check(BAUD
              "setChannelType 1 Power_div10\n"
              "linkTuyaMCUOutputToChannel 1 val 1 2 .5\n"
              "setChannelType 2 Current_div1000\n"
              "linkTuyaMCUOutputToChannel 2 val 2 0 -10 0 0 0 0\n"
              "setChannelType 3 Voltage_div10\n"
              "linkTuyaMCUOutputToChannel 3 val 3 0 1 0 5\n"
              "setChannelType 4 Frequency_div100\n"
              "linkTuyaMCUOutputToChannel 4 val 4 0 0.000000000001\n"
              "setChannelType 5 Toggle\n"
              "linkTuyaMCUOutputToChannel 5 bool 5 0 1 1\n"
              "linkTuyaMCUOutputToChannel 6 val 6 0 -2 0 1\n"
              "linkTuyaMCUOutputToChannel 7 str 7 0 2\n",
              "  - { dp: 1, type: value, quantity: power_w, scale: 0.05 }\n"
              "  - { dp: 2, type: value, quantity: current_a, scale: 0.01, sign: inverted }\n"
              "  # an offset (delta) cannot be said in a profile; without it voltage_v would be wrong\n"
              "  - { dp: 3, type: value, name: dp 3, scale: 0.1, unit: \"V\" }\n"
              "  # mult cannot be said as a scale of 12 places up to 1000000\n"
              "  - { dp: 4, type: value, name: dp 4, unit: \"Hz\" }\n"
              "  # inverse cannot be said in a profile\n"
              "  # Toggle in OpenBeken: access: rw would let set-datapoint write it\n"
              "  - { dp: 5, type: bool, name: dp 5 }\n"
              "  # the sign of mult cannot be said without a quantity\n"
              "  # an offset (delta) cannot be said in a profile\n"
              "  - { dp: 6, type: value, name: dp 6, scale: 2 }\n"
              "  # mult and delta of a datapoint without a number are left out\n"
              "  - { dp: 7, type: string, name: dp 7 }\n",
              "7: dp 3: an offset (delta) cannot be said in a profile; without it voltage_v would be wrong\n"
              "9: dp 4: mult cannot be said as a scale of 12 places up to 1000000\n"
              "11: dp 5: inverse cannot be said in a profile\n"
              "12: dp 6: an offset (delta) cannot be said in a profile\n"
              "12: dp 6: the sign of mult cannot be said without a quantity\n"
              "13: dp 7: mult and delta of a datapoint without a number are left out\n");
}

/* A breaker: labels tell what is not the mains, layouts bring what other rows cannot bring again. */
static void labels_and_layouts(void **state) {
        (void) state;
        check(BAUD
              "linkTuyaMCUOutputToChannel 16 bool 1\n"
              "setChannelType 1 toggle\n"
              "setChannelLabel 1 \"Relay\"\n"
              "linkTuyaMCUOutputToChannel 12 bool 3\n"
              "setChannelType 3 toggle\n"
              "setChannelLabel 3 Clear the energy\n"
              "linkTuyaMCUOutputToChannel 1 val 4\n"
              "setChannelType 4 EnergyTotal_kWh_div100\n"
              "setChannelLabel 4 \"Total energy\"\n"
              "linkTuyaMCUOutputToChannel 6 RAW_TAC2121C_VCP 5\n"
              "setChannelType 5 Voltage_div10\n"
              "setChannelType 6 Power\n"
              "linkTuyaMCUOutputToChannel 15 val 8\n"
              "setChannelType 8 Current_div1000\n"
              "setChannelLabel 8 \"Leakage current\"\n"
              "linkTuyaMCUOutputToChannel 20 val 9\n"
              "setChannelType 9 Current_div100\n"
              "linkTuyaMCUOutputToChannel 13 val 11\n"
              "setChannelType 11 EnergyTotal_kWh_div100\n"
              "setChannelLabel 11 \"Total prepaid energy\"\n"
              "linkTuyaMCUOutputToChannel 3 RAW_TAC2121C_LastMonth\n"
              "linkTuyaMCUOutputToChannel 4 raw_tac2121c_yesterday 12 0 2\n"
              "setChannelType 13 ReadOnlyEnum\n"
              "setChannelEnum 13 0:Online \"1:Off line\" 0x2:?\n"
              "linkTuyaMCUOutputToChannel 102 enum 13\n",
              "  # Toggle in OpenBeken: access: rw would let set-datapoint write it\n"
              "  - { dp: 16, type: bool, name: Relay }\n"
              "  - { dp: 12, type: bool, name: Clear the energy, danger: reset }\n"
              "  - { dp: 1, type: value, name: Total energy, quantity: energy_import_kwh, scale: 0.01 }\n"
              "  - { dp: 6, type: raw, layout: phase }\n"
              "  # \"leakage\" in its label: not what current_a means\n"
              "  - { dp: 15, type: value, name: Leakage current, scale: 0.001, unit: \"A\" }\n"
              "  # current_a comes from dp 6 already\n"
              "  - { dp: 20, type: value, name: dp 20, scale: 0.01, unit: \"A\" }\n"
              "  # \"prepaid\" in its label: not what energy_import_kwh means\n"
              "  - { dp: 13, type: value, name: Total prepaid energy, scale: 0.01, unit: \"kWh\" }\n"
              "  - { dp: 3, type: raw, layout: month }\n"
              "  # mult means nothing for RAW_TAC2121C_Yesterday\n"
              "  - { dp: 4, type: raw, layout: day }\n"
              "  # 0 = Online, 1 = Off line, 2 = ?\n"
              "  - { dp: 102, type: enum, name: dp 102 }\n",
              "14: dp 15: \"leakage\" in its label: not what current_a means\n"
              "17: dp 20: current_a comes from dp 6 already\n"
              "19: dp 13: \"prepaid\" in its label: not what energy_import_kwh means\n"
              "23: dp 4: mult means nothing for RAW_TAC2121C_Yesterday\n");
}

static void layouts(void **state) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        char rows[4096], notes[4096];

        (void) state;
        check(BAUD
              "linkTuyaMCUOutputToChannel 8 RAW_V2C3P3\n"
              "linkTuyaMCUOutputToChannel 6 RAW_DDS238 -999\n"
              "linkTuyaMCUOutputToChannel 7 RAW_VCPPfF 3 0 1 0 5\n"
              "setChannelType 9 Voltage_div10\n",
              "  - { dp: 8, type: raw, channel: l3, layout: phase }\n"
              "  - { dp: 6, type: raw, channel: l1, layout: phase-pqfcv }\n"
              "  # offsets (delta) cannot be said in a profile; without them phase-vcpqff would be wrong\n"
              "  - { dp: 7, type: raw, name: dp 7 }\n",
              "4: dp 7: offsets (delta) cannot be said in a profile; without them phase-vcpqff would be wrong\n");
        /* The label of its first value is not that of all; the form of six bytes has tenths. */
        check(BAUD
              "linkTuyaMCUOutputToChannel 6 RAW_TAC2121C_VCP 2\n"
              "setChannelType 2 Voltage_div10\nsetChannelLabel 2 Voltage\n"
              "setChannelType 3 Power_div10\nsetChannelType 4 Current_div10\nsetChannelType 5 Power_div100\n"
              "linkTuyaMCUOutputToChannel 5 val 5\nsetChannelLabel 5 \"Power limit\"\n",
              "  - { dp: 6, type: raw, layout: phase }\n"
              "  # \"limit\" in its label: not what power_w means\n"
              "  - { dp: 5, type: value, name: Power limit, scale: 0.01, unit: \"W\" }\n",
              "8: dp 5: \"limit\" in its label: not what power_w means\n");
        /* A channel with another scale than the layout's: one of the two is wrong. The rest is there to be used. */
        check(BAUD
              "linkTuyaMCUOutputToChannel 6 RAW_V2C3P3 2\n"
              "setChannelType 2 Voltage_div10\nsetChannelType 3 Current_div1000\nsetChannelType 4 Power_div100\n"
              "linkTuyaMCUOutputToChannel 19 val 7\nsetChannelType 7 Power\n",
              "  # channel 4 is a Power_div100, but RAW_V2C3P3 has another scale: left raw, add layout: phase if the "
              "numbers are true then\n"
              "  - { dp: 6, type: raw, name: dp 6 }\n"
              "  - { dp: 19, type: value, quantity: power_w, scale: 1 }\n",
              "2: dp 6: channel 4 is a Power_div100, but RAW_V2C3P3 has another scale: left raw, add layout: phase if "
              "the numbers are true then\n");
        import(BAUD "linkTuyaMCUOutputToChannel 113 RAW_VCPPfF\n"
                    "linkTuyaMCUOutputToChannel 114 RAW_VCPPfF\n", rows, notes, &p);
        assert_int_equal(p->n_channels, 3);
        assert_string_equal(p->channels[2], "l2");
}

/* Two of a kind are parts of the meter where their labels say so, and otherwise only the first one is believed. */
static void parts_of_a_meter(void **state) {
        (void) state;
        check(BAUD
              "linkTuyaMCUOutputToChannel 101 val 1\n"
              "setChannelType 1 Power_div10\n"
              "setChannelLabel 1 \"Power (A)\"\n"
              "linkTuyaMCUOutputToChannel 105 val 2\n"
              "setChannelType 2 Power_div10\n"
              "setChannelLabel 2 \"Power (B)\"\n"
              "linkTuyaMCUOutputToChannel 113 val 3\n"
              "setChannelType 3 Current_div1000\n"
              "linkTuyaMCUOutputToChannel 114 val 4\n"
              "setChannelType 4 Current_div1000\n"
              "linkTuyaMCUOutputToChannel 1 val 5\n"
              "setChannelType 5 EnergyTotal_kWh_div100\n"
              "linkTuyaMCUOutputToChannel 2 val 6\n"
              "setChannelType 6 EnergyImport_kWh_div1000\n"
              "linkTuyaMCUOutputToChannel 3 val 7\n"
              "setChannelType 7 Voltage_div10\n"
              "linkTuyaMCUOutputToChannel 4 val 7\n"
              "linkTuyaMCUOutputToChannel 3 val 7\n",
              "  - { dp: 101, type: value, name: Power (A), channel: a, quantity: power_w, scale: 0.1 }\n"
              "  - { dp: 105, type: value, name: Power (B), channel: b, quantity: power_w, scale: 0.1 }\n"
              "  - { dp: 113, type: value, quantity: current_a, scale: 0.001 }\n"
              "  # current_a comes from dp 113 already: give one of them a channel, or leave this a number\n"
              "  - { dp: 114, type: value, name: dp 114, scale: 0.001, unit: \"A\" }\n"
              "  # a total beside an import counter: the import counter is the energy\n"
              "  - { dp: 1, type: value, name: dp 1, scale: 0.01, unit: \"kWh\" }\n"
              "  - { dp: 2, type: value, quantity: energy_import_kwh, scale: 0.001 }\n"
              "  # dp 3 goes to channel 7 as well, in line 19: the last one counts\n"
              "  - { dp: 4, type: value, name: dp 4, scale: 0.1, unit: \"V\" }\n"
              "  - { dp: 3, type: value, quantity: voltage_v, scale: 0.1 }\n",
              "10: dp 114: current_a comes from dp 113 already: give one of them a channel, or leave this a number\n"
              "12: dp 1: a total beside an import counter: the import counter is the energy\n"
              "16: dp 3 is linked again in line 19, which counts\n"
              "18: dp 4: dp 3 goes to channel 7 as well, in line 19: the last one counts\n");
}

#define POWER_AND_DIRECTION BAUD "setChannelType 3 Power_div10\nlinkTuyaMCUOutputToChannel 101 val 3\n" \
                                 "linkTuyaMCUOutputToChannel 102 enum 4\n"

static void signs(void **state) {
        static const struct { const char *lines; unsigned reverse; } cases[] = {
                { "if $CH4==0 then setChannel 19 $CH3 else setChannel 19 $CH3*-1", 1 },
                { "if $CH4==1 then setChannel 19 $CH3*-1 else setChannel 19 $CH3", 1 },
                { "IF $CH4 == 0 THEN setChannel 19 0-$CH3 ELSE setChannel 19 $CH3", 0 },
                { "if $CH4!=0 then setChannel 19 -$CH3 else setChannel 19 $CH3", 1 },
                { "if $CH4!=2 then setChannel 19 $CH3 else setChannel 19 -1*$CH3", 2 },
                { "alias minus setChannel 19 $CH3*-1\nalias set if $CH4==0 then plus else minus\n"
                  "addEventHandler OnChannelChange 3 set\naddEventHandler OnChannelChange 4 set\n"
                  "alias plus setChannel 19 $CH3", 1 },
                { "addChangeHandler Channel4 == 1 if $CH4==1 then setChannel 3 -$CH3 else setChannel 3 $CH3", 1 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CLEANUP(profile_freep) struct profile *p = NULL;
                char script[1024], rows[4096], notes[4096];

                snprintf(script, sizeof script, POWER_AND_DIRECTION "%s\n", cases[i].lines);
                import(script, rows, notes, &p);
                assert_string_equal(notes, "");
                assert_int_equal(p->datapoints[0].direction_id, 102);
                assert_int_equal(p->datapoints[0].direction_reverse, cases[i].reverse);
                assert_int_equal(p->datapoints[1].direction_id, 0);
        }
}

static void logic_that_is_no_sign(void **state) {
        static const struct { const char *lines, *notes; } cases[] = {
                { "if $CH4==0 then setChannel 19 $CH3 else setChannel 19 $CH3", "5: if is logic, skipped\n" },
                { "if $CH4==0 then setChannel 19 $CH3 else setChannel 20 $CH3*-1", "5: if is logic, skipped\n" },
                { "if $CH4==0 then setChannel 19 $CH3 else setChannel 19 $CH5*-1", "5: if is logic, skipped\n" },
                { "if $CH4==0 then setChannel 19 $CH3 else setChannel 19 $CH3*-2", "5: if is logic, skipped\n" },
                { "if $CH4>0 then setChannel 19 $CH3 else setChannel 19 $CH3*-1", "5: if is logic, skipped\n" },
                { "if $CH5==0 then setChannel 19 $CH3 else setChannel 19 $CH3*-1",
                  "5: channel 5 tells the sign of channel 3, but no datapoints with a measurement and a direction go "
                  "there\n" },
                { "if $CH999999999999==0 then setChannel 19 $CH3 else setChannel 19 $CH3*-1",
                  "5: if is logic, skipped\n" },
                { "alias x if $CH4==0 then y else z\naddEventHandler OnClick 4 x",
                  "5: alias \"x\" only runs on events, skipped\n6: addEventHandler is logic, skipped\n" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char script[1024];

                snprintf(script, sizeof script, POWER_AND_DIRECTION "%s\n", cases[i].lines);
                check(script, "  - { dp: 101, type: value, quantity: power_w, scale: 0.1 }\n"
                              "  - { dp: 102, type: enum, name: dp 102 }\n", cases[i].notes);
        }
}

static void nothing_to_import(void **state) {
        static const char *const scripts[] = { "", "\n\n", "// nothing",
                                               "startDriver TuyaMCU\nsetChannelType 1 Power",
                                               "linkTuyaMCUOutputToChannel 0 val 1", "PNG\r\n\x1a\n" };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(scripts); i++) {
                CLEANUP(profile_freep) struct profile *p = NULL;
                char rows[4096], notes[4096];

                import(scripts[i], rows, notes, &p);
                assert_null(p);
        }
}

/* Aliases that call each other, or themselves, end. */
static void endless_aliases(void **state) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        char script[4096] = BAUD "linkTuyaMCUOutputToChannel 9 bitmap 7\nalias a backlog ", rows[4096], notes[16384];

        (void) state;
        for (unsigned i = 0; i < 100; i++)
                strcat(script, "a;");
        strcat(script, "\na\naddRepeatingEvent 5 -1 a\n");
        import(script, rows, notes, &p);
        assert_string_equal(notes, "4: more than 20000 commands: the rest is skipped\n"
                                   "4: more than 8 aliases and backlogs inside each other, skipped\n");
}

/* More values than a report has room for, in as many parts of the meter as there are. */
static void too_many_values(void **state) {
        static const char *const types[] = { "Voltage_div10", "Current_div100", "Power", "ReactivePower",
                                             "PowerFactor_div100", "Frequency", "Temperature",
                                             "EnergyTotal_kWh_div100" };
        static const char *const marks[] = { "a", "b", "c", "d", "L1", "L2", "L3" };
        CLEANUP(profile_freep) struct profile *p = NULL;
        char script[16384] = BAUD, rows[16384], notes[16384];
        unsigned channel = 0, measured = 0;

        (void) state;
        for (size_t t = 0; t < ELEMENTS(types); t++)
                for (size_t m = 0; m < ELEMENTS(marks); m++) {
                        channel++;
                        sprintf(script + strlen(script), "linkTuyaMCUOutputToChannel %u val %u\n"
                                "setChannelType %u %s\nsetChannelLabel %u x %s\n", channel, channel, channel, types[t],
                                channel, marks[m]);
                }
        import(script, rows, notes, &p);
        assert_int_equal(p->n_datapoints, 56);
        assert_int_equal(p->n_channels, CHANNELS_MAX);
        for (unsigned i = 0; i < p->n_datapoints; i++)
                measured += p->datapoints[i].quantity != Q_NONE;
        assert_int_equal(measured, READINGS_MAX);
        assert_non_null(strstr(notes, "dp 49: more than 48 values in one report: left a number\n"));
}

static void what_labels_give_away(void **state) {
        static const struct { const char *label, *mark; } marks[] = {
                { "Power (A)", "a" }, { "Power B", "b" }, { "Voltage L2", "l2" }, { "Voltage phase C", "l3" },
                { "Power 1", "a" },   { "power_4", "d" }, { "Power", NULL },      { "", NULL },
                { "Power 5", NULL },  { "Power E", NULL }, { "L4", NULL },        { "Phase D", "d" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(marks); i++) {
                char mark[CHANNEL_NAME_MAX + 1] = "";

                assert_int_equal(openbeken_channel_mark(marks[i].label, mark), marks[i].mark != NULL);
                assert_string_equal(mark, marks[i].mark ? marks[i].mark : "");
        }
        assert_non_null(openbeken_other_word("Max. Current"));
        assert_non_null(openbeken_other_word("over-current LIMIT"));
        assert_null(openbeken_other_word("Current of the charger, maximal"));
        assert_int_equal(openbeken_danger("Calibrate voltage"), DANGER_CALIBRATION);
        assert_int_equal(openbeken_danger("Factory settings"), DANGER_RESET);
        assert_int_equal(openbeken_danger("leakage test"), DANGER_TEST);
        assert_int_equal(openbeken_danger("latest"), DANGER_NONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_clamp_meter),
                cmocka_unit_test(channel_types),
                cmocka_unit_test(declared_types),
                cmocka_unit_test(factors),
                cmocka_unit_test(labels_and_layouts),
                cmocka_unit_test(layouts),
                cmocka_unit_test(parts_of_a_meter),
                cmocka_unit_test(signs),
                cmocka_unit_test(logic_that_is_no_sign),
                cmocka_unit_test(nothing_to_import),
                cmocka_unit_test(endless_aliases),
                cmocka_unit_test(too_many_values),
                cmocka_unit_test(what_labels_give_away),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
