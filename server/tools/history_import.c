#include "tools/history_tools.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/log.h"
#include "base/time_text.h"
#include "base/units.h"
#include "protocols/profile.h"
#include "protocols/quantity.h"
#include "tools/csv_reader.h"
#include "tools/progress.h"

#define SIZE_DEFAULT (UINT64_C(64) << 20)
#define SIZE_MAX_BYTES (UINT64_C(16) << 30)
#define HOLD_DEFAULT_MS 60000
#define HOLD_MAX_MS UINT64_C(86400000)
#define FLUSH_MS 60000
#define PROGRESS_ROWS 1024

struct import {
        const char *directory, *meter, *name, *path;
        uint64_t size_bytes, hold_ms;

        struct csv_reader *csv;
        bool time_is_text;              /* column time, not t_ms */
        struct schema schema;
        struct history *history;
        unsigned handle;
        struct history_row last;        /* counters: where they stand */
        bool any;
        int64_t last_tick;              /* of this file's rows */
        uint64_t rows, values;
};

/* ---- the header ---- */

static int fail_time_column(struct import *m, const struct csv_field *f) {
        return csv_fail(m->csv, f->column, "the first column is \"%.40s\"; expected t_ms (milliseconds since 1970) "
                        "or time (RFC 3339)", f->text);
}

static bool is_channel(const char *text, size_t len) {
        if (len == 0 || len > CHANNEL_NAME_MAX)
                return false;
        for (size_t i = 0; i < len; i++)
                if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9'))
                        return false;
        return true;
}

/* "power_w", "l1.power_w" */
static enum quantity quantity_of(const char *key) {
        const char *dot = strchr(key, '.');

        if (dot && !is_channel(key, (size_t) (dot - key)))
                return Q_NONE;
        return quantity_from_key(dot ? dot + 1 : key);
}

static int add_column(struct import *m, const struct csv_field *f) {
        enum quantity quantity = quantity_of(f->text);
        const struct quantity_info *info;
        struct schema_column *c;

        if (quantity == Q_NONE)
                return csv_fail(m->csv, f->column, "there is no series \"%.60s\"; expected one such as power_w, "
                                "voltage_v, energy_import_kwh or, with a channel, l1.power_w", f->text);
        if (schema_find(&m->schema, f->text) >= 0)
                return csv_fail(m->csv, f->column, "%s stands here twice", f->text);
        if (m->schema.n_columns == SCHEMA_COLUMNS_MAX)
                return csv_fail(m->csv, f->column, "more than %d series", SCHEMA_COLUMNS_MAX);
        info = &quantity_catalogue[quantity];
        c = &m->schema.columns[m->schema.n_columns++];
        snprintf(c->key, sizeof c->key, "%s", f->text);
        c->kind = info->kind == QUANTITY_COUNTER ? COLUMN_COUNTER : COLUMN_GAUGE;
        c->decimals = (uint8_t) info->decimals;
        return 0;
}

