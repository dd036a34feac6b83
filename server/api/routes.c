/* The table of routes: every address the gateway answers to. */
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
        return 0;
}

static const char *const diagnostics_parameters[] = { "secrets", NULL };
static const char *const frames_parameters[] = { "format", NULL };
static const char *const history_parameters[] = {
        "series", "from", "to", "step", "agg", "limit", "format", NULL,
};
static const char *const energy_parameters[] = { "period", "from", "to", "format", "channel", NULL };
static const char *const cursor_parameters[] = { "after", "limit", NULL };
static const char *const home_assistant_parameters[] = { "url", "scan_interval", NULL };

const struct route api_routes[] = {
        { "GET", "/api/v1", api_service, false, NULL },
        { "GET", "/api/v1/meters", api_meters, false, NULL },
        { "GET", "/api/v1/meters/{id}", api_meter, false, NULL },
        { "GET", "/api/v1/meters/{id}/now", api_now, false, NULL },
        { "GET", "/api/v1/meters/{id}/now/{series}", api_now_series, false, NULL },
        { "GET", "/api/v1/meters/{id}/history", api_history, false, history_parameters },
        { "GET", "/api/v1/meters/{id}/energy", api_energy, false, energy_parameters },
        { "GET", "/api/v1/samples", api_samples, false, cursor_parameters },
        { "GET", "/api/v1/events", api_events, false, cursor_parameters },
        { "GET", "/api/v1/meters/{id}/datapoints", api_datapoints, false, NULL },
        { "GET", "/api/v1/meters/{id}/diagnostics", api_diagnostics, false, diagnostics_parameters },
        { "GET", "/api/v1/meters/{id}/frames", api_frames, false, frames_parameters },
        { "POST", "/api/v1/meters/{id}/actions/{action}", api_action, false, NULL },
        { "GET", "/api/v1/home-assistant.yaml", api_home_assistant, false, home_assistant_parameters },
        { "GET", "/metrics", api_metrics, false, NULL },
        { "GET", "/healthz", api_healthz, true, NULL },
        { "GET", "/", serve_asset, true, NULL },
        { "GET", "/index.html", serve_asset, true, NULL },
        { "GET", "/app.js", serve_asset, true, NULL },
        { "GET", "/style.css", serve_asset, true, NULL },
        { "GET", "/favicon.svg", serve_asset, true, NULL },
};
const size_t api_n_routes = ELEMENTS(api_routes);
