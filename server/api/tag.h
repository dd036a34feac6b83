/* Tags (ETag) of answers that are made of the history's rows while they are sent: nobody has their bytes when the
 * headers leave. What they will say is decided by what was asked and by a few facts about the rows; a tag is a hash
 * of these, and if none of them has changed the answer has not. It may change with an answer that stays the same:
 * that costs one answer. */
#pragma once

#include "api/app.h"

/* What counts for every such answer: this run (rows that a power cut took away are made anew, with the same times and
 * other values), the configuration, the time zone, and which rows the rings have let go of. */
uint64_t tag_begin(const struct app *app);

/* What counts of one meter's rows in a stretch that ends before to, told at the tick now. Hash on with what was
 * asked: the stretch, series and so on. */
uint64_t tag_meter(uint64_t tag, const struct app *app, const struct meter *m, int64_t to, int64_t now);

/* What counts of every row there is. */
uint64_t tag_all(uint64_t tag, const struct app *app);
