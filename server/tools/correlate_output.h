/* What correlate found, for programs and for people. */
#pragma once

#include "protocols/protocol.h"
#include "tools/known_csv.h"
#include "workbench/correlate/correlate.h"

struct correlate_report {
        const struct protocol *protocol;
        const struct packets *packets;
        uint64_t dropped;         /* frames of the recording that were cut short */
        const struct known_csv *csv;
        const struct correlate_result *result;
        unsigned top;
        double tolerance;         /* that was asked for */
};

/* One line for each field, and a last one with a summary. -EPIPE and the like. */
int correlate_put_ndjson(const struct correlate_report *report);
int correlate_put_table(const struct correlate_report *report);
