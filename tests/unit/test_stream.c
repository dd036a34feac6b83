/* GET /api/v1/stream without any socket: what a stream tells, from where, and what it leaves out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/live.h"
#include "api/stream_filter.h"
#include "api_history.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "http/limits.h"

static struct history *history;
static struct live *live;
static unsigned main_handle, other_handle, n_woken;
static int64_t tick;

static void on_news(void *userdata) {
        (void) userdata;
        n_woken++;
}

/* The next row of a meter, s seconds after the one before. */
static void report(unsigned handle, int s, int64_t voltage_mv, int64_t power_mw) {
        struct history_row row = { .mask = (voltage_mv ? 1u << VOLTAGE : 0) | 1u << POWER };

        row.values[VOLTAGE] = voltage_mv;
        row.values[POWER] = power_mw;
        tick += s * TICKS_PER_S;
        assert_int_equal(history_append_at(history, handle, tick, &row), 0);
}

static int setup(void **state) {
        struct fixture *f;

        assert_int_equal(bench_setup(state), 0);
        f = *state;
        history = bench_history(f);
        main_handle = bench_define(history, "main", 350);
        other_handle = bench_define(history, "other", 350);     /* none of the configuration (any more) */
        assert_int_equal(live_new(f->event, &f->app, on_news, NULL, &live), 0);
        f->app.live = live;
        tick = INT64_C(1795255200) * TICKS_PER_S;
        n_woken = 0;
        return 0;
}

static int teardown(void **state) {
        live_free(live);
        history_free(history);
        return bench_teardown(state);
}

/* ---- a client ---- */

struct ear {
        struct reply reply;
        struct buffer heard;
};

static void open_stream_from(struct fixture *f, struct ear *e, const char *target, const char *last_event_id) {
        ask(f, (struct asked) { .method = "GET", .target = target, .last_event_id = last_event_id }, &e->reply);
        if (e->reply.status != 200)
                fail_msg("%s: %s", target, e->reply.body.data);
        assert_string_equal(e->reply.content_type, "text/event-stream");
        assert_true(e->reply.is_stream);
        buffer_init(&e->heard, 1 << 20);
}

static void open_stream(struct fixture *f, struct ear *e, const char *target) {
        open_stream_from(f, e, target, NULL);
}

static void close_stream(struct ear *e) {
        buffer_free(&e->heard);
        reply_free(&e->reply);
}

/* Everything that is to be heard now. */
static const char *hear(struct ear *e) {
        struct buffer piece;
        int r;

        buffer_init(&piece, HTTP_STREAM_PIECE + 8192);
        buffer_clear(&e->heard);
        do {
                buffer_clear(&piece);
                r = e->reply.produce(e->reply.state, &piece);
                assert_false(piece.failed);
                buffer_put(&e->heard, piece.data, piece.len);
        } while (r == 1 || r == -EAGAIN);
        assert_int_equal(r, -ENODATA);
        buffer_free(&piece);
        return e->heard.data ? e->heard.data : "";
}

static unsigned count(const char *text, const char *part) {
        unsigned n = 0;

        for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
                n++;
        return n;
}

static void assert_heard(struct ear *e, const char *part) {
        if (!strstr(hear(e), part))
                fail_msg("%s is not in %s", part, e->heard.data);
}

/* ---- what is told ---- */

static void test_from_now_on(void **state) {
        struct ear e;
        const char *text;

        report(main_handle, 1, 230000, 1000);
        open_stream(*state, &e, "/api/v1/stream");
        text = hear(&e);
        assert_ptr_equal(strstr(text, "retry: 2000\n\nevent: state\ndata: {\"meter\":\"main\",\"state\":\"online\","
                                      "\"available\":true,\"reason\":\"the meter answers\",\"sources\":{"
                                      "\"voltage_v\":{\"source\":\"measured\",\"origin\":\"dp 20\"},"), text);
        assert_int_equal(count(text, "event: state\n"), N_METERS);
        assert_string_equal(text + strlen(text) - strlen("\n\nid: 1\n\n"), "\n\nid: 1\n\n");
        assert_int_equal(count(text, "id: "), 1);
        assert_string_equal(hear(&e), "");
        report(main_handle, 1, 230100, 2500);
        assert_string_equal(hear(&e), "event: sample\nid: 2\ndata: {\"cursor\":\"2\",\"meter\":\"main\","
                                      "\"at\":\"2026-11-21T10:00:02.000Z\",\"at_ms\":1795255202000,"
                                      "\"voltage_v\":230.1,\"power_w\":2.5}\n\n");
        report(other_handle, 1, 0, -1);
        assert_string_equal(hear(&e), "event: sample\nid: 3\ndata: {\"cursor\":\"3\",\"meter\":\"other\","
                                      "\"at\":\"2026-11-21T10:00:03.000Z\",\"at_ms\":1795255203000,"
                                      "\"power_w\":-0.001}\n\n");
        close_stream(&e);
}

