/* In place of server/base/clock.c: the time is what the test says. */
#pragma once

#include "base/clock.h"

struct virtual_clock {
        uint64_t now_ms;             /* boot-time */
        int64_t offset_ms;           /* of UTC to it */
        bool trusted, synchronised;
};
extern struct virtual_clock virtual_clock;
