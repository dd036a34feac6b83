/* Events as they stand in their file: records of a fixed size, each with its own checksum, and the header before
 * them. Pure. */
#pragma once

#include "history/events.h"

#define EVENT_RECORD_BYTES 256
#define EVENT_NUMBER_END   (UINT64_C(1) << 62)     /* beyond is nonsense; sums cannot overflow */

/* All but number and repeats. */
void event_record_write(const struct event *event, uint8_t *record);
/* Fills in number and repeats, and the checksum. */
void event_record_seal(uint8_t *record, uint64_t number, uint32_t repeats);

/* 0: no good record. */
uint64_t event_record_number(const uint8_t *record);
/* False: no good record, or of a kind that came with a later version. */
bool event_record_read(const uint8_t *record, struct event *ret);

enum event_kind event_record_kind(const uint8_t *record);
bool event_record_same_meter(const uint8_t *a, const uint8_t *b);
/* The same kind, meter, series and text. */
bool event_record_is_repeat(const uint8_t *a, const uint8_t *b);

struct events_header {
        uint64_t generation;
        uint64_t next;              /* number when it was written: before the first of a run, and at the end */
        bool clean;                 /* that was the end, and all before it is on the disk */
};

enum events_verdict {
        EVENTS_GOOD,
        EVENTS_FOREIGN,             /* not a file of ours */
        EVENTS_UNKNOWN,             /* ours, of another version, byte order or size */
        EVENTS_DAMAGED,
};

/* To and from EVENT_RECORD_BYTES. */
void events_header_write(const struct events_header *header, uint8_t *record);
enum events_verdict events_header_read(const uint8_t *record, struct events_header *ret);
