/* A vue session under test with plain numbers for time, and a scripted radio module on its other side. Everything the
 * module says passes a framer, as on a real port. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/vue/session.h"
#include "protocols/vue/vue.h"

#define BENCH_SENT_MAX 4096
#define BENCH_REPORTS_MAX 512
#define BENCH_ANSWERS_MAX 8
#define BENCH_START_MS 1000000

/* What the module answers, and how soon. */
struct bench_module {
        bool power;                 /* without it, nothing at all */
        bool says[VUE_ASK_COUNT];   /* which requests it answers; VUE_ASK_READ: the meter is in reach */
        uint32_t delay_ms[VUE_ASK_COUNT];
        uint8_t firmware, join;
        bool chatters;              /* prompt and log lines around readings */
        bool repeats;               /* each reading comes twice */
        bool zero_first;            /* a frame of zeros comes before each reading */
        bool dump;                  /* the older layout */
        uint8_t sequence;
        uint64_t import, export;
        int32_t demand;
        uint32_t multiplier, divisor;
        uint32_t counter_ms;
};

struct bench_answer {
        uint64_t due_ms;
        uint8_t type, len;
        uint8_t payload[VUE_PAYLOAD_MAX];
};

struct bench_sent {
        uint64_t at_ms;
        char text[16];              /* "f" for a request, else the bytes without their CR */
};

struct bench {
        struct vue_session session;
        struct framer framer;
        struct bench_module module;
        struct session_config config;
        uint64_t now_ms, last_byte_ms;
        bool is_noisy;              /* what is sent is not recorded */
        unsigned n_answers;
        struct bench_answer answers[BENCH_ANSWERS_MAX];
        unsigned n_sent, n_reports;
        struct bench_sent sent[BENCH_SENT_MAX];
        struct report reports[BENCH_REPORTS_MAX];
};

/* A module of firmware 8 in reach of its meter, polled every 30 s. */
void bench_init(struct bench *b);
void bench_start(struct bench *b);
int bench_act(struct bench *b, enum session_action action);        /* as somebody asks */

/* Lets time pass, calling poll exactly when it asks for it. */
void bench_run(struct bench *b, uint64_t for_ms);

/* Bytes from the module, as they are. */
void bench_bytes(struct bench *b, const void *bytes, size_t len);
void bench_text(struct bench *b, const char *text);
void bench_frame(struct bench *b, uint8_t type, const uint8_t *payload, size_t len);
/* The next reading of the module, whole. Returns its payload's length. */
size_t bench_reading(struct bench *b, uint8_t payload[VUE_PAYLOAD_MAX]);

/* What was sent since the n-th, as text: "CR f m i j r". */
const char *bench_sent_since(const struct bench *b, unsigned n);
unsigned bench_count(const struct bench *b, const char *text);
/* When the n-th request (from 0) of a letter was sent, after the start; UINT64_MAX: it was not. */
uint64_t bench_sent_at(const struct bench *b, const char *text, unsigned n);
/* The last published value of a quantity; false when there was none. */
bool bench_value(const struct bench *b, unsigned quantity, int64_t *ret);
/* False when the session has no such detail. */
bool bench_detail(const struct bench *b, const char *key, struct session_detail *ret);

/* Shorthands that fail the test when it is not so. */
void bench_begin(struct bench *b);                                 /* bench_init and bench_start */
void bench_reach_online(struct bench *b);                          /* and until it reads */
void bench_assert_state(const struct bench *b, enum meter_state state);
/* Runs until the state is this one; returns the time since the start. */
uint64_t bench_run_until(struct bench *b, enum meter_state state, uint64_t at_most_ms);
uint64_t bench_counter(const struct bench *b, unsigned counter);
int64_t bench_value_of(const struct bench *b, unsigned quantity);
struct session_detail bench_detail_of(const struct bench *b, const char *key);
void bench_assert_text(const struct bench *b, const char *key, const char *text);  /* NULL: not known */
void bench_assert_number(const struct bench *b, const char *key, int64_t number);
