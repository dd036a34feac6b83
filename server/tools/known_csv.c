#include "tools/known_csv.h"

#include <ctype.h>
#include <errno.h>
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
        bool day_above_12, month_above_12, is_slashed;
        const struct known_unit *cell_unit;
        struct known_csv out;
};

/* ---- units ---- */

static const struct known_unit units[] = {
        { "kW", "power_w", 1000000000, false },      { "W", "power_w", 1000000, false },
        { "MW", "power_w", 1000000000000, false },   { "mW", "power_w", 1000, false },
        { "kWh", "energy_import_kwh", 0, true },     { "Wh", "energy_import_kwh", 0, true },
        { "MWh", "energy_import_kwh", 0, true },     { "V", "voltage_v", 0, false },
        { "mV", "voltage_v", 0, false },             { "A", "current_a", 0, false },
        { "mA", "current_a", 0, false },             { "VA", "apparent_power_va", 0, false },
        { "kVA", "apparent_power_va", 0, false },    { "var", "reactive_power_var", 0, false },
        { "kvar", "reactive_power_var", 0, false },  { "Hz", "frequency_hz", 0, false },
        { "C", "temperature_c", 0, false },          { "PF", "power_factor", 0, false },
};

/* Words that stand for one of them. */
static const struct { const char *word, *name; } unit_words[] = {
        { "kwatts", "kW" },  { "kilowatts", "kW" }, { "kilowatt", "kW" }, { "watts", "W" }, { "watt", "W" },
        { "kwhs", "kWh" },   { "volts", "V" },      { "volt", "V" },      { "amps", "A" },  { "amp", "A" },
        { "amperes", "A" },  { "celsius", "C" },
};

const struct known_unit *known_unit_find(const char *name, size_t len) {
        for (unsigned i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == len && strncmp(units[i].name, name, len) == 0)
                        return &units[i];
        for (unsigned i = 0; i < ELEMENTS(unit_words); i++)
                if (strlen(unit_words[i].word) == len && strncasecmp(unit_words[i].word, name, len) == 0)
                        return known_unit_find(unit_words[i].name, strlen(unit_words[i].name));
        for (unsigned i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == len && strncasecmp(units[i].name, name, len) == 0)
                        return &units[i];
        return NULL;
}

const char *known_unit_names(void) {
        return "W, kW, MW, mW, Wh, kWh, MWh, V, mV, A, mA, VA, kVA, var, kvar, Hz, C or PF";
}

/* The A of "phase A" is no ampere: a letter counts in brackets, behind an underline or a comma, or alone. */
static bool may_be_unit(const char *header, const char *word, size_t len) {
        const char *before = word;

        if (len > 1 || (word == header && word[1] == '\0'))
                return true;
        while (before > header && before[-1] == ' ')
                before--;
        return before > header && strchr("([_,/", before[-1]);
}

/* The last word that is a unit: "House-Mains (kWatts)", "power_w", "Power [W]". */
static const struct known_unit *unit_in(const char *header) {
        const struct known_unit *found = NULL;

        for (const char *p = header; *p;) {
                size_t len = 0;

                while (isalpha((unsigned char) p[len]))
                        len++;
                if (len > 0 && may_be_unit(header, p, len) && known_unit_find(p, len))
                        found = known_unit_find(p, len);
                p += len > 0 ? len : 1;
        }
        return found;
}

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

/* A number with nothing behind it but a unit. */
static bool cell_number(const struct csv_row *row, unsigned column, struct csv_number *ret) {
        const char *rest;

        if (column >= row->n_fields || !csv_number_parse(row->fields[column].text, row->separator, ret))
                return false;
        rest = ret->rest + strspn(ret->rest, " \t");
        ret->rest = rest;
        return *rest == '\0' || known_unit_find(rest, strlen(rest));
}

