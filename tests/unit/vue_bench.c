#include "vue_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "protocols/quantity.h"

static const uint8_t mac[] = { 0xbc, 0x9a, 0x00, 0x80, 0xeb, 0xd5, 0xb3, 0x70 };
static const uint8_t install_code[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x5c, 0x3f };

void bench_init(struct bench *b) {
        *b = (struct bench) {
                .now_ms = BENCH_START_MS,
                .config = { .poll_ms = 30000, .stale_after_ms = 95000, .has_speed = true },
                .module = {
                        .power = true, .says = { true, true, true, true, true }, .delay_ms = { 20, 20, 20, 50, 85 },
                        .firmware = 8, .join = 1, .sequence = 0x40, .import = 5858944, .export = 7926904,
                        .demand = 909, .multiplier = 1, .divisor = 1000, .counter_ms = 1,
                },
        };
}

static void on_text(void *userdata, const uint8_t *bytes, size_t len) {
        struct bench *b = userdata;

        vue_protocol.text(&b->session.base, b->now_ms, bytes, len);
}

void bench_start(struct bench *b) {
        framer_init(&b->framer, vue_protocol.frame_check);
        framer_on_text(&b->framer, on_text, b);
        vue_protocol.start(&b->session.base, &b->config, b->now_ms);
}

int bench_act(struct bench *b, enum session_action action) {
        const struct action_request request = { .action = action };
        struct action_refusal refusal = { .text = "" };

        return vue_protocol.act(&b->session.base, b->now_ms, &request, &refusal);
}

/* ---- from the module ---- */

static void take_frames(struct bench *b) {
        const uint8_t *frame;
        size_t len;

        while ((len = framer_next(&b->framer, &frame)) > 0)
                vue_protocol.frame(&b->session.base, b->now_ms, frame, len);
}

static void give_up_part_frame(struct bench *b) {
        if (b->now_ms < b->last_byte_ms + vue_protocol.silence_ms)
                return;
        while (framer_pending(&b->framer) > 0) {
                framer_timeout(&b->framer);
                take_frames(b);
        }
}

void bench_bytes(struct bench *b, const void *bytes, size_t len) {
        const uint8_t *p = bytes;

        give_up_part_frame(b);
        b->last_byte_ms = b->now_ms;
        while (len > 0) {
                size_t n = framer_push(&b->framer, p, len);

                p += n;
                len -= n;
                take_frames(b);
        }
}

void bench_text(struct bench *b, const char *text) {
        bench_bytes(b, text, strlen(text));
}

void bench_frame(struct bench *b, uint8_t type, const uint8_t *payload, size_t len) {
        uint8_t frame[VUE_FRAME_OVERHEAD + VUE_PAYLOAD_MAX] = { '$', 1, type, (uint8_t) len };

        memcpy(frame + VUE_HEADER_SIZE, payload, len);
        frame[VUE_HEADER_SIZE + len] = '\r';
        bench_bytes(b, frame, VUE_FRAME_OVERHEAD + len);
}

/* ---- readings ---- */

static size_t put_attribute(uint8_t *p, uint16_t id, uint8_t type, uint64_t value, unsigned width) {
        p[0] = (uint8_t) id;
        p[1] = (uint8_t) (id >> 8);
        p[2] = 0;
        p[3] = type;
        for (unsigned i = 0; i < width; i++)
                p[4 + i] = (uint8_t) (value >> (8 * i));
        return 4 + width;
}

static size_t write_dump(struct bench_module *m, uint8_t *p) {
        memset(p, 0, 152);
        put_be32(p + 4, (uint32_t) m->import);
        put_be32(p + 44, m->multiplier);
        put_be32(p + 48, m->divisor);
        put_be32(p + 56, (uint32_t) m->demand & 0xffffff);
        m->counter_ms += 1000;
        for (unsigned i = 0; i < 4; i++)
                p[148 + i] = (uint8_t) (m->counter_ms >> (8 * i));
        return 152;
}

size_t bench_reading(struct bench *b, uint8_t payload[VUE_PAYLOAD_MAX]) {
        struct bench_module *m = &b->module;
        size_t n = 3;

        if (m->dump)
                return write_dump(m, payload);
        payload[0] = 0x18;
        payload[1] = m->sequence++;
        payload[2] = 0x01;
        n += put_attribute(payload + n, 0x0000, 0x25, m->import, 6);
        n += put_attribute(payload + n, 0x0001, 0x25, m->export, 6);
        n += put_attribute(payload + n, 0x0301, 0x22, m->multiplier, 3);
        n += put_attribute(payload + n, 0x0302, 0x22, m->divisor, 3);
        n += put_attribute(payload + n, 0x0400, 0x2a, (uint32_t) m->demand, 3);
        return n;
}

