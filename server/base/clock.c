#include "base/clock.h"

#include <stdio.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

enum {
        STEP_MIN_MS = 20,             /* smaller moves are the slewing of NTP and the time between two reads */
        TRUST_AFTER_MS = 600 * 1000,  /* an unsynchronised host that still has no NTP by then has none at all */
};

#define TRUST_EPOCH_MS INT64_C(1704067200000)  /* 2024-01-01: an earlier clock has never been set */

static struct {
        bool always_trust;
        bool has_rtc;
        bool trusted;
        int64_t offset_ms;  /* UTC minus boot time */
} state;

static uint64_t read_ms(clockid_t id) {
        struct timespec ts;

        if (clock_gettime(id, &ts) < 0)
                return 0;
        return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

static bool synchronised(void) {
        struct timex t = { .modes = 0 };

        return adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
}

static bool can_be_trusted(uint64_t boot_ms, int64_t wall_ms) {
        if (state.always_trust)
                return true;
        if (wall_ms < TRUST_EPOCH_MS)
                return false;
        return state.has_rtc || boot_ms >= TRUST_AFTER_MS || synchronised();
}

void clock_init(bool always_trust) {
        state.always_trust = always_trust;
        state.has_rtc = access("/dev/rtc0", F_OK) == 0 || access("/sys/class/rtc/rtc0", F_OK) == 0;
        state.trusted = false;
        state.offset_ms = 0;
        clock_update();
}

uint64_t clock_now_ms(void) {
        return read_ms(CLOCK_BOOTTIME);
}

void clock_update(void) {
        uint64_t boot_ms = clock_now_ms();
        int64_t wall_ms = (int64_t) read_ms(CLOCK_REALTIME);
        int64_t offset_ms = wall_ms - (int64_t) boot_ms;
        int64_t moved_ms = offset_ms - state.offset_ms;

        if (moved_ms > STEP_MIN_MS || moved_ms < -STEP_MIN_MS)
                state.offset_ms = offset_ms;
        /* Asked until it is true once: trust is never lost again, and adjtimex is spared from then on. */
        if (!state.trusted)
                state.trusted = can_be_trusted(boot_ms, wall_ms);
}

bool clock_trusted(void) {
        return state.trusted;
}

bool clock_synchronised(void) {
        return state.always_trust || synchronised();
}

bool clock_to_utc_ms(uint64_t boot_ms, int64_t *ret_utc_ms) {
        if (!state.trusted)
                return false;
        *ret_utc_ms = (int64_t) boot_ms + state.offset_ms;
        return true;
}

void clock_format_rfc3339(int64_t utc_ms, char *buf) {
        int64_t seconds = utc_ms / 1000;
        int ms = (int) (utc_ms % 1000);
        struct tm tm;
        time_t t;

        if (ms < 0) {
                ms += 1000;
                seconds--;
        }
        t = (time_t) seconds;
        /* RFC 3339 knows the years 0 to 9999 only. */
        if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
                snprintf(buf, CLOCK_RFC3339_MAX, "0000-01-01T00:00:00.000Z");
                return;
        }
        snprintf(buf, CLOCK_RFC3339_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                 (unsigned) (tm.tm_year + 1900) % 10000, (unsigned) (tm.tm_mon + 1) % 100,
                 (unsigned) tm.tm_mday % 100, (unsigned) tm.tm_hour % 100, (unsigned) tm.tm_min % 100,
                 (unsigned) tm.tm_sec % 100, (unsigned) ms % 1000);
}