/* The field with the time, together with the one behind it where that has the clock. */
static bool find_time(struct reading *k, const struct csv_row *row) {
        struct csv_time t;
        int64_t clock_ms;

        for (unsigned i = 0; i < row->n_fields; i++) {
                if (!csv_time_parse(row->fields[i].text, &t))
                        continue;
                k->time_column = i;
                k->clock_column = !t.has_clock && i + 1 < row->n_fields &&
                                  csv_time_clock(row->fields[i + 1].text, &clock_ms) ? i + 1 : NONE;
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

static void first_column_with_numbers(struct reading *k, const struct csv_row *row) {
        struct csv_number number;

        for (unsigned i = 0; i < row->n_fields && k->value_column == NONE; i++)
                if (i != k->time_column && i != k->clock_column && cell_number(row, i, &number))
                        k->value_column = i;
}

/* The first row with a time says where the time is; what stood above it are headers. */
static int settle_columns(struct reading *k, const struct csv_row *row) {
        if (k->time_column == NONE && !find_time(k, row)) {
                keep_header(k, row);
                return 0;
        }
        if (k->options->column)
                return wanted_column(k, row);
        first_column_with_numbers(k, row);
        return 0;
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

static int add_raw(struct reading *k, struct csv_time time, int64_t value) {
        if (k->n == k->cap) {
                size_t cap = k->cap ? k->cap + k->cap / 2 : 1024;
                struct raw_row *rows = reallocarray(k->rows, cap, sizeof *rows);

                if (!rows)
                        return -ENOMEM;
                k->rows = rows;
                k->cap = cap;
        }
        k->rows[k->n++] = (struct raw_row) { time, value };
        return 0;
}

static int take_row(struct reading *k, const struct csv_row *row) {
        int64_t value = KNOWN_HOLE;
        struct csv_number number;
        struct csv_time time;
        int r = 0;

        if (k->value_column == NONE)
                r = settle_columns(k, row);
        if (r < 0 || k->time_column == NONE)
                return r;
        if (!row_time(k, row, &time)) {
                k->out.skipped++;
                return 0;
        }
        if (k->value_column != NONE && cell_number(row, k->value_column, &number)) {
                value = number.value;
                k->places = number.places > k->places ? number.places : k->places;
                if (!k->cell_unit && *number.rest)
                        k->cell_unit = known_unit_find(number.rest, strlen(number.rest));
        }
        k->is_slashed |= time.first != 0;
        k->day_above_12 |= time.first > 12;
        k->month_above_12 |= time.second > 12;
        k->out.rows++;
        k->out.blanks += value == KNOWN_HOLE;
        return add_raw(k, time, value);
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

static int put_times(struct reading *k) {
        struct csv_zone zone = { .valid = false };
        int r = 0;

        settle_day(k);
        for (size_t i = 0; r >= 0 && i < k->n; i++) {
                struct raw_row *row = &k->rows[i];
                int64_t ms = row->time.ms;

                if (!row->time.is_utc) {
                        if (!csv_time_settle(&row->time, k->out.day_first, &ms)) {
                                k->out.skipped++;
                                k->out.rows--;
                                k->out.blanks -= row->value == KNOWN_HOLE;
                                continue;
                        }
                        k->out.is_local = true;
                        ms = csv_zone_utc(&zone, ms);
                }
                r = known_add(&k->out.known, ms, row->value);
        }
        return r;
}

static void put_unit(struct reading *k) {
        const char *header = header_of(k, k->value_column);

        if (*header)
                snprintf(k->out.column, sizeof k->out.column, "%s", header);
        else
                snprintf(k->out.column, sizeof k->out.column, "%u", k->value_column + 1);
        k->out.unit = k->options->unit ? k->options->unit : k->cell_unit ? k->cell_unit : unit_in(header);
        k->out.unit_assumed = !k->out.unit;
        if (k->out.unit_assumed)
                k->out.unit = known_unit_find("kW", 2);
        k->out.known.digit = KNOWN_UNITS;
        for (unsigned i = 0; i < k->places; i++)
                k->out.known.digit /= 10;
}

static int compare_values(const void *a, const void *b) {
        int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

        return (x > y) - (x < y);
}

#define PARTS    16  /* of the export, compared with each other */
#define PART_MAX 255 /* rows looked at in each */

/* The middle one of the values in a part; false when it has none. */
static bool middle_of(const struct known *k, size_t part, int64_t *ret) {
        size_t begin = part * k->n / PARTS, end = (part + 1) * k->n / PARTS, n = 0;
        size_t step = (end - begin) / PART_MAX + 1;
        int64_t values[PART_MAX + 1];

        for (size_t i = begin; i < end; i += step)
                if (k->rows[i].value != KNOWN_HOLE)
                        values[n++] = k->rows[i].value;
        qsort(values, n, sizeof *values, compare_values);
        if (n > 0)
                *ret = values[n / 2];
        return n > 0;
}

/* A register only grows, but for a value that is wrong or a digit that trembles; energies that do not are those of
 * one interval each. */
static bool is_register(const struct known *k) {
        int64_t last = 0, value;
        unsigned parts = 0, falls = 0;

        for (size_t i = 0; i < PARTS; i++) {
                if (!middle_of(k, i, &value))
                        continue;
                falls += parts > 0 && value < last;
                last = value;
                parts++;
        }
        return falls <= 1;
}

static void settle_energy(struct known_csv *out) {
        double units_per_kwh = out->unit->name[0] == 'W' ? 1e3 : out->unit->name[0] == 'M' ? 1e-3 : 1;
        struct known *k = &out->known;
        int64_t sum = 0;

        k->is_total = true;
        k->register_max = KNOWN_REGISTER_MAX_KWH * units_per_kwh;
        if (is_register(k))
                return;
        out->were_increments = k->is_sloped = true;
        for (size_t i = 0; i < k->n; i++) {
                int64_t value = k->rows[i].value;

                k->rows[i].value = value == KNOWN_HOLE ? KNOWN_HOLE : sum;
                if (value == KNOWN_HOLE || __builtin_add_overflow(sum, value, &sum))
                        k->rows[i].value = KNOWN_HOLE;
        }
}

static int finish(struct reading *k) {
        int r;

        if (k->n == 0)
                return csv_fail(k->csv, 1, "no row with a time; expected a column such as 12/31/2026 23:59:59, "
                                "2026-12-31 23:59:59 or 1798761599");
        r = put_times(k);
        if (r < 0)
                return r;
        if (k->out.rows == k->out.blanks)
                return csv_fail(k->csv, 1, "no row with a value%s%.60s; --column names the one that has them",
                                k->options->column ? " in column " : "",
                                k->options->column ? k->options->column : "");
        put_unit(k);
        r = known_finish(&k->out.known);
        if (r >= 0 && k->out.unit->is_energy)
                settle_energy(&k->out);
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

        csv_take_any_separator(k->csv);
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
