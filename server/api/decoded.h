/* Raw datapoints that hold a record instead of readings, as JSON. */
#pragma once

#include "base/json_writer.h"
#include "protocols/bytes.h"
#include "protocols/profile.h"

/* "decoded":{"layout":"month8","year":22,...}: history and limits, by the row's layout. Nothing at all for other
 * layouts, for a length that does not fit, and for no row. */
void decoded_put(struct json_writer *w, const struct profile_datapoint *row, struct span value);
