#include "tools/known_csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "tools/csv_number.h"
#include "tools/csv_time.h"

#define NONE UINT32_MAX

/* A row as it was read: its time may not be settled before the last one. */
struct raw_row {
        struct csv_time time;
        int64_t value;            /* or KNOWN_HOLE */
        bool may_be_thousands;
};

struct reading {
        const struct known_csv_options *options;
        struct csv_reader *csv;   /* owned */
        struct raw_row *rows;     /* owned */
        size_t n, cap;
        unsigned time_column, clock_column, value_column;  /* from 0; NONE: not known (yet) */
        struct csv_row header;    /* fields point into header_text */
        char header_text[CSV_LINE_MAX + CSV_FIELDS_MAX + 1];
        unsigned places;          /* most that a value was written with */
        int64_t converted_digit;  /* least that the last place of one in another unit is worth; 0: there is none */
        bool day_above_12, month_above_12, is_slashed;
        bool has_fractions, has_large;  /* values with a point that is one; with none, of three digits and more */
        const struct csv_unit *cell_unit;    /* of the first value that has one behind it */
        const struct csv_unit *beside_unit;  /* in the field behind the values */
        struct known_csv out;
};

/* ---- columns ---- */

static void keep_header(struct reading *k, const struct csv_row *row) {
        size_t at = 0;

        k->header.n_fields = row->n_fields;
        for (unsigned i = 0; i < row->n_fields; i++) {
                size_t len = strlen(row->fields[i].text);

                memcpy(k->header_text + at, row->fields[i].text, len + 1);
                k->header.fields[i].text = k->header_text + at;
                at += len + 1;
        }
}

static const char *header_of(const struct reading *k, unsigned column) {
        return column < k->header.n_fields ? k->header.fields[column].text : "";
}

/* A number with nothing behind it but a unit; *ret_unit NULL: nothing at all. */
static bool cell_number(const struct csv_row *row, unsigned column, struct csv_number *ret,
                        const struct csv_unit **ret_unit) {
        const char *rest;

        if (column >= row->n_fields || !csv_number_parse(row->fields[column].text, row->separator, ret))
                return false;
        rest = ret->rest + strspn(ret->rest, " \t");
        *ret_unit = *rest ? csv_unit_find(rest, strlen(rest)) : NULL;
        return *rest == '\0' || *ret_unit;
}

static bool is_clock(const struct csv_row *row, unsigned column) {
        int64_t clock_ms;

        return column < row->n_fields && csv_time_clock(row->fields[column].text, &clock_ms);
}

/* The field with the time, together with the one behind it or before it where that has the clock. */
static bool find_time(struct reading *k, const struct csv_row *row) {
        unsigned before = k->time_column;
        struct csv_time t;

        for (unsigned i = 0; i < row->n_fields; i++) {
                if (!csv_time_parse(row->fields[i].text, &t))
                        continue;
                k->time_column = i;
                k->clock_column = t.has_clock ? NONE : is_clock(row, i + 1) ? i + 1 :
                                  i > 0 && is_clock(row, i - 1) ? i - 1 : NONE;
                /* What was taken for rows stood above the table, such as the day of the export. */
                if (before != i)
                        k->n = k->out.rows = k->out.blanks = 0;
                return true;
        }
        return false;
}

static int no_such_column(struct reading *k, const struct csv_row *row) {
        char names[200] = "";

        for (unsigned i = 0; i < k->header.n_fields; i++)
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s%.40s", i ? ", " : " or one of ",
                         header_of(k, i));
        return csv_fail(k->csv, 1, "there is no column '%.60s' for --column; expected a number from 1 to %u%s",
                        k->options->column, row->n_fields, names);
}

static unsigned named_column(const struct reading *k, const char *name) {
        for (unsigned i = 0; i < k->header.n_fields; i++)
                if (strcasecmp(header_of(k, i), name) == 0)
                        return i;
        for (unsigned i = 0; i < k->header.n_fields; i++)
                if (strcasestr(header_of(k, i), name))
                        return i;
        return NONE;
}

static int wanted_column(struct reading *k, const struct csv_row *row) {
        const char *wanted = k->options->column;
        unsigned column = named_column(k, wanted);

        if (column == NONE && wanted[0] && strspn(wanted, "0123456789") == strlen(wanted) && strlen(wanted) < 4)
                column = (unsigned) atoi(wanted) - 1;
        if (column >= row->n_fields)
                return no_such_column(k, row);
        if (column == k->time_column || column == k->clock_column)
                return csv_fail(k->csv, row->fields[column].column, "--column %.60s holds the time; expected one "
                                "with values", wanted);
        k->value_column = column;
        return 0;
}

