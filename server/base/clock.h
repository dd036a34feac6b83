/* Two clocks: a boot-time one for everything inside, UTC for everything shown. UTC is derived from the boot-time
 * clock by an offset that moves only when the wall clock has really moved (over 20 ms), so that a time once shown
 * does not wobble. On a board without a battery the wall clock is wrong after boot: until it can be trusted there
 * is no UTC at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_RFC3339_MAX 32

/* always_trust: for demo and tools. */
void clock_init(bool always_trust);

/* Milliseconds since boot, suspend included. Never goes back. */
uint64_t clock_now_ms(void);

/* Re-reads the wall clock; called once per turn of the loop that shows or stores a time. */
void clock_update(void);

/* True once the wall clock can be believed: synchronised, or an RTC exists, or up for ten minutes. */
bool clock_trusted(void);

/* True while the kernel says that the wall clock follows a time source. Tools and the demo always believe it. */
bool clock_synchronised(void);

/* UTC milliseconds since the epoch of a boot-time stamp; false while the clock is not trusted. */
bool clock_to_utc_ms(uint64_t boot_ms, int64_t *ret_utc_ms);

/* "2026-11-21T10:00:00.123Z". buf holds CLOCK_RFC3339_MAX bytes. */
void clock_format_rfc3339(int64_t utc_ms, char *buf);