static void test_nobody_is_woken_for_nothing(void **state) {
        struct ear e;

        report(main_handle, 1, 230000, 1000);
        live_meters_changed(live);
        assert_int_equal(n_woken, 0);
        open_stream(*state, &e, "/api/v1/stream");
        report(main_handle, 1, 230000, 1000);
        assert_int_equal(n_woken, 1);
        close_stream(&e);
        report(main_handle, 1, 230000, 1000);
        assert_int_equal(n_woken, 1);
}

/* Rows at hand, rows of the ring and both at once: the same without a hole, whatever comes meanwhile. */
static void test_resumes_anywhere(void **state) {
        struct ear e;

        for (unsigned i = 1; i <= 400; i++)
                report(i % 3 ? main_handle : other_handle, 1, 230000 + i, i);
        for (unsigned after = 0; after < 400; after += after > 390 || after < 5 ? 1 : 41) {
                char target[64], id[32];
                const char *p;

                snprintf(target, sizeof target, "/api/v1/stream?after=%u", after);
                open_stream(*state, &e, target);
                p = hear(&e);
                assert_null(strstr(p, "event: gap"));
                for (unsigned i = after + 1; i <= 400; i++) {
                        snprintf(id, sizeof id, "\nid: %u\ndata: ", i);
                        p = strstr(p, id);
                        assert_non_null(p);
                        p += strlen(id);
                }
                assert_null(strstr(p, "event: sample"));
                close_stream(&e);
        }
}

/* Two that are far behind share one reader. */
static void test_readers_take_turns(void **state) {
        struct ear a, b;
        unsigned n = 0;

        for (unsigned i = 1; i <= 3000; i++)
                report(main_handle, 1, 230000 + i, i);
        open_stream(*state, &a, "/api/v1/stream?after=0");
        open_stream(*state, &b, "/api/v1/stream?after=1000");
        for (bool more = true; more;) {
                int ra = a.reply.produce(a.reply.state, &a.heard), rb = b.reply.produce(b.reply.state, &b.heard);

                more = ra == 1 || ra == -EAGAIN || rb == 1 || rb == -EAGAIN;
                n += count(a.heard.data, "event: sample") + count(b.heard.data, "event: sample");
                buffer_clear(&a.heard);
                buffer_clear(&b.heard);
        }
        assert_int_equal(n, 5000);
        close_stream(&a);
        close_stream(&b);
}

static void test_what_browsers_send_wins(void **state) {
        struct ear e;

        for (unsigned i = 1; i <= 5; i++)
                report(main_handle, 1, 230000, i);
        open_stream_from(*state, &e, "/api/v1/stream?after=1", "4");
        assert_int_equal(count(hear(&e), "event: sample"), 1);
        close_stream(&e);
        open_stream_from(*state, &e, "/api/v1/stream", "2");
        assert_int_equal(count(hear(&e), "event: sample"), 3);
        close_stream(&e);
}

static void test_cursor_of_another_history(void **state) {
        struct ear e;
        const char *text;

        for (unsigned i = 1; i <= 5; i++)
                report(main_handle, 1, 230000, i);
        open_stream(*state, &e, "/api/v1/stream?after=6");
        text = hear(&e);
        assert_non_null(strstr(text, "event: gap\nid: 0\ndata: {\"after\":\"6\",\"next\":\"1\",\"lost\":null,"
                                     "\"restarted\":true}\n\nevent: sample\nid: 1\n"));
        assert_int_equal(count(text, "event: sample"), 5);
        close_stream(&e);
        open_stream(*state, &e, "/api/v1/stream?after=9223372036854775807");
        assert_heard(&e, "\"restarted\":true");
        close_stream(&e);
}

