/* A meter that was made up, its recording and the CSV of an app that shows the same value, both as text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/known_csv.h"
#include "workbench/correlate/correlate.h"

#define CASE_PAYLOAD_MAX 120

/* What is true about it. */
struct correlate_case {
        uint64_t random;
        struct field field;
        bool has_negative;
        int64_t scale_num, scale_den;   /* of the CSV's unit */
        const char *unit;
        bool is_total;
        int zone_s, lag_s;
        /* how it is told */
        size_t length;                  /* of the payload */
        unsigned n_packets, packet_s, meter_s, row_s;
        unsigned places;                /* of the CSV */
        unsigned loss_percent, cut_percent, outlier_percent, hole_percent;
        unsigned noise;                 /* tenths of a count that a value in the CSV is off by at most */
        bool is_entries, has_line_breaks, is_split;
        unsigned time_form;
        /* the meter */
        unsigned n_values;
        int64_t *values;                /* owned; raw, one for each meter_s */
        int64_t start_ms;
        uint8_t fixed[CASE_PAYLOAD_MAX];
        uint8_t role[CASE_PAYLOAD_MAX];
        unsigned packets_cut;
        char *capture, *csv;            /* owned texts */
        size_t capture_len, csv_len;
};

void correlate_case_make(struct correlate_case *c, uint64_t seed);
void correlate_case_free(struct correlate_case *c);

/* Reads both texts as the command does, and searches. */
struct correlate_case_answer {
        struct packets packets;
        struct known_csv csv;
        struct correlate_result *result;  /* owned */
        uint64_t broken;
};
void correlate_case_run(const struct correlate_case *c, struct correlate_case_answer *ret);
void correlate_answer_free(struct correlate_case_answer *a);

enum verdict { VERDICT_RIGHT, VERDICT_UNDECIDED, VERDICT_WRONG };
enum verdict correlate_case_judge(const struct correlate_case *c, const struct correlate_case_answer *a);
/* Case and answer in a line, for whoever looks for the reason. */
void correlate_case_print(const struct correlate_case *c, const struct correlate_case_answer *a, uint64_t seed);
