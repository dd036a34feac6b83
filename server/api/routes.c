/* The table of routes: every address the gateway answers to, what it takes and what it gives. The API's document is
 * made from it. */
#include "api/app.h"

#include "api/handlers.h"
#include "base/cleanup.h"
#include "http/assets.h"

/* The page and what it needs. */
static int serve_asset(void *userdata, const struct request *request, struct reply *reply) {
        const struct asset *asset = asset_find(request->path);

        (void) userdata;
        if (!asset)
                return reply_problem(reply, 404, NULL, "there is no %.64s here", request->path);
        reply->content_type = asset->content_type;
        reply->fixed = asset->data;
        reply->fixed_len = asset->len;
        reply->fixed_gzip = asset->gzip;
        reply->fixed_gzip_len = asset->gzip_len;
        reply->tag = asset->tag;
        reply->has_tag = true;
        return 0;
}

/* A meter that is gone has none: nothing kept of it is valid. */
uint64_t api_version(void *userdata, const char *subject) {
        const struct app *app = userdata;
        const struct meter *m = subject[0] ? fleet_find(app->fleet, subject) : NULL;

        if (subject[0])
                return m ? meter_version(m) : 0;
        return fleet_version(app->fleet);
}

#define ID                                                                                                           \
        { .name = "id", .type = PARAMETER_NAME, .max = METER_ID_MAX, .example = "main",                              \
          .description = "Id of the meter, as in the configuration." }

static const struct parameter meter[] = { ID, { .name = NULL } };

static const struct parameter meter_and_series[] = {
        ID,
        { .name = "series", .type = PARAMETER_NAME, .max = PARAMETER_NAME_MAX, .example = "power_w",
          .description = "A key of the catalogue; of a channel with its name before it: l1.power_w." },
        { .name = NULL },
};

static const struct parameter meter_and_action[] = {
        ID,
        { .name = "action", .type = PARAMETER_CHOICE, .choices = session_action_names,
          .n_choices = ACTION_SET_DATAPOINT,  /* which has its own row */
          .description = "query asks the meter for its values now. rejoin (Emporia Vue) joins the utility's network "
                         "again." },
        { .name = NULL },
};

#define ANSWERS(...) (const struct route_answer[]) { __VA_ARGS__, { .status = 0 } }
#define JSON(schema, text) { 200, "application/json", schema, text }
#define PROBLEM(status, text) { status, "application/problem+json", "Problem", text }
#define NO_METER PROBLEM(404, "There is no such meter; detail says which there are.")
#define NO_HISTORY                                                                                                   \
        PROBLEM(503, "The history is being read, or there is none, or the host's clock is not set, or too many long "\
                     "answers are being sent.")

static const struct route_body write_body = {
        .content_type = "application/json", .schema = "Write",
        .description = "Which datapoint, and its value as the wire has it: raw for numbers and switches, text for a "
                       "string, hex for bytes.",
};

