/* rrdtool's library: a file for each meter, the tiers and their steps as in our history, updates in batches. A row's
 * time is the end of its step there, so that a value that holds from t to t + 1 is updated at t + 1. Rows of 1 Hz are
 * kept once, because average, smallest and largest are the same; minutes and quarter hours three times. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rrd.h>

#include "base/cleanup.h"
#include "contender.h"

#define UPDATE_MAX 96

enum { YEAR_FILE = HOUSE_METERS, FILES };

static struct file {
        char path[4096];
        unsigned n_updates;
        uint64_t raw_bytes;
        char updates[CONTENDER_BATCH_S][UPDATE_MAX];
} files[FILES];

static void create(struct file *f, const struct house *house, bool with_rows) {
        const char *sources[] = { "DS:voltage:GAUGE:60:U:U", "DS:current:GAUGE:60:U:U", "DS:power:GAUGE:60:U:U",
                                  "DS:pf:GAUGE:60:U:U", "DS:energy:GAUGE:60:U:U" };
        const char *functions[] = { "AVERAGE", "MIN", "MAX" };
        char archives[7][64];
        const char *argv[ELEMENTS(sources) + ELEMENTS(archives)];
        unsigned seconds = house->n_rows * house->step_s, n = 0;

        for (; n < ELEMENTS(sources); n++)
                argv[n] = sources[n];
        for (unsigned i = 0; i < 6; i++) {
                unsigned step_s = i < 3 ? 60 : 900;

                snprintf(archives[i], sizeof archives[i], "RRA:%s:0.5:%u:%u", functions[i % 3],
                         step_s / house->step_s, seconds / step_s);
                argv[n++] = archives[i];
        }
        snprintf(archives[6], sizeof archives[6], "RRA:AVERAGE:0.5:1:%u", house->n_rows);
        if (with_rows)
                argv[n++] = archives[6];
        if (rrd_create_r(f->path, house->step_s, HOUSE_BEGIN_S, (int) n, argv) != 0)
                errx(1, "rrd: %s", rrd_get_error());
}

static uint64_t size_of(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                err(1, "%s", path);
        return (uint64_t) st.st_size;
}

static void open_rrd(const char *folder, const struct house *week, const struct house *year) {
        for (unsigned m = 0; m < FILES; m++) {
                uint64_t without;

                snprintf(files[m].path, sizeof files[m].path, "%s/%u.rrd", folder, m);
                create(&files[m], m == YEAR_FILE ? year : week, false);
                without = size_of(files[m].path);
                create(&files[m], m == YEAR_FILE ? year : week, m != YEAR_FILE);
                files[m].raw_bytes = size_of(files[m].path) - without;
        }
}

static void flush(struct file *f) {
        const char *argv[CONTENDER_BATCH_S];

        for (unsigned i = 0; i < f->n_updates; i++)
                argv[i] = f->updates[i];
        if (f->n_updates > 0 && rrd_update_r(f->path, NULL, (int) f->n_updates, argv) != 0)
                errx(1, "rrd: %s", rrd_get_error());
        f->n_updates = 0;
}

static void add(struct file *f, int64_t end_s, const int32_t *v) {
        snprintf(f->updates[f->n_updates++], UPDATE_MAX, "%lld:%d:%d:%d:%d:%d", (long long) end_s, v[0], v[1], v[2],
                 v[3], v[4]);
        if (f->n_updates == CONTENDER_BATCH_S)
                flush(f);
}

static void append(unsigned meter, int64_t at_s, const int32_t values[HOUSE_VALUES]) {
        add(&files[meter], at_s + 1, values);
}

static void append_year(int64_t at_s, const int32_t values[HOUSE_VALUES]) {
        add(&files[YEAR_FILE], at_s + YEAR_STEP_S, values);
}

static void end_batch(int64_t now_s) {
        (void) now_s;
        for (unsigned m = 0; m < HOUSE_METERS; m++)
                flush(&files[m]);
}

static void end_data(void) {
        flush(&files[YEAR_FILE]);
}

static uint64_t week_raw_bytes(void) {
        uint64_t ret = 0;

        for (unsigned m = 0; m < HOUSE_METERS; m++)
                ret += files[m].raw_bytes;
        return ret;
}

/* The rows of one consolidation function; the first is that of from_s. Returned with their number and how many values
 * each has. */
static rrd_value_t *fetch(const struct file *f, const char *function, const struct question *question,
                          unsigned long step_s, unsigned long *ret_columns) {
        time_t start = question->from_s, end = question->from_s + (int64_t) question->n * question->step_s;
        unsigned long step_found = step_s;
        rrd_value_t *data;
        char **names;

        if (rrd_fetch_r(f->path, function, &start, &end, &step_found, ret_columns, &names, &data) != 0)
                errx(1, "rrd: %s", rrd_get_error());
        if (step_found != step_s || start != question->from_s)
                errx(1, "rrd: %s: steps of %lu s from %lld", question->words, step_found, (long long) start);
        for (unsigned long i = 0; i < *ret_columns; i++)
                rrd_freemem(names[i]);
        rrd_freemem(names);
        return data;
}

