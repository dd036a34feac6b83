/* What an MCU asks of its module, what it gets, and the low-power set. The frames are those of real modules and of
 * the vendor's printed examples. */
#include "session_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"
#include "protocols/tuyamcu/tuyamcu.h"

static struct bench b;

static size_t from_hex(const char *hex, uint8_t *buf) {
        size_t n = 0;
        unsigned byte;

        for (; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
                buf[n] = (uint8_t) byte;
        return n;
}

/* The MCU sends command with data; the module's answer must be answer (data as hex, "-" for no answer). */
static void exchange(uint8_t version, uint8_t command, const char *data, const char *answer) {
        unsigned before = b.n_frames;
        uint8_t bytes[64], expected[64];
        size_t n = from_hex(data, bytes);

        bench_receive(&b, version, command, bytes, n);
        bench_run(&b, 60);
        if (strcmp(answer, "-") == 0) {
                assert_int_equal(b.n_frames, before);
                return;
        }
        assert_true(b.n_frames > before);
        assert_int_equal(b.frames[before].command, command);
        n = from_hex(answer, expected);
        assert_int_equal(b.frames[before].data_len, n);
        assert_memory_equal(b.frames[before].data, expected, n < 8 ? n : 8);
}

/* 2016-04-19 05:06:07 UTC, the vendor's example; local time is two hours later. */
static void set_clock(void) {
        b.session.base.clock = (struct session_clock) {
                .known = true, .utc_minus_now_ms = INT64_C(1461042367000) - (int64_t) b.now_ms, .zone_offset_s = 7200,
        };
}

static void test_time(void **state) {
        (void) state;
        bench_reach_online(&b);
        exchange(3, 0x1c, "", "0000000000000000");
        exchange(3, 0x0c, "", "00000000000000");
        set_clock();
        exchange(3, 0x0c, "", "01100413050607");
        set_clock();
        b.session.base.clock.zone_offset_s = 0;
        exchange(3, 0x1c, "", "0110041305060702");
        set_clock();
        exchange(3, 0x1c, "", "0110041307060702");
        /* The last second of a leap day, and new year's eve over midnight. */
        b.session.base.clock.zone_offset_s = 0;
        b.session.base.clock.utc_minus_now_ms = INT64_C(1709251199000) - (int64_t) b.now_ms;
        exchange(3, 0x1c, "", "0118021d173b3b04");
        b.session.base.clock.utc_minus_now_ms = INT64_C(1798761599000) - (int64_t) b.now_ms;
        b.session.base.clock.zone_offset_s = 3600;
        exchange(3, 0x1c, "", "011b0101003b3b05");
}

static void test_simple_requests(void **state) {
        (void) state;
        bench_reach_online(&b);
        exchange(3, 0x24, "", "ce");
        exchange(3, 0x2b, "", "04");
        exchange(3, 0x2c, "", "01");
        exchange(3, 0x2d, "", "01");
        exchange(3, 0x0e, "", "0150");
        exchange(3, 0x0f, "", "00010000");
        exchange(3, 0x20, "", "0002");
        exchange(3, 0x90, "00", "0100");
        exchange(3, 0x37, "007b22616276223a307d", "0000");
        exchange(3, 0x37, "007b", "0001");
}

static void test_extended(void **state) {
        (void) state;
        bench_reach_online(&b);
        exchange(3, 0x34, "", "-");
        exchange(3, 0x34, "03", "0300");
        exchange(3, 0x34, "04", "0400");
        exchange(3, 0x34, "07ff", "0701");
        exchange(3, 0x34, "99", "9901");
        exchange(3, 0x34, "0b", "0b03");
        exchange(3, 0x34, "05", "-");
        exchange(3, 0x34, "0100", "0100");
        set_clock();
        exchange(3, 0x34, "0101", "0100");
        bench_run(&b, 100);
        assert_int_equal(b.frames[b.n_frames - 1].command, 0x34);
        assert_memory_equal(b.frames[b.n_frames - 1].data, ((const uint8_t[]) { 2, 1, 16, 4, 19, 7, 6, 7 }), 8);
}

/* A record of the past is listed, and is no reading of now; one of this minute is. */
static void test_records(void **state) {
        unsigned reports;

        (void) state;
        bench_reach_online(&b);
        set_clock();
        reports = b.n_reports;
        exchange(3, 0x34, "0b0102160212101b0613020004000000ff", "0b00");
        bench_run(&b, 500);
        assert_int_equal(b.n_reports, reports);
        assert_int_equal(datapoint_table_get(&b.session.base.datapoints, 19)->number, 0xff);
        set_clock();
        exchange(3, 0x34, "0b01021004130506001302000400000101", "0b00");
        bench_run(&b, 500);
        assert_int_equal(b.n_reports, reports + 1);
}

static void test_ignored_and_unknown(void **state) {
        (void) state;
        bench_reach_online(&b);
        exchange(3, 0x39, "00", "-");
        exchange(3, 0x91, "", "-");
        exchange(3, 0x35, "01", "-");
        assert_int_equal(b.session.base.counters[TUYA_UNKNOWN_COMMANDS], 0);
        exchange(3, 0x77, "0102", "-");
        assert_int_equal(b.session.base.counters[TUYA_UNKNOWN_COMMANDS], 1);
}

static const char *sent_since(unsigned n) {
        const char *text = bench_sent(&b);

        while (n-- > 0) {
                text = strchr(text, ' ');
                assert_non_null(text);
                text++;
        }
        return text;
}

/* Somebody pressed the pairing key: acknowledged, then the states one second apart, and values again. */
static void test_pairing_key(void **state) {
        unsigned before, reports;

        (void) state;
        bench_reach_online(&b);
        before = b.n_frames;
        reports = b.n_reports;
        bench_receive(&b, 3, 0x04, NULL, 0);
        bench_run(&b, 2000);
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        bench_run(&b, 4000);
        assert_string_equal(sent_since(before), "04 03/00 03/02 03/03 03/04 08");
        assert_int_equal(b.session.base.state, METER_ONLINE);
        assert_true(b.n_reports > reports);
        before = b.n_frames;
        bench_receive(&b, 3, 0x05, (const uint8_t[]) { 1 }, 1);
        bench_run(&b, 6000);
        assert_string_equal(sent_since(before), "05 03/01 03/02 03/03 03/04 08");
}

/* It wants silence: neither heartbeats nor polls, and its reports count without being confirmed. */
static void test_silence_on_request(void **state) {
        unsigned before;
        int64_t v;

        (void) state;
        bench_reach_online(&b);
        exchange(3, 0x25, "", "");
        before = b.n_frames;
        bench_run(&b, 20000);
        bench_report_value(&b, TUYA_REPORT, 19, 0);
        bench_run(&b, 300);
        assert_true(bench_value(&b, Q_POWER, &v));
        assert_int_equal(v, 0);
        bench_run(&b, 60000);
        assert_int_equal(b.n_frames, before);
        assert_int_equal(b.session.base.state, METER_STALE);
}

/* Meters with a display want to hear the state again within six hours. */
static void test_state_is_repeated(void **state) {
        unsigned before;

        (void) state;
        bench_reach_online(&b);
        before = bench_count(&b, TUYA_NETWORK_STATE);
        b.n_frames = 0;
        b.n_reports = 0;
        before = 0;
        for (int i = 0; i < 6 * 60; i++) {
                bench_run(&b, 60000);
                before += bench_count(&b, TUYA_NETWORK_STATE);
                b.n_frames = b.n_reports = 0;
        }
        assert_int_equal(before, 1);
}

/* A battery device: version 00, no heartbeat; it is asked for its product once all speeds were in vain. */
static void test_low_power_device(void **state) {
        unsigned before;
        int64_t v;

        (void) state;
        bench_init(&b, bench_profile());
        b.mcu = (struct bench_mcu) { 0 };
        bench_run(&b, 12000);
        assert_int_equal(b.session.base.state, METER_CONNECTING);
        assert_true(bench_count(&b, TUYA_PRODUCT) >= 1);
        bench_receive(&b, 0, TUYA_PRODUCT, (const uint8_t *) "{\"p\":\"djfep9s6s3b2qk89\"}", 24);
        before = b.n_frames;
        bench_run(&b, 100);
        bench_receive(&b, 0, TUYA_LOW_STATE, NULL, 0);
        bench_run(&b, 100);
        bench_receive(&b, 0, TUYA_LOW_STATE, NULL, 0);
        bench_run(&b, 100);
        assert_string_equal(sent_since(before), "02/03 02/04");
        exchange(0, 0x05, "1302000400000101", "00");
        bench_run(&b, 300);
        assert_true(bench_value(&b, Q_POWER, &v));
        assert_int_equal(v, 25700);
        exchange(0, 0x08, "000202020202021302000400000102", "00");
        exchange(0, 0x10, "00", "0100");
        exchange(0, 0x0b, "", "0150");
        exchange(0, 0x06, "", "0000000000000000");
        assert_int_equal(b.session.base.state, METER_ONLINE);
        bench_run(&b, 120000);
        assert_int_equal(b.session.base.state, METER_STALE);
        assert_int_equal(bench_count(&b, TUYA_QUERY), 0 + 1);  /* the acknowledged record above */
        assert_non_null(strstr(b.session.base.hint, "low-power"));
}

/* An ordinary MCU that never answers heartbeats is not taken for one. */
static void test_no_heartbeat_is_not_low_power(void **state) {
        (void) state;
        bench_init(&b, bench_profile());
        b.mcu.heartbeat = false;
        bench_run(&b, 30000);
        assert_false(b.session.low_power);
        assert_int_equal(b.session.base.state, METER_ONLINE);
}

/* More requests than there is room for at once: the rest is dropped, nothing overflows. */
static void test_many_requests_at_once(void **state) {
        unsigned before;

        (void) state;
        bench_reach_online(&b);
        before = b.n_frames;
        for (int i = 0; i < 30; i++)
                bench_receive(&b, 3, 0x24, NULL, 0);
        bench_run(&b, 2000);
        assert_int_equal(b.n_frames - before, TUYA_ANSWERS_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_time),
                cmocka_unit_test(test_simple_requests),
                cmocka_unit_test(test_extended),
                cmocka_unit_test(test_records),
                cmocka_unit_test(test_ignored_and_unknown),
                cmocka_unit_test(test_pairing_key),
                cmocka_unit_test(test_silence_on_request),
                cmocka_unit_test(test_state_is_repeated),
                cmocka_unit_test(test_low_power_device),
                cmocka_unit_test(test_no_heartbeat_is_not_low_power),
                cmocka_unit_test(test_many_requests_at_once),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