static void answer_later(struct bench *b, enum vue_ask ask, uint8_t type, const uint8_t *payload, size_t len) {
        uint64_t due_ms = b->now_ms + b->module.delay_ms[ask];
        struct bench_answer *a;
        unsigned i = 0;

        if (!b->module.says[ask])
                return;
        assert_true(b->n_answers < BENCH_ANSWERS_MAX);
        while (i < b->n_answers && b->answers[i].due_ms <= due_ms)
                i++;
        a = &b->answers[i];
        memmove(a + 1, a, (b->n_answers++ - i) * sizeof *a);
        a->due_ms = due_ms;
        a->type = type;
        a->len = (uint8_t) len;
        memcpy(a->payload, payload, len);
}

static void answer_reading(struct bench *b) {
        uint8_t payload[VUE_PAYLOAD_MAX];
        struct bench_module zero = { .sequence = b->module.sequence };
        struct bench_module real = b->module;
        size_t len;

        if (b->module.zero_first) {
                b->module = zero;
                len = bench_reading(b, payload);
                b->module = real;
                b->module.sequence++;
                answer_later(b, VUE_ASK_READ, 'r', payload, len);
        }
        len = bench_reading(b, payload);
        answer_later(b, VUE_ASK_READ, 'r', payload, len);
        if (b->module.repeats)
                answer_later(b, VUE_ASK_READ, 'r', payload, len);
}

static void answer(struct bench *b, char letter) {
        if (!b->module.power)
                return;
        switch (letter) {
        case 'f':
                answer_later(b, VUE_ASK_FIRMWARE, 'f', &b->module.firmware, 1);
                break;
        case 'm':
                answer_later(b, VUE_ASK_MAC, 'm', mac, sizeof mac);
                break;
        case 'i':
                answer_later(b, VUE_ASK_INSTALL_CODE, 'i', install_code, sizeof install_code);
                break;
        case 'j':
                answer_later(b, VUE_ASK_JOIN, 'j', &b->module.join, 1);
                break;
        default:
                answer_reading(b);
                break;
        }
}

static void say(struct bench *b, const struct bench_answer *a) {
        if (b->module.chatters && a->type == 'r')
                bench_text(b, "SeIhd>SeIhd>\r\nT00000000:RX len 44, ep 01, clus 0x0702 (Simple Metering) FC 18 "
                              "seq 40 cmd 01 payload[00 00 00 25 80 66 59 00 00 00 01 00 00 25 78 F4 78 00 ]\r\n"
                              "-- Got Meter Rsp, len=44, 64 = 64?\r\nsMRB len 44\r\n");
        bench_frame(b, a->type, a->payload, a->len);
        if (b->module.chatters)
                bench_text(b, "SeIhd>");
}

static uint64_t next_answer(const struct bench *b) {
        return b->n_answers > 0 ? b->answers[0].due_ms : UINT64_MAX;
}

static void say_due(struct bench *b) {
        while (b->now_ms >= next_answer(b)) {
                struct bench_answer a = b->answers[0];

                b->n_answers--;
                memmove(b->answers, b->answers + 1, b->n_answers * sizeof a);
                if (b->module.power)
                        say(b, &a);
        }
}

/* ---- turns ---- */

/* Nothing else may ever be sent, least of all $d, $s or a console command. */
static void check_sent(const struct bench *b, const struct session_output *out) {
        char level[32];

        if (out->tx_len == 1) {
                assert_int_equal(out->tx[0], '\r');
                return;
        }
        if (out->tx_len == 3) {
                assert_int_equal(out->tx[0], '$');
                assert_non_null(memchr("fmijr", out->tx[1], 5));
                assert_int_equal(out->tx[2], '\r');
                return;
        }
        assert_true(b->config.console_log_level > 0);
        snprintf(level, sizeof level, "loglevel %u\r", (unsigned) b->config.console_log_level);
        assert_int_equal(out->tx_len, strlen(level));
        assert_memory_equal(out->tx, level, out->tx_len);
}

static void record_sent(struct bench *b, const struct session_output *out) {
        struct bench_sent *s = &b->sent[b->n_sent];
        size_t skip = out->tx[0] == '$', len = out->tx_len - 1 - skip;

        if (b->is_noisy)
                return;
        assert_true(b->n_sent < BENCH_SENT_MAX);
        b->n_sent++;
        s->at_ms = b->now_ms;
        if (out->tx_len == 1) {
                strcpy(s->text, "CR");
                return;
        }
        assert_true(len < sizeof s->text);
        memcpy(s->text, out->tx + skip, len);
        s->text[len] = '\0';
}

