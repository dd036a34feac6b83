#include "tools/history_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/export.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/time_text.h"
#include "base/units.h"

#define PIECE_MAX_BYTES (1u << 20)
#define DAY_MS  UINT64_C(86400000)
#define YEAR_MS (366 * DAY_MS)

#define BIT(aggregate) (1u << (aggregate))
#define AGGREGATES_OF_GAUGES   (BIT(QUERY_DELTA) - 1)
#define AGGREGATES_OF_COUNTERS ((BIT(QUERY_DELTA + 1) - 1) & ~BIT(QUERY_AVG))

struct export_job {
        const char *directory, *meter, *out;
        char *series;                   /* as given; cut into pieces */
        const char *from, *to;
        uint32_t aggregates;            /* 0: not given */
        struct export_spec spec;
        struct history *history;
};

static int wrong(const char *option, const char *text, const char *expected) {
        log_error("history export: --%s: '%s'; expected %s", option, text, expected);
        return 2;
}

/* ---- which series ---- */

static int no_such_meter(const struct export_job *j) {
        struct buffer names;
        const char *id;

        buffer_init(&names, 900);
        for (unsigned i = 0; (id = history_meter_id(j->history, i)); i++)
                buffer_printf(&names, "%s%s", i > 0 ? ", " : "", id);
        log_error("--meter: %s has no meter '%.64s'; it has %s", j->directory, j->meter,
                  names.len > 0 ? names.data : "none yet");
        buffer_free(&names);
        return 2;
}

static int no_such_series(const struct export_job *j, const struct meter_series *known, const char *key) {
        struct buffer names;

        buffer_init(&names, 900);
        for (unsigned i = 0; i < known->n; i++)
                buffer_printf(&names, "%s%s", i > 0 ? ", " : "", known->items[i].key);
        log_error("--series: meter %s has no series '%.64s'; it has %s", j->meter, key, names.data);
        buffer_free(&names);
        return 2;
}

/* Of OpenMetrics' samples each has one aggregate. */
static uint32_t default_aggregates(const struct export_job *j, unsigned kind) {
        if (j->spec.format == TABLE_OPENMETRICS)
                return kind == COLUMN_COUNTER ? BIT(QUERY_LAST) : BIT(QUERY_AVG);
        return kind == COLUMN_COUNTER ? BIT(QUERY_LAST) | BIT(QUERY_DELTA)
                                      : BIT(QUERY_AVG) | BIT(QUERY_MIN) | BIT(QUERY_MAX);
}

static uint32_t aggregates_for(const struct export_job *j, unsigned kind) {
        uint32_t all = kind == COLUMN_COUNTER ? AGGREGATES_OF_COUNTERS : AGGREGATES_OF_GAUGES;

        return (j->aggregates ? j->aggregates : default_aggregates(j, kind)) & all;
}

static int add_series(struct export_job *j, const struct schema_column *c) {
        struct query_spec *q = &j->spec.query;

        if (q->n_series == QUERY_SERIES_MAX) {
                log_error("--series: at most %d series at a time; name those that are wanted", QUERY_SERIES_MAX);
                return 2;
        }
        strcpy(q->series[q->n_series].key, c->key);
        q->series[q->n_series++].aggregates = aggregates_for(j, c->kind);
        return 0;
}

static const struct schema_column *find_series(const struct meter_series *known, const char *key) {
        for (unsigned i = 0; i < known->n; i++)
                if (strcmp(known->items[i].key, key) == 0)
                        return &known->items[i];
        return NULL;
}

static bool is_listed(const struct query_spec *q, const char *key) {
        for (unsigned i = 0; i < q->n_series; i++)
                if (strcmp(q->series[i].key, key) == 0)
                        return true;
        return false;
}

