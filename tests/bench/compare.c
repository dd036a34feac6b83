/* Compares our history with SQLite and rrdtool in one run: the same data, the same questions, in turn, so that what
 * else the machine does hits all of them. Times are of the processor, the best of several; only ratios decide. */
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "contender.h"

enum { OURS, SQLITE, RRDTOOL, CONTENDERS };

enum {
        WEEK_S = 7 * 86400,
        YEAR_S = 365 * 86400,
        SLICE_S = 3600,         /* of data that one contender gets before it is the next one's turn */
        ROUNDS = 20,
};

static const struct contender *const contenders[CONTENDERS] = {
        &contender_ours, &contender_sqlite, &contender_rrdtool,
};

static struct house week, year;
static unsigned n_missed;

static double cpu_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return x < y ? -1 : x > y;
}

static void append_slice(const struct contender *c, uint32_t first) {
        for (uint32_t i = first; i < first + SLICE_S; i++) {
                for (unsigned m = 0; m < week.n_meters; m++)
                        c->append(m, HOUSE_BEGIN_S + i, week.rows[m][i]);
                if ((i + 1) % CONTENDER_BATCH_S == 0)
                        c->end_batch(HOUSE_BEGIN_S + i + 1);
        }
}

/* The median over all slices, in ns a value. */
static void append_week(double ret_ns[CONTENDERS]) {
        static double ns[CONTENDERS][WEEK_S / SLICE_S];

        for (uint32_t s = 0; s < WEEK_S / SLICE_S; s++)
                for (unsigned k = 0; k < CONTENDERS; k++) {
                        unsigned c = (s + k) % CONTENDERS;
                        double begin = cpu_ns();

                        append_slice(contenders[c], s * SLICE_S);
                        ns[c][s] = (cpu_ns() - begin) / (SLICE_S * HOUSE_METERS * HOUSE_VALUES);
                }
        for (unsigned c = 0; c < CONTENDERS; c++) {
                qsort(ns[c], ELEMENTS(ns[c]), sizeof ns[c][0], by_size);
                ret_ns[c] = ns[c][ELEMENTS(ns[c]) / 2];
        }
}

static void append_year(const struct contender *c) {
        for (uint32_t i = 0; i < year.n_rows; i++)
                c->append_year(HOUSE_BEGIN_S + (int64_t) i * year.step_s, year.rows[0][i]);
        c->end_data();
}

static void ask(const struct contender *c, const struct question *question, bool of_year, struct point *ret) {
        if (of_year)
                c->ask_year(question, ret);
        else
                c->ask_week(1, question, ret);
}

/* Smallest and largest values have to be the same, averages up to our rounding to the milliwatt. */
static void check_same(const struct question *question, struct point points[CONTENDERS][POINTS_MAX]) {
        for (unsigned c = 1; c < CONTENDERS; c++)
                for (uint32_t i = 0; i < question->n; i++) {
                        const struct point *a = &points[OURS][i], *b = &points[c][i];

                        if (a->min != b->min || a->max != b->max || fabs(a->avg - b->avg) > 0.0051)
                                errx(1, "%s: point %u is %g %g %g, that of %s is %g %g %g", question->words, i,
                                     a->avg, a->min, a->max, contenders[c]->name, b->avg, b->min, b->max);
                }
}

/* The best of all rounds, in ms. */
static void time_question(const struct question *question, bool of_year, double ret_ms[CONTENDERS]) {
        static struct point points[CONTENDERS][POINTS_MAX];

        for (unsigned c = 0; c < CONTENDERS; c++)
                ret_ms[c] = INFINITY;
        for (unsigned round = 0; round < ROUNDS; round++)
                for (unsigned k = 0; k < CONTENDERS; k++) {
                        unsigned c = (round + k) % CONTENDERS;
                        double begin = cpu_ns();

                        ask(contenders[c], question, of_year, points[c]);
                        ret_ms[c] = fmin(ret_ms[c], (cpu_ns() - begin) / 1e6);
                }
        check_same(question, points);
}

static void print_line(const char *what, const char *unit, const double v[CONTENDERS]) {
        printf("%-46s %9.3f %9.3f %9.3f %-9s %5.1fx %6.1fx\n", what, v[OURS], v[SQLITE], v[RRDTOOL], unit,
               v[SQLITE] / v[OURS], v[RRDTOOL] / v[OURS]);
}

