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

const struct profile *bench_profile(void) {
        static struct profile *p;
        static const struct { uint8_t id, quantity; int64_t scale; } rows[] = {
                { 18, Q_CURRENT, 1 }, { 19, Q_POWER, 100 }, { 20, Q_VOLTAGE, 100 },
        };

        if (p)
                return p;
        p = calloc(1, sizeof *p + 3 * sizeof p->datapoints[0]);
        assert_non_null(p);
        strcpy(p->name, "pj-mgw1103");
        p->n_channels = 1;
        p->n_datapoints = 3;
        for (unsigned i = 0; i < 3; i++)
                p->datapoints[i] = (struct profile_datapoint) {
                        .id = rows[i].id, .type = DATAPOINT_VALUE, .quantity = rows[i].quantity,
                        .scale_num = rows[i].scale, .scale_den = 1,
                };
        return p;
}

void bench_init(struct bench *b, const struct profile *profile) {
        *b = (struct bench) {
                .now_ms = 1000000,
                .mcu = {
                        .heartbeat = true, .product = true, .mode = true, .network_state = true, .query = true,
                        .product_json = "{\"p\":\"djfep9s6s3b2qk89\",\"v\":\"1.0.0\",\"m\":2}",
                        .current_raw = 77, .power_raw = 177, .voltage_raw = 2403, .zero_until_cloud = true,
                },
        };
        bench_start(b, &(struct session_config) { .profile = profile, .baud = 115200, .poll_ms = 10000,
                                                  .stale_after_ms = 35000 });
}

void bench_start(struct bench *b, const struct session_config *config) {
        tuyamcu_protocol.start(&b->session.base, config, b->now_ms);
}

void bench_receive(struct bench *b, uint8_t version, uint8_t command, const uint8_t *data, size_t len) {
        uint8_t frame[256];
        size_t n = tuya_frame_build(frame, sizeof frame, version, command, data, len);

        assert_true(n > 0);
        tuyamcu_protocol.frame(&b->session.base, b->now_ms, frame, n);
}

void bench_report_value(struct bench *b, uint8_t command, uint8_t id, int32_t value) {
        uint8_t unit[8];
        size_t n = tuya_datapoint_put(unit, sizeof unit, id, DATAPOINT_VALUE, value);

        bench_receive(b, 3, command, unit, n);
}

void bench_report_all(struct bench *b, int32_t current, int32_t power, int32_t voltage) {
        bench_report_value(b, TUYA_REPORT, 18, current);
        bench_report_value(b, TUYA_REPORT, 19, power);
        bench_report_value(b, TUYA_REPORT, 20, voltage);
}

void bench_report_relay(struct bench *b) {
        bench_receive(b, 3, TUYA_REPORT, (const uint8_t[]) { 1, DATAPOINT_BOOL, 0, 1, b->mcu.relay }, 5);
}

static void answer_query(struct bench *b) {
        bool zero = b->mcu.zero_until_cloud && !b->mcu.cloud;

        if (b->mcu.has_relay)
                bench_report_relay(b);
        bench_report_all(b, zero ? 0 : b->mcu.current_raw, zero ? 0 : b->mcu.power_raw,
                         zero ? 0 : b->mcu.voltage_raw);
}

static void answer(struct bench *b, const struct bench_frame *f) {
        struct bench_mcu *m = &b->mcu;

        if (m->only_baud != 0 && m->only_baud != b->session.base.baud_wanted)
                return;
        if (f->command == TUYA_HEARTBEAT && m->heartbeat) {
                bench_receive(b, 3, TUYA_HEARTBEAT, &m->heartbeat_data, 1);
                if (m->heartbeat_data == 0)
                        m->cloud = false;
                m->heartbeat_data = 1;
        } else if (f->command == TUYA_PRODUCT && m->product)
                bench_receive(b, 3, TUYA_PRODUCT, (const uint8_t *) m->product_json, strlen(m->product_json));
        else if (f->command == TUYA_MODE && m->mode)
                bench_receive(b, 3, TUYA_MODE, (const uint8_t[]) { 8, 7 }, m->mode_len);
        else if (f->command == TUYA_NETWORK_STATE) {
                m->cloud |= f->data[0] == 4;
                if (m->network_state)
                        bench_receive(b, 3, TUYA_NETWORK_STATE, NULL, 0);
        } else if (f->command == TUYA_QUERY && m->query) {
                answer_query(b);
        } else if (f->command == TUYA_SET && m->obeys && f->data[0] == 1) {
                m->relay = f->data[4];
                bench_report_relay(b);
        }
}

