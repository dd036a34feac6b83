/* A meter that measures power and has a register as well can be checked against itself: what the register grew beside
 * what the power makes in the same time. Tells of a wrong scale, a wrong sign, lost reports;
 * nothing is changed by it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* All zero to begin with. Energies in mWh; import only. */
struct energy_check {
        bool begun;                  /* the register was read: both sides count from then on */
        uint64_t since_ms, at_ms;    /* first and last reading of the register, monotonic */
        int64_t first_total, last_total;
        bool held;                   /* a power is in effect */
        int64_t power_mw;
        uint64_t power_ms, until_ms; /* counted up to then, and in effect up to then */
        int64_t sum_mw_ms;           /* what is no whole mWh yet */
        int64_t integral, integral_at_register;
};

/* A power that holds until the next one, at most so long. */
void energy_check_power(struct energy_check *c, uint64_t at_ms, int64_t power_mw, uint32_t hold_ms);
/* The register's believed total. */
void energy_check_register(struct energy_check *c, uint64_t at_ms, int64_t total_mwh);
