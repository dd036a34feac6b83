/* A simulated TuyaMCU meter on a pseudo terminal, inside somebody's event loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "protocols/profile.h"
#include "tools/load_curve.h"
#include "tools/measured.h"
#include "tools/tuya_mcu.h"

#define SIMULATOR_ERROR_MAX 448

struct simulator;

struct simulator_options {
        struct tuya_mcu_options mcu;
        const struct profile *profile;  /* borrowed; what it is; NULL: the PJ-MGW1103 as captured */
        enum phase_form phase_form;
        const char *link_path;    /* borrowed; a symbolic link to the port, which follows it; NULL: none */
        const char *trace_path;   /* borrowed; NULL: the load curve, */
        bool household;           /* or what a family's house draws over the year (household.h) */
        unsigned speed;           /* of the trace; 0: 1 */
        bool loop;                /* begin the trace again at its end; else its last row stays */
        uint32_t baud;            /* speed at which it understands, garbage at any other; 0: all */
        /* The meter measures for the first time. May be NULL. */
        void (*ready)(void *userdata);
        /* What a peer has to show from now on, while the load is fixed. May be NULL. */
        void (*expect)(void *userdata, const struct measured *expected);
        /* What goes over the line ("rx": received by the meter, "tx") and what happens to the port ("port",
         * "unplugged", no bytes). May be NULL. */
        void (*event)(void *userdata, const char *what, const uint8_t *data, size_t len);
        void *userdata;
};

/* error holds SIMULATOR_ERROR_MAX bytes and is written on failure. */
int simulator_new(sd_event *event, const struct simulator_options *options, struct simulator **ret, char *error);
struct simulator *simulator_free(struct simulator *s);
static inline void simulator_freep(struct simulator **s) { simulator_free(*s); }

/* Path of the terminal, "" while it is unplugged. */
const char *simulator_port(const struct simulator *s);

/* What it is, never NULL, and the series that it has. */
const struct profile *simulator_profile(const struct simulator *s);
const struct measured *simulator_series(const struct simulator *s);

void simulator_restart(struct simulator *s);
void simulator_silence(struct simulator *s, uint64_t duration_ms);
void simulator_noise(struct simulator *s, uint64_t duration_ms);  /* random bytes at a line's pace, nothing else */
void simulator_spoil_checksums(struct simulator *s, unsigned count);
int simulator_set_product(struct simulator *s, const char *key);
void simulator_set_load(struct simulator *s, const struct load *load);  /* NULL: back to curve or trace */
/* These for themselves, of its series; the load stays what it is now, and what follows from them follows. */
void simulator_set_values(struct simulator *s, const struct measured *values);
void simulator_request(struct simulator *s, uint8_t command, const uint8_t *data, size_t len);
void simulator_unplug(struct simulator *s, uint64_t duration_ms);       /* another terminal comes back */
