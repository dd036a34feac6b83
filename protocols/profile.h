/* What a product's datapoints mean. A profile is data, read from YAML by server/config/profile_file.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/report.h"

#define PROFILE_NAME_MAX     32
#define PRODUCT_KEY_MAX      16  /* Tuya product keys have 8 or 16 characters */
#define PRODUCT_KEYS_MAX     8
#define PROFILE_BAUDS_MAX    4
#define CHANNEL_NAME_MAX     8

enum profile_evidence {
        EVIDENCE_CAPTURED,  /* seen in captured frames */
        EVIDENCE_STATED,    /* published by somebody, no bytes seen */
        EVIDENCE_DISPUTED,  /* sources disagree */
};

enum datapoint_type {
        DATAPOINT_RAW,
        DATAPOINT_BOOL,
        DATAPOINT_VALUE,
        DATAPOINT_STRING,
        DATAPOINT_ENUM,
        DATAPOINT_BITMAP,
        DATAPOINT_TYPE_COUNT,
};

/* What a raw datapoint holds. The wire's length picks the exact table (protocols/tuyamcu/layout.c). */
enum datapoint_layout {
        LAYOUT_NONE,
        LAYOUT_PHASE,           /* voltage, current, power of one phase: 6, 8, 10, 15 or 18 bytes */
        LAYOUT_PHASE_VCPQFF,    /* the same; 15 bytes begin with the voltage */
        LAYOUT_PHASE_PQFCV,     /* the same; 15 bytes begin with the power */
        LAYOUT_VOLTAGES,        /* three phases in one: channels 1, 2, 3 */
        LAYOUT_CURRENTS,
        LAYOUT_POWERS,          /* total, then three phases */
        LAYOUT_MONTH,           /* history: energy of a month */
        LAYOUT_DAY,
        LAYOUT_LIMITS_METER,    /* alarm thresholds as meters (dp 17) and breakers (dp 18) number them */
        LAYOUT_LIMITS_BREAKER,  /* as breakers number them in dp 17 */
        LAYOUT_COUNT,
};

/* Why a datapoint can never be written, whatever else a profile says. */
enum datapoint_danger {
        DANGER_NONE,
        DANGER_CALIBRATION,
        DANGER_RESET,           /* clears energy, resets to factory state */
        DANGER_TEST,            /* trips a breaker, starts a production test */
        DANGER_COUNT,
};

/* One datapoint: raw * scale_num / scale_den is the sample in the catalogue's resolution. */
struct profile_datapoint {
        int64_t scale_num;           /* > 0 */
        int64_t scale_den;           /* > 0 */
        char name[48];               /* for people: "fault" */
        char unit[8];                /* of raw * scale where there is no quantity, for people: "W"; "" */
        uint8_t id;                  /* 1..255 */
        uint8_t type;                /* enum datapoint_type */
        uint8_t quantity;            /* enum quantity; Q_NONE stays a raw datapoint */
        uint8_t channel;             /* index into profile->channels */
        uint8_t evidence;            /* enum profile_evidence */
        bool inverted;               /* the meter's sign is the opposite of ours */
        bool writable;               /* set-datapoint may write it */
        uint8_t direction_id;        /* datapoint that tells the direction; 0 = none */
        uint8_t direction_reverse;   /* its value that means export */
        uint8_t layout;              /* enum datapoint_layout; only with type raw, in place of quantity and scale */
        uint8_t power_den;           /* layouts: the power counts 1/power_den W (1 or 10); 0: the layout's own */
        uint8_t danger;              /* enum datapoint_danger; such a row is never writable */
        bool has_range;              /* of the numbers that may be written, as they are on the wire */
        int64_t range_min, range_max;
        bool is_increment;           /* quantity is an energy: added since the last report, not a register */
};

struct profile {
        char name[PROFILE_NAME_MAX + 1];
        char protocol[16];
        char title[96];
        char source[256];
        enum profile_evidence evidence;
        unsigned n_product_keys;
        char product_keys[PRODUCT_KEYS_MAX][PRODUCT_KEY_MAX + 1];
        unsigned n_bauds;
        uint32_t bauds[PROFILE_BAUDS_MAX];  /* the speeds to try first, likeliest first */
        uint32_t poll_ms;                   /* 0: the protocol's own default */
        unsigned n_channels;                /* at least 1: channels[0] is "" */
        char channels[CHANNELS_MAX][CHANNEL_NAME_MAX + 1];
        unsigned n_datapoints;
        struct profile_datapoint datapoints[];
};

/* The row of a datapoint, NULL when the profile does not list it. */
const struct profile_datapoint *profile_datapoint(const struct profile *p, uint8_t id);

/* Sets the scale from units of the quantity in one raw step: num / den, both above 0, num below 10^12 unless den is a
 * multiple of 10^6. The quantity must be there already: it has the resolution. */
void profile_set_scale(struct profile_datapoint *d, int64_t num, int64_t den);

extern const char *const datapoint_type_names[DATAPOINT_TYPE_COUNT];    /* "raw", "bool", ... */
extern const char *const datapoint_layout_names[LAYOUT_COUNT];          /* "phase", "phase-vcpqff", ...; [0] is "" */
extern const char *const datapoint_danger_names[DANGER_COUNT];          /* "calibration", ...; [0] is "" */
extern const char *const profile_evidence_names[];                      /* "captured", "stated", "disputed" */
