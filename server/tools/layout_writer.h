/* Raw datapoints of energy data from the meter's side: values in, bytes out. Written from the protocol's description
 * and apart from protocols/tuyamcu/layout.c, so that each can be tried against the other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/profile.h"
#include "tools/measured.h"

#define LAYOUT_BYTES_MAX 20

/* Which of its forms a device uses for the rows that say "phase" and nothing more exact. */
enum phase_form {
        PHASE_8,              /* the usual one */
        PHASE_6,
        PHASE_10,
        PHASE_15,             /* voltage first */
        PHASE_15_POWER_FIRST,
        PHASE_18,
        PHASE_FORM_COUNT,
};

extern const char *const phase_form_names[PHASE_FORM_COUNT];  /* "8", "6", "10", "15", "15p", "18" */

/* Marks what the row brings. Nothing for layouts without readings. */
void layout_writer_has(const struct profile_datapoint *row, enum phase_form form, struct measured *m);

/* Rounds what the row brings to what it can express. */
void layout_writer_round(const struct profile_datapoint *row, enum phase_form form, struct measured *m);

/* buf holds LAYOUT_BYTES_MAX bytes. Returns the length. Histories and limits are examples that never change. */
size_t layout_writer_put(const struct profile_datapoint *row, enum phase_form form, const struct measured *m,
                         uint8_t *buf);
