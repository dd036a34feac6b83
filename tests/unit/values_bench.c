#include "values_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "history_bench.h"
#include "protocols/tuyamcu/tuyamcu.h"

void values_bench_init(struct values_bench *b, uint64_t seed, uint64_t size_bytes) {
        *b = (struct values_bench) { .size_bytes = size_bytes, .directory = bench_directory() };
        b->disk = cut_disk_new(b->directory, seed);
        assert_non_null(b->disk);
}

void values_bench_end(struct values_bench *b) {
        if (b->history)
                values_bench_stop(b);
        for (unsigned i = 0; i < b->n_meters; i++)
                free(b->meters[i].profile);
        cut_disk_free(b->disk);
        bench_remove_directory();
}

void values_bench_add(struct values_bench *b, const char *id, unsigned n, const uint8_t quantities[]) {
        struct values_meter *m = &b->meters[b->n_meters++];

        m->profile = calloc(1, sizeof *m->profile + n * sizeof m->profile->datapoints[0]);
        assert_non_null(m->profile);
        m->profile->n_channels = 1;
        m->profile->n_datapoints = n;
        for (unsigned i = 0; i < n; i++)
                m->profile->datapoints[i] = (struct profile_datapoint) { .id = (uint8_t) (i + 1),
                                                                         .quantity = quantities[i] };
        m->config = (struct meter_config) { .protocol = &tuyamcu_protocol, .scale_num = 1, .scale_den = 1,
                                            .stale_after_ms = 35000 };
        snprintf(m->config.id, sizeof m->config.id, "%s", id);
}

void values_bench_open(struct values_bench *b) {
        struct history_options options = { .directory = b->directory, .size_bytes = b->size_bytes,
                                           .flush_ms = VALUES_FLUSH_MS, .io = &b->disk->io };
        char error[STORE_ERROR_MAX];

        if (history_new(&options, &b->history, error) < 0)
                fail_msg("%s", error);
        recorder_set_clock(b->history, virtual_clock.now_ms);
        assert_int_equal(events_new(b->directory, &b->disk->io, &b->events), 0);
        for (unsigned i = 0; i < b->n_meters; i++) {
                struct values_meter *m = &b->meters[i];

                m->values = (struct values) { .config = &m->config, .recorder.history = b->history,
                                              .events = b->events };
                values_begin(&m->values, &tuyamcu_protocol, m->profile);
        }
        b->poll_ms = UINT64_MAX;
}

void values_bench_read(struct values_bench *b) {
        bench_make_ready(b->history);
        for (unsigned i = 0; i < b->n_meters; i++)
                values_restore(&b->meters[i].values);
        b->poll_ms = virtual_clock.now_ms;
}

void values_bench_start(struct values_bench *b) {
        values_bench_open(b);
        values_bench_read(b);
}

void values_bench_stop(struct values_bench *b) {
        b->events = events_free(b->events);
        b->history = history_free(b->history);
}

void values_bench_cut(struct values_bench *b) {
        cut_disk_power_off(b->disk, 0);
        values_bench_stop(b);
        cut_disk_restart(b->disk);
}

void values_bench_wait(struct values_bench *b, uint64_t until_ms) {
        while (b->history && b->poll_ms <= until_ms) {
                if (b->poll_ms > virtual_clock.now_ms)
                        virtual_clock.now_ms = b->poll_ms;
                recorder_set_clock(b->history, virtual_clock.now_ms);
                b->poll_ms = history_poll(b->history, virtual_clock.now_ms);
                (void) events_sync(b->events, virtual_clock.now_ms);
                if (b->poll_ms <= virtual_clock.now_ms || b->poll_ms > virtual_clock.now_ms + VALUES_FLUSH_MS)
                        b->poll_ms = virtual_clock.now_ms + 1000;
        }
        virtual_clock.now_ms = until_ms;
}

void values_bench_report(struct values_bench *b, unsigned meter, unsigned n, const struct reading readings[]) {
        struct report report = { .at_ms = virtual_clock.now_ms, .count = n };

        assert_true(n <= READINGS_MAX);
        memcpy(report.readings, readings, n * sizeof readings[0]);
        values_take(&b->meters[meter].values, &report, 1);
}

int64_t values_bench_value(const struct values_bench *b, unsigned meter, unsigned quantity) {
        const struct series *s = series_set_get(&b->meters[meter].values.series, 0, quantity);

        return s && s->known ? s->value : INT64_MIN;
}
