/* The configuration: what it takes and what it makes of it. test_config_mistakes.c has what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/config.h"

#define METER "meters:\n  - id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n"

static int parse(const char *text, struct config **ret, struct config_error *error) {
        return config_parse("m.yaml", text, strlen(text), ret, error);
}

static struct config *parse_good(const char *text) {
        struct config_error error = { .text = "" };
        struct config *c = NULL;

        if (parse(text, &c, &error) < 0)
                fail_msg("%s", error.text);
        return c;
}

static void defaults(void **state) {
        CLEANUP(config_freep) struct config *c = parse_good(METER);
        const struct meter_config *m = &c->meters[0];

        (void) state;
        assert_string_equal(c->path, "m.yaml");
        assert_string_equal(c->site.name, "Home");
        assert_null(c->site.timezone);
        assert_int_equal(c->http.access, ACCESS_OPEN);
        assert_null(c->http.tokens_path);
        assert_int_equal(c->http.n_listen, 2);
        assert_string_equal(c->http.listen[0].text, "127.0.0.1:8730");
        assert_string_equal(c->http.listen[1].text, "[::1]:8730");
        assert_int_equal(c->n_warnings, 0);
        assert_int_equal(c->n_meters, 1);
        assert_string_equal(m->id, "main");
        assert_string_equal(m->name, "main");
        assert_string_equal(m->protocol->name, "tuyamcu");
        assert_null(m->profile);
        assert_null(m->profile_name);
        assert_int_equal(m->baud, 0);
        assert_int_equal(m->role, ROLE_MODULE);
        assert_int_equal(m->poll_ms, m->protocol->default_poll_ms);
        assert_int_equal(m->stale_after_ms, 3 * m->poll_ms + 5000);
        assert_int_equal(m->scale_num, 1);
        assert_int_equal(m->scale_den, 1);
        assert_int_equal(m->line, 2);
        for (unsigned q = 0; q < Q_COUNT; q++)
                assert_false(m->limits[q].set);
}

static void utility_meters(void **state) {
        CLEANUP(config_freep) struct config *c = parse_good(
                "meters:\n"
                "  - { id: a, protocol: vue, port: /dev/ttyUSB0 }\n"
                "  - { id: b, protocol: vue, port: 'tcp://127.0.0.1:3001', poll: 5s, poll_aligned: true,\n"
                "      console_log_level: 10, scale: 40, role: listen }\n"
                "  - { id: c, protocol: vue, port: /dev/ttyUSB1, poll_aligned: false, console_log_level: 99 }\n");
        const struct meter_config *m = c->meters;
        struct meter_config changed = m[1];

        (void) state;
        assert_string_equal(m[0].protocol->name, "vue");
        assert_null(m[0].profile);
        assert_int_equal(m[0].baud, 0);
        assert_int_equal(m[0].protocol->bauds[0], 115200);
        assert_int_equal(m[0].poll_ms, 30000);
        assert_int_equal(m[0].stale_after_ms, 95000);
        assert_false(m[0].poll_aligned);
        assert_int_equal(m[0].console_log_level, 0);
        assert_int_equal(m[1].poll_ms, 5000);
        assert_int_equal(m[1].stale_after_ms, 20000);
        assert_true(m[1].poll_aligned);
        assert_int_equal(m[1].console_log_level, 10);
        assert_int_equal(m[1].role, ROLE_LISTEN);
        assert_false(m[2].poll_aligned);
        assert_int_equal(m[2].console_log_level, 99);
        changed.poll_aligned = false;
        assert_false(meter_config_equal(&m[1], &changed));
        changed.poll_aligned = true;
        assert_true(meter_config_equal(&m[1], &changed));
        changed.console_log_level = 20;
        assert_false(meter_config_equal(&m[1], &changed));
}

static void nothing_at_all(void **state) {
        CLEANUP(config_freep) struct config *c = parse_good("site:\nhttp: ~\nhistory: null\ntariffs:\nmeters: []\n");

        (void) state;
        assert_int_equal(c->n_meters, 0);
        assert_int_equal(c->http.n_listen, 2);
        assert_int_equal(c->n_warnings, 0);
}

static const char full[] =
        "site: { name: 'Büro', timezone: Europe/Warsaw }\n"
        "http:\n"
        "  listen: ['0.0.0.0:80', '[::1]:0', '[::ffff:127.0.0.1]:5', 'unix:/run/metergate/api.sock', '[2001:db8::1]:80']\n"
        "  access: token\n"
        "  tokens: tokens\n"
        "  tls: { certificate: tls/cert.pem, key: 'credential:key' }\n"
        "  cors_origins: ['http://panel.local:3000', 'https://[2001:db8::1]:8443', 'app://x']\n"
        "  hosts: [meters.example.org, attic_pi]\n"
        "history: { directory: /var/lib/metergate, size: 64MiB, flush: 60s }\n"
        "meters:\n"
        "  - id: main\n"
        "    name: House main\n"
        "    protocol: tuyamcu\n"
        "    profile: pj-mgw1103\n"
        "    port: /dev/serial/by-id/usb-FTDI_FT232R-if00-port0\n"
        "    baud: 115200\n"
        "    role: listen\n"
        "    poll: 20s\n"
        "    stale_after: 20s\n"
        "    limits: { power_w: [-18000, 18000.5], energy_import_kwh: [0, 0.000001] }\n"
        "    scale: 2.5\n"
        "  - { id: b, protocol: tuyamcu, port: 'tcp://127.0.0.1:3001', baud: auto, scale: 0.000001, profile: pj-mgw1103 }\n"
        "  - { id: c, protocol: tuyamcu, port: 'tcp://[fe80::1%eth0]:65535', scale: 1000000 }\n"
        "  - { id: d, protocol: tuyamcu, port: 'tcp://esp-bridge.lan:1' }\n"
        "tariffs:\n"
        "  - { name: day, price: 0.28, currency: EUR, days: mon-fri, hours: \"06:00-22:00\" }\n"
        "  - { name: night, price: -0.19, currency: EUR, days: 'mon,wed-fri, sun', hours: '22:00-06:00,12:00-24:00' }\n";

static void everything_http(void **state) {
        CLEANUP(config_freep) struct config *c = NULL;
        static const bool loopback[] = { false, true, true, true, false };
        struct config_error error = { .text = "" };
        const struct sockaddr_in *in;
        const struct sockaddr_un *un;

        (void) state;
        assert_int_equal(config_parse("/etc/metergate/metergate.yaml", full, strlen(full), &c, &error), 0);
        assert_string_equal(c->site.name, "Büro");
        assert_string_equal(c->site.timezone, "Europe/Warsaw");
        assert_int_equal(c->http.n_listen, 5);
        for (unsigned i = 0; i < 5; i++)
                assert_int_equal(c->http.listen[i].loopback, loopback[i]);
        in = (const struct sockaddr_in *) &c->http.listen[0].address;
        assert_int_equal(in->sin_family, AF_INET);
        assert_int_equal(ntohs(in->sin_port), 80);
        assert_int_equal(c->http.listen[0].address_len, sizeof *in);
        assert_int_equal(c->http.listen[1].address_len, sizeof(struct sockaddr_in6));
        un = (const struct sockaddr_un *) &c->http.listen[3].address;
        assert_int_equal(un->sun_family, AF_UNIX);
        assert_string_equal(un->sun_path, "/run/metergate/api.sock");
        assert_int_equal(c->http.access, ACCESS_TOKEN);
        assert_string_equal(c->http.tokens_path, "/etc/metergate/tokens");
        assert_string_equal(c->http.certificate_path, "/etc/metergate/tls/cert.pem");
        assert_string_equal(c->http.key_path, "credential:key");
        assert_int_equal(c->http.n_cors_origins, 3);
        assert_string_equal(c->http.cors_origins[2], "app://x");
        assert_int_equal(c->http.n_hosts, 2);
        assert_string_equal(c->http.hosts[1], "attic_pi");
        assert_int_equal(c->n_warnings, 1);
        assert_string_equal(c->warnings[0], "/etc/metergate/metergate.yaml:26:3: tariffs: "
                            "no price holds on tue at 00:00; the cost of such times is not known");
}

static void history_sizes(void **state) {
        CLEANUP(config_freep) struct config *none = parse_good("meters: []\n");
        CLEANUP(config_freep) struct config *least = parse_good("history: { size: 2MiB, flush: 1s }\nmeters: []\n");
        CLEANUP(config_freep) struct config *most = parse_good("history: { size: 16GiB, flush: 1h }\nmeters: []\n");
        CLEANUP(config_freep) struct config *relative = NULL;
        const char *text = "history: { directory: rings }\nmeters: []\n";
        struct config_error error = { .text = "" };

        (void) state;
        assert_null(none->history.directory);
        assert_int_equal(none->history.size_bytes, 64 << 20);
        assert_int_equal(none->history.flush_ms, 60000);
        assert_int_equal(least->history.size_bytes, 2 << 20);
        assert_int_equal(least->history.flush_ms, 1000);
        assert_int_equal(most->history.size_bytes, UINT64_C(16) << 30);
        assert_int_equal(most->history.flush_ms, 3600000);
        assert_int_equal(config_parse("/etc/metergate/metergate.yaml", text, strlen(text), &relative, &error), 0);
        assert_string_equal(relative->history.directory, "/etc/metergate/rings");
        assert_int_equal(relative->n_warnings, 0);
}

static void everything_meters(void **state) {
        CLEANUP(config_freep) struct config *c = parse_good(full);
        const struct meter_config *m = &c->meters[0];

        (void) state;
        assert_int_equal(c->n_meters, 4);
        assert_string_equal(m->name, "House main");
        assert_string_equal(m->profile_name, "pj-mgw1103");
        assert_string_equal(m->profile->name, "pj-mgw1103");
        assert_string_equal(m->port, "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0");
        assert_int_equal(m->baud, 115200);
        assert_int_equal(m->role, ROLE_LISTEN);
        assert_int_equal(m->poll_ms, 20000);
        assert_int_equal(m->stale_after_ms, 20000);
        assert_true(m->limits[Q_POWER].set);
        assert_int_equal(m->limits[Q_POWER].min, -18000000);
        assert_int_equal(m->limits[Q_POWER].max, 18000500);
        assert_int_equal(m->limits[Q_ENERGY_IMPORT].max, 1);
        assert_false(m->limits[Q_VOLTAGE].set);
        assert_int_equal(m->scale_num, 5);
        assert_int_equal(m->scale_den, 2);
        assert_int_equal(c->meters[1].scale_num, 1);
        assert_int_equal(c->meters[1].scale_den, 1000000);
        assert_int_equal(c->meters[1].poll_ms, 10000);
        assert_int_equal(c->meters[1].stale_after_ms, 35000);
        assert_int_equal(c->meters[2].scale_num, 1000000);
        assert_int_equal(c->meters[2].scale_den, 1);
        assert_int_equal(c->meters[3].line, 24);
}

static void aliases_work(void **state) {
        CLEANUP(config_freep) struct config *c = parse_good("meters:\n"
                "  - { id: a, protocol: tuyamcu, port: /dev/a, limits: &l { power_w: [-1, 1] } }\n"
                "  - { id: b, protocol: tuyamcu, port: /dev/b, limits: *l }\n");

        (void) state;
        assert_int_equal(c->meters[1].limits[Q_POWER].max, 1000);
}

static void as_many_meters_as_fit(void **state) {
        CLEANUP(config_freep) struct config *c = NULL;
        struct config_error error = { .text = "" };
        char text[METERS_MAX * 80 + 200] = "meters:\n";

        (void) state;
        for (unsigned i = 0; i <= METERS_MAX; i++) {
                if (i == METERS_MAX)
                        c = parse_good(text);
                sprintf(text + strlen(text), "  - { id: m%u, protocol: tuyamcu, port: /dev/tty%u }\n", i, i);
        }
        assert_int_equal(c->n_meters, METERS_MAX);
        c = config_free(c);
        assert_int_equal(parse(text, &c, &error), -EINVAL);
        assert_string_equal(error.text, "m.yaml:2:3: meters: 33 items are too many, the limit is 32; "
                            "expected a list of meters, [] for none");
}

static void only_real_changes_count(void **state) {
        static const char *const changes[] = {
                "id: other\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB1\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    name: Main\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    baud: 9600\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    role: listen\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    role: listen\n    port_tx: /dev/ttyUSB1\n",
                "id: main\n    protocol: tuyamcu\n    port: replay:///dev/ttyUSB0\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    poll: 17s\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    stale_after: 17min\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    scale: 2\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    profile: pj-mgw1103\n",
                "id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n    limits: { power_w: [0, 1] }\n",
        };
        CLEANUP(config_freep) struct config *a = parse_good(METER);
        CLEANUP(config_freep) struct config *b = parse_good("site: { name: Elsewhere }\n" METER);

        (void) state;
        assert_true(meter_config_equal(&a->meters[0], &b->meters[0]));
        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                CLEANUP(config_freep) struct config *c = NULL;
                CLEANUP(config_freep) struct config *again = NULL;
                char text[300];

                snprintf(text, sizeof text, "meters:\n  - %s", changes[i]);
                c = parse_good(text);
                again = parse_good(text);
                assert_false(meter_config_equal(&a->meters[0], &c->meters[0]));
                assert_true(meter_config_equal(&again->meters[0], &c->meters[0]));
        }
}

/* Both lines of a meter that is only listened to, and recordings in the place of a port. */
static void listeners(void **state) {
        CLEANUP(config_freep) struct config *c = parse_good(
                "meters:\n"
                "  - { id: a, protocol: vue, port: /dev/ttyUSB0, port_tx: 'tcp://bridge:1', role: listen }\n"
                "  - { id: b, protocol: vue, port: 'replay:///var/a b.txt?speed=2.5' }\n"
                "  - { id: c, protocol: tuyamcu, port: 'replay://captures/c.hex', role: listen }\n"
                "  - { id: d, protocol: tuyamcu, port: 'replay://captures/c.hex?speed=0.1' }\n"
                "  - { id: e, protocol: tuyamcu, port: 'replay://captures/c.hex?speed=1000' }\n");
        const struct meter_config *m = c->meters;

        (void) state;
        assert_string_equal(m[0].port, "/dev/ttyUSB0");
        assert_string_equal(m[0].port_tx, "tcp://bridge:1");
        assert_null(m[0].replay.path);
        assert_string_equal(m[1].port, "replay:///var/a b.txt?speed=2.5");
        assert_string_equal(m[1].replay.path, "/var/a b.txt");
        assert_int_equal(m[1].replay.speed, 2500);
        assert_int_equal(m[1].role, ROLE_LISTEN);
        assert_string_equal(m[2].replay.path, "captures/c.hex");
        assert_int_equal(m[2].replay.speed, 1000);
        assert_int_equal(m[2].role, ROLE_LISTEN);
        assert_null(m[2].port_tx);
        assert_int_equal(m[3].replay.speed, 100);
        assert_int_equal(m[4].replay.speed, 1000000);
}

