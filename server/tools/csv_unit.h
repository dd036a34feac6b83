/* Units as the headers and cells of exports name them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a column may hold. */
struct csv_unit {
        const char *name;         /* as it is shown */
        const char *quantity;     /* of the catalogue; NULL: none */
        int64_t size;             /* of one, against the others of its kind: W is 1000 and kW a million */
        char kind;                /* those of one kind can be turned into each other */
};

#define CSV_UNIT_POWER  'P'
#define CSV_UNIT_ENERGY 'E'

/* Not case-sensitive, but where mW and MW are two things. NULL: none of that name. */
const struct csv_unit *csv_unit_find(const char *name, size_t len);
/* "W, kW, ..." for messages. */
const char *csv_unit_names(void);
/* The last word of a header that is a unit: "House-Mains (kWatts)", "power_w", "Power [W]". NULL: none. */
const struct csv_unit *csv_unit_in(const char *header);

/* What one of them is in 10^-9 kW; 0: it is no power. */
int64_t csv_unit_kilowatts(const struct csv_unit *unit);

/* A value in one unit as one in another. False: not of one kind, or too large. */
bool csv_unit_convert(const struct csv_unit *from, const struct csv_unit *to, int64_t *value);
