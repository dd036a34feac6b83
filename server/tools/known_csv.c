#include "tools/known_csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/known_csv_parts.h"

/* ---- rows ---- */

static bool row_time(const struct known_csv_reading *k, const struct csv_row *row, struct csv_time *ret) {
        int64_t clock_ms;

        if (k->time_column >= row->n_fields || !csv_time_parse(row->fields[k->time_column].text, ret))
                return false;
        if (k->clock_column == KNOWN_CSV_NO_COLUMN)
                return true;
        if (k->clock_column >= row->n_fields || !csv_time_clock(row->fields[k->clock_column].text, &clock_ms))
                return false;
        ret->ms += clock_ms;
        return true;
}

static int add_raw(struct known_csv_reading *k, const struct raw_row *row) {
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
static bool convert(struct known_csv_reading *k, const struct csv_unit *unit, struct csv_number *number) {
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
static void note_text(struct known_csv_reading *k, const struct csv_row *row) {
        const char *text = k->value_column < row->n_fields ? row->fields[k->value_column].text : "";

        if (*text == '\0' || k->value_column == KNOWN_CSV_NO_COLUMN)
                return;
        if (k->out.not_numbers++ == 0)
                snprintf(k->out.not_number, sizeof k->out.not_number, "%s", text);
}

static void take_value(struct known_csv_reading *k, const struct csv_row *row, struct raw_row *ret) {
        const struct csv_unit *unit = NULL;
        struct csv_number number;

        if (k->value_column == KNOWN_CSV_NO_COLUMN || !known_csv_number(row, k->value_column, &number, &unit)) {
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

static int take_row(struct known_csv_reading *k, const struct csv_row *row) {
        struct raw_row taken = { .value = KNOWN_HOLE };
        int r = 0;

        if (k->value_column == KNOWN_CSV_NO_COLUMN)
                r = known_csv_settle_columns(k, row);
        if (r < 0 || k->time_column == KNOWN_CSV_NO_COLUMN)
                return r;
        if (!row_time(k, row, &taken.time)) {
                k->out.skipped += k->value_column != KNOWN_CSV_NO_COLUMN;
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
static int64_t distance(const struct known_csv_reading *k, bool day_first) {
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

static void settle_day(struct known_csv_reading *k) {
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
static bool is_reversed(const struct known_csv_reading *k) {
        size_t falls = 0, rises = 0;

        for (size_t i = 1; i < k->n; i++) {
                falls += k->rows[i].time.ms < k->rows[i - 1].time.ms;
                rises += k->rows[i].time.ms > k->rows[i - 1].time.ms;
        }
        return falls > rises;
}

static int put_time(struct known_csv_reading *k, const struct raw_row *row, struct csv_zone *zone) {
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

static int put_times(struct known_csv_reading *k) {
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
static void settle_thousands(struct known_csv_reading *k) {
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

#define KILOWATTS_MAX 100  /* more than any house takes: such values are W */

/* Where nobody names a unit it is a power. */
static const struct csv_unit *assume_unit(const struct known_csv_reading *k) {
        for (size_t i = 0; i < k->n; i++)
                if (k->rows[i].value != KNOWN_HOLE &&
                    llabs(k->rows[i].value) > KILOWATTS_MAX * (int64_t) KNOWN_UNITS)
                        return csv_unit_find("W", 1);
        return csv_unit_find("kW", 2);
}

static void put_unit(struct known_csv_reading *k) {
        const char *header = known_csv_header(k, k->value_column);

        if (*header)
                snprintf(k->out.column, sizeof k->out.column, "%s", header);
        else
                snprintf(k->out.column, sizeof k->out.column, "%u", k->value_column + 1);
        k->out.unit = k->options->unit ? k->options->unit : k->cell_unit ? k->cell_unit : csv_unit_in(header);
        if (!k->out.unit)
                k->out.unit = k->beside_unit;
        k->out.unit_assumed = !k->out.unit;
        if (k->out.unit_assumed)
                k->out.unit = assume_unit(k);
        k->out.known.digit = digit_of(k->places);
        if (k->converted_digit > k->out.known.digit)
                k->out.known.digit = k->converted_digit;
}

#define ROUNDED_MIN 20  /* values, of which one would end otherwise if they were not rounded */

/* Whole numbers that all end in 0 are rounded to tens, or to hundreds. */
static void settle_rounding(struct known *k) {
        for (int64_t digit = k->digit * 10; digit <= 100 * (int64_t) KNOWN_UNITS; digit *= 10) {
                size_t values = 0;

                for (size_t i = 0; i < k->n; i++) {
                        if (k->rows[i].value == KNOWN_HOLE || k->rows[i].value == 0)
                                continue;
                        if (k->rows[i].value % digit != 0)
                                return;
                        values += i == 0 || k->rows[i].value != k->rows[i - 1].value;
                }
                if (values < ROUNDED_MIN)
                        return;
                k->digit = digit;
        }
}

static int finish(struct known_csv_reading *k) {
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
        if (k->out.known.digit == KNOWN_UNITS)
                settle_rounding(&k->out.known);
        if (r >= 0 && k->out.unit->kind == CSV_UNIT_ENERGY)
                k->out.were_increments = known_make_total(&k->out.known, 1e3 / (double) k->out.unit->size);
        return r;
}

static void free_reading(struct known_csv_reading **p) {
        struct known_csv_reading *k = *p;

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

static int read_rows(struct known_csv_reading *k, const char *name, char *error) {
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
        CLEANUP(free_reading) struct known_csv_reading *k = calloc(1, sizeof *k);
        int r;

        if (!k) {
                csv_free(csv);
                snprintf(error, CSV_ERROR_MAX, "%.200s: %s", name, strerror(ENOMEM));
                return -ENOMEM;
        }
        k->csv = csv;
        k->options = options;
        k->time_column = k->clock_column = k->value_column = KNOWN_CSV_NO_COLUMN;
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
