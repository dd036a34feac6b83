/* Request targets (path and query) through decoding, matching and the check of parameters. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte a handler could, so that a stray pointer is noticed. */
static int echo(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        for (unsigned i = 0; i < ROUTE_ARGS_MAX; i++)
                buffer_puts(&reply->body, request->args[i] ? request->args[i] : "-");
        for (unsigned i = 0; i < request->n_query; i++) {
                buffer_puts(&reply->body, request->query[i].name);
                buffer_puts(&reply->body, request->query[i].value);
        }
        buffer_puts(&reply->body, request->path);
        return 0;
}

static const struct parameter parameters[] = {
        { .name = "from", .type = PARAMETER_TIME, .fallback = "-24h" },
        { .name = "to", .type = PARAMETER_TEXT, .max = 1000 },
        { .name = "series", .type = PARAMETER_NAMES, .max = 16 },
        { .name = NULL },
};

static const struct route routes[] = {
        { .method = "GET", .pattern = "/", .handler = echo, .public = true },
        { .method = "GET", .pattern = "/api/v1/meters", .handler = echo },
        { .method = "GET", .pattern = "/api/v1/meters/{id}", .handler = echo },
        { .method = "GET", .pattern = "/api/v1/meters/{id}/now/{series}", .handler = echo },
        { .method = "GET", .pattern = "/api/v1/meters/{id}/history", .handler = echo, .parameters = parameters },
        { .method = "POST", .pattern = "/api/v1/meters/{id}/actions/{action}", .handler = echo },
};

static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "POST", "DELETE" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *target = malloc(size + 1), *scratch = malloc(256);

        if (!target || !scratch)
                abort();
        for (size_t i = 0; i < ELEMENTS(methods); i++) {
                struct request request = { .method = methods[i], .host = "", .scheme = "http" };
                struct reply reply;

                if (size > 0)
                        memcpy(target, data, size);
                target[size] = 0;
                reply_init(&reply);
                if (request_set_target(&request, target, &reply))
                        route_dispatch(routes, ELEMENTS(routes), NULL, &request, scratch, 256, &reply);
                if (reply.body.failed || reply.status == 500)
                        abort();
                reply_free(&reply);
        }
        free(target);
        free(scratch);
        return 0;
}
