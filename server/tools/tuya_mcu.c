#include "tools/tuya_mcu.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"
#include "tools/random.h"

enum {
        DP_CURRENT = 18,
        DP_POWER = 19,
        DP_VOLTAGE = 20,

        MCU_VERSION = 3,
        STATE_CLOUD = 4,

        BOOT_MS = 200,           /* from power to the first byte it understands */
        MEASURE_MS = 1000,       /* from state 04 to the first real values */
        DEFAULT_INTERVAL_MS = 1000,
        PART_FRAME_MS = 300,
        SYNC_REPEAT_MS = 5000,   /* so long the MCU waits for an acknowledgement */
        SYNC_TRIES = 3,
        NOISE_MAX = 10,          /* stray bytes at once, as many as captures show around a power-up */
        QUIET_CURRENT_PART = 8,  /* a change of less than an eighth is no change worth telling */
};

#define DEFAULT_PRODUCT_KEY "djfep9s6s3b2qk89"

static bool chance(struct tuya_mcu *m, unsigned percent) {
        return percent > 0 && random_below(&m->random, 100) < percent;
}

static void put_noise(struct tuya_mcu *m) {
        for (unsigned n = 1 + random_below(&m->random, NOISE_MAX); n > 0; n--)
                if (m->n_output < sizeof m->output)
                        m->output[m->n_output++] = (uint8_t) random_below(&m->random, 256);
}

/* A frame that finds no room is lost, as in a small UART buffer. */
static void put_frame(struct tuya_mcu *m, uint8_t command, const void *data, size_t len) {
        size_t n;

        if (chance(m, m->options.noise_percent))
                put_noise(m);
        n = tuya_frame_build(m->output + m->n_output, sizeof m->output - m->n_output, MCU_VERSION, command, data,
                             len);
        if (n == 0)
                return;
        m->n_output += n;
        if (m->bad_checksums == 0 && !chance(m, m->options.bad_checksum_percent))
                return;
        m->output[m->n_output - 1] ^= (uint8_t) (1 + random_below(&m->random, 255));
        if (m->bad_checksums > 0)
                m->bad_checksums--;
}

static void put_value(struct tuya_mcu *m, uint8_t dp, int32_t value) {
        uint8_t unit[8];

        put_frame(m, TUYA_REPORT, unit, tuya_datapoint_put(unit, sizeof unit, dp, DATAPOINT_VALUE, value));
}

static void put_product(struct tuya_mcu *m) {
        char json[96];
        int n = snprintf(json, sizeof json, "{\"p\":\"%s\",\"v\":\"1.0.0\",\"m\":2}", m->product_key);

        put_frame(m, TUYA_PRODUCT, json, (size_t) n);
}

static uint32_t interval(const struct tuya_mcu *m) {
        return m->options.interval_ms > 0 ? m->options.interval_ms : DEFAULT_INTERVAL_MS;
}

void tuya_mcu_restart(struct tuya_mcu *m, uint64_t now_ms) {
        framer_init(&m->framer, tuya_frame_check);
        m->ready_ms = now_ms + BOOT_MS;
        m->tick_ms = TUYA_MCU_NEVER;
        m->ack_deadline_ms = TUYA_MCU_NEVER;
        m->answered_heartbeat = m->connected = m->measured = false;
        m->shown = m->reported = (struct tuya_mcu_values) { 0 };
        m->n_sync = 0;
        m->n_output = 0;
}

void tuya_mcu_init(struct tuya_mcu *m, const struct tuya_mcu_options *options, uint64_t now_ms) {
        *m = (struct tuya_mcu) { .options = *options, .random = random_seed(options->seed) };
        snprintf(m->product_key, sizeof m->product_key, "%s",
                 options->product_key ? options->product_key : DEFAULT_PRODUCT_KEY);
        tuya_mcu_restart(m, now_ms);
}

void tuya_mcu_silence(struct tuya_mcu *m, uint64_t until_ms) {
        m->silent_until_ms = until_ms;
        m->n_output = 0;
}

void tuya_mcu_spoil_checksums(struct tuya_mcu *m, unsigned count) {
        m->bad_checksums = count;
}

int tuya_mcu_set_product(struct tuya_mcu *m, const char *key, uint64_t now_ms) {
        size_t len = strlen(key);

        if (len == 0 || len > TUYA_MCU_KEY_MAX)
                return -EINVAL;
        for (size_t i = 0; i < len; i++)
                if (!isgraph((unsigned char) key[i]) || key[i] == '"' || key[i] == '\\')
                        return -EINVAL;
        memcpy(m->product_key, key, len + 1);
        tuya_mcu_restart(m, now_ms);
        return 0;
}

void tuya_mcu_set_load(struct tuya_mcu *m, const struct tuya_mcu_values *load) {
        m->load = *load;
}

static bool is_up(const struct tuya_mcu *m, uint64_t now_ms) {
        return now_ms >= m->ready_ms && now_ms >= m->silent_until_ms;
}

/* Halfway to the target each time: 8.3, 15.6, 19.3, 21.2 W is how the captured meter approached 23 W. */
static int32_t approach(int32_t shown, int32_t target) {
        int32_t step = (target - shown) / 2;

        return step == 0 ? target : shown + step;
}

static void measure(struct tuya_mcu *m) {
        int32_t power_before = m->shown.power_dw;

        m->shown = m->load;
        if (m->options.averaging)
                m->shown.power_dw = approach(power_before, m->load.power_dw);
        m->measured = true;
}

static bool current_is_news(const struct tuya_mcu *m) {
        int32_t difference = m->shown.current_ma - m->reported.current_ma;

        if (difference < 0)
                difference = -difference;
        if (m->options.quiet_current && m->reported.current_ma > 0)
                return difference > m->reported.current_ma / QUIET_CURRENT_PART && m->shown.current_ma > 0;
        return difference > 0;
}