static int choose_named(struct export_job *j, const struct meter_series *known) {
        bool in_steps = j->spec.query.step_kind != QUERY_STEP_RAW;
        char *rest = j->series, *key;

        while ((key = strsep(&rest, ","))) {
                const struct schema_column *c = find_series(known, key);
                int r;

                if (!c)
                        return no_such_series(j, known, key);
                if (in_steps && aggregates_for(j, c->kind) == 0) {
                        log_error("--agg: %s is a %s: %s does not apply to it", key,
                                  c->kind == COLUMN_COUNTER ? "counter" : "gauge",
                                  c->kind == COLUMN_COUNTER ? "avg" : "delta");
                        return 2;
                }
                if (is_listed(&j->spec.query, key))
                        continue;
                r = add_series(j, c);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* All of them; in steps those that the aggregates apply to. */
static int choose_all(struct export_job *j, const struct meter_series *known) {
        bool in_steps = j->spec.query.step_kind != QUERY_STEP_RAW;

        for (unsigned i = 0; i < known->n; i++) {
                int r = 0;

                if (!in_steps || aggregates_for(j, known->items[i].kind) != 0)
                        r = add_series(j, &known->items[i]);
                if (r != 0)
                        return r;
        }
        if (j->spec.query.n_series > 0)
                return 0;
        log_error("--agg: applies to no series of meter %s", j->meter);
        return 2;
}

static int choose_series(struct export_job *j) {
        struct meter_series known;

        if (!meter_series_read(j->history, j->meter, &known))
                return no_such_meter(j);
        return j->series ? choose_named(j, &known) : choose_all(j, &known);
}

/* ---- which time ---- */

static int read_time(const char *option, const char *text, int64_t now_ms, int64_t *ret_tick) {
        int64_t utc_ms;

        if (!text)
                return 0;
        if (time_text_point(text, now_ms, &utc_ms) < 0)
                return wrong(option, text, TIME_TEXT_POINT_FORM);
        *ret_tick = utc_ms / TICK_MS;
        return 0;
}

/* What the meter has. A clock that is behind its newest row cannot tell what is in effect and what is not. */
static void choose_everything(struct export_job *j, int64_t now) {
        struct query_spec *q = &j->spec.query;
        struct figures f;
        struct survey s;

        survey_history(j->history, &s);
        f = q->step_kind == QUERY_STEP_RAW ? survey_meter(&s, j->history, j->meter, TIER_RAW)
                                           : survey_all(&s, j->history, j->meter);
        q->from = f.oldest;
        q->to = f.newest + 1;
        q->now = now > f.newest ? now : f.newest + (int64_t) (YEAR_MS / TICK_MS);
}

static int choose_range(struct export_job *j) {
        struct query_spec *q = &j->spec.query;
        int64_t now_ms = history_tool_now_ms();
        int r;

        choose_everything(j, now_ms / TICK_MS);
        r = read_time("from", j->from, now_ms, &q->from);
        if (r == 0)
                r = read_time("to", j->to, now_ms, &q->to);
        if (r != 0)
                return r;
        if (q->from < q->to)
                return 0;
        if (j->from && j->to) {
                log_error("history export: --from must lie before --to");
                return 2;
        }
        /* Nothing there. */
        q->to = q->from + 1;
        return 0;
}

/* ---- writing ---- */

static int write_all(int fd, const char *data, size_t len) {
        while (len > 0) {
                ssize_t n = write(fd, data, len);

                if (n < 0 && errno != EINTR)
                        return -errno;
                data += n > 0 ? n : 0;
                len -= n > 0 ? (size_t) n : 0;
        }
        return 0;
}

static int write_pieces(struct export *e, int fd) {
        struct buffer piece;
        int r, written = 0;

        buffer_init(&piece, PIECE_MAX_BYTES);
        do {
                r = export_next(e, &piece);
                if (r == -EAGAIN)
                        r = 1;
                if (piece.failed)
                        r = -ENOBUFS;
                if (r >= 0 && piece.len > 0)
                        written = write_all(fd, piece.data, piece.len);
                buffer_clear(&piece);
        } while (r > 0 && written == 0);
        buffer_free(&piece);
        return r < 0 ? r : written;
}

static int write_to(struct export_job *j, struct export *e) {
        int fd = STDOUT_FILENO, r;

        if (j->out)
                fd = open(j->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        r = fd < 0 ? -errno : write_pieces(e, fd);
        if (j->out && fd >= 0 && close(fd) < 0 && r == 0)
                r = -errno;
        if (r < 0 && r != -EPIPE)
                log_error("%s: cannot be written: %s", j->out ? j->out : "stdout", strerror(-r));
        return r < 0;
}

static int export_with(struct export_job *j) {
        CLEANUP(export_freep) struct export *e = NULL;
        unsigned index = 0;
        int r;

        r = choose_series(j);
        if (r == 0)
                r = choose_range(j);
        if (r != 0)
                return r;
        r = export_new(j->history, &j->spec, &e, &index);
        if (r == -EPROTO) {
                log_error("--agg: openmetrics carries one aggregate of each series, and neither count nor delta; "
                          "or take --step raw");
                return 2;
        }
        if (r < 0) {
                log_error("history export: %s: %s", j->meter, strerror(-r));
                return 1;
        }
        return write_to(j, e);
}

/* ---- the command ---- */

static void print_help(void) {
        puts("Usage: metergate history export --directory D --meter ID [OPTIONS]\n"
             "\n"
             "Writes a meter's values, read from a history that may be in use: what a running gateway has not\n"
             "written yet is not there. Rows as they were stored give counters as the meter's register said;\n"
             "openmetrics gives totals that never step back.\n"
             "\n"
             "  --directory D    where the history is\n"
             "  --meter ID       the meter's id\n"
             "  --series A,B     only these, in this order (default: all)\n"
             "  --from T         " TIME_TEXT_POINT_FORM "\n"
             "  --to T           the same; the end is not included (default: everything)\n"
             "  --step STEP      raw (default): the rows; or a duration such as 1min, 15min, 1h, 1d\n"
             "  --agg A,B        avg, min, max, first, last, count, delta; what does not apply to a series is left\n"
             "                   out (default: avg,min,max of gauges, last,delta of counters; openmetrics: avg or\n"
             "                   last)\n"
             "  --format F       csv (default), ndjson or openmetrics\n"
             "  --out FILE       write there, not to standard output\n"
             "  --help           this text\n"
             "\n"
             "Days begin at midnight of the time zone in TZ.");
}

static int take_step(struct export_job *j, const char *text) {
        struct query_spec *q = &j->spec.query;
        uint64_t ms;

        q->step_kind = QUERY_STEP_RAW;
        if (strcmp(text, "raw") == 0)
                return 0;
        if (units_parse_duration_ms(text, &ms) < 0 || ms == 0 || ms % TICK_MS != 0 || ms > YEAR_MS)
                return wrong("step", text, "raw or a duration such as 10s, 5min, 1h or 1d, a multiple of 100ms of at "
                             "most 366d");
        q->step_kind = ms % DAY_MS == 0 ? QUERY_STEP_DAYS : QUERY_STEP_TICKS;
        q->step = (int64_t) (ms % DAY_MS == 0 ? ms / DAY_MS : ms / TICK_MS);
        return 0;
}

static int take_aggregates(struct export_job *j, char *text) {
        char *rest = text, *name;

        while ((name = strsep(&rest, ","))) {
                unsigned k = 0;

                while (k <= QUERY_DELTA && strcmp(query_aggregate_names[k], name) != 0)
                        k++;
                if (k > QUERY_DELTA)
                        return wrong("agg", name, "avg, min, max, first, last, count or delta, with commas between");
                j->aggregates |= BIT(k);
        }
        return 0;
}

static int take_format(struct export_job *j, const char *text) {
        j->spec.format = table_format_find(text);
        if (j->spec.format == TABLE_FORMATS || j->spec.format == TABLE_JSON)
                return wrong("format", text, "csv, ndjson or openmetrics");
        return 0;
}

/* 0, 1 for help, 2 for a mistake, which has been told. */
static int take_option(struct export_job *j, int c) {
        switch (c) {
        case 'd':
                j->directory = optarg;
                return 0;
        case 'm':
                j->meter = optarg;
                return 0;
        case 's':
                j->series = optarg;
                return 0;
        case 'f':
                j->from = optarg;
                return 0;
        case 't':
                j->to = optarg;
                return 0;
        case 'S':
                return take_step(j, optarg);
        case 'a':
                return take_aggregates(j, optarg);
        case 'F':
                return take_format(j, optarg);
        case 'o':
                j->out = optarg;
                return 0;
        case 'h':
                return 1;
        default:
                return 2;
        }
}

static int parse_options(int argc, char **argv, struct export_job *j) {
        static const struct option options[] = {
                { "directory", required_argument, NULL, 'd' }, { "meter", required_argument, NULL, 'm' },
                { "series", required_argument, NULL, 's' },    { "from", required_argument, NULL, 'f' },
                { "to", required_argument, NULL, 't' },        { "step", required_argument, NULL, 'S' },
                { "agg", required_argument, NULL, 'a' },       { "format", required_argument, NULL, 'F' },
                { "out", required_argument, NULL, 'o' },       { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int c, r = 0;

        optind = 0;
        while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                r = take_option(j, c);
        if (r != 0)
                return r;
        if (!j->directory || !j->meter || optind != argc) {
                log_error("history export: expected --directory D, --meter ID and options; "
                          "see metergate history export --help");
                return 2;
        }
        return 0;
}

int history_export_main(int argc, char **argv) {
        struct export_job j = { .spec = { .format = TABLE_CSV, .query = { .step_kind = QUERY_STEP_RAW } } };
        int r;

        r = parse_options(argc, argv, &j);
        if (r == 1) {
                print_help();
                return 0;
        }
        if (r == 0)
                r = history_tool_look(j.directory, &j.history);
        if (r == 0) {
                j.spec.query.meter = j.meter;
                j.spec.query.registers = j.spec.format != TABLE_OPENMETRICS;
                r = export_with(&j);
        }
        history_free(j.history);
        return r;
}
