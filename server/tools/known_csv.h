/* Values known from elsewhere, out of the CSV that a utility or an app exports. */
#pragma once

#include "tools/csv_reader.h"
#include "tools/csv_unit.h"
#include "workbench/correlate/known.h"

#define KNOWN_CSV_NAME_MAX 64

struct known_csv_options {
        const char *column;       /* a name, or a number from 1; NULL: the first with numbers, and a unit if any */
        const struct csv_unit *unit;  /* NULL: as the header says */
        int64_t near_first_ms, near_last_ms;  /* the recording; settles days that could be months */
};

struct known_csv {
        struct known known;
        const struct csv_unit *unit;
        bool unit_assumed;        /* nobody named it */
        char column[KNOWN_CSV_NAME_MAX];  /* its header, or its number */
        uint64_t rows;            /* with a time */
        uint64_t blanks;          /* of them without a value */
        uint64_t skipped;         /* other lines, below the first value */
        uint64_t not_numbers;     /* of the blanks, those with some text: the first one is */
        char not_number[24];
        char others[100];         /* columns with numbers that were not chosen; "" */
        bool were_thousands;      /* "1.234" was taken for a thousand and more */
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
