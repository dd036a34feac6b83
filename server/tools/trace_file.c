#include "tools/trace_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/cleanup.h"
#include "base/decimal.h"

enum {
        LINE_MAX_CHARS = 1024,
        COLUMNS_MAX = 64,
        NOMINAL_MV = 230000,
        LOOP_PAUSE_MS = 1000,  /* from the last row to the first again */
};

#define VALUE_MAX (INT64_C(1) << 45)  /* times any factor it still is far from the end of 64 bits */

enum what { TIME, VOLTAGE, CURRENT, POWER, WHAT_COUNT };

static const char *const prefixes[WHAT_COUNT] = { "ts", "voltage_", "current_", "power_" };

struct column {
        bool present;
        unsigned index;
        int64_t factor;  /* to thousandths */
};

struct row {
        int64_t at_ms;   /* since the first row */
        struct load load;
};

struct trace {
        gzFile file;     /* owned */
        char *path;      /* owned */
        bool loop;
        bool ended;      /* next is not valid */
        struct column columns[WHAT_COUNT];
        uint64_t line;
        int64_t first_ms;
        int64_t offset_ms;  /* of the present round */
        struct row now, next;
};

static int fail(const struct trace *t, char *error, const char *what, const char *expected) {
        snprintf(error, TRACE_ERROR_MAX, "%.200s:%llu: %s; expected %s", t->path, (unsigned long long) t->line, what,
                 expected);
        return -EINVAL;
}

/* Returns 1 with a line without its end, 0 at the end of the file. */
static int read_line(struct trace *t, char *line, char *error) {
        size_t len;
        int code;

        if (!gzgets(t->file, line, LINE_MAX_CHARS)) {
                gzerror(t->file, &code);
                if (code == Z_OK || code == Z_STREAM_END)
                        return 0;
                snprintf(error, TRACE_ERROR_MAX, "%.200s: damaged or unreadable", t->path);
                return -EIO;
        }
        t->line++;
        len = strcspn(line, "\r\n");
        if (len == LINE_MAX_CHARS - 1)
                return fail(t, error, "line too long", "less than 1023 characters");
        line[len] = '\0';
        return 1;
}

/* Factor to thousandths of the unit that a column's name ends with. */
static bool factor_of(const char *name, char unit, int64_t *ret) {
        static const struct { char prefix; int64_t factor; } units[] = { { 'd', 100 }, { 'c', 10 }, { 'm', 1 } };
        const char *suffix = strrchr(name, '_') + 1;

        if (suffix[0] == unit && suffix[1] == '\0') {
                *ret = 1000;
                return true;
        }
        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (suffix[0] == units[i].prefix && suffix[1] == unit && suffix[2] == '\0') {
                        *ret = units[i].factor;
                        return true;
                }
        return false;
}

static int note_column(struct trace *t, const char *name, unsigned index, char *error) {
        static const char units[WHAT_COUNT] = { 0, 'V', 'A', 'W' };

        for (unsigned w = 0; w < WHAT_COUNT; w++) {
                struct column *c = &t->columns[w];
                size_t len = strlen(prefixes[w]);

                if (c->present || strncmp(name, prefixes[w], len) != 0 || (w == TIME && name[len] != '\0'))
                        continue;
                c->factor = 1000;
                if (w != TIME && !factor_of(name, units[w], &c->factor))
                        return fail(t, error, "a column with an unknown unit",
                                    "names such as voltage_dV, current_mA, power_W");
                c->present = true;
                c->index = index;
        }
        return 0;
}

static int read_header(struct trace *t, char *error) {
        char line[LINE_MAX_CHARS], *rest = line, *name;
        unsigned index = 0;
        int r;

        r = read_line(t, line, error);
        if (r < 0)
                return r;
        if (r == 0)
                return fail(t, error, "empty", "a header line");
        while ((name = strsep(&rest, ","))) {
                if (index == COLUMNS_MAX)
                        return fail(t, error, "too many columns", "at most 64");
                r = note_column(t, name, index++, error);
                if (r < 0)
                        return r;
        }
        if (!t->columns[TIME].present || !t->columns[POWER].present)
                return fail(t, error, "no such columns", "ts and power_W, power_dW or the like");
        return 0;
}