static void take_output(struct bench *b, const struct session_output *out) {
        if (out->has_report && !b->is_noisy) {
                assert_true(b->n_reports < BENCH_REPORTS_MAX);
                b->reports[b->n_reports++] = out->report;
        }
        if (out->tx_len == 0)
                return;
        assert_false(b->config.listen_only);
        check_sent(b, out);
        record_sent(b, out);
        if (out->tx_len == 3)
                answer(b, (char) out->tx[1]);
}

/* When something happens next. */
static uint64_t turn(struct bench *b) {
        struct session_output out;
        uint64_t next_ms;

        do {
                vue_protocol.poll(&b->session.base, b->now_ms, framer_pending(&b->framer) > 0, &out);
                take_output(b, &out);
        } while (out.tx_len > 0 || out.has_report);
        assert_non_null(b->session.base.reason);
        assert_true(out.next_ms > b->now_ms);
        next_ms = vue_earlier(out.next_ms, next_answer(b));
        if (framer_pending(&b->framer) > 0)
                next_ms = vue_earlier(next_ms, b->last_byte_ms + vue_protocol.silence_ms);
        return next_ms;
}

void bench_run(struct bench *b, uint64_t for_ms) {
        uint64_t end_ms = b->now_ms + for_ms;
        unsigned turns = 0;

        for (;;) {
                uint64_t next_ms;

                give_up_part_frame(b);
                say_due(b);
                next_ms = turn(b);
                /* A session that wants to be called again at once, for ever, would burn the processor. */
                assert_true(++turns < 100 + for_ms / 20);
                if (next_ms > end_ms)
                        break;
                b->now_ms = next_ms;
        }
        b->now_ms = end_ms;
}

/* ---- what came of it ---- */

const char *bench_sent_since(const struct bench *b, unsigned n) {
        static char text[BENCH_SENT_MAX * 4];
        size_t len = 0;

        text[0] = '\0';
        for (unsigned i = n; i < b->n_sent && len < sizeof text - 32; i++)
                len += (size_t) snprintf(text + len, sizeof text - len, "%s%s", i > n ? " " : "", b->sent[i].text);
        return text;
}

unsigned bench_count(const struct bench *b, const char *text) {
        unsigned n = 0;

        for (unsigned i = 0; i < b->n_sent; i++)
                n += strcmp(b->sent[i].text, text) == 0;
        return n;
}

uint64_t bench_sent_at(const struct bench *b, const char *text, unsigned n) {
        for (unsigned i = 0; i < b->n_sent; i++)
                if (strcmp(b->sent[i].text, text) == 0 && n-- == 0)
                        return b->sent[i].at_ms - BENCH_START_MS;
        return UINT64_MAX;
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

bool bench_detail(const struct bench *b, const char *key, struct session_detail *ret) {
        for (unsigned i = 0; vue_protocol.detail(&b->session.base, i, ret); i++)
                if (strcmp(ret->key, key) == 0)
                        return true;
        return false;
}

/* ---- shorthands ---- */

void bench_begin(struct bench *b) {
        bench_init(b);
        bench_start(b);
}

void bench_reach_online(struct bench *b) {
        bench_begin(b);
        bench_run(b, 2000);
        bench_assert_state(b, METER_ONLINE);
}

void bench_assert_state(const struct bench *b, enum meter_state state) {
        assert_string_equal(meter_state_names[b->session.base.state], meter_state_names[state]);
}

uint64_t bench_run_until(struct bench *b, enum meter_state state, uint64_t at_most_ms) {
        uint64_t end_ms = b->now_ms + at_most_ms;

        while (b->session.base.state != state && b->now_ms < end_ms)
                bench_run(b, 10);
        bench_assert_state(b, state);
        return b->now_ms - BENCH_START_MS;
}

uint64_t bench_counter(const struct bench *b, unsigned counter) {
        return b->session.base.counters[counter];
}

int64_t bench_value_of(const struct bench *b, unsigned quantity) {
        int64_t v = INT64_MIN;

        assert_true(bench_value(b, quantity, &v));
        return v;
}

struct session_detail bench_detail_of(const struct bench *b, const char *key) {
        struct session_detail d;

        assert_true(bench_detail(b, key, &d));
        return d;
}

void bench_assert_text(const struct bench *b, const char *key, const char *text) {
        struct session_detail d = bench_detail_of(b, key);

        if (!text)
                assert_int_equal(d.kind, DETAIL_UNKNOWN);
        else
                assert_string_equal(d.text, text);
}

void bench_assert_number(const struct bench *b, const char *key, int64_t number) {
        struct session_detail d = bench_detail_of(b, key);

        assert_int_equal(d.kind, DETAIL_NUMBER);
        assert_int_equal(d.number, number);
}