static void write_file(const char *path, const char *text) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

/* A folder with a configuration, a profile beside it, and two names for one port. */
static void files_and_links(void **state) {
        static const char profile[] = "name: mine\ntitle: Mine\nprotocol: tuyamcu\nevidence: stated\ndatapoints: []\n";
        char folder[] = "/tmp/metergate-test-XXXXXX", path[100], profile_path[100], port[100], link_path[100];
        char text[600];
        struct config_error error = { .text = "" };
        struct config *c = NULL;

        (void) state;
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/m.yaml", folder);
        snprintf(profile_path, sizeof profile_path, "%s/mine.yaml", folder);
        snprintf(port, sizeof port, "%s/port", folder);
        snprintf(link_path, sizeof link_path, "%s/link", folder);
        write_file(path, "meters:\n  - { id: a, protocol: tuyamcu, port: /dev/x, profile: mine.yaml }\n");
        write_file(profile_path, profile);
        assert_int_equal(config_load(path, &c, &error), 0);
        assert_string_equal(c->meters[0].profile->name, "mine");
        c = config_free(c);

        write_file(profile_path, "name: mine\ntitle: Mine\nprotocol: modbus\n");
        assert_int_equal(config_load(path, &c, &error), -EINVAL);
        snprintf(text, sizeof text, "%s:3:11: protocol: there is no protocol \"modbus\"; "
                 "expected the name of a protocol such as tuyamcu", profile_path);
        assert_string_equal(error.text, text);

        write_file(port, "");
        assert_int_equal(symlink(port, link_path), 0);
        snprintf(text, sizeof text, "meters:\n  - { id: a, protocol: tuyamcu, port: %s }\n"
                 "  - { id: b, protocol: tuyamcu, port: %s }\n", port, link_path);
        write_file(path, text);
        assert_int_equal(config_load(path, &c, &error), -EINVAL);
        assert_non_null(strstr(error.text, "m.yaml:3:39: meters[1].port: "));
        assert_non_null(strstr(error.text, "is the port of meter a in line 2 too"));
        unlink(link_path);
        unlink(port);
        unlink(profile_path);
        unlink(path);
        assert_int_equal(config_load(path, &c, &error), -ENOENT);
        snprintf(text, sizeof text, "%s: No such file or directory", path);
        assert_string_equal(error.text, text);
        assert_int_equal(config_load(folder, &c, &error), -EISDIR);
        assert_int_equal(rmdir(folder), 0);
}

