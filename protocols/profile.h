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

/* One datapoint: raw * scale_num / scale_den is the sample in the catalogue's resolution. */
struct profile_datapoint {
        int64_t scale_num;           /* > 0 */
        int64_t scale_den;           /* > 0 */
        char name[48];               /* for people: "fault" */
        uint8_t id;                  /* 1..255 */
        uint8_t type;                /* enum datapoint_type */
        uint8_t quantity;            /* enum quantity; Q_NONE stays a raw datapoint */
        uint8_t channel;             /* index into profile->channels */
        uint8_t evidence;            /* enum profile_evidence */
        bool inverted;               /* the meter's sign is the opposite of ours */
        bool writable;               /* set-datapoint may write it */
        uint8_t direction_id;        /* datapoint that tells the direction; 0 = none */
        uint8_t direction_reverse;   /* its value that means export */
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

extern const char *const datapoint_type_names[DATAPOINT_TYPE_COUNT];    /* "raw", "bool", ... */
extern const char *const profile_evidence_names[];                      /* "captured", "stated", "disputed" */