static void complete(const struct trace *t, const int64_t *values, struct load *ret) {
        ret->power_mw = values[POWER];
        ret->voltage_mv = t->columns[VOLTAGE].present ? values[VOLTAGE] : NOMINAL_MV;
        ret->current_ma = values[CURRENT];
        if (!t->columns[CURRENT].present)
                ret->current_ma = ret->voltage_mv > 0 ? llabs(values[POWER]) * 1000 / ret->voltage_mv : 0;
}

/* Returns 1, 0 at the end. Values beyond what a wire can carry are refused here. */
static int read_row(struct trace *t, int64_t *ret_ts_ms, struct load *ret, char *error) {
        char line[LINE_MAX_CHARS], *rest = line, *text;
        int64_t values[WHAT_COUNT] = { 0 };
        unsigned index = 0, found = 0, wanted = 0;
        int r;

        r = read_line(t, line, error);
        if (r <= 0)
                return r;
        for (; (text = strsep(&rest, ",")); index++)
                for (unsigned w = 0; w < WHAT_COUNT; w++) {
                        if (!t->columns[w].present || t->columns[w].index != index)
                                continue;
                        if (decimal_parse(text, w == TIME ? 3 : 0, &values[w]) < 0 || llabs(values[w]) > VALUE_MAX)
                                return fail(t, error, "not a number of this column", "integers");
                        if (w != TIME)
                                values[w] *= t->columns[w].factor;
                        found++;
                }
        for (unsigned w = 0; w < WHAT_COUNT; w++)
                wanted += t->columns[w].present;
        if (found != wanted)
                return fail(t, error, "too few columns", "as many as in the header");
        *ret_ts_ms = values[TIME];
        complete(t, values, ret);
        return 1;
}

static int read_first(struct trace *t, char *error) {
        int r = read_row(t, &t->first_ms, &t->next.load, error);

        if (r == 0)
                return fail(t, error, "no rows", "at least one");
        t->next.at_ms = t->offset_ms;
        return r;
}

/* Moves one row on. Rows whose time goes back stand at the time of the one before them. */
static int advance(struct trace *t, char *error) {
        char header[LINE_MAX_CHARS];
        int64_t ts_ms;
        int r;

        t->now = t->next;
        r = read_row(t, &ts_ms, &t->next.load, error);
        if (r < 0)
                return r;
        if (r > 0) {
                t->next.at_ms = t->offset_ms + ts_ms - t->first_ms;
                if (t->next.at_ms < t->now.at_ms)
                        t->next.at_ms = t->now.at_ms;
                return 1;
        }
        if (!t->loop) {
                t->ended = true;
                return 1;
        }
        gzrewind(t->file);
        t->line = 0;
        t->offset_ms = t->now.at_ms + LOOP_PAUSE_MS;
        r = read_line(t, header, error);
        return r < 0 ? r : read_first(t, error);
}

int trace_open(const char *path, bool loop, struct trace **ret, char *error) {
        CLEANUP(trace_freep) struct trace *t = calloc(1, sizeof *t);
        int r;

        snprintf(error, TRACE_ERROR_MAX, "%.200s: out of memory", path);
        if (!t)
                return -ENOMEM;
        t->loop = loop;
        t->path = strdup(path);
        if (!t->path)
                return -ENOMEM;
        errno = 0;
        t->file = gzopen(path, "rbe");
        if (!t->file) {
                r = errno > 0 ? -errno : -ENOMEM;
                snprintf(error, TRACE_ERROR_MAX, "%.200s: %s", path, strerror(-r));
                return r;
        }
        r = read_header(t, error);
        if (r >= 0)
                r = read_first(t, error);
        if (r >= 0)
                r = advance(t, error);
        if (r < 0)
                return r;
        *ret = TAKE(t);
        return 0;
}

struct trace *trace_free(struct trace *t) {
        if (!t)
                return NULL;
        if (t->file)
                gzclose(t->file);
        free(t->path);
        free(t);
        return NULL;
}

int trace_at(struct trace *t, uint64_t at_ms, struct load *ret, char *error) {
        while (!t->ended && t->next.at_ms <= (int64_t) at_ms) {
                int r = advance(t, error);

                if (r < 0)
                        return r;
        }
        *ret = t->now.load;
        return !t->ended || (int64_t) at_ms <= t->now.at_ms;
}
