#include "tools/tools.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/units.h"
#include "config/config.h"
#include "config/http_policy.h"
#include "http/secret_file.h"
#include "protocols/profile.h"
#include "push/push.h"

static void print_help(FILE *to) {
        fprintf(to, "Usage: metergate check-config FILE|-\n"
                    "       metergate check-config --keys\n\n"
                    "Validates a configuration and prints what would run with it.\n\n"
                    "  --keys  print every key: name, form, default, meaning, with tabs between\n"
                    "  --help  this text\n");
}

static void print_scale(const struct meter_config *m) {
        char text[DECIMAL_TEXT_MAX];

        if (m->scale_num == m->scale_den)
                return;
        /* The denominator divides a million. */
        decimal_format(m->scale_num * (1000000 / m->scale_den), 6, text);
        printf("  scale        %s\n", text);
}

static void print_limits(const struct meter_config *m) {
        char min[DECIMAL_TEXT_MAX], max[DECIMAL_TEXT_MAX];

        for (unsigned q = 0; q < Q_COUNT; q++) {
                if (!m->limits[q].set)
                        continue;
                decimal_format(m->limits[q].min, quantity_catalogue[q].decimals, min);
                decimal_format(m->limits[q].max, quantity_catalogue[q].decimals, max);
                printf("  limits       %s: %s to %s\n", quantity_catalogue[q].key, min, max);
        }
}

static void print_meter(const struct meter_config *m) {
        char poll[32], stale_after[32];

        units_format_duration_ms(m->poll_ms, poll);
        units_format_duration_ms(m->stale_after_ms, stale_after);
        printf("meter %s: %s\n", m->id, m->name);
        printf("  protocol     %s\n", m->protocol->name);
        if (m->profile)
                printf("  profile      %s: %s\n", m->profile_name, m->profile->title);
        else if (m->protocol->needs_profile)
                printf("  profile      picked by the product key that the meter tells\n");
        printf("  port         %s\n", m->port);
        if (m->port_tx)
                printf("  port tx      %s\n", m->port_tx);
        if (m->replay.path)
                printf("  replays      %s\n", m->replay.path);
        else if (m->baud)
                printf("  baud         %" PRIu32 "\n", m->baud);
        else
                printf("  baud         auto\n");
        printf("  role         %s\n", m->role == ROLE_LISTEN ? "listen" : "module");
        printf("  poll         %s%s\n", poll, m->poll_aligned ? ", on the wall clock" : "");
        printf("  stale after  %s\n", stale_after);
        if (m->console_log_level)
                printf("  console      log level %" PRIu32 "\n", m->console_log_level);
        print_scale(m);
        print_limits(m);
}

static void print_receiver(const struct remote_write_config *r) {
        printf("remote write %s\n", r->name);
        printf("  url          %s\n", r->url);
        if (r->token_path)
                printf("  token        from %s%s\n", r->token_path,
                       secret_file_is_out_of_reach(r->token_path) ? ", not checked: only the service has it" : "");
        for (unsigned i = 0; i < r->n_headers; i++)
                printf("  header       %s: %s\n", r->headers[i].name, r->headers[i].text);
        for (unsigned i = 0; i < r->n_labels; i++)
                printf("  label        %s: %s\n", r->labels[i].name, r->labels[i].text);
        for (unsigned i = 0; i < r->n_series; i++)
                printf("  series       %s\n", r->series[i]);
}

/* Those of the service are out of reach here, and it would be wrong to say nothing. */
static void print_unchecked(const struct config *c) {
        const char *names[] = { c->http.tokens_path, c->http.certificate_path, c->http.key_path };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (names[i] && secret_file_is_out_of_reach(names[i]))
                        printf("  not checked  %s: only the service has it\n", names[i]);
}

static void print_config(const struct config *c) {
        printf("site %s\n", c->site.name);
        printf("  time zone    %s\n", c->site.timezone ? c->site.timezone : "the system's");
        printf("http\n");
        for (unsigned i = 0; i < c->http.n_listen; i++)
                printf("  listen       %s\n", c->http.listen[i].text);
        if (c->http.access == ACCESS_TOKEN)
                printf("  access       token, from %s\n", c->http.tokens_path);
        else
                printf("  access       open\n");
        if (c->http.certificate_path)
                printf("  tls          certificate %s, key %s\n", c->http.certificate_path, c->http.key_path);
        print_unchecked(c);
        for (unsigned i = 0; i < c->http.n_hosts; i++)
                printf("  host         %s\n", c->http.hosts[i]);
        for (unsigned i = 0; i < c->http.n_cors_origins; i++)
                printf("  origin       %s\n", c->http.cors_origins[i]);
        for (unsigned i = 0; i < c->n_remote_write; i++)
                print_receiver(&c->remote_write[i]);
        for (unsigned i = 0; i < c->n_meters; i++)
                print_meter(&c->meters[i]);
        if (c->n_meters == 0)
                printf("no meters\n");
}

static int check(const char *path) {
        CLEANUP(config_freep) struct config *c = NULL;
        struct config_error error;
        char why[HTTP_ERROR_MAX > PUSH_ERROR_MAX ? HTTP_ERROR_MAX : PUSH_ERROR_MAX];

        if (config_load(path, &c, &error) < 0) {
                fprintf(stderr, "metergate: %s\n", error.text);
                return 2;
        }
        for (unsigned i = 0; i < c->n_warnings; i++)
                fprintf(stderr, "metergate: %s\n", c->warnings[i]);
        if (config_check_files(c, why) < 0 || push_check_files(c, why) < 0) {
                fprintf(stderr, "metergate: %s\n", why);
                return 2;
        }
        print_config(c);
        return fflush(stdout) == 0 ? 0 : 1;
}

int check_config_main(int argc, char **argv) {
        static const struct option options[] = {
                { "keys", no_argument, NULL, 'k' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (option) {
                case 'k':
                        config_schema_print(stdout);
                        return 0;
                case 'h':
                        print_help(stdout);
                        return 0;
                default:
                        return 2;
                }
        if (optind != argc - 1) {
                fprintf(stderr, "metergate: check-config takes one file; see metergate check-config --help\n");
                return 2;
        }
        return check(argv[optind]);
}