static bool is_value(const struct reading *k, const struct csv_row *row, unsigned column,
                     const struct csv_unit **ret_unit) {
        struct csv_number number;

        return column != k->time_column && column != k->clock_column && cell_number(row, column, &number, ret_unit);
}

/* The first with numbers and a unit, else the first with numbers: those without may count the rows. */
static void choose_column(struct reading *k, const struct csv_row *row) {
        const struct csv_unit *unit;
        bool has_unit = false;

        for (unsigned i = 0; i < row->n_fields && !has_unit; i++) {
                if (!is_value(k, row, i, &unit))
                        continue;
                has_unit = unit || csv_unit_in(header_of(k, i));
                if (has_unit || k->value_column == NONE)
                        k->value_column = i;
        }
}

/* Tells the columns that could have been meant, as many as there is room for. */
static void name_others(struct reading *k, const struct csv_row *row) {
        const struct csv_unit *unit;
        size_t len = 0;

        for (unsigned i = 0; i < row->n_fields; i++) {
                const char *name = header_of(k, i);

                if (i == k->value_column || !*name || !is_value(k, row, i, &unit) ||
                    len + strlen(name) + 3 > sizeof k->out.others)
                        continue;
                len += (size_t) snprintf(k->out.others + len, sizeof k->out.others - len, "%s%s", len > 0 ? ", " : "",
                                         name);
        }
}

static bool has_value(const struct reading *k, const struct csv_row *row) {
        const struct csv_unit *unit;

        for (unsigned i = 0; i < row->n_fields; i++)
                if (is_value(k, row, i, &unit))
                        return true;
        return false;
}

/* The first row with a time and a number says where they are; what stood above it are headers, and rows that hold
 * nothing yet. */
static int settle_columns(struct reading *k, const struct csv_row *row) {
        const char *beside;
        int r = 0;

        if (!find_time(k, row)) {
                keep_header(k, row);
                k->time_column = k->n > 0 ? k->time_column : NONE;
                return 0;
        }
        if (!has_value(k, row))
                return 0;
        if (k->options->column) {
                r = wanted_column(k, row);
        } else {
                choose_column(k, row);
                name_others(k, row);
        }
        beside = r == 0 && k->value_column + 1 < row->n_fields ? row->fields[k->value_column + 1].text : "";
        if (strlen(beside) > 1 || strcmp(beside, "W") == 0)
                k->beside_unit = csv_unit_find(beside, strlen(beside));
        return r;
}

/* ---- rows ---- */

static bool row_time(const struct reading *k, const struct csv_row *row, struct csv_time *ret) {
        int64_t clock_ms;

        if (k->time_column >= row->n_fields || !csv_time_parse(row->fields[k->time_column].text, ret))
                return false;
        if (k->clock_column == NONE)
                return true;
        if (k->clock_column >= row->n_fields || !csv_time_clock(row->fields[k->clock_column].text, &clock_ms))
                return false;
        ret->ms += clock_ms;
        return true;
}

static int add_raw(struct reading *k, const struct raw_row *row) {
        if (k->n == k->cap) {
                size_t cap = k->cap ? k->cap + k->cap / 2 : 1024;
                struct raw_row *rows = reallocarray(k->rows, cap, sizeof *rows);

                if (!rows)
                        return -ENOMEM;
                k->rows = rows;
                k->cap = cap;
        }
        k->rows[k->n++] = *row;
        return 0;
}

static int64_t digit_of(unsigned places) {
        int64_t digit = KNOWN_UNITS;

        while (places-- > 0)
                digit /= 10;
        return digit;
}

/* Of an app that turns to kW where W become many: all in the unit of the first one. */
static bool convert(struct reading *k, const struct csv_unit *unit, struct csv_number *number) {
        int64_t digit = digit_of(number->places);

        if (!unit || unit == k->cell_unit)
                k->places = number->places > k->places ? number->places : k->places;
        else if (!csv_unit_convert(unit, k->cell_unit, &number->value) ||
                 !csv_unit_convert(unit, k->cell_unit, &digit))
                return false;
        else if (k->converted_digit == 0 || digit < k->converted_digit)
                k->converted_digit = digit > 0 ? digit : 1;
        return true;
}

