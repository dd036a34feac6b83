/* The route table: matching, decoding, query parameters, problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/assets.h"
#include "http/route.h"

const struct embedded_file embedded_assets[] = {
        { "index.html", (const unsigned char *) "<p>", 3, (const unsigned char *) "gz", 2 },
        { "app.js", (const unsigned char *) "1;", 2, NULL, 0 },
        { "blob", (const unsigned char *) "", 0, NULL, 0 },
        { NULL, NULL, 0, NULL, 0 },
};

static int say_args(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        buffer_printf(&reply->body, "%s,%s", request->args[0] ? request->args[0] : "-",
                      request->args[1] ? request->args[1] : "-");
        return 0;
}

static int say_query(void *app, const struct request *request, struct reply *reply) {
        const char *from = request_text(request, "from"), *to = request_text(request, "to");

        (void) app;
        buffer_printf(&reply->body, "[%s][%s]", from ? from : "null", to ? to : "null");
        return 0;
}

static int fail_late(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        buffer_puts(&reply->body, "half an ans");
        return -EIO;
}

static int overflow(void *app, const struct request *request, struct reply *reply) {
        (void) app;
        (void) request;
        reply->body.max = 100;
        for (int i = 0; i < 20; i++)
                buffer_puts(&reply->body, "0123456789");
        return 0;
}

static const struct parameter from_to[] = {
        { .name = "from", .type = PARAMETER_TEXT, .max = 1000 },
        { .name = "to", .type = PARAMETER_TEXT, .max = 1000 },
        { .name = NULL },
};

static const struct route routes[] = {
        { .method = "GET", .pattern = "/", .handler = say_args, .public = true },
        { .method = "GET", .pattern = "/page", .handler = say_args, .public = true },
        { .method = "GET", .pattern = "/api/v1/meters", .handler = say_args },
        { .method = "GET", .pattern = "/api/v1/meters/{id}/now", .handler = say_args },
        { .method = "GET", .pattern = "/api/v1/meters/{id}/now/{series}", .handler = say_args },
        { .method = "GET", .pattern = "/api/v1/history", .handler = say_query, .parameters = from_to },
        { .method = "POST", .pattern = "/api/v1/history", .handler = say_args },
        { .method = "POST", .pattern = "/api/v1/act", .handler = say_args },
        { .method = "GET", .pattern = "/api/v1/fails", .handler = fail_late },
        { .method = "GET", .pattern = "/api/v1/large", .handler = overflow },
};

struct outcome {
        int route;
        struct reply reply;
        char body[1024];
};

static struct outcome ask(const char *method, const char *target) {
        struct request request = { .method = method, .host = "", .scheme = "http", .role = HTTP_ROLE_READ };
        struct outcome o = { .route = -2 };
        char text[2048], scratch[2048];

        assert_true(strlen(target) < sizeof text);
        strcpy(text, target);
        reply_init(&o.reply);
        if (request_set_target(&request, text, &o.reply))
                o.route = route_dispatch(routes, ELEMENTS(routes), NULL, &request, scratch, sizeof scratch, &o.reply);
        if (o.reply.body.data)
                strncpy(o.body, o.reply.body.data, sizeof o.body - 1);
        reply_free(&o.reply);
        return o;
}

static void expect(const char *target, unsigned status, const char *body) {
        struct outcome o = ask("GET", target);

        if (o.reply.status != status || strcmp(o.body, body) != 0)
                print_error("%s: %u %s\n", target, o.reply.status, o.body);
        assert_int_equal(o.reply.status, status);
        assert_string_equal(o.body, body);
}

static void expect_problem(const char *target, unsigned status, const char *parameter) {
        struct outcome o = ask("GET", target);
        char want[64];

        if (o.reply.status != status)
                print_error("%s: %u %s\n", target, o.reply.status, o.body);
        assert_int_equal(o.reply.status, status);
        assert_string_equal(o.reply.content_type, "application/problem+json");
        snprintf(want, sizeof want, "\"parameter\":\"%s\"", parameter ? parameter : "");
        if (parameter)
                assert_non_null(strstr(o.body, want));
        else
                assert_null(strstr(o.body, "\"parameter\""));
}

static void test_match(void **state) {
        (void) state;
        expect("/", 200, "-,-");
        expect("/api/v1/meters", 200, "-,-");
        expect("/api/v1/meters/main/now", 200, "main,-");
        expect("/api/v1/meters/main/now/l1.power_w", 200, "main,l1.power_w");
        assert_int_equal(ask("GET", "/api/v1/meters/main/now").route, 3);
        assert_int_equal(ask("HEAD", "/api/v1/meters/main/now").reply.status, 200);
        assert_int_equal(ask("HEAD", "/api/v1/meters/main/now").route, 3);
}

static void test_no_match(void **state) {
        static const char *const targets[] = {
                "/nothing", "/api", "/api/v1/meters/", "/api/v1/meters//now", "/api/v1/meters/a/now/",
                "/api/v1/meters/a/b/now", "/api/v1/meters/a/now/b/c", "//", "/page/", "/../page", "*",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(targets); i++)
                expect_problem(targets[i], 404, NULL);
        assert_int_equal(ask("GET", "/nothing").route, -1);
        expect_problem("page", 400, NULL);
        expect_problem("", 400, NULL);
}

static void test_methods(void **state) {
        struct outcome o = ask("DELETE", "/api/v1/history");

        (void) state;
        assert_int_equal(o.reply.status, 405);
        assert_int_equal(o.route, -1);
        assert_string_equal(o.reply.allow, "GET, HEAD, POST, OPTIONS");
        o = ask("GET", "/api/v1/act");
        assert_int_equal(o.reply.status, 405);
        assert_string_equal(o.reply.allow, "POST, OPTIONS");
        assert_int_equal(ask("HEAD", "/api/v1/act").reply.status, 405);
        assert_int_equal(ask("get", "/page").reply.status, 405);
        o = ask("POST", "/api/v1/history");
        assert_int_equal(o.reply.status, 200);
        assert_string_equal(o.reply.allow, "");
        o = ask("OPTIONS", "/api/v1/meters");
        assert_int_equal(o.reply.status, 204);
        assert_string_equal(o.reply.allow, "GET, HEAD, OPTIONS");
        assert_string_equal(o.body, "");
        assert_int_equal(ask("OPTIONS", "*").reply.status, 204);
        assert_int_equal(ask("OPTIONS", "/nothing").reply.status, 404);
}

static void test_escapes(void **state) {
        (void) state;
        expect("/api/v1/meters/m%61in/now", 200, "main,-");
        expect("/api/v1/meters/a%2Fb%2fc/now", 200, "a%2Fb%2fc,-");
        expect_problem("/api/v1/meters/main%2fnow/power_w", 404, NULL);
        expect("/api/v1/meters/a+b/now", 200, "a+b,-");
        expect("/api/v1/meters/%c3%A9/now", 200, "\xc3\xa9,-");
        expect_problem("/page%", 400, NULL);
        expect_problem("/page%4", 400, NULL);
        expect_problem("/page%g0", 400, NULL);
        expect_problem("/page%00.css", 400, NULL);
        expect_problem("/page%2", 400, NULL);
        expect_problem("/api/v1/history?from=%zz", 400, "from");
        expect_problem("/api/v1/history?from=%00", 400, "from");
        expect_problem("/api/v1/history?%00=1", 400, NULL);
}

static void test_query(void **state) {
        (void) state;
        expect("/api/v1/history", 200, "[null][null]");
        expect("/api/v1/history?", 200, "[null][null]");
        expect("/api/v1/history?from=-24h&to=now", 200, "[-24h][now]");
        expect("/api/v1/history?&&from&", 200, "[][null]");
        expect("/api/v1/history?from=a%26b%3Dc=d+e", 200, "[a&b=c=d e][null]");
        expect("/api/v1/history?to=a?b", 200, "[null][a?b]");
        expect_problem("/api/v1/history?form=1", 400, "form");
        expect_problem("/api/v1/history?from=1&from=2", 400, "from");
        expect_problem("/api/v1/meters?x", 400, "x");
        expect("/page?utm=1", 200, "-,-");
        expect_problem("/page?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17", 400, NULL);
}

static void test_server_errors(void **state) {
        struct outcome o;

        (void) state;
        log_set_level((enum log_level) 0);
        o = ask("GET", "/api/v1/fails");
        assert_int_equal(o.reply.status, 500);
        assert_null(strstr(o.body, "half"));
        o = ask("GET", "/api/v1/large");
        assert_int_equal(o.reply.status, 500);
        assert_non_null(strstr(o.body, "\"status\":500"));
        log_set_level(LOG_LEVEL_INFO);
}

static void test_problem(void **state) {
        CLEANUP(reply_free) struct reply reply;

        (void) state;
        reply_init(&reply);
        buffer_puts(&reply.body, "left over");
        reply.fixed = "x";
        assert_int_equal(reply_problem(&reply, 400, "st\"ep", "%d is\n\xff too \"small\"", 5), 0);
        assert_null(reply.fixed);
        assert_int_equal(reply.status, 400);
        assert_string_equal(reply.content_type, "application/problem+json");
        assert_non_null(strstr(reply.body.data, "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"5 is\\n"));
        assert_non_null(strstr(reply.body.data, "too \\\"small\\\"\",\"parameter\":\"st\\\"ep\"}"));
        assert_string_equal(http_status_text(421), "Misdirected Request");
        assert_string_equal(http_status_text(299), "Unknown");
}

static void test_scratch_is_bounded(void **state) {
        struct request request = { .method = "GET", .path = "/api/v1/meters/main/now" };
        CLEANUP(reply_free) struct reply reply;
        char scratch[24];

        (void) state;
        reply_init(&reply);
        assert_int_equal(route_dispatch(routes, ELEMENTS(routes), NULL, &request, scratch, 23, &reply), -1);
        assert_int_equal(reply.status, 414);
        reply_free(&reply);
        reply_init(&reply);
        assert_int_equal(route_dispatch(routes, ELEMENTS(routes), NULL, &request, scratch, 24, &reply), 3);
        assert_true(request.args[0] >= scratch && request.args[0] < scratch + sizeof scratch);
}

static void test_assets(void **state) {
        const struct asset *page = asset_find("/"), *script = asset_find("/app.js");

        (void) state;
        assert_string_equal(page->content_type, "text/html; charset=utf-8");
        assert_memory_equal(page->data, "<p>", page->len);
        assert_string_equal(script->content_type, "text/javascript; charset=utf-8");
        assert_int_equal(script->len, 2);
        assert_ptr_equal(asset_find("/index.html"), page);
        assert_string_equal(page->content_type, "text/html; charset=utf-8");
        assert_string_equal(asset_find("/blob")->content_type, "application/octet-stream");
        assert_null(asset_find("app.js"));
        assert_null(asset_find("//app.js"));
        assert_null(asset_find("/../app.js"));
        assert_null(asset_find("/app.js/"));
        assert_null(asset_find(""));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_match),
                cmocka_unit_test(test_no_match),
                cmocka_unit_test(test_methods),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_query),
                cmocka_unit_test(test_server_errors),
                cmocka_unit_test(test_problem),
                cmocka_unit_test(test_scratch_is_bounded),
                cmocka_unit_test(test_assets),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
