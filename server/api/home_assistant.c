/* GET /api/v1/home-assistant.yaml: a package for Home Assistant that reads every meter through /now. */
#include "api/handlers.h"

#include <stdio.h>
#include <string.h>

#include "api/view.h"
#include "http/server.h"

#define SCAN_INTERVAL_MAX 3600
#define URL_MAX 256

struct package {
        struct buffer *out;
        char url[URL_MAX];        /* where Home Assistant finds us, without a slash at the end */
        unsigned scan_interval_s;
        bool token;
        unsigned entries;
};

/* A double-quoted YAML scalar. Our texts are valid UTF-8 already: names come from YAML, addresses are ASCII. */
static void put_quoted(struct buffer *out, const char *text) {
        buffer_putc(out, '"');
        for (const unsigned char *p = (const unsigned char *) text; *p; p++) {
                if (*p == '"' || *p == '\\')
                        buffer_printf(out, "\\%c", *p);
                else if (*p < 0x20 || *p == 0x7f)
                        buffer_printf(out, "\\x%02X", *p);
                else
                        buffer_putc(out, (char) *p);
        }
        buffer_putc(out, '"');
}

const struct parameter api_home_assistant_parameters[] = {
        { .name = "url", .type = PARAMETER_URL, .max = URL_MAX - 1, .example = "http://192.168.1.5:8730",
          .description = "Where Home Assistant finds this gateway. Without it: the address that this request "
                         "came to." },
        { .name = "scan_interval", .type = PARAMETER_INTEGER, .min = 1, .max = SCAN_INTERVAL_MAX, .fallback = "10",
          .example = "30", .description = "Seconds between two requests of Home Assistant." },
        { .name = "meter", .type = PARAMETER_NAME, .max = METER_ID_MAX, .example = "main",
          .description = "The id of a meter: this one alone. Without it: all of them." },
        { .name = NULL },
};

/* url=, else the address that this request came to, else our own. */
static void choose_url(struct package *p, const struct app *app, const struct request *request) {
        const char *own = app->http ? http_server_url(app->http) : "";
        struct parameter_value value;
        size_t len;

        if (request_given(request, "url"))
                snprintf(p->url, sizeof p->url, "%s", request_text(request, "url"));
        else if (snprintf(p->url, sizeof p->url, "%s://%s", request->scheme, request->host) >= URL_MAX ||
                 !parameter_read(&api_home_assistant_parameters[0], p->url, &value))
                snprintf(p->url, sizeof p->url, "%s", own[0] ? own : "http://127.0.0.1:8730");
        for (len = strlen(p->url); len > 0 && p->url[len - 1] == '/'; len--)
                p->url[len - 1] = 0;
}

static void put_header(struct package *p) {
        buffer_puts(p->out,
                    "# Meters of Metergate for Home Assistant.\n"
                    "# Save as packages/metergate.yaml beside configuration.yaml, and have there:\n"
                    "#   homeassistant:\n"
                    "#     packages: !include_dir_named packages\n"
                    "# then restart Home Assistant.\n");
        if (p->token)
                buffer_puts(p->out, "# Into secrets.yaml belongs metergate_token: \"Bearer <read token>\"\n");
        buffer_puts(p->out, "\n");
}

/* "l1.power_w" is value_json.channels.l1.power_w. Nothing may be taken for granted: there is no value_json while we
 * cannot be reached, and any attribute of something undefined is an error in Home Assistant's log. */
static void put_value(struct buffer *out, const char *channel, const char *key) {
        if (channel[0])
                buffer_printf(out, "(((value_json | default({})).channels | default({})).%s | default({})).%s",
                              channel, key);
        else
                buffer_printf(out, "(value_json | default({})).%s", key);
}

/* Home Assistant writes the value down before it looks at the availability, and a null would be the text None, which
 * is no number and ends the entity. A filter that cannot do what it is told ends the template instead, without a word
 * in the log: the value is then unknown until the entity is unavailable. */
static void put_templates(struct buffer *out, const char *channel, const char *key) {
        buffer_puts(out, "        value_template: \"{% set value = ");
        put_value(out, channel, key);
        buffer_puts(out, " %}{{ value if value is number else {} | dictsort(by='null') }}\"\n"
                    "        availability: \"{{ ");
        put_value(out, channel, key);
        buffer_puts(out, " is number }}\"\n");
}

static void put_sensor(struct package *p, const struct meter *m, const struct series *s) {
        const struct quantity_info *info = &quantity_catalogue[s->quantity];
        const struct meter_config *config = meter_config(m);
        const char *channel = view_channel(m, s);
        struct buffer name;

        buffer_init(&name, 1024);
        buffer_printf(&name, "%s %s%s%s", config->name, channel, channel[0] ? " " : "", info->label);
        buffer_puts(p->out, "      - name: ");
        put_quoted(p->out, name.data ? name.data : config->id);
        buffer_free(&name);
        buffer_printf(p->out, "\n        unique_id: \"metergate_%s_%s%s%s\"\n", config->id, channel,
                      channel[0] ? "_" : "", info->key);
        buffer_printf(p->out, "        device_class: %s\n        state_class: %s\n", info->ha_device_class,
                      info->ha_state_class);
        if (info->ha_unit) {
                buffer_puts(p->out, "        unit_of_measurement: ");
                put_quoted(p->out, info->ha_unit);
                buffer_putc(p->out, '\n');
        }
        put_templates(p->out, channel, info->key);
}

static void put_meter(struct package *p, const struct meter *m) {
        const struct series_set *set = meter_series(m);
        const char *id = meter_config(m)->id;

        if (set->count == 0) {
                buffer_printf(p->out, "  # %s: not known yet what this meter measures. %s\n", id,
                              view_lacks_profile(m) ? "Fetch this file again once it is online, or set its profile." :
                              "Its profile maps no quantity.");
                return;
        }
        p->entries++;
        buffer_puts(p->out, "  - resource: \"");
        buffer_printf(p->out, "%s/api/v1/meters/%s/now\"\n    scan_interval: %u\n", p->url, id, p->scan_interval_s);
        if (p->token)
                buffer_puts(p->out, "    headers:\n      Authorization: !secret metergate_token\n");
        buffer_puts(p->out, "    sensor:\n");
        for (unsigned i = 0; i < set->count; i++)
                put_sensor(p, m, &set->items[i]);
}

/* False: the reply is a problem. */
static bool is_meter(const struct app *app, const char *id, struct reply *reply) {
        if (!id || fleet_find(app->fleet, id))
                return true;
        reply_problem(reply, 400, "meter", "no meter \"%.64s\" here; /api/v1/meters lists them", id);
        return false;
}

int api_home_assistant(void *userdata, const struct request *request, struct reply *reply) {
        const char *only = request_text(request, "meter");
        const struct app *app = userdata;
        struct package p = {
                .out = &reply->body,
                .scan_interval_s = (unsigned) request_number(request, "scan_interval"),
                .token = app->config->http.access == ACCESS_TOKEN,
        };

        if (!is_meter(app, only, reply))
                return 0;
        choose_url(&p, app, request);
        reply->content_type = "application/yaml";
        reply->disposition = "inline; filename=\"metergate.yaml\"";
        put_header(&p);
        buffer_puts(p.out, "rest:\n");
        for (unsigned i = 0; i < fleet_count(app->fleet); i++) {
                const struct meter *m = fleet_meter(app->fleet, i);

                if (!only || strcmp(meter_config(m)->id, only) == 0)
                        put_meter(&p, m);
        }
        if (p.entries == 0)
                buffer_puts(p.out, "  []\n");
        return view_finish(reply);
}
