/* Times as people and programs write them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Reads "2026-11-21T10:00:00.123Z" (RFC 3339; a blank in place of the T as well) at the start of text. Returns the
 * number of characters it takes, 0 when none stands there. Digits beyond milliseconds are cut off. */
size_t time_text_rfc3339(const char *text, int64_t *ret_utc_ms, unsigned *ret_resolution_ms);

/* ".123456" at the start of text as milliseconds: the number of characters it takes, 0 when none stands there. */
size_t time_text_fraction(const char *text, int *ret_ms);

/* "YYYY-MM-DD HH:MM:SS" in this host's time zone, nothing behind it. -EINVAL. */
int time_text_local(const char *text, int64_t *ret_utc_ms);

/* A point in time as API and tools take it: "now", a time before now ("-24h"), RFC 3339 (a blank for the + of its
 * offset too, since that is what a + in a query becomes) or seconds since 1970. Years 1970 to 2105.
 * -EINVAL, -ERANGE. */
int time_text_point(const char *text, int64_t now_utc_ms, int64_t *ret_utc_ms);
#define TIME_TEXT_POINT_FORM "now, a time before now such as -24h, RFC 3339 or seconds since 1970"