/* The ring in memory has gone round. */
static void test_rows_that_are_gone(void **state) {
        uint64_t oldest;
        char text[160];
        struct ear e;

        for (unsigned i = 0; samples_oldest(history) < 1000; i++)
                report(main_handle, 1, 230000 + i * 7919 % 1000, i * 104729 % 100000);
        oldest = samples_oldest(history);
        open_stream(*state, &e, "/api/v1/stream?after=10");
        snprintf(text, sizeof text, "event: gap\nid: %u\ndata: {\"after\":\"10\",\"next\":\"%u\",\"lost\":%u,"
                 "\"restarted\":false}\n\nevent: sample\nid: %u\n", (unsigned) oldest - 1, (unsigned) oldest,
                 (unsigned) oldest - 11, (unsigned) oldest);
        assert_heard(&e, text);
        assert_int_equal(count(e.heard.data, "event: gap"), 1);
        close_stream(&e);
}

/* ---- what is left out ---- */

static void test_some_series(void **state) {
        struct ear e;

        open_stream(*state, &e, "/api/v1/stream?meters=main&series=voltage_v");
        assert_int_equal(count(hear(&e), "\"source\":"), 1);
        report(main_handle, 1, 0, 1000);
        assert_string_equal(hear(&e), "");
        report(other_handle, 1, 230000, 1000);
        assert_string_equal(hear(&e), "");
        report(main_handle, 1, 231000, 1000);
        assert_string_equal(hear(&e), "event: sample\nid: 3\ndata: {\"cursor\":\"3\",\"meter\":\"main\","
                                      "\"at\":\"2026-11-21T10:00:03.000Z\",\"at_ms\":1795255203000,"
                                      "\"voltage_v\":231}\n\n");
        close_stream(&e);
}

static void test_interval_or_delta(void **state) {
        struct ear e;

        open_stream(*state, &e, "/api/v1/stream?min_interval=5s&delta=power_w:20");
        (void) hear(&e);
        report(main_handle, 1, 230000, 100000);          /* the first ones */
        assert_heard(&e, "\"voltage_v\":230,\"power_w\":100}");
        report(main_handle, 1, 231000, 119999);
        assert_string_equal(hear(&e), "");
        report(main_handle, 1, 232000, 120000);          /* far enough */
        assert_heard(&e, "000,\"power_w\":120}");
        report(main_handle, 3, 233000, 120000);          /* late enough for the voltage alone */
        assert_heard(&e, "\"voltage_v\":233}");
        report(main_handle, 1, 234000, 101000);
        assert_string_equal(hear(&e), "");
        report(main_handle, 1, 0, 101000);               /* late enough for the power */
        assert_heard(&e, "000,\"power_w\":101}");
        report(other_handle, 1, 230000, 1);              /* another meter has its own last ones */
        assert_heard(&e, "\"voltage_v\":230,\"power_w\":0.001}");
        close_stream(&e);
}

static void test_delta_alone(void **state) {
        struct ear e;

        open_stream(*state, &e, "/api/v1/stream?delta=power_w:0.5,energy_import_kwh:1");
        (void) hear(&e);
        for (unsigned i = 0; i < 3; i++) {
                report(main_handle, 1000, 230000, 1000);
                if (i == 0)
                        assert_heard(&e, "\"voltage_v\":230,\"power_w\":1}");
                else
                        assert_heard(&e, "000,\"voltage_v\":230}");     /* which has no limit */
        }
        report(main_handle, 1, 0, 500);
        assert_heard(&e, "\"power_w\":0.5}");
        close_stream(&e);
}

/* More meters' series than are remembered: some values pass too often, none is lost, and nothing grows. */
static void test_filter_is_bounded(void **state) {
        struct stream_filter f = { .interval_ms = 1000000 };
        struct schema schema = { .n_columns = 60 };
        struct sample s = { .schema = &schema, .row.mask = 1 };
        uint64_t columns;

        (void) state;
        for (unsigned i = 0; i < 1000; i++) {
                schema.serial = 1 + i % 100;
                snprintf(schema.meter, sizeof schema.meter, "m%u", i % 10);
                s.tick = i;
                assert_int_equal(stream_filter_take(&f, &s, &columns), 0);
                assert_int_equal(columns, 1);
                assert_true(f.n_columns <= STREAM_COLUMNS_MAX);
                assert_int_equal(stream_filter_take(&f, &s, &columns), 0);
                assert_int_equal(columns, 0);
        }
        stream_filter_free(&f);
}

/* ---- requests ---- */

