/* OpenBeken scripts, command by command: what is taken, and what is told of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "openbeken_case.h"

#define IGNORED "0: ignored, since they set up the module alone: "

/* One line each, and what is told of it. */
static const struct { const char *line, *note; } command_cases[] = {
        { "startDriver NTP", IGNORED "drivers other than TuyaMCU\n" },
        { "STARTDRIVER tmSensor", "3: tmSensor: a device with a battery; it reports when it wakes up\n" },
        { "startDriver", "3: startDriver: takes the name of a driver, skipped\n" },
        { "tuyaMcu_setBaudRate 9601", "3: tuyaMcu_setBaudRate: \"9601\" is not a usual speed, skipped\n" },
        { "tuyaMcu_setBaudRate", "3: tuyaMcu_setBaudRate: takes a speed, skipped\n" },
        { "tuyaMcu_defWiFiState 4", "" },
        { "tuyaMcu_defWiFiState 2", "3: tuyaMcu_defWiFiState 2: the gateway says 4, connected\n" },
        { "tuyaMcu_defWiFiState 7",
          "3: tuyaMcu_defWiFiState: state \"7\" is not a number from 0 to 6, skipped\n" },
        { "waitFor MQTTState 1", "" },
        { "waitFor NTPState 1", "3: waitFor is logic, skipped\n" },
        { "tuyaMcu_sendQueryState", "" },
        { "uartSendHex 55AA0008000007", "" },
        { "uartSendHex 55 aa 00 08 00 00 07", "" },
        { "uartSendHex 55AA00000000FF", "" },
        { "uartSendHex 55AA0008000008", "3: uartSendHex: the checksum is 08 and should be 07, skipped\n" },
        { "uartSendHex 55AA0008000007 55AA0008000008",
          "3: uartSendHex: the checksum is 08 and should be 07, skipped\n" },
        { "uartSendHex 55AA00080000", "3: uartSendHex: not a whole TuyaMCU frame (55 AA ...), skipped\n" },
        { "uartSendHex 55AB0008000007", "3: uartSendHex: not a whole TuyaMCU frame (55 AA ...), skipped\n" },
        { "uartSendHex 55AA000800000", "3: uartSendHex: half a byte at the end, skipped\n" },
        { "uartSendHex 55AA00080000xx", "3: uartSendHex: \"55AA00080000xx\" is not hex, skipped\n" },
        { "uartSendHex 55AA0006 $CH1$ 0D",
          "3: uartSendHex: \"$CH1$\" is only known while the script runs, skipped\n" },
        { "uartSendHex", "3: uartSendHex: the bytes are missing, skipped\n" },
        { "uartSendHex 55AA002500022a0a5A",
          "3: custom request, command 25 with 2 bytes of data: a profile cannot hold it\n" },
        { "uartSendHex 55AA0006000501010001010E",
          "3: writes a datapoint: not imported; the action set-datapoint can do that\n" },
        { "tuyaMcu_sendCmd 8", "" },
        { "tuyaMcu_sendCmd 0x24 DA", "" },
        { "tuyaMcu_sendCmd 0x61 00",
          "3: custom request, command 61 with 1 bytes of data: a profile cannot hold it\n" },
        { "tuyaMcu_sendCmd 256",
          "3: tuyaMcu_sendCmd: command \"256\" is not a number from 0 to 255, skipped\n" },
        { "tuyaMcu_sendCmd 97 0", "3: tuyaMcu_sendCmd: data \"0\" is not bytes in hex, skipped\n" },
        { "tuyaMcu_sendState 16 bool 1",
          "3: writes datapoint 16: not imported; the action set-datapoint can do that\n" },
        { "tuyaMcu_sendState 16",
          "3: tuyaMcu_sendState: takes a datapoint from 1 to 255, a type and a value, skipped\n" },
        { "tuyaMcu_sendRSSI -50", "" },
        { "tuyaMcu_sendCurTime", "" },
        { "linkTuyaMCUOutputToChannel 5",
          "3: linkTuyaMCUOutputToChannel: takes a datapoint and a type, skipped\n" },
        { "linkTuyaMCUOutputToChannel 256 val 1",
          "3: linkTuyaMCUOutputToChannel: dp \"256\" is not a number from 1 to 255, skipped\n" },
        { "linkTuyaMCUOutputToChannel $CH1 val 1",
          "3: linkTuyaMCUOutputToChannel: dp \"$CH1\" is not a number from 1 to 255, skipped\n" },
        { "linkTuyaMCUOutputToChannel 5 val x",
          "3: linkTuyaMCUOutputToChannel: channel \"x\" is not a number from 0 to 255, skipped\n" },
        { "linkTuyaMCUOutputToChannel 5 val 1 x",
          "3: linkTuyaMCUOutputToChannel: flags \"x\" is not a number from 0 to 255, skipped\n" },
        { "linkTuyaMCUOutputToChannel 5 val 1 0 0",
          "3: linkTuyaMCUOutputToChannel: mult \"0\" is not a factor, skipped\n" },
        { "setChannelType 1 Watts", "3: setChannelType: there is no channel type \"Watts\", skipped\n" },
        { "setChannelType x Power",
          "3: setChannelType: channel \"x\" is not a number from 0 to 255, skipped\n" },
        { "setChannelLabel 1", "3: setChannelLabel: takes a channel and a text, skipped\n" },
        { "setChannelEnum 1 a:b", "3: setChannelEnum: \"a:b\" is not NUMBER:NAME, skipped\n" },
        { "setChannelType 9 Power", "3: channel 9 is a Power, but no datapoint goes there\n" },
        { "setChannel 1 2", IGNORED "setChannel\n" },
        { "setStartValue 1 2", IGNORED "setStartValue\n" },
        { "tuyaMcu_setDimmerRange 1 1000", IGNORED "tuyaMcu_setDimmerRange\n" },
        { "setFlag 46 1", IGNORED "setFlag\n" },
        { "flags 0", IGNORED "flags\n" },
        { "powersave", IGNORED "powersave\n" },
        { "clearIO", IGNORED "clearIO\n" },
        { "ntp_setServer 1.2.3.4", IGNORED "ntp_*\n" },
        { "STOPDRIVER NTP", IGNORED "stopDriver\n" },
        { "echo hello", IGNORED "echo\n" },
        { "backlog setButtonLabel 0 Night; SetButtonColor 0 \"#fff\"; LED_dimmer 5; PowerSave 1; led_hue 3",
          IGNORED "powersave, setButton*, led_*\n" },
        { "setFlags 1", "3: unknown command 'setFlags', skipped\n" },
        { "exec other.bat", "3: exec is logic, skipped\n" },
        { "addClockEvent 12:00 0xff 1 POWER OFF", "3: addClockEvent is logic, skipped\n" },
        { "addRepeatingEvent 10 -1",
          "3: addRepeatingEvent: takes seconds, a count and a command, skipped\n" },
        { "addRepeatingEvent ten -1 tuyaMcu_sendQueryState",
          "3: addRepeatingEvent: interval \"ten\" is not a number of seconds, skipped\n" },
        { "addRepeatingEvent 10 3 tuyaMcu_sendQueryState",
          "3: asks 3 times only: no poll period comes from it\n" },
        { "addRepeatingEvent 10 -1 setChannel 1 0",
          "3: addRepeatingEvent of \"setChannel 1 0\" is logic, skipped\n" },
        { "addRepeatingEvent 10 -1 uartSendHex 55AA0008000009",
          "3: uartSendHex: the checksum is 09 and should be 07, skipped\n" },
        { "addChangeHandler Channel1 == 1 setChannel 2 1", "3: addChangeHandler is logic, skipped\n" },
        { "if $CH1==1 then setChannel 2 1", "3: if is logic, skipped\n" },
        { "delay_s 5", "3: delay_s is logic, skipped\n" },
        { "publish a b", "3: publish is logic, skipped\n" },
        { "again:", "3: again: is logic, skipped\n" },
        { "goto again", "3: goto is logic, skipped\n" },
        { "alias go publish a b", "3: alias \"go\" only runs on events, skipped\n" },
        { "frobnicate 1", "3: unknown command 'frobnicate', skipped\n" },
        { "fro\x01\xff\xc2\x9b", "3: unknown command 'fro?\?\?', skipped\n" },
        { "backlog setFlag 46 1; frobnicate; publish a",
          IGNORED "setFlag\n3: publish is logic, skipped\n3: unknown command 'frobnicate', skipped\n" },
};