static void expect(const char *what, double ratio, double at_least) {
        bool good = ratio >= at_least;

        printf("%s  %-58s %7.1fx, at least %gx\n", good ? "ok    " : "MISSED", what, ratio, at_least);
        n_missed += !good;
}

static void expect_both(const char *what, const double v[CONTENDERS], double sqlite, double rrdtool) {
        char words[160];

        snprintf(words, sizeof words, "%s than SQLite", what);
        expect(words, v[SQLITE] / v[OURS], sqlite);
        snprintf(words, sizeof words, "%s than rrdtool", what);
        expect(words, v[RRDTOOL] / v[OURS], rrdtool);
}

static int64_t next_multiple(int64_t v, int64_t step) {
        return (v + step - 1) / step * step;
}

/* What decides is what a history is there for: the question asked of the whole store. Below it, what it costs when
 * the store gets help or has no tiers to answer from. */
static const struct line {
        struct question question;
        bool of_year, decides;
} lines[] = {
        { { "24 h of 1 Hz to 720 points", 0, 120, 720, WAY_OWN }, false, true },
        { { "a year of minutes to 730 points", 0, 43200, 730, WAY_OWN }, true, true },
        { { "the 24 h, rrdtool's summed up by hand", 0, 120, 720, WAY_BY_HAND }, false, false },
        { { "the year, rrdtool's summed up by hand", 0, 43200, 730, WAY_BY_HAND }, true, false },
        { { "24 h to 1000 points from rows alone", 0, 87, 1000, WAY_FINEST }, false, false },
        { { "a year to 999 points from minutes alone", 0, 31560, 999, WAY_FINEST }, true, false },
};

static void time_line(const struct line *line, double ret_ms[CONTENDERS]) {
        struct question question = line->question;

        question.from_s = next_multiple(HOUSE_BEGIN_S + (line->of_year ? 0 : 3 * 86400), question.step_s);
        time_question(&question, line->of_year, ret_ms);
        print_line(question.words, "ms", ret_ms);
}

static void fill(double ret_bytes[CONTENDERS], double ret_append_ns[CONTENDERS]) {
        const double n_values = (double) WEEK_S * HOUSE_METERS * HOUSE_VALUES;

        append_week(ret_append_ns);
        for (unsigned c = 0; c < CONTENDERS; c++) {
                append_year(contenders[c]);
                ret_bytes[c] = (double) contenders[c]->week_raw_bytes() / n_values;
        }
}

int main(int argc, char *argv[]) {
        double bytes[CONTENDERS], append_ns[CONTENDERS], ms[ELEMENTS(lines)][CONTENDERS];

        if (argc != 3)
                errx(2, "usage: compare FOLDER TRACES");
        house_make(&week, HOUSE_METERS, WEEK_S, 1, argv[2]);
        house_make(&year, 1, YEAR_S / YEAR_STEP_S, YEAR_STEP_S, NULL);
        for (unsigned c = 0; c < CONTENDERS; c++)
                contenders[c]->open(argv[1], &week, &year);
        fill(bytes, append_ns);
        printf("%u meters of %u values at 1 Hz for 7 days%s; a year of one meter every %u s\n\n", HOUSE_METERS,
               HOUSE_VALUES, week.real ? ", recorded traces in it" : ", all made up", YEAR_STEP_S);
        printf("%-46s %9s %9s %9s %-9s %6s %7s\n", "", "metergate", "SQLite", "rrdtool", "", "SQLite", "rrdtool");
        print_line("on disk, rows of 1 Hz", "B/value", bytes);
        print_line("append, no waiting for the disk", "ns/value", append_ns);
        for (unsigned i = 0; i < ELEMENTS(lines); i++)
                time_line(&lines[i], ms[i]);
        printf("\n");
        expect_both("rows of 1 Hz: smaller", bytes, 9, 12);
        for (unsigned i = 0; i < ELEMENTS(lines); i++) {
                char words[128];

                snprintf(words, sizeof words, "%s: faster", lines[i].question.words);
                if (lines[i].decides)
                        expect_both(words, ms[i], 50, 1);
        }
        for (unsigned c = 0; c < CONTENDERS; c++)
                contenders[c]->close();
        house_free(&week);
        house_free(&year);
        return n_missed > 0;
}