static void reduce_avg(const rrd_value_t *v, unsigned long columns, unsigned n_rows, struct point *ret) {
        double sum = 0;

        for (unsigned i = 0; i < n_rows; i++, v += columns)
                sum += *v;
        ret->avg = sum / n_rows;
}

static void reduce_min(const rrd_value_t *v, unsigned long columns, unsigned n_rows, struct point *ret) {
        ret->min = *v;
        for (unsigned i = 0; i < n_rows; i++, v += columns)
                ret->min = *v < ret->min ? *v : ret->min;
}

static void reduce_max(const rrd_value_t *v, unsigned long columns, unsigned n_rows, struct point *ret) {
        ret->max = *v;
        for (unsigned i = 0; i < n_rows; i++, v += columns)
                ret->max = *v > ret->max ? *v : ret->max;
}

typedef void (*reduce_fn)(const rrd_value_t *v, unsigned long columns, unsigned n_rows, struct point *ret);

static void ask_rows(const struct file *f, const struct question *question, struct point *ret) {
        unsigned long columns;
        rrd_value_t *data = fetch(f, "AVERAGE", question, 1, &columns);

        for (uint32_t i = 0; i < question->n; i++) {
                const rrd_value_t *v = data + (size_t) i * question->step_s * columns + HOUSE_POWER;

                reduce_avg(v, columns, question->step_s, &ret[i]);
                reduce_min(v, columns, question->step_s, &ret[i]);
                reduce_max(v, columns, question->step_s, &ret[i]);
        }
        rrd_freemem(data);
}

static void ask_archives(const struct file *f, const struct question *question, unsigned long step_s,
                         struct point *ret) {
        static const struct { const char *function; reduce_fn reduce; } ways[] = {
                { "AVERAGE", reduce_avg }, { "MIN", reduce_min }, { "MAX", reduce_max },
        };

        for (unsigned w = 0; w < ELEMENTS(ways); w++) {
                unsigned long columns;
                unsigned n_rows = question->step_s / (unsigned) step_s;
                rrd_value_t *data = fetch(f, ways[w].function, question, step_s, &columns);

                for (uint32_t i = 0; i < question->n; i++)
                        ways[w].reduce(data + (size_t) i * n_rows * columns + HOUSE_POWER, columns, n_rows, &ret[i]);
                rrd_freemem(data);
        }
}

/* rrdtool's own way from archives to points. */
static void ask_export(const struct file *f, const struct question *question, struct point *ret) {
        char from[32], to[32], step[32], definitions[3][4200], command[] = "xport";
        static const char *const functions[] = { "AVERAGE", "MIN", "MAX" };
        char *argv[] = { command, (char[]) { "--start" }, from, (char[]) { "--end" }, to, (char[]) { "--step" }, step,
                         (char[]) { "--maxrows" }, (char[]) { "2000" },
                         definitions[0], definitions[1], definitions[2],
                         (char[]) { "XPORT:v0" }, (char[]) { "XPORT:v1" }, (char[]) { "XPORT:v2" }, NULL };
        unsigned long step_found, columns;
        time_t start, end;
        rrd_value_t *data;
        char **legends;
        int unused;

        snprintf(from, sizeof from, "%lld", (long long) question->from_s);
        snprintf(to, sizeof to, "%lld", (long long) question->from_s + (long long) question->n * question->step_s);
        snprintf(step, sizeof step, "%u", question->step_s);
        for (unsigned i = 0; i < ELEMENTS(functions); i++)
                snprintf(definitions[i], sizeof definitions[i], "DEF:v%u=%s:power:%s", i, f->path, functions[i]);
        if (rrd_xport(ELEMENTS(argv) - 1, argv, &unused, &start, &end, &step_found, &columns, &legends, &data) != 0)
                errx(1, "rrd: %s", rrd_get_error());
        if (start != question->from_s || step_found != question->step_s || columns != 3)
                errx(1, "rrd: %s: steps of %lu s from %lld", question->words, step_found, (long long) start);
        for (uint32_t i = 0; i < question->n; i++)
                ret[i] = (struct point) { .avg = data[3 * i], .min = data[3 * i + 1], .max = data[3 * i + 2] };
        for (unsigned i = 0; i < columns; i++)
                rrd_freemem(legends[i]);
        rrd_freemem(legends);
        rrd_freemem(data);
}

static void ask_week(unsigned meter, const struct question *question, struct point *ret) {
        if (question->way == WAY_OWN)
                ask_export(&files[meter], question, ret);
        else if (question->way == WAY_BY_HAND)
                ask_archives(&files[meter], question, question->step_s % 900 == 0 ? 900 : 60, ret);
        else
                ask_rows(&files[meter], question, ret);
}

static void ask_year(const struct question *question, struct point *ret) {
        if (question->way == WAY_OWN)
                ask_export(&files[YEAR_FILE], question, ret);
        else
                ask_archives(&files[YEAR_FILE], question, question->way == WAY_FINEST ? 60 : 900, ret);
}

static void close_rrd(void) {
}

const struct contender contender_rrdtool = {
        .name = "rrdtool", .open = open_rrd, .append = append, .end_batch = end_batch, .append_year = append_year,
        .end_data = end_data, .week_raw_bytes = week_raw_bytes, .ask_week = ask_week, .ask_year = ask_year,
        .close = close_rrd,
};
