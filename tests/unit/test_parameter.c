/* Parameters: what is read, what is refused, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/route.h"

static const char *const formats[] = { "json", "csv", "ndjson" };
static const char *const words[] = { "auto", "raw" };

static const struct parameter text = { .name = "text", .type = PARAMETER_TEXT, .min = 1, .max = 5, .example = "a:1" };
static const struct parameter limit = { .name = "limit", .type = PARAMETER_INTEGER, .min = 1, .max = 11000 };
static const struct parameter format = { .name = "format", .type = PARAMETER_CHOICE, .choices = formats,
                                         .n_choices = 3 };
static const struct parameter agg = { .name = "agg", .type = PARAMETER_CHOICES, .choices = formats, .n_choices = 3 };
static const struct parameter id = { .name = "id", .type = PARAMETER_NAME, .max = 4, .example = "main" };
static const struct parameter series = { .name = "series", .type = PARAMETER_NAMES, .max = 3,
                                         .example = "power_w,a.b" };
static const struct parameter from = { .name = "from", .type = PARAMETER_TIME };
static const struct parameter step = { .name = "step", .type = PARAMETER_DURATION, .choices = words, .n_choices = 2,
                                       .min = 100, .max = INT64_C(31622400000), .step = 100, .example = "5min" };
static const struct parameter interval = { .name = "interval", .type = PARAMETER_DURATION, .min = 1, .max = 60000 };
static const struct parameter after = { .name = "after", .type = PARAMETER_CURSOR };
static const struct parameter url = { .name = "url", .type = PARAMETER_URL, .max = 40, .example = "http://a:1" };

static const struct parameter *const all[] = {
        &text, &limit, &format, &agg, &id, &series, &from, &step, &interval, &after, &url,
};

static struct parameter_value good(const struct parameter *p, const char *given) {
        struct parameter_value v = { .number = -1 };

        if (!parameter_read(p, given, &v))
                fail_msg("%s: %s was refused", p->name, given);
        assert_ptr_equal(v.text, given);
        return v;
}

static void bad(const struct parameter *p, const char *given) {
        struct parameter_value v = { .number = -7 };

        if (parameter_read(p, given, &v))
                fail_msg("%s: \"%s\" was taken", p->name, given);
        assert_int_equal(v.number, -7);
        assert_null(v.text);
}

static void test_text_and_numbers(void **state) {
        (void) state;
        good(&text, "a b:~");
        bad(&text, "");
        bad(&text, "abcdef");
        bad(&text, "a\nb");
        bad(&text, "a\xc3\xa4");
        assert_int_equal(good(&limit, "1").number, 1);
        assert_int_equal(good(&limit, "11000").number, 11000);
        bad(&limit, "0");
        bad(&limit, "11001");
        bad(&limit, "");
        bad(&limit, "+1");
        bad(&limit, "-1");
        bad(&limit, " 1");
        bad(&limit, "1.0");
        bad(&limit, "1e3");
        bad(&limit, "99999999999999999999999");
        assert_int_equal(good(&after, "0").number, 0);
        assert_int_equal(good(&after, "9223372036854775807").number, INT64_MAX);
        bad(&after, "");
        bad(&after, "-1");
        bad(&after, "9223372036854775808");
        bad(&after, "99999999999999999999");
}

static void test_words(void **state) {
        (void) state;
        assert_int_equal(good(&format, "csv").choice, 1);
        bad(&format, "CSV");
        bad(&format, "cs");
        bad(&format, "");
        bad(&format, "csv,json");
        assert_int_equal(good(&agg, "json").choices, 1);
        assert_int_equal(good(&agg, "ndjson,json,json").choices, 5);
        bad(&agg, "");
        bad(&agg, "json,");
        bad(&agg, ",json");
        bad(&agg, "json, csv");
        good(&id, "main");
        good(&id, "L1.x");
        bad(&id, "");
        bad(&id, "mains");
        bad(&id, ".x");
        bad(&id, "a/b");
        good(&series, "power_w");
        good(&series, "a,b,c");
        bad(&series, "a,b,c,d");
        bad(&series, "a,,b");
        bad(&series, "a,");
        bad(&series, "a1234567890123456789012345678901234567890");
}

static void test_times(void **state) {
        struct parameter_value v = good(&from, "now");

        (void) state;
        assert_true(v.before_now);
        assert_int_equal(v.number, 0);
        v = good(&from, "-90s");
        assert_true(v.before_now);
        assert_int_equal(v.number, 90000);
        v = good(&from, "2026-11-21T10:00:00.123Z");
        assert_false(v.before_now);
        assert_int_equal(v.number, 1795255200123);
        assert_int_equal(good(&from, "1795255200.5").number, 1795255200500);
        bad(&from, "");
        bad(&from, "-5");
        bad(&from, "yesterday");
        bad(&from, "-5y");
        bad(&from, "99999999999");
        bad(&from, "2026-11-21");
        assert_int_equal(good(&step, "auto").choice, 0);
        assert_int_equal(good(&step, "raw").choice, 1);
        v = good(&step, "5min");
        assert_int_equal(v.choice, -1);
        assert_int_equal(v.number, 300000);
        assert_int_equal(good(&step, "366d").number, INT64_C(31622400000));
        bad(&step, "");
        bad(&step, "0s");
        bad(&step, "150ms");
        bad(&step, "367d");
        bad(&step, "5");
        bad(&step, "5 min");
        bad(&step, "1.5h");
        assert_int_equal(good(&interval, "1ms").number, 1);
        bad(&interval, "auto");
        bad(&interval, "61s");
}

static void test_urls(void **state) {
        static const char *const taken[] = {
                "http://a", "https://meters.local:8730", "http://[::1]:0/x/", "http://10.0.0.1:65535/a%20b",
        };
        static const char *const refused[] = {
                "", "a", "ftp://a", "http://", "http://a:", "http://a:65536", "http://a:123456",
                "http://a?x", "http://a/?",
                "http://a/#b", "http://[::1", "http://[]", "http://a b", "http://a/\"", "HTTP://a",
                "http://a/23456789012345678901234567890123",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(taken); i++)
                good(&url, taken[i]);
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                bad(&url, refused[i]);
}

static void expect_form(const struct parameter *p, const char *expected) {
        struct buffer form;

        buffer_init(&form, 480);
        parameter_put_form(p, &form);
        assert_string_equal(form.data, expected);
        buffer_free(&form);
}

static void test_forms(void **state) {
        (void) state;
        expect_form(&text, "1 to 5 characters such as a:1");
        expect_form(&limit, "a whole number from 1 to 11000");
        expect_form(&format, "json, csv or ndjson");
        expect_form(&agg, "json, csv or ndjson, with commas between");
        expect_form(&id, "a name such as main: 1 to 4 letters, digits, _ . and -");
        expect_form(&series, "1 to 3 names such as power_w,a.b, with commas between");
        expect_form(&from, "now, a time before now such as -24h, RFC 3339 or seconds since 1970");
        expect_form(&step, "auto, raw or a duration from 100ms to 366d that is a multiple of 100ms, such as 5min");
        expect_form(&interval, "a duration from 1ms to 1min");
        expect_form(&after, "a cursor as an earlier answer gave it");
        expect_form(&url, "an address such as http://a:1, at most 40 characters");
}

/* 1 and 0: the text is, is not, in the pattern; -1: there is none. */
static int in_pattern(const struct parameter *p, const char *given) {
        struct buffer pattern;
        regex_t regex;
        int r = -1;

        buffer_init(&pattern, 4096);
        buffer_puts(&pattern, "^(");
        parameter_put_pattern(p, &pattern);
        if (pattern.len > 2) {
                buffer_puts(&pattern, ")$");
                assert_int_equal(regcomp(&regex, pattern.data, REG_EXTENDED | REG_NOSUB), 0);
                r = regexec(&regex, given, 0, NULL, 0) == 0;
                regfree(&regex);
        }
        buffer_free(&pattern);
        return r;
}

