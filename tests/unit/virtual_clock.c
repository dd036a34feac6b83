#include "virtual_clock.h"

#include <stdio.h>
#include <time.h>

struct virtual_clock virtual_clock;

void clock_init(bool always_trust) {
        virtual_clock.trusted = virtual_clock.synchronised = always_trust;
}

uint64_t clock_now_ms(void) {
        return virtual_clock.now_ms;
}

void clock_update(void) {
}

bool clock_trusted(void) {
        return virtual_clock.trusted;
}

bool clock_synchronised(void) {
        return virtual_clock.synchronised;
}

bool clock_to_utc_ms(uint64_t boot_ms, int64_t *ret_utc_ms) {
        if (virtual_clock.trusted)
                *ret_utc_ms = (int64_t) boot_ms + virtual_clock.offset_ms;
        return virtual_clock.trusted;
}

/* Of times since 1970. */
void clock_format_rfc3339(int64_t utc_ms, char *buf) {
        time_t seconds = (time_t) (utc_ms / 1000);
        char day[24];
        struct tm tm;

        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
        snprintf(buf, CLOCK_RFC3339_MAX, "%s.%03uZ", day, (unsigned) (utc_ms % 1000));
}
