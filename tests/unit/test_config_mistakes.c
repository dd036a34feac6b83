/* The one line that each kind of mistake in the configuration gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"

#define VUE "meters:\n  - id: u\n    protocol: vue\n    port: /dev/ttyUSB0\n"
#define METER "meters:\n  - id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n"
#define REPLAY(what) "meters:\n  - id: main\n    protocol: tuyamcu\n    port: replay://" what "\n"

struct mistake {
        const char *text;
        const char *message;  /* all of it, behind "m.yaml:" */
};

static const struct mistake mistakes[] = {
        /* The file as a whole. */
        { "", "1:1: the file holds no settings; expected at least \"meters: []\"" },
        { "# nothing\n", "1:1: the file holds no settings; expected at least \"meters: []\"" },
        { "---\n~\n", "2:1: the file holds no settings; expected at least \"meters: []\"" },
        { "- meters\n", "1:1: a list is not a map; expected a map of \"key: value\" lines" },
        { "meters\n", "1:1: \"meters\" is not a map; expected a map of \"key: value\" lines" },
        { "meters: []\n---\nmeters: []\n", "3:1: a second YAML document starts here; expected one" },
        { "meters:\n\t- id: main\n", "2:1: a tab cannot indent YAML; expected spaces" },
        { "meters:\n  - id: main\n   protocol: tuyamcu\n", "3:4: not valid YAML: while parsing a block collection, "
          "did not find expected '-' indicator; expected \"key: value\" lines, indented with spaces" },
        { "meters: []\nsite: \xff\n", "2:7: not readable as text: invalid leading UTF-8 octet; expected UTF-8 text" },
        { "site:\n  name: \"a\\0b\"\nmeters: []\n", "2:9: a zero byte in a value; expected text" },
        { "meters: []\nmeters: []\n",
          "2:1: \"meters\" stands here a second time, first in line 1; expected each key once" },
        { "meters: []\n[a]: 1\n", "2:1: a list cannot be a key; expected a word" },
        { "meters: &a [*a]\n", "1:9: an alias inside this refers to itself; expected an end" },
        { "meters: [[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]\n", "1:24: nested too deeply; expected less" },
        { "metres: []\n", "1:1: metres: unknown key; expected one of: site, http, history, tariffs, remote_write, meters" },
        { "site:\n  name: Home\n", "1:1: meters: missing; expected a list of meters, [] for none" },

        /* site */
        { "site: here\nmeters: []\n", "1:7: site: \"here\" is not a map; expected a map of \"key: value\" lines" },
        { "site:\n  name:\nmeters: []\n", "2:8: site.name: has no value; expected a text of up to 64 bytes" },
        { "site:\n  name: [a]\nmeters: []\n",
          "2:9: site.name: a list is not a single value; expected a text of up to 64 bytes" },
        { "site:\n  name: \"a\\nb\"\nmeters: []\n",
          "2:9: site.name: more than one line, or a control character; expected a text of up to 64 bytes" },
        { "site:\n  nmae: x\nmeters: []\n", "2:3: site.nmae: unknown key; expected one of: name, timezone" },
        { "site:\n  timezone: ../passwd\nmeters: []\n",
          "2:13: site.timezone: \"../passwd\" is no time zone; expected a name from the tz database such as "
          "Europe/Warsaw" },

        /* http */
        { "http: []\nmeters: []\n", "1:7: http: a list is not a map; expected a map of \"key: value\" lines" },
        { "http:\n  listen: 127.0.0.1:80\nmeters: []\n",
          "2:11: http.listen: \"127.0.0.1:80\" is not a list; expected a list of ADDRESS:PORT or unix:/path" },
        { "http: { listen: [] }\nmeters: []\n",
          "1:17: http.listen: the list is empty; expected a list of ADDRESS:PORT or unix:/path" },
        { "http:\n  listen: ['127.0.0.1:80', 'house.example:80']\nmeters: []\n",
          "2:28: http.listen[1]: \"house.example:80\" is not an address; "
          "expected ADDRESS:PORT such as \"127.0.0.1:8730\", \"[::1]:8730\" or unix:/path" },
        { "http:\n  listen: ['0.0.0.0:80']\nmeters: []\n",
          "2:12: http.listen[0]: \"0.0.0.0:80\" can be reached by other machines, and http.access is missing; "
          "expected \"access: open\" or \"access: token\" beside it in http" },
        { "http:\n  listen: ['[::]:80']\nmeters: []\n",
          "2:12: http.listen[0]: \"[::]:80\" can be reached by other machines, and http.access is missing; "
          "expected \"access: open\" or \"access: token\" beside it in http" },
        { "http:\n  listen: ['127.0.0.1:80', 'localhost:80']\nmeters: []\n",
          "2:28: http.listen[1]: \"localhost:80\" stands here a second time; expected each address once" },
        { "http:\n  access: free\nmeters: []\n",
          "2:11: http.access: \"free\" is none of these; expected open or token" },
        { "http:\n  access: token\nmeters: []\n",
          "2:11: http.access: \"token\" needs the file with the tokens; expected \"tokens: FILE\" beside it in "
          "http" },
        { "http:\n  hosts: ['a b']\nmeters: []\n",
          "2:11: http.hosts[0]: \"a b\" is not one; expected a host name without a port" },
        { "http:\n  cors_origins: ['http://a/']\nmeters: []\n",
          "2:18: http.cors_origins[0]: \"http://a/\" is not one; expected an origin such as "
          "http://panel.local:3000" },
        { "http: { tls: }\nmeters: []\n",
          "1:14: http.tls: has no value; expected a map with certificate and key" },
        { "http:\n  tls: { certificate: c }\nmeters: []\n",
          "2:8: http.tls.key: missing; expected the path of a PEM file, or credential:NAME" },
        { "http:\n  tls: { key: c }\nmeters: []\n",
          "2:8: http.tls.certificate: missing; expected the path of a PEM file, or credential:NAME" },
        { "http:\n  tls: { certificate: c, key: 'credential:../k' }\nmeters: []\n",
          "2:31: http.tls.key: \"credential:../k\" is no name of a credential; expected the path of a file, or "
          "credential:NAME" },
        { "http:\n  tokens: 'credential:'\nmeters: []\n",
          "2:11: http.tokens: \"credential:\" is no name of a credential; expected the path of a file, or "
          "credential:NAME" },
        { "http:\n  listen: ['[::ffff:192.0.2.1]:80']\nmeters: []\n",
          "2:12: http.listen[0]: \"[::ffff:192.0.2.1]:80\" can be reached by other machines, and http.access is "
          "missing; expected \"access: open\" or \"access: token\" beside it in http" },
        { "http:\n  listen: ['[::ffff:0.0.0.0]:80']\nmeters: []\n",
          "2:12: http.listen[0]: \"[::ffff:0.0.0.0]:80\" can be reached by other machines, and http.access is "
          "missing; expected \"access: open\" or \"access: token\" beside it in http" },
        { "http:\n  listen: ['192.0.2.1:80']\nmeters: []\n",
          "2:12: http.listen[0]: \"192.0.2.1:80\" can be reached by other machines, and http.access is missing; "
          "expected \"access: open\" or \"access: token\" beside it in http" },
        { "http:\n  listen: ['[fe80::1]:80']\nmeters: []\n",
          "2:12: http.listen[0]: \"[fe80::1]:80\" can be reached by other machines, and http.access is missing; "
          "expected \"access: open\" or \"access: token\" beside it in http" },

        /* history, tariffs */
        { "history: { size: 64MB }\nmeters: []\n",
          "1:18: history.size: \"64MB\" is not a size; expected a size such as 64MiB, 2MiB to 16GiB (units KiB, MiB, "
          "GiB)" },
        { "history: { size: 64KiB }\nmeters: []\n",
          "1:18: history.size: \"64KiB\" is too small; expected 2MiB to 16GiB" },
        { "history: { size: 17GiB }\nmeters: []\n",
          "1:18: history.size: \"17GiB\" is too large; expected 2MiB to 16GiB" },
        { "history: { directory: [a] }\nmeters: []\n",
          "1:23: history.directory: a list is not a single value; expected the path of a folder" },
        { "history: { flush: 2h }\nmeters: []\n", "1:19: history.flush: \"2h\" is out of range; expected 1s to 1h" },
        { "tariffs: { name: x }\nmeters: []\n", "1:10: tariffs: a map is not a list; expected a list of tariffs" },
        { "tariffs:\n  - { name: x, price: 1e3, currency: EUR }\nmeters: []\n",
          "2:23: tariffs[0].price: \"1e3\" is not a price; expected a decimal number with up to 6 places such "
          "as 0.28" },
        { "tariffs:\n  - { name: x, price: 1, currency: Euro }\nmeters: []\n",
          "2:36: tariffs[0].currency: \"Euro\" is not a currency; expected three capital letters such as EUR" },
        { "tariffs:\n  - { name: x, price: 1 }\nmeters: []\n",
          "2:5: tariffs[0].currency: missing; expected three capital letters such as EUR" },
        { "tariffs:\n  - { name: x, price: 1, currency: EUR, days: mon-day }\nmeters: []\n",
          "2:47: tariffs[0].days: \"mon-day\" cannot be read; expected days such as mon-fri or mon,wed,sat" },
        { "tariffs:\n  - { name: x, price: 1, currency: EUR, hours: 6-22 }\nmeters: []\n",
          "2:48: tariffs[0].hours: \"6-22\" cannot be read; expected times of day in quarter hours such as "
          "\"06:00-22:00\"" },
        { "tariffs:\n  - { name: x, price: 1, currency: EUR, hours: '06:00-24:01' }\nmeters: []\n",
          "2:48: tariffs[0].hours: \"06:00-24:01\" cannot be read; expected times of day in quarter hours such as "
          "\"06:00-22:00\"" },
        { "tariffs:\n  - { name: x, price: 1, currency: EUR }\n  - { name: y, price: 1, currency: USD }\nmeters: []\n",
          "3:36: tariffs[1].currency: \"USD\" is a second currency, and costs in two cannot be added up; expected EUR" },

        /* meters */
        { "meters:\n", "1:8: meters: nothing is not a list; expected a list of meters, [] for none" },
        { "meters: { id: main }\n", "1:9: meters: a map is not a list; expected a list of meters, [] for none" },
        { "meters: [main]\n", "1:10: meters[0]: \"main\" is not a map; expected a map of \"key: value\" lines" },
        { METER "    pol: 10s\n",
          "5:5: meters[0].pol: unknown key; expected one of: id, name, protocol, profile, port, baud, "
          "role, port_tx, poll, poll_aligned, stale_after, limits, console_log_level, scale" },
        { "meters:\n  - protocol: tuyamcu\n    port: /dev/x\n",
          "2:5: meters[0].id: missing; expected 1 to 32 of a-z, 0-9 and -" },
        { "meters:\n  - id: a\n    port: /dev/x\n",
          "2:5: meters[0].protocol: missing; expected the name of a protocol: tuyamcu or vue" },
        { "meters:\n  - id: a\n    protocol: tuyamcu\n",
          "2:5: meters[0].port: missing; expected /dev/serial/by-id/..., tcp://HOST:PORT or "
          "replay://FILE?speed=N" },
        { "meters:\n  - id: Main\n", "2:9: meters[0].id: \"Main\" is not an id; expected 1 to 32 of a-z, 0-9 and -" },
        { "meters:\n  - id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
          "2:9: meters[0].id: too long, the limit is 32 bytes; expected 1 to 32 of a-z, 0-9 and -" },
        { "meters:\n  - id: a\n    protocol: modbus\n",
          "3:15: meters[0].protocol: there is no protocol \"modbus\"; expected one of: tuyamcu, vue" },
        { VUE "    profile: pj-mgw1103\n",
          "5:14: meters[0].profile: a meter that speaks vue itself says what its values mean; expected no such line" },
        { VUE "    poll: 4s\n", "5:11: meters[0].poll: \"4s\" is out of range; expected 5s to 1h" },
        { VUE "    poll_aligned: perhaps\n",
          "5:19: meters[0].poll_aligned: \"perhaps\" is none of these; expected true or false" },
        { VUE "    console_log_level: 0\n", "5:24: meters[0].console_log_level: \"0\" is out of range; expected a "
          "number from 1 to 99, such as 10" },
        { VUE "    console_log_level: 100\n", "5:24: meters[0].console_log_level: \"100\" is out of range; expected a "
          "number from 1 to 99, such as 10" },
        { VUE "    console_log_level: loud\n", "5:24: meters[0].console_log_level: \"loud\" is not a number; expected a "
          "number from 1 to 99, such as 10" },
        { METER "    poll_aligned: true\n", "5:19: meters[0].poll_aligned: the protocol tuyamcu has no such setting; "
          "expected no such line" },
        { METER "    console_log_level: 10\n", "5:24: meters[0].console_log_level: the protocol tuyamcu has no such "
          "setting; expected no such line" },
        { VUE "  - id: v\n    protocol: vue\n    port: /dev/ttyUSB0\n",
          "7:11: meters[1].port: \"/dev/ttyUSB0\" is the port of meter u in line 4 too; expected a port of "
          "its own" },
        { METER "  - id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB1\n",
          "5:9: meters[1].id: \"main\" is the id of the meter in line 2 too; expected an id of its own" },
        { METER "  - id: other\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n",
          "7:11: meters[1].port: \"/dev/ttyUSB0\" is the port of meter main in line 4 too; expected a port of "
          "its own" },
        { METER "  - id: other\n    protocol: tuyamcu\n    port: /dev/../dev/./ttyUSB0\n",
          "7:11: meters[1].port: \"/dev/../dev/./ttyUSB0\" is the port of meter main in line 4 too; "
          "expected a port of its own" },
        { "meters:\n  - { id: a, protocol: tuyamcu, port: 'tcp://Bridge:1' }\n  - { id: b, protocol: tuyamcu, "
          "port: 'tcp://bridge:1' }\n",
          "3:39: meters[1].port: \"tcp://bridge:1\" is the port of meter a in line 2 too; expected a port of "
          "its own" },
        { METER "    port_tx: /dev/ttyUSB1\n", "5:14: meters[0].port_tx: the gateway itself is what speaks to this "
          "meter; expected \"role: listen\" beside it, or no such line" },
        { METER "    role: module\n    port_tx: /dev/ttyUSB1\n", "6:14: meters[0].port_tx: the gateway itself is what "
          "speaks to this meter; expected \"role: listen\" beside it, or no such line" },
        { METER "    role: listen\n    port_tx: ttyUSB1\n", "6:14: meters[0].port_tx: \"ttyUSB1\" is not a port; expected "
          "/dev/serial/by-id/... or tcp://HOST:PORT" },
        { METER "    role: listen\n    port_tx: replay://a.txt\n", "6:14: meters[0].port_tx: \"replay://a.txt\" is not a "
          "port; expected /dev/serial/by-id/... or tcp://HOST:PORT" },
        { METER "    role: listen\n    port_tx: /dev/./ttyUSB0\n", "6:14: meters[0].port_tx: \"/dev/./ttyUSB0\" is the port "
          "of meter main in line 4 too; expected a port of its own" },
        { METER "    role: listen\n    port_tx: /dev/ttyUSB1\n  - id: b\n    protocol: vue\n    port: /dev/ttyUSB1\n",
          "9:11: meters[1].port: \"/dev/ttyUSB1\" is the port of meter main in line 6 too; expected a port of its own" },
        { METER "  - id: b\n    protocol: vue\n    port: /dev/ttyUSB1\n    role: listen\n    port_tx: /dev/ttyUSB0\n",
          "9:14: meters[1].port_tx: \"/dev/ttyUSB0\" is the port of meter main in line 4 too; expected a port of its own" },
        { REPLAY("a.txt") "    role: module\n", "5:11: meters[0].role: a recording can only be listened to; expected "
          "listen, or no such line" },
        { REPLAY("a.txt") "    role: listen\n    port_tx: /dev/ttyUSB1\n", "6:14: meters[0].port_tx: a recording holds "
          "both directions already; expected no such line" },
        { REPLAY(""), "4:11: meters[0].port: \"replay://\" names no file; expected /dev/serial/by-id/..., "
          "tcp://HOST:PORT or replay://FILE?speed=N" },
        { REPLAY("?speed=2"), "4:11: meters[0].port: \"replay://?speed=2\" names no file; expected "
          "/dev/serial/by-id/..., tcp://HOST:PORT or replay://FILE?speed=N" },
        { REPLAY("a.txt?fast"), "4:11: meters[0].port: \"?fast\" is no setting of a replay; expected ?speed=N behind "
          "the file, or nothing" },
        { REPLAY("a.txt?speed="), "4:11: meters[0].port: \"\" is not a speed; expected a number from 0.1 to 1000 with "
          "up to 3 places" },
        { REPLAY("a.txt?speed=0.0999"), "4:11: meters[0].port: \"0.0999\" is not a speed; expected a number from 0.1 to "
          "1000 with up to 3 places" },
        { REPLAY("a.txt?speed=1000.001"), "4:11: meters[0].port: \"1000.001\" is not a speed; expected a number from "
          "0.1 to 1000 with up to 3 places" },
        { REPLAY("a.txt?speed=-1"), "4:11: meters[0].port: \"-1\" is not a speed; expected a number from 0.1 to 1000 "
          "with up to 3 places" },
        { REPLAY("a.txt?speed=10&loop=1"), "4:11: meters[0].port: \"10&loop=1\" is not a speed; expected a number from "
          "0.1 to 1000 with up to 3 places" },
        { METER "    profile: pj-mgw1104\n", "5:14: meters[0].profile: there is no profile \"pj-mgw1104\"; "
          "expected a name from \"metergate profiles list\", or a file" },
        { METER "    profile: ./nowhere/my.yaml\n",
          "5:14: meters[0].profile: there is no profile \"./nowhere/my.yaml\"; "
          "expected a name from \"metergate profiles list\", or a file" },
        { METER "    profile: /dev/null\n", "5:14: meters[0].profile: /dev/null: Bad file descriptor; "
          "expected the name of a built-in profile, or a file" },
        { METER "    baud: fast\n",
          "5:11: meters[0].baud: \"fast\" is not a number; expected auto, or a speed such as 9600 or 115200" },
        { METER "    baud: 12345\n",
          "5:11: meters[0].baud: \"12345\" is not a usual speed; expected auto, or a speed such as 9600 or 115200" },
        { METER "    role: master\n",
          "5:11: meters[0].role: \"master\" is none of these; expected module or listen" },
        { METER "    poll: 10\n",
          "5:11: meters[0].poll: \"10\" is not a duration; expected a duration such as 10s (units ms, s, min, "
          "h, d)" },
        { METER "    poll: 99999999999999999999d\n",
          "5:11: meters[0].poll: \"99999999999999999999d\" is out of range; expected 1s to 5min" },
        { METER "    poll: 1ms\n", "5:11: meters[0].poll: \"1ms\" is out of range; expected 1s to 5min" },
        { METER "    stale_after: 5s\n    poll: 10s\n",
          "5:18: meters[0].stale_after: \"5s\" is shorter than the time between "
          "two polls; expected at least poll, better three times as long" },
        { METER "    limits: [1, 2]\n",
          "5:13: meters[0].limits: a list is not a map; expected [LOWEST, HIGHEST] for quantities, "
          "such as power_w: [-18000, 18000]" },
        { METER "    limits: { power_kw: [0, 1] }\n",
          "5:15: meters[0].limits: there is no quantity \"power_kw\"; expected one of: "
          "voltage_v, current_a, power_w, apparent_power_va, reactive_power_var, power_factor, frequency_hz, "
          "temperature_c, "
          "energy_import_kwh, energy_export_kwh" },
        { METER "    limits: { power_w: [1] }\n", "5:24: meters[0].limits.power_w: not a pair of numbers; "
          "expected [LOWEST, HIGHEST] for quantities, such as power_w: [-18000, 18000]" },
        { METER "    limits: { power_w: [2, 1] }\n",
          "5:24: meters[0].limits.power_w: the first number is not below the second; "
          "expected [LOWEST, HIGHEST] for quantities, such as power_w: [-18000, 18000]" },
        { METER "    limits: { power_w: [0, 1.0001] }\n",
          "5:28: meters[0].limits.power_w: \"1.0001\" is too large or has more "
          "than 3 places; expected [LOWEST, HIGHEST] for quantities, such as power_w: [-18000, 18000]" },
        { METER "    scale: 0\n", "5:12: meters[0].scale: \"0\" is not a factor; "
          "expected a positive decimal number up to 1000000 with up to 6 places" },
        { METER "    scale: 1000000.1\n", "5:12: meters[0].scale: \"1000000.1\" is not a factor; "
          "expected a positive decimal number up to 1000000 with up to 6 places" },
        { METER "    scale: 0.0000001\n", "5:12: meters[0].scale: \"0.0000001\" is not a factor; "
          "expected a positive decimal number up to 1000000 with up to 6 places" },
};

