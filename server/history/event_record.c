/* Little-endian. A record:
 *
 *    0 u32 magic  4 u32 CRC32C of all from 8 on
 *    8 u64 number  16 i64 UTC in ms  24 i64 value  32 i64 previous  40 u64 frame
 *   48 u32 repeats  52 u8 kind  53 u8 flags: 1 time, 2 value, 4 previous  54 u8 decimals  55 u8 0
 *   56 meter[32]  88 series[40]  128 text[128]: filled up with zeros
 *
 * The header:
 *
 *    0 magic 89 'M' 'H' 'E' 0D 0A 1A 0A
 *    8 u16 major  10 u16 minor: a higher minor only adds
 *   12 u32 0x01020304: byte order  16 u32 bytes of a record  20 u32 records
 *   24 u64 generation  32 u64 next number  40 u8 1: clean end
 *  252 u32 CRC32C of all before
 */
#include "history/event_record.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/decimal.h"
#include "base/little_endian.h"

#define RECORD_MAGIC 0x3154564du    /* "MVT1" */
#define MAJOR 1
#define MINOR 0
#define BYTE_ORDER_MARK 0x01020304u

enum { AT_MAGIC = 0, AT_CRC = 4, AT_NUMBER = 8, AT_TIME = 16, AT_VALUE = 24, AT_PREVIOUS = 32, AT_FRAME = 40,
       AT_REPEATS = 48, AT_KIND = 52, AT_FLAGS = 53, AT_DECIMALS = 54, AT_METER = 56, AT_SERIES = 88, AT_TEXT = 128 };

enum { AT_MAJOR = 8, AT_MINOR = 10, AT_ORDER = 12, AT_BYTES = 16, AT_COUNT = 20, AT_GENERATION = 24,
       AT_NEXT = 32, AT_CLEAN = 40, AT_HEADER_CRC = EVENT_RECORD_BYTES - 4 };

enum { FLAG_TIME = 1, FLAG_VALUE = 2, FLAG_PREVIOUS = 4 };

_Static_assert(AT_METER + EVENT_METER_MAX == AT_SERIES && AT_SERIES + EVENT_SERIES_MAX == AT_TEXT &&
               AT_TEXT + EVENT_TEXT_MAX + 1 == EVENT_RECORD_BYTES, "a record has no gaps");

static const uint8_t header_magic[8] = { 0x89, 'M', 'H', 'E', '\r', '\n', 0x1a, '\n' };

const char *const event_kind_names[EVENT_KINDS] = {
        [EVENT_STARTED] = "started",
        [EVENT_STOPPED] = "stopped",
        [EVENT_STATE] = "state",
        [EVENT_RECONNECTED] = "reconnected",
        [EVENT_WITHHELD] = "withheld",
        [EVENT_COUNTER_RESET] = "counter_reset",
        [EVENT_CLOCK] = "clock",
        [EVENT_ACTION] = "action",
        [EVENT_REMOTE_WRITE] = "remote_write",
};

/* ---- records ---- */

void event_record_write(const struct event *event, uint8_t *record) {
        assert(event->kind < EVENT_KINDS && event->decimals <= DECIMAL_PLACES_MAX);
        memset(record, 0, EVENT_RECORD_BYTES);
        put_le32(record + AT_MAGIC, RECORD_MAGIC);
        put_le64(record + AT_TIME, event->has_time ? (uint64_t) event->utc_ms : 0);
        put_le64(record + AT_VALUE, event->has_value ? (uint64_t) event->value : 0);
        put_le64(record + AT_PREVIOUS, event->has_previous ? (uint64_t) event->previous : 0);
        put_le64(record + AT_FRAME, event->frame);
        record[AT_KIND] = (uint8_t) event->kind;
        record[AT_FLAGS] = (uint8_t) ((event->has_time ? FLAG_TIME : 0) | (event->has_value ? FLAG_VALUE : 0) |
                                      (event->has_previous ? FLAG_PREVIOUS : 0));
        record[AT_DECIMALS] = event->decimals;
        memcpy(record + AT_METER, event->meter, strnlen(event->meter, EVENT_METER_MAX));
        memcpy(record + AT_SERIES, event->series, strnlen(event->series, EVENT_SERIES_MAX));
        memcpy(record + AT_TEXT, event->text, strnlen(event->text, EVENT_TEXT_MAX));
}

