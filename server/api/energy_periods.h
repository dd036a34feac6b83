/* Hours, days, weeks, months and years of the process's time zone (TZ), as moments in s since the epoch. Each kind
 * covers all time without a gap, and every longer period begins where one of each shorter kind does: days of 23 or 25
 * hours have so many hours. Where clocks are set by half an hour the hour in which that happens is a shorter one. */
#pragma once

#include <stdint.h>

enum energy_period { PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_YEAR, PERIODS };
extern const char *const period_names[PERIODS];

/* The beginning of the period that a moment lies in, of the one after it, and of the n-th before it. */
int64_t period_start(enum energy_period period, int64_t utc_s);
int64_t period_next(enum energy_period period, int64_t utc_s);
int64_t period_back(enum energy_period period, int64_t utc_s, unsigned n);

/* How many periods lie between two beginnings; of hours the number of full ones. */
uint64_t period_count(enum energy_period period, int64_t from_s, int64_t to_s);

/* The longest of 900, 60 and 1 s that divides all beginnings between the two. */
int64_t period_unit_s(int64_t from_s, int64_t to_s);

/* By local clocks: the day of the week (0: Monday) and the minute of the day. */
void period_clock(int64_t utc_s, unsigned *ret_weekday, unsigned *ret_minute);

/* RFC 3339 with the local offset: "2026-03-29T00:00:00+01:00"; in UTC where the offset has seconds, which RFC 3339
 * cannot say. A fraction only where there is one. buf holds PERIOD_TEXT_MAX bytes. */
#define PERIOD_TEXT_MAX 48
void period_format(int64_t utc_ms, char *buf);