static void take_output(struct bench *b, const struct session_output *out, struct bench_frame *ret) {
        if (out->has_report) {
                assert_true(b->n_reports < BENCH_REPORTS_MAX);
                b->reports[b->n_reports++] = out->report;
        }
        if (out->tx_len == 0)
                return;
        assert_int_equal(tuya_frame_check(out->tx, out->tx_len), out->tx_len);
        assert_int_equal(out->tx[2], 0);
        assert_true(b->n_frames < BENCH_FRAMES_MAX);
        *ret = (struct bench_frame) { .at_ms = b->now_ms, .command = out->tx[3],
                                      .data_len = (uint8_t) (out->tx_len - TUYA_FRAME_OVERHEAD) };
        memcpy(ret->data, out->tx + TUYA_HEADER_SIZE, ret->data_len < 8 ? ret->data_len : 8);
        b->frames[b->n_frames++] = *ret;
}

void bench_run(struct bench *b, uint64_t for_ms) {
        uint64_t end_ms = b->now_ms + for_ms;
        unsigned turns = 0;

        for (;;) {
                struct session_output out;
                struct bench_frame sent = { .command = 0xff };

                tuyamcu_protocol.poll(&b->session.base, b->now_ms, b->receiving, &out);
                take_output(b, &out, &sent);
                if (out.tx_len > 0) {
                        b->now_ms++;
                        answer(b, &sent);
                        continue;
                }
                if (out.has_report)
                        continue;
                /* A session that wants to be called again at once, for ever, would burn the processor. */
                assert_true(++turns < 100 + 50 * for_ms / 10);
                assert_true(out.next_ms > b->now_ms);
                if (out.next_ms >= end_ms)
                        break;
                b->now_ms = out.next_ms;
        }
        b->now_ms = end_ms;
}

const char *bench_sent(const struct bench *b) {
        static char text[BENCH_FRAMES_MAX * 8];
        size_t len = 0;

        text[0] = '\0';
        for (unsigned i = 0; i < b->n_frames; i++) {
                const struct bench_frame *f = &b->frames[i];

                len += (size_t) snprintf(text + len, sizeof text - len, "%s%02X", i > 0 ? " " : "", f->command);
                if (f->data_len == 1)
                        len += (size_t) snprintf(text + len, sizeof text - len, "/%02X", f->data[0]);
        }
        return text;
}

unsigned bench_count(const struct bench *b, uint8_t command) {
        unsigned n = 0;

        for (unsigned i = 0; i < b->n_frames; i++)
                n += b->frames[i].command == command;
        return n;
}

bool bench_value(const struct bench *b, unsigned quantity, int64_t *ret) {
        for (unsigned n = b->n_reports; n-- > 0;)
                for (unsigned i = 0; i < b->reports[n].count; i++)
                        if (b->reports[n].readings[i].quantity == quantity) {
                                *ret = b->reports[n].readings[i].value;
                                return true;
                        }
        return false;
}

void bench_reach_online(struct bench *b) {
        bench_init(b, bench_profile());
        bench_run(b, 5000);
        assert_int_equal(b->session.base.state, METER_ONLINE);
}

uint64_t bench_counter(const struct bench *b, enum tuya_counter counter) {
        return b->session.base.counters[counter];
}

int64_t bench_value_of(const struct bench *b, unsigned quantity) {
        int64_t v = INT64_MIN;

        assert_true(bench_value(b, quantity, &v));
        return v;
}

void bench_assert_never_zero_volts(const struct bench *b) {
        for (unsigned n = 0; n < b->n_reports; n++)
                for (unsigned i = 0; i < b->reports[n].count; i++)
                        if (b->reports[n].readings[i].quantity == Q_VOLTAGE)
                                assert_int_not_equal(b->reports[n].readings[i].value, 0);
}
