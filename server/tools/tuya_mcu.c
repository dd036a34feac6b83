#include "tools/tuya_mcu.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"
#include "tools/random.h"

enum {
        MCU_VERSION = 3,
        LOW_POWER_VERSION = 0,
        STATE_CLOUD = 4,

        BOOT_MS = 200,           /* from power to the first byte it understands */
        MEASURE_MS = 1000,       /* from state 04 to the first real values */
        DEFAULT_INTERVAL_MS = 1000,
        PART_FRAME_MS = 300,
        ACK_REPEAT_MS = 5000,    /* so long the MCU waits for an acknowledgement */
        ACK_TRIES = 3,
        RECORD_TIME_SIZE = 7,    /* whether the time is valid, then year to second */
        NOISE_MAX = 10,          /* stray bytes at once, as many as captures show around a power-up */
        QUIET_CURRENT_PART = 8,  /* a change of less than an eighth is no change worth telling */
};

/* Battery devices use other numbers. */
enum low_power_command {
        LOW_POWER_STATE = 0x02,
        LOW_POWER_RESET = 0x03,
        LOW_POWER_PAIRING = 0x04,
        LOW_POWER_REPORT = 0x05,
        LOW_POWER_RECORD = 0x08,
};

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
        n = tuya_frame_build(m->output + m->n_output, sizeof m->output - m->n_output,
                             m->options.low_power ? LOW_POWER_VERSION : MCU_VERSION, command, data, len);
        if (n == 0)
                return;
        m->n_output += n;
        if (m->bad_checksums == 0 && !chance(m, m->options.bad_checksum_percent))
                return;
        m->output[m->n_output - 1] ^= (uint8_t) (1 + random_below(&m->random, 255));
        if (m->bad_checksums > 0)
                m->bad_checksums--;
}

static void put_point(struct tuya_mcu *m, const struct tuya_point *point) {
        uint8_t unit[4 + LAYOUT_BYTES_MAX];

        put_frame(m, m->options.low_power ? LOW_POWER_REPORT : TUYA_REPORT, unit,
                  tuya_point_write(point, unit, sizeof unit));
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
        memset(m->awaited, 0, sizeof m->awaited);
        m->answered_heartbeat = m->connected = m->measured = false;
        tuya_points_zero(&m->load, &m->shown);
        tuya_points_zero(&m->load, &m->reported);
        m->n_late = 0;
        m->n_units = 0;
        m->ack_report = 0;
        m->n_output = 0;
}