const struct route api_routes[] = {
        {
                .method = "GET", .pattern = "/api/v1", .handler = api_service,
                .name = "getService", .tag = "Gateway", .summary = "What this is",
                .description = "Product and version, links, the state of the history, the catalogue of quantities.",
                .answers = ANSWERS(JSON("Service", "The gateway.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/openapi.json", .handler = api_openapi,
                .name = "getOpenApi", .tag = "Gateway", .summary = "This document",
                .description = "Everything that the gateway answers to, but for the page.",
                .answers = ANSWERS(JSON("OpenApi", "OpenAPI 3.1.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/diagnostics", .handler = api_gateway,
                .name = "getGatewayDiagnostics", .tag = "Diagnostics", .summary = "What the gateway is doing",
                .description = "Connections, answers, the process, and every limit that a client can meet.",
                .answers = ANSWERS(JSON("GatewayDiagnostics", "What there is to know.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters", .handler = api_meters,
                .name = "listMeters", .tag = "Meters", .summary = "Every meter with its state and readings",
                .description = "In the order of the configuration.",
                .answers = ANSWERS(JSON("Meters", "The meters.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}", .handler = api_meter, .arguments = meter,
                .name = "getMeter", .tag = "Meters", .summary = "One meter with its state and readings",
                .description = "Each reading has its time, age, source and origin.",
                .answers = ANSWERS(JSON("Meter", "The meter."), NO_METER),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/now", .handler = api_now, .arguments = meter,
                .name = "getNow", .tag = "Meters", .summary = "Current values, flat",
                .description = "Made for Home Assistant and jq. A value that nobody knows, or that is too old, is "
                               "null.",
                .answers = ANSWERS(JSON("Now", "The values."), NO_METER),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/now/{series}", .handler = api_now_series,
                .arguments = meter_and_series,
                .name = "getNowSeries", .tag = "Meters", .summary = "One current value as text",
                .description = "The bare number, or null.",
                .answers = ANSWERS({ 200, "text/plain; charset=utf-8", "NumberText", "The value." },
                                   PROBLEM(404, "There is no such meter or series; detail says which there are.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/history", .handler = api_history, .arguments = meter,
                .parameters = api_history_parameters,
                .name = "getHistory", .tag = "History", .summary = "The past of a meter's values",
                .description = "In steps, weighted by time, or row by row.",
                .answers = ANSWERS(JSON("History", "Rows under columns."),
                                   { 200, "text/csv; charset=utf-8", NULL, "The same as CSV." },
                                   { 200, "application/x-ndjson", NULL, "The same, an object in each line." },
                                   { 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", NULL,
                                     "The same as OpenMetrics." },
                                   NO_METER, NO_HISTORY),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/energy", .handler = api_energy, .arguments = meter,
                .parameters = api_energy_parameters,
                .name = "getEnergy", .tag = "History",
                .summary = "Energy and its cost by hour, day, week, month, year",
                .description = "In the site's time zone. Hours add up to days and days to months, to the last digit.",
                .answers = ANSWERS(JSON("EnergyAnswer", "Rows, or statistics for Home Assistant."),
                                   { 200, "text/csv; charset=utf-8", NULL, "The same as CSV." }, NO_METER,
                                   NO_HISTORY),
        },
        {
                .method = "GET", .pattern = "/api/v1/samples", .handler = api_samples,
                .parameters = api_samples_parameters,
                .name = "listSamples", .tag = "History", .summary = "Everything that was measured, page by page",
                .description = "Every stored row of every meter in the order they came. Asked again with after = "
                               "next, no row is left out and none comes twice.",
                .answers = ANSWERS(JSON("Samples", "A page."), NO_HISTORY),
        },
        {
                .method = "GET", .pattern = "/api/v1/stream", .handler = api_stream,
                .parameters = api_stream_parameters,
                .name = "getStream", .tag = "History", .summary = "What is measured, as it comes",
                .description = "Server-sent events: event state tells a meter's state, first and when it changes; "
                               "event sample a row as listSamples gives it, with its cursor as id; event gap what is "
                               "missing after the client's cursor; a comment comes every 15 s when nothing else "
                               "does. The header Last-Event-ID, or after, goes on behind a cursor.",
                .answers = ANSWERS({ 200, "text/event-stream", NULL, "Events without an end." },
                                   PROBLEM(503, "Too many streams are open, or there is no history.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/events", .handler = api_events,
                .parameters = api_events_parameters,
                .name = "listEvents", .tag = "History", .summary = "What happened to the meters, page by page",
                .description = "Changes of state, readings that were not believed, registers that began anew.",
                .answers = ANSWERS(JSON("Events", "A page."), PROBLEM(503, "This gateway keeps no events.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/datapoints", .handler = api_datapoints,
                .arguments = meter, .parameters = api_datapoints_parameters,
                .name = "listDatapoints", .tag = "Diagnostics", .summary = "Everything that the meter has sent",
                .description = "Understood or not, with raw value, count and last change; with suggest=1 also what "
                               "the rest may mean.",
                .answers = ANSWERS(JSON("Datapoints", "The datapoints."), NO_METER),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/profile.yaml", .handler = api_profile,
                .arguments = meter, .parameters = api_profile_parameters,
                .name = "getProfile", .tag = "Diagnostics", .summary = "The meter's profile as a file",
                .description = "The one in use, with what is accepted of the suggestions of listDatapoints. Kept as "
                               "a file and named as the meter's profile in the configuration it takes effect.",
                .answers = ANSWERS({ 200, "application/yaml", "Profile", "The profile." },
                                   PROBLEM(404, "There is no such meter, or no profile for it; detail says more.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/diagnostics", .handler = api_diagnostics,
                .arguments = meter, .parameters = api_diagnostics_parameters,
                .name = "getDiagnostics", .tag = "Diagnostics", .summary = "Why the meter is in its state",
                .description = "Link, framing, counters, registers, latencies, details of the protocol.",
                .answers = ANSWERS(JSON("Diagnostics", "What there is to know."),
                                   PROBLEM(403, "Secrets are shown to a token that may control."), NO_METER),
        },
        {
                .method = "GET", .pattern = "/api/v1/meters/{id}/frames", .handler = api_frames, .arguments = meter,
                .parameters = api_frames_parameters,
                .name = "listFrames", .tag = "Diagnostics", .summary = "The last raw frames, both directions",
                .description = "Oldest first. With follow=true the answer goes on with each frame as it comes; a "
                               "client that reads too slowly is told how many it has lost: {\"lost\":N} in NDJSON, "
                               "which is also sent with 0 after 15 s without a frame, or a comment line in a capture.",
                .answers = ANSWERS({ 200, "application/x-ndjson", NULL, "A frame in each line." },
                                   { 200, "text/plain; charset=utf-8", NULL, "A capture file." }, NO_METER),
        },
        {
                .method = "POST", .pattern = "/api/v1/meters/{id}/actions/set-datapoint",
                .handler = api_set_datapoint,
                .arguments = meter, .control = true, .body = &write_body,
                .name = "setDatapoint", .tag = "Actions", .summary = "Write a datapoint",
                .description = "For datapoints that the meter's profile marks with access: rw. It is sent once; "
                               "whether the meter then reports the value is told by an event of the kind action "
                               "within some seconds, and by last_write of the diagnostics.",
                .answers = ANSWERS({ 202, "application/json", "WriteAccepted", "It is on its way." },
                                   PROBLEM(400, "Not such a body, or the datapoint does not take the value; "
                                                "parameter is the key."),
                                   NO_METER,
                                   PROBLEM(409, "The profile does not allow it, or the meter cannot do it in its "
                                                "state."),
                                   PROBLEM(429, "Written too often; Retry-After says when the next one is taken.")),
        },
        {
                .method = "POST", .pattern = "/api/v1/meters/{id}/actions/{action}", .handler = api_action,
                .arguments = meter_and_action, .control = true,
                .name = "act", .tag = "Actions", .summary = "Make a meter do something",
                .description = "What comes of it shows in the meter's values and state.",
                .answers = ANSWERS({ 202, "application/json", "Accepted", "It is on its way." },
                                   PROBLEM(404, "There is no such meter or action; detail says which there are."),
                                   PROBLEM(409, "The meter does not have this action, or cannot do it in its "
                                                "state.")),
        },
        {
                .method = "GET", .pattern = "/api/v1/home-assistant.yaml", .handler = api_home_assistant,
                .parameters = api_home_assistant_parameters,
                .name = "getHomeAssistantPackage", .tag = "Integrations",
                .summary = "Configuration for Home Assistant",
                .description = "A package with a sensor for every series of every meter, or of the one that is asked "
                               "for.",
                .answers = ANSWERS({ 200, "application/yaml", "HomeAssistantPackage", "The package." }),
        },
        {
                .method = "GET", .pattern = "/metrics", .handler = api_metrics,
                .name = "getMetrics", .tag = "Integrations", .summary = "Everything for Prometheus",
                .description = "Text format 0.0.4. A value that is not current has no sample.",
                .answers = ANSWERS({ 200, "text/plain; version=0.0.4; charset=utf-8", NULL, "The metrics." }),
        },
        {
                .method = "GET", .pattern = "/healthz", .handler = api_healthz, .public = true,
                .name = "getHealth", .tag = "Gateway", .summary = "Whether the gateway is alive",
                .description = "200 while the gateway runs. Needs no token.",
                .answers = ANSWERS(JSON("Health", "It is.")),
        },
        { .method = "GET", .pattern = "/", .handler = serve_asset, .public = true },
        { .method = "GET", .pattern = "/index.html", .handler = serve_asset, .public = true },
        { .method = "GET", .pattern = "/app.js", .handler = serve_asset, .public = true },
        { .method = "GET", .pattern = "/chart.js", .handler = serve_asset, .public = true },
        { .method = "GET", .pattern = "/style.css", .handler = serve_asset, .public = true },
        { .method = "GET", .pattern = "/favicon.svg", .handler = serve_asset, .public = true },
};
const size_t api_n_routes = ELEMENTS(api_routes);