void event_record_seal(uint8_t *record, uint64_t number, uint32_t repeats) {
        put_le64(record + AT_NUMBER, number);
        put_le32(record + AT_REPEATS, repeats);
        put_le32(record + AT_CRC, crc32c(record + AT_NUMBER, EVENT_RECORD_BYTES - AT_NUMBER));
}

uint64_t event_record_number(const uint8_t *record) {
        uint64_t number = get_le64(record + AT_NUMBER);

        if (get_le32(record + AT_MAGIC) != RECORD_MAGIC || number >= EVENT_NUMBER_END ||
            get_le32(record + AT_CRC) != crc32c(record + AT_NUMBER, EVENT_RECORD_BYTES - AT_NUMBER))
                return 0;
        return number;
}

static void read_text(const uint8_t *from, size_t len, char *ret) {
        memcpy(ret, from, len);
        ret[len] = '\0';
}

bool event_record_read(const uint8_t *record, struct event *ret) {
        uint64_t number = event_record_number(record);
        uint8_t flags = record[AT_FLAGS];

        if (number == 0 || record[AT_KIND] >= EVENT_KINDS || record[AT_DECIMALS] > DECIMAL_PLACES_MAX)
                return false;
        *ret = (struct event) {
                .number = number, .kind = event_record_kind(record), .decimals = record[AT_DECIMALS],
                .has_time = flags & FLAG_TIME, .has_value = flags & FLAG_VALUE, .has_previous = flags & FLAG_PREVIOUS,
                .utc_ms = (int64_t) get_le64(record + AT_TIME), .value = (int64_t) get_le64(record + AT_VALUE),
                .previous = (int64_t) get_le64(record + AT_PREVIOUS), .frame = get_le64(record + AT_FRAME),
                .repeats = get_le32(record + AT_REPEATS),
        };
        read_text(record + AT_METER, EVENT_METER_MAX, ret->meter);
        read_text(record + AT_SERIES, EVENT_SERIES_MAX, ret->series);
        read_text(record + AT_TEXT, EVENT_TEXT_MAX, ret->text);
        return true;
}

enum event_kind event_record_kind(const uint8_t *record) {
        return (enum event_kind) record[AT_KIND];
}

bool event_record_same_meter(const uint8_t *a, const uint8_t *b) {
        return memcmp(a + AT_METER, b + AT_METER, EVENT_METER_MAX) == 0;
}

bool event_record_is_repeat(const uint8_t *a, const uint8_t *b) {
        return a[AT_KIND] == b[AT_KIND] && memcmp(a + AT_METER, b + AT_METER, EVENT_RECORD_BYTES - AT_METER) == 0;
}

/* ---- the header ---- */

void events_header_write(const struct events_header *header, uint8_t *record) {
        memset(record, 0, EVENT_RECORD_BYTES);
        memcpy(record, header_magic, sizeof header_magic);
        put_le16(record + AT_MAJOR, MAJOR);
        put_le16(record + AT_MINOR, MINOR);
        put_le32(record + AT_ORDER, BYTE_ORDER_MARK);
        put_le32(record + AT_BYTES, EVENT_RECORD_BYTES);
        put_le32(record + AT_COUNT, EVENTS_MAX);
        put_le64(record + AT_GENERATION, header->generation);
        put_le64(record + AT_NEXT, header->next);
        record[AT_CLEAN] = header->clean;
        put_le32(record + AT_HEADER_CRC, crc32c(record, AT_HEADER_CRC));
}

enum events_verdict events_header_read(const uint8_t *record, struct events_header *ret) {
        struct events_header h = { .generation = get_le64(record + AT_GENERATION),
                                   .next = get_le64(record + AT_NEXT), .clean = record[AT_CLEAN] == 1 };

        if (memcmp(record, header_magic, sizeof header_magic) != 0)
                return EVENTS_FOREIGN;
        if (get_le16(record + AT_MAJOR) != MAJOR || get_le32(record + AT_ORDER) != BYTE_ORDER_MARK)
                return EVENTS_UNKNOWN;
        if (get_le32(record + AT_HEADER_CRC) != crc32c(record, AT_HEADER_CRC))
                return EVENTS_DAMAGED;
        if (get_le32(record + AT_BYTES) != EVENT_RECORD_BYTES || get_le32(record + AT_COUNT) != EVENTS_MAX ||
            h.next >= EVENT_NUMBER_END)
                return EVENTS_UNKNOWN;
        *ret = h;
        return EVENTS_GOOD;
}