void tuya_mcu_init(struct tuya_mcu *m, const struct tuya_mcu_options *options, uint64_t now_ms) {
        *m = (struct tuya_mcu) { .options = *options, .random = random_seed(options->seed) };
        snprintf(m->product_key, sizeof m->product_key, "%s",
                 options->product_key ? options->product_key : pj_mgw1103_captured.product_keys[0]);
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

static struct tuya_point *find_point(struct tuya_points *points, uint8_t id) {
        for (unsigned i = 0; i < points->count; i++)
                if (points->items[i].id == id)
                        return &points->items[i];
        return NULL;
}

static void put_set(const struct tuya_mcu *m, struct tuya_points *points) {
        for (unsigned i = 0; i < m->n_set; i++) {
                struct tuya_point *point = find_point(points, m->set[i].id);

                if (point && point->writable)
                        *point = m->set[i];
        }
}

void tuya_mcu_set_load(struct tuya_mcu *m, const struct tuya_points *load) {
        m->load = *load;
        put_set(m, &m->load);
        if (m->reported.count != load->count)
                tuya_points_zero(load, &m->reported);
        if (m->shown.count != load->count)
                tuya_points_zero(load, &m->shown);
}

static bool is_up(const struct tuya_mcu *m, uint64_t now_ms) {
        return now_ms >= m->ready_ms && now_ms >= m->silent_until_ms;
}

static int32_t number_of(const struct tuya_point *point) {
        return (int32_t) ((uint32_t) get_be16(point->value) << 16 | get_be16(point->value + 2));
}

/* Halfway to the target each time: 8.3, 15.6, 19.3, 21.2 W is how the captured meter approached 23 W. */
static void approach(struct tuya_point *point, int64_t shown) {
        int64_t target = number_of(point), step = (target - shown) / 2;

        if (step != 0)
                put_be32(point->value, (uint32_t) (shown + step));
}

static void measure(struct tuya_mcu *m) {
        for (unsigned i = 0; i < m->load.count; i++) {
                struct tuya_point *point = &m->shown.items[i];
                int32_t before = number_of(point);

                *point = m->load.items[i];
                if (m->options.averaging && point->quantity == Q_POWER && point->len == 4)
                        approach(point, before);
        }
        m->measured = true;
}

static bool current_is_news(const struct tuya_point *shown, const struct tuya_point *reported) {
        int64_t now = number_of(shown), before = number_of(reported), difference = now - before;

        if (difference < 0)
                difference = -difference;
        return before <= 0 || (difference > before / QUIET_CURRENT_PART && now > 0);
}

static bool is_news(const struct tuya_mcu *m, unsigned i) {
        const struct tuya_point *shown = &m->shown.items[i], *reported = &m->reported.items[i];

        if (memcmp(shown->value, reported->value, sizeof shown->value) == 0)
                return false;
        if (m->options.quiet_current && shown->quantity == Q_CURRENT && shown->len == 4)
                return current_is_news(shown, reported);
        return true;
}

static bool wants_acknowledgement(const struct tuya_mcu *m) {
        return m->options.sync || m->options.low_power;
}

/* Some meters tell the sign only when the number has long been told. */
static bool put_late(struct tuya_mcu *m, uint64_t now_ms, const struct tuya_point *point) {
        if (m->options.direction_lag_ms == 0 || !point->direction || m->n_late == TUYA_MCU_LATE_MAX)
                return false;
        m->late[m->n_late++] = (struct tuya_mcu_late) { now_ms + m->options.direction_lag_ms, *point };
        return true;
}

static void put_units(struct tuya_mcu *m, uint64_t now_ms) {
        put_frame(m, m->ack_report, m->units, m->n_units);
        m->ack_deadline_ms = now_ms + ACK_REPEAT_MS;
}

/* Battery devices report what is now, and what was while the module slept: in turns here. A time that is marked as
 * not valid precedes the latter. */
static void begin_units(struct tuya_mcu *m) {
        if (!m->options.low_power) {
                m->ack_report = TUYA_REPORT_SYNC;
        } else if (m->ack_report != LOW_POWER_REPORT) {
                m->ack_report = LOW_POWER_REPORT;
        } else {
                m->ack_report = LOW_POWER_RECORD;
                memset(m->units, 0, RECORD_TIME_SIZE);
                m->n_units = RECORD_TIME_SIZE;
        }
}

/* What finds no room waits for the next report. */
static bool add_unit(struct tuya_mcu *m, const struct tuya_point *point) {
        size_t n;

        if (m->n_units == 0)
                begin_units(m);
        n = tuya_point_write(point, m->units + m->n_units, sizeof m->units - m->n_units);
        m->n_units += n;
        return n > 0;
}

/* Changes in the order of the datapoints; the captured meter's is current, voltage, power. */
static void report_changes(struct tuya_mcu *m, uint64_t now_ms) {
        if (m->n_units > 0)
                return;  /* one at a time */
        for (unsigned i = 0; i < m->shown.count; i++) {
                const struct tuya_point *point = &m->shown.items[i];

                if (!is_news(m, i))
                        continue;
                if (!put_late(m, now_ms, point)) {
                        if (!wants_acknowledgement(m))
                                put_point(m, point);
                        else if (!add_unit(m, point))
                                continue;
                }
                m->reported.items[i] = *point;
        }
        if (m->n_units > 0) {
                m->ack_tries = 1;
                put_units(m, now_ms);
        }
}

/* All of them by number, as the captured meter does. */
static void answer_query(struct tuya_mcu *m, uint64_t now_ms) {
        for (unsigned id = 1; id <= UINT8_MAX; id++)
                for (unsigned i = 0; i < m->shown.count; i++)
                        if (m->shown.items[i].id == id && !put_late(m, now_ms, &m->shown.items[i]))
                                put_point(m, &m->shown.items[i]);
        m->reported = m->shown;
}

/* Only what the device lets be set, with the type and width that it has. */
static bool can_set(const struct tuya_point *point, const struct tuya_datapoint *d) {
        if (!point || !point->writable || d->type != point->type)
                return false;
        if (d->type == DATAPOINT_RAW || d->type == DATAPOINT_STRING)
                return d->value.len <= sizeof point->value;
        return d->value.len == point->len;
}

static void remember_set(struct tuya_mcu *m, const struct tuya_point *point) {
        unsigned i = 0;

        while (i < m->n_set && m->set[i].id != point->id)
                i++;
        if (i < TUYA_MCU_SET_MAX)
                m->set[i] = *point;
        if (i == m->n_set && i < TUYA_MCU_SET_MAX)
                m->n_set++;
}

/* Does it, and reports it: by itself, unless its reports want to be acknowledged, which come at their own pace. */
static void obey(struct tuya_mcu *m, struct span units) {
        struct tuya_truncation truncation;
        struct tuya_datapoint d;
        size_t offset = 0;

        while (tuya_datapoint_next(units, &offset, &d, &truncation) > 0) {
                struct tuya_point *point = find_point(&m->load, d.id);

                if (!can_set(point, &d))
                        continue;
                point->len = (uint8_t) d.value.len;
                memset(point->value, 0, sizeof point->value);
                if (d.value.len > 0)
                        memcpy(point->value, d.value.data, d.value.len);
                remember_set(m, point);
                put_set(m, &m->shown);
                if (wants_acknowledgement(m))
                        continue;
                put_set(m, &m->reported);
                put_point(m, point);
        }
}

static void set_connected(struct tuya_mcu *m, uint64_t now_ms, bool connected) {
        if (m->connected == connected)
                return;
        m->connected = connected;
        m->tick_ms = connected ? now_ms + MEASURE_MS : TUYA_MCU_NEVER;
}

static void network_state(struct tuya_mcu *m, uint64_t now_ms, struct span data) {
        if (data.len == 1)
                set_connected(m, now_ms, data.data[0] == STATE_CLOUD);
}

static void acknowledged(struct tuya_mcu *m) {
        m->n_units = 0;
        m->ack_deadline_ms = TUYA_MCU_NEVER;
}

static void answer_mode(struct tuya_mcu *m) {
        static const uint8_t pins[] = { 8, 7 };  /* of the status LED and the reset key */

        put_frame(m, TUYA_MODE, pins, m->options.mode_pins ? sizeof pins : 0);
}

static void answer_low_power(struct tuya_mcu *m, uint64_t now_ms, const struct tuya_frame *f) {
        switch (f->command) {
        case TUYA_PRODUCT:
                put_product(m);
                break;
        case LOW_POWER_STATE:
                put_frame(m, LOW_POWER_STATE, NULL, 0);
                network_state(m, now_ms, f->data);
                break;
        case LOW_POWER_REPORT:
        case LOW_POWER_RECORD:
                if (f->command == m->ack_report && f->data.len == 1 && f->data.data[0] == 0)
                        acknowledged(m);
                break;
        default:
                break;
        }
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
                answer_mode(m);
                break;
        case TUYA_NETWORK_STATE:
                put_frame(m, TUYA_NETWORK_STATE, NULL, 0);
                network_state(m, now_ms, f->data);
                break;
        case TUYA_QUERY:
                answer_query(m, now_ms);
                break;
        case TUYA_SET:
                obey(m, f->data);
                break;
        case TUYA_REPORT_SYNC_ANSWER:
                if (f->data.len == 1 && f->data.data[0] == 1)
                        acknowledged(m);
                break;
        default:
                break;  /* nothing it would answer */
        }
}