/* Cells that are empty have nothing to tell; those with other text are remembered. */
static void note_text(struct reading *k, const struct csv_row *row) {
        const char *text = k->value_column < row->n_fields ? row->fields[k->value_column].text : "";

        if (*text == '\0' || k->value_column == NONE)
                return;
        if (k->out.not_numbers++ == 0)
                snprintf(k->out.not_number, sizeof k->out.not_number, "%s", text);
}

static void take_value(struct reading *k, const struct csv_row *row, struct raw_row *ret) {
        const struct csv_unit *unit = NULL;
        struct csv_number number;

        if (k->value_column == NONE || !cell_number(row, k->value_column, &number, &unit)) {
                note_text(k, row);
                return;
        }
        if (!k->cell_unit)
                k->cell_unit = unit;
        if (!convert(k, unit, &number)) {
                note_text(k, row);
                return;
        }
        ret->value = number.value;
        ret->may_be_thousands = number.may_be_thousands;
        k->has_fractions |= number.places > 0 && !number.may_be_thousands;
        k->has_large |= number.places == 0 && llabs(number.value) >= 100 * (int64_t) KNOWN_UNITS;
}

static int take_row(struct reading *k, const struct csv_row *row) {
        struct raw_row taken = { .value = KNOWN_HOLE };
        int r = 0;

        if (k->value_column == NONE)
                r = settle_columns(k, row);
        if (r < 0 || k->time_column == NONE)
                return r;
        if (!row_time(k, row, &taken.time)) {
                k->out.skipped += k->value_column != NONE;
                return 0;
        }
        take_value(k, row, &taken);
        k->is_slashed |= taken.time.first != 0;
        k->day_above_12 |= taken.time.first > 12;
        k->month_above_12 |= taken.time.second > 12;
        k->out.rows++;
        k->out.blanks += taken.value == KNOWN_HOLE;
        return add_raw(k, &taken);
}

/* ---- days that could be months ---- */

/* How far the first and the last row are from the recording. */
static int64_t distance(const struct reading *k, bool day_first) {
        int64_t begin, end, swap;

        if (!csv_time_settle(&k->rows[0].time, day_first, &begin) ||
            !csv_time_settle(&k->rows[k->n - 1].time, day_first, &end))
                return INT64_MAX;
        if (begin > end) {
                swap = begin;
                begin = end;
                end = swap;
        }
        if (begin > k->options->near_last_ms)
                return begin - k->options->near_last_ms;
        return end < k->options->near_first_ms ? k->options->near_first_ms - end : 0;
}

static void settle_day(struct reading *k) {
        if (!k->is_slashed || k->n == 0)
                return;
        k->out.day_first = k->day_above_12;
        if (k->day_above_12 || k->month_above_12)
                return;
        k->out.day_first = distance(k, true) < distance(k, false);
        k->out.day_undecided = distance(k, true) == distance(k, false);
}

/* ---- the end ---- */

/* From the newest to the oldest: the hour that comes twice in autumn goes by the order of time. */
static bool is_reversed(const struct reading *k) {
        size_t falls = 0, rises = 0;

        for (size_t i = 1; i < k->n; i++) {
                falls += k->rows[i].time.ms < k->rows[i - 1].time.ms;
                rises += k->rows[i].time.ms > k->rows[i - 1].time.ms;
        }
        return falls > rises;
}

static int put_time(struct reading *k, const struct raw_row *row, struct csv_zone *zone) {
        int64_t ms;

        if (!csv_time_settle(&row->time, k->out.day_first, &ms)) {
                k->out.skipped++;
                k->out.rows--;
                k->out.blanks -= row->value == KNOWN_HOLE;
                return 0;
        }
        if (!row->time.is_utc) {
                k->out.is_local = true;
                ms = csv_zone_utc(zone, ms);
        }
        return known_add(&k->out.known, ms, row->value);
}

static int put_times(struct reading *k) {
        struct csv_zone zone = { .valid = false };
        bool is_backwards = is_reversed(k);
        int r = 0;

        settle_day(k);
        for (size_t i = 0; r >= 0 && i < k->n; i++)
                r = put_time(k, &k->rows[is_backwards ? k->n - 1 - i : i], &zone);
        return r;
}

/* "1.234" beside "987", and never "1.5" or "0.987": the points stand between thousands. "1.234 kW" beside "987 W" is
 * something else. */
