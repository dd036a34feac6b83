/* Which columns of an export hold the time, the clock and the values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/known_csv_parts.h"

static void keep_header(struct known_csv_reading *k, const struct csv_row *row) {
        size_t at = 0;

        k->header.n_fields = row->n_fields;
        for (unsigned i = 0; i < row->n_fields; i++) {
                size_t len = strlen(row->fields[i].text);

                memcpy(k->header_text + at, row->fields[i].text, len + 1);
                k->header.fields[i].text = k->header_text + at;
                at += len + 1;
        }
}

const char *known_csv_header(const struct known_csv_reading *k, unsigned column) {
        return column < k->header.n_fields ? k->header.fields[column].text : "";
}

bool known_csv_number(const struct csv_row *row, unsigned column, struct csv_number *ret,
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
static bool find_time(struct known_csv_reading *k, const struct csv_row *row) {
        unsigned before = k->time_column;
        struct csv_time t;

        for (unsigned i = 0; i < row->n_fields; i++) {
                if (!csv_time_parse(row->fields[i].text, &t))
                        continue;
                k->time_column = i;
                k->clock_column = t.has_clock ? KNOWN_CSV_NO_COLUMN : is_clock(row, i + 1) ? i + 1 :
                                  i > 0 && is_clock(row, i - 1) ? i - 1 : KNOWN_CSV_NO_COLUMN;
                /* What was taken for rows stood above the table, such as the day of the export. */
                if (before != i)
                        k->n = k->out.rows = k->out.blanks = 0;
                return true;
        }
        return false;
}

static int no_such_column(struct known_csv_reading *k, const struct csv_row *row) {
        char names[200] = "";

        for (unsigned i = 0; i < k->header.n_fields; i++)
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s%.40s", i ? ", " : " or one of ",
                         known_csv_header(k, i));
        return csv_fail(k->csv, 1, "there is no column '%.60s' for --column; expected a number from 1 to %u%s",
                        k->options->column, row->n_fields, names);
}

static unsigned named_column(const struct known_csv_reading *k, const char *name) {
        for (unsigned i = 0; i < k->header.n_fields; i++)
                if (strcasecmp(known_csv_header(k, i), name) == 0)
                        return i;
        for (unsigned i = 0; i < k->header.n_fields; i++)
                if (strcasestr(known_csv_header(k, i), name))
                        return i;
        return KNOWN_CSV_NO_COLUMN;
}

static int wanted_column(struct known_csv_reading *k, const struct csv_row *row) {
        const char *wanted = k->options->column;
        unsigned column = named_column(k, wanted);

        if (column == KNOWN_CSV_NO_COLUMN && wanted[0] && strspn(wanted, "0123456789") == strlen(wanted) &&
            strlen(wanted) < 4)
                column = (unsigned) atoi(wanted) - 1;
        if (column >= row->n_fields)
                return no_such_column(k, row);
        if (column == k->time_column || column == k->clock_column)
                return csv_fail(k->csv, row->fields[column].column, "--column %.60s holds the time; expected one "
                                "with values", wanted);
        k->value_column = column;
        return 0;
}

static bool is_value(const struct known_csv_reading *k, const struct csv_row *row, unsigned column,
                     const struct csv_unit **ret_unit) {
        struct csv_number number;

        return column != k->time_column && column != k->clock_column &&
               known_csv_number(row, column, &number, ret_unit);
}

/* The first with numbers and a unit, else the first with numbers: those without may count the rows. */
static void choose_column(struct known_csv_reading *k, const struct csv_row *row) {
        const struct csv_unit *unit;
        bool has_unit = false;

        for (unsigned i = 0; i < row->n_fields && !has_unit; i++) {
                if (!is_value(k, row, i, &unit))
                        continue;
                has_unit = unit || csv_unit_in(known_csv_header(k, i));
                if (has_unit || k->value_column == KNOWN_CSV_NO_COLUMN)
                        k->value_column = i;
        }
}

/* Tells the columns that could have been meant, as many as there is room for. */
static void name_others(struct known_csv_reading *k, const struct csv_row *row) {
        const struct csv_unit *unit;
        size_t len = 0;

        for (unsigned i = 0; i < row->n_fields; i++) {
                const char *name = known_csv_header(k, i);

                if (i == k->value_column || !*name || !is_value(k, row, i, &unit) ||
                    len + strlen(name) + 3 > sizeof k->out.others)
                        continue;
                len += (size_t) snprintf(k->out.others + len, sizeof k->out.others - len, "%s%s", len > 0 ? ", " : "",
                                         name);
        }
}

static bool has_value(const struct known_csv_reading *k, const struct csv_row *row) {
        const struct csv_unit *unit;

        for (unsigned i = 0; i < row->n_fields; i++)
                if (is_value(k, row, i, &unit))
                        return true;
        return false;
}

/* The first row with a time and a number says where they are; what stood above it are headers, and rows that hold
 * nothing yet. */
int known_csv_settle_columns(struct known_csv_reading *k, const struct csv_row *row) {
        const char *beside;
        int r = 0;

        if (!find_time(k, row)) {
                keep_header(k, row);
                k->time_column = k->n > 0 ? k->time_column : KNOWN_CSV_NO_COLUMN;
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