static void commands(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(command_cases); i++) {
                char script[512];

                snprintf(script, sizeof script, BAUD "linkTuyaMCUOutputToChannel 9 bitmap 7\n%s\n",
                         command_cases[i].line);
                check(script, "  - { dp: 9, type: bitmap, name: dp 9 }\n", command_cases[i].note);
        }
}

static uint32_t poll_of(const char *lines, uint32_t *ret_baud) {
        CLEANUP(profile_freep) struct profile *p = NULL;
        char script[512], rows[4096], notes[4096];

        snprintf(script, sizeof script, "linkTuyaMCUOutputToChannel 9 bitmap 7\n%s\n", lines);
        import(script, rows, notes, &p);
        *ret_baud = p->bauds[0];
        return p->poll_ms;
}

static void poll_and_speed(void **state) {
        static const struct { const char *lines; uint32_t poll_ms; } cases[] = {
                { "", 0 },
                { "tuyaMcu_sendQueryState", 0 },
                { "addRepeatingEvent 15 -1 tuyaMcu_sendQueryState", 15000 },
                { "AddRepeatingEvent 2.5 -1 TUYAMCU_SENDQUERYSTATE", 2500 },
                { "addRepeatingEvent 15 -1 uartSendHex 55 AA 00 08 00 00 07", 15000 },
                { "addRepeatingEvent 15 -1 \"uartSendHex 55AA0008000007\"", 15000 },
                { "addRepeatingEvent 15 -1 tuyaMcu_sendCmd 8", 15000 },
                { "addRepeatingEventID 15 -1 77 tuyaMcu_sendQueryState", 15000 },
                { "addRepeatingEvent 15 -1 backlog tuyaMcu_sendRSSI; tuyaMcu_sendQueryState", 15000 },
                { "alias ask tuyaMcu_sendQueryState\naddRepeatingEvent 15 -1 ask", 15000 },
                { "alias later addRepeatingEvent 15 -1 tuyaMcu_sendQueryState\nlater", 15000 },
                { "addRepeatingEvent 15 -1 tuyaMcu_sendQueryState\naddRepeatingEvent 12 -1 tuyaMcu_sendQueryState\n"
                  "addRepeatingEvent 20 -1 tuyaMcu_sendQueryState", 12000 },
                { "addRepeatingEvent 15 -1 uartSendHex 55AA00000000FF", 0 },
                { "addRepeatingEvent 15 2 tuyaMcu_sendQueryState", 0 },
                { "addRepeatingEvent 0.1 -1 tuyaMcu_sendQueryState", 1000 },
                { "addRepeatingEvent 3600 -1 tuyaMcu_sendQueryState", 300000 },
        };
        uint32_t baud = 0;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(poll_of(cases[i].lines, &baud), cases[i].poll_ms);
        assert_int_equal(baud, 9600);
        poll_of("tuyaMcu_setBaudRate 115200\ntuyaMCU_SETBAUDRATE 38400", &baud);
        assert_int_equal(baud, 38400);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands),
                cmocka_unit_test(poll_and_speed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