static int read_header(struct import *m) {
        const struct csv_row *row;
        int r = csv_next(m->csv, &row);

        if (r == 0)
                return csv_fail(m->csv, 1, "empty; expected a header line such as t_ms,voltage_v,power_w");
        if (r < 0)
                return r;
        m->time_is_text = strcmp(row->fields[0].text, "time") == 0;
        if (!m->time_is_text && strcmp(row->fields[0].text, "t_ms") != 0)
                return fail_time_column(m, &row->fields[0]);
        if (row->n_fields == 1)
                return csv_fail(m->csv, 1, "no series; expected a header line such as t_ms,voltage_v,power_w");
        for (unsigned i = 1; i < row->n_fields; i++) {
                r = add_column(m, &row->fields[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- rows ---- */

/* Digits beyond the first of a second's fraction, which a tick cannot carry. */
static bool is_finer_than_tick(const char *text) {
        const char *dot = strchr(text, '.');

        if (!dot || !isdigit((unsigned char) dot[1]))
                return false;
        for (const char *p = dot + 2; isdigit((unsigned char) *p); p++)
                if (*p != '0')
                        return true;
        return false;
}

static int read_time(struct import *m, const struct csv_field *f, int64_t *ret_tick) {
        unsigned resolution_ms;
        int64_t ms = 0;
        bool good, finer;

        if (m->time_is_text) {
                size_t n = strlen(f->text) < 20 ? 0 : time_text_rfc3339(f->text, &ms, &resolution_ms);

                good = n > 0 && f->text[n] == '\0';
                finer = good && is_finer_than_tick(f->text);
        } else {
                good = decimal_parse(f->text, 0, &ms) == 0;
                finer = good && ms % TICK_MS != 0;
        }
        if (!good)
                return csv_fail(m->csv, f->column, "\"%.40s\" is no time; expected %s", f->text, m->time_is_text
                                ? "RFC 3339 such as 2026-11-21T10:00:00.1Z" : "milliseconds since 1970");
        if (finer)
                return csv_fail(m->csv, f->column, "the time %.40s is finer than %d ms; round it", f->text, TICK_MS);
        if (m->any && ms / TICK_MS <= m->last_tick)
                return csv_fail(m->csv, f->column, ms / TICK_MS == m->last_tick
                                ? "the time %.40s is that of the row before; expected rows at least %d ms apart"
                                : "the time %.40s is before that of the row before; expected rows in order of time, "
                                  "at least %d ms apart", f->text, TICK_MS);
        *ret_tick = ms / TICK_MS;
        return 0;
}

static int read_value(struct import *m, const struct csv_field *f, const struct schema_column *c, int64_t *ret) {
        int64_t exact;
        int r = decimal_parse(f->text, c->decimals, ret);

        if (r == -EINVAL)
                return csv_fail(m->csv, f->column, "%s: \"%.40s\" is no decimal number", c->key, f->text);
        if (r == 0 && *ret >= -HISTORY_VALUE_MAX && *ret <= HISTORY_VALUE_MAX)
                return 0;
        if (r < 0 && decimal_parse(f->text, DECIMAL_PLACES_MAX, &exact) == 0)
                return csv_fail(m->csv, f->column, "%s: %.40s has more than %u decimals", c->key, f->text,
                                c->decimals);
        return csv_fail(m->csv, f->column, "%s: %.40s cannot be stored: too large, or more than %u decimals", c->key,
                        f->text, c->decimals);
}

/* The total grows by what the register grew, and by all of it after a reset: it never steps back. */
static int64_t total_of(const struct import *m, unsigned column, int64_t reading) {
        int64_t grown;

        if (!(m->last.mask >> column & 1))
                return reading;
        grown = reading - m->last.values[column];
        if (grown < 0)
                grown = reading > 0 ? reading : 0;
        return m->last.totals[column] + grown;
}

static int read_values(struct import *m, const struct csv_row *row, struct history_row *ret) {
        for (unsigned i = 0; i < m->schema.n_columns; i++) {
                const struct csv_field *f = &row->fields[i + 1];
                const struct schema_column *c = &m->schema.columns[i];
                int r;

                if (f->text[0] == '\0')
                        continue;
                r = read_value(m, f, c, &ret->values[i]);
                if (r < 0)
                        return r;
                ret->mask |= UINT64_C(1) << i;
                if (c->kind != COLUMN_COUNTER)
                        continue;
                ret->totals[i] = total_of(m, i, ret->values[i]);
                if (ret->totals[i] > HISTORY_VALUE_MAX)
                        return csv_fail(m->csv, f->column, "%s: the sum over all resets is too large", c->key);
        }
        return 0;
}

static void keep_counters(struct import *m, const struct history_row *row) {
        for (unsigned i = 0; i < m->schema.n_columns; i++)
                if (row->mask >> i & 1) {
                        m->last.values[i] = row->values[i];
                        m->last.totals[i] = row->totals[i];
                }
        m->last.mask |= row->mask;
}

static int fail_append(struct import *m, const struct csv_field *f, int r) {
        char newest[CLOCK_RFC3339_MAX] = "";
        struct history_row row;
        int64_t tick;

        if (r == -ERANGE)
                return csv_fail(m->csv, f->column, "the time %.40s lies outside the years 1970 to 2105", f->text);
        if (r != -EEXIST)
                return csv_fail(m->csv, f->column, "cannot be stored: %s", history_error(m->history)[0]
                                ? history_error(m->history) : strerror(-r));
        if (history_newest(m->history, m->handle, &tick, &row))
                clock_format_rfc3339(tick * TICK_MS, newest);
        return csv_fail(m->csv, f->column, "the time %.40s is not after what meter %s has already (%s)", f->text,
                        m->meter, newest);
}

static int import_row(struct import *m, const struct csv_row *row) {
        struct history_row values = { 0 };
        int64_t tick = 0;
        int r;

        if (row->n_fields != m->schema.n_columns + 1)
                return csv_fail(m->csv, 1, "%u fields; expected %u as in the header", row->n_fields,
                                m->schema.n_columns + 1);
        r = read_time(m, &row->fields[0], &tick);
        if (r < 0)
                return r;
        r = read_values(m, row, &values);
        if (r < 0)
                return r;
        m->any = true;
        m->last_tick = tick;
        if (values.mask == 0)
                return 0;
        r = history_append_at(m->history, m->handle, tick, &values);
        if (r < 0)
                return fail_append(m, &row->fields[0], r);
        keep_counters(m, &values);
        m->rows++;
        m->values += (uint64_t) __builtin_popcountll(values.mask);
        return 0;
}

static int import_rows(struct import *m) {
        struct progress progress;
        const struct csv_row *row;
        uint64_t done, total;
        int r;

        progress_begin(&progress, "import");
        while ((r = csv_next(m->csv, &row)) > 0) {
                r = import_row(m, row);
                if (r < 0)
                        break;
                if (m->rows % PROGRESS_ROWS == 0) {
                        csv_progress(m->csv, &done, &total);
                        progress_show(&progress, done, total);
                }
        }
        progress_end(&progress);
        return r;
}

/* ---- the command ---- */

/* A file that is there keeps its size. */
static int open_history(struct import *m) {
        struct history_options options = { .directory = m->directory, .size_bytes = m->size_bytes,
                                           .flush_ms = FLUSH_MS };
        char path[4096];
        int64_t tick;
        int r;

        snprintf(path, sizeof path, "%s/%s", m->directory, STORE_FILE_NAME);
        if (access(path, F_OK) == 0)
                options.size_bytes = 0;
        r = history_tool_open(&options, &m->history);
        if (r != 0)
                return r;
        r = history_define(m->history, &m->schema, &m->handle);
        if (r < 0) {
                log_error("%s: meter %s: %s", m->directory, m->meter,
                          r == -ENOSPC ? "there are too many meters" : strerror(-r));
                return 1;
        }
        (void) history_newest(m->history, m->handle, &tick, &m->last);
        return 0;
}

static int finish(struct import *m, int r) {
        int flushed = history_flush(m->history);

        if (r < 0 && flushed == 0)
                log_error("%s; rows imported before it: %" PRIu64, csv_error(m->csv), m->rows);
        else if (r < 0)
                log_error("%s", csv_error(m->csv));
        else if (flushed < 0)
                log_error("%s", history_error(m->history)[0] ? history_error(m->history) : strerror(-flushed));
        if (r < 0 || flushed < 0)
                return 1;
        printf("%s%s%s%s: %" PRIu64 " rows, %" PRIu64 " values\n", m->meter, m->name ? " (" : "",
               m->name ? m->name : "", m->name ? ")" : "", m->rows, m->values);
        return fflush(stdout) != 0;
}

static int run(struct import *m) {
        char error[CSV_ERROR_MAX];
        int r;

        if (csv_open(m->path, &m->csv, error) < 0) {
                log_error("%s", error);
                return 1;
        }
        r = read_header(m);
        if (r < 0) {
                log_error("%s", csv_error(m->csv));
                return r == -EINVAL || r == -EFBIG ? 2 : 1;
        }
        r = open_history(m);
        return r != 0 ? r : finish(m, import_rows(m));
}

static void print_help(void) {
        puts("Usage: metergate history import --directory D --meter ID [OPTIONS] FILE|-\n"
             "\n"
             "Fills in a meter's values from CSV: a header t_ms,SERIES,... (milliseconds since 1970) or\n"
             "time,SERIES,... (RFC 3339), SERIES being keys such as voltage_v, power_w, energy_import_kwh, with a\n"
             "channel l1.power_w, then rows in order of time, at least 100 ms apart and after what the meter has\n"
             "already. An empty field is no value. Nothing is derived, nothing is rounded.\n"
             "\n"
             "  --directory D    where the history is; made when it is not there\n"
             "  --meter ID       the meter's id\n"
             "  --name N         what to call it in the report\n"
             "  --size SIZE      of a history that is not there yet (default 64MiB); another keeps its size\n"
             "  --hold DURATION  a value holds until the next one, at most this long (default 60s)\n"
             "  --help           this text");
}

static int wrong(const char *option, const char *text, const char *expected) {
        log_error("history import: --%s: '%s'; expected %s", option, text, expected);
        return 2;
}

static bool is_meter_id(const char *id) {
        size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-");

        return len > 0 && len <= SCHEMA_METER_MAX && id[len] == '\0';
}

static int take_meter(struct import *m, const char *text) {
        if (!is_meter_id(text))
                return wrong("meter", text, "1 to 32 of a-z, 0-9 and -");
        m->meter = text;
        strcpy(m->schema.meter, text);
        return 0;
}

static int take_size(struct import *m, const char *text) {
        if (units_parse_size(text, &m->size_bytes) < 0 || m->size_bytes < STORE_MIN_BYTES ||
            m->size_bytes > SIZE_MAX_BYTES)
                return wrong("size", text, "a size from 2MiB to 16GiB");
        return 0;
}

static int take_hold(struct import *m, const char *text) {
        if (units_parse_duration_ms(text, &m->hold_ms) < 0 || m->hold_ms == 0 || m->hold_ms % TICK_MS != 0 ||
            m->hold_ms > HOLD_MAX_MS)
                return wrong("hold", text, "a duration such as 60s, a multiple of 100ms of at most 1d");
        return 0;
}

/* 0, 1 for help, 2 for a mistake, which has been told. */
static int parse_options(int argc, char **argv, struct import *m) {
        static const struct option options[] = {
                { "directory", required_argument, NULL, 'd' }, { "meter", required_argument, NULL, 'm' },
                { "name", required_argument, NULL, 'n' },      { "size", required_argument, NULL, 's' },
                { "hold", required_argument, NULL, 'H' },      { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int c, r = 0;

        optind = 0;
        while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'd':
                        m->directory = optarg;
                        break;
                case 'm':
                        r = take_meter(m, optarg);
                        break;
                case 'n':
                        m->name = optarg;
                        break;
                case 's':
                        r = take_size(m, optarg);
                        break;
                case 'H':
                        r = take_hold(m, optarg);
                        break;
                case 'h':
                        return 1;
                default:
                        return 2;
                }
        if (r != 0)
                return r;
        if (!m->directory || !m->meter || optind != argc - 1) {
                log_error("history import: expected --directory D, --meter ID and one FILE or -; "
                          "see metergate history import --help");
                return 2;
        }
        m->path = argv[optind];
        return 0;
}

int history_import_main(int argc, char **argv) {
        struct import m = { .size_bytes = SIZE_DEFAULT, .hold_ms = HOLD_DEFAULT_MS };
        int r;

        r = parse_options(argc, argv, &m);
        if (r == 1) {
                print_help();
                return 0;
        }
        if (r != 0)
                return r;
        m.schema.hold_ticks = (uint32_t) (m.hold_ms / TICK_MS);
        r = run(&m);
        history_free(m.history);
        csv_free(m.csv);
        return r;
}