static void hear(struct tuya_mcu *m, uint64_t now_ms, const struct tuya_frame *f) {
        if (m->awaited[f->command] > 0) {
                m->awaited[f->command]--;
                if (m->options.answer)
                        m->options.answer(m->options.userdata, f->command, f->data);
        }
        if (m->options.low_power)
                answer_low_power(m, now_ms, f);
        else
                answer(m, now_ms, f);
}

static void answer_frames(struct tuya_mcu *m, uint64_t now_ms) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_next(&m->framer, &frame)) > 0) {
                struct tuya_frame f = tuya_frame_open(frame, n);

                hear(m, now_ms, &f);
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

/* Who pressed the pairing key hears nothing until the module is connected again. */
void tuya_mcu_request(struct tuya_mcu *m, uint64_t now_ms, uint8_t command, const uint8_t *data, size_t len) {
        bool pairing = m->options.low_power ? command == LOW_POWER_RESET || command == LOW_POWER_PAIRING
                                            : command == TUYA_RESET_WIFI || command == TUYA_SELECT_PAIRING;
        uint8_t reply = command == TUYA_REPORT_SYNC ? TUYA_REPORT_SYNC_ANSWER : command;

        if (!is_up(m, now_ms))
                return;
        put_frame(m, command, data, len);
        if (m->awaited[reply] < UINT8_MAX)
                m->awaited[reply]++;
        if (pairing)
                set_connected(m, now_ms, false);
}

/* Unacknowledged reports are repeated, then given up for newer ones; a record is never given up. */
static void repeat_units(struct tuya_mcu *m, uint64_t now_ms) {
        if (m->ack_tries < ACK_TRIES || m->options.low_power) {
                m->ack_tries++;
                put_units(m, now_ms);
                return;
        }
        acknowledged(m);
}

static void send_late(struct tuya_mcu *m, uint64_t now_ms) {
        unsigned n = 0;

        while (n < m->n_late && now_ms >= m->late[n].due_ms)
                put_point(m, &m->late[n++].point);
        m->n_late -= n;
        memmove(m->late, m->late + n, m->n_late * sizeof *m->late);
}

void tuya_mcu_run(struct tuya_mcu *m, uint64_t now_ms) {
        bool up = is_up(m, now_ms);

        send_late(m, now_ms);
        if (now_ms >= m->ack_deadline_ms)
                repeat_units(m, now_ms);
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
        uint64_t next_ms = m->tick_ms < m->ack_deadline_ms ? m->tick_ms : m->ack_deadline_ms;

        return m->n_late > 0 && m->late[0].due_ms < next_ms ? m->late[0].due_ms : next_ms;
}

size_t tuya_mcu_output(struct tuya_mcu *m, uint8_t *buf) {
        size_t n = m->n_output;

        memcpy(buf, m->output, n);
        m->n_output = 0;
        return n;
}
