#include "api_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"
#include "protocols/tuyamcu/tuyamcu.h"

/* ---- meters ---- */

static struct profile *make_profile(const char *name, const struct profile_datapoint *rows, unsigned n) {
        struct profile *p = test_calloc(1, sizeof *p + n * sizeof *rows);

        snprintf(p->name, sizeof p->name, "%s", name);
        snprintf(p->protocol, sizeof p->protocol, "tuyamcu");
        snprintf(p->title, sizeof p->title, "Test meter");
        p->n_channels = 1;
        p->n_datapoints = n;
        memcpy(p->datapoints, rows, n * sizeof *rows);
        return p;
}

static struct profile *make_plug(void) {
        static const struct profile_datapoint rows[] = {
                { .id = 18, .type = DATAPOINT_VALUE, .quantity = Q_CURRENT, .scale_num = 1, .scale_den = 1 },
                { .id = 19, .type = DATAPOINT_VALUE, .quantity = Q_POWER, .scale_num = 100, .scale_den = 1 },
                { .id = 20, .type = DATAPOINT_VALUE, .quantity = Q_VOLTAGE, .scale_num = 100, .scale_den = 1 },
                { .id = 26, .type = DATAPOINT_BITMAP, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1,
                  .name = "fault" },
        };

        return make_profile("plug", rows, ELEMENTS(rows));
}

static struct profile *make_phases(void) {
        static const struct profile_datapoint rows[] = {
                { .id = 1, .type = DATAPOINT_VALUE, .quantity = Q_ENERGY_IMPORT, .scale_num = 10000, .scale_den = 1 },
                { .id = 2, .type = DATAPOINT_VALUE, .quantity = Q_POWER, .channel = 1,
                  .scale_num = 1000, .scale_den = 1 },
                { .id = 3, .type = DATAPOINT_VALUE, .quantity = Q_VOLTAGE, .channel = 1,
                  .scale_num = 100, .scale_den = 1 },
                { .id = 4, .type = DATAPOINT_VALUE, .quantity = Q_POWER, .channel = 2,
                  .scale_num = 1000, .scale_den = 1 },
                { .id = 11, .type = DATAPOINT_VALUE, .quantity = Q_NONE, .scale_num = 1, .scale_den = 4, .unit = "V",
                  .danger = DANGER_CALIBRATION },
                { .id = 12, .type = DATAPOINT_VALUE, .quantity = Q_ENERGY_IMPORT, .scale_num = 1000, .scale_den = 1,
                  .is_increment = true },
                { .id = 17, .type = DATAPOINT_RAW, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1,
                  .layout = LAYOUT_LIMITS_METER },
                { .id = 104, .type = DATAPOINT_RAW, .quantity = Q_NONE, .scale_num = 1, .scale_den = 1,
                  .layout = LAYOUT_DAY },
        };
        struct profile *p = make_profile("phases", rows, ELEMENTS(rows));

        p->n_channels = 3;
        strcpy(p->channels[1], "l1");
        strcpy(p->channels[2], "l2");
        return p;
}

static void add_meter(struct fixture *f, unsigned i, const char *id, const char *name, struct profile *profile) {
        struct meter_config *c = &f->meters[i];

        snprintf(c->id, sizeof c->id, "%s", id);
        c->name = (char *) name;
        c->protocol = f->protocol;
        c->profile = profile;
        c->profile_name = profile ? profile->name : NULL;
        c->baud = 115200;
        c->role = ROLE_LISTEN;
        c->poll_ms = 10000;
        c->stale_after_ms = 35000;
        c->scale_num = c->scale_den = 1;
        c->port = f->ports[i];
        if (i == GONE)
                snprintf(f->ports[i], sizeof f->ports[i], "/nonexistent/port");
        else
                assert_int_equal(openpty(&f->master[i], &f->slave[i], f->ports[i], NULL, NULL), 0);
}

void bench_turn(struct fixture *f, uint64_t deadline_ms) {
        assert_true(clock_now_ms() < deadline_ms);
        assert_true(sd_event_run(f->event, 50000) >= 0);
}

static void wait_open(struct fixture *f, unsigned i) {
        uint64_t deadline_ms = clock_now_ms() + 5000;

        while (!line_info(meter_line(fleet_meter(f->fleet, i), LINE_RX)).open)
                bench_turn(f, deadline_ms);
}

static void feed(struct fixture *f, unsigned i, uint8_t command, const void *data, size_t len) {
        uint64_t deadline_ms = clock_now_ms() + 5000, frames;
        const struct meter *m = fleet_meter(f->fleet, i);
        uint8_t frame[300];
        size_t n = tuya_frame_build(frame, sizeof frame, 3, command, data, len);

        assert_true(n > 0);
        frames = meter_line(m, LINE_RX)->framer.frames;
        assert_int_equal(write(f->master[i], frame, n), n);
        while (meter_line(m, LINE_RX)->framer.frames == frames)
                bench_turn(f, deadline_ms);
}

static void wait_reading(struct fixture *f, unsigned i) {
        uint64_t deadline_ms = clock_now_ms() + 5000, at_ms;

        while (!meter_last_reading(fleet_meter(f->fleet, i), &at_ms))
                bench_turn(f, deadline_ms);
}

