/* Rows of energy as JSON or CSV, piece by piece. */
#pragma once

#include <stdbool.h>

#include "api/energy_rows.h"
#include "base/buffer.h"

struct energy_text;

/* timezone: its name, NULL when it has none; copied. */
int energy_text_new(struct history *h, const struct energy_spec *spec, const char *timezone, bool csv,
                    struct energy_text **ret);
struct energy_text *energy_text_free(struct energy_text *t);

/* As export_next. */
int energy_text_next(struct energy_text *t, struct buffer *out);