/* The pattern that is published and the reader say the same. */
static void test_patterns(void **state) {
        static const char *const texts[] = {
                "", "a", "main", "L1.x", ".x", "power_w", "a b", "a,b", "a\nb", "now",
                "-1d", "-24h", "-5min", "-5y", "-5",
                "-99999d", "1795255200", "4289999999.999", "4294000001", "99999999999", "2026-11-21T10:00:00Z",
                "2026-11-21 10:00:00.5+01:00", "2105-12-31T23:59:59-23:59", "2026-13-01T00:00:00Z",
                "2026-11-21T24:00:00Z", "2026-11-21", "auto", "raw", "100ms", "150ms", "50ms", "31622400000ms",
                "31622400100ms", "1s", "0s", "31622400s", "31622401s", "527040min", "527041min", "8784h",
                "8785h", "366d",
                "367d", "99d", "1000d", "5", "0", "4711", "9223372036854775807",
                "9223372036854775808", "9999999999999999999", "99999999999999999999", "-1",
                "http://a", "https://a-b.c:65535/x", "http://a:65536", "http://a:70000", "http://[::1]:1/",
                "http://[]",
                "http://a/?", "http://a/\\", "60001ms", "60000ms", "60s", "61s", "1min", "2min",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(all); i++) {
                for (size_t k = 0; k < ELEMENTS(texts); k++) {
                        struct parameter_value v;
                        int r = in_pattern(all[i], texts[k]);
                        /* That far back needs no room in a pattern. */
                        bool is_odd = strcmp(texts[k], "-99999d") == 0;

                        if (r >= 0 && all[i] != &series && r != parameter_read(all[i], texts[k], &v) && !is_odd)
                                fail_msg("%s: \"%s\" is %s the pattern", all[i]->name, texts[k], r ? "in" : "not in");
                }
        }
        assert_int_equal(in_pattern(&series, "l1.power_w"), 1);
        assert_int_equal(in_pattern(&series, "a,b"), 0);
}

