/* What an MCU asks of its module, and what it gets. A gateway has no cloud, no weather and no radio: it answers so
 * that the MCU is content and goes on measuring. */
#include "protocols/tuyamcu/session.h"

#include <string.h>

enum {
        SIGNAL_DBM = -50,       /* a good radio: meters with a display draw their signal bars from it */
        SIGNAL_PERCENT = 80,
        FREE_MEMORY = 64 * 1024,
        RECORD_FRESH_MS = 60000,
        RECORD_TIME_SIZE = 7,   /* flag, year - 2000, month, day, hour, minute, second */
};

enum { EXT_TIME_PUSH = 0x01, EXT_TIME = 0x02, EXT_WEATHER = 0x03, EXT_RESET_NOTICE = 0x04, EXT_RESET = 0x05,
       EXT_RECORD = 0x0b };

void tuya_queue_answer(struct tuya_session *s, uint8_t command, const uint8_t *data, uint8_t len) {
        struct tuya_answer *a;

        if (s->config.listen_only || s->n_answers == TUYA_ANSWERS_MAX || len > sizeof a->data)
                return;
        a = &s->answers[s->n_answers++];
        *a = (struct tuya_answer) { .command = command, .len = len };
        if (len > 0)
                memcpy(a->data, data, len);
}

#define ANSWER(command, ...) do { \
        const uint8_t data_[] = { __VA_ARGS__ }; \
        tuya_queue_answer(s, command, data_, sizeof data_); \
} while (0)

/* ---- time ---- */