static void feed_all(struct fixture *f) {
        static const char product[] = "{\"p\":\"abcdefgh12345678\",\"v\":\"1.0.2\",\"m\":0}";
        static const uint8_t text[] = { 105, DATAPOINT_STRING, 0, 4, 'a', '"', 0xff, '\n' };
        static const uint8_t raw[] = { 106, DATAPOINT_RAW, 0, 3, 0x00, 0xab, 0x12 };
        /* Code 1 twice: the last one counts. */
        static const uint8_t limits[] = { 17, DATAPOINT_RAW, 0, 12, 1, 0, 0, 60, 9, 0, 0, 7, 1, 1, 0, 80 };
        static const uint8_t day[] = { 104, DATAPOINT_RAW, 0, 8, 12, 1, 12, 1, 0, 0, 0, 3 };
        uint8_t data[128];
        size_t n = 0;

        for (unsigned i = 0; i < GONE; i++)
                wait_open(f, i);
        n += tuya_datapoint_put(data + n, sizeof data - n, 18, DATAPOINT_VALUE, 77);
        n += tuya_datapoint_put(data + n, sizeof data - n, 19, DATAPOINT_VALUE, 177);
        n += tuya_datapoint_put(data + n, sizeof data - n, 20, DATAPOINT_VALUE, 2403);
        feed(f, MAIN, TUYA_PRODUCT, "{\"v\":\"1.0.2\",\"p\":\"\"}", 20);
        feed(f, MAIN, TUYA_REPORT, data, n);
        feed(f, UNKNOWN, TUYA_PRODUCT, product, strlen(product));
        feed(f, UNKNOWN, TUYA_REPORT, data, n);
        feed(f, UNKNOWN, TUYA_REPORT, text, sizeof text);
        feed(f, UNKNOWN, TUYA_REPORT, raw, sizeof raw);
        n = tuya_datapoint_put(data, sizeof data, 1, DATAPOINT_VALUE, 585894);
        n += tuya_datapoint_put(data + n, sizeof data - n, 2, DATAPOINT_VALUE, -250);
        n += tuya_datapoint_put(data + n, sizeof data - n, 3, DATAPOINT_VALUE, 2310);
        n += tuya_datapoint_put(data + n, sizeof data - n, 11, DATAPOINT_VALUE, -925);
        n += tuya_datapoint_put(data + n, sizeof data - n, 12, DATAPOINT_VALUE, 5);
        memcpy(data + n, limits, sizeof limits);
        n += sizeof limits;
        memcpy(data + n, day, sizeof day);
        n += sizeof day;
        feed(f, THREE, TUYA_REPORT, data, n);
        wait_reading(f, MAIN);
        wait_reading(f, THREE);
}

int bench_setup_with(void **state, const struct protocol *protocol) {
        struct fixture *f = test_calloc(1, sizeof *f);

        clock_init(true);
        f->protocol = protocol;
        f->plug = make_plug();
        f->phases = make_phases();
        add_meter(f, MAIN, "main", "House \"main\" \\ gr\xc3\xbcn", f->plug);
        add_meter(f, THREE, "three", "Three phases", f->phases);
        add_meter(f, UNKNOWN, "unknown", "Unknown", NULL);
        add_meter(f, GONE, "gone", "Gone", f->plug);
        f->config.meters = f->meters;
        f->config.n_meters = N_METERS;
        f->config.site.name = (char *) "Home";
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(fleet_new(f->event, NULL, NULL, NULL, &f->fleet), 0);
        assert_int_equal(fleet_apply(f->fleet, &f->config), 0);
        f->app = (struct app) { .config = &f->config, .fleet = f->fleet, .started_ms = clock_now_ms() };
        feed_all(f);
        *state = f;
        return 0;
}

int bench_setup(void **state) {
        return bench_setup_with(state, &tuyamcu_protocol);
}

int bench_teardown(void **state) {
        struct fixture *f = *state;

        fleet_free(f->fleet);
        sd_event_unref(f->event);
        for (unsigned i = 0; i < GONE; i++) {
                close(f->master[i]);
                close(f->slave[i]);
        }
        test_free(f->plug);
        test_free(f->phases);
        test_free(f);
        return 0;
}

/* ---- requests ---- */

void ask(struct fixture *f, struct asked what, struct reply *reply) {
        struct request request = { .method = what.method, .host = "meter.local:8730", .scheme = "http",
                                   .role = what.role, .has_body = what.has_body, .has_length = true,
                                   .accept = what.accept ? what.accept : "",
                                   .content_type = what.json ? "application/json" : "", .content_encoding = "",
                                   .body = what.json, .body_len = what.json ? strlen(what.json) : 0,
                                   .last_event_id = what.last_event_id ? what.last_event_id : "" };
        char text[512], scratch[512];

        snprintf(text, sizeof text, "%s", what.target);
        reply_init(reply);
        assert_true(request_set_target(&request, text, reply));
        route_dispatch(api_routes, api_n_routes, &f->app, &request, scratch, sizeof scratch, reply);
        assert_false(reply->body.failed);
}

void get(struct fixture *f, const char *target, struct reply *reply) {
        ask(f, (struct asked) { .method = "GET", .target = target }, reply);
}

const char *get_text(struct fixture *f, const char *target, const char *type, struct reply *reply) {
        get(f, target, reply);
        assert_int_equal(reply->status, 200);
        assert_string_equal(reply->content_type, type);
        return reply->body.data;
}