static void sample_is_good(void **state) {
        CLEANUP(config_freep) struct config *c = NULL;
        struct config_error error = { .text = "" };

        (void) state;
        if (config_load(TOP_SRCDIR "/etc/metergate.yaml", &c, &error) < 0)
                fail_msg("%s", error.text);
        assert_int_equal(c->n_warnings, 0);
        assert_int_equal(c->n_meters, 0);
}

/* The sample's own advice: take out the "[]" and the # signs. Settings inside the example keep theirs. */
/* The sample's own advice: take out the "[]" and the # signs of the example, whose remarks keep theirs. */
static void sample_with_its_example_is_good(void **state) {
        CLEANUP(config_freep) struct config *c = NULL;
        char line[300], text[20000] = "";
        bool example = false;
        FILE *f;

        (void) state;
        f = fopen(TOP_SRCDIR "/etc/metergate.yaml", "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
                if (strcmp(line, "meters: []\n") == 0) {
                        example = true;
                        strcpy(line, "meters:\n");
                }
                assert_true(strlen(text) + strlen(line) < sizeof text);
                strcat(text, line + (example && strncmp(line, "#  ", 3) == 0));
        }
        fclose(f);
        c = parse_good(text);
        assert_int_equal(c->n_meters, 2);
        assert_string_equal(c->meters[0].id, "main");
        assert_string_equal(c->meters[1].id, "utility");
}

static void schema_names_every_key(void **state) {
        static const char *const keys[] = { "site.timezone\t", "http.listen\t", "history.flush\t",
                                            "tariffs[].price\t", "meters[].stale_after\t" };
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        (void) state;
        assert_non_null(out);
        config_schema_print(out);
        fclose(out);
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                assert_non_null(strstr(text, keys[i]));
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults),
                cmocka_unit_test(nothing_at_all),
                cmocka_unit_test(utility_meters),
                cmocka_unit_test(everything_http),
                cmocka_unit_test(history_sizes),
                cmocka_unit_test(everything_meters),
                cmocka_unit_test(aliases_work),
                cmocka_unit_test(as_many_meters_as_fit),
                cmocka_unit_test(listeners),
                cmocka_unit_test(only_real_changes_count),
                cmocka_unit_test(files_and_links),
                cmocka_unit_test(sample_is_good),
                cmocka_unit_test(sample_with_its_example_is_good),
                cmocka_unit_test(schema_names_every_key),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
