/* The other side of the line: the microcontroller of a meter. It starts, talks and falls silent as the captures of a
 * PJ-MGW1103 show it, with the datapoints of any product. No descriptors and no clock: bytes and a time in, bytes
 * and the next deadline out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/bytes.h"
#include "protocols/framer.h"
#include "tools/tuya_points.h"

#define TUYA_MCU_NEVER      UINT64_MAX
#define TUYA_MCU_OUTPUT_MAX 4096  /* the answers to everything that one read may hold */
#define TUYA_MCU_UNITS_MAX  512   /* of one report that wants to be acknowledged */
#define TUYA_MCU_KEY_MAX    32
#define TUYA_MCU_LATE_MAX   16
#define TUYA_MCU_SET_MAX    32    /* datapoints that were set; the largest known profile has 19 that can be */

struct tuya_mcu_options {
        const char *product_key;       /* borrowed; NULL: that of the PJ-MGW1103 */
        uint32_t interval_ms;          /* how often changes are looked for and reported; 0: 1000 */
        uint32_t direction_lag_ms;     /* datapoints that tell a sign come that much behind the others */
        bool sync;                     /* reports by command 22, which wants to be acknowledged */
        bool low_power;                /* the command set of battery devices */
        bool mode_pins;                /* its working mode names two pins */
        bool quiet_current;            /* a current that barely changes is not reported, as the real meter does */
        bool averaging;                /* power approaches its value over some seconds, as the real meter's does */
        unsigned noise_percent;        /* frames with stray bytes before them */
        unsigned bad_checksum_percent;
        uint64_t seed;
        /* What came back for tuya_mcu_request. May be NULL. */
        void (*answer)(void *userdata, uint8_t command, struct span data);
        void *userdata;
};

struct tuya_mcu_late {
        uint64_t due_ms;
        struct tuya_point point;
};

struct tuya_mcu {
        struct tuya_mcu_options options;
        char product_key[TUYA_MCU_KEY_MAX + 1];
        struct framer framer;
        uint64_t last_input_ms;
        uint64_t random;
        uint64_t ready_ms;             /* deaf and dumb before: starting up, or without power */
        uint64_t silent_until_ms;
        uint64_t tick_ms;              /* when changes are looked for next; TUYA_MCU_NEVER before state 04 */
        uint64_t ack_deadline_ms;      /* of a report that wants one; TUYA_MCU_NEVER: none is out */
        unsigned bad_checksums;        /* this many of the next frames get one */
        bool answered_heartbeat;
        bool connected;                /* state 04 has been told */
        bool measured;                 /* values are real from here on */
        uint8_t ack_tries;
        uint8_t ack_report;            /* command of the report that is out */
        uint8_t awaited[256];          /* answers to requests, by command */
        struct tuya_points load, shown, reported;
        unsigned n_set;                /* a relay stays where it is, also when the MCU starts again */
        struct tuya_point set[TUYA_MCU_SET_MAX];
        unsigned n_late;
        struct tuya_mcu_late late[TUYA_MCU_LATE_MAX];
        size_t n_units;                /* the report that waits for its acknowledgement */
        uint8_t units[TUYA_MCU_UNITS_MAX];
        size_t n_output;
        uint8_t output[TUYA_MCU_OUTPUT_MAX];
};

/* Powers it up at now_ms. */
void tuya_mcu_init(struct tuya_mcu *m, const struct tuya_mcu_options *options, uint64_t now_ms);

/* The MCU starts again, as after a fault: everything it was told is forgotten. */
void tuya_mcu_restart(struct tuya_mcu *m, uint64_t now_ms);

/* Neither answers nor reports until then; input is lost. */
void tuya_mcu_silence(struct tuya_mcu *m, uint64_t until_ms);

void tuya_mcu_spoil_checksums(struct tuya_mcu *m, unsigned count);

/* Another device from its next start on, which is now. -EINVAL when the key is empty, too long, or holds characters
 * that would break its JSON. */
int tuya_mcu_set_product(struct tuya_mcu *m, const char *key, uint64_t now_ms);

/* What there is to measure: the datapoints as they should read. The same ids in the same order each time. */
void tuya_mcu_set_load(struct tuya_mcu *m, const struct tuya_points *load);

/* Sends a request of the MCU's own, even one that no MCU would send. The next frames of the same command are its
 * answer. */
void tuya_mcu_request(struct tuya_mcu *m, uint64_t now_ms, uint8_t command, const uint8_t *data, size_t len);

/* Bytes from the module. Answers wait in the output. */
void tuya_mcu_input(struct tuya_mcu *m, uint64_t now_ms, const uint8_t *data, size_t len);

/* Does what is due. */
void tuya_mcu_run(struct tuya_mcu *m, uint64_t now_ms);

/* When to call tuya_mcu_run at the latest. */
uint64_t tuya_mcu_deadline(const struct tuya_mcu *m);

/* Takes out what is to be sent; buf holds TUYA_MCU_OUTPUT_MAX bytes. */
size_t tuya_mcu_output(struct tuya_mcu *m, uint8_t *buf);