static void put_sync_report(struct tuya_mcu *m, uint64_t now_ms) {
        put_frame(m, TUYA_REPORT_SYNC, m->sync_units, m->n_sync);
        m->ack_deadline_ms = now_ms + SYNC_REPEAT_MS;
}

static void add_sync_unit(struct tuya_mcu *m, uint8_t dp, int32_t value) {
        m->n_sync += tuya_datapoint_put(m->sync_units + m->n_sync, sizeof m->sync_units - m->n_sync, dp,
                                        DATAPOINT_VALUE, value);
}

/* Changes in the order in which the captured meter tells them: current, voltage, power. */
static void report_changes(struct tuya_mcu *m, uint64_t now_ms) {
        void (*put)(struct tuya_mcu *, uint8_t, int32_t) = m->options.sync ? add_sync_unit : put_value;

        if (m->options.sync && m->n_sync > 0)
                return;  /* one at a time */
        if (current_is_news(m)) {
                put(m, DP_CURRENT, m->shown.current_ma);
                m->reported.current_ma = m->shown.current_ma;
        }
        if (m->shown.voltage_dv != m->reported.voltage_dv)
                put(m, DP_VOLTAGE, m->shown.voltage_dv);
        if (m->shown.power_dw != m->reported.power_dw)
                put(m, DP_POWER, m->shown.power_dw);
        m->reported.voltage_dv = m->shown.voltage_dv;
        m->reported.power_dw = m->shown.power_dw;
        if (m->n_sync > 0) {
                m->sync_tries = 1;
                put_sync_report(m, now_ms);
        }
}

static void answer_query(struct tuya_mcu *m) {
        put_value(m, DP_CURRENT, m->shown.current_ma);
        put_value(m, DP_POWER, m->shown.power_dw);
        put_value(m, DP_VOLTAGE, m->shown.voltage_dv);
        m->reported = m->shown;
}

static void network_state(struct tuya_mcu *m, uint64_t now_ms, struct span data) {
        put_frame(m, TUYA_NETWORK_STATE, NULL, 0);
        if (data.len != 1 || m->connected == (data.data[0] == STATE_CLOUD))
                return;
        m->connected = data.data[0] == STATE_CLOUD;
        m->tick_ms = m->connected ? now_ms + MEASURE_MS : TUYA_MCU_NEVER;
}

static void acknowledged(struct tuya_mcu *m, struct span data) {
        if (data.len != 1 || data.data[0] != 1)
                return;
        m->n_sync = 0;
        m->ack_deadline_ms = TUYA_MCU_NEVER;
}

static void answer(struct tuya_mcu *m, uint64_t now_ms, const struct tuya_frame *f) {
        switch (f->command) {
        case TUYA_HEARTBEAT:
                put_frame(m, TUYA_HEARTBEAT, &(uint8_t) { m->answered_heartbeat }, 1);
                m->answered_heartbeat = true;
                break;
        case TUYA_PRODUCT:
                put_product(m);
                break;
        case TUYA_MODE:
                put_frame(m, TUYA_MODE, NULL, 0);
                break;
        case TUYA_NETWORK_STATE:
                network_state(m, now_ms, f->data);
                break;
        case TUYA_QUERY:
                answer_query(m);
                break;
        case TUYA_REPORT_SYNC_ANSWER:
                acknowledged(m, f->data);
                break;
        default:
                break;  /* nothing it could set, and nothing it would answer */
        }
}

static void answer_frames(struct tuya_mcu *m, uint64_t now_ms) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_next(&m->framer, &frame)) > 0) {
                struct tuya_frame f = tuya_frame_open(frame, n);

                answer(m, now_ms, &f);
        }
}

void tuya_mcu_input(struct tuya_mcu *m, uint64_t now_ms, const uint8_t *data, size_t len) {
        if (!is_up(m, now_ms)) {
                framer_reset(&m->framer);
                return;
        }
        while (now_ms - m->last_input_ms > PART_FRAME_MS && framer_pending(&m->framer) > 0) {
                framer_timeout(&m->framer);
                answer_frames(m, now_ms);
        }
        m->last_input_ms = now_ms;
        while (len > 0) {
                size_t n = framer_push(&m->framer, data, len);

                answer_frames(m, now_ms);
                data += n;
                len -= n;
        }
}

/* Unacknowledged reports are repeated, then given up for newer ones. */
static void repeat_sync_report(struct tuya_mcu *m, uint64_t now_ms) {
        if (m->sync_tries++ < SYNC_TRIES) {
                put_sync_report(m, now_ms);
                return;
        }
        m->n_sync = 0;
        m->ack_deadline_ms = TUYA_MCU_NEVER;
}

void tuya_mcu_run(struct tuya_mcu *m, uint64_t now_ms) {
        bool up = is_up(m, now_ms);

        if (now_ms >= m->ack_deadline_ms)
                repeat_sync_report(m, now_ms);
        if (now_ms >= m->tick_ms) {
                m->tick_ms += interval(m);
                if (m->tick_ms <= now_ms)
                        m->tick_ms = now_ms + interval(m);
                measure(m);
                if (up)
                        report_changes(m, now_ms);
        }
        if (!up)
                m->n_output = 0;
}

uint64_t tuya_mcu_deadline(const struct tuya_mcu *m) {
        return m->tick_ms < m->ack_deadline_ms ? m->tick_ms : m->ack_deadline_ms;
}

size_t tuya_mcu_output(struct tuya_mcu *m, uint8_t *buf) {
        size_t n = m->n_output;

        memcpy(buf, m->output, n);
        m->n_output = 0;
        return n;
}