static bool is_leap_year(int64_t year) {
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_of_month(int64_t year, unsigned month) {
        static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

        return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

/* year - 2000, month, day, hour, minute, second, weekday (1 = Monday). */
static void split_time(int64_t epoch_s, uint8_t ret[7]) {
        int64_t days = epoch_s / 86400, second = epoch_s % 86400, year = 1970;
        unsigned month = 1;

        ret[6] = (uint8_t) ((days + 3) % 7 + 1);  /* the epoch began on a Thursday */
        for (; days >= (is_leap_year(year) ? 366 : 365); year++)
                days -= is_leap_year(year) ? 366 : 365;
        for (; days >= days_of_month(year, month); month++)
                days -= days_of_month(year, month);
        ret[0] = (uint8_t) (year - 2000);
        ret[1] = (uint8_t) month;
        ret[2] = (uint8_t) (days + 1);
        ret[3] = (uint8_t) (second / 3600);
        ret[4] = (uint8_t) (second / 60 % 60);
        ret[5] = (uint8_t) (second % 60);
}

/* The wire has two digits for the year: 2000 to 2099. */
static bool current_time(const struct tuya_session *s, uint64_t now_ms, bool local, uint8_t ret[7]) {
        const struct session_clock *c = &s->base.clock;
        int64_t epoch_s = ((int64_t) now_ms + c->utc_minus_now_ms) / 1000 + (local ? c->zone_offset_s : 0);

        if (!c->known || epoch_s < 946684800 || epoch_s >= 4102444800)
                return false;
        split_time(epoch_s, ret);
        return true;
}

/* All zero while the clock is not known. */
static void answer_time(struct tuya_session *s, uint64_t now_ms, uint8_t command, bool local) {
        uint8_t data[8] = { 0 };

        data[0] = current_time(s, now_ms, local, data + 1);
        tuya_queue_answer(s, command, data, local ? 8 : 7);
}

void tuya_queue_time_push(struct tuya_session *s, uint64_t now_ms) {
        uint8_t data[9] = { EXT_TIME, s->push_local };

        if (current_time(s, now_ms, s->push_local, data + 2))
                tuya_queue_answer(s, TUYA_EXTENDED, data, sizeof data);
}

/* ---- records: datapoints with a time of their own ---- */

static int64_t join_time(const uint8_t t[6]) {
        int64_t days = 0;

        for (int64_t year = 1970; year < 2000 + t[0]; year++)
                days += is_leap_year(year) ? 366 : 365;
        for (unsigned month = 1; month < t[1]; month++)
                days += days_of_month(2000 + t[0], month);
        return (days + t[2] - 1) * 86400 + t[3] * 3600 + t[4] * 60 + t[5];
}

static bool is_plausible_time(const uint8_t t[6]) {
        return t[1] >= 1 && t[1] <= 12 && t[2] >= 1 && t[2] <= 31 && t[3] < 24 && t[4] < 60 && t[5] < 60;
}

/* An old record tells about the past: it is shown with the datapoints, and is no reading of now. A flag of 0 means
 * that the time bytes are dummies. */
static bool is_fresh_record(const struct tuya_session *s, uint64_t now_ms, const uint8_t time[7]) {
        const struct session_clock *c = &s->base.clock;
        int64_t utc_ms, then_ms;

        if (time[0] == 0 || !c->known || !is_plausible_time(time + 1))
                return time[0] == 0;
        utc_ms = (int64_t) now_ms + c->utc_minus_now_ms;
        then_ms = (join_time(time + 1) - (time[0] == 1 ? c->zone_offset_s : 0)) * 1000;
        return then_ms >= utc_ms - RECORD_FRESH_MS && then_ms <= utc_ms + RECORD_FRESH_MS;
}

static void take_record(struct tuya_session *s, uint64_t now_ms, struct span record) {
        struct span datapoints = span_from(record, RECORD_TIME_SIZE);

        if (is_fresh_record(s, now_ms, record.data))
                tuya_moment_add(s, now_ms, datapoints);
        else
                tuya_moment_note(s, now_ms, datapoints);
}

/* ---- 0x34 ---- */

static void answer_extended(struct tuya_session *s, uint64_t now_ms, struct span data) {
        uint8_t sub;

        if (data.len == 0)
                return;
        sub = data.data[0];
        switch (sub) {
        case EXT_TIME_PUSH:
                s->push_time = true;
                s->push_local = data.len > 1 && data.data[1] == 1;
                ANSWER(TUYA_EXTENDED, sub, 0);
                tuya_queue_time_push(s, now_ms);
                break;
        case EXT_WEATHER:
        case EXT_RESET_NOTICE:
                ANSWER(TUYA_EXTENDED, sub, 0);
                break;
        case EXT_TIME:
        case EXT_RESET:
                break;  /* acknowledgements of what we sent */
        case EXT_RECORD:
                /* sub, 01, then the time flag, 6 time bytes and datapoints */
                if (data.len < 2 + RECORD_TIME_SIZE) {
                        ANSWER(TUYA_EXTENDED, sub, 3);
                        break;
                }
                take_record(s, now_ms, span_from(data, 2));
                ANSWER(TUYA_EXTENDED, sub, 0);
                break;
        default:
                ANSWER(TUYA_EXTENDED, sub, 1);
        }
}

static void answer_features(struct tuya_session *s, struct span data) {
        bool is_object = data.len >= 3 && data.data[1] == '{' && data.data[data.len - 1] == '}';

        if (data.len > 0 && data.data[0] == 0)
                ANSWER(TUYA_FEATURES, 0, is_object ? 0 : 1);
}

/* Somebody pressed the pairing key: without the walk to "connected" the MCU would stay in pairing. */
static void answer_pairing(struct tuya_session *s, uint64_t now_ms, uint8_t command, bool access_point) {
        tuya_queue_answer(s, command, NULL, 0);
        if (s->config.listen_only || s->low_power)
                return;
        tuya_unpublish(s, TUYA_WITHHELD_STARTING);
        tuya_play(s, now_ms, access_point ? &tuya_script_pairing_ap : &tuya_script_pairing_ez, 0);
        tuya_set_state(s, METER_CONNECTING, "the pairing key was pressed");
}

/* Commands of robots, voice devices, factory tests and updates: known, and of no concern to a meter's gateway. */
static bool is_ignored(uint8_t command) {
        static const uint8_t ignored[] = { 0x06, 0x0a, 0x0b, 0x21, 0x23, 0x28, 0x2a, 0x2e, 0x30, 0x33, 0x35, 0x36,
                                           0x39, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x91, 0xf4 };

        return memchr(ignored, command, sizeof ignored) != NULL;
}

bool tuya_answer_request(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        switch (f->command) {
        case TUYA_RESET_WIFI:
                answer_pairing(s, now_ms, f->command, false);
                return true;
        case TUYA_SELECT_PAIRING:
                answer_pairing(s, now_ms, f->command, f->data.len > 0 && f->data.data[0] == 1);
                return true;
        case TUYA_GMT_TIME:
        case TUYA_LOCAL_TIME:
                answer_time(s, now_ms, f->command, f->command == TUYA_LOCAL_TIME);
                return true;
        case TUYA_WIFI_TEST:
                ANSWER(f->command, 1, SIGNAL_PERCENT);
                return true;
        case TUYA_FREE_MEMORY:
                ANSWER(f->command, 0, FREE_MEMORY >> 16, FREE_MEMORY >> 8 & 0xff, FREE_MEMORY & 0xff);
                return true;
        case TUYA_WEATHER:
                ANSWER(f->command, 0, 2);  /* refused */
                return true;
        case TUYA_SIGNAL:
                ANSWER(f->command, (uint8_t) SIGNAL_DBM);
                return true;
        case TUYA_STOP_HEARTBEAT:
                tuya_queue_answer(s, f->command, NULL, 0);
                s->wants_silence = true;
                return true;
        case TUYA_NETWORK_STATUS:
                ANSWER(f->command, s->network_state);
                return true;
        case TUYA_CONNECTION_TEST:
                ANSWER(f->command, 1);
                return true;
        case TUYA_MAC:
                ANSWER(f->command, 1);  /* failed: there is no radio */
                return true;
        case TUYA_EXTENDED:
                answer_extended(s, now_ms, f->data);
                return true;
        case TUYA_FEATURES:
                answer_features(s, f->data);
                return true;
        case TUYA_DP_CACHE:
                ANSWER(f->command, 1, 0);  /* nothing is cached */
                return true;
        default:
                return is_ignored(f->command);
        }
}

bool tuya_answer_low_power(struct tuya_session *s, uint64_t now_ms, const struct tuya_frame *f) {
        switch (f->command) {
        case TUYA_LOW_STATE:
                return true;
        case TUYA_LOW_RESET_WIFI:
        case TUYA_LOW_SELECT_PAIRING:
                answer_pairing(s, now_ms, f->command, false);
                return true;
        case TUYA_LOW_REPORT:
                tuya_publish(s, now_ms);
                tuya_moment_add(s, now_ms, f->data);
                ANSWER(f->command, 0);
                return true;
        case TUYA_LOW_LOCAL_TIME:
                answer_time(s, now_ms, f->command, true);
                return true;
        case TUYA_LOW_RECORD:
                tuya_publish(s, now_ms);
                if (f->data.len >= RECORD_TIME_SIZE)
                        take_record(s, now_ms, f->data);
                ANSWER(f->command, 0);
                return true;
        case TUYA_LOW_SIGNAL:
                ANSWER(f->command, 1, SIGNAL_PERCENT);
                return true;
        case TUYA_LOW_DP_CACHE:
                ANSWER(f->command, 1, 0);
                return true;
        default:
                return is_ignored(f->command);
        }
}
