/* What one moment brought: the values that a meter sent within a short window. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CHANNELS_MAX 8   /* channel 0 (the plain keys) and seven named ones; the largest known meter names four */
#define READINGS_MAX 48  /* readings of one moment; the largest known profile maps 24 */

struct reading {
        int64_t value;     /* in the catalogue's resolution */
        int64_t step;      /* counters: what the last digit of the meter's register counts; 0: not known */
        int64_t wrap;      /* counters: at which the register begins anew at 0; 0: not known */
        bool is_increment; /* counters: not a register but what flowed since the last report */
        uint16_t origin;   /* where on the wire it came from; protocol->origin_name() puts it into words */
        uint8_t channel;   /* index into the profile's channels, 0 = plain */
        uint8_t quantity;  /* enum quantity */
};

struct report {
        uint64_t at_ms;    /* monotonic time at which its last value arrived */
        unsigned count;
        struct reading readings[READINGS_MAX];
};

/* Adds a reading in place of one of the same channel and quantity. False when there is no room. */
bool report_set(struct report *report, struct reading reading);
