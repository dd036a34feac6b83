#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "contender.h"
#include "history/query.h"
#include "our_history.h"

#define STORE_BYTES (UINT64_C(64) * 1024 * 1024)

static struct our_history week, year;
static int64_t end_s;

static void open_one(struct our_history *o, const char *folder, const char *name, const struct house *house,
                     uint32_t flush_s) {
        char path[4096];

        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (mkdir(path, 0700) < 0)
                err(1, "%s", path);
        our_history_open(o, path, STORE_BYTES, flush_s, house, &our_history_no_sync);
}

static void open_ours(const char *folder, const struct house *week_house, const struct house *year_house) {
        open_one(&week, folder, "week", week_house, CONTENDER_BATCH_S);
        open_one(&year, folder, "year", year_house, 86400);
        end_s = HOUSE_BEGIN_S + (int64_t) year_house->n_rows * year_house->step_s;
}

static void append(unsigned meter, int64_t at_s, const int32_t values[HOUSE_VALUES]) {
        our_history_append(&week, meter, at_s, values);
}

static void append_year(int64_t at_s, const int32_t values[HOUSE_VALUES]) {
        our_history_append(&year, 0, at_s, values);
        our_history_tick(&year, at_s);
}

/* The checkpoint, and the sync that follows a second later. */
static void end_batch(int64_t now_s) {
        our_history_tick(&week, now_s);
        our_history_tick(&week, now_s + 1);
}

static void end_data(void) {
}

static uint64_t week_raw_bytes(void) {
        return (history_end(week.history, TIER_RAW) - history_oldest(week.history, TIER_RAW)) * PAGE_BYTES;
}

static void take(const struct query_row *row, struct point *ret) {
        const double scale = house_values[HOUSE_POWER].scale;

        *ret = (struct point) { .avg = (double) row->values[0] / scale, .min = (double) row->values[1] / scale,
                                .max = (double) row->values[2] / scale };
}

static void ask(struct our_history *o, unsigned meter, const struct question *question, uint32_t avoid,
                struct point *ret) {
        char id[SCHEMA_METER_MAX + 1];
        struct query_spec spec = {
                .meter = id, .n_series = 1, .from = question->from_s * TICKS_PER_S,
                .to = (question->from_s + (int64_t) question->n * question->step_s) * TICKS_PER_S,
                .now = end_s * TICKS_PER_S, .step_kind = QUERY_STEP_TICKS,
                .step = (int64_t) question->step_s * TICKS_PER_S, .avoid_tiers = avoid,
        };
        struct query_row row;
        struct query *q;
        unsigned index;
        uint32_t n = 0;
        int r;

        snprintf(id, sizeof id, "meter%u", meter + 1);
        snprintf(spec.series[0].key, sizeof spec.series[0].key, "%s", house_values[HOUSE_POWER].key);
        spec.series[0].aggregates = 1u << QUERY_AVG | 1u << QUERY_MIN | 1u << QUERY_MAX;
        r = query_new(o->history, &spec, &q, &index);
        if (r < 0)
                errx(1, "query_new: %s", strerror(-r));
        while ((r = query_next(q, 64, &row)) != 0) {
                if (r == -EAGAIN)
                        continue;
                if (r < 0 || n == question->n)
                        errx(1, "query_next: %s", r < 0 ? strerror(-r) : "too many points");
                take(&row, &ret[n++]);
        }
        query_free(q);
        if (n != question->n)
                errx(1, "%s: %u points of %u", question->words, n, question->n);
}

static void ask_week(unsigned meter, const struct question *question, struct point *ret) {
        ask(&week, meter, question, question->way == WAY_FINEST ? 1u << TIER_MINUTE | 1u << TIER_QUARTER : 0, ret);
}

static void ask_year(const struct question *question, struct point *ret) {
        ask(&year, 0, question, question->way == WAY_FINEST ? 1u << TIER_QUARTER : 0, ret);
}

static void close_ours(void) {
        our_history_close(&week);
        our_history_close(&year);
}

const struct contender contender_ours = {
        .name = "metergate", .open = open_ours, .append = append, .end_batch = end_batch, .append_year = append_year,
        .end_data = end_data, .week_raw_bytes = week_raw_bytes, .ask_week = ask_week, .ask_year = ask_year,
        .close = close_ours,
};