static void test_what_is_wrong_is_named(void **state) {
        static const char *const wrong[][2] = {
                { "meters=", "meters" }, { "meters=main,nobody", "meters" }, { "series=power_x", "series" },
                { "series=power_w,power_w", "series" }, { "series=,", "series" }, { "min_interval=0s", "min_interval" },
                { "min_interval=2d", "min_interval" }, { "min_interval=5", "min_interval" }, { "delta=power_w", "delta" },
                { "delta=power_w:", "delta" }, { "delta=power_w:0", "delta" }, { "delta=power_w:-1", "delta" },
                { "delta=power_w:0.0001", "delta" }, { "delta=power_w:1,power_w:2", "delta" }, { "delta=x:1", "delta" },
                { "delta=frequency_hz:1&meters=main", "delta" }, { "after=x", "after" }, { "after=-1", "after" },
                { "follow=1", "follow" },
        };
        char target[128], expected[64];
        struct reply reply;

        for (unsigned i = 0; i < ELEMENTS(wrong); i++) {
                snprintf(target, sizeof target, "/api/v1/stream?%s", wrong[i][0]);
                get(*state, target, &reply);
                snprintf(expected, sizeof expected, "\"parameter\":\"%s\"", wrong[i][1]);
                if (reply.status != 400 || !strstr(reply.body.data, expected))
                        fail_msg("%s: %u %s", target, reply.status, reply.body.data);
                reply_free(&reply);
        }
        ask(*state, (struct asked) { .method = "GET", .target = "/api/v1/stream", .last_event_id = "one" }, &reply);
        assert_int_equal(reply.status, 400);
        assert_non_null(strstr(reply.body.data, "Last-Event-ID"));
        reply_free(&reply);
}

/* A key that may turn out to exist is none that is wrong. */
/* ---- frames ---- */

static void test_frames_are_followed(void **state) {
        struct fixture *f = *state;
        struct meter_config changed[N_METERS];
        struct config config = f->config;
        struct ear e = { 0 };
        struct buffer piece;
        uint64_t deadline_ms = clock_now_ms() + 5000;

        ask(f, (struct asked) { .method = "GET", .target = "/api/v1/meters/main/frames?follow=true&format=capture" },
            &e.reply);
        assert_int_equal(e.reply.status, 200);
        assert_true(e.reply.is_stream);
        assert_string_equal(e.reply.cache_control, "no-store");
        buffer_init(&e.heard, 1 << 20);
        assert_heard(&e, "# kind: frames\n\n");
        assert_int_equal(count(e.heard.data, " rx 55 AA 03 "), 2);
        assert_string_equal(hear(&e), "");
        n_woken = 0;
        assert_int_equal(write(f->master[MAIN], "\x55\xaa\x03\x00\x00\x01\x01\x04", 8), 8);
        while (hear(&e)[0] == '\0')
                bench_turn(f, deadline_ms);
        assert_non_null(strstr(e.heard.data, " rx 55 AA 03 00 00 01 01 04\n"));
        while (n_woken == 0)
                bench_turn(f, deadline_ms);
        /* Another meter of the same name is not the one that was asked for. */
        memcpy(changed, f->meters, sizeof changed);
        changed[MAIN].poll_ms++;
        config.meters = changed;
        assert_int_equal(fleet_apply(f->fleet, &config), 0);
        buffer_init(&piece, HTTP_STREAM_PIECE_MAX);
        assert_int_equal(e.reply.produce(e.reply.state, &piece), 0);
        buffer_free(&piece);
        close_stream(&e);
        assert_int_equal(fleet_apply(f->fleet, &f->config), 0);
}

static void test_nothing_to_follow_with(void **state) {
        struct fixture *f = *state;
        struct reply reply;

        f->app.live = NULL;
        get(f, "/api/v1/meters/main/frames?follow=true", &reply);
        assert_int_equal(reply.status, 503);
        reply_free(&reply);
        f->app.live = live;
}

static void test_meter_without_a_profile(void **state) {
        struct ear e;

        open_stream(*state, &e, "/api/v1/stream?meters=unknown&series=l1.power_w");
        assert_heard(&e, "\"meter\":\"unknown\"");
        close_stream(&e);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_from_now_on, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nobody_is_woken_for_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_resumes_anywhere, setup, teardown),
                cmocka_unit_test_setup_teardown(test_readers_take_turns, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_browsers_send_wins, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cursor_of_another_history, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rows_that_are_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_some_series, setup, teardown),
                cmocka_unit_test_setup_teardown(test_interval_or_delta, setup, teardown),
                cmocka_unit_test_setup_teardown(test_delta_alone, setup, teardown),
                cmocka_unit_test(test_filter_is_bounded),
                cmocka_unit_test_setup_teardown(test_what_is_wrong_is_named, setup, teardown),
                cmocka_unit_test_setup_teardown(test_frames_are_followed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nothing_to_follow_with, setup, teardown),
                cmocka_unit_test_setup_teardown(test_meter_without_a_profile, setup, teardown),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
