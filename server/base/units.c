#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

struct unit {
        const char *name;
        uint64_t factor;
};

/* Largest first, for formatting. */
static const struct unit duration_units[] = {
        { "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
};

static const struct unit size_units[] = {
        { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 },
};

static int parse_with_unit(const char *text, const struct unit *units, size_t n_units, uint64_t *ret) {
        uint64_t number = 0;
        const char *p = text;
        size_t i = 0;
        int r = 0;

        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
                    __builtin_add_overflow(number, (uint64_t) (*p - '0'), &number))
                        r = -ERANGE;
        if (p == text)
                return -EINVAL;
        while (i < n_units && strcmp(p, units[i].name) != 0)
                i++;
        if (i == n_units)
                return -EINVAL;
        if (r < 0 || __builtin_mul_overflow(number, units[i].factor, &number))
                return -ERANGE;
        *ret = number;
        return 0;
}

int units_parse_duration_ms(const char *text, uint64_t *ret_ms) {
        return parse_with_unit(text, duration_units, ELEMENTS(duration_units), ret_ms);
}

int units_parse_size(const char *text, uint64_t *ret_bytes) {
        return parse_with_unit(text, size_units, ELEMENTS(size_units), ret_bytes);
}

/* "90s" and not "1.5min"; "60000ms" is "1min": the largest unit that leaves a whole number. */
void units_format_duration_ms(uint64_t ms, char *buf) {
        size_t i = 0;

        if (ms == 0) {
                snprintf(buf, 32, "0s");
                return;
        }
        while (ms % duration_units[i].factor != 0)
                i++;
        snprintf(buf, 32, "%" PRIu64 "%s", ms / duration_units[i].factor, duration_units[i].name);
}