static int parse(const char *text, struct config **ret, struct config_error *error) {
        return config_parse("m.yaml", text, strlen(text), ret, error);
}

static void each_mistake_gives_its_line(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(mistakes); i++) {
                struct config_error error = { .text = "" };
                struct config *c = NULL;
                char message[CONFIG_ERROR_MAX];

                snprintf(message, sizeof message, "m.yaml:%s", mistakes[i].message);
                assert_int_equal(parse(mistakes[i].text, &c, &error), -EINVAL);
                assert_null(c);
                assert_string_equal(error.text, message);
        }
}

static const char *const bad_ports[] = {
        "ttyUSB0", "/", "tcp://", "tcp://host", "tcp://host:", "tcp://host:0", "tcp://host:65536", "tcp://host:12a",
        "tcp://:3001", "tcp://[::1]", "tcp://[]:3001", "tcp://[xyz]:3001", "tcp://a b:3001", "tcp://a/b:3001", "udp://host:1",
        "tcp://::1:3001", "COM3",
};

static void bad_ports_are_refused(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(bad_ports); i++) {
                char text[200], message[CONFIG_ERROR_MAX];
                struct config_error error = { .text = "" };
                struct config *c = NULL;

                snprintf(text, sizeof text, "meters:\n  - id: a\n    protocol: tuyamcu\n    port: '%s'\n",
                         bad_ports[i]);
                snprintf(message, sizeof message, "m.yaml:4:11: meters[0].port: \"%s\" is not a port; "
                         "expected /dev/serial/by-id/..., tcp://HOST:PORT or replay://FILE?speed=N", bad_ports[i]);
                assert_int_equal(parse(text, &c, &error), -EINVAL);
                assert_string_equal(error.text, message);
        }
}

