#include "http_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

struct bench bench;

int serve_page(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        reply->content_type = "text/html; charset=utf-8";
        reply->fixed = "<p>hello";
        reply->fixed_len = 8;
        return 0;
}

int serve_large(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        for (int i = 0; i < 5000; i++)
                buffer_puts(&reply->body, "twenty characters...");
        return 0;
}

static const struct route_body text = { .content_type = "text/plain" };

static const struct route routes[] = {
        { .method = "GET", .pattern = "/", .handler = serve_page, .public = true },
        { .method = "GET", .pattern = "/api/large", .handler = serve_large },
        { .method = "POST", .pattern = "/api/act", .handler = serve_page, .body = &text },
};

const struct http_options plain_options = { .routes = routes, .n_routes = ELEMENTS(routes) };

int start_plain(void **state) {
        (void) state;
        bench_start(&bench, &plain_options);
        return 0;
}

int stop_bench(void **state) {
        (void) state;
        bench_stop(&bench);
        return 0;
}

void expect_status(const char *request, int status) {
        struct client *c;
        int got = ask(&bench, request, &c);

        if (got != status)
                fail_msg("%.60s: %s%s", request, c->head, c->body);
        client_close(c);
}