/* ---- in a request ---- */

static int show(void *app, const struct request *request, struct reply *reply) {
        int64_t ms = -1;
        bool timed = request_time(request, "from", 1000000, &ms);

        (void) app;
        buffer_printf(&reply->body, "%s %d %d %s %lld %d %u %s", request->args[0], request_choice(request, "what"),
                      request_given(request, "limit"), request_text(request, "limit"),
                      (long long) request_number(request, "limit"), request_choice(request, "step"),
                      request_choices(request, "agg"), timed ? "at" : "never");
        if (timed)
                buffer_printf(&reply->body, " %lld", (long long) ms);
        return 0;
}

static const struct parameter parameters[] = {
        { .name = "limit", .type = PARAMETER_INTEGER, .min = 1, .max = 10, .fallback = "7" },
        { .name = "step", .type = PARAMETER_DURATION, .choices = words, .n_choices = 2, .min = 1, .max = 5000,
          .fallback = "auto" },
        { .name = "agg", .type = PARAMETER_CHOICES, .choices = formats, .n_choices = 3 },
        { .name = "from", .type = PARAMETER_TIME },
        { .name = NULL },
};
static const struct parameter arguments[] = {
        { .name = "id", .type = PARAMETER_NAME, .max = 4 },
        { .name = "what", .type = PARAMETER_CHOICE, .choices = formats, .n_choices = 3 },
        { .name = NULL },
};
static const struct route_body body = { .content_type = "application/json" };
static const struct route routes[] = {
        { .method = "GET", .pattern = "/api/{id}/{what}", .handler = show, .parameters = parameters,
          .arguments = arguments },
        { .method = "POST", .pattern = "/api/{id}/{what}", .handler = show, .parameters = parameters,
          .arguments = arguments, .control = true },
        { .method = "POST", .pattern = "/api/{id}/set/{what}", .handler = show, .parameters = parameters,
          .arguments = arguments, .body = &body },
};

