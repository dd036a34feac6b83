/* GET /api/v1 and /healthz: what this is, and whether it is alive. */
#include "config.h"

#include "api/handlers.h"

#include "api/view.h"
#include "base/cleanup.h"

static const struct {
        const char *name;
        const char *path;
} links[] = {
        { "meters", "/api/v1/meters" },
        { "home_assistant", "/api/v1/home-assistant.yaml" },
        { "metrics", "/metrics" },
        { "health", "/healthz" },
        { "dashboard", "/" },
};

/* The catalogue, so that a page need not know units and names by itself. */
static void put_quantities(struct json_writer *w) {
        json_array_begin(w, "quantities");
        for (unsigned q = 0; q < Q_COUNT; q++) {
                const struct quantity_info *info = &quantity_catalogue[q];

                json_object_begin(w, NULL);
                json_put_string(w, "key", info->key);
                json_put_string(w, "label", info->label);
                json_put_string(w, "unit", view_text_or_null(info->unit));
                json_put_string(w, "kind", info->kind == QUANTITY_COUNTER ? "counter" : "gauge");
                json_put_uint(w, "decimals", info->decimals);
                json_object_end(w);
        }
        json_array_end(w);
}

int api_service(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        uint64_t now_ms = view_now();
        struct json_writer w;

        (void) request;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "product", "metergate");
        json_put_string(&w, "version", PACKAGE_VERSION);
        json_put_string(&w, "site", view_text_or_null(app->config->site.name));
        view_put_time(&w, "time", true, now_ms);
        view_put_time(&w, "started", true, app->started_ms);
        json_put_uint(&w, "uptime_s", (now_ms - app->started_ms) / 1000);
        json_object_begin(&w, "links");
        for (size_t i = 0; i < ELEMENTS(links); i++)
                json_put_string(&w, links[i].name, links[i].path);
        json_object_end(&w);
        put_quantities(&w);
        json_object_end(&w);
        return view_finish(reply);
}

int api_healthz(void *userdata, const struct request *request, struct reply *reply) {
        const struct app *app = userdata;
        unsigned count = fleet_count(app->fleet), delivering = 0;
        uint64_t now_ms = view_now();
        struct json_writer w;

        (void) request;
        for (unsigned i = 0; i < count; i++)
                if (meter_available(fleet_meter(app->fleet, i), now_ms))
                        delivering++;
        json_begin(&w, &reply->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "status", "ok");
        json_put_uint(&w, "meters", count);
        json_put_uint(&w, "delivering", delivering);
        json_object_end(&w);
        return view_finish(reply);
}
