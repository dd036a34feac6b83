/* A TuyaMCU session under test with plain numbers for time, and a scripted MCU on its other side. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/tuyamcu/session.h"

#define BENCH_FRAMES_MAX 512
#define BENCH_REPORTS_MAX 64

/* What a session of this meter says first, as bench_sent tells it. */
#define BENCH_START "00 01 02 03/02 08 03/03 03/04 08"

struct bench_frame {
        uint64_t at_ms;
        uint8_t command;
        uint8_t data_len;
        uint8_t data[8];
};

/* Which requests the MCU answers, 1 ms after they were sent. */
struct bench_mcu {
        bool heartbeat, product, mode, network_state, query;
        uint8_t heartbeat_data;   /* of the next answer; becomes 1 */
        uint8_t mode_len;
        const char *product_json;
        uint32_t only_baud;       /* 0: any */
        int32_t current_raw, power_raw, voltage_raw;  /* what a query brings, once cloud is acknowledged */
        bool zero_until_cloud;
        bool cloud;
        bool has_relay;           /* a query brings dp 1 too */
        bool obeys;               /* it does what 06 says, and reports it */
        uint8_t relay;            /* dp 1, a bool */
};

struct bench {
        struct tuya_session session;
        struct bench_mcu mcu;
        uint64_t now_ms;
        bool receiving;
        unsigned n_frames, n_reports;
        struct bench_frame frames[BENCH_FRAMES_MAX];
        struct report reports[BENCH_REPORTS_MAX];
};

/* A meter that answers everything like the PJ-MGW1103, with its profile. profile: NULL for none. */
void bench_init(struct bench *b, const struct profile *profile);
void bench_start(struct bench *b, const struct session_config *config);

/* Lets time pass, calling poll exactly when it asks for it. */
void bench_run(struct bench *b, uint64_t for_ms);

/* Gives the session a frame from the MCU. */
void bench_receive(struct bench *b, uint8_t version, uint8_t command, const uint8_t *data, size_t len);
void bench_report_value(struct bench *b, uint8_t command, uint8_t id, int32_t value);
void bench_report_relay(struct bench *b);
void bench_report_all(struct bench *b, int32_t current, int32_t power, int32_t voltage);

/* The commands sent so far as text: "00 01 02 03/02 08". */
const char *bench_sent(const struct bench *b);
unsigned bench_count(const struct bench *b, uint8_t command);
/* The last published value of a plain quantity; false when there was none. */
bool bench_value(const struct bench *b, unsigned quantity, int64_t *ret);

/* Shorthands that fail the test when it is not so. */
void bench_reach_online(struct bench *b);                          /* from bench_init on */
uint64_t bench_counter(const struct bench *b, enum tuya_counter counter);
int64_t bench_value_of(const struct bench *b, unsigned quantity);
void bench_assert_never_zero_volts(const struct bench *b);         /* in any report */

/* dp 18 current, 19 power, 20 voltage, as the PJ-MGW1103 has them. */
const struct profile *bench_profile(void);