static void expect(struct request request, const char *target, unsigned status, const char *expected) {
        char copy[200], scratch[200];
        struct reply reply;

        snprintf(copy, sizeof copy, "%s", target);
        reply_init(&reply);
        assert_true(request_set_target(&request, copy, &reply));
        route_dispatch(routes, ELEMENTS(routes), NULL, &request, scratch, sizeof scratch, &reply);
        if (reply.status != status || !strstr(reply.body.data, expected))
                fail_msg("%s: %u %s, not %u %s", target, reply.status, reply.body.data, status, expected);
        reply_free(&reply);
}

static void test_requests(void **state) {
        struct request get = { .method = "GET", .host = "", .content_type = "",
                                .content_encoding = "", .role = HTTP_ROLE_READ };

        (void) state;
        expect(get, "/api/main/csv", 200, "main 1 0 7 7 0 0 never");
        expect(get, "/api/main/json?limit=3&step=raw&agg=csv,json&from=-1s", 200, "main 0 1 3 3 1 3 at 999000");
        expect(get, "/api/main/json?step=2s&from=-1d", 200, "main 0 0 7 7 -1 0 at 0");
        expect(get, "/api/main/json?limit=11", 400,
               "\"limit: expected a whole number from 1 to 10\",\"parameter\":\"limit\"");
        expect(get, "/api/main/json?limit=", 400, "\"parameter\":\"limit\"");
        expect(get, "/api/main/json?limit", 400, "\"parameter\":\"limit\"");
        expect(get, "/api/main/json?agg=csv&agg=csv", 400, "\"given more than once\",\"parameter\":\"agg\"");
        expect(get, "/api/main/json?Limit=3", 400, "\"unknown query parameter\",\"parameter\":\"Limit\"");
        expect(get, "/api/main/xml", 404, "\"what: expected json, csv or ndjson\",\"parameter\":\"what\"");
        /* A name that is none is the handler's to refuse. */
        expect(get, "/api/mainmain/csv", 200, "mainmain 1");
}

static void test_bodies_and_roles(void **state) {
        struct request post = { .method = "POST", .host = "", .content_type = "",
                                .content_encoding = "", .role = HTTP_ROLE_CONTROL };

        (void) state;
        expect(post, "/api/main/csv", 200, "main 1");
        post.role = HTTP_ROLE_READ;
        expect(post, "/api/main/xml?limit=0", 403, "a token that may control");
        post.role = HTTP_ROLE_CONTROL;
        post.has_body = post.has_length = true;
        expect(post, "/api/main/csv", 415, "POST /api/main/csv takes no body");
        expect(post, "/api/main/set/csv", 415, "application/json");
        post.content_type = "application/json5";
        expect(post, "/api/main/set/csv", 415, "application/json");
        post.content_type = "Application/JSON; charset=utf-8";
        expect(post, "/api/main/set/csv", 200, "main 1");
        post.content_type = "application/json";
        expect(post, "/api/main/set/csv", 200, "main 1");
        post.content_encoding = "gzip";
        expect(post, "/api/main/set/csv", 415, "Content-Encoding");
        post.content_encoding = "Identity";
        expect(post, "/api/main/set/csv", 200, "main 1");
        post.has_body = false;
        expect(post, "/api/main/set/csv", 200, "main 1");
        post.has_length = false;
        expect(post, "/api/main/set/csv", 411, "application/json");
        post.has_body = post.has_length = true;
        expect(post, "/api/main/set/csv?x=1", 400, "\"parameter\":\"x\"");
        post.method = "GET";
        expect(post, "/api/main/csv", 200, "main 1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text_and_numbers), cmocka_unit_test(test_words), cmocka_unit_test(test_times),
                cmocka_unit_test(test_urls),             cmocka_unit_test(test_forms),
                cmocka_unit_test(test_patterns),
                cmocka_unit_test(test_requests),         cmocka_unit_test(test_bodies_and_roles),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("parameter", tests, NULL, NULL);
}