static void settle_thousands(struct reading *k) {
        bool any = false;

        if (k->has_fractions || !k->has_large || k->converted_digit > 0)
                return;
        for (size_t i = 0; i < k->n; i++) {
                struct raw_row *row = &k->rows[i];

                if (row->may_be_thousands && __builtin_mul_overflow(row->value, INT64_C(1000), &row->value))
                        row->value = KNOWN_HOLE;
                any |= row->may_be_thousands;
        }
        k->out.were_thousands = any;
        k->places = any ? 0 : k->places;
}

static void put_unit(struct reading *k) {
        const char *header = header_of(k, k->value_column);

        if (*header)
                snprintf(k->out.column, sizeof k->out.column, "%s", header);
        else
                snprintf(k->out.column, sizeof k->out.column, "%u", k->value_column + 1);
        k->out.unit = k->options->unit ? k->options->unit : k->cell_unit ? k->cell_unit : csv_unit_in(header);
        if (!k->out.unit)
                k->out.unit = k->beside_unit;
        k->out.unit_assumed = !k->out.unit;
        if (k->out.unit_assumed)
                k->out.unit = csv_unit_find("kW", 2);
        k->out.known.digit = digit_of(k->places);
        if (k->converted_digit > k->out.known.digit)
                k->out.known.digit = k->converted_digit;
}

static int finish(struct reading *k) {
        int r;

        if (k->n == 0)
                return csv_fail(k->csv, 1, "no row with a time; expected a column such as 12/31/2026 23:59:59, "
                                "2026-12-31 23:59:59 or 1798761599");
        settle_thousands(k);
        r = put_times(k);
        if (r < 0)
                return r;
        if (k->out.rows == k->out.blanks)
                return csv_fail(k->csv, 1, "no row with a value%s%.60s; --column names the one that has them",
                                k->options->column ? " in column " : "",
                                k->options->column ? k->options->column : "");
        put_unit(k);
        r = known_finish(&k->out.known);
        if (r >= 0 && k->out.unit->kind == CSV_UNIT_ENERGY)
                k->out.were_increments = known_make_total(&k->out.known, 1e3 / (double) k->out.unit->size);
        return r;
}

static void free_reading(struct reading **p) {
        struct reading *k = *p;

        if (!k)
                return;
        csv_free(k->csv);
        free(k->rows);
        known_csv_free(&k->out);
        free(k);
}

void known_csv_free(struct known_csv *k) {
        known_free(&k->known);
}

static int read_rows(struct reading *k, const char *name, char *error) {
        const struct csv_row *row;
        int r;

        csv_take_exports(k->csv);
        while ((r = csv_next(k->csv, &row)) > 0) {
                r = take_row(k, row);
                if (r < 0)
                        break;
        }
        if (r >= 0)
                r = finish(k);
        if (r < 0 && csv_error(k->csv)[0])
                snprintf(error, CSV_ERROR_MAX, "%s", csv_error(k->csv));
        else if (r < 0)
                snprintf(error, CSV_ERROR_MAX, "%.200s: %s", name, strerror(-r));
        return r;
}

static int read_from(struct csv_reader *csv, const char *name, const struct known_csv_options *options,
                     struct known_csv *ret, char *error) {
        CLEANUP(free_reading) struct reading *k = calloc(1, sizeof *k);
        int r;

        if (!k) {
                csv_free(csv);
                snprintf(error, CSV_ERROR_MAX, "%.200s: %s", name, strerror(ENOMEM));
                return -ENOMEM;
        }
        k->csv = csv;
        k->options = options;
        k->time_column = k->clock_column = k->value_column = NONE;
        r = read_rows(k, name, error);
        if (r < 0)
                return r;
        *ret = k->out;
        k->out.known.rows = NULL;
        return 0;
}

int known_csv_read(const char *path, const struct known_csv_options *options, struct known_csv *ret, char *error) {
        struct csv_reader *csv;
        int r = csv_open(path, &csv, error);

        return r < 0 ? r : read_from(csv, path, options, ret, error);
}

int known_csv_read_stream(FILE *file, const char *name, const struct known_csv_options *options,
                          struct known_csv *ret, char *error) {
        struct csv_reader *csv;
        int r = csv_open_stream(file, name, &csv);

        if (r < 0) {
                snprintf(error, CSV_ERROR_MAX, "%.200s: %s", name, strerror(-r));
                return r;
        }
        return read_from(csv, name, options, ret, error);
}
