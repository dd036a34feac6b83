/* The values of one moment as JSON, in the catalogue's order. */
#pragma once

#include "base/json_writer.h"
#include "protocols/profile.h"
#include "protocols/report.h"

/* "readings":{"voltage_v":230,...,"channels":{"l1":{...}}}, nothing at all when the report is empty. */
void decode_put_readings(struct json_writer *w, const struct profile *profile, const struct report *report);
