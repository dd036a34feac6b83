/* What the module's messages say. Readings come in two layouts, told apart by the payload alone: the record dump of
 * older modules ("V2") and a Zigbee read-attributes response ("ZCL"). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/bytes.h"
#include "protocols/vue/frame.h"

enum {
        VUE_ATTRIBUTES_MAX = 84,  /* records of 3 bytes in the longest payload */
        VUE_NONZERO_MAX = 131,    /* bytes of the record dump that have been zero in every published one */
};

enum vue_layout {
        VUE_LAYOUT_NONE,
        VUE_V2,
        VUE_ZCL,
        VUE_LAYOUT_COUNT,
};
extern const char *const vue_layout_names[VUE_LAYOUT_COUNT];  /* "none", "v2", "zcl" */

/* Why a message says nothing. */
enum vue_reject {
        VUE_OK,
        VUE_SHORT,              /* a reading of fewer than 3 bytes */
        VUE_NOT_READ_RESPONSE,
        VUE_BAD_RECORD,         /* a ZCL record that does not fit or has a type of unknown width */
        VUE_NO_SCALE,           /* multiplier or divisor not there */
        VUE_UNSCALED,           /* multiplier or divisor 0 */
        VUE_BAD_LENGTH,         /* a message of one fixed size with another one */
        VUE_UNKNOWN_TYPE,       /* a message that nobody can read */
        VUE_REJECT_COUNT,
};
extern const char *const vue_reject_names[VUE_REJECT_COUNT];  /* "ok", "short", "not_read_response", ... */

enum vue_presence {
        VUE_ABSENT,   /* not reported, or not to be expressed */
        VUE_INVALID,  /* reported as "no value" */
        VUE_PRESENT,
};

/* An integer of the wire: 64 bits of either signedness. */
struct vue_number {
        uint64_t magnitude;
        bool negative;
};

struct vue_factor {
        enum vue_presence presence;
        struct vue_number number;   /* as sent, unless absent */
};

struct vue_value {
        enum vue_presence presence;
        bool has_raw;               /* it was reported as an integer */
        struct vue_number raw;      /* as sent, markers too */
        int64_t value;              /* mW or mWh, when present */
};

struct vue_attribute {
        uint16_t id;
        uint8_t status;             /* the rest is 0 unless this is 0 */
        uint8_t type;
        uint8_t width;              /* bytes of the value */
        bool has_number;            /* types up to 8 bytes that are integers, enumerations, bitmaps or flags */
        struct vue_number number;
};

struct vue_nonzero {
        uint8_t offset, value;
};

struct vue_reading {
        enum vue_layout layout;     /* NONE: short or not_read_response */
        enum vue_reject reject;     /* unless VUE_OK the three values are absent */
        struct vue_factor multiplier, divisor;
        struct vue_value power;     /* mW, negative: export */
        struct vue_value import;    /* mWh */
        struct vue_value export;    /* mWh */
        int64_t step_mwh;           /* what one count of the energies is, at least 1; 0 without a scale */
        int64_t wrap_mwh;           /* where their registers begin anew: 2^32 counts (V2) or 2^48; 0: not known */

        /* ZCL only. */
        bool has_sequence;
        uint8_t sequence;
        bool all_zero;              /* everything reported of the five, the factors at least, is 0 */
        bool has_unit;              /* the meter names its unit of measure */
        uint8_t unit;               /* 0: kW and kWh, binary. Anything else must not pass as watts */
        unsigned n_attributes;
        struct vue_attribute attributes[VUE_ATTRIBUTES_MAX];  /* every record, in order, repeated ones too */

        /* V2 only. */
        bool import_doubtful;       /* import is invalid as it holds 4194304, the marker that can be a true count */
        int64_t import_if_true;     /* mWh that it then is, 0 when it cannot be expressed */
        uint32_t meter_ts_ms;       /* millisecond counter, wraps after 49.7 days */
        uint8_t summation_format;   /* ZCL 0x0303 and 0x0304 */
        uint8_t demand_format;
        unsigned n_nonzero;
        struct vue_nonzero nonzero[VUE_NONZERO_MAX];
};

/* Reads the payload of a VUE_READ frame. */
void vue_reading_decode(struct span payload, struct vue_reading *ret);

/* VUE_OK, VUE_BAD_LENGTH or VUE_UNKNOWN_TYPE for any message. A VUE_READ frame is always fine here. */
enum vue_reject vue_frame_reject(struct vue_frame frame);

/* The MAC of an intact VUE_MAC message as people write it: "70:B3:D5:EB:80:00:00:01" and its end. */
enum { VUE_MAC_TEXT_SIZE = 3 * VUE_MAC_SIZE };
void vue_mac_text(struct span payload, char *buf);

/* Nearest int64, for tables that hold no more. */
int64_t vue_number_clamped(struct vue_number n);
