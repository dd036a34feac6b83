/* A stored row as JSON: the same in /samples and in the stream. */
#pragma once

#include "api/app.h"
#include "base/json_writer.h"
#include "history/query.h"

/* Takes back what may not be shown yet: energies that a power cut could take back are told as of the last checkpoint,
 * like everywhere; without one not at all. */
void sample_show(const struct app *app, struct sample *s);

/* An object, flat like /now, with those of the row's columns that have a bit. */
void sample_put(struct json_writer *w, const struct sample *s, uint64_t columns);

/* "name": "123", as cursors are given. */
void sample_put_cursor(struct json_writer *w, const char *name, uint64_t number);
