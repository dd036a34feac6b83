/* Remote write without a network: what a batch says on the wire, and what a receiver does with every kind of answer,
 * by a clock of plain numbers and a history in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <snappy-c.h>

#include "base/cleanup.h"
#include "push/encode.h"
#include "push/feed.h"
#include "push/position.h"
#include "push/receiver.h"

#define OFFSET_MS INT64_C(1700000000000)
#define HOLD_TICKS 50

static struct remote_write_config config = {
        .name = (char *) "test", .url = (char *) "http://x/", .n_labels = 2,
        .labels = { { (char *) "site", (char *) "Ulm" }, { (char *) "instance", (char *) "gateway" } },
};

struct world {
        struct history *history;
        unsigned meter;
        struct receiver *receiver;
        struct receiver_time time;
        unsigned posts, told;
        int post_error;
        uint8_t *plain;                  /* of the last body */
        size_t plain_len;
        char last_told[128];
};

static int post(void *userdata, const void *body, size_t len) {
        struct world *w = userdata;

        assert_int_equal(snappy_uncompressed_length(body, len, &w->plain_len), SNAPPY_OK);
        free(w->plain);
        w->plain = malloc(w->plain_len + 1);
        assert_int_equal(snappy_uncompress(body, len, (char *) w->plain, &w->plain_len), SNAPPY_OK);
        w->posts++;
        return w->post_error;
}

static void tell(void *userdata, const char *text) {
        struct world *w = userdata;

        w->told++;
        snprintf(w->last_told, sizeof w->last_told, "%s", text);
}

static void start_receiver(struct world *w, const char *directory) {
        struct receiver_options options = { .history = w->history, .config = &config, .directory = directory,
                                            .seed = 7, .save_ms = 60000, .post = post, .tell = tell, .userdata = w };

        assert_int_equal(receiver_new(&options, &w->receiver), 0);
}

static int set_up(void **state) {
        static const struct schema schema = {
                .meter = "main", .hold_ticks = HOLD_TICKS, .n_columns = 3,
                .columns = { { .key = "power_w", .decimals = 3 }, { .key = "l1.voltage_v", .decimals = 3 },
                             { .key = "energy_import_kwh", .kind = COLUMN_COUNTER, .decimals = 6 } },
        };
        struct history_options options = { .size_bytes = 2 << 20, .flush_ms = 1000 };
        struct world *w = calloc(1, sizeof *w);
        char error[STORE_ERROR_MAX];

        assert_int_equal(history_new(&options, &w->history, error), 0);
        while (history_step(w->history) > 0)
                ;
        w->time = (struct receiver_time) { .now_ms = 1000, .has_utc = true, .offset_ms = OFFSET_MS };
        history_set_clock(w->history, w->time.now_ms, true, true, OFFSET_MS);
        assert_int_equal(history_define(w->history, &schema, &w->meter), 0);
        start_receiver(w, NULL);
        *state = w;
        return 0;
}

static int tear_down(void **state) {
        struct world *w = *state;

        receiver_free(w->receiver);
        history_free(w->history);
        free(w->plain);
        free(w);
        return 0;
}

static void put_row(struct world *w, int64_t power_mw, int64_t total_mwh) {
        struct history_row row = { .mask = 7, .values = { power_mw, 230125, 5 }, .totals = { 0, 0, total_mwh } };

        history_set_clock(w->history, w->time.now_ms, true, true, OFFSET_MS);
        history_append(w->history, w->meter, w->time.now_ms, &row);
}

/* Turns until it waits for an answer or for a time. */
static uint64_t turn(struct world *w) {
        uint64_t next;

        do
                next = receiver_turn(w->receiver, &w->time);
        while (next <= w->time.now_ms);
        return next;
}

static void answer(struct world *w, unsigned status, uint64_t retry_after_s) {
        struct post_answer a = { .status = status, .retry_after_s = retry_after_s, .text = "words" };

        receiver_answered(w->receiver, w->time.now_ms, &a);
}

static struct receiver_facts facts(const struct world *w) {
        return receiver_facts(w->receiver, &w->time);
}

/* ---- bytes ---- */

static void test_body(void **state) {
        struct world *w = *state;
        /* Worked out by hand: labels by name, the value as a little-endian double, the time as a varint. */
        static const char power[] =
                "\x0a\x66"
                "\x0a\x21\x0a\x08__name__\x12\x15metergate_power_watts"
                "\x0a\x13\x0a\x08instance\x12\x07gateway"
                "\x0a\x0d\x0a\x05meter\x12\x04main"
                "\x0a\x0b\x0a\x04site\x12\x03Ulm"
                "\x12\x10\x09\x33\x33\x33\x33\x33\xb3\x31\x40\x10\xe8\xd7\x95\xff\xbc\x31";

        config.series = (char *[]) { (char *) "power_w" };
        config.n_series = 1;
        put_row(w, 17700, 0);
        assert_true(turn(w) == UINT64_MAX);
        config.n_series = 0;
        assert_int_equal(w->plain_len, sizeof power - 1);
        assert_memory_equal(w->plain, power, sizeof power - 1);
}