static const char *const bad_addresses[] = {
        "127.0.0.1", "127.0.0.1:", ":8730", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:+1", "[::1]", "::1:8730", "[::1:8730",
        "[127.0.0.1]:80", "unix:", "unix:relative", "256.0.0.1:80", "*:80", "unix:/"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

static void bad_addresses_are_refused(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTS(bad_addresses); i++) {
                struct config_error error = { .text = "" };
                struct config *c = NULL;
                char text[300];

                snprintf(text, sizeof text, "http:\n  access: open\n  listen: ['%s']\nmeters: []\n",
                         bad_addresses[i]);
                assert_int_equal(parse(text, &c, &error), -EINVAL);
                assert_non_null(strstr(error.text, "m.yaml:3:12: http.listen[0]: \""));
                assert_non_null(strstr(error.text, "is not an address; expected ADDRESS:PORT"));
        }
}

static void large_files_are_refused(void **state) {
        struct config_error error = { .text = "" };
        struct config *c = NULL;
        size_t len = 1024 * 1024 + 1;
        char *text = malloc(len);

        (void) state;
        assert_non_null(text);
        memset(text, '#', len);
        assert_int_equal(config_parse("m.yaml", text, len, &c, &error), -EINVAL);
        assert_string_equal(error.text, "m.yaml:1:1: the file is too large; expected at most 1 MiB");
        free(text);
}

static void messages_stay_one_short_line(void **state) {
        struct config_error error = { .text = "" };
        struct config *c = NULL;
        char text[3000] = "";

        (void) state;
        for (unsigned i = 0; i < 400; i++)
                strcat(text, i % 4 == 3 ? "x" : "\xe2\x82\xac");
        strcat(text, ": 1\n");
        assert_int_equal(parse(text, &c, &error), -EINVAL);
        assert_null(strchr(error.text, '\n'));
        assert_in_range(strlen(error.text), 10, CONFIG_ERROR_MAX - 1);
        assert_int_equal(parse("\"a\\x1b[31m\\nb\": 1\n", &c, &error), -EINVAL);
        assert_string_equal(error.text, "m.yaml:1:1: a?[31m?b: unknown key; expected one of: site, http, history, "
                                        "tariffs, remote_write, meters");
}

static void what_would_take_long_is_refused_early(void **state) {
        static const char *const pieces[] = { "[", "{", "? ", "- ", "&a [" };
        size_t len = 500000;
        char *text = malloc(len + 10);

        (void) state;
        assert_non_null(text);
        for (size_t i = 0; i < ELEMENTS(pieces); i++) {
                struct config_error error = { .text = "" };
                struct config *c = NULL;
                size_t n = strlen(pieces[i]);

                for (size_t at = 0; at < len; at += n)
                        memcpy(text + at, pieces[i], n);
                assert_int_equal(config_parse("m.yaml", text, len, &c, &error), -EINVAL);
                assert_non_null(strstr(error.text, ": nested too deeply; expected less"));
        }
        free(text);
}

static void anchors_are_limited(void **state) {
        struct config_error error = { .text = "" };
        struct config *c = NULL;
        char text[2000] = "meters:\n";

        (void) state;
        for (unsigned i = 0; i < 65; i++)
                sprintf(text + strlen(text), "  - &a%u x\n", i);
        assert_int_equal(parse(text, &c, &error), -EINVAL);
        assert_string_equal(error.text, "m.yaml:66:5: too many anchors; expected less");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_mistake_gives_its_line),
                cmocka_unit_test(bad_ports_are_refused),
                cmocka_unit_test(bad_addresses_are_refused),
                cmocka_unit_test(large_files_are_refused),
                cmocka_unit_test(what_would_take_long_is_refused_early),
                cmocka_unit_test(anchors_are_limited),
                cmocka_unit_test(messages_stay_one_short_line),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
