/* Values known from elsewhere, out of the CSV that a utility or an app exports. */
#pragma once

#include "tools/csv_reader.h"
#include "workbench/correlate/known.h"

#define KNOWN_CSV_NAME_MAX 64

/* What a column may hold. */
struct known_unit {
        const char *name;         /* as it is shown */
        const char *quantity;     /* of the catalogue; NULL: none */
        int64_t kilowatt_units;   /* what one is in 10^-9 kW; 0: it is no power */
        bool is_energy;
};

/* Not case-sensitive, but where mW and MW are two things. NULL: none of that name. */
const struct known_unit *known_unit_find(const char *name, size_t len);
/* "W, kW, ..." for messages. */
const char *known_unit_names(void);

struct known_csv_options {
        const char *column;       /* a name, or a number from 1; NULL: the first with numbers */
        const struct known_unit *unit;  /* NULL: as the header says */
        int64_t near_first_ms, near_last_ms;  /* the recording; settles days that could be months */
};

struct known_csv {
        struct known known;
        const struct known_unit *unit;
        bool unit_assumed;        /* nobody named it */
        char column[KNOWN_CSV_NAME_MAX];  /* its header, or its number */
        uint64_t rows;            /* with a time */
        uint64_t blanks;          /* of them without a value */
        uint64_t skipped;         /* other lines, below the first row */
        bool is_local;            /* times were wall clock, taken for this host's */
        bool day_undecided;       /* days could be months throughout */
        bool day_first;
        bool were_increments;     /* energies of one interval each, added up */
};

/* Reads all of it. 0, or -errno with a line in error (CSV_ERROR_MAX bytes). */
int known_csv_read(const char *path, const struct known_csv_options *options, struct known_csv *ret, char *error);
int known_csv_read_stream(FILE *file, const char *name, const struct known_csv_options *options,
                          struct known_csv *ret, char *error);
void known_csv_free(struct known_csv *k);