static void test_doubles(void **state) {
        static const struct { int64_t value; unsigned places; double expected; } cases[] = {
                { 17700, 3, 17.7 }, { -1, 3, -0.001 }, { 0, 3, 0 }, { 230125, 3, 230.125 }, { 36, 1, 3.6 },
                { INT64_C(9007199254740993), 1, 900719925474099.3 },
                { INT64_C(9223372036854775807), 3, 9223372036854775.807 },
                { -INT64_C(9223372036854775807), 1, -922337203685477580.7 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_true(encode_double(cases[i].value, cases[i].places) == cases[i].expected);
}

static bool has_bytes(const struct world *w, const void *bytes, size_t len) {
        return memmem(w->plain, w->plain_len, bytes, len) != NULL;
}

static void test_stale_marker(void **state) {
        struct world *w = *state;
        static const uint8_t marker[] = { 0x09, 0x02, 0, 0, 0, 0, 0, 0xf0, 0x7f };

        put_row(w, 1000, 0);
        turn(w);
        assert_false(has_bytes(w, marker, sizeof marker));
        answer(w, 200, 0);
        w->time.now_ms += HOLD_TICKS * TICK_MS;
        put_row(w, 2000, 0);
        turn(w);
        assert_false(has_bytes(w, marker, sizeof marker));
        answer(w, 200, 0);
        /* A tick too late: the marker comes along with the row. Both gauges have one, the counter has none. */
        w->time.now_ms += HOLD_TICKS * TICK_MS + TICK_MS;
        put_row(w, 3000, 0);
        turn(w);
        assert_true(has_bytes(w, marker, sizeof marker));
        answer(w, 200, 0);
        assert_int_equal(facts(w).samples, 3 + 3 + 5);
        assert_true(turn(w) == w->time.now_ms + RECEIVER_IDLE_MS);
        /* Nothing comes any more: a while later it is said as well, and said once. */
        w->time.now_ms += HOLD_TICKS * TICK_MS;
        assert_true(turn(w) == w->time.now_ms + RECEIVER_IDLE_MS);
        w->time.now_ms += HOLD_TICKS * TICK_MS + 60000;
        assert_true(turn(w) == UINT64_MAX);
        assert_true(has_bytes(w, marker, sizeof marker));
        answer(w, 200, 0);
        assert_int_equal(facts(w).samples, 3 + 3 + 5 + 2);
        assert_true(turn(w) == w->time.now_ms + RECEIVER_IDLE_MS);
}

/* ---- answers ---- */

static void test_success(void **state) {
        struct world *w = *state;

        assert_true(turn(w) == w->time.now_ms + RECEIVER_IDLE_MS);
        put_row(w, 1000, 0);
        w->time.now_ms += 1000;
        put_row(w, 2000, 1);
        assert_int_equal(facts(w).lag_ms, 0);
        assert_true(turn(w) == UINT64_MAX);
        assert_int_equal(w->posts, 1);
        assert_string_equal(facts(w).state, "sending");
        answer(w, 204, 0);
        assert_int_equal(facts(w).samples, 6);
        assert_int_equal(facts(w).cursor, 2);
        assert_int_equal(facts(w).batches, 1);
        w->time.now_ms += 3000;
        put_row(w, 2000, 1);
        assert_int_equal(facts(w).lag_ms, 3000);
        assert_int_equal(w->told, 0);
}

static void test_failures_wait_longer_each_time(void **state) {
        struct world *w = *state;
        static const unsigned failing[] = { 500, 0, 503, 429, 302, 401, 404, 408, 502, 500 };
        uint64_t backoff = RECEIVER_BACKOFF_MIN_MS;
        size_t len;

        put_row(w, 1000, 0);
        turn(w);
        len = w->plain_len;
        for (size_t i = 0; i < ELEMENTS(failing); i++) {
                uint64_t next;

                answer(w, failing[i], 0);
                next = turn(w);
                assert_in_range(next - w->time.now_ms, backoff / 2, backoff);
                assert_int_equal(w->posts, i + 1);
                w->time.now_ms = next;
                assert_true(turn(w) == UINT64_MAX);
                assert_int_equal(w->plain_len, len);
                backoff = backoff * 2 < RECEIVER_BACKOFF_MAX_MS ? backoff * 2 : RECEIVER_BACKOFF_MAX_MS;
        }
        assert_int_equal(facts(w).retries, ELEMENTS(failing));
        assert_int_equal(facts(w).failed, 0);
        assert_string_equal(facts(w).error, "status 500: words");
        answer(w, 200, 0);
        assert_string_equal(facts(w).error, "");
        assert_int_equal(facts(w).samples, 3);
        /* Of all that, the beginning and the end. */
        assert_int_equal(w->told, 2);
}

static void test_retry_after(void **state) {
        struct world *w = *state;

        put_row(w, 1000, 0);
        turn(w);
        answer(w, 429, 90);
        assert_true(turn(w) == w->time.now_ms + 90000);
        w->time.now_ms += 90000;
        turn(w);
        answer(w, 503, UINT64_MAX / 1000);
        assert_true(turn(w) == w->time.now_ms + RECEIVER_RETRY_AFTER_MAX_S * 1000);
}

static void test_refused(void **state) {
        static const unsigned statuses[] = { 400, 409, 413, 422 };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTS(statuses); i++) {
                w->time.now_ms += 1000;
                put_row(w, 1000, 0);
                turn(w);
                answer(w, statuses[i], 0);
                assert_int_equal(facts(w).failed, 3 * (i + 1));
                assert_int_equal(facts(w).cursor, i + 1);
                assert_string_equal(w->last_told, "refused samples; they are left out");
        }
        w->time.now_ms += 1000;
        put_row(w, 1000, 0);
        turn(w);
        answer(w, 200, 0);
        assert_int_equal(facts(w).samples, 3);
}

static void test_a_request_that_cannot_be_made(void **state) {
        struct world *w = *state;

        put_row(w, 1000, 0);
        w->post_error = -1;
        assert_in_range(turn(w) - w->time.now_ms, RECEIVER_BACKOFF_MIN_MS / 2, RECEIVER_BACKOFF_MIN_MS);
        assert_string_equal(facts(w).state, "waiting");
}

static void test_batches_are_bounded(void **state) {
        struct world *w = *state;
        uint64_t sent = 0;

        for (unsigned i = 0; i < 6000; i++) {
                w->time.now_ms += TICK_MS;
                put_row(w, i, i);
        }
        while (turn(w) == UINT64_MAX) {
                answer(w, 200, 0);
                assert_in_range(facts(w).samples - sent, 1, BATCH_SAMPLES_MAX);
                sent = facts(w).samples;
        }
        assert_int_equal(sent, 3 * 6000);
        assert_in_range(w->posts, 4, 5);
}

/* ---- positions ---- */

static void test_position_bytes(void **state) {
        uint8_t bytes[POSITION_BYTES];
        uint64_t number = 0;

        (void) state;
        position_write(UINT64_C(0x0123456789abcdef), bytes);
        assert_true(position_read(bytes, sizeof bytes, &number));
        assert_true(number == UINT64_C(0x0123456789abcdef));
        for (size_t i = 0; i < sizeof bytes; i++) {
                bytes[i] ^= 1;
                assert_false(position_read(bytes, sizeof bytes, &number));
                bytes[i] ^= 1;
        }
        assert_false(position_read(bytes, sizeof bytes - 1, &number));
}

static void test_position_is_kept(void **state) {
        struct world *w = *state;
        char directory[] = "/tmp/metergate-push-XXXXXX", path[96];
        uint64_t number = 0;

        assert_non_null(mkdtemp(directory));
        assert_int_equal(position_load(directory, "test", &number), -2);
        receiver_free(w->receiver);
        start_receiver(w, directory);
        put_row(w, 1000, 0);
        turn(w);
        answer(w, 200, 0);
        turn(w);
        assert_int_equal(position_load(directory, "test", &number), 0);
        assert_int_equal(number, 1);
        w->time.now_ms += 1000;
        put_row(w, 1000, 0);
        receiver_free(w->receiver);
        start_receiver(w, directory);
        turn(w);
        answer(w, 200, 0);
        assert_int_equal(facts(w).samples, 3);
        assert_int_equal(facts(w).cursor, 2);
        /* A position that this history never gave. */
        assert_int_equal(position_save(directory, "test", 1000), 0);
        w->receiver = receiver_free(w->receiver);
        assert_int_equal(position_save(directory, "test", 1000), 0);
        start_receiver(w, directory);
        turn(w);
        answer(w, 200, 0);
        assert_int_equal(facts(w).samples, 6);
        w->receiver = receiver_free(w->receiver);
        snprintf(path, sizeof path, "%s/" POSITION_NAME, directory, "test");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(directory), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_body, set_up, tear_down),
                cmocka_unit_test(test_doubles),
                cmocka_unit_test_setup_teardown(test_stale_marker, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_success, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_failures_wait_longer_each_time, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_retry_after, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_a_request_that_cannot_be_made, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_batches_are_bounded, set_up, tear_down),
                cmocka_unit_test(test_position_bytes),
                cmocka_unit_test_setup_teardown(test_position_is_kept, set_up, tear_down),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
