/* What the two halves of simulate tuyamcu share: its options, and what can be told to it. */
#pragma once

#include "protocols/bytes.h"
#include "tools/simulate_parts.h"
#include "tools/simulator.h"

#define SIMULATE_REQUESTS_MAX 16
#define SIMULATE_REQUEST_DATA_MAX 256

/* A command that the meter shall send. */
struct simulate_request {
        uint8_t command;
        uint8_t data[SIMULATE_REQUEST_DATA_MAX];
        size_t len;
};

struct tuyamcu_simulation {
        struct simulation base;         /* first */
        struct simulator *simulator;
        struct simulator_options options;
        struct profile *profile;        /* owned; NULL: none was named */
        unsigned n_requests;            /* to be sent as soon as it measures */
        struct simulate_request requests[SIMULATE_REQUESTS_MAX];
};

static inline struct tuyamcu_simulation *tuyamcu_of(struct simulation *s) {
        return (struct tuyamcu_simulation *) s;
}

extern const struct simulate_command simulate_tuyamcu_commands[];

/* "1C" and NULL, or "34" and "03": false when these are no hex numbers. */
bool simulate_parse_request(const char *command, const char *data, struct simulate_request *ret);

/* What the simulator tells, as lines on stdout; userdata is the simulation. */
void simulate_on_event(void *userdata, const char *what, const uint8_t *data, size_t len);
void simulate_on_ready(void *userdata);
void simulate_on_expect(void *userdata, const struct measured *expected);
void simulate_on_answer(void *userdata, uint8_t command, struct span data);
